"""``fit_policy`` end to end on worlds whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from coefvq.routing.audit import AuditPlan
from coefvq.routing.fit import fit_policy
from coefvq.routing.objective import OBJECTIVES, Objective
from coefvq.routing.policy import RULES, RoutingPolicy
from coefvq.routing.predictions import Predictions
from coefvq.routing.request import FitRequest
from coefvq.routing.route import route
from tests.unit.routing.worlds import (
    HINTED,
    NOISY,
    PLAIN,
    SPECIALIST,
    World,
    quality,
    shuffled,
)

DEAR = Objective("cost", 10.0, 1.0)
QUIET = AuditPlan(0.0, 0.0)
ITEMS = HINTED.draw(240, 1)


def _fit(items: Predictions, rule: str = "auto", **options: Any) -> RoutingPolicy:
    return fit_policy(items, FitRequest(rule=rule, **options))


# --- every rule ---------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_rule_fits_every_objective_and_keeps_the_budget(rule: str, name: str) -> None:
    goal = Objective.named(name, 10.0, 1.0)
    policy = _fit(ITEMS.take(np.arange(100)), rule, objective=goal, budget=0.25)
    fresh = HINTED.draw(400, 2)
    routed = route(policy, fresh)
    assert routed.escalated.sum() <= 0.25 * 400
    assert routed.escalated.sum() >= 0.2 * 400
    assert policy.requested == rule
    assert policy.rule == rule or rule == "auto"
    assert policy.fitted_on["n"] == 100
    assert np.isfinite(routed.final).all()
    cut = policy.thresholds
    assert cut.pass_below == cut.call_from == cut.flag_from


@pytest.mark.parametrize("rule", ["entropy", "learned", "similar"])
def test_the_threshold_escalates_about_the_budget_of_a_stream(rule: str) -> None:
    """Out-of-fold scores set the start, so that it fits items that were not fitted on."""
    policy = _fit(HINTED.draw(1000, 1), rule, budget=0.3, audit=QUIET)
    score = route(policy, HINTED.draw(5000, 2)).score
    assert (score > policy.thresholds.escalate_from).mean() == pytest.approx(0.3, abs=0.07)


def test_entropy_and_margin_escalate_the_same_items() -> None:
    fresh = PLAIN.draw(1000, 9)
    one, other = (
        route(_fit(PLAIN.draw(400, 1), rule, audit=QUIET), fresh) for rule in ("entropy", "margin")
    )
    np.testing.assert_array_equal(one.escalated, other.escalated)
    np.testing.assert_array_equal(one.route, other.route)


TRANSFORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "negative opinion scores": lambda p: 1.2 * p - 4.5,
    "0 to 100": lambda p: 100 * p,
    "far off": lambda p: 1e5 * p + 1e6,
}


@pytest.mark.parametrize("rule", ["entropy", "learned"])
@pytest.mark.parametrize("name", [name for name in TRANSFORMS if name != "0 to 100"])
def test_scores_of_another_unit_are_routed_alike(rule: str, name: str) -> None:
    """Any two rising straight lines of the same scores, none of them a probability."""
    transform, centred = TRANSFORMS[name], TRANSFORMS["0 to 100"]
    routes = []
    for line in (centred, transform):
        items, fresh = (
            replace(world, prefilter=line(world.prefilter), mllm=line(world.mllm))
            for world in (ITEMS, HINTED.draw(500, 3))
        )
        routes.append(route(_fit(items, rule, audit=QUIET), fresh))
    assert (routes[0].escalated != routes[1].escalated).mean() < 0.01
    np.testing.assert_allclose(routes[0].final, routes[1].final, atol=1e-3)


def test_both_stages_together_beat_either_on_the_escalated() -> None:
    policy = _fit(World(prefilter=2.0, mllm=2.5).draw(1000, 1), "entropy", budget=1.0)
    fresh = World(prefilter=2.0, mllm=2.5).draw(10_000, 2)
    p1 = policy.first.calibration(fresh.prefilter)
    answers = {"first": p1, "second": policy.mllm(fresh.mllm), "both": policy.final(p1, fresh.mllm)}
    losses = {
        name: -np.log(np.where(fresh.label == 1, p, 1 - p)).mean() for name, p in answers.items()
    }
    assert losses["both"] < 0.9 * min(losses["first"], losses["second"])


# --- auto ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OBJECTIVES)
def test_auto_learns_where_a_feature_foretells_the_mllm(name: str) -> None:
    goal = Objective.named(name, 10.0, 1.0)
    items, fresh = HINTED.draw(400, 1), HINTED.draw(6000, 2)
    auto = _fit(items, objective=goal)
    assert auto.rule == "learned"
    assert auto.notes[0].startswith("auto chose learned (")
    assert [row["candidate"] for row in auto.choice].count("entropy") == 1
    assert all({"candidate", "value", "behind", "error"} <= set(row) for row in auto.choice)
    assert quality(auto, fresh) > quality(_fit(items, "entropy", objective=goal), fresh) + 0.02


@pytest.mark.parametrize(
    ("n", "share", "words"),
    [(200, 0.3, "200 labelled rows"), (600, 0.02, "violations are too few")],
    ids=["few rows", "few violations"],
)
def test_auto_falls_back_with_few_labels_and_says_so(n: int, share: float, words: str) -> None:
    policy = _fit(World(share=share, feature=2.0).draw(n, 3))
    assert policy.rule == "entropy" and policy.requested == "auto"
    assert any(words in note and "auto uses entropy" in note for note in policy.notes)
    assert [row["candidate"] for row in policy.choice] == ["entropy"]


def test_auto_of_hardly_any_labels_does_not_choose() -> None:
    items = World(share=0.3, feature=2.0).draw(38, 3)
    for goal, rule in ((Objective("ap"), "entropy"), (DEAR, "bayes_risk")):
        policy = _fit(items, objective=goal)
        assert policy.rule == rule and policy.choice == ()
        assert "38 labelled rows" in policy.notes[0]


SEEDS = 8
WORLDS = {"plain": PLAIN, "hinted": HINTED, "noisy": NOISY}


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
@pytest.mark.parametrize("goal", [Objective("ap"), DEAR], ids=["ap", "cost"])
def test_auto_of_few_labels_is_no_worse_than_entropy(world: World, goal: Objective) -> None:
    """Paired over draws of 150 labels, on one large population."""
    fresh = world.draw(4000, 777)
    found = []
    for seed in range(SEEDS):
        items = world.draw(150, seed)
        auto, plain = (_fit(items, rule, objective=goal) for rule in ("auto", "entropy"))
        found.append((quality(auto, fresh), quality(plain, fresh)))
    behind = np.array(found)[:, 1] - np.array(found)[:, 0]
    error = behind.std(ddof=1) / np.sqrt(SEEDS)
    assert behind.mean() <= 2 * error + 1e-3


def test_auto_of_few_labels_is_entropy_itself_for_f1() -> None:
    for world in WORLDS.values():
        auto, plain = (_fit(world.draw(150, 5), rule, audit=QUIET) for rule in ("auto", "entropy"))
        assert auto.thresholds == plain.thresholds
        assert auto.score == plain.score and auto.first == plain.first


def test_a_specialist_is_asked_in_its_field() -> None:
    """Half of the items are noise to the MLLM; entropy spends half of its calls on them."""
    items, fresh = SPECIALIST.draw(1000, 1), SPECIALIST.draw(10_000, 2)
    field = fresh.features[:, 0] == 1
    inside = {}
    for rule in ("entropy", "learned"):
        policy = _fit(items, rule, objective=DEAR, audit=QUIET)
        routed = route(policy, fresh)
        inside[rule] = (field[routed.escalated].mean(), quality(policy, fresh))
    assert inside["entropy"][0] == pytest.approx(0.5, abs=0.05)
    assert inside["learned"][0] > inside["entropy"][0] + 0.05
    assert inside["learned"][1] > inside["entropy"][1]


@pytest.mark.parametrize("name", ["ap", "cost"])
def test_a_useless_mllm_does_no_harm(name: str) -> None:
    world = World(prefilter=2.5, mllm=0.0, feature=0.0)
    items, fresh = world.draw(300, 1), world.draw(10_000, 2)
    goal = Objective.named(name, 10.0, 1.0)
    alone = _fit(items, "entropy", objective=goal, budget=0.0, audit=QUIET)
    assert quality(_fit(items, objective=goal), fresh) > quality(alone, fresh) - 0.02


# --- the same data, the same policy -------------------------------------------------------


@pytest.mark.parametrize("rule", ["entropy", "learned", "similar"])
def test_the_same_data_and_seed_give_the_same_policy(rule: str) -> None:
    one, again = (_fit(ITEMS, rule, seed=3) for _ in range(2))
    assert one.version == again.version


@pytest.mark.parametrize("rule", ["entropy", "learned", "auto"])
@pytest.mark.parametrize("miss_rate", [None, 0.2], ids=["plain", "certified"])
def test_the_order_of_rows_is_immaterial(rule: str, miss_rate: float | None) -> None:
    items = HINTED.draw(240, 1)
    versions = {
        _fit(rows, rule, miss_rate=miss_rate, objective=Objective("ap")).version
        for rows in (items, shuffled(items, 1))
    }
    assert len(versions) == 1


def test_another_seed_is_another_split() -> None:
    one, other = (_fit(ITEMS, "entropy", miss_rate=0.3, seed=seed) for seed in (0, 1))
    assert one.version != other.version


@pytest.mark.parametrize("rule", ["entropy", "learned"])
def test_even_weights_change_nothing(rule: str) -> None:
    heavy = replace(ITEMS, weight=np.full(len(ITEMS), 50.0))
    one, other = _fit(ITEMS, rule), _fit(heavy, rule)
    assert one.thresholds.call_from == pytest.approx(other.thresholds.call_from, abs=1e-6)
    assert one.combination.bias == pytest.approx(other.combination.bias, abs=1e-5)


def test_weights_give_back_the_prevalence_that_sampling_took() -> None:
    """Every violation and a quarter of the rest, each of those weighted by four."""
    items = PLAIN.draw(4000, 1)
    kept = (items.label == 1) | (np.arange(4000) % 4 == 0)
    part = items.take(kept)
    weighted = replace(part, weight=np.where(part.label == 1, 1.0, 4.0))
    fresh = PLAIN.draw(10_000, 2)
    p = _fit(weighted, "entropy").first.calibration(fresh.prefilter)
    assert p.mean() == pytest.approx(0.2, abs=0.02)
    assert _fit(part, "entropy").first.calibration(fresh.prefilter).mean() > 0.3
