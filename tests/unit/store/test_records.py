"""Videos, signals, model versions, routing policies and statistics."""

from __future__ import annotations

import hashlib

import pytest

from coefvq.domain import Stage
from coefvq.errors import StoreError
from coefvq.settings import Settings
from coefvq.store import (
    assessments,
    cases,
    model_versions,
    signals_cache,
    status,
    videos,
)
from coefvq.store.session import Store
from coefvq.store.signals_cache import SignalsCache
from coefvq.store.tables import MediaRow
from tests.store_factory import EXTRACTOR, SPEECH, scored, upload

SHA = hashlib.sha256(b"bytes").hexdigest()


def test_the_same_bytes_twice_are_one_media_and_two_videos(
    store: Store, settings: Settings
) -> None:
    first, second = upload(store, settings), upload(store, settings)
    with store.read() as session:
        a, b = videos.get(session, first), videos.get(session, second)
        assert (a.sha256, b.sha256) == (SHA, SHA)
        assert (videos.copies(session, a), videos.copies(session, b)) == ([], [first])
        assert session.get_one(MediaRow, SHA).size_bytes == 5


@pytest.mark.parametrize(
    ("look_up", "says"),
    [
        pytest.param(lambda session: videos.get(session, "v0"), "no video v0", id="video"),
        pytest.param(lambda session: cases.get(session, "c0"), "no case c0", id="case"),
        pytest.param(lambda s: assessments.get(s, "a0"), "no assessment a0", id="assessment"),
    ],
)
def test_what_is_not_there_is_named(store: Store, look_up: object, says: str) -> None:
    with pytest.raises(StoreError, match=says), store.read() as session:
        look_up(session)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("", 3, id="everything"),
        pytest.param("argument", 1, id="a word of the title"),
        pytest.param("ARGUMENT station", 1, id="all words, any case"),
        pytest.param("argument beach", 0, id="not both in one"),
        pytest.param("fyp", 1, id="caption"),
        pytest.param("100%", 1, id="a wildcard is itself"),
        pytest.param("_", 0, id="so is the other"),
    ],
)
def test_search(store: Store, settings: Settings, text: str, found: int) -> None:
    upload(store, settings, b"1", title="crazy argument", caption="at the station #fyp")
    upload(store, settings, b"2", title="beach")
    upload(store, settings, b"3", title="100% real")
    with store.read() as session:
        rows, total = videos.search(session, text=text)
    assert (len(rows), total) == (found, found)


def test_search_pages_from_the_newest(store: Store, settings: Settings) -> None:
    ids = [upload(store, settings, bytes([number])) for number in range(5)]
    with store.read() as session:
        rows, total = videos.search(session, offset=1, limit=2)
    assert [row.id for row in rows] == [ids[3], ids[2]]
    assert total == 5


def test_signals_are_found_by_media_and_version_only(store: Store, settings: Settings) -> None:
    scored(store, settings)
    with store.read() as session:
        assert signals_cache.get(session, SHA, EXTRACTOR) == b"payload"
        assert signals_cache.get(session, SHA, "expensive-test-2") is None
        kept = signals_cache.readable(session, SHA, EXTRACTOR)
    assert kept is not None and len(kept["speech"]) == len(SPEECH)


def test_the_first_signals_of_a_version_stay(store: Store, settings: Settings) -> None:
    upload(store, settings)
    with store.write() as session:
        signals_cache.put(session, SHA, "v1", b"first")
        signals_cache.put(session, SHA, "v1", b"second")
    with store.read() as session:
        assert signals_cache.get(session, SHA, "v1") == b"first"


def test_the_cascades_cache_stores_nothing_by_itself(store: Store, settings: Settings) -> None:
    upload(store, settings)
    cache = SignalsCache(store)
    assert cache.get(SHA, "v1") is None
    cache.put(SHA, "v1", b"new")
    assert cache.get(SHA, "v1") == b"new"
    assert cache.pending == {(SHA, "v1"): b"new"}
    assert SignalsCache(store).get(SHA, "v1") is None


def test_models_are_noted_with_what_they_cover(store: Store) -> None:
    with store.write() as session:
        model_versions.note_use(session, Stage.PREFILTER, "p1", ["violence"])
        model_versions.note_use(session, Stage.PREFILTER, "p1", ["hate_harassment"])
        model_versions.note_use(session, Stage.MLLM, "m1", [])
    with store.read() as session:
        first = model_versions.all_versions(session, Stage.PREFILTER)
        assert [(row.version, row.covers) for row in first] == [
            ("p1", ["hate_harassment", "violence"])
        ]
        assert len(model_versions.all_versions(session)) == 2


def test_totals(store: Store, settings: Settings) -> None:
    scored(store, settings)
    upload(store, settings, b"other")
    with store.read() as session:
        totals = status.totals(session)
    assert (totals["videos"], totals["decisions"]) == (2, 0)
    assert totals["jobs"] == {"queued": 1, "running": 0, "done": 1, "set_aside": 0}
    assert totals["cases"] == {
        "pending": 2,
        "queued": 1,
        "auto": 1,
        "decided": 0,
        "set_aside": 0,
    }
