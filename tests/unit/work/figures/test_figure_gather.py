"""Columns for figures hold what ``routing_history`` says of the same cases."""

from __future__ import annotations

import math

import numpy as np
import pytest

from coefvq.domain import RouteName
from coefvq.errors import RoutingError
from coefvq.review import decide
from coefvq.settings import Settings
from coefvq.store.session import Store
from coefvq.work.figures.gather import Decided, gather
from coefvq.work.routing_history import NO_ANSWER, NOT_DRAWN, OLD_MODEL, history
from tests.store_factory import ANN, route
from tests.unit.work.test_routing_history import DRAWN, HUMAN, NOT, Largest, Past


@pytest.fixture
def past(store: Store, settings: Settings) -> Past:
    return Past(store, settings)


def columns(past: Past, prefilter: Largest | None = None, task: str = "icd") -> Decided:
    with past.store.read() as session:
        return gather(session, task, prefilter or Largest())


def test_rows_are_those_of_the_history(past: Past) -> None:
    past.case(HUMAN, True, title="a title")
    past.case(DRAWN, False, mllm=False)
    past.case(DRAWN, True)
    past.case(NOT, True)
    past.case(HUMAN)
    found, known = columns(past).usable, history(past.store, "icd", Largest())
    assert columns(past).left_out == known.left_out == {NOT_DRAWN: 1}
    rows = known.rows
    assert found.label.tolist() == [row.label for row in rows]
    assert found.prefilter.tolist() == [row.prefilter for row in rows]
    assert found.weight.tolist() == [row.weight for row in rows]
    assert found.prefilter_ms.tolist() == [row.prefilter_ms for row in rows]
    np.testing.assert_array_equal(
        found.mllm, [math.nan if row.mllm is None else row.mllm for row in rows]
    )
    np.testing.assert_array_equal(found.features, [list(row.features.values()) for row in rows])


@pytest.mark.parametrize(
    ("way", "how", "prefilter", "reason"),
    [
        pytest.param(NOT, {}, "prefilter-test", NOT_DRAWN, id="found by search"),
        pytest.param(HUMAN, {}, "prefilter-next", OLD_MODEL, id="an old model"),
        pytest.param(HUMAN, {"icd": {}}, "prefilter-test", NO_ANSWER, id="never judged"),
    ],
)
def test_what_would_mislead_is_marked_as_in_the_history(past, way, how, prefilter, reason):
    past.case(way, True, **how)
    with pytest.raises(RoutingError, match=f"1 {reason}"):
        history(past.store, "icd", Largest(prefilter))
    found = columns(past, Largest(prefilter))
    assert found.left_out == {reason: 1} and len(found.usable) == 0


def test_policies_keep_label_and_each_stage(past: Past) -> None:
    past.case(HUMAN, True)
    found = columns(past)
    at = found.policy_ids.index("hate_harassment")
    np.testing.assert_allclose(found.policies[0, at], [1.0, 0.435, 0.87, 0.87], rtol=1e-6)
    other = found.policies[0, found.policy_ids.index("sexual")]
    assert other[0] == 0.0 and np.isnan(other[1:]).all()


def test_an_undone_decision_is_gone_and_the_newest_counts(past: Past) -> None:
    past.case(HUMAN, True)
    decide.undo_last(past.store, past.settings, ANN)
    again = past.case(HUMAN, True)
    past.decide(again, False)
    assert columns(past).label.tolist() == [0]


def test_nothing_decided_gives_no_rows(past: Past) -> None:
    past.case(route(RouteName.HUMAN))
    found = columns(past)
    assert len(found) == 0 and found.first is None
    assert found.features.shape[0] == 0 and len(found.after(0.0)) == 0
