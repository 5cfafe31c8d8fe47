"""Originals as rows: banks, names, digests, versions; what is removed."""

from __future__ import annotations

import hashlib
import threading
from typing import Any

import pytest

from coefvq.errors import StoreError
from coefvq.store import events, originals
from coefvq.store.originals import DO_NOT_MATCH, KNOWN, Original
from coefvq.store.session import Store
from coefvq.store.tables import OriginalRow

VERSION = "fp-test"


def sha(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()


def put(store: Store, reference: str = "a.mp4", **changes: Any) -> tuple[Original, bool]:
    values = {
        "bank": KNOWN,
        "sha256": sha(reference),
        "fingerprint": b"print of " + reference.encode("utf-8", "replace"),
        "version": VERSION,
        "frames": 10,
        "duration_s": 12.5,
        "added_by": "ann",
    }
    with store.write() as session:
        return originals.add(session, reference=reference, **(values | changes))


def live(store: Store) -> dict[int, str]:
    with store.read() as session:
        return originals.live_ids(session, VERSION)


def test_added_once_and_told_once(store: Store) -> None:
    first, new = put(store)
    again, new_again = put(store, fingerprint=b"other")
    assert (new, new_again, again) == (True, False, first)
    assert live(store) == {first.id: sha("a.mp4")}
    with store.read() as session:
        assert originals.known(session, KNOWN, "a.mp4", sha("a.mp4"), VERSION)
        assert not originals.known(session, DO_NOT_MATCH, "a.mp4", sha("a.mp4"), VERSION)
        assert not originals.known(session, KNOWN, "a.mp4", sha("a.mp4"), "fp-other")
        assert originals.fingerprints(session, [first.id, 99]) == {first.id: b"print of a.mp4"}
        told = events.of_subject(session, "original", str(first.id))
    assert [(event.kind, event.actor) for event in told] == [("original.added", "ann")]
    assert told[0].data == {"bank": KNOWN, "reference": "a.mp4", "sha256": sha("a.mp4")}


def test_the_same_file_under_two_names_is_matched_once_a_bank(store: Store) -> None:
    first, _ = put(store, "a.mp4")
    second, new = put(store, "b.mp4", sha256=sha("a.mp4"))
    third, _ = put(store, "a.mp4", bank=DO_NOT_MATCH)
    assert new and len({first.id, second.id, third.id}) == 3
    assert set(live(store)) == {first.id, third.id}
    with store.write() as session:
        originals.remove(session, first.id, "ann")
    assert set(live(store)) == {second.id, third.id}


def test_a_changed_file_under_the_same_name_is_one_more(store: Store) -> None:
    put(store)
    put(store, sha256=sha("changed"))
    with store.read() as session:
        found = originals.by_reference(session, "a.mp4")
    assert [row.sha256 for row in found] == [sha("a.mp4"), sha("changed")]


def test_a_fingerprint_of_an_older_version_gives_way(store: Store) -> None:
    old, _ = put(store, version="fp-0")
    assert live(store) == {}
    with store.read() as session:
        assert originals.banks(session, VERSION)[0].outdated == 1
    fresh, new = put(store)
    assert new and set(live(store)) == {fresh.id} and fresh.id > old.id
    with store.read() as session:
        (bank,) = originals.banks(session, VERSION)
    assert (bank.references, bank.outdated) == (1, 0)


def test_what_is_removed_keeps_its_name_and_loses_its_fingerprint(store: Store) -> None:
    one, _ = put(store)
    with store.write() as session:
        assert originals.remove(session, one.id, "lea") == one
    with store.read() as session:
        assert originals.fingerprints(session, [one.id]) == {}
        assert originals.described(session, [one.id]) == {}
        assert session.get_one(OriginalRow, one.id).reference == "a.mp4"
        assert originals.by_reference(session, "a.mp4") == []
        assert originals.banks(session, VERSION) == []
        assert events.of_subject(session, "original", str(one.id))[-1].kind == "original.removed"
    with pytest.raises(StoreError, match="no original"), store.write() as session:
        originals.remove(session, one.id, "lea")
    back, new = put(store)
    assert new and back.id > one.id


def test_the_mark_changes_with_every_change(store: Store) -> None:
    seen = []

    def look() -> None:
        with store.read() as session:
            seen.append(originals.mark(session))

    look()
    one, _ = put(store)
    look()
    put(store)
    assert originals_unchanged(store, seen[-1])
    two, _ = put(store, "b.mp4")
    look()
    for original in (two, one):
        with store.write() as session:
            originals.remove(session, original.id, "ann")
        look()
    assert len(set(seen)) == len(seen)


def originals_unchanged(store: Store, before: tuple[int, int]) -> bool:
    with store.read() as session:
        return originals.mark(session) == before


def test_banks_count_references_files_and_seconds(store: Store) -> None:
    put(store, "a.mp4")
    put(store, "b.mp4", sha256=sha("a.mp4"))
    put(store, "c.mp4", bank="partner-1")
    with store.read() as session:
        known, partner = originals.banks(session, VERSION)
    assert (known.name, known.references, known.files) == (KNOWN, 2, 1)
    assert (known.frames, known.duration_s) == (20, 25.0)
    assert (partner.name, partner.references) == ("partner-1", 1)


BAD = {
    "empty bank": ({"bank": ""}, "no name for a bank"),
    "long bank": ({"bank": "b" * 65}, "no name for a bank"),
    "bank with a line break": ({"bank": "a\n"}, "no name for a bank"),
    "bank with markup": ({"bank": "<b>"}, "no name for a bank"),
    "empty name": ({"reference": " "}, "1 to 1024 characters"),
    "long name": ({"reference": "a" * 1025}, "1 to 1024 characters"),
}


@pytest.mark.parametrize("name", BAD)
def test_names_that_cannot_be_used_are_refused(store: Store, name: str) -> None:
    values, says = BAD[name]
    with pytest.raises(StoreError, match=says):
        put(store, **{"sha256": sha("x"), **values})
    assert live(store) == {}


@pytest.mark.parametrize("reference", ["a\x00b", "\udcff.mp4", "x" * 1024, "ライブ.mp4", "<i>"])
def test_any_file_name_can_be_added_and_found_again(store: Store, reference: str) -> None:
    put(store, reference, sha256=sha("x"), fingerprint=b"x")
    put(store, reference, sha256=sha("x"), fingerprint=b"x")
    with store.read() as session:
        assert len(originals.by_reference(session, reference)) == 1


def test_two_at_once_add_one(store: Store) -> None:
    start = threading.Barrier(4)

    def add() -> None:
        start.wait()
        put(store)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(live(store)) == 1
    with store.read() as session:
        assert len(originals.in_bank(session, KNOWN)) == 1
        assert events.verify(session) is None
