"""What each kind of job does. A handler computes first and returns what to store.

The worker runs what is returned in the transaction that closes the job, after the fencing
token was checked: a result and its job's end are stored together or not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq.domain import MediaInfo
from coefvq.errors import MediaError, StoreError
from coefvq.review import priority
from coefvq.review.access import LOCAL
from coefvq.store import api_requests, callbacks, cases, copy_scores, jobs, leases, results, videos
from coefvq.store.jobs import ClaimedJob
from coefvq.store.signals_cache import SignalsCache
from coefvq.store.tables import JobKind, VideoRow, utcnow
from coefvq.work import copies, exports, training_jobs
from coefvq.work.bench import Apply, Bench, Report, in_tenths, path_of, video_of
from coefvq.work.callbacks import deliver
from coefvq.work.models import keep_shadows
from coefvq.work.score_signals import score_signals

if TYPE_CHECKING:
    from coefvq.media.limits import MediaLimits

log = logging.getLogger(__name__)

NO_PREVIEW = "no_preview"


def ingest(bench: Bench, job: ClaimedJob, report: Report) -> Apply:
    """Probe the file, make what people look at, and queue the fingerprint.

    Raises:
        MediaError: The file cannot be used.
    """
    from coefvq.media.limits import MediaLimits
    from coefvq.media.probe import probe

    video, path = video_of(bench, job)
    report(0.1, "reading the file")
    limits = MediaLimits.from_settings(bench.settings)
    info = probe(path, limits, sha256=video.sha256)
    report(0.3, "making previews")
    names, warnings = _previews(
        bench, video, info, limits, in_tenths(report, 0.3, 0.95, "making previews")
    )
    kept = replace(info, warnings=(*info.warnings, *warnings))

    def apply(session: Session) -> None:
        row = videos.get(session, video.id)
        videos.set_info(row.media, kept)
        for kind, name in names.items():
            setattr(row.media, kind, name)
        jobs.enqueue(session, JobKind.FINGERPRINT, video_id=video.id)
        row.status = videos.WAITING

    return apply


def score(bench: Bench, job: ClaimedJob, report: Report) -> Apply:
    """Run the cascade, with a rationale where a person is due.

    What came without an uploader has the name of whoever fetched it; an operator's backlog is no
    attack, so the limit of escalations does not count for ``local``.

    A payload of ``{"stage": "mllm"}`` is a person's wish to hear the MLLM: it runs whatever the
    routing says, and explains itself.

    A video that is scored again is left for later where somebody has opened a case of it since.

    Raises:
        MediaError: The file cannot be used.
    """
    video, path = video_of(bench, job)
    report(0.05, "loading models")
    cascade = bench.cascade()
    report(0.2, "scoring")
    cache = SignalsCache(bench.store)
    asked, why = job.payload.get("stage") == "mllm", job.payload.get(jobs.AGAIN)
    with bench.store.read() as session:
        found = copy_scores.known(session, video.id)
    result = cascade.assess(
        path,
        title=video.title,
        caption=video.caption,
        stage="mllm" if asked else "auto",
        rationale="always" if asked else "for_people",
        signals_cache=cache,
        sha256=video.sha256,
        uploader=None if video.uploader == LOCAL.name else video.uploader,
        copies=found,
    )
    beside = bench.shadow(result)
    report(0.95, "storing")

    def apply(session: Session) -> None:
        row = videos.get(session, video.id)
        if why and session.scalar(select(leases.open_cases(video.id, utcnow()))):
            row.status = videos.SCORED
            copy_scores.again(session, JobKind.SCORE, video.id, why)
            return
        before = tuple((row.media.info or {}).get("warnings", ()))
        kept = tuple(code for code in before if code in (NO_PREVIEW, copies.NOT_COMPARED))
        results.record(
            session,
            row,
            replace(result, warnings=(*result.warnings, *kept)),
            payloads=cache.pending,
            priority=priority.of,
            actor=bench.name,
            keep_decided=why == copy_scores.ANSWERED,
        )
        callbacks.tell(session, callbacks.SCORED, video.id)
        keep_shadows(session, video.id, beside)
        if copy_scores.differ(found, copy_scores.known(session, video.id)):  # looked at meanwhile
            copy_scores.again(session, JobKind.SCORE, video.id, why or copy_scores.FOUND)

    return apply


def explain(bench: Bench, job: ClaimedJob, report: Report) -> Apply:
    """Write the rationale of an MLLM answer that is there already.

    Raises:
        StoreError: The MLLM did not answer, so there is nothing to explain.
    """
    with bench.store.read() as session:
        case = cases.get(session, str(job.case_id))
        video = videos.get(session, case.video_id)
        found = copy_scores.known(session, video.id)
    report(0.1, "loading models")
    cascade = bench.cascade()
    report(0.3, "writing the rationale")
    cache = SignalsCache(bench.store)
    result = cascade.assess(
        path_of(bench.settings, video),
        title=video.title,
        caption=video.caption,
        stage="mllm",
        rationale="always",
        signals_cache=cache,
        sha256=video.sha256,
        copies=found,
    )
    rationale = result.mllm.rationale if result.mllm else None
    if rationale is None:
        raise StoreError(f"Case {case.id}: the MLLM gave no rationale.")

    def apply(session: Session) -> None:
        results.add_rationale(session, cases.get(session, case.id), rationale, bench.name)

    return apply


def compute_figures(bench: Bench, job: ClaimedJob, report: Report) -> Apply:
    """Compute what leads see on Insights, read ahead for replays, see whether anything alarms."""
    from coefvq.work import alarms, routing_replay
    from coefvq.work.figures import compute
    from coefvq.work.task_probability import Recalibration

    found = compute.compute(bench.store, bench.settings, report=report)
    routing_replay.refresh(
        bench.store, bench.settings, Recalibration.in_force(bench.store, bench.settings)
    )
    alarms.check_all(bench.store, bench.settings)

    def apply(session: Session) -> None:
        compute.keep(session, found)
        api_requests.forget(session, utcnow())

    return apply


HANDLERS: dict[JobKind, Callable[[Bench, ClaimedJob, Report], Apply]] = {
    JobKind.INGEST: ingest,
    JobKind.FINGERPRINT: copies.compare,
    JobKind.SCORE: score,
    JobKind.EXPLAIN: explain,
    JobKind.FIGURES: compute_figures,
    JobKind.EXPORT: exports.export,
    JobKind.IMPORT: exports.take_in,
    JobKind.TRAIN: training_jobs.train,
    JobKind.GATE: training_jobs.gate,
    JobKind.SIGNALS: score_signals,
    JobKind.CALLBACK: deliver,
}


def _previews(
    bench: Bench,
    video: VideoRow,
    info: MediaInfo,
    limits: MediaLimits,
    progress: Callable[[float], None],
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Names of the files made; a video of which none can be made is scored all the same."""
    media, folder = video.media, bench.settings.previews_dir
    known = {"proxy": media.proxy, "poster": media.poster, "contact_sheet": media.contact_sheet}
    if all(name and (folder / name).is_file() for name in known.values()):
        return {}, ()
    from coefvq.media.previews import make_previews

    try:
        made = make_previews(info, folder, limits, progress)
    except MediaError as error:
        log.warning("video %s has no previews: %s", video.id, error)
        return {}, (NO_PREVIEW,)
    return {
        "proxy": made.proxy.name,
        "poster": made.poster.name,
        "contact_sheet": made.contact_sheet.name,
    }, ()
