"""Data that cannot carry a policy: a clear error or a stated fallback, never a silent bad one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from coefvq.errors import RoutingError
from coefvq.routing.audit import AuditPlan
from coefvq.routing.fit import fit_policy
from coefvq.routing.policy import RULES, RoutingPolicy
from coefvq.routing.predictions import Predictions
from coefvq.routing.request import FitRequest
from coefvq.routing.route import route
from tests.unit.routing.worlds import HINTED, PLAIN, World

QUIET = AuditPlan(0.0, 0.0)
ITEMS = HINTED.draw(240, 1)


def _fit(items: Predictions, rule: str = "auto", **options: Any) -> RoutingPolicy:
    return fit_policy(items, FitRequest(rule=rule, **options))


def _with(**columns: Any) -> Predictions:
    items = HINTED.draw(120, 4)
    base: dict[str, Any] = {
        "label": items.label,
        "prefilter": items.prefilter,
        "mllm": items.mllm,
        "item_id": items.item_id,
        "features": {"hint": items.features[:, 0]},
    }
    return Predictions.of(**(base | columns))


def _mostly(value: float, count: int = 3) -> np.ndarray:
    values = np.full(120, value)
    values[:count] = np.arange(1, count + 1)
    return values


REFUSED: dict[str, tuple[Callable[[], Predictions], str]] = {
    "no violation": (lambda: _with(label=np.zeros(120)), "All 120 labels are 0"),
    "only violations": (lambda: _with(label=np.ones(120)), "All 120 labels are 1"),
    "constant prefilter": (lambda: _with(prefilter=np.full(120, 0.3)), "prefilter is 0.3 for all"),
    "constant mllm": (lambda: _with(mllm=np.full(120, 2.0)), "mllm is 2 for all"),
    "three rows": (lambda: HINTED.draw(120, 4).take(np.array([0, 1, 2])), "labels are|labelled"),
    "no rows": (lambda: HINTED.draw(120, 4).take(np.array([], dtype=int)), "0 labels|label"),
    "no mllm": (lambda: _with(mllm=np.full(120, np.nan)), "0 labelled rows have an MLLM score"),
    "mllm on five": (
        lambda: _with(mllm=np.where(np.arange(120) < 5, np.arange(120) / 9, np.nan)),
        "5 labelled rows",
    ),
    "two violations": (lambda: _with(label=_mostly(0.0, 0) + (np.arange(120) < 2)), "of each"),
    "labels outside": (lambda: _with(label=_mostly(2.0)), "0 or 1"),
    "labels absent": (lambda: _with(label=_mostly(np.nan, 1)), "0 or 1"),
    "NaN in prefilter": (lambda: _with(prefilter=_mostly(np.nan)), "finite"),
    "endless mllm": (lambda: _with(mllm=_mostly(np.inf)), "finite"),
    "an item twice": (lambda: _with(item_id=["a"] * 120), "unique"),
    "a huge score": (lambda: _with(mllm=_mostly(1e300)), "mllm"),
}


@pytest.mark.parametrize("rule", ["auto", "learned"])
@pytest.mark.parametrize("name", REFUSED)
def test_what_no_rule_can_be_fitted_on_is_refused(name: str, rule: str) -> None:
    make, words = REFUSED[name]
    with pytest.raises(RoutingError, match=words):
        _fit(make(), rule)


def _noted(policy: RoutingPolicy, words: str) -> bool:
    return any(words in note for note in policy.notes)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("n", [12, 25, 60], ids=str)
def test_very_few_rows_give_a_policy_or_a_reason(rule: str, n: int) -> None:
    for seed in range(2):
        try:
            policy = _fit(World(share=0.4, feature=1.0).draw(n, seed), rule)
        except RoutingError as error:
            assert len(str(error)) > 20
            continue
        routed = route(policy, HINTED.draw(50, 9))
        assert np.isfinite(routed.score).all() and routed.escalated.sum() <= 15


@pytest.mark.parametrize("rule", ["auto", "learned", "similar"])
def test_features_may_be_absent(rule: str) -> None:
    hint = HINTED.draw(120, 4).features[:, 0].copy()
    hint[::3] = np.nan
    policy = _fit(_with(features={"hint": hint, "gone": np.full(120, np.nan)}), rule)
    assert _noted(policy, "feature_gone")
    fresh = _with(features={"hint": np.full(120, np.nan), "gone": np.full(120, np.nan)})
    assert np.isfinite(route(policy, fresh).final).all()


def test_features_that_never_vary_are_left_out_with_a_note() -> None:
    policy = _fit(_with(features={"same": np.ones(120)}), "learned")
    assert policy.features == ()
    assert _noted(policy, "feature_same")
    with pytest.raises(RoutingError, match="none that vary"):
        _fit(_with(features={"same": np.ones(120)}), "similar")


@pytest.mark.parametrize("n", [150, 3000], ids=str)
@pytest.mark.parametrize(("column", "words"), [("prefilter", "prefilter's"), ("mllm", "MLLM's")])
def test_a_score_that_falls_is_noted(n: int, column: str, words: str) -> None:
    items = World(share=0.4).draw(n, 1)
    turned = replace(items, **{column: 1 - getattr(items, column)})
    policy = _fit(turned, "entropy")
    assert _noted(policy, f"{words} score falls")
    assert not _noted(_fit(items, "entropy"), "score falls")


def test_rows_without_an_mllm_score_are_noted_and_used_for_the_prefilter() -> None:
    policy = _fit(replace(PLAIN, missing=0.3).draw(400, 1), "entropy")
    assert _noted(policy, "have no MLLM score")


def test_copies_of_rows_are_noted() -> None:
    items = HINTED.draw(150, 1)
    twice = items.take(np.concatenate([np.arange(150), np.arange(100)]))
    named = replace(twice, item_id=np.array([f"c{i}" for i in range(250)], dtype=object))
    assert _noted(_fit(named, "entropy"), "100 rows repeat another row's")
    assert not _noted(_fit(items, "entropy"), "repeat")


def test_a_budget_of_nothing_calls_nobody_and_one_of_everything_everybody() -> None:
    with pytest.raises(RoutingError, match="least that can be met"):
        _fit(ITEMS, budget=0.0)
    fresh = HINTED.draw(500, 2)
    for rule in ("entropy", "learned"):
        none = _fit(ITEMS, rule, budget=0.0, audit=QUIET)
        assert route(none, fresh).escalated.sum() == 0
        everybody = _fit(ITEMS, rule, budget=1.0)
        assert route(everybody, fresh).escalated.all()


def test_two_levels_of_a_score_are_enough_to_route() -> None:
    items = _with(prefilter=(HINTED.draw(120, 4).prefilter > 0.4).astype(float))
    for rule in ("entropy", "auto", "learned"):
        assert route(_fit(items, rule), items).escalated.sum() <= 36


def test_thirty_features_are_carried() -> None:
    items = HINTED.draw(300, 1)
    noise = np.random.default_rng(0).normal(size=(30, 300))
    wide = Predictions.of(
        items.label, items.prefilter, items.mllm, items.item_id,
        features={f"f{i:02d}": row for i, row in enumerate(noise)},
    )  # fmt: skip
    for rule in ("learned", "similar"):
        policy = _fit(wide, rule)
        assert len(policy.features) == 30
        assert np.isfinite(route(policy, wide).final).all()


def test_progress_is_told() -> None:
    lines: list[str] = []
    fit_policy(ITEMS, FitRequest(rule="entropy", miss_rate=0.3), lines.append)
    assert lines[-1] == "certifying the thresholds"
    assert any("judging entropy" in line for line in lines)
