"""Alarms on any page: a card with the list, its calls, the bell's address, the reports' address."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, JSONResponse

from coefvq.errors import CoefVQError, NotAllowed
from coefvq.review.access import Actor, Permission
from coefvq.settings import Settings
from coefvq.store.session import Store
from coefvq.work.alarms import desk
from coefvq.work.report import figures_of, render
from reviewer_ui.calls import Answer, Args, needed, server_function
from reviewer_ui.components import alarms
from reviewer_ui.markup import Markup
from reviewer_ui.who import actor_of

NAMES = ("list_alarms", "acknowledge_alarm")
BELL_PATH, REPORT_PATH = "/alarms/bell", "/reports/{month}.html"
MONTHS = 6
"""So many months' reports are linked; any other has its address."""


def shell() -> Markup:
    """The card; ``alarms.js`` fills it where the page has these calls."""
    return Markup(
        '<section class="card wide" id="alarms" aria-labelledby="alarms-title">'
        '<h2 id="alarms-title">Alarms</h2><div id="alarm-list"></div>'
        '<div id="report-list"></div></section>'
    )


class AlarmCalls:
    """The card's calls; it keeps nothing."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings

    def functions(self) -> list[Callable[..., Any]]:
        """What a page's script can call."""
        return [server_function(name, getattr(self, name)) for name in NAMES]

    def list_alarms(self, actor: Actor, args: Args) -> Answer:
        """What stands, what ended lately, and the bell."""
        return {"regions": self._regions(actor)}

    def acknowledge_alarm(self, actor: Actor, args: Args) -> Answer:
        """Say that one looks after it."""
        made = desk.acknowledge(self.store, actor, needed(args, "alarm"))
        name = alarms.KINDS.get(made.kind, made.kind)
        note = {"text": f"{name}: acknowledged. It stays here until it is over."}
        return {"regions": self._regions(actor), "note": note}

    def _regions(self, actor: Actor) -> dict[str, Markup]:
        found = desk.listed(self.store, actor)
        return {
            "alarm-bell": alarms.bell(found),
            "alarm-list": alarms.listing(found),
            "report-list": alarms.reports(months_back(datetime.now(UTC))),
        }


def months_back(now: datetime, number: int = MONTHS) -> list[str]:
    """The present month and those before it, as ``YYYY-MM``."""
    count = now.year * 12 + now.month - 1
    return [f"{at // 12:04d}-{at % 12 + 1:02d}" for at in range(count, count - number, -1)]


def alarm_router(store: Store, settings: Settings) -> APIRouter:
    """Make the routes: the bell of every page, and a month's report for leads."""
    router = APIRouter()

    @router.get(BELL_PATH)
    async def bell(request: Request) -> JSONResponse:
        """The bell as a fragment; empty for people who are no leads."""
        actor = actor_of(request)
        html = ""
        if actor.may(Permission.LEAD):
            html = str(alarms.bell(await run_in_threadpool(desk.listed, store, actor)))
        return JSONResponse({"html": html}, headers={"cache-control": "no-store"})

    @router.get(REPORT_PATH)
    async def report(month: str, request: Request) -> HTMLResponse:
        """A month's report as one page."""
        try:
            page = await run_in_threadpool(_report, store, actor_of(request), month)
        except NotAllowed as error:
            raise HTTPException(403, str(error)) from error
        except CoefVQError as error:
            raise HTTPException(404, str(error)) from error
        return HTMLResponse(page, headers={"cache-control": "no-store"})

    return router


def _report(store: Store, actor: Actor, month: str) -> str:
    return render(figures_of(store, actor, month))
