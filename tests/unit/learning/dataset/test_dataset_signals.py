"""Signals of labelled videos: from the cache, else from the file, else told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from coefvq.domain import CheapSignals, ExpensiveSignals, PostedText
from coefvq.errors import MediaError
from coefvq.learning.dataset.items import LabelledVideo
from coefvq.learning.dataset.signals import NO_MEDIA, StoreSignals
from coefvq.review.access import LOCAL
from coefvq.review.uploads import register
from coefvq.settings import Settings
from coefvq.signals import serialise
from coefvq.signals.extract import CheapExtractor, ExpensiveExtractor
from coefvq.store import signals_cache, videos
from coefvq.store.session import Store
from coefvq.store.tables import CachedSignalsRow
from tests import media_factory
from tests.store_factory import SPEECH, upload

TEXT_ONLY = LabelledVideo("v", None, PostedText("a title"), "g", "train", {"violence": 1})


def labelled(store: Store, video_id: str) -> LabelledVideo:
    with store.read() as session:
        sha256 = videos.get(session, video_id).sha256
    return replace(TEXT_ONLY, video_id=video_id, sha256=sha256)


def test_text_alone_has_none(store: Store, settings: Settings) -> None:
    signals = StoreSignals(store, settings)
    assert signals.cheap(TEXT_ONLY) is None
    assert signals.info(TEXT_ONLY) is None
    assert signals.expensive(TEXT_ONLY) == ExpensiveSignals(NO_MEDIA)


def test_what_is_cached_is_not_extracted_again(store: Store, settings: Settings) -> None:
    item = labelled(store, upload(store, settings, b"no video at all"))
    cheap = CheapSignals(CheapExtractor().version)
    heard = ExpensiveSignals(ExpensiveExtractor().version, SPEECH, True)
    with store.write() as session:
        for made in (cheap, heard):
            data = serialise.dump(made)
            signals_cache.put(session, str(item.sha256), made.extractor, data)
    signals = StoreSignals(store, settings)
    assert signals.cheap(item) == cheap
    assert signals.expensive(item) == heard


def test_what_is_missing_is_extracted_once_and_kept(
    store: Store, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = media_factory.clip(tmp_path / "clip.mp4", seconds=1.0)
    item = labelled(store, register(store, settings, LOCAL, path))
    found = StoreSignals(store, settings).cheap(item)
    assert found is not None and found.frame_embeddings is not None
    monkeypatch.setattr(CheapExtractor, "extract", lambda *_: pytest.fail("extracted again"))
    again = StoreSignals(store, settings).cheap(item)
    assert again is not None and (again.frame_embeddings == found.frame_embeddings).all()
    with store.read() as session:
        assert session.query(CachedSignalsRow).count() == 1


def test_a_file_that_is_gone_is_told(store: Store, settings: Settings) -> None:
    item = labelled(store, upload(store, settings, b"soon gone"))
    for path in settings.media_dir.rglob("*"):
        if path.is_file():
            path.unlink()
    for call in (StoreSignals(store, settings).cheap, StoreSignals(store, settings).expensive):
        with pytest.raises(MediaError, match=f"Video {item.video_id}: its file .* is gone"):
            call(item)
