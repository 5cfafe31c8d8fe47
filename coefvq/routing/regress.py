"""Two small regressors that travel as JSON and need only numpy to predict.

Fitted with scikit-learn: a ridge on polynomial terms (smooth, steady with few labels) and boosted
shallow trees (steps, interactions, many features).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
BLOCK = 32_768
"""Rows handled at a time: a block's working set stays in the processor's cache."""
CUBIC_UP_TO = 5
"""Inputs up to which all terms of degree three are used; above, squares only."""
ALPHAS = np.logspace(-2, 4, 13)


class Regressor(Protocol):
    """Inputs (n, d), finite, spread about 1 -> (n,)."""

    def __call__(self, x: Matrix) -> NDArray[np.float64]:
        """Predict."""

    def to_json(self) -> dict[str, Any]:
        """Everything needed to predict again."""


@dataclass(frozen=True)
class PolynomialRidge:
    """Ridge regression on monomials of the inputs.

    Attributes:
        terms: Input numbers of each monomial, as (0, 0, 1) for x0² x1.
        weights: One a term, then the constant.
    """

    terms: tuple[tuple[int, ...], ...]
    weights: tuple[float, ...]

    def __call__(self, x: Matrix) -> NDArray[np.float64]:
        """Predict in blocks; (n, d) -> (n,)."""
        return np.concatenate(
            [self._block(x[start : start + BLOCK]) for start in range(0, max(len(x), 1), BLOCK)]
        )

    def _block(self, x: Matrix) -> NDArray[np.float64]:
        out = np.full(len(x), self.weights[-1])
        for term, weight in zip(self.terms, self.weights, strict=False):
            out += weight * monomial(x, term)
        return out

    def to_json(self) -> dict[str, Any]:
        """As stored in a routing policy."""
        terms = [list(term) for term in self.terms]
        return {"kind": "ridge", "terms": terms, "weights": list(self.weights)}


@dataclass(frozen=True)
class BoostedTrees:
    """A sum of trees of depth two (Friedman 2001, stochastic gradient boosting).

    Attributes:
        constant: Where the sum starts.
        inputs: (trees, 3) input number at the root, its left and its right child.
        cuts: (trees, 3) "right if x > cut".
        leaves: (trees, 4) left-left, left-right, right-left, right-right; shrinkage included.
    """

    constant: float
    inputs: NDArray[np.intp]
    cuts: Matrix
    leaves: Matrix

    def __call__(self, x: Matrix) -> NDArray[np.float64]:
        """Predict in blocks; (n, d) -> (n,)."""
        return np.concatenate(
            [
                self._block(x[start : start + BLOCK].T.copy())
                for start in range(0, max(len(x), 1), BLOCK)
            ]
        )

    def _block(self, columns: Matrix) -> NDArray[np.float64]:
        out = np.full(columns.shape[1], self.constant)
        for (root, left, right), cut, leaf in zip(self.inputs, self.cuts, self.leaves, strict=True):
            on_right = columns[root] > cut[0]
            below = np.where(on_right, columns[right] > cut[2], columns[left] > cut[1])
            out += leaf[2 * on_right + below]
        return out

    def to_json(self) -> dict[str, Any]:
        """As stored in a routing policy."""
        return {
            "kind": "trees",
            "constant": self.constant,
            "inputs": self.inputs.tolist(),
            "cuts": self.cuts.tolist(),
            "leaves": self.leaves.tolist(),
        }


@dataclass(frozen=True)
class Mean:
    """The average of several regressors: their errors differ."""

    parts: tuple[Regressor, ...]

    def __call__(self, x: Matrix) -> NDArray[np.float64]:
        """Predict; (n, d) -> (n,)."""
        return np.mean([part(x) for part in self.parts], axis=0)

    def to_json(self) -> dict[str, Any]:
        """As stored in a routing policy."""
        return {"kind": "mean", "parts": [part.to_json() for part in self.parts]}


def regressor_from_json(data: dict[str, Any]) -> Regressor:
    """Read what a regressor's ``to_json`` wrote."""
    if data["kind"] == "mean":
        parts = tuple(regressor_from_json(part) for part in data["parts"])
        if not parts:
            raise ValueError("a mean of no regressors")
        return Mean(parts)
    if data["kind"] == "ridge":
        terms = tuple(tuple(int(i) for i in term) for term in data["terms"])
        return PolynomialRidge(terms, tuple(float(weight) for weight in data["weights"]))
    return BoostedTrees(
        float(data["constant"]),
        np.asarray(data["inputs"], dtype=np.intp),
        np.asarray(data["cuts"], dtype=np.float64),
        np.asarray(data["leaves"], dtype=np.float64),
    )


def monomial(x: Matrix, term: tuple[int, ...]) -> NDArray[np.float64]:
    """The product of some columns, (n, d) -> (n,)."""
    out = x[:, term[0]]
    for column in term[1:]:
        out = out * x[:, column]
    return out


def monomials(inputs: int, degree: int = 3) -> tuple[tuple[int, ...], ...]:
    """All terms up to a degree; with many inputs each input, its square, and x0 times it."""
    numbers = range(inputs)
    if inputs <= CUBIC_UP_TO:
        degrees = range(1, degree + 1)
        return tuple(term for d in degrees for term in combinations_with_replacement(numbers, d))
    singles, squares = [(i,) for i in numbers], [(i, i) for i in numbers]
    return (*singles, *squares, *[(0, i) for i in numbers if i])


def fit_ridge(
    x: Matrix, target: Matrix, weights: NDArray[np.float64], degree: int = 3
) -> PolynomialRidge:
    """Ridge on standardised monomials; its strength by leave-one-out error."""
    from sklearn.linear_model import RidgeCV

    terms = monomials(x.shape[1], degree)
    columns = np.stack([monomial(x, term) for term in terms], axis=1)
    middle, spread = columns.mean(0), columns.std(0)
    spread[spread == 0] = 1.0
    model = RidgeCV(ALPHAS).fit((columns - middle) / spread, target, sample_weight=weights)
    slopes = model.coef_ / spread
    constant = float(model.intercept_ - slopes @ middle)
    return PolynomialRidge(terms, (*(float(slope) for slope in slopes), constant))


def thinned(
    x: Matrix, target: Matrix, weights: NDArray[np.float64], seed: int, most: int = 5000
) -> tuple[Matrix, Matrix, NDArray[np.float64]]:
    """A random part of at most ``most`` rows: regressors this small gain nothing from more."""
    if len(x) <= most:
        return x, target, weights
    rows = np.random.default_rng(seed).choice(len(x), most, replace=False)
    return x[rows], target[rows], weights[rows]


def fit_trees(
    x: Matrix, target: Matrix, weights: NDArray[np.float64], seed: int = 0
) -> BoostedTrees:
    """A hundred trees of depth two, each on half of the rows."""
    from sklearn.ensemble import GradientBoostingRegressor

    model = GradientBoostingRegressor(
        n_estimators=100,
        max_depth=2,
        learning_rate=0.05,
        subsample=0.5,
        min_samples_leaf=max(2, min(10, len(x) // 20)),
        random_state=seed,
    ).fit(x, target, sample_weight=weights)
    trees = [_depth_two(tree.tree_, model.learning_rate) for tree in model.estimators_[:, 0]]
    return BoostedTrees(
        float(model.init_.constant_.ravel()[0]),
        np.array([tree[0] for tree in trees], dtype=np.intp),
        np.array([tree[1] for tree in trees], dtype=np.float64),
        np.array([tree[2] for tree in trees], dtype=np.float64),
    )


def _depth_two(tree: Any, rate: float) -> tuple[list[int], list[float], list[float]]:
    """One scikit-learn tree as root, two children, four leaves; missing splits repeat a leaf."""
    root_is_leaf = tree.children_left[0] < 0
    sides = (0, 0) if root_is_leaf else (tree.children_left[0], tree.children_right[0])
    inputs, cuts = [max(int(tree.feature[0]), 0)], [float(tree.threshold[0])]
    leaves: list[float] = []
    for side in sides:
        leaf = tree.children_left[side] < 0
        inputs.append(max(int(tree.feature[side]), 0))
        cuts.append(0.0 if leaf else float(tree.threshold[side]))
        ends = (side, side) if leaf else (tree.children_left[side], tree.children_right[side])
        leaves += [rate * float(tree.value[end].ravel()[0]) for end in ends]
    return inputs, cuts, leaves
