"""A routing policy applied to many items at once: who is escalated, what counts, where it ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coefvq.domain import RouteName
from coefvq.routing.audit import draws
from coefvq.routing.budget import ROUNDING
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.predictions import Predictions
from coefvq.routing.scores import Known
from coefvq.routing.shares import fitting

ROUTES = (RouteName.AUTO_PASS, RouteName.AUTO_FLAG, RouteName.HUMAN, RouteName.MLLM)
"""What the codes in ``Routed.route`` stand for."""
PASS, FLAG, HUMAN, DUE = range(4)


@dataclass(frozen=True)
class Routed:
    """What became of n items.

    Attributes:
        known: What the rule read.
        score: The rule's escalation score.
        drawn: Drawn at random for the MLLM; part of ``escalated``.
        escalated: The MLLM was due.
        final: Probability that counts; NaN where the MLLM was due and has no score.
        called: The machine's own answer is "violation"; the prefilter's where the MLLM has no
            score.
        route: Code into ``ROUTES``.
    """

    known: Known
    score: NDArray[np.float64]
    drawn: NDArray[np.bool_]
    escalated: NDArray[np.bool_]
    final: NDArray[np.float64]
    called: NDArray[np.bool_]
    route: NDArray[np.int8]


def route(policy: RoutingPolicy, items: Predictions) -> Routed:
    """Send every item where the policy sends it.

    The budget holds for the batch as a whole, as the tracker makes it hold for a stream: the
    highest scores go first, never more than the budget's share of the rows' weight, audits for
    the MLLM included. A certified policy keeps its threshold and may use less. The order of rows
    is immaterial.

    Raises:
        RoutingError: A feature that the policy reads is missing.
    """
    known = policy.first.know(items.prefilter, items.feature_matrix(policy.features))
    score = policy.score(known)
    drawn = _draws(policy, items)
    escalated = select(policy, score, drawn, items)
    final = np.where(escalated, policy.final(known.p1, items.mllm), known.base)
    answered = np.where(np.isnan(final), known.base, final)
    called = answered >= policy.thresholds.call_from
    return Routed(
        known, score, drawn, escalated, final, called,
        ends(policy, known.p1, items.mllm, final, escalated),
    )  # fmt: skip


def _room(policy: RoutingPolicy, items: Predictions) -> float:
    """The weight that may be escalated: whole videos where every row stands for one."""
    return policy.budget * float(items.weight.sum())


def _draws(policy: RoutingPolicy, items: Predictions) -> NDArray[np.bool_]:
    """The random draws for the MLLM; none where chance drew more than the budget has room for."""
    none, share = np.zeros(len(items), dtype=bool), policy.audit.mllm
    if share == 0:
        return none
    drawn = draws(items.item_id, share, policy.version)
    return drawn if items.weight[drawn].sum() <= _room(policy, items) + ROUNDING else none


def select(
    policy: RoutingPolicy,
    score: NDArray[np.float64],
    drawn: NDArray[np.bool_],
    items: Predictions,
) -> NDArray[np.bool_]:
    """Who is escalated: the random draws, then the highest scores while the budget lasts."""
    room = _room(policy, items) - float(items.weight[drawn].sum())
    floor = policy.thresholds.escalate_least
    if not policy.tracked:
        floor = max(floor, policy.thresholds.escalate_from)
    worth = np.flatnonzero((score > floor) & ~drawn)
    order = worth[np.argsort(-score[worth], kind="stable")]
    count = fitting(items.weight[order], room)
    if count < len(order):
        order = _ties_by_id(order, score, score[order[count]], items.item_id)
        count = fitting(items.weight[order], room)
    escalated = drawn.copy()
    escalated[order[:count]] = True
    return escalated


def _ties_by_id(
    order: NDArray[np.intp],
    score: NDArray[np.float64],
    edge: float,
    item_id: NDArray[np.object_],
) -> NDArray[np.intp]:
    """Rows down to those at the edge, these by item id, whatever the order of rows."""
    tied = order[score[order] == edge]
    tied = tied[np.argsort(item_id[tied].astype(str), kind="stable")]
    return np.concatenate([order[score[order] > edge], tied])


def ends(
    policy: RoutingPolicy,
    p1: NDArray[np.float64],
    raw_mllm: NDArray[np.float64],
    final: NDArray[np.float64],
    escalated: NDArray[np.bool_],
) -> NDArray[np.int8]:
    """Final routes: pass below one threshold, flag from another, a person between them.

    A person is asked as well where the policy's human step finds the MLLM's answer too risky.
    """
    cut = policy.thresholds
    found = np.full(len(final), HUMAN, dtype=np.int8)
    found[final >= cut.flag_from] = FLAG
    found[final < cut.pass_below] = PASS
    answered = escalated & ~np.isnan(final)
    if policy.human is not None and answered.any():
        p2 = policy.mllm(raw_mllm[answered])
        risk = policy.human.risk(p1[answered], p2, final[answered])
        found[np.flatnonzero(answered)[risk > policy.human.limit]] = HUMAN
    found[escalated & np.isnan(final)] = DUE
    return found
