"""The baseline that a policy carries from its fit."""

from __future__ import annotations

import json

import numpy as np
import pytest

from coefvq.errors import RoutingError
from coefvq.routing.drift import Baseline, score_drift
from coefvq.routing.drift_levels import DriftLevel
from coefvq.routing.fit import fit_policy
from coefvq.routing.frozen import FrozenBaseline
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.predictions import Predictions
from coefvq.routing.request import FitRequest
from tests.routing_factory import policy
from tests.unit.routing.worlds import World

PLAIN = World()
SCORES = {"edges": [0.5], "shares": [0.5, 0.5], "items": 100}
WHOLE = {"scores": SCORES, "calibration": {"error": 0.0, "standard_error": 0.1}}


def frozen(n: int = 1000, seed: int = 0, **changes: object) -> FrozenBaseline | None:
    rng = np.random.default_rng(seed)
    scores = rng.beta(2, 4, n)
    labels = (rng.random(n) < scores).astype(np.int8)
    given = {"labels": labels, "weights": np.ones(n)} | changes
    return FrozenBaseline.of(scores, scores, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("n", "changes", "scores", "calibration"),
    [
        pytest.param(1000, {}, True, True, id="enough"),
        pytest.param(99, {}, False, False, id="too few rows"),
        pytest.param(100, {}, True, True, id="just enough"),
    ],
)
def test_what_can_be_frozen(n: int, changes: dict, scores: bool, calibration: bool) -> None:
    found = frozen(n, **changes)
    assert (found is not None) == scores
    assert (found is not None and found.calibration is not None) == calibration


def test_sure_answers_freeze_scores_alone() -> None:
    sure = np.full(200, 1e-4)
    found = FrozenBaseline.of(sure, sure, np.zeros(200, dtype=np.int8), np.ones(200))
    assert found is not None and found.calibration is None
    assert FrozenBaseline.from_json(found.to_json()) == found


def test_a_round_trip_through_json() -> None:
    found = frozen()
    assert found is not None
    assert FrozenBaseline.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert FrozenBaseline.from_json(None) is None


@pytest.mark.parametrize("certified", [False, True], ids=["uncertified", "certified"])
def test_a_fit_freezes_what_it_saw(certified: bool) -> None:
    request = FitRequest(rule="entropy", miss_rate=0.4 if certified else None, budget=0.9)
    items = PLAIN.draw(2000, 1)
    made = fit_policy(items, request)
    assert made.baseline is not None and made.baseline.calibration is not None
    assert (made.certificate is not None) == certified
    assert abs(made.baseline.calibration.error) < 0.01
    assert made.baseline.scores.items == (1000 if certified else 2000)
    fresh, other = PLAIN.draw(2000, 2), World(share=0.6).draw(2000, 3)
    assert score_drift(made.baseline.scores, fresh.prefilter).level is DriftLevel.STABLE
    assert score_drift(made.baseline.scores, other.prefilter).level is DriftLevel.DRIFTED


def test_a_small_fit_has_no_baseline_and_its_document_no_key() -> None:
    made = fit_policy(PLAIN.draw(80, 1), FitRequest(rule="entropy"))
    assert made.baseline is None and "baseline" not in made.to_json()


def test_a_policy_keeps_its_baseline_in_json() -> None:
    made = policy(baseline=frozen())
    again = RoutingPolicy.from_json(json.loads(json.dumps(made.to_json())))
    assert again == made and again.version == made.version != policy().version


def test_a_document_from_before_there_were_baselines_loads_under_its_version() -> None:
    document = policy().to_json()
    assert "baseline" not in document
    again = RoutingPolicy.from_json(document)
    assert again.baseline is None and again.version == policy().version


def test_a_whole_baseline_is_read() -> None:
    made = RoutingPolicy.from_json(policy().to_json() | {"baseline": WHOLE})
    assert made.baseline is not None and made.baseline.to_json() == WHOLE


@pytest.mark.parametrize(
    "baseline",
    [
        pytest.param({}, id="empty"),
        pytest.param({"scores": {"edges": [1.0, 0.0], "shares": [1.0], "items": 5}}, id="no edges"),
        pytest.param([], id="a list"),
        pytest.param(WHOLE | {"calibration": {"error": "x", "standard_error": 0.1}}, id="text"),
        pytest.param(
            WHOLE | {"calibration": {"error": float("nan"), "standard_error": 0.1}}, id="nan"
        ),
        pytest.param({"scores": SCORES | {"items": None}, "calibration": None}, id="no items"),
        pytest.param({"scores": SCORES | {"items": 0}, "calibration": None}, id="of nothing"),
        pytest.param({"scores": SCORES}, id="half of it"),
    ],
)
def test_a_damaged_baseline_is_refused(baseline: object) -> None:
    with pytest.raises(RoutingError):
        RoutingPolicy.from_json(policy().to_json() | {"baseline": baseline})


def selected(n: int, seed: int) -> Predictions:
    """Labels where the prefilter was unsure, and an audit of one in ten of the others."""
    items = PLAIN.draw(n, seed)
    rng = np.random.default_rng(seed + 1000)  # not the numbers that made the labels
    unsure = np.abs(items.prefilter - 0.5) < 0.25
    kept = unsure | (rng.random(n) < 0.1)
    weight = np.where(unsure, 1.0, 10.0)[kept]
    few = items.take(kept)
    return Predictions.of(few.label, few.prefilter, few.mllm, few.item_id, weight=weight)


def test_weights_make_the_baseline_that_of_the_traffic() -> None:
    items, traffic = selected(20_000, 1), PLAIN.draw(5000, 2)
    weighted = Baseline.from_scores(items.prefilter, weights=items.weight)
    plain = Baseline.from_scores(items.prefilter)
    assert score_drift(weighted, traffic.prefilter).level is DriftLevel.STABLE
    assert score_drift(plain, traffic.prefilter).level is DriftLevel.DRIFTED
    assert weighted.items < len(items) == plain.items


@pytest.mark.parametrize("seed", range(5))
def test_a_weighted_fit_raises_no_alarm_on_its_own_traffic(seed: int) -> None:
    made = fit_policy(selected(6000, seed), FitRequest(rule="entropy"))
    assert made.baseline is not None
    fresh = PLAIN.draw(3000, 100 + seed)
    assert score_drift(made.baseline.scores, fresh.prefilter).level is DriftLevel.STABLE


def test_equal_weights_change_nothing() -> None:
    scores = np.random.default_rng(0).random(500)
    same = Baseline.from_scores(scores, weights=np.full(500, 7.0))
    plain = Baseline.from_scores(scores)
    assert same.edges == plain.edges and same.items == pytest.approx(plain.items)
    assert same.shares == pytest.approx(plain.shares)
