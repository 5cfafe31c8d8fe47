"""Originals: the store's rows and an index over them that is kept up with the store.

The store is the truth. Each process holds an index of its own; a snapshot of it on disk only saves
making it again. Several processes may write snapshots: the newest stays, and whoever reads one
brings it up to date from the store.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from coefvq.domain import CopyMatch
from coefvq.errors import FingerprintError
from coefvq.originality import snapshot
from coefvq.originality.fingerprint import VERSION, Fingerprint, from_bytes
from coefvq.originality.hashes_alone import PRECISION, agreements
from coefvq.originality.index import LEAST_QUALITY, Index
from coefvq.settings import Settings
from coefvq.store import copies, originals
from coefvq.store.copy_searches import IDENTICAL
from coefvq.store.originals import DO_NOT_MATCH, LIBRARY, Original
from coefvq.store.session import Store
from coefvq.work.proof import admissible
from coefvq.work.recent import Recent

if TYPE_CHECKING:
    from coefvq.originality.match import Found

log = logging.getLogger(__name__)
_AT_ONCE = 200
_SAVE_FROM = 5_000
"""Frames added since the last snapshot that are worth a new one, or a tenth of all."""


@dataclass(frozen=True)
class Change:
    """What a refresh did: numbers of originals."""

    added: int
    removed: int
    unreadable: int


class Originals:
    """The originals of a store with their index. Safe to share between threads."""

    def __init__(self, store: Store, settings: Settings):
        self._store = store
        self._path = _snapshot_path(settings, store)
        self._lock = threading.RLock()
        self._mark: tuple[int, int] | None = None
        self._unreadable: set[int] = set()
        self._unsaved = 0
        self._recent = Recent(self._read_fingerprint)
        self._index, self._digests = Index(), dict[int, int]()

    @classmethod
    def open(cls, store: Store, settings: Settings) -> Originals:
        """Read the newest snapshot, if there is a good one, and bring it up to date."""
        made = cls(store, settings)
        made._load()
        made.refresh()
        return made

    @property
    def frames(self) -> int:
        """How many frames can be found by their hash."""
        return self._index.frames

    def refresh(self) -> Change:
        """Take in what was added to the store and leave out what was removed, by whomever.

        Costs one short query where nothing changed.
        """
        with self._lock:
            with self._store.read() as session:
                mark = originals.mark(session)
                if mark == self._mark:
                    return Change(0, 0, len(self._unreadable))
                live = originals.live_ids(session, VERSION)
            change = self._follow(live)
            self._mark = mark
            if self._unsaved >= max(_SAVE_FROM, self._index.frames // 10):
                self.save()
            return change

    def is_near(self, hashes: NDArray[np.uint8], quality: NDArray[np.uint8]) -> bool:
        """Whether any of some frames, uint8 (n, 32) and (n,), looks like one of an original."""
        with self._lock:
            return bool(len(self._index.near_hashes(hashes[quality >= LEAST_QUALITY]).key))

    def query(
        self, fp: Fingerprint, sha256: str | None = None, exclude_video: str | None = None
    ) -> list[CopyMatch]:
        """Find the originals that a video shows footage of.

        Args:
            fp: The video's fingerprint.
            sha256: Digest of its bytes: originals of the same bytes are copies whatever they show,
                and pairs that a person rejected are left out.
            exclude_video: Its id in the library: it is no copy of itself, nor of a later upload.

        Returns:
            Above the threshold, the best first; one a file and contiguous span. Footage that is
            in the bank ``do_not_match`` too proves nothing: spans are cut down to the rest.
        """
        with self._lock:
            found = self._find(fp, sha256, exclude_video)
        with self._store.read() as session:
            rows = originals.described(session, {one.key for one in found})
        return _matches(found, rows)

    def save(self) -> None:
        """Write a snapshot. A disk that is full or read-only costs time at the next start."""
        with self._lock:
            arrays = self._index.arrays()
            arrays["digests"] = np.array([self._digests[int(k)] for k in arrays["keys"]], np.int64)
            try:
                snapshot.save(self._path, arrays, VERSION)
            except OSError as error:
                log.warning("the index of originals could not be written: %s", error)
            self._unsaved = 0

    def _load(self) -> None:
        try:
            arrays = snapshot.load(self._path, VERSION)
            self._index = Index.from_arrays(arrays)
            pairs = zip(arrays["keys"].tolist(), arrays["digests"].tolist(), strict=True)
            self._digests = dict(pairs)
        except FileNotFoundError:
            return
        except (snapshot.SnapshotError, ValueError, KeyError, IndexError) as error:
            self._index, self._digests = Index(), {}
            log.warning("%s It is set aside, and made again from the store.", error)
            _set_aside(self._path)

    def _follow(self, live: dict[int, str]) -> Change:
        """Make the index hold exactly these; a digest that changed is another original."""
        held = self._index.keys()
        wanted = {key: _digest(sha256) for key, sha256 in live.items()}
        gone = {key for key in held if wanted.get(key) != self._digests[key]}
        for key in gone:
            self._drop(key)
        self._unreadable &= wanted.keys()
        missing = sorted(wanted.keys() - (held - gone) - self._unreadable)
        for start in range(0, len(missing), _AT_ONCE):
            self._take_in(missing[start : start + _AT_ONCE], wanted)
        self._unsaved += len(gone)
        return Change(len(missing), len(gone), len(self._unreadable))

    def _drop(self, key: int) -> None:
        self._index.remove(key)
        self._digests.pop(key, None)
        self._recent.forget(key)

    def _take_in(self, keys: list[int], digests: dict[int, int]) -> None:
        with self._store.read() as session:
            found = originals.fingerprints(session, keys)
        read = {}
        for key, data in found.items():
            try:
                read[key] = from_bytes(data)
            except FingerprintError as error:
                self._unreadable.add(key)
                log.warning("original %d cannot be matched: %s", key, error)
        self._index.add_many(read.items())
        self._digests |= {key: digests[key] for key in read}
        self._unsaved += sum(len(fp.times_s) for fp in read.values())

    def _find(self, fp: Fingerprint, sha256: str | None, video: str | None) -> list[Found]:
        from coefvq.originality.match import find_copies

        while True:
            self.refresh()
            try:
                excluded = self._excluded(sha256, video)
                same = self._with_digests({sha256} if sha256 else ()) - excluded
                bare = self._index.hashes_alone() - excluded - same
                left_out = excluded | bare | same
                seen = self._index.without(left_out)
                found = find_copies(fp, seen, self._recent.get, exclude=left_out)
                return [*_identical(fp, same), *found, *self._by_hashes(fp, bare)]
            except _Unusable as error:
                # Removed while we looked, or damaged since: the next try goes without it.
                self._drop(error.key)
                self._unreadable.add(error.key)

    def _by_hashes(self, fp: Fingerprint, bare: set[int]) -> list[Found]:
        """Matches with originals of which only hashes are known."""
        from coefvq.originality.match import Found

        if not bare:
            return []
        agreed = agreements(fp, self._index.without(self._index.keys() - bare))
        return [
            Found(
                key=one.key,
                score=PRECISION * one.share,
                query_start_s=one.query_start_s,
                query_end_s=one.query_end_s,
                reference_start_s=one.reference_start_s,
                reference_end_s=one.reference_end_s,
                transform=one.transform,
                speed=one.speed,
                by=("picture",),
                frames=one.looks,
            )
            for one in agreed
        ]

    def _excluded(self, sha256: str | None, exclude_video: str | None) -> set[int]:
        with self._store.read() as session:
            rejected = copies.rejected_pairs(session, sha256) if sha256 else set()
            own = originals.not_before(session, exclude_video) if exclude_video else set()
        return own | self._with_digests(rejected)

    def _with_digests(self, files: Collection[str]) -> set[int]:
        digests = {_digest(sha256) for sha256 in files}
        return {key for key, digest in self._digests.items() if digest in digests}

    def _read_fingerprint(self, key: int) -> Fingerprint:
        with self._store.read() as session:
            data = originals.fingerprints(session, [key]).get(key)
        try:
            if data is not None:
                return from_bytes(data)
        except FingerprintError as error:
            log.warning("original %d cannot be matched: %s", key, error)
        raise _Unusable(key)


class _Unusable(Exception):
    """An original of the index that cannot be compared with."""

    def __init__(self, key: int):
        super().__init__(key)
        self.key = key


def _matches(found: Iterable[Found], rows: dict[int, Original]) -> list[CopyMatch]:
    """What may be shown of what was found, best first, each file once, under a known name first."""
    named = [(one, rows[one.key]) for one in found if one.key in rows]
    named.sort(key=lambda pair: (-pair[0].score, pair[1].bank == LIBRARY, pair[1].id))
    void = [(one.query_start_s, one.query_end_s) for one, row in named if row.bank == DO_NOT_MATCH]
    matches = [_match(one, row) for one, row in named if row.bank != DO_NOT_MATCH]
    return admissible(matches, void)


def _identical(fp: Fingerprint, keys: Collection[int]) -> list[Found]:
    """The same bytes from the first to the last second, also where pictures show nothing."""
    from coefvq.originality.match import Found

    by = ("picture", "sound") if fp.landmarks is not None else ("picture",)
    whole = (0.0, fp.duration_s, 0.0, fp.duration_s)
    return [Found(key, IDENTICAL, *whole, (), 1.0, by, len(fp.times_s)) for key in sorted(keys)]


def _match(one: Found, row: Original) -> CopyMatch:
    return CopyMatch(
        reference=row.reference,
        bank=row.bank,
        score=one.score,
        query_start_s=one.query_start_s,
        query_end_s=one.query_end_s,
        reference_start_s=one.reference_start_s,
        reference_end_s=one.reference_end_s,
        transform=tuple(one.transform),
        speed=one.speed,
        by=tuple(one.by),
        video_id=row.video_id,
        sha256=row.sha256,
    )


def _snapshot_path(settings: Settings, store: Store) -> Path:
    """One a database: another one has other originals under the same ids."""
    name = hashlib.sha256(store.url.encode()).hexdigest()[:12]
    return settings.home / "originality" / f"index-{name}.cvix"


def _digest(sha256: str) -> int:
    """Enough of a file's digest to tell it from another under the same id."""
    return int(sha256[:15], 16)


def _set_aside(path: Path) -> None:
    try:
        snapshot.set_aside(path)
    except OSError as error:
        log.warning("%s could not be set aside: %s", path, error)
