"""Routing policies: immutable versions, and which one is in force for which task."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from coefvq.errors import StoreError
from coefvq.store import events
from coefvq.store.tables import RoutingPolicyRow, RoutingPublicationRow


def version_of(rule: str, document: dict[str, Any]) -> str:
    """Name a policy by its content: the rule and 10 hex digits."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"{rule}-{hashlib.sha256(text.encode()).hexdigest()[:10]}"


def add(session: Session, rule: str, document: dict[str, Any], actor: str) -> RoutingPolicyRow:
    """Keep a policy; the same content is the same version."""
    version = version_of(rule, document)
    row = session.get(RoutingPolicyRow, version)
    if row is None:
        row = RoutingPolicyRow(version=version, rule=rule, document=document, created_by=actor)
        session.add(row)
        session.flush()
    return row


def publish(
    session: Session, task: str, version: str, actor: str, note: str = ""
) -> RoutingPublicationRow:
    """Put a version in force for a task. Publishing an older one again is the way back.

    Raises:
        StoreError: There is no such version.
    """
    if session.get(RoutingPolicyRow, version) is None:
        raise StoreError(f"There is no routing policy {version}. Add it before publishing.")
    row = RoutingPublicationRow(task=task, version=version, note=note, published_by=actor)
    session.add(row)
    session.flush()
    events.append(session, actor, "routing.published", "task", task, {"version": version})
    return row


def in_force(session: Session, task: str) -> RoutingPolicyRow | None:
    """The version published last for a task; ``None`` before the first."""
    last = session.scalars(
        select(RoutingPublicationRow)
        .where(RoutingPublicationRow.task == task)
        .order_by(RoutingPublicationRow.id.desc())
        .limit(1)
    ).first()
    return None if last is None else session.get(RoutingPolicyRow, last.version)


def history(session: Session, task: str) -> list[RoutingPublicationRow]:
    """All publications for a task, newest first."""
    return list(
        session.scalars(
            select(RoutingPublicationRow)
            .where(RoutingPublicationRow.task == task)
            .order_by(RoutingPublicationRow.id.desc())
        )
    )
