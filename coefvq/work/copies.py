"""The job between a video's first look and its score: is its footage older than itself?

A fingerprint is made, kept in the bank ``library``, and looked up. Of two uploads the later one is
the copy, in whatever order they are compared: a later one that was compared too early is queued
again by the earlier one.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy.orm import Session

from coefvq.domain import CopyMatch, MediaInfo
from coefvq.errors import FingerprintError, MediaError
from coefvq.originality.fingerprint import VERSION, Fingerprint, from_bytes, to_bytes
from coefvq.review.access import Actor, Permission, require
from coefvq.store import (
    codec,
    copies,
    copy_scores,
    copy_searches,
    events,
    jobs,
    originals,
    videos,
)
from coefvq.store.copy_searches import same_file
from coefvq.store.jobs import ClaimedJob
from coefvq.store.originals import LIBRARY
from coefvq.store.session import Store
from coefvq.store.tables import JobKind, VideoRow
from coefvq.work.bench import Apply, Bench, Report, in_tenths, video_of

log = logging.getLogger(__name__)
NOT_COMPARED = "not_compared"
"""Warning of a video that no fingerprint could be made of."""


@dataclass(frozen=True)
class Compared:
    """What was found out about one video.

    Attributes:
        matches: With earlier footage, the best first.
        later: Ids of later uploads that show its footage.
        newest: Id of the newest original that was looked at.
    """

    matches: tuple[CopyMatch, ...]
    later: tuple[str, ...]
    newest: int


def compare(bench: Bench, job: ClaimedJob, report: Report) -> Apply:
    """Make a video's fingerprint, keep it, look it up, and queue the scoring.

    The fingerprint is kept in a transaction of its own before it is looked up: of two videos
    that are compared at the same time one sees the other. Done again, nothing is there twice.
    A video that no fingerprint can be made of is scored with a warning.

    Raises:
        MediaError: The file is gone.
        ModelError: Weights are missing.
    """
    video, path = video_of(bench, job)
    report(0.02, "making a fingerprint")
    try:
        info = _info(bench, video, str(path))
        fingerprint = _kept(bench, video) or _made(bench, video, info, report)
    except MediaError as error:
        log.warning("video %s is not compared: %s", video.id, error)
        return _failed(video, error.code)
    report(0.85, "looking for copies")
    found = _compared(bench, video, info, fingerprint)
    why = job.payload.get(jobs.AGAIN, copy_scores.FOUND)
    return lambda session: _store(session, bench, video, found, why)


def backfill(store: Store, actor: Actor) -> int:
    """Queue the library's videos that were not looked at with this version; return how many.

    Those that turn out to be copies are scored again.

    Raises:
        NotAllowed: The actor leads nobody.
    """
    require(actor, Permission.LEAD)
    with store.write() as session:
        count = copy_searches.enqueue_missing(session, VERSION)
        data = {"videos": count, "version": VERSION}
        events.append(session, actor.name, "library.compared", "library", LIBRARY, data)
    return count


def _info(bench: Bench, video: VideoRow, path: str) -> MediaInfo:
    if video.media.info:
        return codec.media_info_from(video.media.info, path)
    from coefvq.media.limits import MediaLimits
    from coefvq.media.probe import probe

    return probe(path, MediaLimits.from_settings(bench.settings), sha256=video.sha256)


def _kept(bench: Bench, video: VideoRow) -> Fingerprint | None:
    """The fingerprint that these bytes have in the library already."""
    with bench.store.read() as session:
        data = copy_searches.kept(session, video.sha256, VERSION)
    try:
        return from_bytes(data) if data else None
    except FingerprintError as error:
        log.warning("video %s: %s", video.id, error)
        return None


def _made(bench: Bench, video: VideoRow, info: MediaInfo, report: Report) -> Fingerprint:
    """A new fingerprint, kept in the library from here on."""
    from coefvq.media.limits import MediaLimits
    from coefvq.signals.fingerprints import make_fingerprint

    limits = MediaLimits.from_settings(bench.settings)
    progress = in_tenths(report, 0.05, 0.85, "making a fingerprint")
    made = make_fingerprint(info, limits, progress)
    data = to_bytes(made)
    with bench.store.write() as session:
        first = copy_searches.first_upload(session, videos.get(session, video.id))
        originals.add(
            session,
            bank=LIBRARY,
            reference=first,
            sha256=video.sha256,
            fingerprint=data,
            version=made.version,
            frames=len(made.times_s),
            duration_s=made.duration_s,
            added_by=bench.name,
            video_id=first,
        )
    return made


def _compared(bench: Bench, video: VideoRow, info: MediaInfo, fingerprint: Fingerprint) -> Compared:
    index = bench.originals()
    with bench.store.read() as session:
        newest, _ = originals.mark(session)
        same = same_file(session, video, info.duration_s, info.has_audio)
        rejected = copies.rejected_pairs(session, video.sha256)
        crowded = copy_searches.later_there(session, video.id)
    found = index.query(fingerprint, video.sha256, exclude_video=video.id)
    same = [match for match in same if match.sha256 not in rejected]
    others = [match for match in found if _is_earlier(match, video)]
    later = _later(index.query(fingerprint, video.sha256), video) if crowded else ()
    return Compared((*same[:1], *others), later, newest)


def _is_earlier(match: CopyMatch, video: VideoRow) -> bool:
    """Also of a video that is a known original besides: only an earlier upload has copies."""
    if match.sha256 == video.sha256:
        return False
    return match.video_id is None or match.video_id < video.id


def _later(found: Collection[CopyMatch], video: VideoRow) -> tuple[str, ...]:
    ids = (match.video_id for match in found if match.sha256 != video.sha256)
    return tuple(dict.fromkeys(each for each in ids if each is not None and each > video.id))


def _store(session: Session, bench: Bench, video: VideoRow, found: Compared, why: str) -> None:
    before = copy_scores.known(session, video.id)
    copies.put_matches(session, video.id, found.matches, VERSION)
    _warn(session, video.id, False)
    now = copy_scores.known(session, video.id)
    data = {"matches": len(found.matches), "version": VERSION}
    events.append(session, bench.name, "video.compared", "video", video.id, data)
    _score_if_due(session, video.id, copy_scores.plain(before) != copy_scores.plain(now), why)
    if copy_searches.earlier_since(session, video.id, found.newest):
        jobs.enqueue(session, JobKind.FINGERPRINT, video_id=video.id)
    for later in found.later:
        if video.sha256 not in {match.sha256 for match in copies.matches_of(session, later)}:
            jobs.enqueue(session, JobKind.FINGERPRINT, video_id=later)


def _failed(video: VideoRow, code: str) -> Apply:
    def apply(session: Session) -> None:
        copy_searches.note(session, video.id, VERSION, failed=code)
        _warn(session, video.id, True)
        _score_if_due(session, video.id, changed=False)

    return apply


def _warn(session: Session, video_id: str, failed: bool) -> None:
    media = videos.get(session, video_id).media
    info = media.info or {}
    others = [code for code in info.get("warnings", ()) if code != NOT_COMPARED]
    warnings = [*others, NOT_COMPARED] if failed else others
    if info and warnings != info.get("warnings"):
        media.info = {**info, "warnings": warnings}


def _score_if_due(
    session: Session, video_id: str, changed: bool, why: str = copy_scores.FOUND
) -> None:
    """A video that was scored before is scored again where the answer is another one now."""
    if not videos.has_answer(session, video_id):
        jobs.enqueue(session, JobKind.SCORE, video_id=video_id)
        videos.get(session, video_id).status = videos.WAITING
    elif changed:  # for when nobody has a case of it open; until then it stays as it is
        copy_scores.again(session, JobKind.SCORE, video_id, why)
