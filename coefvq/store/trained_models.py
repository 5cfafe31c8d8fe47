"""The registry's rows and the gate's reports: added, never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq.domain import Stage
from coefvq.errors import StoreError
from coefvq.store import events
from coefvq.store.tables import GateReportRow, TrainedModelRow

REGISTERED, GATED, REFUSED = "model.registered", "model.gated", "model.refused"
SUBJECT = "model"


def add(session: Session, row: TrainedModelRow) -> TrainedModelRow:
    """Keep a new model; its event names what it was made from."""
    session.add(row)
    session.flush()
    data = {
        "stage": row.stage,
        "parent": row.parent,
        "snapshot": row.snapshot_id,
        "files": dict(row.files),
    }
    events.append(session, row.made_by, REGISTERED, SUBJECT, row.version, data)
    return row


def find(session: Session, version: str) -> TrainedModelRow | None:
    """A model of the registry; ``None`` for any other, the shipped ones included."""
    return session.get(TrainedModelRow, version)


def get(session: Session, version: str) -> TrainedModelRow:
    """A model of the registry.

    Raises:
        StoreError: There is no such model.
    """
    row = find(session, version)
    if row is None:
        raise StoreError(
            f"There is no trained model {version[:80]}. `coefvq models list` names them."
        )
    return row


def all_models(session: Session, stage: Stage | None = None) -> list[TrainedModelRow]:
    """All models, the newest first; of one stage where it is given."""
    query = select(TrainedModelRow).order_by(
        TrainedModelRow.made_at.desc(), TrainedModelRow.version
    )
    return list(session.scalars(query if stage is None else query.filter_by(stage=stage.value)))


def add_report(
    session: Session,
    version: str,
    against: str,
    passed: bool,
    document: Mapping[str, Any],
    reasons: Sequence[str],
) -> GateReportRow:
    """Keep what the gate found."""
    row = GateReportRow(version=version, against=against, passed=passed, document=dict(document))
    session.add(row)
    session.flush()
    data = {"against": against, "passed": passed, "report": row.id, "reasons": list(reasons)[:10]}
    events.append(session, "gate", GATED, SUBJECT, version, data)
    return row


def newest_report(
    session: Session, version: str, against: str | None = None
) -> GateReportRow | None:
    """The newest report of a model; against one model where it is given."""
    query = select(GateReportRow).where(GateReportRow.version == version)
    if against is not None:
        query = query.where(GateReportRow.against == against)
    return session.scalars(query.order_by(GateReportRow.id.desc()).limit(1)).first()
