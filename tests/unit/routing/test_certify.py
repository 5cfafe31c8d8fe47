"""Learn then Test: against MAPIE, valid on data whose truth is known, and firm with bad input."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapie.risk_control import (
    BinaryClassificationController,
    BinaryRisk,
    control_fwer,
    false_positive_rate,
)
from scipy.stats import binom, norm

from coefvq.errors import RoutingError
from coefvq.routing.bounds import clopper_pearson_upper, hoeffding_bentkus_p, labels_needed
from coefvq.routing.certify import (
    Certificate,
    Risk,
    certificate,
    certify,
    certify_or_refuse,
    weighted_risk,
)

# Auto-pass below the threshold: the safest candidate passes nothing.
PATH = np.linspace(-2.5, 3.5, 1201)
SHIFT = 1.8  # scores: N(0, 1) for non-violations, N(SHIFT, 1) for violations


def _missed(violations: np.ndarray) -> np.ndarray:
    """How many violations each candidate lets pass."""
    return np.searchsorted(np.sort(violations), PATH)


def _true_miss_rate(index: int | None, step: int = 1) -> float:
    return 0.0 if index is None else float(norm.cdf(PATH[::step][index] - SHIFT))


def _broken(rates: list[float], target: float) -> float:
    return float(np.mean(np.array(rates) > target))


def _most(confidence: float, repeats: int) -> float:
    """A share of failures that chance exceeds once in a thousand times."""
    return float(binom.ppf(0.999, repeats, 1 - confidence)) / repeats


# --- against MAPIE ---------------------------------------------------------------------------

MISS = BinaryRisk(
    risk_occurrence=lambda y_true, y_pred: y_pred == 0,
    risk_condition=lambda y_true, y_pred: y_true == 1,
    higher_is_better=False,
)


def _scored(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < 0.3).astype(int)
    return 1 / (1 + np.exp(-rng.normal(SHIFT * label, 1))), label


def _proba(x: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - x, x])


@pytest.mark.parametrize("target", [0.05, 0.1, 0.25], ids=str)
@pytest.mark.parametrize("n", [300, 1500], ids=str)
def test_one_risk_agrees_with_mapie(n: int, target: float) -> None:
    x, label = _scored(n, n)
    grid = np.linspace(0.01, 0.95, 90)
    oracle = BinaryClassificationController(
        _proba, MISS, target, 0.9, MISS, grid, fwer_method="fixed_sequence"
    ).calibrate(x, label)
    errors = (x[label == 1, None] < grid).sum(axis=0)
    found = certify([Risk("miss_rate", target, errors, int(label.sum()))], 0.9)
    # MAPIE rounds k / n * n up, so a few of its p-values belong to k + 1; never fewer errors.
    theirs = oracle.p_values[:, 0]
    assert np.mean(np.isclose(found.p_values, theirs, rtol=1e-8)) > 0.7
    assert np.all(found.p_values <= theirs * (1 + 1e-8))
    valid = np.asarray(oracle.valid_predict_params, dtype=float).ravel()
    assert found.index is not None and abs(int(found.valid.sum()) - len(valid)) <= 1
    np.testing.assert_array_equal(grid[: len(valid)], valid)


def test_two_risks_agree_with_mapie() -> None:
    x, label = _scored(11, 1024)
    grid = np.linspace(0.05, 0.95, 60)
    oracle = BinaryClassificationController(
        _proba, [MISS, false_positive_rate], [0.2, 0.4], 0.9, MISS, grid, fwer_method="bonferroni"
    ).calibrate(x, label)
    below, above = x[label == 1, None] < grid, x[label == 0, None] >= grid
    risks = [
        Risk("miss_rate", 0.2, below.sum(axis=0), len(below)),
        Risk("false_removal_rate", 0.4, above.sum(axis=0), len(above)),
    ]
    ours, theirs = certify(risks, 0.9).p_values, oracle.p_values[:, 0]
    assert np.mean(np.isclose(ours, theirs, rtol=1e-8)) > 0.7
    assert np.all(ours <= theirs * (1 + 1e-8))


@given(st.lists(st.integers(0, 40), min_size=1, max_size=30), st.floats(0.55, 0.95))
def test_the_walk_agrees_with_mapie(errors: list[int], confidence: float) -> None:
    found = certify([Risk("miss_rate", 0.3, np.array(errors), 40)], confidence)
    walked = control_fwer(found.p_values, 1 - confidence, "fixed_sequence")
    np.testing.assert_array_equal(np.flatnonzero(found.valid), walked)


# --- the promise, where the truth is known ---------------------------------------------------


@pytest.mark.parametrize("n", [100, 400, 2000], ids=str)
def test_certified_thresholds_keep_the_target_and_naive_ones_do_not(n: int) -> None:
    rng, target, confidence = np.random.default_rng(n), 0.05, 0.9
    certified, naive = [], []
    for _ in range(400):
        missed = _missed(rng.normal(SHIFT, 1, n))
        certified.append(
            _true_miss_rate(certify([Risk("miss_rate", target, missed, n)], confidence).index)
        )
        good = np.flatnonzero(missed / n <= target)
        naive.append(_true_miss_rate(int(good[-1]) if len(good) else None))
    assert _broken(certified, target) <= _most(confidence, 400)
    assert _broken(naive, target) >= 0.3
    # Safe, but not by refusing everything.
    assert np.mean(certified) > target / 4


def test_several_risks_are_kept_together() -> None:
    rng, confidence = np.random.default_rng(5), 0.9
    targets = {"miss_rate": 0.12, "escalation_rate": 0.6}
    truths = []
    for _ in range(400):
        violations, others = rng.normal(SHIFT, 1, 150), rng.normal(0, 1, 850)
        every = np.sort(np.concatenate([violations, others]))
        escalated = 1000 - np.searchsorted(every, PATH)
        # Walked from the middle on: at the start nearly everything is escalated.
        start = int(np.searchsorted(PATH, 0.1))
        risks = [
            Risk("miss_rate", 0.12, _missed(violations)[start:], 150),
            Risk("escalation_rate", 0.6, escalated[start:], 1000),
        ]
        index = certify(risks, confidence).index
        if index is not None:
            cut = PATH[start + index]
            rate = 0.15 * norm.sf(cut - SHIFT) + 0.85 * norm.sf(cut)
            truths.append((norm.cdf(cut - SHIFT), rate))
    assert len(truths) > 300
    broken = np.array(truths) > np.array(list(targets.values()))
    assert broken.any(axis=1).sum() / 400 <= _most(confidence, 400)


def test_weighted_labels_keep_the_target_where_equal_weights_would_break_it() -> None:
    # Labels of passed violations are drawn half as often, so unweighted they look half as many.
    rng, target, confidence, n = np.random.default_rng(8), 0.1, 0.9, 600
    weighted, ignoring = [], []
    for _ in range(200):
        scores = rng.normal(SHIFT, 1, 2 * n)
        propensity = np.where(scores < 0.7, 0.4, 0.8)
        seen = rng.random(2 * n) < propensity
        scores, weights = scores[seen], 1 / propensity[seen]
        wrong = scores[:, None] < PATH[::10]
        risk = weighted_risk("miss_rate", target, wrong, weights, max_weight=2.5)
        weighted.append(_true_miss_rate(certify([risk], confidence).index, step=10))
        plain = Risk("miss_rate", target, wrong.sum(axis=0), len(scores))
        ignoring.append(_true_miss_rate(certify([plain], confidence).index, step=10))
    assert _broken(weighted, target) <= _most(confidence, 200)
    assert np.mean(weighted) > target / 4
    assert _broken(ignoring, target) > 0.9


# --- properties ------------------------------------------------------------------------------

paths = st.lists(st.integers(0, 60), min_size=1, max_size=20).map(sorted)
targets = st.floats(0.02, 0.6)
confidences = st.floats(0.5, 0.99)


def _reach(errors: list[int], target: float, confidence: float) -> int:
    index = certify([Risk("miss_rate", target, np.array(errors), 60)], confidence).index
    return -1 if index is None else index


@given(paths, targets, targets, confidences, confidences)
def test_a_laxer_request_reaches_at_least_as_far(
    errors: list[int], one: float, other: float, sure: float, surer: float
) -> None:
    (strict, lax), (low, high) = sorted((one, other)), sorted((sure, surer))
    assert _reach(errors, strict, low) <= _reach(errors, lax, low)
    assert _reach(errors, lax, high) <= _reach(errors, lax, low)


@given(paths, targets, confidences)
def test_valid_candidates_are_a_prefix_with_p_values_in_range(
    errors: list[int], target: float, confidence: float
) -> None:
    found = certify([Risk("miss_rate", target, np.array(errors), 60)], confidence)
    assert np.all((found.p_values >= 0) & (found.p_values <= 1))
    count = int(found.valid.sum())
    assert found.valid[:count].all() and found.index == (count - 1 if count else None)
    assert np.all(found.p_values[found.valid] <= 1 - confidence + 1e-9)


@given(paths, st.randoms(use_true_random=False))
def test_the_order_of_risks_and_of_items_does_not_matter(errors: list[int], random) -> None:
    wrong = np.arange(60)[:, None] < np.array(errors)[None, :]
    shuffled = random.sample(range(60), 60)
    weights = 1.0 + np.arange(60) % 3
    one = Risk("miss_rate", 0.3, wrong.sum(axis=0), 60)
    other = weighted_risk("other", 0.5, wrong[shuffled], weights[shuffled])
    same = weighted_risk("other", 0.5, wrong, weights)
    np.testing.assert_allclose(
        certify([one, other], 0.9).p_values, certify([same, one], 0.9).p_values, rtol=1e-9
    )


@given(paths, targets, confidences)
def test_one_more_risk_never_certifies_more(
    errors: list[int], target: float, confidence: float
) -> None:
    one = Risk("miss_rate", target, np.array(errors), 60)
    other = Risk("escalation_rate", 0.4, np.array(errors)[::-1].copy(), 60)
    alone, both = certify([one], confidence), certify([one, other], confidence)
    assert np.all(both.p_values >= alone.p_values)
    assert both.valid.sum() <= alone.valid.sum()


@settings(max_examples=40)
@given(st.integers(1, 60), targets, st.floats(0.1, 50.0))
def test_equal_weights_are_no_weights(wrong_items: int, target: float, weight: float) -> None:
    wrong = (np.arange(60) < wrong_items)[:, None]
    risk = weighted_risk("miss_rate", target, wrong, np.full(60, weight))
    expected = hoeffding_bentkus_p(wrong_items / 60, 60, target)
    np.testing.assert_allclose(risk.p_values()[0], expected, rtol=1e-6)


@given(st.integers(0, 20), targets, st.floats(0.01, 100.0))
def test_the_scale_of_weights_does_not_matter(count: int, target: float, factor: float) -> None:
    wrong, weights = (np.arange(60) < count)[:, None], 1.0 + np.arange(60) % 4
    one = weighted_risk("miss_rate", target, wrong, weights)
    other = weighted_risk("miss_rate", target, wrong, factor * weights)
    np.testing.assert_allclose(one.p_values(), other.p_values(), rtol=1e-6)


def test_a_larger_possible_weight_costs_power() -> None:
    wrong, weights = np.zeros((200, 1), dtype=bool), np.ones(200)
    risks = [weighted_risk("miss_rate", 0.05, wrong, weights, top) for top in (1.0, 2.0, 10.0)]
    p_values = [float(risk.p_values()[0]) for risk in risks]
    assert p_values == sorted(p_values) and p_values[0] < 0.001 < 0.1 < p_values[2]


def test_losses_between_0_and_1_use_hoeffding_bentkus() -> None:
    means = np.array([0.01, 0.05, 0.2])
    risk = Risk("cost", 0.1, np.array([3, 9, 40]), 300, mean_losses=means)
    np.testing.assert_allclose(risk.p_values(), hoeffding_bentkus_p(means, 300, 0.1))
    upper = risk.upper_bound(1, 0.9)
    assert hoeffding_bentkus_p(0.05, 300, upper * 1.0001) <= 0.1
    assert hoeffding_bentkus_p(0.05, 300, upper * 0.999) > 0.1


# --- certificates ----------------------------------------------------------------------------


def _certificate() -> Certificate:
    risks = [
        Risk("miss_rate", 0.05, np.array([0, 1, 5, 12]), 200),
        Risk("escalation_rate", 0.5, np.array([300, 280, 200, 150]), 1000),
    ]
    return certificate(risks, 0.9, certify(risks, 0.9))


def test_a_certificate_states_the_evidence() -> None:
    made = _certificate()
    plain = json.loads(json.dumps(made.to_json()))
    promised = {"miss_rate": 0.05, "confidence": 0.9, "n": 200, "feasible": True}
    assert promised.items() <= plain.items()
    assert plain["method"] == "learn_then_test"
    miss, escalation = plain["risks"]
    assert (miss["name"], miss["errors"], escalation["errors"]) == ("miss_rate", 5, 200)
    assert miss["p_value"] == pytest.approx(binom.cdf(5, 200, 0.05))
    assert miss["upper"] == pytest.approx(float(clopper_pearson_upper(5, 200, 0.9)))
    assert miss["upper"] <= 0.05
    assert Certificate.from_json(plain) == made


def test_a_certificate_of_an_earlier_candidate_and_none_of_a_later_one() -> None:
    risks = [Risk("miss_rate", 0.05, np.array([0, 1, 5, 12]), 200)]
    found = certify(risks, 0.9)
    assert certificate(risks, 0.9, found, index=0).risks[0].errors == 0
    with pytest.raises(RoutingError, match=r"candidate 3 did not pass: certified are the first 3"):
        certificate(risks, 0.9, found, index=3)


def test_a_certificate_that_nobody_earned_says_so() -> None:
    risks = [Risk("miss_rate", 0.05, np.array([30, 40]), 200)]
    made = certificate(risks, 0.9, certify(risks, 0.9))
    assert not made.feasible and made.risks[0].errors == 30
    assert made.to_json()["feasible"] is False


def test_a_certificate_without_a_miss_rate_leaves_it_open() -> None:
    risks = [Risk("escalation_rate", 0.5, np.array([300]), 1000)]
    plain = certificate(risks, 0.9, certify(risks, 0.9)).to_json()
    assert plain["miss_rate"] is None and plain["n"] is None


@pytest.mark.parametrize(
    "data",
    [{}, {"risks": []}, {"method": "m", "confidence": 0.9, "feasible": True},
     {"method": "m", "confidence": 0.9, "feasible": True, "risks": [{"name": "x"}]},
     {"method": "m", "confidence": 0.9, "feasible": True, "risks": 3}],
    ids=["empty", "no method", "no risks", "half a risk", "not a list"],
)  # fmt: skip
def test_what_is_no_certificate_is_refused(data: dict) -> None:
    with pytest.raises(RoutingError, match="not a certificate"):
        Certificate.from_json(data)


# --- refusals --------------------------------------------------------------------------------


def test_too_few_labels_are_refused_with_the_number_that_would_do() -> None:
    with pytest.raises(RoutingError, match=r"takes 460 violations.*4,600 items.*0\.0115 or more"):
        certify_or_refuse([Risk("miss_rate", 0.005, np.array([0]), 200)], 0.9, prevalence=0.1)
    assert labels_needed(0.005, 0.9) == 460


def test_every_risk_that_failed_is_named_and_no_other() -> None:
    risks = [
        Risk("miss_rate", 0.05, np.array([9]), 200),
        Risk("false_removal_rate", 0.05, np.array([1]), 800),
        Risk("escalation_rate", 0.3, np.array([420]), 1000),
    ]
    with pytest.raises(RoutingError) as refused:
        certify_or_refuse(risks, 0.9)
    message = str(refused.value)
    assert "9 of 200 violations" in message and "420 of 1,000 items" in message
    assert "false_removal" not in message


def test_the_target_that_a_refusal_offers_is_granted() -> None:
    with pytest.raises(RoutingError, match=r"or ask for 0\.0521 or more"):
        certify_or_refuse([Risk("miss_rate", 0.05, np.array([6]), 200)], 0.9)
    assert certify_or_refuse([Risk("miss_rate", 0.0521, np.array([6]), 200)], 0.9).index == 0


def test_a_refusal_of_weighted_labels_asks_for_more_audits() -> None:
    risk = weighted_risk("miss_rate", 0.05, np.zeros((20, 1), dtype=bool), 1.0 + np.arange(20))
    with pytest.raises(RoutingError, match=r"20 weighted violations.*audit a larger share"):
        certify_or_refuse([risk], 0.9)


NAN = math.nan


@pytest.mark.parametrize(
    ("target", "errors", "n", "word"),
    [
        (0.1, [0], 0, "no violations among the labels"),
        (0.0, [0], 10, "strictly between"),
        (1.0, [0], 10, "strictly between"),
        (NAN, [0], 10, "strictly between"),
        (0.1, [NAN], 10, "whole numbers"),
        (0.1, [-1], 10, "whole numbers"),
        (0.1, [11], 10, "whole numbers"),
    ],
    ids=str,
)
def test_a_risk_that_makes_no_sense_is_refused(
    target: float, errors: list, n: int, word: str
) -> None:
    with pytest.raises(RoutingError, match=word):
        Risk("miss_rate", target, np.array(errors), n)


@pytest.mark.parametrize("means", [np.array([0.1]), np.array([0.1, NAN]), np.array([0.1, 1.2])])
def test_losses_that_do_not_fit_are_refused(means: np.ndarray) -> None:
    with pytest.raises(RoutingError, match="one for each candidate"):
        Risk("cost", 0.1, np.array([1, 2]), 10, mean_losses=means)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 1.5, NAN], ids=str)
def test_confidence_must_be_a_share(confidence: float) -> None:
    with pytest.raises(RoutingError, match="strictly between"):
        certify([Risk("miss_rate", 0.1, np.array([0]), 10)], confidence)


@pytest.mark.parametrize(
    "risks",
    [[], [Risk("a", 0.1, np.array([], dtype=int), 10)],
     [Risk("a", 0.1, np.array([0]), 10), Risk("b", 0.1, np.array([0, 1]), 10)]],
    ids=["none", "no candidates", "unequal"],
)  # fmt: skip
def test_risks_must_be_equally_long(risks: list[Risk]) -> None:
    with pytest.raises(RoutingError, match="equally long"):
        certify(risks, 0.9)


@pytest.mark.parametrize(
    ("wrong", "weights", "top", "word"),
    [
        (np.zeros((2, 1)), [1.0, 0.0], None, "positive"),
        (np.zeros((2, 1)), [1.0, -2.0], None, "positive"),
        (np.zeros((2, 1)), [1.0, NAN], None, "positive"),
        (np.zeros((2, 1)), [1.0, math.inf], None, "positive"),
        (np.zeros((2, 1)), [1.0, 3.0], 2.0, "largest of the design"),
        (np.zeros((2, 1)), [1.0, 1.0, 1.0], None, "items, candidates"),
        (np.zeros(2), [1.0, 1.0], None, "items, candidates"),
        (np.zeros((0, 1)), [], None, "no violations"),
    ],
    ids=["zero", "negative", "nan", "inf", "above top", "lengths", "flat", "empty"],
)
def test_weights_that_make_no_sense_are_refused(
    wrong: np.ndarray, weights: list[float], top: float | None, word: str
) -> None:
    with pytest.raises(RoutingError, match=word):
        weighted_risk("miss_rate", 0.1, wrong.astype(bool), np.array(weights), top)
