"""``/cases`` and ``/verdicts``: what the machine said, and what people decide on it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from coefvq.api import bodies, lookup, shapes
from coefvq.api.auth import caller_of
from coefvq.api.repeat import Keep, Once, once
from coefvq.api.videos import Limit
from coefvq.review import case_view
from coefvq.review.access import Actor, Permission, require
from coefvq.review.decide_once import Decided, decide_once
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store.session import Store


def cases_router(store: Store, settings: Settings) -> APIRouter:
    """Make the routes of cases."""
    router = APIRouter(prefix="/cases", tags=["cases"])

    @router.get("")
    def listed(
        request: Request,
        cursor: str | None = None,
        limit: Limit = lookup.PAGE,
        state: str | None = None,
        task: str | None = None,
        queue: str | None = None,
        video_id: str | None = None,
    ) -> dict[str, Any]:
        """List cases, newest first."""
        return lookup.list_cases(
            store, settings, caller_of(request).actor, lookup.cursor_of(cursor), limit,
            state=lookup.plain(state, "state"), task=lookup.plain(task, "task"),
            queue=lookup.plain(queue, "queue"), video_id=lookup.plain(video_id, "video_id"),
        )  # fmt: skip

    @router.get("/{case_id}")
    def one(request: Request, case_id: str) -> dict[str, Any]:
        """What a reviewer sees of a case: both assessments, evidence, verdict and route."""
        known = lookup.known_id(case_id, "case")
        found = case_view.view(store, settings, caller_of(request).actor, known)
        return shapes.whole_case(found)

    @router.post("/{case_id}/decision", openapi_extra=bodies.described(bodies.DecisionBody))
    async def decide(request: Request, case_id: str) -> dict[str, Any]:
        """Decide a case: it is opened, decided and given back at once.

        409 where somebody else has it open; 422 where the form lacks something.
        """
        caller = caller_of(request)
        require(caller.actor, Permission.DECIDE)
        known = lookup.known_id(case_id, "case")
        body = await bodies.read_bytes(request, settings)
        form = DecisionForm(**bodies.parse(bodies.DecisionBody, body).model_dump())
        asked = once(request, caller, bodies.digest(body))
        return await run_in_threadpool(_decide, store, settings, caller.actor, known, form, asked)

    return router


def verdicts_router(store: Store, settings: Settings) -> APIRouter:
    """Make the route of verdicts."""
    router = APIRouter(prefix="/verdicts", tags=["verdicts"])

    @router.get("")
    def listed(
        request: Request,
        cursor: str | None = None,
        limit: Limit = lookup.PAGE,
        task: str | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> dict[str, Any]:
        """List the machine's answers, oldest first: go on from the last `next` to follow them."""
        return lookup.list_verdicts(
            store, settings, caller_of(request).actor, lookup.cursor_of(cursor), limit,
            task=lookup.plain(task, "task"), since=lookup.moment(since, "since"),
            until=lookup.moment(until, "until"),
        )  # fmt: skip

    return router


def _decide(
    store: Store, settings: Settings, actor: Actor, case_id: str, form: DecisionForm, asked: Once
) -> dict[str, Any]:
    def act(keep: Keep) -> dict[str, Any]:
        def also(session: Session, done: Decided) -> None:
            keep(session, asdict(done))

        return asdict(decide_once(store, settings, actor, case_id, form, also))

    return asked.do(store, act)
