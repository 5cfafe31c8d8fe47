"""The way back: models and routing as they were before the last promotion of a stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from coefvq.domain import Stage
from coefvq.errors import TrainingError
from coefvq.learning.promote import (
    MODELS,
    NOTE_LIMIT,
    ROUTING,
    ModelsChanged,
    Publication,
    in_force_now,
    publication_of,
    publish_routing,
    take_routing_turns,
)
from coefvq.learning.registry import folder_of, in_force
from coefvq.review.access import Actor, Permission, require
from coefvq.routing.policy import RoutingPolicy
from coefvq.settings import Settings
from coefvq.store import model_publications, routing_policies
from coefvq.store.session import Store
from coefvq.store.tables import ModelPublicationRow
from coefvq.store.text import storable


def rollback(
    store: Store,
    settings: Settings,
    actor: Actor,
    stage: Stage,
    *,
    note: str,
    expected: str | None = None,
    settings_rule: RoutingPolicy | None = None,
) -> Publication:
    """Put back what was in force before the last promotion of a stage: models and routing.

    Args:
        expected: The model in force when the actor looked; ``None``: whatever is.
        settings_rule: The settings' rule as a policy, for a task whose routing was first published
            after the promotion: it has nothing else to go back to.

    Raises:
        NotAllowed: The actor is no lead.
        ModelsChanged: Something else is in force by now.
        TrainingError: There is no way back.
        ModelError: The files of the model that would come back are missing or changed.
    """
    require(actor, Permission.LEAD)
    said = str(storable(note) or "").strip()[:NOTE_LIMIT]
    with store.read() as session:
        last = _last(session, stage, expected)
    target = str(last.before[MODELS][stage.value])
    folder_of(store, settings, target)
    with store.write() as session:
        model_publications.take_turn(session)
        if _last(session, stage, expected).id != last.id:
            raise ModelsChanged("Somebody else changed the models just now. Look again.")
        take_routing_turns(session, None)
        before = in_force_now(session)
        models = {**before[MODELS], stage.value: target}
        restored = _restore(session, actor.name, said, last, before, models, settings_rule)
        row = model_publications.publish(
            session, stage, target, actor.name, said, before=before, rollback=True,
            routing={"policies": restored},
        )  # fmt: skip
        return publication_of(row)


def back_to(store: Store, actor: Actor, stage: Stage) -> str | None:
    """The version that a roll-back of a stage would bring; ``None``: there is no way back.

    Raises:
        NotAllowed: The actor is no lead.
    """
    require(actor, Permission.LEAD)
    with store.read() as session:
        standing = model_publications.standing(session, stage)
        return str(standing[-1].before[MODELS][stage.value]) if standing else None


def _last(session: Session, stage: Stage, expected: str | None) -> ModelPublicationRow:
    now, standing = in_force(session)[stage], model_publications.standing(session, stage)
    if expected is not None and now != expected:
        raise ModelsChanged(
            f"The {stage.value} in force changed since you looked: it is {now} now. Look again."
        )
    if not standing:
        raise TrainingError(
            f"There is no way back for the {stage.value}: {now} was never promoted here."
        )
    return standing[-1]


def _restore(
    session: Session,
    actor: str,
    note: str,
    last: ModelPublicationRow,
    before: Mapping[str, Any],
    models: Mapping[str, str],
    settings_rule: RoutingPolicy | None,
) -> dict[str, str]:
    """Bring each task's routing back to what it was; by task, what changed."""
    then: Mapping[str, str] = last.before.get(ROUTING, {})
    restored = {}
    for task, now in before[ROUTING].items():
        target = then.get(task)
        if target == now:
            continue
        if target is not None:
            _publish_again(session, task, target, actor, note, models)
        elif settings_rule is not None:
            publish_routing(session, task, settings_rule, actor, note, models)
            target = settings_rule.version
        else:
            raise TrainingError(
                f"The routing of {task} was first published after this promotion. Roll back with "
                "`coefvq models rollback`, which puts the settings' rule in its place."
            )
        restored[task] = target
    return restored


def _publish_again(
    session: Session, task: str, target: str, actor: str, note: str, models: Mapping[str, str]
) -> None:
    if routing_policies.before(session, task) == target:
        routing_policies.rollback(session, task, actor, note)
    else:
        routing_policies.publish(session, task, target, actor, note, models)
