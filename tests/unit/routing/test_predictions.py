"""What counts as labelled history, and what is refused."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coefvq.errors import RoutingError
from coefvq.routing.predictions import Predictions
from tests.unit.routing.policies import history

GOOD: dict[str, Any] = {"label": [0, 1, 1], "prefilter": [0.1, 0.8, -3.0], "mllm": [0.2, np.nan, 9]}


def test_defaults() -> None:
    found = Predictions.of(**GOOD)
    assert len(found) == 3
    assert found.violations == 2
    assert found.item_id.tolist() == ["0", "1", "2"]
    assert found.has_mllm.tolist() == [True, False, True]
    assert found.mllm_cost.tolist() == [1, 1, 1]
    assert found.prefilter_cost.tolist() == [0, 0, 0]
    assert found.features.shape == (3, 0)
    assert not found.weighted
    assert not found.costs_given


def test_everything_given() -> None:
    features = {"motion": [1, np.nan, 3], "length": [4, 5, 6]}
    costs = {"prefilter_cost": [1, 1, 1], "mllm_cost": [50, 60, 70]}
    found = Predictions.of(
        **GOOD, item_id=["a", "b", "c"], weight=[1, 2, 1], features=features, **costs
    )
    assert found.feature_names == ("motion", "length")
    assert found.features[:, 1].tolist() == [4, 5, 6]
    assert found.costs_given
    assert found.weighted


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"label": [0, 1, 2]}, "label must be 0 or 1: 1 row.*first: 2", id="label 2"),
        pytest.param({"label": [0, 1, -1]}, "label must be 0 or 1", id="label -1"),
        pytest.param({"label": [0, 1, 0.5]}, "label must be 0 or 1", id="label 0.5"),
        pytest.param({"label": [0, np.nan, 1]}, "label must be 0 or 1.*first: 1", id="label NaN"),
        pytest.param({"label": ["no", "yes", "no"]}, "label must be 0 or 1", id="label in words"),
        pytest.param({"prefilter": [0.1, np.nan, 1]}, "prefilter must be a finite", id="NaN score"),
        pytest.param({"prefilter": [0.1, np.inf, 1]}, "prefilter must be a finite", id="infinite"),
        pytest.param({"prefilter": [0.1, 0.2]}, "prefilter must have 3 values", id="two scores"),
        pytest.param({"mllm": [0.1, np.inf, 1]}, "mllm must be finite, or empty", id="inf mllm"),
        pytest.param({"weight": [1, 0, 1]}, "weight must be > 0", id="weight 0"),
        pytest.param({"weight": [1, np.nan, 1]}, "weight must be > 0", id="weight NaN"),
        pytest.param({"mllm_cost": [1, -1, 1]}, "mllm_cost must be >= 0", id="negative cost"),
        pytest.param({"prefilter_cost": [1, np.nan, 1]}, "prefilter_cost must be", id="NaN cost"),
        pytest.param({"features": {"a": [1, np.inf, 1]}}, "features must be finite", id="inf a"),
        pytest.param({"features": {"a": [1, 2]}}, "features must have 3 values", id="short a"),
        pytest.param(
            {"features": {"a": [1, 2, 3], "b": [1]}}, "features must have 3 values", id="uneven"
        ),
        pytest.param({"item_id": ["a"]}, "item_id must have 3 values", id="one name"),
        pytest.param({"wieght": [1, 1, 1]}, "wieght.*weight", id="a misspelt column"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], message: str) -> None:
    with warnings.catch_warnings(), pytest.raises(RoutingError, match=message):
        warnings.simplefilter("error")
        Predictions.of(**(GOOD | changes))


@given(st.integers(0, 1000))
def test_the_digest_names_content_not_order(seed: int) -> None:
    items = history(20, seed=1, features={"a": np.arange(20.0)})
    shuffled = items.take(np.random.default_rng(seed).permutation(20))
    assert shuffled.digest == items.digest
    assert items.take(np.arange(19)).digest != items.digest


@pytest.mark.parametrize("column", ["label", "prefilter", "mllm", "weight", "features"])
def test_the_digest_sees_every_column_that_fitting_reads(column: str) -> None:
    items = history(20, features={"a": np.arange(20.0)})
    other = history(20, features={"a": np.arange(20.0)})
    values = getattr(other, column)
    values.flat[3] = 1 - values.flat[3] if column == "label" else values.flat[3] + 0.5
    assert other.digest != items.digest


def test_rows_by_position_or_mask() -> None:
    items = history(10, features={"a": np.arange(10.0)})
    some = items.take(np.array([3, 1]))
    assert some.item_id.tolist() == ["v00003", "v00001"]
    assert some.features[:, 0].tolist() == [3, 1]
    assert len(items.take(items.label == 0)) == (items.label == 0).sum()


def test_features_in_the_order_asked_for() -> None:
    items = history(4, features={"a": np.arange(4.0), "b": np.arange(4.0) * 10})
    assert items.feature_matrix(("b", "a"))[2].tolist() == [20, 2]
    assert items.feature_matrix(()).shape == (4, 0)


def test_missing_features_are_named() -> None:
    items = history(4, features={"a": np.arange(4.0)})
    with pytest.raises(RoutingError, match="lack feature_b, feature_c"):
        items.feature_matrix(("a", "b", "c"))
