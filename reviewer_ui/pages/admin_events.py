"""Admin: the chain of events, filtered, as a file, verified."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from coefvq.errors import CoefVQError, NotAllowed
from coefvq.export.cells import cell
from coefvq.review import events_view
from coefvq.review.access import Actor
from coefvq.review.events_view import EventView, EventWish
from coefvq.store.session import Store
from reviewer_ui.calls import Answer, Args, BadCall, number, text, whole
from reviewer_ui.components import events
from reviewer_ui.markup import Markup, h
from reviewer_ui.pages.admin_frame import Section
from reviewer_ui.who import actor_of

COLUMNS = ("seq", "at", "actor", "kind", "subject_kind", "subject_id", "data", "prev_hash",
           "hash")  # fmt: skip
LIMIT = 200


class EventsSection(Section):
    """What happened, newest first."""

    name = "events"
    title = "Events"
    files = ("admin_events.css", "admin_events.js")
    names = ("list_events", "show_event", "verify_events")

    def shell(self) -> Markup:
        """Filter, table and the chain's state in one card."""
        return h(
            '<section class="card wide" aria-labelledby="events-title"><h2 id="events-title">'
            'Events</h2><div id="events-chain"></div><div id="events-search"></div>'
            '<div class="region" id="events-table"></div></section>'
        )

    def list_events(self, actor: Actor, args: Args) -> Answer:
        """A page of events; with ``first``, also the form that filters."""
        wish = wish_of(args)
        before = None if number(args, "before") is None else whole(args, "before")
        found = events_view.page(self.store, actor, wish, before)
        regions = {"events-table": events.table(found, wish, first=before is None)}
        if args.get("first"):
            kinds = events_view.kinds(self.store, actor)
            regions |= {"events-search": events.search(kinds, wish),
                        "events-chain": events.check(None)}  # fmt: skip
        return {"regions": regions}

    def show_event(self, actor: Actor, args: Args) -> Answer:
        """One event as it is stored."""
        found = events_view.one(self.store, actor, whole(args, "seq"))
        return {"regions": {"admin-dialog-body": events.raw(found)}, "open": "admin-dialog"}

    def verify_events(self, actor: Actor, args: Args) -> Answer:
        """Walk the chain and say what was found."""
        found = events_view.verify(self.store, actor)
        return {"regions": {"events-chain": events.check(found)}}


def wish_of(args: Mapping[str, Any]) -> EventWish:
    """Read a filter.

    Raises:
        BadCall: A field is no text, too long, or no time.
    """
    given = {name: text(dict(args), name, limit=LIMIT).strip() for name in
             ("kind", "actor", "subject")}  # fmt: skip
    return EventWish(**given, since=_moment(args, "since"), until=_moment(args, "until"))


def _moment(args: Mapping[str, Any], name: str) -> datetime | None:
    written = text(dict(args), name, limit=40)
    if not written:
        return None
    try:
        moment = datetime.fromisoformat(written)
    except ValueError as error:
        raise BadCall(f"{name}: a time such as 2026-05-04T12:30 is expected.") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def csv_lines(chunks: Iterator[tuple[EventView, ...]]) -> Iterator[str]:
    """Write events as CSV, a piece a chunk; every cell is safe to open in a spreadsheet."""
    yield ",".join(COLUMNS) + "\r\n"
    for chunk in chunks:
        piece = io.StringIO()
        writer = csv.writer(piece)
        for event in chunk:
            writer.writerow([cell(_column(event, name)) for name in COLUMNS])
        yield piece.getvalue()


def _column(event: EventView, name: str) -> object:
    value = getattr(event, name)
    return json.dumps(value, sort_keys=True, ensure_ascii=False) if name == "data" else value


def events_router(store: Store) -> APIRouter:
    """Make the route that sends events as a file."""
    router = APIRouter()

    @router.get(events.CSV_PATH)
    async def download(request: Request) -> StreamingResponse:
        """The events that the filter in the address asks for, newest first."""
        try:
            chunks = await run_in_threadpool(
                events_view.each, store, actor_of(request), wish_of(request.query_params)
            )
        except NotAllowed as error:
            raise HTTPException(403, str(error)) from error
        except CoefVQError as error:
            raise HTTPException(400, str(error)) from error
        name = f"events-{datetime.now(UTC):%Y%m%d-%H%M}.csv"
        headers = {"content-disposition": f'attachment; filename="{name}"',
                   "cache-control": "no-store"}  # fmt: skip
        return StreamingResponse(csv_lines(chunks), media_type="text/csv", headers=headers)

    return router
