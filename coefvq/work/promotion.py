"""Promote a model together with its routing, or refuse; and the way back.

The gate compared the candidate with the model in force. Before it comes into force, the routing
policies that are published are fitted again, each with its own request (rule, budget, miss rate,
confidence), on labelled videos that the candidate did not learn from, scored by both new models.
Where one cannot be fitted or certified, nothing changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from coefvq import taxonomy
from coefvq.domain import Stage
from coefvq.errors import RoutingError, TrainingError
from coefvq.learning import promote as store_part
from coefvq.learning import roll_back
from coefvq.learning.dataset.items import Signals
from coefvq.learning.gate.limits import Limits
from coefvq.learning.gate.tasks import TaskRows, compare_task
from coefvq.learning.monitor import Monitor, Quiet
from coefvq.learning.promote import Publication, check_promotable, needed_note
from coefvq.learning.registry import in_force
from coefvq.learning.rescore import Rescored, rescore
from coefvq.review.access import Actor, Permission, require
from coefvq.routing.certificate import FALSE_REMOVAL_RATE, LEARN_THEN_TEST, MISS_RATE
from coefvq.routing.entropy import EntropyRouting
from coefvq.routing.fit import fit_policy
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.predictions import Predictions
from coefvq.routing.published import describe_certificate
from coefvq.routing.request import FitRequest
from coefvq.settings import Settings
from coefvq.store import routing_policies
from coefvq.store.session import Store
from coefvq.work.routing_compare import settings_policy
from coefvq.work.routing_versions import for_task


@dataclass(frozen=True)
class TaskRouting:
    """What becomes of one task's routing.

    Attributes:
        before, after: Versions; ``settings`` where nothing is published: that rule stays.
        certificate: Of the new policy, in words; ``none``.
        fitted_on: Labelled videos that it was fitted on, violations among them.
        measured: Under the routing that will be in force, with the new models: figures by measure
            (``miss_rate``, ``escalation_rate``, ...) as ``{value, low, high}``.
    """

    task: str
    before: str
    after: str
    certificate: str = "none"
    fitted_on: tuple[int, int] = (0, 0)
    measured: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Promotion:
    """What a promotion did, or would do.

    Attributes:
        publication: ``None`` for a plan.
        combined: Policies whose answers of both stages are combined by a fit; the MLLM's stands
            for the others.
    """

    stage: Stage
    version: str
    against: str
    routing: tuple[TaskRouting, ...]
    combined: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    publication: Publication | None = None


@dataclass(frozen=True)
class _Planned:
    told: Promotion
    policies: Mapping[str, RoutingPolicy]
    combination: Mapping[str, Any] | None
    seen: Mapping[str, str]


def promote_with_routing(
    store: Store,
    settings: Settings,
    actor: Actor,
    version: str,
    note: str,
    *,
    expected: str | None = None,
    monitor: Monitor = Quiet(),  # noqa: B008 - it has no state
    signals: Signals | None = None,
) -> Promotion:
    """Put a candidate in force with routing fitted for it; all of it in one transaction.

    Scoring held-out videos by both models takes a millisecond each where only the prefilter is
    new, a second each where the MLLM must be asked; answers of the gate are used again.

    Args:
        note: Why; it must say something.
        expected: The model in force when the actor looked; ``None``: whatever is.
        signals: What the models are shown; ``None``: what the store has, or extracts.

    Raises:
        NotAllowed: The actor is no lead.
        TrainingError: The gate has not let it pass, or the routing cannot be fitted or certified
            for it; nothing has changed.
        ModelsChanged: Something changed meanwhile; nothing has changed.
        ModelError, StoreError: Its files are damaged, or there is no such model.
    """
    require(actor, Permission.LEAD)
    needed_note(note, "Say why it is promoted")
    planned = _plan(store, settings, version, expected, monitor, signals)
    done = store_part.promote(
        store, settings, actor, version, note=note, expected=planned.told.against,
        routing=planned.policies, combination=planned.combination, seen=planned.seen,
    )  # fmt: skip
    return replace(planned.told, publication=done)


def plan(
    store: Store,
    settings: Settings,
    actor: Actor,
    version: str,
    *,
    monitor: Monitor = Quiet(),  # noqa: B008 - it has no state
    signals: Signals | None = None,
) -> Promotion:
    """What a promotion would do to the routing, without doing it.

    Raises:
        NotAllowed, TrainingError, ModelError, StoreError: As ``promote_with_routing``.
    """
    require(actor, Permission.LEAD)
    return _plan(store, settings, version, None, monitor, signals).told


def rollback(
    store: Store,
    settings: Settings,
    actor: Actor,
    stage: Stage,
    *,
    note: str,
    expected: str | None = None,
) -> Publication:
    """Put models and routing back to what they were before the last promotion, in one step.

    Raises:
        As ``coefvq.learning.roll_back.rollback``.
    """
    rule = settings_policy(_entropy(settings))
    return roll_back.rollback(
        store, settings, actor, stage, note=note, expected=expected, settings_rule=rule
    )


def request_of(policy: RoutingPolicy) -> FitRequest:
    """The request that a published policy was fitted with, as far as it says.

    A human step is asked for again by the same limit of expected cost.

    Raises:
        RoutingError: It has a part that cannot be asked for again.
    """
    paper: Mapping[str, Any] = policy.certificate or {}
    targets = {str(risk["name"]): float(risk["target"]) for risk in paper.get("risks", ())}
    confidence = paper.get("confidence")
    return FitRequest(
        rule=policy.requested,
        objective=policy.objective,
        budget=policy.budget,
        miss_rate=targets.get(MISS_RATE),
        confidence=0.9 if confidence is None else float(confidence),
        method="ltt" if paper.get("method", LEARN_THEN_TEST) == LEARN_THEN_TEST else "crc",
        false_removal=targets.get(FALSE_REMOVAL_RATE),
        abstention_cost=None if policy.human is None else policy.human.limit,
        audit=policy.audit,
    )


def even_sample(items: Predictions) -> Predictions:
    """Rows drawn so that each stands for as many videos: a certificate needs labels drawn evenly.

    A row of weight w is kept with probability w / max w (rejection sampling), decided by a hash of
    its id, so that the same history gives the same sample.
    """
    if not items.weighted:
        return items
    share = items.weight / items.weight.max()
    drawn = np.array([_unit(str(name)) for name in items.item_id])
    kept = items.take(np.flatnonzero(drawn < share))
    return replace(kept, weight=np.ones(len(kept)))


def _plan(
    store: Store,
    settings: Settings,
    version: str,
    expected: str | None,
    monitor: Monitor,
    signals: Signals | None,
) -> _Planned:
    with store.read() as session:
        stage, _ = check_promotable(session, settings, version, expected)
        against = in_force(session)[stage]
        seen = routing_policies.versions_in_force(session)
        rows = {task: routing_policies.get(session, name) for task, name in seen.items()}
    published = {task: RoutingPolicy.from_json(row.document) for task, row in rows.items()}
    certified = {task for task, policy in published.items() if policy.certificate}
    found = rescore(store, settings, version, certified, monitor, signals)
    policies: dict[str, RoutingPolicy] = {}
    told = []
    for task in taxonomy.tasks():
        if task in published:
            policies[task], one = _refitted(found, task, published[task])
        else:
            one = _kept(found, task, settings)
        told.append(one)
    lost = sorted(published.keys() - set(taxonomy.tasks()))
    if lost:
        raise TrainingError(
            f"Routing is published for {', '.join(lost)}, which the taxonomy does not have any "
            "more: it cannot be fitted for the new model. Put the task back first."
        )
    combined = tuple(sorted(found.pair.document["policies"]))
    promotion = Promotion(stage, version, against, tuple(told), combined, found.notes)
    combination = found.pair.document if combined else None
    return _Planned(promotion, policies, combination, seen)


def _refitted(
    found: Rescored, task: str, current: RoutingPolicy
) -> tuple[RoutingPolicy, TaskRouting]:
    """The policy in force, fitted and certified again for the new models."""
    rows = found.rows(task)
    try:
        request = request_of(current)
        items = _usable(rows, request)
        policy = for_task(fit_policy(items, request), task)
    except RoutingError as error:
        raise TrainingError(
            f"The routing of task {task} ({current.version}) cannot be "
            f"{'certified' if current.certificate else 'fitted'} for the new model, so nothing "
            f"was promoted: {error} Only held-out videos count: {len(rows):,} of the task, "
            f"{int(rows.label.sum()):,} violations. Decide more cases, or publish another routing "
            "policy first."
        ) from error
    words = describe_certificate(policy.certificate)
    fitted_on = (len(items), items.violations)
    measured = _measured(rows, policy)
    return policy, TaskRouting(
        task, current.version, policy.version, words, fitted_on, measured, policy.notes
    )


def _usable(rows: TaskRows, request: FitRequest) -> Predictions:
    """What the policy is fitted on: the traffic, judged by the prefilter; golden cases left out."""
    items = rows.predictions(np.flatnonzero(rows.judged & rows.drawn))
    if not len(items):
        raise RoutingError("no held-out video of it has a label and an answer of the prefilter.")
    if not request.certified:
        return items
    # Only rows with an answer of the MLLM count for a certificate: where some of the traffic has
    # none, the others would not stand for it.
    if not items.has_mllm.all():
        raise RoutingError(
            f"the MLLM has no answer on {int((~items.has_mllm).sum()):,} of the videos that a "
            "certificate must count."
        )
    return even_sample(items)


def _kept(found: Rescored, task: str, settings: Settings) -> TaskRouting:
    """A task without a published policy keeps the settings' rule; what that does is measured."""
    rows = found.rows(task)
    entropy = _entropy(settings)
    measured = _measured(rows, entropy) if len(rows) else {}
    note = "No routing is published: the settings' entropy rule stays."
    bad = int(rows.label.sum())
    return TaskRouting(task, "settings", "settings", "none", (len(rows), bad), measured, (note,))


def _measured(rows: TaskRows, rule: RoutingPolicy | EntropyRouting) -> dict[str, Any]:
    if not len(rows):
        return {}
    row, _ = compare_task(rule, rows, rows, Limits())
    return dict(row["new"])


def _entropy(settings: Settings) -> EntropyRouting:
    return EntropyRouting(settings.entropy_threshold, settings.human_entropy_threshold)


def _unit(name: str) -> float:
    """A number in 0..1 that belongs to a name."""
    return int(hashlib.sha256(f"even {name}".encode()).hexdigest()[:13], 16) / 16**13


__all__: Sequence[str] = (
    "Promotion", "TaskRouting", "even_sample", "plan", "promote_with_routing", "request_of",
    "rollback",
)  # fmt: skip
