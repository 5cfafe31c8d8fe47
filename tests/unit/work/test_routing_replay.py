"""Two versions on the decided cases: figures, intervals, who moves, and what is said of it."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from coefvq.domain import RouteName
from coefvq.errors import NotAllowed, RoutingError, StoreError
from coefvq.review.access import Actor
from coefvq.routing.entropy import EntropyRouting, binary_entropy
from coefvq.routing.one_video import SettingsRouting
from coefvq.routing.policy import Thresholds
from coefvq.routing.published import PublishedRouting
from coefvq.routing.replay import replay as measured
from coefvq.routing.route import ROUTES, route
from coefvq.settings import Settings
from coefvq.store.session import Store
from coefvq.work import routing_fit, routing_replay
from coefvq.work.replay_views import COLUMNS, Reading, Replayed
from coefvq.work.routing_compare import bits, compare, route_as_live, settings_policy
from coefvq.work.routing_fit import Wanted
from coefvq.work.routing_versions import SETTINGS
from tests.routing_factory import human_step, policy, with_features
from tests.unit.routing.policies import history, policy_for
from tests.unit.work.past import DRAWN, HUMAN, Largest, Past, keep, publish

LEAD = Actor("lena", frozenset({"lead"}))
ENTROPY = EntropyRouting(0.9, 0.8)
ITEMS = history(800, weight=np.where(np.arange(800) % 3, 1.0, 20.0))
ONE = policy_for(ITEMS, budget=0.3, band=0.1, human=human_step(0.2))
OTHER = policy_for(ITEMS, budget=0.6, band=0.05, human=human_step(0.05))
BLIND = policy(thresholds=Thresholds(1.0, 0.01, 0.01, 0.01, escalate_least=1.0))
"""Flags nearly everything, and asks nobody."""


def test_the_figures_are_those_of_a_replay() -> None:
    found = compare(ITEMS, route_as_live(ONE, ITEMS, ENTROPY), route_as_live(OTHER, ITEMS, ENTROPY))
    for mine, made in ((found.one, ONE), (found.other, OTHER)):
        whole = measured(made, ITEMS)
        for name, figure in mine.items():
            if name != "due_rate":
                assert figure.value == pytest.approx(whole.measures[name], nan_ok=True), name


def test_the_intervals_are_those_of_a_bootstrap_of_the_items() -> None:
    found = compare(ITEMS, route_as_live(ONE, ITEMS, ENTROPY), route_as_live(OTHER, ITEMS, ENTROPY))
    whole = measured(ONE, ITEMS, bootstrap=400)
    for name in ("miss_rate", "precision", "recall", "escalation_rate", "human_rate"):
        low, high = whole.intervals[name]
        assert found.one[name].low == pytest.approx(low, abs=0.25 * (high - low) + 1e-9)
        assert found.one[name].high == pytest.approx(high, abs=0.25 * (high - low) + 1e-9)


def test_a_difference_is_paired() -> None:
    same = route_as_live(ONE, ITEMS, ENTROPY)
    for figure in compare(ITEMS, same, same).difference.values():
        assert (figure.value, figure.low, figure.high) == (0.0, 0.0, 0.0)


def test_many_different_weights_change_no_figure() -> None:
    items = history(800, weight=np.random.default_rng(1).uniform(1, 50, 800))
    one, other = (route_as_live(each, items, ENTROPY) for each in (ONE, OTHER))
    found = compare(items, one, other)
    assert found.one["human_rate"].value == pytest.approx(
        measured(ONE, items).measures["human_rate"], abs=0.01
    )


@pytest.mark.parametrize("p", [0.0, 1e-6, 0.1, 0.3157, 0.5, 0.9, 1.0])
def test_bits_are_the_routings(p: float) -> None:
    assert bits(np.array([p]))[0] == pytest.approx(binary_entropy(p), abs=1e-9)


@pytest.mark.parametrize("made", ["settings", "published", "with a human step"])
def test_a_batch_ends_where_single_videos_end(made: str) -> None:
    """Every row has an MLLM score and a budget of one, so nothing depends on the order."""
    from coefvq.routing.one_video import Grant, Seen

    items = replace(ITEMS, weight=np.ones(len(ITEMS)))
    if made == "settings":
        whole, single = settings_policy(ENTROPY), SettingsRouting(ENTROPY)
    else:
        human = human_step(0.1) if made == "with a human step" else None
        cut = Thresholds(0.5, 0.5, 0.4, 0.6, escalate_least=0.5)
        whole = policy(budget=1.0, thresholds=cut, human=human)
        single = PublishedRouting(whole, ENTROPY)
    batch = route_as_live(whole, items, ENTROPY)
    for row in range(0, 800, 7):
        seen, second = Seen(float(items.prefilter[row])), Seen(float(items.mllm[row]))
        demand = single.demand(seen)
        before = single.after_prefilter(seen, demand, Grant(demand.due, 0.5)).route
        end = single.after_mllm(seen, second, before).route if before.escalated else before
        assert ROUTES[batch.route[row]] is end.name, (items.prefilter[row], items.mllm[row])


def test_nobody_is_sent_on_twice_where_the_policy_has_its_own_step() -> None:
    assert np.array_equal(route_as_live(ONE, ITEMS, ENTROPY).route, route(ONE, ITEMS).route)


@pytest.fixture
def past(store: Store, settings: Settings) -> Past:
    return Past(store, settings)


def run(past: Past, version: str, fresh: bool = False) -> Replayed:
    found = routing_replay.replay(
        past.store, past.settings, LEAD, "icd", version, fresh=fresh, prefilter=Largest(),
        patience_s=1e9,
    )  # fmt: skip
    assert isinstance(found, Replayed)
    return found


def mixed(past: Past) -> list[str]:
    """A violation that both stages see, one that was drawn, and an upload that is fine."""
    return [
        past.case(HUMAN, True, title="<b>bad</b>"),
        past.case(DRAWN, True, icd={"hate_harassment": 0.3}, mllm=False, title="=missed"),
        past.case(DRAWN, False, icd={"hate_harassment": 0.002}, mllm=False),
    ]


def test_who_would_move_and_where(past: Past) -> None:
    bad, missed, fine = mixed(past)
    found = run(past, keep(past.store, BLIND))
    assert (found.against, found.n, found.violations) == (SETTINGS, 3, 2)
    (group,) = found.groups
    assert (group.now, group.count, group.violations) == (RouteName.AUTO_FLAG, 1, 1)
    (moved,) = group.cases
    assert (moved.case_id, moved.was, moved.title) == (missed, RouteName.AUTO_PASS, "=missed")
    assert (moved.prefilter, moved.mllm, moved.stands_for) == (0.15, None, 2.0)
    assert found.comparison is not None
    assert found.comparison.one["miss_rate"].value == pytest.approx(2 / 3)
    assert found.comparison.other["miss_rate"].value == 0.0
    assert bad != fine and found.since is not None and found.unanswered == 2


def test_the_diff_as_a_file_is_safe_for_a_spreadsheet(past: Past) -> None:
    _, missed, _ = mixed(past)
    lines = routing_replay.diff_csv(
        past.store, past.settings, LEAD, "icd", keep(past.store, BLIND), prefilter=Largest()
    )
    head, row = csv.reader(lines)
    assert tuple(head) == COLUMNS
    assert row[:5] == [missed, f"/?case={missed}", "'=missed", "violation", "0.15"]
    assert row[5:9] == ["", "auto_pass", "auto_flag", "2.0"]


def test_what_a_version_may_have_been_fitted_on_is_said_and_can_be_left_out(past: Past) -> None:
    mixed(past)
    version = keep(past.store, BLIND)
    assert any("3 cases were decided before" in note for note in run(past, version).notes)
    fresh = run(past, version, fresh=True)
    assert (fresh.n, fresh.comparison, fresh.groups) == (0, None, ())
    past.case(HUMAN, True)
    assert run(past, version, fresh=True).n == 1


@pytest.mark.parametrize("violation", [True, False], ids=["all violations", "no violation"])
def test_labels_that_are_all_equal_give_no_wrong_number(past: Past, violation: bool) -> None:
    for _ in range(2):
        past.case(HUMAN, violation)
    found = run(past, keep(past.store, BLIND))
    assert found.comparison is not None
    other = found.comparison.other
    assert (other["miss_rate"].value is None) is not violation
    assert (other["false_removal_rate"].value is None) is violation
    words = "others" if violation else "violations"
    assert any(f"Only 0 {words} among these cases: 30 more" in note for note in found.notes)


def test_an_empty_store_says_so(past: Past) -> None:
    found = run(past, keep(past.store, BLIND))
    assert (found.n, found.comparison, found.moved) == (0, None, 0)
    assert "No decided case can be used yet" in found.notes[0]


def test_what_nobody_knows_is_said(past: Past) -> None:
    mixed(past)
    eager = policy(thresholds=Thresholds(0.0, 0.5, 0.5, 0.5, escalate_least=0.0), budget=1.0)
    found = run(past, keep(past.store, eager))
    assert any("80% of the traffic" in note for note in found.notes)
    assert {group.now for group in found.groups} == {RouteName.MLLM}


def test_what_cannot_be_replayed(past: Past) -> None:
    version = publish(past.store, policy())
    with pytest.raises(RoutingError, match="nothing to hold it against"):
        run(past, version)
    with pytest.raises(RoutingError, match="feature_height"):
        run(past, keep(past.store, with_features("height")))
    with pytest.raises(StoreError, match="no routing policy nothing"):
        run(past, "nothing")
    assert run(past, SETTINGS).against == version


def test_only_leads(past: Past) -> None:
    reviewer = Actor("ann", frozenset({"reviewer"}))
    for call in (
        lambda: routing_replay.replay(past.store, past.settings, reviewer, "icd", "x"),
        lambda: routing_replay.diff_csv(past.store, past.settings, reviewer, "icd", "x"),
        lambda: routing_fit.fit(past.store, past.settings, reviewer, "icd", Wanted()),
    ):
        with pytest.raises(NotAllowed):
            call()


def test_a_history_that_is_not_read_yet_is_asked_for_again(past: Past) -> None:
    mixed(past)
    found = routing_replay.replay(
        past.store, past.settings, LEAD, "icd", keep(past.store, BLIND), prefilter=Largest(),
        patience_s=-1.0,
    )  # fmt: skip
    assert found == Reading(0.0)


def fit(past: Past, **wanted: object) -> object:
    return routing_fit.fit(
        past.store, past.settings, LEAD, "icd", Wanted(**wanted), prefilter=Largest(),  # type: ignore[arg-type]
        patience_s=1e9,
    )  # fmt: skip


def test_a_fit_on_the_stores_decisions_is_kept_without_effect(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing_fit, "MOST", 20)
    dice = np.random.default_rng(0)
    for number in range(24):
        bad = number % 3 == 0
        value = float(np.clip((0.7 if bad else 0.3) + dice.normal(0, 0.2), 0.05, 0.95))
        past.case(HUMAN, bad, icd={"hate_harassment": value})
    found = fit(past, rule="entropy", budget=0.4)
    assert isinstance(found, routing_fit.Fitted)
    assert (found.n, found.of) == (20, 24) and 6 <= found.violations <= 8
    replayed = run(past, found.version)
    assert replayed.against == SETTINGS and replayed.n == 24
    with pytest.raises(RoutingError, match="decisions of task icd"):
        routing_replay.replay(past.store, past.settings, LEAD, "ucc", found.version)


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"budget": 2.0}, "budget"),
        ({"objective": "speed"}, "objective|Known"),
        ({"miss_rate": 0.0}, "miss_rate must lie"),
        ({}, "no decided case of icd"),
    ],
    ids=["budget", "objective", "miss rate", "empty store"],
)
def test_a_fit_that_cannot_be_made_says_why(past: Past, wanted: dict, why: str) -> None:
    with pytest.raises(RoutingError, match=why):
        fit(past, **wanted)


def test_one_fit_at_a_time(past: Past) -> None:
    past.case(HUMAN, True)
    with routing_fit._one_at_a_time, pytest.raises(RoutingError, match="under way"):
        fit(past)
