"""``/signals``: score what a platform already has; nothing of it is kept for longer than a day."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from coefvq.api import bodies, lookup
from coefvq.api.auth import caller_of
from coefvq.api.repeat import Keep, Once, once
from coefvq.api.shapes import at
from coefvq.given import item_of
from coefvq.review.access import Permission, require
from coefvq.review.api_keys import Caller
from coefvq.settings import Settings
from coefvq.store import api_requests
from coefvq.store.session import Store
from coefvq.store.tables import JobRow, JobState
from coefvq.work.callbacks import check_callback


def signals_router(store: Store, settings: Settings) -> APIRouter:
    """Make the routes."""
    router = APIRouter(prefix="/signals", tags=["signals"])

    @router.post("", status_code=202, openapi_extra=bodies.described(bodies.SignalsBody))
    async def submit(
        request: Request, stage: str = "auto", rationale: bool = False, callback: str = ""
    ) -> JSONResponse:
        """Queue signals to be scored; the answer is fetched by the id that comes back."""
        caller = caller_of(request)
        require(caller.actor, Permission.UPLOAD)
        address = check_callback(settings, callback) if callback else None
        body = await bodies.read_bytes(request, settings)
        given = bodies.parse(bodies.SignalsBody, body).model_dump(exclude_none=True)
        item_of(given["id"], given)  # its lines are read as the command line reads them
        item = {"signals": given, "stage": bodies.stage_of(stage), "rationale": rationale}
        asked = once(request, caller, bodies.digest(body))
        answer = await run_in_threadpool(_ask, store, caller, item, address, asked)
        return JSONResponse(answer, 202)

    @router.get("/{request_id}")
    def answer(request: Request, request_id: str) -> dict[str, Any]:
        """The answer, for the key that asked: `waiting`, `scoring`, `scored` or `failed`."""
        known = lookup.known_id(request_id, "request")
        return _answer(store, caller_of(request), known)

    return router


def _ask(
    store: Store, caller: Caller, item: dict[str, Any], callback: str | None, asked: Once
) -> dict[str, Any]:
    def act(keep: Keep) -> dict[str, Any]:
        with store.write() as session:
            row = api_requests.ask(session, caller.key_id, item, callback)
            made = {"id": row.id, "status": "waiting"}
            keep(session, made)
            return made

    return asked.do(store, act)


def _answer(store: Store, caller: Caller, request_id: str) -> dict[str, Any]:
    require(caller.actor, Permission.UPLOAD)
    with store.read() as session:
        row = api_requests.get(session, request_id, caller.key_id)
        status, error = _status(session, row.job_id)
        return {
            "id": row.id,
            "status": "scored" if row.answer else status,
            "at": at(row.made_at),
            "answer": row.answer or None,
            "error": None if row.answer else error,
        }


def _status(session: Session, job_id: str) -> tuple[str, dict[str, str | None] | None]:
    job = session.get(JobRow, job_id)
    if job is None or job.state == JobState.SET_ASIDE.value:
        code, words = (job.error_code, job.error) if job else ("not_found", "Send it again.")
        return "failed", {"code": code, "message": words}
    return ("scoring" if job.state == JobState.RUNNING.value else "waiting"), None
