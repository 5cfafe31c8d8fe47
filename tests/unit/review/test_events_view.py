"""The chain of events as leads see it: filters, pages, chunks, verification."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest
from sqlalchemy import text

from coefvq.errors import NotAllowed, StoreError
from coefvq.review import events_view
from coefvq.review.access import LOCAL, Actor
from coefvq.review.events_view import EventWish
from coefvq.store import events
from coefvq.store.session import Store

START = datetime(2026, 3, 1, tzinfo=UTC)
KINDS = ("case.claimed", "case.decided", "user.signed_in")
NUMBER = 120


@pytest.fixture
def filled(store: Store) -> Store:
    """An event an hour, by three people, on fifty cases."""
    with store.write() as session:
        for at in range(NUMBER):
            events.append(session, f"p{at % 3}", KINDS[at % 3 if at % 50 else 2], "case",
                          f"c{at % 50}", {"n": at}, START + timedelta(hours=at))  # fmt: skip
    return store


def everything(store: Store, wish: EventWish, limit: int = 100) -> list[int]:
    """Sequence numbers over all pages."""
    found: list[int] = []
    before = None
    while True:
        page = events_view.page(store, LOCAL, wish, before, limit)
        found += [event.seq for event in page.events]
        if page.older is None:
            return found
        before = page.older


def expected(**wanted: object) -> list[int]:
    rows = []
    for at in range(NUMBER):
        row = {"actor": f"p{at % 3}", "kind": KINDS[at % 3 if at % 50 else 2],
               "subject": f"c{at % 50}", "at": START + timedelta(hours=at)}  # fmt: skip
        group = str(wanted.get("kind", ""))
        fits = row["kind"].startswith(group) if group.endswith(".") else group in ("", row["kind"])
        fits = fits and all(row[n] == wanted[n] for n in ("actor", "subject") if n in wanted)
        fits = fits and row["at"] >= wanted.get("since", START)
        if fits and row["at"] < wanted.get("until", datetime.max.replace(tzinfo=UTC)):
            rows.append(at + 1)
    return rows[::-1]


WISHES = {
    "all": {},
    "kind": {"kind": "case.decided"},
    "group": {"kind": "case."},
    "unknown kind": {"kind": "case.x"},
    "actor": {"actor": "p1"},
    "subject": {"subject": "c7"},
    "since": {"since": START + timedelta(hours=99, minutes=30)},
    "until": {"until": START + timedelta(hours=3)},
    "an hour": {"since": START + timedelta(hours=9), "until": START + timedelta(hours=10)},
    "before the first": {"until": START},
    "all of it": {"kind": "case.", "actor": "p1", "since": START + timedelta(hours=60)},
}


def test_a_filter_over_all_pages_finds_just_what_fits(filled):
    for name, wanted in WISHES.items():  # one store for all: it takes long to fill
        for limit in (7, 100):
            assert everything(filled, EventWish(**wanted), limit) == expected(**wanted), name


def test_pages_hold_the_newest_first_and_end(filled):
    first = events_view.page(filled, LOCAL, EventWish())
    assert [first.events[0].seq, first.events[-1].seq, first.older] == [120, 21, 21]
    last = events_view.page(filled, LOCAL, EventWish(), before=21)
    assert (len(last.events), last.older) == (20, None)


def test_chunks_give_all_and_an_event_is_whole(filled, monkeypatch):
    monkeypatch.setattr(events_view, "_CHUNK", 40)
    rows = list(chain.from_iterable(events_view.each(filled, LOCAL, EventWish())))
    assert [row.seq for row in rows] == list(range(NUMBER, 0, -1))
    one = events_view.one(filled, LOCAL, 3)
    assert (one.kind, one.data, one.at) == ("user.signed_in", {"n": 2}, START + timedelta(hours=2))
    with pytest.raises(StoreError, match="no event 999"):
        events_view.one(filled, LOCAL, 999)


def test_events_whose_clocks_went_wrong_are_found(store):
    with store.write() as session:
        for minutes in (0, 30, 10, 40, 20, 90):
            events.append(session, "a", "k", "s", "x", now=START + timedelta(minutes=minutes))
    wish = EventWish(since=START + timedelta(minutes=15), until=START + timedelta(minutes=45))
    assert everything(store, wish) == [5, 4, 2]


def test_kinds_are_those_that_occur(filled):
    assert events_view.kinds(filled, LOCAL) == KINDS


def test_an_empty_chain(store):
    assert events_view.page(store, LOCAL, EventWish()).events == ()
    assert events_view.kinds(store, LOCAL) == ()
    assert events_view.verify(store, LOCAL) == events_view.ChainCheck(0, events.GENESIS, None)
    since = EventWish(since=START)
    assert list(events_view.each(store, LOCAL, since)) == []


def test_verifying_names_the_first_event_that_was_changed(filled):
    found = events_view.verify(filled, LOCAL)
    assert (found.events, found.broken) == (NUMBER, None)
    assert found.newest == events_view.one(filled, LOCAL, NUMBER).hash
    with filled.write() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("ALTER TABLE events DISABLE TRIGGER ALL"))
        else:
            triggers = session.scalars(text(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'events'"
            )).all()  # fmt: skip
            for name in triggers:
                session.execute(text(f"DROP TRIGGER {name}"))
        session.execute(text("UPDATE events SET actor = 'somebody' WHERE seq = 77"))
    broken = events_view.verify(filled, LOCAL).broken
    assert broken is not None
    assert (broken.seq, broken.why) == (77, "its content was changed")


CALLS = {
    "page": lambda s, a: events_view.page(s, a, EventWish()),
    "each": lambda s, a: events_view.each(s, a, EventWish()),
    "one": lambda s, a: events_view.one(s, a, 1),
    "kinds": events_view.kinds,
    "verify": events_view.verify,
}


def test_only_leads_look(store):
    for role in ("viewer", "uploader", "reviewer"):
        for call in CALLS.values():
            with pytest.raises(NotAllowed):
                call(store, Actor("x", frozenset({role})))
