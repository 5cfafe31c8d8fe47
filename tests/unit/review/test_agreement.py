"""Alpha and kappa against reference implementations, and where they do not exist."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from coefvq.review.agreement import (
    binary_alphas,
    binary_kappas,
    cohen_kappa,
    krippendorff_alpha,
)

CODES = {"a": 0.0, "b": 1.0, "c": 2.0, None: math.nan}
MARKS = st.sampled_from(["a", "b", "c", None])
UNITS = st.integers(2, 4).flatmap(
    lambda people: st.lists(st.lists(MARKS, min_size=people, max_size=people), max_size=15)
)
PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), max_size=30)
TABLES = st.lists(st.tuples(*[st.integers(0, 9)] * 4), min_size=1, max_size=8)


def reference_alpha(units: Sequence[Sequence[str | None]]) -> float | None:
    """Of the known package; it refuses or gives NaN where there is none."""
    if not units:
        return None
    columns = [[CODES[mark] for mark in unit] for unit in units]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            table = np.array(columns).T
            found = float(krippendorff.alpha(table, level_of_measurement="nominal"))
        except ValueError:
            return None
    return None if math.isnan(found) else found


def reference_kappa(a: Sequence[str], b: Sequence[str]) -> float | None:
    """Of scikit-learn."""
    if not a:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = float(cohen_kappa_score(a, b))
    return None if math.isnan(found) else found


@settings(max_examples=300, deadline=None)
@given(UNITS)
def test_alpha_is_the_reference(units: list[list[str | None]]) -> None:
    mine = krippendorff_alpha([[mark for mark in unit if mark] for unit in units])
    assert mine == pytest.approx(reference_alpha(units), abs=1e-9)


@settings(max_examples=300, deadline=None)
@given(PAIRS)
def test_kappa_is_the_reference(pairs: list[tuple[str, str]]) -> None:
    a, b = [one for one, _ in pairs], [other for _, other in pairs]
    assert cohen_kappa(a, b) == pytest.approx(reference_kappa(a, b), abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(TABLES)
def test_many_at_once_are_the_same(tables: list[tuple[int, int, int, int]]) -> None:
    cells = np.array(tables)
    alphas = binary_alphas(cells[:, 3], cells[:, 1] + cells[:, 2], cells[:, 0])
    kappas = binary_kappas(cells)
    for row, alpha, kappa in zip(tables, alphas, kappas, strict=True):
        kinds = (("ok", "ok"), ("ok", "bad"), ("bad", "ok"), ("bad", "bad"))
        pairs = [pair for pair, number in zip(kinds, row, strict=True) for _ in range(number)]
        one, other = [a for a, _ in pairs], [b for _, b in pairs]
        assert (None if math.isnan(alpha) else alpha) == pytest.approx(krippendorff_alpha(pairs))
        assert (None if math.isnan(kappa) else kappa) == pytest.approx(cohen_kappa(one, other))


@pytest.mark.parametrize(
    ("units", "alpha"),
    [
        pytest.param([], None, id="no unit"),
        pytest.param([[], ["a"], ["b"]], None, id="one reviewer only"),
        pytest.param([["a", "a"], ["a", "a"]], None, id="all labels equal"),
        pytest.param([["a", "a"], ["b", "b"]], 1.0, id="perfect"),
        pytest.param([["a", "b"]], 0.0, id="one unit that differs"),
        pytest.param([["a", "b"], ["b", "a"]], -0.5, id="less than chance"),
    ],
)
def test_alpha_by_hand(units: list[list[str]], alpha: float | None) -> None:
    assert krippendorff_alpha(units) == (None if alpha is None else pytest.approx(alpha))


@pytest.mark.parametrize(
    ("a", "b", "kappa"),
    [
        pytest.param("", "", None, id="nothing"),
        pytest.param("aaa", "aaa", None, id="one label by both"),
        pytest.param("aaa", "bbb", 0.0, id="never the same"),
        pytest.param("abab", "abab", 1.0, id="perfect"),
        pytest.param("ab", "ba", -1.0, id="the opposite"),
    ],
)
def test_kappa_by_hand(a: str, b: str, kappa: float | None) -> None:
    assert cohen_kappa(list(a), list(b)) == kappa


def test_kappa_needs_the_same_things() -> None:
    with pytest.raises(ValueError, match="same things"):
        cohen_kappa(["a"], [])
