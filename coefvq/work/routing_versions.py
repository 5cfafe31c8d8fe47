"""A lead's routing versions: what there is, what is in force, publish, roll back, bring one in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.errors import RoutingError
from coefvq.review.access import Actor, Permission, require
from coefvq.routing.entropy import EntropyRouting
from coefvq.routing.policy import DAMAGE, RoutingPolicy
from coefvq.routing.published import describe_certificate, refuse_unknown_features
from coefvq.routing_inputs import known_features
from coefvq.settings import Settings
from coefvq.store import routing_policies, routing_state
from coefvq.store.session import Store
from coefvq.store.tables import RoutingPolicyRow, RoutingPublicationRow
from coefvq.store.text import storable
from coefvq.work import routing_words

SETTINGS = "settings"
"""Names the settings' entropy rule where a version is expected: in force before any publication."""
LARGEST = 1_000_000
"""Characters of an uploaded routing policy."""
NOTE_LIMIT = 2000
_TURN = "turn"
_TASK = "task"


class InForceChanged(RoutingError):
    """Somebody else published or rolled back since the version in force was looked at."""

    code = "routing_changed"


@dataclass(frozen=True)
class VersionView:
    """One kept routing policy.

    Attributes:
        rule, objective, thresholds: In words.
        budget: Largest share of MLLM calls, 0..1.
        certificate: In words; ``none``.
        fitted_on: Items and violations of the fit; ``None`` where it does not say.
        tasks: That it is in force for.
        made_by, made_at: Who brought it in, and when.
        problem: Why it cannot be used; empty: it can.
    """

    version: str
    rule: str
    objective: str
    budget: float | None
    certificate: str
    thresholds: tuple[str, ...]
    fitted_on: tuple[int, int] | None
    notes: tuple[str, ...]
    tasks: tuple[str, ...]
    made_by: str
    made_at: datetime
    problem: str = ""


@dataclass(frozen=True)
class PublicationView:
    """One publication. ``rollback``: a way back to an earlier version."""

    version: str
    note: str
    by: str
    at: datetime
    rollback: bool
    in_force: bool


@dataclass(frozen=True)
class Versions:
    """All of a task's routing versions.

    Attributes:
        in_force: The published version, or ``SETTINGS``.
        settings_version: What routes call the settings' rule.
        settings_rule: It in words.
        kept: Every kept policy; the one in force first, then the newest.
        publications: Newest first.
        back_to: Where one step back leads; ``None``: there is no way back.
        other_models: By stage, the model that answers now where it is not the one that answered
            when the version in force was published.
    """

    task: str
    in_force: str
    settings_version: str
    settings_rule: tuple[str, ...]
    kept: tuple[VersionView, ...] = ()
    publications: tuple[PublicationView, ...] = ()
    back_to: str | None = None
    other_models: dict[str, str] = field(default_factory=dict)


def versions(store: Store, settings: Settings, actor: Actor, task: str) -> Versions:
    """Everything there is to see of a task's routing.

    Raises:
        NotAllowed: The actor is no lead.
        SettingsError: There is no such task.
    """
    require(actor, Permission.LEAD)
    taxonomy.task(task)
    entropy = EntropyRouting(settings.entropy_threshold, settings.human_entropy_threshold)
    with store.read() as session:
        current = routing_policies.versions_in_force(session)
        mine = current.get(task)
        history = routing_policies.history(session, task)
        kept = [_view(row, current) for row in routing_policies.policies(session).values()]
        others = routing_policies.other_models(session, task, mine) if mine else {}
        back = routing_policies.before(session, task)
    kept.sort(key=lambda view: (view.version == mine, view.made_at), reverse=True)
    return Versions(
        task=task,
        in_force=mine or SETTINGS,
        settings_version=entropy.version,
        settings_rule=routing_words.settings_rule(entropy, settings.audit_share),
        kept=tuple(kept),
        publications=tuple(_publication(row, row is history[0]) for row in history),
        back_to=back,
        other_models=others,
    )


def bring_in(store: Store, actor: Actor, text: str) -> str:
    """Keep an uploaded routing policy, without effect until it is published.

    Args:
        text: What ``coefvq routing fit`` wrote.

    Returns:
        Its version.

    Raises:
        NotAllowed: The actor is no lead.
        RoutingError: It is no routing policy that could be used here, and why.
    """
    require(actor, Permission.LEAD)
    policy = parse(text)
    return keep(store, actor, policy)


def parse(text: str) -> RoutingPolicy:
    """Read a routing policy.

    Raises:
        RoutingError: It cannot be used here, and why.
    """
    if len(text) > LARGEST:
        raise RoutingError(
            f"The text has {len(text):,} characters; a routing policy has at most {LARGEST:,}. "
            "Is it the file that `coefvq routing fit --out` wrote?"
        )
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise RoutingError(f"This is not JSON: {str(error)[:200]}.") from error
    if not isinstance(data, dict):
        raise RoutingError("This is no routing policy; `coefvq routing fit` writes one.")
    policy = RoutingPolicy.from_json(data)
    _tellable(policy)
    refuse_unknown_features(policy, known_features())
    return policy


def _tellable(policy: RoutingPolicy) -> None:
    """Refuse what would route, but of which no page could say what it is."""
    try:
        describe_certificate(policy.certificate)
        _fitted(policy)
        json.dumps(policy.to_json(), ensure_ascii=False).encode("utf-8")
    except DAMAGE as error:
        raise RoutingError(
            f"The routing policy is damaged ({error!r:.200}). Fit it again."
        ) from error


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number in JSON")


def keep(store: Store, actor: Actor, policy: RoutingPolicy) -> str:
    """Keep a policy that was read or fitted; its version."""
    document = json.loads(json.dumps(policy.to_json(), allow_nan=False))
    with store.write() as session:
        known = policy.version in routing_policies.policies(session)
        routing_policies.add(session, policy.version, policy.rule, document, actor.name)
        if not known:
            routing_policies.log_kept(session, policy.version, actor.name)
    return policy.version


def publish(
    store: Store, actor: Actor, task: str, version: str, note: str, expected: str
) -> PublicationView:
    """Put a version in force; workers follow before their next video, trials of the task end.

    Args:
        note: Why; it must say something.
        expected: What was in force when the actor looked, a version or ``SETTINGS``.

    Raises:
        NotAllowed: The actor is no lead.
        InForceChanged: Something else is in force by now.
        RoutingError: The version cannot be used here, or there is no note.
        StoreError: There is no such version.
    """
    require(actor, Permission.LEAD)
    taxonomy.task(task)
    said = needed_note(note, "Say why it is published")
    with store.write() as session:
        take_turn(session, task, expected)
        row = routing_policies.get(session, version)
        check(row, task)
        if routing_policies.versions_in_force(session).get(task) == version:
            raise RoutingError(f"{version} is in force for {task} already.")
        found = routing_policies.publish(session, task, version, actor.name, said)
        return _publication(found, True)


def rollback(store: Store, actor: Actor, task: str, note: str, expected: str) -> PublicationView:
    """Put the version before the present one in force again, in one step.

    Raises:
        NotAllowed: The actor is no lead.
        InForceChanged: Something else is in force by now.
        StoreError: There is no way back.
    """
    require(actor, Permission.LEAD)
    taxonomy.task(task)
    said = str(storable(note) or "").strip()[:NOTE_LIMIT]
    with store.write() as session:
        take_turn(session, task, expected)
        return _publication(routing_policies.rollback(session, task, actor.name, said), True)


def needed_note(note: str, ask: str) -> str:
    """A note without white space around it.

    Raises:
        RoutingError: It says nothing.
    """
    said = str(storable(note) or "").strip()
    if not said:
        raise RoutingError(f"{ask}: the note is for whoever reads the list later.")
    if len(said) > NOTE_LIMIT:
        raise RoutingError(f"The note has {len(said):,} characters; {NOTE_LIMIT:,} are the most.")
    return said


def take_turn(session: Session, task: str, expected: str | None) -> str:
    """Let one lead at a time change a task's routing; what is in force now.

    Raises:
        InForceChanged: It is not what the actor saw.
    """
    routing_state.locked(session, _TURN, task)
    now = routing_policies.versions_in_force(session).get(task, SETTINGS)
    if expected is not None and now != expected:
        last = next(iter(routing_policies.history(session, task)), None)
        who = f", published by {last.published_by}" if last else ""
        note = f" (“{last.note[:80]}”)" if last and last.note else ""
        raise InForceChanged(
            f"The version in force for {task} changed since you looked: it is {now} now{who}{note}."
            " Look again, and confirm if you still want this."
        )
    return now


def check(row: RoutingPolicyRow, task: str) -> RoutingPolicy:
    """Read a kept policy as one that could route the task.

    Raises:
        RoutingError: It could not, and why.
    """
    policy = RoutingPolicy.from_json(row.document)
    refuse_unknown_features(policy, known_features())
    meant = policy.fitted_on.get(_TASK, task)
    if meant != task:
        raise RoutingError(
            f"{row.version} was fitted on decisions of task {meant}; it says nothing about {task}."
        )
    return policy


def for_task(policy: RoutingPolicy, task: str) -> RoutingPolicy:
    """The policy with the task whose decisions it was fitted on, so that no other one gets it."""
    return replace(policy, fitted_on={**policy.fitted_on, _TASK: task})


def _publication(row: RoutingPublicationRow, in_force: bool) -> PublicationView:
    return PublicationView(
        row.version, row.note, row.published_by, row.published_at, row.rollback, in_force
    )


def _view(row: RoutingPolicyRow, current: dict[str, str]) -> VersionView:
    tasks = tuple(sorted(task for task, version in current.items() if version == row.version))
    try:
        policy = RoutingPolicy.from_json(row.document)
    except RoutingError as error:
        return VersionView(row.version, row.rule, "", None, "none", (), None, (), tasks,
                           row.created_by, row.created_at, str(error))  # fmt: skip
    return VersionView(
        version=row.version,
        rule=routing_words.rule(policy),
        objective=routing_words.objective(policy.objective),
        budget=policy.budget,
        certificate=describe_certificate(policy.certificate),
        thresholds=routing_words.thresholds(policy),
        fitted_on=_fitted(policy),
        notes=policy.notes,
        tasks=tasks,
        made_by=row.created_by,
        made_at=row.created_at,
        problem=_problem(policy),
    )


def _fitted(policy: RoutingPolicy) -> tuple[int, int] | None:
    n, violations = policy.fitted_on.get("n"), policy.fitted_on.get("violations")
    if isinstance(n, int) and isinstance(violations, int):
        return n, violations
    return None


def _problem(policy: RoutingPolicy) -> str:
    try:
        refuse_unknown_features(policy, known_features())
    except RoutingError as error:
        return str(error)
    return ""
