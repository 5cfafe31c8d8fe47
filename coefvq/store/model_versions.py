"""The models that have answered here."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq.domain import Stage
from coefvq.store.tables import ModelVersionRow
from coefvq.store.upsert import insert_missing


def note_use(session: Session, stage: Stage, version: str, covers: list[str]) -> None:
    """Remember a model at its first answer, and each policy at its first covered score."""
    insert_missing(
        session, ModelVersionRow, version=version, stage=stage.value, covers=sorted(covers)
    )
    row = session.get_one(ModelVersionRow, version)
    if not set(covers) <= set(row.covers):
        row.covers = sorted({*row.covers, *covers})
    session.flush()


def all_versions(session: Session, stage: Stage | None = None) -> list[ModelVersionRow]:
    """All models, the first used first."""
    query = select(ModelVersionRow).order_by(ModelVersionRow.first_used_at)
    if stage is not None:
        query = query.where(ModelVersionRow.stage == stage.value)
    return list(session.scalars(query))
