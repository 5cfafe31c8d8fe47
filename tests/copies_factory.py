"""Stored matches for tests: originals with fingerprints of real shape, and what was found."""

from __future__ import annotations

from typing import Any

import numpy as np

from coefvq.domain import CopyMatch
from coefvq.originality.fingerprint import MOTION_SIDE, THUMB_SIDE, VERSION, Fingerprint, to_bytes
from coefvq.store import copies, originals, videos
from coefvq.store.session import Store
from coefvq.store.tables import CopyMatchRow

SPAN = (0.5, 2.5, 1.0, 2.6)
"""Seconds of the copy, seconds of the original: 0.8 seconds of it in each of the copy's."""


def fingerprint_of(seconds: float = 10.0, seed: int = 0) -> Fingerprint:
    """A fingerprint whose numbers mean nothing."""
    draw = np.random.default_rng(seed)
    times = np.arange(0, seconds, 1.0, np.float32)
    half, quarters = times[::2], np.arange(0, seconds, 0.25, np.float32)

    def bytes_of(*shape: int) -> Any:
        return draw.integers(0, 256, shape, np.uint8)

    landmarks = np.stack([draw.integers(0, 2**20, 40), np.linspace(0, seconds * 99, 40)], axis=1)
    return Fingerprint(
        version=VERSION,
        duration_s=seconds,
        aspect=16 / 9,
        times_s=times,
        hashes=bytes_of(len(times), 32),
        quality=np.full(len(times), 100, np.uint8),
        thumbs=bytes_of(len(times), THUMB_SIDE, THUMB_SIDE),
        code_times_s=half,
        codes=bytes_of(len(half), 2, 64),
        landmarks=landmarks.astype(np.uint32),
        motion_times_s=quarters,
        motion=bytes_of(len(quarters), MOTION_SIDE, MOTION_SIDE),
        colour=draw.random((len(times), 3)).astype(np.float32),
    )


def put_original(
    store: Store,
    reference: str,
    bank: str = originals.KNOWN,
    sha256: str = "f" * 64,
    video_id: str | None = None,
    seconds: float = 10.0,
) -> int:
    """Add an original; a video of the library under its id and digest."""
    with store.write() as session:
        if video_id is not None:
            sha256 = videos.get(session, video_id).sha256
        made, _ = originals.add(
            session,
            bank=bank,
            reference=reference,
            sha256=sha256,
            fingerprint=to_bytes(fingerprint_of(seconds)),
            version=VERSION,
            frames=int(seconds),
            duration_s=seconds,
            added_by="worker-test",
            video_id=video_id,
        )
        return made.id


def found(
    store: Store,
    original_id: int,
    score: float = 0.97,
    transform: tuple[str, ...] = ("mirror", "speed"),
    span: tuple[float, float, float, float] = SPAN,
    **more: Any,
) -> CopyMatch:
    """One span as a search finds it."""
    with store.read() as session:
        row = originals.described(session, [original_id])[original_id]
    speed = (span[3] - span[2]) / (span[1] - span[0])
    return CopyMatch(
        row.reference, row.bank, score, *span, transform=transform, speed=speed,
        video_id=row.video_id, sha256=row.sha256, **more,
    )  # fmt: skip


def put_matches(store: Store, video_id: str, *matches: CopyMatch) -> list[str]:
    """Store what a search found for a video."""
    with store.write() as session:
        return copies.put_matches(session, video_id, matches, VERSION)


def copy_of_video(store: Store, video_id: str, original: str, **how: Any) -> str:
    """Make one of the library's videos a copy of another; returns the match's id."""
    seconds = how.pop("seconds", 3.0)
    original_id = put_original(
        store, original, originals.LIBRARY, video_id=original, seconds=seconds
    )
    return put_matches(store, video_id, found(store, original_id, **how))[0]


def match_row(store: Store, match_id: str) -> CopyMatchRow:
    """The row of a match."""
    with store.read() as session:
        return session.get_one(CopyMatchRow, match_id)
