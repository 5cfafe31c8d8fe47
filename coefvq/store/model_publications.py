"""Which model is in force for a stage, which one is in its shadow, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from coefvq.domain import Stage
from coefvq.store import events
from coefvq.store.tables import ModelPublicationRow, utcnow

LIVE, SHADOW = "live", "shadow"
PROMOTED, ROLLED_BACK = "model.promoted", "model.rolled_back"
SHADOWED, SHADOW_ENDED = "model.shadowed", "model.shadow_ended"
SUBJECT = "stage"
_PG_LOCK = 0xC0EF0008


def take_turn(session: Session) -> None:
    """Let one change of the models in force happen at a time.

    SQLite has one writer at a time anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PG_LOCK})


def live(session: Session) -> dict[str, str]:
    """The model published last by stage; one small query, for a look before each video."""
    last = (
        select(func.max(ModelPublicationRow.id))
        .where(ModelPublicationRow.kind == LIVE)
        .group_by(ModelPublicationRow.stage)
        .scalar_subquery()
    )
    query = select(ModelPublicationRow.stage, ModelPublicationRow.version)
    return {s: v for s, v in session.execute(query.where(ModelPublicationRow.id.in_(last)))}


def shadows(session: Session) -> dict[str, ModelPublicationRow]:
    """The model in the shadow by stage, at most one each."""
    query = select(ModelPublicationRow).where(
        ModelPublicationRow.kind == SHADOW, ModelPublicationRow.ended_at.is_(None)
    )
    return {row.stage: row for row in session.scalars(query.order_by(ModelPublicationRow.id))}


def history(
    session: Session, stage: Stage | None = None, kind: str = LIVE
) -> list[ModelPublicationRow]:
    """Publications of a kind, newest first; of one stage where it is given."""
    query = select(ModelPublicationRow).filter_by(kind=kind)
    if stage is not None:
        query = query.filter_by(stage=stage.value)
    return list(session.scalars(query.order_by(ModelPublicationRow.id.desc())))


def publish(
    session: Session,
    stage: Stage,
    version: str,
    actor: str,
    note: str,
    *,
    routing: Mapping[str, Any],
    before: Mapping[str, Any],
    gate_id: str | None = None,
    rollback: bool = False,
) -> ModelPublicationRow:
    """Put a model in force for a stage; its shadow ends where it was the one in it.

    Args:
        routing: What was published in the same step: routing policies by task, combinations.
        before: What was in force until now, by stage and task.
    """
    shadowed = shadows(session).get(stage.value)
    if shadowed is not None and shadowed.version == version:
        end_shadow(session, shadowed, actor, "it came into force")
    row = ModelPublicationRow(
        stage=stage.value,
        kind=LIVE,
        version=version,
        gate_id=gate_id,
        routing=dict(routing),
        before=dict(before),
        note=note,
        published_by=actor,
        rollback=rollback,
    )
    session.add(row)
    session.flush()
    kind = ROLLED_BACK if rollback else PROMOTED
    data = {"version": version, "note": note, "before": dict(before), "gate": gate_id}
    data["routing"] = dict(routing.get("policies", {}))
    events.append(session, actor, kind, SUBJECT, stage.value, data)
    return row


def start_shadow(
    session: Session, stage: Stage, version: str, actor: str, note: str, before: Mapping[str, Any]
) -> ModelPublicationRow:
    """Let a model score beside the one in force."""
    row = ModelPublicationRow(
        stage=stage.value, kind=SHADOW, version=version, routing={}, before=dict(before),
        note=note, published_by=actor,
    )  # fmt: skip
    session.add(row)
    session.flush()
    events.append(session, actor, SHADOWED, SUBJECT, stage.value, {"version": version})
    return row


def end_shadow(session: Session, row: ModelPublicationRow, actor: str, why: str) -> None:
    """Take a model out of the shadow; what it said is kept."""
    row.ended_at = utcnow()
    data = {"version": row.version, "why": why}
    events.append(session, actor, SHADOW_ENDED, SUBJECT, row.stage, data)
    session.flush()


def standing(session: Session, stage: Stage) -> list[ModelPublicationRow]:
    """Promotions that came one after another, without those that were taken back."""
    found: list[ModelPublicationRow] = []
    for row in reversed(history(session, stage)):
        if row.rollback:
            if found:
                found.pop()
        else:
            found.append(row)
    return found


def combinations(session: Session) -> list[dict[str, Any]]:
    """Every stored combination of two models, oldest first: see ``coefvq.combinations``."""
    query = select(ModelPublicationRow.routing).order_by(ModelPublicationRow.id)
    return [
        routing["combination"] for (routing,) in session.execute(query) if "combination" in routing
    ]
