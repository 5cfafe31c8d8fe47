"""Routing policies: immutable versions, and which one is in force for which task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from coefvq.domain import Stage
from coefvq.errors import StoreError
from coefvq.store import assessments, events, trials
from coefvq.store.tables import RoutingPolicyRow, RoutingPublicationRow

PUBLISHED, ROLLED_BACK = "routing.published", "routing.rolled_back"
KEPT = "routing.kept"


def add(
    session: Session, version: str, rule: str, document: dict[str, Any], actor: str
) -> RoutingPolicyRow:
    """Keep a policy under the name that it gives itself by its content.

    Raises:
        StoreError: The version is there with another content.
    """
    row = session.get(RoutingPolicyRow, version)
    if row is None:
        row = RoutingPolicyRow(version=version, rule=rule, document=document, created_by=actor)
        session.add(row)
        session.flush()
    elif row.document != document:
        raise StoreError(f"Routing policy {version} is there with another content; it is final.")
    return row


def publish(
    session: Session,
    task: str,
    version: str,
    actor: str,
    note: str = "",
    models: Mapping[str, str] | None = None,
) -> RoutingPublicationRow:
    """Put a version in force for a task; its event names the models that answer now.

    Trials of the task end: what they were held against is no longer in force.

    Args:
        models: By stage, the models that answer from now on, where they change in the same step.

    Raises:
        StoreError: There is no such version.
    """
    return _publish(session, PUBLISHED, task, version, actor, note, models)


def rollback(session: Session, task: str, actor: str, note: str = "") -> RoutingPublicationRow:
    """Put the version before the present one in force again, as a new publication.

    A second call goes one further back. Nothing is deleted. Trials of the task end.

    Raises:
        StoreError: No version was in force before the present one.
    """
    standing = _standing(session, task)
    if len(standing) < 2:
        now = f"{standing[-1]} is the first" if standing else "nothing is published"
        raise StoreError(
            f"There is no way back for task {task}: {now}. Before the first publication the "
            "settings' entropy rule applied; publish a routing policy that says the same."
        )
    return _publish(session, ROLLED_BACK, task, standing[-2], actor, note)


def in_force(session: Session, task: str) -> RoutingPolicyRow | None:
    """The version published last for a task; ``None`` before the first."""
    version = versions_in_force(session).get(task)
    return None if version is None else session.get(RoutingPolicyRow, version)


def get(session: Session, version: str) -> RoutingPolicyRow:
    """A kept policy.

    Raises:
        StoreError: There is no such version.
    """
    row = session.get(RoutingPolicyRow, version)
    if row is None:
        raise StoreError(f"There is no routing policy {version}. Add it before publishing.")
    return row


def versions_in_force(session: Session) -> dict[str, str]:
    """The version in force by task; one small query, for a look before each video."""
    last = (
        select(func.max(RoutingPublicationRow.id))
        .group_by(RoutingPublicationRow.task)
        .scalar_subquery()
    )
    query = select(RoutingPublicationRow.task, RoutingPublicationRow.version)
    found = session.execute(query.where(RoutingPublicationRow.id.in_(last)))
    return {task: version for task, version in found}


def history(session: Session, task: str | None = None) -> list[RoutingPublicationRow]:
    """All publications, newest first; of one task where it is given."""
    query = select(RoutingPublicationRow).order_by(RoutingPublicationRow.id.desc())
    return list(session.scalars(query if task is None else query.filter_by(task=task)))


def models_in_use(session: Session) -> dict[str, str]:
    """The model behind the newest answer of each stage; a stage without any is absent."""
    newest = {stage.value: assessments.newest_version(session, stage) for stage in Stage}
    return {stage: version for stage, version in newest.items() if version is not None}


def models_at_publication(session: Session, task: str, version: str) -> dict[str, str]:
    """``models_in_use`` when a version was last published for a task; empty where not known."""
    found: dict[str, str] = {}
    for event in events.of_subject(session, "task", task):
        if event.kind == PUBLISHED and event.data.get("version") == version:
            found = dict(event.data.get("models", {}))
    return found


def other_models(session: Session, task: str, version: str) -> dict[str, str]:
    """Stages whose newest answer comes from another model than at the publication: its version."""
    then, now = models_at_publication(session, task, version), models_in_use(session)
    return {stage: now[stage] for stage in then if now.get(stage, then[stage]) != then[stage]}


def before(session: Session, task: str) -> str | None:
    """The version that a rollback would put in force; ``None``: there is no way back."""
    standing = _standing(session, task)
    return standing[-2] if len(standing) > 1 else None


def log_kept(session: Session, version: str, actor: str) -> None:
    """Log that somebody brought a policy in."""
    events.append(session, actor, KEPT, "routing", version)


def policies(session: Session) -> dict[str, RoutingPolicyRow]:
    """Every kept policy by version."""
    return {row.version: row for row in session.scalars(select(RoutingPolicyRow))}


def _publish(
    session: Session,
    kind: str,
    task: str,
    version: str,
    actor: str,
    note: str,
    models: Mapping[str, str] | None = None,
) -> RoutingPublicationRow:
    get(session, version)
    back = kind == ROLLED_BACK
    row = RoutingPublicationRow(
        task=task, version=version, note=note, published_by=actor, rollback=back
    )
    session.add(row)
    session.flush()
    data: dict[str, Any] = {"version": version, "note": note}
    if not back and (answering := dict(models or models_in_use(session))):
        data["models"] = answering
    events.append(session, actor, kind, "task", task, data)
    trials.end_all(
        session, task, actor, f"{version} was {'rolled back to' if back else 'published'}"
    )
    return row


def _standing(session: Session, task: str) -> list[str]:
    """Versions that came one after another, without those that were taken back; last in force."""
    found: list[str] = []
    for row in reversed(history(session, task)):
        if row.rollback:
            found.pop()
        elif not found or found[-1] != row.version:
            found.append(row.version)
    return found
