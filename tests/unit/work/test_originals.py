"""Originals: the index follows the store, through snapshots, other processes and removals."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

from coefvq.domain import CopyMatch
from coefvq.errors import NotAllowed, StoreError
from coefvq.originality import match as matching
from coefvq.originality import snapshot
from coefvq.originality.fingerprint import Fingerprint, to_bytes
from coefvq.originality.hashes_alone import PRECISION
from coefvq.originality.index import Index
from coefvq.originality.match import Found
from coefvq.review import holds
from coefvq.review.access import LOCAL, Actor
from coefvq.settings import Settings
from coefvq.store import copies
from coefvq.store.originals import DO_NOT_MATCH, KNOWN, LIBRARY
from coefvq.store.session import Store
from coefvq.store.tables import OriginalRow
from coefvq.work import banks, originality
from coefvq.work.originality import Change, Originals
from tests.store_factory import upload
from tests.unit.originality.originals_factory import codebook, made, random_codes, random_hashes

__all__ = ["codebook"]
LEA = Actor("lea", frozenset({"lead"}))
VIEWER = Actor("vic", frozenset({"viewer"}))


def simple(
    query: Fingerprint,
    index: Index,
    fingerprint_of: Callable[[int], Fingerprint],
    *,
    exclude: Collection[int] = (),
) -> list[Found]:
    """Whatever shares hashes, from its first to its last: what is tested here comes after it."""
    near = index.near_hashes(query.hashes)
    found = []
    for key in sorted(set(near.key.tolist()) - set(exclude)):
        at = near.key == key
        times, there = query.times_s[near.query[at]], near.time_s[at]
        assert there.max() <= fingerprint_of(key).duration_s
        spans = (times.min(), times.max() + 1, there.min(), there.max() + 1)
        share = float(at.sum()) / len(query.hashes)
        found.append(Found(key, share, *map(float, spans), (), 1.0, ("picture",), int(at.sum())))
    return sorted(found, key=lambda one: -one.score)


@pytest.fixture(autouse=True)
def matcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "find_copies", simple)


def footage(seed: int, seconds: int = 12) -> Fingerprint:
    """A film of so many seconds."""
    return made(random_hashes(seed, seconds), codes=random_codes(seed, (seconds + 1) // 2))


def bare(seed: int) -> Fingerprint:
    """What is known of a film that only hashes came in of."""
    return made(random_hashes(seed, 12))


def joined(*parts: Fingerprint) -> Fingerprint:
    hashes = np.concatenate([part.hashes for part in parts])
    return made(hashes, codes=random_codes(0, (len(hashes) + 1) // 2))


def sha(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def add(store: Store, name: str, fp: Fingerprint, bank: str = KNOWN, **more: Any) -> int:
    values = {"sha256": sha(name), "reference": name, "bank": bank} | more
    return banks.add(store, LOCAL, fp, **values)[0].id


def names(found: list[CopyMatch]) -> list[str]:
    return [one.reference for one in found]


def spans(found: list[CopyMatch]) -> list[tuple[float, float, float, float]]:
    return [
        (one.query_start_s, one.query_end_s, one.reference_start_s, one.reference_end_s)
        for one in found
    ]


def test_added_found_and_removed(store: Store, settings: Settings) -> None:
    held = Originals.open(store, settings)
    assert held.query(footage(1)) == []
    one, new = banks.add(store, LOCAL, footage(1), reference="a.mp4", sha256=sha("a"))
    assert new and one.frames == 12
    (found,) = held.query(footage(1))
    assert (found.reference, found.bank, found.sha256) == ("a.mp4", KNOWN, sha("a"))
    assert (found.score, found.video_id) == (1.0, None)
    assert held.query(footage(2)) == []
    assert [row.id for row in banks.remove(store, LEA, "a.mp4")] == [one.id]
    assert held.query(footage(1)) == []
    assert held.refresh() == Change(0, 0, 0)


def test_what_another_process_does_is_seen(store: Store, settings: Settings) -> None:
    mine, other = Originals.open(store, settings), Originals.open(store, settings)
    add(store, "a.mp4", footage(1))
    assert names(mine.query(footage(1))) == names(other.query(footage(1))) == ["a.mp4"]
    banks.remove(store, LEA, "a.mp4")
    add(store, "b.mp4", footage(2))
    assert mine.refresh() == Change(1, 1, 0)
    assert (names(mine.query(footage(1))), names(mine.query(footage(2)))) == ([], ["b.mp4"])


def snapshot_of(settings: Settings) -> Path:
    (found,) = (settings.home / "originality").glob("index-*.cvix")
    return found


def test_a_snapshot_saves_reading_and_is_brought_up_to_date(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        add(store, f"{seed}.mp4", footage(seed))
    Originals.open(store, settings).save()
    banks.remove(store, LEA, "0.mp4")
    add(store, "3.mp4", footage(3))
    read = []
    monkeypatch.setattr(originality, "from_bytes", _noting(originality.from_bytes, read))
    held = Originals.open(store, settings)
    assert len(read) == 1
    assert [names(held.query(footage(seed))) for seed in range(4)] == [
        [],
        ["1.mp4"],
        ["2.mp4"],
        ["3.mp4"],
    ]


def _noting(function: Callable[[Any], Any], seen: list[Any]) -> Callable[[Any], Any]:
    def call(value: Any) -> Any:
        seen.append(value)
        return function(value)

    return call


def test_an_older_snapshot_over_a_newer_one_loses_nothing(store: Store, settings: Settings) -> None:
    add(store, "a.mp4", footage(1))
    slow = Originals.open(store, settings)
    add(store, "b.mp4", footage(2))
    Originals.open(store, settings).save()
    slow.save()
    again = Originals.open(store, settings)
    assert names(again.query(footage(2))) == ["b.mp4"]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[: len(data) // 2], id="cut off"),
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: data[:-9] + b"\x01" * 9, id="other bytes"),
        pytest.param(lambda data: data.replace(b"fp-", b"fq-"), id="another version"),
    ],
)
def test_a_bad_snapshot_is_set_aside_and_made_again(
    store: Store,
    settings: Settings,
    damage: Callable[[bytes], bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    add(store, "a.mp4", footage(1))
    Originals.open(store, settings).save()
    path = snapshot_of(settings)
    path.write_bytes(damage(path.read_bytes()))
    with caplog.at_level(logging.WARNING):
        held = Originals.open(store, settings)
    assert "set aside" in caplog.text
    assert names(held.query(footage(1))) == ["a.mp4"]
    assert [file.name for file in path.parent.iterdir()] == [f"{path.name}.damaged"]


def test_a_snapshot_of_another_store_in_the_same_place_finds_nothing_wrong(
    store: Store, settings: Settings
) -> None:
    """A restored store may have other originals under the same ids."""
    key = add(store, "a.mp4", footage(1))
    Originals.open(store, settings).save()
    with store.write() as session:
        row = session.get_one(OriginalRow, key)
        row.sha256, row.reference = sha("other"), "other.mp4"
        row.fingerprint = to_bytes(footage(2))
    held = Originals.open(store, settings)
    assert held.query(footage(1)) == []
    assert names(held.query(footage(2))) == ["other.mp4"]


def test_a_large_change_is_saved_by_itself(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(originality, "_SAVE_FROM", 20)
    held = Originals.open(store, settings)
    add(store, "a.mp4", footage(1))
    held.refresh()
    assert not (settings.home / "originality").exists()
    add(store, "b.mp4", footage(2))
    held.refresh()
    assert snapshot_of(settings).stat().st_size > 24 * 36


def test_a_disk_that_cannot_be_written_costs_only_the_snapshot(
    store: Store,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshot, "save", full)
    add(store, "a.mp4", footage(1))
    held = Originals.open(store, settings)
    held.save()
    assert "No space left" in caplog.text
    assert names(held.query(footage(1))) == ["a.mp4"]


@pytest.mark.parametrize("data", [b"", b"no fingerprint", b"CVFP" + b"\0" * 40], ids=repr)
def test_a_damaged_fingerprint_is_told_and_passed_over(
    store: Store, settings: Settings, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    bad = add(store, "bad.mp4", footage(1))
    add(store, "good.mp4", footage(2))
    with store.write() as session:
        session.execute(update(OriginalRow).where(OriginalRow.id == bad).values(fingerprint=data))
    held = Originals.open(store, settings)
    assert f"original {bad} cannot be matched" in caplog.text
    assert names(held.query(footage(2))) == ["good.mp4"]
    add(store, "more.mp4", footage(3))
    assert held.refresh() == Change(1, 0, 1)


def test_two_names_of_one_file_are_one_match(store: Store, settings: Settings) -> None:
    for name, bank in (("a.mp4", KNOWN), ("b.mp4", KNOWN), ("c.mp4", "partner")):
        add(store, name, footage(1), bank, sha256=sha("same"))
    held = Originals.open(store, settings)
    assert names(held.query(footage(1))) == ["a.mp4"]
    banks.remove(store, LEA, "a.mp4")
    assert names(held.query(footage(1)))[0] in ("b.mp4", "c.mp4")
    assert len(held.query(footage(1))) == 1


def test_a_video_is_no_copy_of_itself_nor_of_a_later_one(store: Store, settings: Settings) -> None:
    ids = [upload(store, settings, content) for content in (b"one", b"two", b"three")]
    for at, video_id in enumerate(ids):
        add(store, video_id, footage(1), LIBRARY, video_id=video_id, sha256=sha(f"{at}"))
    held = Originals.open(store, settings)
    for at, video_id in enumerate(ids):
        found = held.query(footage(1), sha(f"{at}"), video_id)
        assert {one.video_id for one in found} == set(ids[:at])
    add(store, "confirmed.mp4", footage(1), sha256=sha("0"), video_id=ids[0])
    assert names(held.query(footage(1), sha("0"), ids[0])) == []
    add(store, "known.mp4", footage(1), sha256=sha("9"))
    assert names(held.query(footage(1), sha("0"), ids[0])) == ["known.mp4"]


def test_a_rejected_pair_stays_rejected_both_ways(store: Store, settings: Settings) -> None:
    first, second = (upload(store, settings, content) for content in (b"one", b"two"))
    shas = [hashlib.sha256(content).hexdigest() for content in (b"one", b"two")]
    add(store, first, footage(1), LIBRARY, video_id=first, sha256=shas[0])
    held = Originals.open(store, settings)
    matches = held.query(footage(1), shas[1], second)
    with store.write() as session:
        (match_id,) = copies.put_matches(session, second, matches, "fp-test")
        copies.answer(session, match_id, "rejected", "another take", "ann")
    assert held.query(footage(1), shas[1], second) == []
    assert names(held.query(footage(1), sha("third file"))) == [first]
    add(store, second, footage(1), LIBRARY, video_id=second, sha256=shas[1])
    assert names(held.query(footage(1), shas[0])) == [first]
    with store.write() as session:
        copies.answer(session, match_id, "confirmed", "after all", "ann")
    assert names(held.query(footage(1), shas[1], second)) == [first]


def test_footage_that_proves_nothing(store: Store, settings: Settings) -> None:
    opening, film, other = footage(1, 5), footage(2, 10), footage(3, 10)
    add(store, "film.mp4", joined(opening, film))
    add(store, "opening.mp4", opening, DO_NOT_MATCH)
    held = Originals.open(store, settings)
    assert held.query(joined(opening, other)) == []
    found = held.query(joined(opening, film))
    assert (names(found), spans(found)) == (["film.mp4"], [(5.0, 15.0, 5.0, 15.0)])
    banks.remove(store, LEA, "opening.mp4")
    assert spans(held.query(joined(opening, other))) == [(0.0, 5.0, 0.0, 5.0)]


def test_who_may_what(store: Store, settings: Settings) -> None:
    with pytest.raises(NotAllowed):
        banks.add(store, VIEWER, footage(1), reference="a", sha256=sha("a"))
    add(store, "a.mp4", footage(1))
    with pytest.raises(NotAllowed):
        banks.remove(store, Actor("ann", frozenset({"reviewer"})), "a.mp4")
    assert [bank.name for bank in banks.listed(store, VIEWER)] == [KNOWN]


def test_removing_needs_a_name_and_no_hold(store: Store, settings: Settings) -> None:
    held = Originals.open(store, settings)
    with pytest.raises(StoreError, match="Nothing was added to any bank as 'x'"):
        banks.remove(store, LEA, "x")
    video_id = upload(store, settings)
    add(store, video_id, footage(1), LIBRARY, video_id=video_id)
    add(store, video_id, footage(1), KNOWN)
    hold = holds.place(store, LEA, video_id, "a court asks")
    with pytest.raises(holds.Held):
        banks.remove(store, LEA, video_id)
    assert len(held.query(footage(1))) == 1
    assert len(banks.remove(store, LEA, video_id, KNOWN)) == 1
    holds.release(store, LEA, hold.id, "over")
    assert len(banks.remove(store, LEA, video_id)) == 1


def test_a_search_while_originals_are_removed(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removed between the look into the index and the look into the store: it is left out."""
    add(store, "a.mp4", footage(1))
    held = Originals.open(store, settings)

    def removed_meanwhile(*args: Any, **how: Any) -> list[Found]:
        found = simple(*args, **how)
        banks.remove(store, LEA, "a.mp4")
        return found

    monkeypatch.setattr(matching, "find_copies", removed_meanwhile)
    assert held.query(footage(1)) == []


def test_a_search_whose_original_goes_before_it_is_read(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.mp4", "b.mp4"):
        add(store, name, footage(1))
    held = Originals.open(store, settings)

    def removed_first(*args: Any, **how: Any) -> list[Found]:
        if names_left(store) == 2:
            banks.remove(store, LEA, "a.mp4")
        return simple(*args, **how)

    monkeypatch.setattr(matching, "find_copies", removed_first)
    assert names(held.query(footage(1))) == ["b.mp4"]


def names_left(store: Store) -> int:
    return banks.listed(store, LEA)[0].references


def test_a_fingerprint_damaged_after_it_was_indexed(store: Store, settings: Settings) -> None:
    bad = add(store, "bad.mp4", footage(1))
    add(store, "good.mp4", footage(1))
    held = Originals.open(store, settings)
    with store.write() as session:
        session.execute(update(OriginalRow).where(OriginalRow.id == bad).values(fingerprint=b"x"))
    assert names(held.query(footage(1))) == ["good.mp4"]
    assert names(held.query(footage(1))) == ["good.mp4"]


def test_hashes_that_came_in_are_matched_by_hashes_alone(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, "whole.mp4", footage(1))
    add(store, "bare.txt", bare(1), "partner")
    asked: list[set[int]] = []

    def only_whole(*args: Any, exclude: Collection[int] = ()) -> list[Found]:
        asked.append(set(exclude))
        return simple(*args, exclude=exclude)

    monkeypatch.setattr(matching, "find_copies", only_whole)
    found = Originals.open(store, settings).query(footage(1))
    assert asked == [{2}]
    assert {(one.reference, one.score, one.by) for one in found} == {
        ("whole.mp4", 1.0, ("picture",)),
        ("bare.txt", PRECISION, ("picture",)),
    }


def test_the_same_bytes_are_a_copy_whatever_they_show(store: Store, settings: Settings) -> None:
    """Black, or a single frame: no search finds it, and the file is the same all the same."""
    black = made(np.zeros((3, 32), np.uint8), quality=0)
    video_id = upload(store, settings)
    add(store, video_id, black, LIBRARY, video_id=video_id, sha256=sha("black"))
    add(store, "black.mp4", black, sha256=sha("black"))
    held = Originals.open(store, settings)
    assert held.query(black) == held.query(black, sha("another black one")) == []
    (found,) = held.query(black, sha("black"))
    assert (found.reference, found.score, spans([found])) == ("black.mp4", 1.0, [(0, 3, 0, 3)])
    add(store, "black.mp4", black, DO_NOT_MATCH, sha256=sha("black"))
    assert held.query(black, sha("black")) == []
