"""Put a candidate in force, in the shadow, or back: the part of it that the store keeps.

Models and routing change in one transaction. Routing policies for the new models are fitted on the
floor above (``coefvq.work.promotion``) and handed in; without them a task whose routing is
published refuses the promotion.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from coefvq.domain import Stage
from coefvq.errors import TrainingError
from coefvq.learning.registry import folder_of, in_force, shipped_stage, stage_of
from coefvq.mllm.profiles import parse_profile
from coefvq.review.access import Actor, Permission, require
from coefvq.routing.policy import RoutingPolicy
from coefvq.settings import Settings
from coefvq.store import model_publications, routing_policies, routing_state, trained_models
from coefvq.store.session import Store
from coefvq.store.tables import GateReportRow, ModelPublicationRow
from coefvq.store.text import storable

NOTE_LIMIT = 2000
MODELS, ROUTING = "models", "routing"
_TURN = "turn"


class ModelsChanged(TrainingError):
    """Somebody else changed what is in force since it was looked at."""

    code = "models_changed"


@dataclass(frozen=True)
class Publication:
    """One change of the model in force, or one shadow.

    Attributes:
        routing: By task, the routing policy that was published in the same step.
        before: Versions that were in force: ``models`` by stage, ``routing`` by task.
    """

    id: str
    stage: Stage
    version: str
    note: str
    by: str
    at: datetime
    rollback: bool
    routing: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    ended_at: datetime | None = None


def promote(
    store: Store,
    settings: Settings,
    actor: Actor,
    version: str,
    *,
    note: str,
    expected: str | None = None,
    routing: Mapping[str, RoutingPolicy] | None = None,
    combination: Mapping[str, Any] | None = None,
    seen: Mapping[str, str] | None = None,
) -> Publication:
    """Put a candidate in force, with the routing that was fitted for it, in one transaction.

    Args:
        note: Why; it must say something.
        expected: The model in force when the actor looked; ``None``: whatever is.
        routing: By task, the policy fitted for the new models: one for each task whose routing is
            published.
        combination: How both stages are combined, a pair as in ``coefvq/combinations.json``.
        seen: The routing versions in force by task that ``routing`` was fitted to replace.

    Raises:
        NotAllowed: The actor is no lead.
        ModelsChanged: Something else is in force by now.
        TrainingError: The gate has not let it pass against the model in force, a published routing
            policy has no successor, or there is no note.
        ModelError: Its files are missing or changed.
        StoreError: There is no such model.
    """
    require(actor, Permission.LEAD)
    said = needed_note(note, "Say why it is promoted")
    folder_of(store, settings, version)
    with store.write() as session:
        model_publications.take_turn(session)
        stage, gate = check_promotable(session, settings, version, expected)
        published = take_routing_turns(session, seen)
        missing = sorted(published.keys() - (routing or {}).keys())
        if missing:
            raise TrainingError(
                f"The routing of {', '.join(missing)} is published for other models, and none was "
                "fitted for these. Promote with `coefvq models promote`, which fits it."
            )
        before = in_force_now(session)
        models = {**before[MODELS], stage.value: version}
        for task, policy in (routing or {}).items():
            publish_routing(session, task, policy, actor.name, said, models)
        row = model_publications.publish(
            session, stage, version, actor.name, said, gate_id=gate.id, before=before,
            routing=_kept(routing or {}, combination),
        )  # fmt: skip
        return publication_of(row)


def check_promotable(
    session: Session, settings: Settings, version: str, expected: str | None = None
) -> tuple[Stage, GateReportRow]:
    """Whether a model may come into force now, as far as the store knows.

    Raises:
        ModelsChanged, TrainingError, StoreError: As ``promote``.
    """
    stage = stage_of(session, version)
    now = in_force(session)[stage]
    if expected is not None and now != expected:
        raise ModelsChanged(
            f"The {stage.value} in force changed since you looked: it is {now} now. Look again."
        )
    if now == version:
        raise TrainingError(f"{version} is in force already.")
    if shipped_stage(version) is not None:
        raise TrainingError(f"{version} comes with the project: roll back to it instead.")
    _embedded_only(settings, stage)
    gate = trained_models.newest_report(session, version)
    if gate is None:
        raise TrainingError(f"{version} has not been through the gate. Run it first.")
    if gate.against != now:
        raise TrainingError(
            f"The gate compared {version} with {gate.against}, and {now} is in force now. Run the "
            "gate again."
        )
    if not gate.passed:
        first = next(iter(gate.document.get("reasons", ())), "see its report")
        raise TrainingError(f"The gate refused {version}: {first}")
    return stage, gate


def shadow(
    store: Store, settings: Settings, actor: Actor, version: str, *, note: str
) -> Publication:
    """Let a model score every video beside the one in force; nothing is routed by it.

    Raises:
        NotAllowed: The actor is no lead.
        TrainingError: It is in force, another one is in the shadow, or there is no note.
        ModelError: Its files are missing or changed.
        StoreError: There is no such model.
    """
    require(actor, Permission.LEAD)
    said = needed_note(note, "Say what is tried and why")
    folder_of(store, settings, version)
    with store.write() as session:
        model_publications.take_turn(session)
        stage = stage_of(session, version)
        _embedded_only(settings, stage)
        if in_force(session)[stage] == version:
            raise TrainingError(f"{version} is in force: there is nothing to put beside it.")
        running = model_publications.shadows(session).get(stage.value)
        if running is not None:
            raise TrainingError(
                f"{running.version} is in the shadow of the {stage.value} since "
                f"{running.published_at:%Y-%m-%d %H:%M} UTC. End that first: there is at most one."
            )
        before = {MODELS: {stage.value: in_force(session)[stage]}}
        row = model_publications.start_shadow(session, stage, version, actor.name, said, before)
        return publication_of(row)


def end_shadow(store: Store, actor: Actor, stage: Stage, *, note: str = "") -> Publication:
    """Take the model of a stage out of the shadow; what it said is kept.

    Raises:
        NotAllowed: The actor is no lead.
        TrainingError: None is in it.
    """
    require(actor, Permission.LEAD)
    with store.write() as session:
        model_publications.take_turn(session)
        row = model_publications.shadows(session).get(stage.value)
        if row is None:
            raise TrainingError(f"No model is in the shadow of the {stage.value}.")
        why = str(storable(note) or "").strip()[:NOTE_LIMIT]
        model_publications.end_shadow(session, row, actor.name, why)
        return publication_of(row)


def publications(store: Store, actor: Actor, stage: Stage | None = None) -> list[Publication]:
    """Every change of the models in force, the newest first.

    Raises:
        NotAllowed: The actor is no lead.
    """
    require(actor, Permission.LEAD)
    with store.read() as session:
        return [publication_of(row) for row in model_publications.history(session, stage)]


def needed_note(note: str, ask: str) -> str:
    """A note without white space around it.

    Raises:
        TrainingError: It says nothing, or too much.
    """
    said = str(storable(note) or "").strip()
    if not said:
        raise TrainingError(f"{ask}: the note is for whoever reads the list later.")
    if len(said) > NOTE_LIMIT:
        raise TrainingError(f"The note has {len(said):,} characters; {NOTE_LIMIT:,} are the most.")
    return said


def publication_of(row: ModelPublicationRow) -> Publication:
    """A row as people see it."""
    return Publication(
        row.id, Stage(row.stage), row.version, row.note, row.published_by, row.published_at,
        row.rollback, dict(row.routing.get("policies", {})), dict(row.before), row.ended_at,
    )  # fmt: skip


def _embedded_only(settings: Settings, stage: Stage) -> None:
    kind = parse_profile(settings.mllm).kind
    if stage is Stage.MLLM and kind != "embedded":
        raise TrainingError(
            f"COEFVQ_MLLM is {kind}: a trained MLLM serves only where it is 'embedded'."
        )


def take_routing_turns(session: Session, seen: Mapping[str, str] | None) -> dict[str, str]:
    """Let nobody publish routing before this transaction ends; what is in force by task.

    Raises:
        ModelsChanged: It is not what the new routing was fitted to replace.
    """
    for task in sorted(routing_policies.versions_in_force(session)):
        routing_state.locked(session, _TURN, task)
    published = routing_policies.versions_in_force(session)
    if seen is not None and dict(seen) != published:
        raise ModelsChanged(
            "Somebody published a routing policy while the new one was fitted. Promote again."
        )
    return published


def in_force_now(session: Session) -> dict[str, Any]:
    """Models by stage and routing by task, as a publication keeps what was before it."""
    models = {stage.value: version for stage, version in in_force(session).items()}
    return {MODELS: models, ROUTING: routing_policies.versions_in_force(session)}


def publish_routing(
    session: Session,
    task: str,
    policy: RoutingPolicy,
    actor: str,
    note: str,
    models: Mapping[str, str],
) -> None:
    """Keep a routing policy and put it in force; its event names the models that answer then."""
    document = json.loads(json.dumps(policy.to_json(), allow_nan=False))
    known = policy.version in routing_policies.policies(session)
    routing_policies.add(session, policy.version, policy.rule, document, actor)
    if not known:
        routing_policies.log_kept(session, policy.version, actor)
    routing_policies.publish(session, task, policy.version, actor, note, models)


def _kept(
    routing: Mapping[str, RoutingPolicy], combination: Mapping[str, Any] | None
) -> dict[str, Any]:
    kept: dict[str, Any] = {"policies": {task: each.version for task, each in routing.items()}}
    return kept if combination is None else kept | {"combination": dict(combination)}
