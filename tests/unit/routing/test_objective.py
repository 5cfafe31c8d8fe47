"""What routing is for: cuts and values against plain recomputation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score

from coefvq.errors import RoutingError
from coefvq.routing.objective import OBJECTIVES, Objective, expected_f1_cut

CHANCES = st.lists(st.floats(0.001, 0.999), min_size=1, max_size=40)


def _expected_f1(p: np.ndarray, cut: float, weights: np.ndarray) -> float:
    called = p >= cut
    return float(2 * (p * weights)[called].sum() / (weights[called].sum() + (p * weights).sum()))


@given(CHANCES, st.integers(0, 99))
def test_the_f1_cut_is_the_best_of_all_cuts(chances: list[float], seed: int) -> None:
    p = np.array(chances)
    weights = np.random.default_rng(seed).integers(1, 4, len(p)).astype(float)
    for given_weights, used in ((None, np.ones(len(p))), (weights, weights)):
        cut, f1 = expected_f1_cut(p, given_weights)
        best = max(_expected_f1(p, other, used) for other in p)
        assert f1 == pytest.approx(best) == pytest.approx(_expected_f1(p, cut, used))


@given(CHANCES)
def test_weights_count_like_copies(chances: list[float]) -> None:
    p = np.array(chances)
    copies = np.arange(len(p)) % 3 + 1
    weighted, repeated = (
        expected_f1_cut(p, copies.astype(float)),
        expected_f1_cut(np.repeat(p, copies)),
    )
    assert weighted == pytest.approx(repeated)


@given(CHANCES)
def test_the_f1_cut_is_about_half_the_best_f1(chances: list[float]) -> None:
    """Lipton et al. 2014: below the cut lies F/2, and no item above it is below F/2."""
    p = np.array(chances)
    cut, f1 = expected_f1_cut(p)
    assert cut >= f1 / 2 - 1e-9
    assert (p[p < cut] <= f1 / 2 + 1e-9).all()


@pytest.mark.parametrize(("miss", "alarm", "cut"), [(1, 1, 0.5), (10, 1, 1 / 11), (1, 3, 0.75)])
def test_the_cut_of_costs_is_elkans(miss: float, alarm: float, cut: float) -> None:
    goal = Objective.named("cost", miss, alarm)
    assert goal.threshold([0.2, 0.9]) == pytest.approx(cut)
    assert goal.action_costs([0.2, 0.9]) == (miss, alarm)


@pytest.mark.parametrize("name", ["f1", "ap"])
def test_the_costs_behind_f1_have_its_cut(name: str) -> None:
    p = np.random.default_rng(0).beta(1, 3, 300)
    goal = Objective.named(name)
    miss, alarm = goal.action_costs(p)
    assert alarm / (miss + alarm) == pytest.approx(goal.threshold(p))


@settings(max_examples=40)
@given(st.integers(0, 9999), st.booleans())
def test_values_are_those_of_scikit_learn(seed: int, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    labels, final = (rng.random(60) < 0.4).astype(np.int8), rng.random(60).round(1)
    labels[:2] = 0, 1
    weights = rng.uniform(0.5, 3, 60) if weighted else None
    expected = {
        "f1": f1_score(labels, final >= 0.5, sample_weight=weights),
        "ap": average_precision_score(labels, final, sample_weight=weights),
        "cost": -np.average(
            10.0 * ((labels == 1) & (final < 0.5)) + ((labels == 0) & (final >= 0.5)),
            weights=weights,
        ),
    }
    for name, value in expected.items():
        goal = Objective.named(name, 10.0, 1.0)
        assert goal.value(labels, final, 0.5, weights) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_sure_probabilities_are_worth_what_labels_are(name: str, weighted: bool) -> None:
    rng = np.random.default_rng(1)
    labels, final = (rng.random(200) < 0.3).astype(np.int8), rng.random(200)
    weights = rng.uniform(0.5, 3, 200) if weighted else None
    goal = Objective.named(name, 10.0, 1.0)
    soft = goal.value(labels.astype(float), final, 0.4, weights)
    assert soft == pytest.approx(goal.value(labels, final, 0.4, weights), abs=1e-9)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_expected_value_is_the_mean_over_draws_of_labels(name: str) -> None:
    rng = np.random.default_rng(2)
    chances, final = rng.beta(1, 2, 3000), rng.random(3000)
    goal = Objective.named(name, 3.0, 1.0)
    drawn = [
        goal.value((rng.random(3000) < chances).astype(np.int8), final, 0.5) for _ in range(40)
    ]
    assert goal.value(chances, final, 0.5) == pytest.approx(np.mean(drawn), abs=0.01)


@pytest.mark.parametrize(
    ("name", "costs", "words"),
    [
        ("auc", (1.0, 1.0), "no objective 'auc'"),
        ("f2", (1.0, 1.0), "Did you mean 'f1'"),
        ("cost", (0.0, 1.0), "positive"),
        ("cost", (1.0, -1.0), "positive"),
        ("cost", (float("nan"), 1.0), "positive"),
        ("cost", (float("inf"), 1.0), "positive"),
    ],
    ids=str,
)
def test_objectives_that_mean_nothing_are_refused(
    name: str, costs: tuple[float, float], words: str
) -> None:
    with pytest.raises(RoutingError, match=words):
        Objective.named(name, *costs)
