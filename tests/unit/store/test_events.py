"""The chain of events finds what was changed behind its back."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from coefvq.store import events
from coefvq.store.events import GENESIS, BrokenChain
from coefvq.store.session import Store


@pytest.fixture
def chain(store: Store) -> Store:
    """Five events."""
    with store.write() as session:
        for number in range(5):
            data = {"number": number, "share": 0.1 + number, "text": "ä\u0000=1+1"[number % 2 :]}
            events.append(session, "ann", "case.claimed", "case", f"c{number}", data)
    return store


def _tamper(store: Store, statement: str) -> None:
    with store.write() as session:
        if store.engine.dialect.name == "postgresql":
            session.execute(text("SET session_replication_role = replica"))
        else:
            for verb in ("update", "delete"):
                session.execute(text(f"DROP TRIGGER events_no_{verb}"))
        session.execute(text(statement))


def test_each_event_carries_the_hash_of_the_one_before(chain: Store) -> None:
    with chain.read() as session:
        rows = [events.of_subject(session, "case", f"c{number}")[0] for number in range(5)]
    assert rows[0].prev_hash == GENESIS
    assert [row.seq for row in rows] == [1, 2, 3, 4, 5]
    assert [row.prev_hash for row in rows[1:]] == [row.hash for row in rows[:-1]]


def test_an_untouched_chain_holds(chain: Store) -> None:
    with chain.read() as session:
        assert events.verify(session) is None


def test_an_empty_chain_holds(store: Store) -> None:
    with store.read() as session:
        assert events.verify(session) is None


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        pytest.param(
            "UPDATE events SET actor = 'bob' WHERE seq = 3",
            BrokenChain(3, "its content was changed"),
            id="other actor",
        ),
        pytest.param(
            "UPDATE events SET data = '{}' WHERE seq = 2",
            BrokenChain(2, "its content was changed"),
            id="other data",
        ),
        pytest.param(
            "DELETE FROM events WHERE seq = 2", BrokenChain(2, "event 2 is missing"), id="one gone"
        ),
        pytest.param(
            "DELETE FROM events WHERE seq = 1", BrokenChain(1, "event 1 is missing"), id="first"
        ),
        pytest.param(
            f"UPDATE events SET prev_hash = '{'f' * 64}' WHERE seq = 4",
            BrokenChain(4, "it does not follow the event before it"),
            id="re-linked",
        ),
    ],
)
def test_the_first_event_that_does_not_fit_is_named(
    chain: Store, statement: str, broken: BrokenChain
) -> None:
    _tamper(chain, statement)
    with chain.read() as session:
        assert events.verify(session) == broken


def test_not_a_number_has_no_place_in_an_event(store: Store) -> None:
    with pytest.raises(ValueError, match="JSON"), store.write() as session:
        events.append(session, "ann", "x", "case", "1", {"share": float("nan")})


@pytest.mark.parametrize(
    ("statement", "seq"),
    [
        pytest.param("DELETE FROM events WHERE seq = 5", 5, id="the last one is gone"),
        pytest.param("DELETE FROM events WHERE seq >= 3", 3, id="the last three are gone"),
        pytest.param("DELETE FROM events", 1, id="all are gone"),
    ],
)
def test_a_missing_end_is_found(chain: Store, statement: str, seq: int) -> None:
    _tamper(chain, statement)
    with chain.read() as session:
        broken = events.verify(session)
    assert broken is not None and broken.seq == seq and "is missing" in broken.why


def test_an_event_put_in_behind_the_last_is_found(chain: Store) -> None:
    with chain.write() as session:
        noted = events.head(session)
        events.append(session, "eve", "made.up", "case", "c1")
        session.execute(
            text("UPDATE event_head SET seq = :seq, hash = :hash"),
            {"seq": noted.seq, "hash": noted.hash},
        )
    with chain.read() as session:
        broken = events.verify(session)
    assert broken is not None and broken.seq == 6 and "put in" in broken.why


def test_a_whole_new_chain_is_told_by_what_was_noted_elsewhere(chain: Store) -> None:
    with chain.read() as session:
        noted = events.head(session)
    _tamper(chain, "DELETE FROM events WHERE seq = 5")
    with chain.write() as session:
        old = events.of_subject(session, "case", "c3")[0]
        session.execute(text("UPDATE event_head SET seq = 4, hash = :hash"), {"hash": old.hash})
    with chain.read() as session:
        assert events.verify(session) is None
        broken = events.verify(session, noted)
    assert broken is not None and broken.seq == 5
    with chain.write() as session:
        events.append(session, "eve", "made.up", "case", "c9")
    with chain.read() as session:
        assert events.verify(session) is None
        broken = events.verify(session, noted)
    assert broken is not None and broken.seq == 5 and "noted" in broken.why
