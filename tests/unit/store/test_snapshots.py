"""Snapshots as rows: found by name, splits that stay known, videos that are forgotten."""

from __future__ import annotations

import pytest

from coefvq.errors import StoreError
from coefvq.store import snapshots
from coefvq.store.session import Store

ONE, TWO, THREE = "ab12" + "0" * 60, "ab34" + "0" * 60, "1234567" + "0" * 57


@pytest.fixture
def three(store: Store) -> Store:
    """Three snapshots; video ``b`` moves from train to test, ``c`` is in the last one only."""
    with store.write() as session:
        splits = ({"a": "train", "b": "train"}, {"a": "train", "b": "test"}, {"c": "golden"})
        for number, (made, dealt) in enumerate(zip((ONE, TWO, THREE), splits, strict=True), 1):
            document = {"videos": len(dealt)}
            snapshots.add(session, made, number, document, dealt, 5, "lea", f"note {number}")
    return store


FOUND = [
    (2, 2), ("2", 2), (" #3 ", 3), (ONE, 1), ("ab34", 2), ("AB34", 2), ("1234567", 3),
]  # fmt: skip
"""By number, by number as text, with a mark, by id, by its beginning, in capitals, by digits."""

MISSING = ["ab", "9", "ffff", "ab1%", ""]
"""Too short, no such number, no such beginning, a pattern, nothing."""


def test_find(three: Store) -> None:
    with three.read() as session:
        for wanted, number in FOUND:
            row = snapshots.find(session, wanted)
            assert (row.number, row.note) == (number, f"note {number}"), wanted
            assert (row.videos, row.labels, row.made_by) == (row.document["videos"], 5, "lea")
        for missing in MISSING:
            with pytest.raises(StoreError, match="There is no snapshot"):
                snapshots.find(session, missing)


def test_a_beginning_of_several(store: Store) -> None:
    with store.write() as session:
        for number in (1, 2):
            snapshots.add(session, f"abcd{number}" + "0" * 59, number, {}, {}, 0, "lea")
    with store.read() as session, pytest.raises(StoreError, match="Several snapshots begin"):
        snapshots.find(session, "abcd")


def test_lists_and_history(three: Store) -> None:
    with three.read() as session:
        assert [row.number for row in snapshots.listed(session)] == [3, 2, 1]
        assert snapshots.newest_number(session) == 3
        assert snapshots.splits_so_far(session) == {
            "a": {"train"}, "b": {"train", "test"}, "c": {"golden"},
        }  # fmt: skip
        assert [(row.number, split) for row, split in snapshots.of_video(session, "b")] == [
            (1, "train"), (2, "test"),
        ]  # fmt: skip
        assert snapshots.numbers_of(session, [ONE, THREE]) == {ONE: 1, THREE: 3}


def test_without_any(store: Store) -> None:
    with store.read() as session:
        assert snapshots.newest_number(session) == 0
        assert snapshots.splits_so_far(session) == {}
        assert snapshots.removed(session) == frozenset()


def test_a_forgotten_video(three: Store) -> None:
    with three.write() as session:
        snapshots.lock(session)
        assert set(snapshots.forget_video(session, "b")) == {ONE, TWO}
    with three.write() as session:
        assert snapshots.forget_video(session, "b") == ()
        assert snapshots.forget_video(session, "never there") == ()
    with three.read() as session:
        assert snapshots.removed(session) == snapshots.removed(session, ONE) == {"b"}
        assert snapshots.removed(session, THREE) == frozenset()
        assert snapshots.removed_numbers(session) == {ONE: 1, TWO: 1}
        assert snapshots.splits_so_far(session)["b"] == {"train", "test"}
