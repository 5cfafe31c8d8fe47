"""What a policy makes of the prefilter's score and the features."""

from __future__ import annotations

import json

import numpy as np
import pytest

from coefvq.errors import RoutingError
from coefvq.routing.calibration import log_odds, sigmoid
from coefvq.routing.features import fit_scaling
from coefvq.routing.first_stage import FirstStage
from coefvq.routing.objective import Objective
from coefvq.routing.parts import Candidate, Parts
from coefvq.routing.regress import PolynomialRidge
from coefvq.routing.stage import FLOOR, fit_stage
from tests.unit.routing.worlds import HINTED

ITEMS = HINTED.draw(300)
SCALING = fit_scaling(ITEMS.feature_names, ITEMS.features)
STAGE = fit_stage(ITEMS.prefilter, ITEMS.label)
FORECAST = PolynomialRidge(((0,), (1,)), (0.2, 0.1, 0.4))
STAGES = {
    "prefilter": FirstStage(STAGE, SCALING),
    "features": FirstStage(STAGE, SCALING, "features", (1.5, 0.5, -1.0)),
    "forecast": FirstStage(STAGE, SCALING, "forecast", forecast=FORECAST),
}


@pytest.mark.parametrize("base", STAGES)
def test_all_that_rules_read_is_finite_and_has_its_shape(base: str) -> None:
    known = STAGES[base].know(ITEMS.prefilter, ITEMS.features)
    assert known.p1 == pytest.approx(STAGE(ITEMS.prefilter))
    assert known.inputs.shape == (300, 2)
    for values in (known.p1, known.base):
        assert ((values >= FLOOR) & (values <= 1 - FLOOR)).all()
    assert (known.forecast is None) is (base != "forecast")


def test_the_base_is_what_its_name_says() -> None:
    inputs = STAGES["prefilter"].inputs(ITEMS.prefilter, ITEMS.features)
    known = {
        base: stage.know(ITEMS.prefilter, ITEMS.features).base for base, stage in STAGES.items()
    }
    assert known["prefilter"] == pytest.approx(STAGE(ITEMS.prefilter))
    assert known["features"] == pytest.approx(sigmoid(inputs @ [1.5, 0.5] - 1.0), abs=1e-4)
    root = np.clip(FORECAST(inputs), 0, 1)
    assert known["forecast"] == pytest.approx(np.clip(root**2, FLOOR, 1 - FLOOR))


def test_the_first_input_is_the_place_of_the_score() -> None:
    inputs = STAGES["prefilter"].inputs(ITEMS.prefilter, ITEMS.features)
    assert inputs[:, 0] == pytest.approx(log_odds(STAGE(ITEMS.prefilter)) / 2)
    assert (inputs[:, 1:] == SCALING(ITEMS.features)).all()


def test_absent_features_leave_everything_finite() -> None:
    absent = np.full((300, 1), np.nan)
    for stage in STAGES.values():
        known = stage.know(ITEMS.prefilter, absent)
        assert np.isfinite(known.base).all() and np.isfinite(known.inputs).all()


@pytest.mark.parametrize("base", STAGES)
def test_json_brings_the_same_answers_back(base: str) -> None:
    stage = STAGES[base]
    again = FirstStage.from_json(json.loads(json.dumps(stage.to_json())))
    one, other = (s.know(ITEMS.prefilter, ITEMS.features) for s in (stage, again))
    np.testing.assert_allclose(other.base, one.base, rtol=0, atol=1e-12)
    np.testing.assert_allclose(other.inputs, one.inputs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("base", ["forecast", "features", "magic"])
def test_a_base_without_its_numbers_is_refused(base: str) -> None:
    with pytest.raises(RoutingError, match=base):
        FirstStage(STAGE, SCALING, base)


def test_features_make_the_base_better() -> None:
    parts, fresh = Parts(HINTED.draw(1000), Objective("f1")), HINTED.draw(5000, 1)
    found = {}
    for base in ("prefilter", "features"):
        stage = parts.first(Candidate("learned", "gain", base, "ridge"))
        p = stage.know(fresh.prefilter, fresh.feature_matrix(stage.scaling.names)).base
        found[base] = -np.log(np.where(fresh.label == 1, p, 1 - p)).mean()
    assert found["features"] < 0.85 * found["prefilter"]


@pytest.mark.parametrize("rule", ["entropy", "margin", "bayes_risk"])
def test_simple_rules_need_no_feature(rule: str) -> None:
    stage = Parts(ITEMS, Objective("f1")).first(Candidate(rule, rule))
    assert stage.scaling.names == ()
