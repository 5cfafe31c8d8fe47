"""Legal holds, and what a restricted queue keeps from leaving."""

from __future__ import annotations

import pytest

from coefvq.errors import NotAllowed, StoreError
from coefvq.review import holds, queues
from coefvq.settings import Settings
from coefvq.store import cases, events
from coefvq.store.session import Store
from tests.store_factory import upload
from tests.unit.review.quality import ANN, LEA, LEO, VIC, scored


@pytest.fixture
def video(store: Store, settings: Settings) -> str:
    """An upload."""
    return upload(store, settings, title="<b>evidence</b>")


def delete(store: Store, video: str) -> None:
    with store.write() as session:
        holds.require_free(session, video)


def test_a_hold_beats_deletion_until_it_is_released(store: Store, video: str) -> None:
    delete(store, video)
    first = holds.place(store, LEA, video, "court order 12")
    second = holds.place(store, LEO, video, "police request")
    assert [each.id for each in holds.of_video(store, LEA, video)] == [second.id, first.id]
    assert (first.title, first.placed_by, first.released_at) == ("<b>evidence</b>", "lea", None)
    with pytest.raises(holds.Held, match="legal hold by leo"):
        delete(store, video)
    holds.release(store, LEA, second.id, "withdrawn")
    with pytest.raises(holds.Held, match="legal hold by lea"):
        delete(store, video)
    done = holds.release(store, LEO, first.id, "case closed")
    assert done.released_by == "leo" and done.released_at is not None
    delete(store, video)
    assert holds.list_holds(store, LEA) == ()
    assert len(holds.list_holds(store, LEA, released=True)) == 2
    with store.read() as session:
        kinds = [(e.kind, e.data["reason"]) for e in events.of_subject(session, "hold", first.id)]
    assert kinds == [("hold.placed", "court order 12"), ("hold.released", "case closed")]


@pytest.mark.parametrize("reason", ["", " \x00", "x" * 2001], ids=["none", "blank", "too long"])
def test_a_reason_is_needed(store: Store, video: str, reason: str) -> None:
    with pytest.raises(StoreError, match="1 to 2000"):
        holds.place(store, LEA, video, reason)
    hold = holds.place(store, LEA, video, "so")
    with pytest.raises(StoreError, match="1 to 2000"):
        holds.release(store, LEA, hold.id, reason)
    assert len(holds.list_holds(store, LEA)) == 1


def test_it_ends_once_and_only_where_it_is(store: Store, video: str) -> None:
    hold = holds.place(store, LEA, video, "so")
    holds.release(store, LEA, hold.id, "so")
    with pytest.raises(StoreError, match="lea has released"):
        holds.release(store, LEO, hold.id, "so")
    with pytest.raises(StoreError, match="no hold h0"):
        holds.release(store, LEA, "h0", "so")
    with pytest.raises(StoreError, match="no video v0"):
        holds.place(store, LEA, "v0", "so")


def test_only_leads(store: Store, video: str) -> None:
    hold = holds.place(store, LEA, video, "so")
    for call in (
        lambda: holds.place(store, ANN, video, "so"),
        lambda: holds.release(store, ANN, hold.id, "so"),
        lambda: holds.list_holds(store, ANN),
        lambda: holds.of_video(store, ANN, video),
    ):
        with pytest.raises(NotAllowed):
            call()


def test_a_video_is_restricted_by_any_of_its_cases(store: Store, settings: Settings) -> None:
    ids = scored(store, settings)
    with store.read() as session:
        video = cases.get(session, ids["icd"]).video_id
    assert not queues.is_restricted(store, VIC, video)
    few = queues.add(store, LEA, "Few", task="icd", restricted=True)
    assert queues.is_restricted(store, VIC, video)
    queues.change(store, LEA, few.id, restricted=False)
    assert not queues.is_restricted(store, VIC, video)
