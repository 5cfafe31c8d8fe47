"""Rows of unequal weight: a budget is a share of the traffic that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coefvq.routing.fit import fit_policy
from coefvq.routing.replay import replay
from coefvq.routing.request import FitRequest
from coefvq.routing.route import route
from coefvq.routing.shares import fitting, lowest_of_top, ranks
from tests.unit.routing.worlds import PLAIN

ROWS = st.lists(
    st.tuples(st.floats(-5, 5), st.sampled_from([0.5, 1.0, 3.0])), min_size=1, max_size=40
)


@given(ROWS, st.floats(0, 1))
def test_no_more_than_the_share_lies_above_the_cut(
    rows: list[tuple[float, float]], share: float
) -> None:
    values, weight = map(np.array, zip(*rows, strict=True))
    cut = lowest_of_top(values, weight, share, above=True)
    above = weight[values > cut].sum() / weight.sum()
    assert cut in values and above <= share + 1e-6
    if np.ptp(weight) > 0:  # of equal weights, numpy's quantile counts steps between rows
        assert lowest_of_top(values, weight, share) <= cut


@given(ROWS)
def test_ranks_are_the_weight_below(rows: list[tuple[float, float]]) -> None:
    values, weight = map(np.array, zip(*rows, strict=True))
    found = ranks(values, weight)
    for value, rank, own in zip(values, found, weight / weight.sum(), strict=True):
        below, level = (weight[values < value].sum(), weight[values <= value].sum())
        assert below / weight.sum() - 1e-9 <= rank - own / 2
        assert rank + own / 2 <= level / weight.sum() + 1e-9


@pytest.mark.parametrize(
    ("weight", "room", "count"),
    [([], 1.0, 0), ([1.0, 1.0], 0.0, 0), ([0.1] * 10, 0.3, 3), ([2.0, 1.0], 1.5, 0)],
)
def test_whole_rows_fit_into_a_room(weight: list[float], room: float, count: int) -> None:
    assert fitting(np.array(weight), room) == count


@pytest.mark.parametrize("rule", ["entropy", "bayes_risk"])
def test_the_budget_is_spent_on_traffic_and_not_on_rows(rule: str) -> None:
    """Violations are sampled ten times as often: of the rows far more are near the threshold."""
    drawn = PLAIN.draw(3000, 3)
    weight = np.where(drawn.label == 1, 0.1, 1.0)
    items = drawn.__class__.of(
        label=drawn.label, prefilter=drawn.prefilter, mllm=drawn.mllm, item_id=drawn.item_id,
        weight=weight,
    )  # fmt: skip
    policy = fit_policy(items, FitRequest(rule=rule, budget=0.25))
    used = weight[route(policy, items).escalated].sum() / weight.sum()
    assert 0.2 < used <= 0.25 + 1e-9
    assert replay(policy, items).to_json()["escalation_rate"] == pytest.approx(used)
