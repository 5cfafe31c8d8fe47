"""Find similar: the same bytes first, then what looks alike, and what cannot be compared."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from coefvq.domain import CheapSignals
from coefvq.errors import NotAllowed, StoreError
from coefvq.review import similar
from coefvq.review.access import Actor
from coefvq.review.priority import of as priority_of
from coefvq.settings import Settings
from coefvq.signals import serialise
from coefvq.store import embeddings, results, signals_cache, videos
from coefvq.store.session import Store
from coefvq.store.tables import EmbeddingRow
from coefvq.work.vectors import fill_missing
from tests.store_factory import ANN, result, upload

RNG = np.random.default_rng(5)
BASE = RNG.standard_normal((4, 1280)).astype(np.float32)


def add(store: Store, settings: Settings, title: str, noise: float | None, same: str = "") -> str:
    """Upload a clip and store what was seen in it; ``noise`` ``None``: no frame was."""
    content = (same or title).encode()
    video_id = upload(store, settings, content, title=title)
    frames = None
    if noise is not None:
        frames = BASE + noise * RNG.standard_normal(BASE.shape).astype(np.float32)
    made = replace(
        result(hashlib.sha256(content).hexdigest()), cheap=CheapSignals("cheap-1", frames)
    )
    with store.write() as session:
        row = videos.get(session, video_id)
        results.record(session, row, made, payloads={}, priority=priority_of, actor="w")
    return video_id


def titles(store: Store, settings: Settings, video_id: str, limit: int = 12) -> list[str]:
    found = similar.similar_to(store, settings, ANN, video_id, limit)
    return [item.title for item in found.items]


def test_the_same_bytes_come_first_then_the_likest(store: Store, settings: Settings) -> None:
    asked = add(store, settings, "asked", 0.0)
    add(store, settings, "far", 3.0)
    add(store, settings, "close", 0.3)
    upload(store, settings, b"asked", title="copy")
    found = similar.similar_to(store, settings, ANN, asked)
    assert [item.title for item in found.items] == ["copy", "close", "far"]
    shares = [item.similarity for item in found.items]
    assert shares[0] == 1.0 and shares == sorted(shares, reverse=True)
    assert (found.title, found.compared, found.unknown) == ("asked", True, 0)


def test_no_more_than_asked_for(store: Store, settings: Settings) -> None:
    asked = add(store, settings, "asked", 0.0)
    for number in range(5):
        add(store, settings, f"n{number}", 0.5)
    assert len(titles(store, settings, asked, limit=2)) == 2


@pytest.mark.parametrize("scored", [True, False], ids=["no frames", "not scored yet"])
def test_what_cannot_be_compared_says_so(store: Store, settings: Settings, scored: bool) -> None:
    add(store, settings, "other", 0.1)
    asked = add(store, settings, "asked", None) if scored else upload(store, settings, b"new")
    found = similar.similar_to(store, settings, ANN, asked)
    assert (found.compared, found.items) == (False, ())


def test_copies_are_found_without_a_vector(store: Store, settings: Settings) -> None:
    asked = upload(store, settings, b"same", title="asked")
    upload(store, settings, b"same", title="copy")
    assert titles(store, settings, asked) == ["copy"]


def test_media_that_are_not_compared_are_counted(store: Store, settings: Settings) -> None:
    asked = add(store, settings, "asked", 0.0)
    upload(store, settings, b"new")
    assert similar.similar_to(store, settings, ANN, asked).unknown == 1


def test_an_unknown_video_is_an_error(store: Store, settings: Settings) -> None:
    with pytest.raises(StoreError, match="no video v0"):
        similar.similar_to(store, settings, ANN, "v0")
    with pytest.raises(NotAllowed):
        similar.similar_to(store, settings, Actor("x", frozenset()), "v0")


def test_media_scored_before_get_their_vector_from_cached_signals(
    store: Store, settings: Settings
) -> None:
    names = {"a": 0.0, "b": 0.2, "empty": None, "broken": 0.1}
    ids = {name: upload(store, settings, name.encode(), title=name) for name in names}
    with store.write() as session:
        for name, noise in names.items():
            frames = None if noise is None else BASE + np.float32(noise)
            payload = serialise.dump(CheapSignals("cheap-1", frames))
            sha256 = videos.get(session, ids[name]).sha256
            data = b"PKbroken" if name == "broken" else payload
            signals_cache.put(session, sha256, "cheap-1", data)
            signals_cache.put(session, sha256, "expensive-1", b"not looked at")
    assert fill_missing(store, seconds=5.0) == 4
    assert titles(store, settings, ids["a"]) == ["b"]
    with store.read() as session:
        assert session.query(EmbeddingRow).count() == 2
        assert len(embeddings.missing(session, ("", ""), 10)) == 2
