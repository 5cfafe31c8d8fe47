"""Keep what the command line scored: media record, signals, assessments; no case, no copy."""

from __future__ import annotations

from pathlib import Path

from coefvq.domain import CascadeResult, CheapSignals, CopyMatch, MediaInfo
from coefvq.media.limits import MediaLimits
from coefvq.origins import Finder
from coefvq.review import priority
from coefvq.settings import Settings
from coefvq.store import results, videos
from coefvq.store.originals import LIBRARY
from coefvq.store.session import Store, open_store
from coefvq.store.signals_cache import SignalsCache
from coefvq.work.models import ModelFollower
from coefvq.work.originality import Originals
from coefvq.work.routing import Follower

_ACTOR = "score"


class Keeper(SignalsCache):
    """A signals cache that also stores whole results. One video at a time.

    Example:
        >>> keeper = Keeper.open(settings)
        >>> keeper.keep(cascade.assess(path, signals_cache=keeper))
    """

    def __init__(self, store: Store, settings: Settings | None = None):
        """
        Args:
            settings: Say where the models that are published lie; without them none is followed.
        """
        super().__init__(store)
        self.store = store
        self._follower = Follower(store, trials=False)
        self._models = ModelFollower(store, settings, shadows=False) if settings else None
        self._originals: Originals | None = None

    @classmethod
    def open(cls, settings: Settings) -> Keeper:
        """Open the store that the settings name.

        Raises:
            StoreError: It cannot be opened.
        """
        return cls(open_store(settings.url), settings)

    def follow(self, cascade: object) -> None:
        """Score and route by what the store has published just now.

        Raises:
            RoutingError: It cannot be read by this version of the program.
        """
        if self._models is not None:
            self._models.refresh(cascade)
        self._follower.refresh(cascade)

    def finder(self, settings: Settings, quick: bool = False) -> Finder:
        """What looks for copies of a file among the store's originals.

        Nobody has looked where the store has no originals. A file that is in the library is no
        copy of itself.

        Args:
            quick: Make a whole fingerprint only where a keyframe's hash is near an original's;
                where none is, which proves nothing, nobody has looked.
        """
        from coefvq.signals.fingerprints import make_fingerprint

        limits = MediaLimits.from_settings(settings)

        def find(info: MediaInfo, cheap: CheapSignals) -> list[CopyMatch] | None:
            originals = self._opened(settings)
            if not originals.frames or (quick and not _is_near(originals, cheap)):
                return None
            fingerprint = make_fingerprint(info, limits)
            found = originals.query(fingerprint, info.sha256)
            return [one for one in found if one.sha256 != info.sha256 or not _in_library(one)]

        return find

    def _opened(self, settings: Settings) -> Originals:
        if self._originals is None:
            self._originals = Originals.open(self.store, settings)
        return self._originals

    def keep(self, result: CascadeResult) -> None:
        """Store one result of a file; a result of given signals has no media and is not kept."""
        payloads, self.pending = self.pending, {}
        if result.info is None:
            return
        # A file that failed half way may have left signals behind: they have no media here.
        mine = {key: data for key, data in payloads.items() if key[0] == result.info.sha256}
        name = Path(result.info.path).name
        with self.store.write() as session:
            media = videos.ensure_media(session, result.info.sha256, "", result.info.size_bytes)
            posted = result.posted
            video = videos.ensure_kept(session, media, name, posted.title, posted.caption)
            results.record(
                session,
                video,
                result,
                payloads=mine,
                priority=priority.of,
                actor=_ACTOR,
                open_cases=False,
            )

    def close(self) -> None:
        """Close the store."""
        self.store.close()


def _in_library(match: CopyMatch) -> bool:
    return match.bank == LIBRARY or match.video_id is not None


def _is_near(originals: Originals, cheap: CheapSignals) -> bool:
    hashes, quality = cheap.frame_hashes, cheap.frame_quality
    return hashes is not None and quality is not None and originals.is_near(hashes, quality)
