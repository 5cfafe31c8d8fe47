"""What is said before fitting: the labels that would do, and the nearest target."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coefvq.errors import RoutingError
from coefvq.routing.bounds import binomial_p, labels_needed, passes
from coefvq.routing.feasibility import (
    check_feasible,
    counted,
    infeasible_message,
    labels_at_same_rate,
    refusal_message,
)


@pytest.mark.parametrize(
    ("violations", "share", "feasible"),
    [(45, 1.0, True), (44, 1.0, False), (90, 0.5, True), (89, 0.5, False), (0, 1.0, False),
     (150, 0.3, True), (10_000, 0.001, False)],
    ids=str,
)  # fmt: skip
def test_enough_means_one_certificate_without_a_miss(
    violations: int, share: float, feasible: bool
) -> None:
    assert labels_needed(0.05, 0.9) == 45
    assert (infeasible_message(violations, 0.05, 0.9, 0.1, share) is None) is feasible
    if feasible:
        check_feasible(violations, 0.05, 0.9, 0.1, share)
    else:
        with pytest.raises(RoutingError):
            check_feasible(violations, 0.05, 0.9, 0.1, share)


def test_the_refusal_names_every_number() -> None:
    message = infeasible_message(80, 0.005, 0.9, prevalence=0.08, share_for_certifying=0.5)
    assert message == (
        "A miss rate of 0.005 cannot be certified at confidence 0.9: that takes 460 violations "
        "without a single miss, and there are 80, of which 40 are kept for certifying. Label at "
        "least 920 violations (about 11,500 items at a prevalence of 0.08); or ask for a miss rate "
        "of 0.056 or more."
    )


def test_without_a_prevalence_only_violations_are_named() -> None:
    message = infeasible_message(80, 0.005, 0.9)
    assert message is not None and "460 violations;" in message and "items" not in message
    assert "kept for certifying" not in message


def test_with_nothing_kept_no_target_is_offered() -> None:
    message = infeasible_message(1, 0.1, 0.9, share_for_certifying=0.5)
    assert message is not None and "no miss rate can be certified" in message


@given(st.integers(1, 2000), st.floats(0.001, 0.5), st.floats(0.5, 0.99), st.floats(0.05, 1.0))
def test_both_remedies_of_the_message_work(
    violations: int, target: float, confidence: float, share: float
) -> None:
    message = infeasible_message(violations, target, confidence, None, share)
    if message is None:
        return
    labels = re.search(r"at least ([\d,]+) violations", message)
    assert labels is not None
    enough = int(labels[1].replace(",", ""))
    check_feasible(enough, target, confidence, None, share)
    nearest = re.search(r"ask for a miss rate of ([\d.e-]+) or more", message)
    if nearest is not None and float(nearest[1]) < 1.0:
        check_feasible(violations, float(nearest[1]), confidence, None, share)


@given(st.integers(0, 500), st.floats(0.01, 0.3), st.floats(0.6, 0.98))
def test_more_labels_or_a_laxer_request_never_make_it_infeasible(
    violations: int, target: float, confidence: float
) -> None:
    if infeasible_message(violations, target, confidence) is None:
        assert infeasible_message(violations + 1, target, confidence) is None
        assert infeasible_message(violations, target * 1.1, confidence) is None
        assert infeasible_message(violations, target, confidence * 0.9) is None


@pytest.mark.parametrize(
    ("violations", "target", "confidence", "share"),
    [(-1, 0.1, 0.9, 1.0), (10, 0.1, 0.9, 0.0), (10, 0.1, 0.9, 1.5), (10, 0.0, 0.9, 1.0),
     (10, 1.0, 0.9, 1.0), (10, 0.1, 1.0, 1.0), (10, float("nan"), 0.9, 1.0),
     (10, 0.1, 0.9, float("nan"))],
    ids=str,
)  # fmt: skip
def test_requests_that_make_no_sense_are_refused(
    violations: int, target: float, confidence: float, share: float
) -> None:
    with pytest.raises(RoutingError):
        infeasible_message(violations, target, confidence, None, share)


def test_a_safest_candidate_that_errs_is_told_how_many_labels_would_do() -> None:
    message = refusal_message("miss_rate", 6, 200, 0.05, 0.9, prevalence=0.1)
    assert "6 of 200 violations" in message
    more = labels_at_same_rate(6, 200, 0.05, 0.9)
    assert more is not None and f"About {more:,} violations" in message
    assert f"about {10 * more:,} items" in message
    assert "or ask for 0.0521 or more" in message


def test_where_the_rate_itself_is_too_high_more_labels_are_not_offered() -> None:
    message = refusal_message("false_removal", 60, 200, 0.05, 0.9)
    assert "More labels would not help, because 0.3 is not below the target" in message
    assert "60 of 200 non-violations" in message and "About" not in message


@pytest.mark.parametrize(
    ("errors", "n", "target"), [(6, 200, 0.05), (1, 20, 0.1), (9, 100, 0.1), (0, 10, 0.05)], ids=str
)
def test_labels_at_the_same_rate_certify(errors: int, n: int, target: float) -> None:
    more = labels_at_same_rate(errors, n, target, 0.9)
    assert more is not None and more >= n
    assert passes(binomial_p(-(-errors * more // n), more, target), 0.9)


@pytest.mark.parametrize(("errors", "n"), [(10, 100), (50, 100), (100, 100)], ids=str)
def test_no_number_of_labels_certifies_a_rate_that_is_not_below(errors: int, n: int) -> None:
    assert labels_at_same_rate(errors, n, 0.1, 0.9) is None


@pytest.mark.parametrize(
    ("risk", "word"),
    [("miss_rate", "violations"), ("false_removal_rate", "non-violations"),
     ("false_removal", "non-violations"), ("escalation_rate", "items"), ("mine", "items")],
    ids=str,
)  # fmt: skip
def test_what_a_risk_counts(risk: str, word: str) -> None:
    assert counted(risk) == word
