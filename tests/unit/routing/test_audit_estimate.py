"""Rates from people's cases and random audits: unbiased, with intervals that hold."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, norm

from coefvq.errors import RoutingError
from coefvq.routing.audit import AuditEstimate, Estimated, draws, estimate

RATES = ("miss_rate", "precision", "prevalence", "false_removal_rate")
SHIFT, PASS_BELOW, FLAG_ABOVE = 2.2, 1.0, 2.6


@dataclass
class Traffic:
    """Items with known truth, of which people see ``human`` and the drawn ones."""

    outcome: np.ndarray
    violation: np.ndarray
    propensity: np.ndarray
    labelled: np.ndarray

    @property
    def label(self) -> np.ndarray:
        return np.where(self.labelled, self.violation, np.nan)

    def estimate(self, confidence: float = 0.95) -> AuditEstimate:
        return estimate(self.outcome, self.label, self.propensity, self.labelled, confidence)


def _traffic(rng: np.random.Generator, n: int, prevalence: float, audit: float) -> Traffic:
    violation = rng.random(n) < prevalence
    score = rng.normal(SHIFT * violation, 1)
    outcome = np.where(score < PASS_BELOW, "auto_pass", "human")
    outcome = np.where(score > FLAG_ABOVE, "auto_flag", outcome)
    propensity = np.where(outcome == "human", 1.0, audit)
    drawn = draws(np.arange(n), audit, str(rng.integers(2**62)))
    return Traffic(outcome, violation, propensity, drawn | (outcome == "human"))


def _truth(prevalence: float) -> dict[str, float]:
    flagged, removed = norm.sf(FLAG_ABOVE - SHIFT), norm.sf(FLAG_ABOVE)
    right, wrong = prevalence * flagged, (1 - prevalence) * removed
    return {
        "miss_rate": float(norm.cdf(PASS_BELOW - SHIFT)),
        "precision": float(right / (right + wrong)),
        "prevalence": prevalence,
        "false_removal_rate": float(removed),
    }


def _naive_miss_rate(traffic: Traffic) -> float:
    """What a team computes that counts every label once."""
    found = traffic.labelled & traffic.violation
    return float(np.mean(traffic.outcome[found] == "auto_pass"))


# --- the promise, where the truth is known ---------------------------------------------------


def test_naive_rates_are_biased_and_ours_are_not() -> None:
    rng, repeats, truth = np.random.default_rng(1), 100, _truth(0.08)
    ours: dict[str, list[float]] = {name: [] for name in RATES}
    naive = []
    for _ in range(repeats):
        traffic = _traffic(rng, 40_000, 0.08, 0.02)
        naive.append(_naive_miss_rate(traffic))
        found = traffic.estimate()
        for name in RATES:
            ours[name].append(getattr(found, name).value)
    for name in RATES:
        error = np.std(ours[name]) / math.sqrt(repeats)
        assert abs(np.mean(ours[name]) - truth[name]) < 3.5 * error, name
    assert truth["miss_rate"] > 0.11
    assert np.mean(naive) < 0.01  # off by a factor of more than ten
    assert abs(np.mean(naive) - truth["miss_rate"]) > 50 * np.std(naive) / math.sqrt(repeats)


@pytest.mark.parametrize(
    ("n", "prevalence", "audit"),
    [(3_000, 0.05, 0.02), (20_000, 0.08, 0.02), (2_000, 0.3, 0.1), (1_500, 0.2, 0.999)],
    ids=["few audits", "a usual day", "many violations", "nearly all labelled"],
)
@pytest.mark.parametrize("confidence", [0.9, 0.95], ids=str)
def test_intervals_cover_the_truth(
    n: int, prevalence: float, audit: float, confidence: float
) -> None:
    rng, repeats, truth = np.random.default_rng(n), 80, _truth(prevalence)
    covered = dict.fromkeys(RATES, 0)
    for _ in range(repeats):
        found = _traffic(rng, n, prevalence, audit).estimate(confidence)
        for name in RATES:
            rate = getattr(found, name)
            covered[name] += rate.low <= truth[name] <= rate.high
    fewest = binom.ppf(0.001, repeats, confidence)
    assert all(count >= fewest for count in covered.values()), covered


def test_intervals_narrow_as_more_is_audited() -> None:
    rng = np.random.default_rng(3)
    widths = []
    for audit in (0.01, 0.1, 0.5):
        rate = _traffic(rng, 20_000, 0.08, audit).estimate().miss_rate
        widths.append(rate.high - rate.low)
    assert widths[0] > 1.5 * widths[1] > 2 * widths[2]


def test_unequal_propensities_are_undone() -> None:
    # Violations that pass are audited less often than other passed items.
    rng, values = np.random.default_rng(4), []
    for _ in range(64):
        traffic = _traffic(rng, 20_000, 0.1, 0.02)
        passed = traffic.outcome == "auto_pass"
        q = np.where(traffic.violation, 0.05, 0.2)
        traffic.propensity = np.where(passed, q, traffic.propensity)
        drawn = rng.random(20_000) < traffic.propensity
        traffic.labelled = np.where(passed, drawn, traffic.labelled)
        values.append(traffic.estimate().miss_rate.value)
    truth = _truth(0.1)["miss_rate"]
    assert abs(np.mean(values) - truth) < 3.5 * np.std(values) / 8


def test_rare_labels_with_large_weights_widen_the_interval() -> None:
    outcome = ["auto_pass"] * 400 + ["human"] * 50
    label = np.r_[np.zeros(390), np.ones(10), np.ones(50)]
    even = np.r_[np.full(400, 0.5), np.ones(50)]
    uneven = np.r_[np.full(390, 0.9), np.full(10, 0.05), np.ones(50)]
    seen = np.ones(450, dtype=bool)
    plain, skewed = (estimate(outcome, label, q, seen).miss_rate for q in (even, uneven))
    assert skewed.effective_n < plain.effective_n
    assert (skewed.high - skewed.low) > (plain.high - plain.low)


# --- by hand ---------------------------------------------------------------------------------


def _small(passed: int, missed: int, flagged: int, right: int, human: int, bad: int) -> Traffic:
    """Everything labelled; automatic outcomes were drawn with probability one half."""
    outcome = np.repeat(["auto_pass", "auto_flag", "human"], [passed, flagged, human])
    violation = np.concatenate(
        [np.arange(n) < k for n, k in ((passed, missed), (flagged, right), (human, bad))]
    )
    propensity = np.where(outcome == "human", 1.0, 0.5)
    return Traffic(outcome, violation, propensity, np.ones(len(outcome), dtype=bool))


def test_values_by_hand() -> None:
    found = _small(passed=80, missed=4, flagged=10, right=8, human=20, bad=8).estimate()
    assert found.miss_rate.value == pytest.approx(4 / 20)
    assert found.precision.value == pytest.approx(8 / 10)
    assert found.prevalence.value == pytest.approx(20 / 110)
    assert found.false_removal_rate.value == pytest.approx(2 / 90)
    counts = [getattr(found, name).n_labelled for name in RATES]
    assert counts == [20, 10, 110, 90]


def test_audited_items_stand_for_those_nobody_saw() -> None:
    traffic = _small(passed=80, missed=4, flagged=10, right=8, human=20, bad=8)
    # Half of the passed are unseen now: 2 misses among 40 labelled still mean 4 among 80.
    traffic.labelled[2:4] = traffic.labelled[4:42] = False
    found = traffic.estimate()
    assert found.miss_rate.value == pytest.approx(4 / 20)
    assert found.miss_rate.n_labelled == 18
    assert found.miss_rate.effective_n == pytest.approx((10 * 2 + 8) ** 2 / (10 * 4 + 8))


def test_precision_has_the_exact_interval() -> None:
    rate = _small(80, 4, 30, 24, 20, 8).estimate(0.9).precision
    expected = binomtest(24, 30).proportion_ci(0.9)
    assert (rate.low, rate.high) == pytest.approx((expected.low, expected.high), abs=0.005)


def test_no_miss_seen_is_not_no_miss() -> None:
    found = _small(passed=60, missed=0, flagged=10, right=8, human=20, bad=12).estimate(0.9)
    rate = found.miss_rate
    assert rate.value == 0.0 and rate.low == 0.0 and rate.high > 0.04
    # Never sharper than the exact bound of the passed alone, with all other violations certain.
    bound = 60 * (1 - 0.05 ** (1 / 60))
    assert rate.high > 0.9 * bound / (bound + 20)
    assert any("No violation among 60 labelled auto_pass" in note for note in found.notes)


def test_an_outcome_that_nobody_audited_may_hold_anything() -> None:
    traffic = _small(passed=60, missed=3, flagged=10, right=8, human=20, bad=12)
    traffic.labelled[60:70] = False
    found = traffic.estimate()
    assert math.isnan(found.miss_rate.value) and math.isnan(found.precision.value)
    assert (found.precision.low, found.precision.high) == (0.0, 1.0)
    assert found.miss_rate.low < 3 / 25 and found.miss_rate.high > 3 / 15
    assert any("None of 10 auto_flag items is labelled" in note for note in found.notes)


def test_what_was_not_audited_may_all_be_violations_or_none() -> None:
    traffic = _small(passed=60, missed=30, flagged=400, right=0, human=20, bad=10)
    traffic.labelled[60:460] = False
    rate = traffic.estimate().miss_rate
    assert rate.low < 30 / 440  # if all 400 are violations
    assert rate.high > 30 / 40  # if none of them is


def test_an_outcome_that_never_happened_does_no_harm() -> None:
    found = _small(passed=60, missed=3, flagged=0, right=0, human=20, bad=12).estimate()
    assert found.miss_rate.value == pytest.approx(3 / 15)
    assert math.isnan(found.precision.value)
    assert (found.precision.low, found.precision.high) == (0.0, 1.0)
    # None among 80 items: the process may still flag a few in a hundred.
    assert found.false_removal_rate.value == 0.0 < found.false_removal_rate.high < 0.1


def test_without_any_violation_the_miss_rate_is_open() -> None:
    found = _small(passed=60, missed=0, flagged=0, right=0, human=20, bad=0).estimate()
    assert math.isnan(found.miss_rate.value)
    assert (found.miss_rate.low, found.miss_rate.high) == (0.0, 1.0)
    assert found.prevalence.value == 0.0 < found.prevalence.high


def test_json_has_null_for_what_cannot_be_given() -> None:
    found = _small(passed=60, missed=3, flagged=0, right=0, human=20, bad=12).estimate(0.9)
    plain = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert plain["precision"]["value"] is None and plain["confidence"] == 0.9
    assert set(plain) == {*RATES, "confidence", "notes"}
    assert set(plain["miss_rate"]) == set(Estimated._fields)


# --- properties ------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.05, 0.3, 0.9]))
def test_estimates_lie_in_their_intervals_and_in_0_1(seed: int, audit: float) -> None:
    found = _traffic(np.random.default_rng(seed), 400, 0.2, audit).estimate()
    for name in RATES:
        rate = getattr(found, name)
        assert 0.0 <= rate.low <= rate.high <= 1.0
        assert rate.effective_n <= rate.n_labelled + 1e-9
        if not math.isnan(rate.value):
            assert rate.low - 0.01 <= rate.value <= rate.high + 0.01


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_items_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = _traffic(rng, 300, 0.3, 0.3)
    order = rng.permutation(300)
    columns = (one.outcome, one.violation, one.propensity, one.labelled)
    other = Traffic(*(column[order] for column in columns))
    first, second = one.estimate(), other.estimate()
    for name in RATES:
        np.testing.assert_allclose(getattr(second, name), getattr(first, name), atol=1e-9)


def test_a_higher_confidence_contains_a_lower_one() -> None:
    traffic = _traffic(np.random.default_rng(6), 3000, 0.1, 0.05)
    narrow, wide = traffic.estimate(0.8), traffic.estimate(0.99)
    for name in RATES:
        inner, outer = getattr(narrow, name), getattr(wide, name)
        assert outer.low <= inner.low and inner.high <= outer.high


def test_what_nobody_labelled_may_hold_any_label() -> None:
    traffic = _traffic(np.random.default_rng(9), 500, 0.2, 0.2)
    filled = np.where(traffic.labelled, traffic.violation, 7.0)
    found = estimate(traffic.outcome, filled, traffic.propensity, traffic.labelled)
    assert found.to_json() == traffic.estimate().to_json()


# --- refusals --------------------------------------------------------------------------------


def _set(column: str, value: object, where: str) -> Callable[[Traffic], None]:
    def change(traffic: Traffic) -> None:
        at = {
            "labelled": traffic.labelled,
            "unseen pass": ~traffic.labelled & (traffic.outcome == "auto_pass"),
            "all": np.ones(len(traffic.outcome), dtype=bool),
        }[where]
        old = getattr(traffic, column)
        setattr(traffic, column, np.where(at, value, old))

    return change


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (_set("labelled", False, "all"), "nothing is labelled"),
        (_set("propensity", 0.0, "labelled"), "labelled with propensity 0"),
        (_set("propensity", 0.0, "unseen pass"), "nothing stands for them"),
        (_set("propensity", np.nan, "labelled"), "not in 0..1"),
        (_set("propensity", np.nan, "unseen pass"), "not in 0..1"),
        (_set("propensity", -0.1, "labelled"), "not in 0..1"),
        (_set("propensity", 1.5, "labelled"), "not in 0..1"),
        (_set("propensity", np.inf, "labelled"), "not in 0..1"),
        (_set("propensity", 1.0, "unseen pass"), "when audits began"),
        (_set("violation", np.nan, "labelled"), "the label is not 0 or 1"),
        (_set("violation", 2.0, "labelled"), "the label is not 0 or 1"),
        (_set("outcome", "mllm", "all"), "auto_pass, auto_flag, human"),
    ],
)
def test_bad_columns_are_refused(change: Callable[[Traffic], None], word: str) -> None:
    traffic = _traffic(np.random.default_rng(2), 200, 0.3, 0.2)
    change(traffic)
    with pytest.raises(RoutingError, match=word):
        traffic.estimate()


def test_a_refusal_counts_the_items_and_names_the_first() -> None:
    q = [1.0, np.nan, np.nan]
    with pytest.raises(RoutingError, match=r"2 items \(first: number 1\)"):
        estimate(["human"] * 3, [1, 0, 1], q, [True] * 3)


@pytest.mark.parametrize(
    "columns",
    [(["human"], [1, 0], [1.0], [True]), (["human"], [1], [1.0, 1.0], [True]),
     ([["human"]], [[1]], [[1.0]], [[True]]), ([], [], [], [])],
    ids=["labels", "propensities", "two-dimensional", "empty"],
)  # fmt: skip
def test_columns_that_do_not_fit_are_refused(columns: tuple) -> None:
    with pytest.raises(RoutingError, match=r"equally long|nothing is labelled"):
        estimate(*columns)


@pytest.mark.parametrize("confidence", [0.0, 1.0, math.nan], ids=str)
def test_confidence_must_be_a_share(confidence: float) -> None:
    with pytest.raises(RoutingError, match="strictly between"):
        _small(20, 2, 5, 4, 5, 2).estimate(confidence)
