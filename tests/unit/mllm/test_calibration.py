from __future__ import annotations

import numpy as np
import pytest

from coefvq.mllm.calibration import Platt, cross_fitted, fit_platt


def _sample(slope: float, intercept: float, n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(0)
    margin = chance.normal(size=n) * 2
    label = chance.random(n) < 1 / (1 + np.exp(-(slope * margin + intercept)))
    return margin, label.astype(int)


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.4, -1.0), (2.0, 1.5)])
def test_platt_finds_the_curve(slope: float, intercept: float) -> None:
    found = fit_platt(*_sample(slope, intercept))
    assert found.slope == pytest.approx(slope, rel=0.06)
    assert found.intercept == pytest.approx(intercept, abs=0.06)


def test_a_useless_score_becomes_the_base_rate_and_never_turns_round() -> None:
    margin, label = _sample(-1.0, 0.0)
    found = fit_platt(margin, label)
    assert found.slope == 0.0


def test_perfect_separation_stays_finite() -> None:
    found = fit_platt([-2.0, -1.0, 1.0, 2.0], [0, 0, 1, 1])
    assert np.isfinite([found.slope, found.intercept]).all()
    assert 0.5 < float(found(2.0)) < 1.0


def test_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="both labels"):
        fit_platt([0.1, 0.2], [1, 1])


def test_extreme_margins_do_not_overflow() -> None:
    assert Platt(1.0, 0.0)([-1e9, 1e9]).tolist() == pytest.approx([0.0, 1.0], abs=1e-9)


def test_cross_fitting_never_uses_the_own_fold() -> None:
    margin, label = _sample(1.0, 0.0, 300)
    fold = np.arange(300) % 3
    flipped = label.copy()
    flipped[fold == 0] = 1 - flipped[fold == 0]
    before, after = (cross_fitted(margin, y, fold.tolist()) for y in (label, flipped))
    assert np.array_equal(before[fold == 0], after[fold == 0])
    assert not np.array_equal(before[fold == 1], after[fold == 1])
