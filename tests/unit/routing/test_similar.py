"""``similar``: violations that the prefilter is sure of are escalated for their neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from coefvq.errors import RoutingError
from coefvq.routing.audit import AuditPlan
from coefvq.routing.fit import fit_policy
from coefvq.routing.request import FitRequest
from coefvq.routing.route import route
from coefvq.routing.scores import Entropy, Known
from coefvq.routing.similar import BANK, NEIGHBOURS, fit_similar
from tests.unit.routing.worlds import BLIND, PLAIN


def _points(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.2).astype(np.int8)
    return rng.normal(size=(n, 2)) + 4 * labels[:, None], labels, np.full(n, 1e-3)


def test_a_confident_miss_is_escalated_that_entropy_leaves() -> None:
    """Fresh violations whose prefilter says 'surely not' and whose features say otherwise."""
    items, fresh = BLIND.draw(800, 1), BLIND.draw(4000, 2)
    missed = (fresh.label == 1) & (fresh.prefilter < 0.02)
    assert missed.sum() > 100
    caught = {}
    for rule in ("entropy", "similar"):
        policy = fit_policy(items, FitRequest(rule=rule, budget=0.25, audit=AuditPlan(0.0, 0.0)))
        caught[rule] = route(policy, fresh).escalated[missed].mean()
    assert caught["entropy"] < 0.05
    assert caught["similar"] > 0.8


def test_near_a_known_violation_ranks_above_far_from_all() -> None:
    points, labels, p1 = _points()
    score = fit_similar(points, labels, p1)
    inputs = np.array([[0.0, 4.0, 4.0], [0.0, -1.0, -1.0]])
    near, far = score(Known(np.full(2, 1e-3), np.zeros(2), inputs))
    assert near > 0.9 > 0.8 > far
    assert np.ptp(Entropy()(Known(np.full(2, 1e-3), np.zeros(2), inputs))) == 0


def test_ordinary_items_rank_evenly() -> None:
    """The ranks are those of ordinary items: a tenth of them lies above 0.9."""
    points, labels, p1 = _points(1000)
    score = fit_similar(points, labels, p1)
    inputs = np.column_stack([np.zeros(1000), points])
    ordinary = score(Known(p1, p1, inputs))[labels == 0]
    assert (ordinary > 0.9).mean() == pytest.approx(0.1, abs=0.06)
    assert ordinary.min() >= 0.5


@pytest.mark.parametrize(
    ("violations", "bank", "neighbours"),
    [(1, 1, 1), (2, 2, 1), (3, 3, 2), (50, 50, NEIGHBOURS), (BANK + 40, BANK, NEIGHBOURS)],
    ids=str,
)
def test_the_bank_is_bounded(violations: int, bank: int, neighbours: int) -> None:
    rng = np.random.default_rng(0)
    labels = np.zeros(600, dtype=np.int8)
    labels[:violations] = 1
    score = fit_similar(rng.normal(size=(600, 3)), labels, rng.uniform(0.01, 0.99, 600))
    assert score.bank.shape == (bank, 3)
    assert score.neighbours == neighbours
    assert np.isfinite(score.likeness).all() and (np.diff(score.likeness) >= 0).all()


def test_a_crowd_of_ordinary_items_is_not_near() -> None:
    """Most violations look ordinary; those that do not are still told from the crowd."""
    rng = np.random.default_rng(4)
    labels = (rng.random(2000) < 0.2).astype(np.int8)
    apart = (labels == 1) & (rng.random(2000) < 0.4)
    points = rng.normal(size=(2000, 2)) + 5 * apart[:, None]
    score = fit_similar(points[:1000], labels[:1000], np.full(1000, 1e-3))
    inputs = np.column_stack([np.zeros(1000), points[1000:]])
    found = score(Known(np.full(1000, 1e-3), np.zeros(1000), inputs))
    crowd, odd = found[labels[1000:] == 0], found[apart[1000:]]
    assert np.median(odd) > np.quantile(crowd, 0.95)


def test_the_same_seed_keeps_the_same_bank() -> None:
    points, _, p1 = _points(1000)
    labels = (np.arange(1000) % 3 > 0).astype(np.int8)
    one, again, other = (fit_similar(points, labels, p1, seed).bank for seed in (1, 1, 2))
    assert (one == again).all() and not (one == other).all()


def test_without_features_there_is_nothing_to_compare() -> None:
    with pytest.raises(RoutingError, match="feature_"):
        fit_similar(np.empty((3, 0)), np.array([0, 1, 1], dtype=np.int8), np.full(3, 0.5))
    with pytest.raises(RoutingError, match="feature_"):
        fit_policy(PLAIN.draw(100), FitRequest(rule="similar"))
