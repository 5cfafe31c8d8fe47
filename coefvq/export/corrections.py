"""What is exported: one row a policy of every decision that stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from coefvq.domain import FinalScore, Stage
from coefvq.export.pseudonyms import Naming, by_name
from coefvq.review.compare import machine_label
from coefvq.store import codec, decisions
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, DecisionRow, QueueRow, VideoRow


@dataclass(frozen=True)
class Correction:
    """A reviewer's label on one policy beside the machine's. Field order is column order.

    Attributes:
        path: The stored file; only its name where the media folder is not known.
        reviewer: A pseudonym, unless the export was asked for names.
        label: ``violation`` or ``ok``.
        machine_label: As ``label``; ``None`` where no model covers the policy.
        machine_probability: What was on the screen, 0..1.
        stage: The stage whose probability counted.
        propensity: Probability with which the video came to a person; 1.0 where no draw was made.
        audit: 1 where an automatic outcome was drawn at random for this person, else 0.
        taxonomy_version: What its policies and reasons come from (docs/taxonomy.md).
    """

    video_id: str
    video_sha256: str
    path: str
    title: str | None
    task: str
    policy: str
    label: str
    machine_label: str | None
    machine_probability: float | None
    stage: str | None
    reviewer: str
    role: str
    reason: str | None
    comment: str
    start_s: float | None
    end_s: float | None
    decided_at: datetime
    propensity: float
    audit: int = 0
    taxonomy_version: str | None = None


COLUMNS = tuple(field.name for field in fields(Correction))


@dataclass(frozen=True)
class Decided:
    """One decision that stands, as its rows; ``correction``: it differs from the verdict."""

    decision_id: str
    correction: bool
    rows: tuple[Correction, ...]


def decided(
    store: Store, media_dir: Path | None = None, naming: Naming = by_name
) -> Iterator[Decided]:
    """Yield all decisions that stand, oldest first; what was undone is left out.

    Videos in a restricted queue are left out too: they may be illegal to have.

    Args:
        naming: What is written in place of a reviewer's name.
    """
    with store.read() as session:
        for decision, video in _query(session):
            rows = tuple(_rows(decision, video, media_dir, naming))
            yield Decided(decision.id, decision.correction, rows)


def left_out(store: Store) -> int:
    """How many videos with a decision no export holds, for they are in a restricted queue."""
    query = select(func.count(CaseRow.video_id.distinct())).join(
        DecisionRow, DecisionRow.case_id == CaseRow.id
    )
    with store.read() as session:
        found = query.where(decisions.stands(), CaseRow.video_id.in_(restricted_videos()))
        return session.scalar(found) or 0


def restricted_videos() -> Select[str]:
    """Ids of the videos of which a case is in a restricted queue, for whoever exports."""
    names = select(QueueRow.id).where(QueueRow.restricted)
    return select(CaseRow.video_id).where(CaseRow.queue.in_(names))


def _query(session: Session) -> Iterator[tuple[DecisionRow, VideoRow]]:
    query = (
        select(DecisionRow, VideoRow)
        .join(CaseRow, CaseRow.id == DecisionRow.case_id)
        .join(VideoRow, VideoRow.id == CaseRow.video_id)
        .where(decisions.stands(), CaseRow.video_id.not_in(restricted_videos()))
        .order_by(DecisionRow.id)
        .execution_options(yield_per=500)
    )
    for decision, video in session.execute(query):  # noqa: UP028 - rows become plain tuples
        yield decision, video


def _rows(
    decision: DecisionRow, video: VideoRow, media_dir: Path | None, naming: Naming
) -> Iterator[Correction]:
    shown = codec.finals_from(decision.snapshot.get("policies", {}))
    route = decision.snapshot.get("route", {})
    # An outcome that was not drawn carries the share too, but that is not why somebody looked.
    drawn = bool(route.get("audit"))
    propensity = route.get("propensity", 1.0) if drawn else 1.0
    name = video.media.file_name
    for policy, label in decision.labels.items():
        score = shown.get(policy)
        yield Correction(
            video_id=video.id,
            video_sha256=video.sha256,
            path=str(media_dir / name) if media_dir else name,
            title=video.title,
            task=decision.task,
            policy=policy,
            label=label,
            machine_label=machine_label(score),
            machine_probability=score.final if score else None,
            stage=_stage(score),
            reviewer=naming(decision.reviewer),
            role=decision.role,
            reason=decision.reasons.get(policy),
            comment=decision.comment,
            start_s=decision.start_s,
            end_s=decision.end_s,
            decided_at=decision.decided_at,
            propensity=float(propensity),
            audit=int(drawn),
            taxonomy_version=decision.taxonomy_version,
        )


def _stage(score: FinalScore | None) -> str | None:
    if score is None or score.final is None:
        return None
    return (Stage.MLLM if score.mllm is not None else Stage.PREFILTER).value
