"""What the models are shown of the videos of a snapshot: from the store, else from the file."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from coefvq.cached_signals import cached
from coefvq.domain import CheapSignals, ExpensiveSignals, MediaInfo
from coefvq.errors import MediaError
from coefvq.learning.dataset.items import LabelledVideo
from coefvq.media.limits import MediaLimits
from coefvq.media.probe import probe
from coefvq.settings import Settings
from coefvq.signals import serialise
from coefvq.signals.extract import CheapExtractor, ExpensiveExtractor
from coefvq.store import codec, signals_cache
from coefvq.store.session import Store
from coefvq.store.signals_cache import SignalsCache
from coefvq.store.tables import MediaRow

NO_MEDIA = "none"
"""Extractor of what has no media."""


class StoreSignals:
    """Signals by the extractors of this program, out of the cache where they are there.

    What is missing there is extracted from the file (about 0.1 s a video for cheap signals, a
    second or more for expensive ones) and kept. Use one object a thread.
    """

    def __init__(self, store: Store, settings: Settings):
        self._store, self._settings = store, settings
        self._limits = MediaLimits.from_settings(settings)

    def cheap(self, item: LabelledVideo) -> CheapSignals | None:
        """The prefilter's signals; ``None`` without media.

        Raises:
            MediaError: They are not in the cache, and the file is gone or cannot be read.
        """
        if (kept := self._kept(item, self._cheap.version)) is not None:
            return kept if isinstance(kept, CheapSignals) else None
        if (info := self.info(item)) is None:
            return None
        cache = SignalsCache(self._store)
        found = cached(CheapSignals, info, self._cheap, cache)
        self._keep(cache)
        return found

    def expensive(self, item: LabelledVideo) -> ExpensiveSignals:
        """Speech and screen text; nothing is known of what has no media.

        Raises:
            MediaError: They are not in the cache, and the file is gone or cannot be read.
        """
        kept = self._kept(item, self._expensive.version)
        if isinstance(kept, ExpensiveSignals):
            return kept
        if (info := self.info(item)) is None:
            return ExpensiveSignals(NO_MEDIA)
        cache = SignalsCache(self._store)
        found = cached(ExpensiveSignals, info, self._expensive, cache)
        self._keep(cache, found)
        return found

    def info(self, item: LabelledVideo) -> MediaInfo | None:
        """The probed file; ``None`` without media.

        Raises:
            MediaError: The file is gone or cannot be read.
        """
        media = self._media(item)
        if media is None:
            return None
        path = self._settings.media_dir / media.file_name
        if not path.is_file():
            raise MediaError(
                f"Video {item.video_id}: its file {path} is gone, so its signals cannot be "
                "extracted. It is left out of the training.",
                code="not_found",
            )
        if media.info is not None:
            return codec.media_info_from(media.info, str(path))
        return probe(path, self._limits, sha256=media.sha256)

    @cached_property
    def _cheap(self) -> CheapExtractor:
        return CheapExtractor(threads=self._settings.threads, limits=self._limits)

    @cached_property
    def _expensive(self) -> ExpensiveExtractor:
        return ExpensiveExtractor(threads=self._settings.threads, limits=self._limits)

    def _kept(self, item: LabelledVideo, extractor: str) -> CheapSignals | ExpensiveSignals | None:
        if item.sha256 is None:
            return None
        with self._store.read() as session:
            found = signals_cache.get(session, item.sha256, extractor)
        return None if found is None else serialise.load(found)

    def _media(self, item: LabelledVideo) -> MediaRow | None:
        if item.sha256 is None:
            return None
        with self._store.read() as session:
            media = session.get(MediaRow, item.sha256)
        return media if media is not None and Path(media.file_name).name else None

    def _keep(self, cache: SignalsCache, found: ExpensiveSignals | None = None) -> None:
        if not cache.pending:
            return
        readable = None if found is None else codec.readable_to(found)
        with self._store.write() as session:
            for (sha256, extractor), payload in cache.pending.items():
                signals_cache.put(session, sha256, extractor, payload, readable)
