"""The two regressors: the same answers as scikit-learn, after JSON, and far from their data."""

from __future__ import annotations

import json
from math import comb

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingRegressor

from coefvq.routing.regress import (
    BLOCK,
    CUBIC_UP_TO,
    BoostedTrees,
    Mean,
    PolynomialRidge,
    Regressor,
    fit_ridge,
    fit_trees,
    monomial,
    monomials,
    regressor_from_json,
)


def _data(n: int = 400, inputs: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Inputs are float32 numbers: scikit-learn's trees read them so."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, inputs)).astype(np.float32).astype(np.float64)
    return x, np.sin(x[:, 0]) + (x[:, 1] > 0) * 0.5 + 0.1 * rng.normal(size=n)


def _fitted(kind: str, inputs: int = 3) -> Regressor:
    x, y = _data(inputs=inputs)
    ridge, trees = fit_ridge(x, y, np.ones(len(x))), fit_trees(x, y, np.ones(len(x)))
    return {"ridge": ridge, "trees": trees, "mean": Mean((ridge, trees))}[kind]


@pytest.mark.parametrize("inputs", [1, 2, 3, CUBIC_UP_TO], ids=str)
@pytest.mark.parametrize("degree", [1, 2, 3], ids=str)
def test_all_terms_up_to_a_degree_are_there_once(inputs: int, degree: int) -> None:
    terms = monomials(inputs, degree)
    assert len(terms) == len(set(terms)) == comb(inputs + degree, degree) - 1
    assert all(list(term) == sorted(term) for term in terms)


def test_many_inputs_have_no_cube_of_terms() -> None:
    terms = monomials(30)
    assert len(terms) == len(set(terms)) == 30 + 30 + 29
    assert max(len(term) for term in terms) == 2


@pytest.mark.parametrize(
    ("term", "expected"), [((0,), [2.0, -1.0]), ((1, 1), [9.0, 16.0]), ((0, 0, 1), [12.0, 4.0])],
    ids=str,
)  # fmt: skip
def test_a_monomial_is_a_product_of_columns(term: tuple[int, ...], expected: list[float]) -> None:
    x = np.array([[2.0, 3.0], [-1.0, 4.0]])
    assert monomial(x, term).tolist() == expected


def test_ridge_recovers_a_cubic() -> None:
    x, _ = _data(2000, 2)
    truth = 1 + 2 * x[:, 0] - x[:, 1] ** 2 + 0.5 * x[:, 0] ** 2 * x[:, 1]
    found = fit_ridge(x, truth, np.ones(len(x)))
    fresh, _ = _data(500, 2, seed=9)
    again = 1 + 2 * fresh[:, 0] - fresh[:, 1] ** 2 + 0.5 * fresh[:, 0] ** 2 * fresh[:, 1]
    assert found(fresh) == pytest.approx(again, abs=0.05)


def test_ridge_of_noise_is_nearly_flat() -> None:
    x, _ = _data(200, 4)
    noise = np.random.default_rng(5).normal(size=200)
    assert fit_ridge(x, noise, np.ones(200))(x).std() < 0.35 * noise.std()


@pytest.mark.parametrize("fit", [fit_ridge, fit_trees], ids=["ridge", "trees"])
def test_weights_count_rows(fit: object) -> None:
    x, y = _data(200)
    twofold = np.concatenate([y, y + 3])
    weights = np.concatenate([np.full(200, 1e-3), np.ones(200)])
    assert callable(fit)
    found = fit(np.concatenate([x, x]), twofold, weights)
    assert found(x).mean() == pytest.approx(y.mean() + 3, abs=0.1)


def test_trees_predict_what_scikit_learn_predicts() -> None:
    x, y = _data(500, 4)
    weights = np.random.default_rng(1).uniform(0.5, 2, 500)
    theirs = GradientBoostingRegressor(
        n_estimators=100, max_depth=2, learning_rate=0.05, subsample=0.5, min_samples_leaf=10,
        random_state=3,
    ).fit(x, y, sample_weight=weights)  # fmt: skip
    fresh, _ = _data(2000, 4, seed=8)
    ours = fit_trees(x, y, weights, seed=3)(fresh)
    np.testing.assert_allclose(ours, theirs.predict(fresh), atol=1e-12)


@pytest.mark.parametrize("n", [4, 12, 30], ids=str)
def test_trees_of_few_rows_hold_missing_splits(n: int) -> None:
    x, y = _data(n)
    ours = fit_trees(x, y, np.ones(n))
    theirs = GradientBoostingRegressor(
        n_estimators=100, max_depth=2, learning_rate=0.05, subsample=0.5,
        min_samples_leaf=max(2, min(10, n // 20)), random_state=0,
    ).fit(x, y, sample_weight=np.ones(n))  # fmt: skip
    np.testing.assert_allclose(ours(x), theirs.predict(x), atol=1e-12)


def test_trees_of_a_constant_are_that_constant() -> None:
    x, _ = _data(50)
    assert fit_trees(x, np.full(50, 0.3), np.ones(50))(x) == pytest.approx(np.full(50, 0.3))


@pytest.mark.parametrize("kind", ["ridge", "trees", "mean"])
def test_json_brings_the_same_answers_back(kind: str) -> None:
    found = _fitted(kind)
    again = regressor_from_json(json.loads(json.dumps(found.to_json())))
    x, _ = _data(1000, seed=4)
    np.testing.assert_allclose(again(x), found(x), rtol=0, atol=1e-12)
    assert again.to_json() == found.to_json()


def test_a_regressor_of_no_known_kind_is_refused() -> None:
    with pytest.raises((KeyError, ValueError)):
        regressor_from_json({"kind": "forest"})


@pytest.mark.parametrize("kind", ["ridge", "trees", "mean"])
@pytest.mark.parametrize("inputs", [3, 30], ids=str)
def test_answers_stay_finite_far_outside_the_data(kind: str, inputs: int) -> None:
    found = _fitted(kind, inputs)
    far = np.concatenate([np.full((2, inputs), 1e3), np.full((2, inputs), -1e3)])
    assert np.isfinite(found(far)).all()


def test_thirty_inputs_of_which_two_matter() -> None:
    x, y = _data(600, 30)
    fresh, truth = _data(600, 30, seed=2)
    for fit in (fit_ridge, fit_trees):
        error = fit(x, y, np.ones(600))(fresh) - truth
        assert error.var() < 0.5 * truth.var()


@pytest.mark.parametrize("kind", ["ridge", "trees", "mean"])
@pytest.mark.parametrize("n", [0, 1, BLOCK + 5], ids=str)
def test_blocks_do_not_show(kind: str, n: int) -> None:
    found = _fitted(kind)
    x, _ = _data(n)
    answers = found(x)
    assert answers.shape == (n,)
    for row in (0, n - 1) if n else ():
        assert answers[row] == pytest.approx(found(x[row : row + 1])[0], abs=1e-12)


def test_the_mean_is_the_mean() -> None:
    parts = [PolynomialRidge(((0,),), (1.0, 2.0)), PolynomialRidge(((0,),), (3.0, 0.0))]
    assert Mean(tuple(parts))(np.array([[1.0], [2.0]])).tolist() == [3.0, 5.0]


def test_a_tree_by_hand() -> None:
    tree = BoostedTrees(
        0.5, np.array([[0, 1, 1]]), np.array([[0.0, 1.0, 2.0]]), np.array([[1.0, 2.0, 3.0, 4.0]])
    )
    x = np.array([[-1.0, 1.0], [-1.0, 1.1], [0.1, 2.0], [0.1, 2.1]])
    assert tree(x).tolist() == [1.5, 2.5, 3.5, 4.5]
