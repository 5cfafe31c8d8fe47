"""Keep what the command line scored: media record, signals, assessments; no case, no copy."""

from __future__ import annotations

from pathlib import Path

from coefvq.domain import CascadeResult
from coefvq.review import priority
from coefvq.settings import Settings
from coefvq.store import results, videos
from coefvq.store.session import Store, open_store
from coefvq.store.signals_cache import SignalsCache
from coefvq.work.routing import Follower

_ACTOR = "score"


class Keeper(SignalsCache):
    """A signals cache that also stores whole results. One video at a time.

    Example:
        >>> keeper = Keeper.open(settings)
        >>> keeper.keep(cascade.assess(path, signals_cache=keeper))
    """

    def __init__(self, store: Store):
        super().__init__(store)
        self.store = store
        self._follower = Follower(store, trials=False)

    @classmethod
    def open(cls, settings: Settings) -> Keeper:
        """Open the store that the settings name.

        Raises:
            StoreError: It cannot be opened.
        """
        return cls(open_store(settings.url))

    def follow(self, cascade: object) -> None:
        """Route by what the store has published just now.

        Raises:
            RoutingError: It cannot be read by this version of the program.
        """
        self._follower.refresh(cascade)

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
