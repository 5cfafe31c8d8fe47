"""What the Training page shows of models: in force, candidates, gates, publications."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq.domain import Stage
from coefvq.errors import StoreError
from coefvq.learning.registry import in_force
from coefvq.learning.shipped_models import shipped_version
from coefvq.review.access import Actor, Permission, require
from coefvq.store import model_publications, snapshots, trained_models, training_runs
from coefvq.store.session import Store
from coefvq.store.tables import (
    GateReportRow,
    JobKind,
    JobRow,
    ModelPublicationRow,
    TrainedModelRow,
)
from coefvq.work import training_promotion

MOST = 30
"""Candidates and publications that a page shows."""


@dataclass(frozen=True)
class Ancestor:
    """A model that another one was made from. ``snapshot``: number of what it learnt from."""

    version: str
    shipped: bool
    snapshot: int | None
    made_at: datetime | None


@dataclass(frozen=True)
class InForce:
    """The model that answers for a stage now.

    Attributes:
        since, by, note: Of its publication; ``None`` and empty: it came with the project.
        rollback: It came into force as the way back.
        chain: What it was made from, the nearest first; ends with a shipped model.
        back_to: What one step back would put in force; ``None``: there is no way back.
        shadow: Version that scores beside it, and since when.
    """

    stage: str
    version: str
    shipped: bool
    snapshot: int | None
    made_at: datetime | None
    since: datetime | None = None
    by: str = ""
    note: str = ""
    rollback: bool = False
    chain: tuple[Ancestor, ...] = ()
    back_to: str | None = None
    shadow: tuple[str, datetime] | None = None


@dataclass(frozen=True)
class GateView:
    """The newest gate's report of a candidate; ``document`` as the gate wrote it."""

    id: str
    against: str
    passed: bool
    stale: bool
    made_at: datetime
    document: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CandidateView:
    """A model of the registry.

    Attributes:
        live, shadow: Whether it is in force, or scores beside the one in force.
        promoted: It was in force once, or is.
        gate: Its newest report; ``None``: there is none.
        gate_job: State, share, note and error of the job that compares it; ``None``: none was
            asked for.
        plan: What a promotion would do to the routing, see ``training_promotion.told``.
        promotion: State, share, note or error, and outcome of the newest promotion that was
            asked for.
    """

    version: str
    stage: str
    parent: str
    snapshot: int | None
    run_id: str | None
    made_by: str
    made_at: datetime
    live: bool
    shadow: bool
    promoted: bool
    metrics: Mapping[str, Any]
    gate: GateView | None
    gate_job: tuple[str, float, str, str] | None = None
    plan: Mapping[str, Any] | None = None
    promotion: tuple[str, float, str, Mapping[str, Any] | None] | None = None


@dataclass(frozen=True)
class PublicationView:
    """When a model came into force, or into its shadow."""

    stage: str
    kind: str
    version: str
    note: str
    by: str
    at: datetime
    rollback: bool
    ended_at: datetime | None
    routing: Mapping[str, Any]
    live: bool


@dataclass(frozen=True)
class Models:
    """All that there is, in one view of the store."""

    in_force: tuple[InForce, ...]
    candidates: tuple[CandidateView, ...]
    publications: tuple[PublicationView, ...]


def models(store: Store, actor: Actor) -> Models:
    """Models in force, candidates (the newest first) and publications.

    Raises:
        NotAllowed: The actor is no lead.
        ModelError: A shipped model's description is missing.
    """
    require(actor, Permission.LEAD)
    with store.read() as session:
        force = in_force(session)
        rows = {row.version: row for row in trained_models.all_models(session)}
        live = model_publications.history(session)
        shadows = model_publications.history(session, kind=model_publications.SHADOW)
        numbers = snapshots.numbers_of(session, {r.snapshot_id or "" for r in rows.values()})
        newest = list(rows.values())[:MOST]
        reports = training_runs.newest_gates(session, [row.version for row in newest])
        gates, promotions = _gate_jobs(session), training_promotion.promotions(session)
        standing = {stage: model_publications.standing(session, stage) for stage in Stage}
    published = {row.version for row in live}
    now = {row.version for row in shadows if row.ended_at is None}
    return Models(
        tuple(_in_force(stage, force[stage], rows, numbers, live, shadows, standing[stage])
              for stage in Stage),
        tuple(_candidate(row, force, numbers, published, now, reports, gates, promotions)
              for row in newest),
        tuple(_publication(row, force)
              for row in sorted([*live, *shadows], key=lambda row: row.id, reverse=True)[:MOST]),
    )  # fmt: skip


def report(store: Store, actor: Actor, version: str) -> CandidateView:
    """One candidate with all of its gate's report.

    Raises:
        NotAllowed: The actor is no lead.
        StoreError: There is no such candidate.
    """
    for each in models(store, actor).candidates:
        if each.version == version:
            return each
    raise StoreError(f"There is no model {version[:80]} among the newest {MOST}. Reload the page.")


def _in_force(
    stage: Stage,
    version: str,
    rows: Mapping[str, TrainedModelRow],
    numbers: Mapping[str, int],
    live: list[ModelPublicationRow],
    shadows: list[ModelPublicationRow],
    standing: list[ModelPublicationRow],
) -> InForce:
    last = next((row for row in live if row.stage == stage.value), None)
    shadow = next((r for r in shadows if r.stage == stage.value and r.ended_at is None), None)
    before = standing[-2].version if len(standing) > 1 else shipped_version(stage)
    mine = rows.get(version)
    return InForce(
        stage=stage.value,
        version=version,
        shipped=mine is None,
        snapshot=_number(mine, numbers),
        made_at=mine.made_at if mine else None,
        since=last.published_at if last else None,
        by=last.published_by if last else "",
        note=last.note if last else "",
        rollback=bool(last and last.rollback),
        chain=_chain(version, rows, numbers),
        back_to=before if standing else None,
        shadow=(shadow.version, shadow.published_at) if shadow else None,
    )


def _chain(
    version: str, rows: Mapping[str, TrainedModelRow], numbers: Mapping[str, int]
) -> tuple[Ancestor, ...]:
    found: list[Ancestor] = []
    seen = {version}
    row = rows.get(version)
    while row is not None and row.parent not in seen:
        seen.add(row.parent)
        parent = rows.get(row.parent)
        made_at = parent.made_at if parent else None
        found.append(Ancestor(row.parent, parent is None, _number(parent, numbers), made_at))
        row = parent
    return tuple(found)


def _number(row: TrainedModelRow | None, numbers: Mapping[str, int]) -> int | None:
    return numbers.get(row.snapshot_id or "") if row is not None else None


def _candidate(
    row: TrainedModelRow,
    force: Mapping[Stage, str],
    numbers: Mapping[str, int],
    published: set[str],
    shadows: set[str],
    reports: Mapping[str, GateReportRow],
    gates: Mapping[str, JobRow],
    promotions: Mapping[str, JobRow],
) -> CandidateView:
    job, asked = gates.get(row.version), promotions.get(row.version)
    return CandidateView(
        version=row.version,
        stage=row.stage,
        parent=row.parent,
        snapshot=_number(row, numbers),
        run_id=row.run_id,
        made_by=row.made_by,
        made_at=row.made_at,
        live=force[Stage(row.stage)] == row.version,
        shadow=row.version in shadows,
        promoted=row.version in published,
        metrics=row.document.get("metrics", {}),
        gate=_gate(reports.get(row.version), force[Stage(row.stage)]),
        gate_job=None if job is None else (job.state, job.progress, job.note, job.error or ""),
        plan=None if job is None else job.payload.get(training_promotion.OUTCOME),
        promotion=None
        if asked is None
        else (
            asked.state,
            asked.progress,
            asked.error or asked.note,
            asked.payload.get(training_promotion.OUTCOME),
        ),
    )


def _gate(row: GateReportRow | None, now: str) -> GateView | None:
    if row is None:
        return None
    stale = row.against != now
    return GateView(row.id, row.against, row.passed, stale, row.made_at, dict(row.document))


def _gate_jobs(session: Session) -> dict[str, JobRow]:
    """The newest gate's job of each version."""
    query = select(JobRow).where(JobRow.kind == JobKind.GATE.value).order_by(JobRow.id)
    return {
        str(row.payload[training_promotion.VERSION]): row
        for row in session.scalars(query)
        if training_promotion.PROMOTE not in row.payload
    }


def _publication(row: ModelPublicationRow, force: Mapping[Stage, str]) -> PublicationView:
    live = row.kind == model_publications.LIVE and force[Stage(row.stage)] == row.version
    return PublicationView(row.stage, row.kind, row.version, row.note, row.published_by,
                           row.published_at, row.rollback, row.ended_at, dict(row.routing),
                           live)  # fmt: skip
