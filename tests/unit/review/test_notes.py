"""Internal notes on a case."""

from __future__ import annotations

import pytest

from coefvq.errors import NotAllowed, StoreError
from coefvq.review import case_view, notes
from coefvq.review.access import Actor
from coefvq.settings import Settings
from coefvq.store import events
from coefvq.store.session import Store
from tests.store_factory import ANN, BOB, scored

VIEWER = Actor("vic", frozenset({"viewer"}))


@pytest.fixture
def case_id(store: Store, settings: Settings) -> str:
    """A queued case."""
    return scored(store, settings)["icd"]


def test_notes_are_in_the_view_in_their_order(
    store: Store, settings: Settings, case_id: str
) -> None:
    first = notes.add(store, ANN, case_id, " <b>who is this?</b>\x00 ")
    notes.add(store, BOB, case_id, "the one from last week")
    seen = case_view.view(store, settings, VIEWER, case_id).notes
    assert seen[0] == first
    assert [(note.author, note.text) for note in seen] == [
        ("ann", "<b>who is this?</b>"),
        ("bob", "the one from last week"),
    ]


def test_a_note_is_an_event_that_does_not_repeat_it(store: Store, case_id: str) -> None:
    notes.add(store, ANN, case_id, "hush")
    with store.read() as session:
        event = events.of_subject(session, "case", case_id)[-1]
    assert (event.kind, event.actor) == ("case.noted", "ann")
    assert "hush" not in str(event.data)


@pytest.mark.parametrize("text", ["", "  \n", "\x00", "x" * 2001], ids=["", "blank", "nul", "long"])
def test_what_is_no_note(store: Store, settings: Settings, case_id: str, text: str) -> None:
    with pytest.raises(StoreError, match="1 to 2000 characters"):
        notes.add(store, ANN, case_id, text)
    assert case_view.view(store, settings, ANN, case_id).notes == ()


def test_a_note_needs_its_case_and_the_right(store: Store, case_id: str) -> None:
    with pytest.raises(StoreError, match="no case c0"):
        notes.add(store, ANN, "c0", "hello")
    with pytest.raises(NotAllowed):
        notes.add(store, VIEWER, case_id, "hello")
