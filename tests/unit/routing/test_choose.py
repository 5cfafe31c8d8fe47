"""``auto``: what it judges, how it prefers, and that it learns what can be learnt."""

from __future__ import annotations

import numpy as np
import pytest

from coefvq.routing.candidates import BAYES, ENTROPY, MARGIN, candidates_for
from coefvq.routing.choose import FOLDS, Standing, choose, out_of_fold, ranks
from coefvq.routing.objective import Objective
from coefvq.routing.parts import Candidate
from tests.unit.routing.worlds import HINTED, PLAIN, World

F1 = Objective("f1")
ITEMS = HINTED.draw(300)


def test_every_item_is_judged_once_a_repeat_by_fits_that_did_not_see_it() -> None:
    judged = out_of_fold(ITEMS, [ENTROPY, BAYES], F1, repeats=2)
    for one in judged:
        for column in (one.score, one.place, one.base, one.final):
            assert [values.shape for values in column] == [(300,), (300,)]
            assert np.isfinite(column).all()
        assert ((np.array(one.base) > 0) & (np.array(one.final) > 0)).all()
    assert not (judged[0].score[0] == judged[0].score[1]).all()


def test_a_label_does_not_reach_its_own_answer() -> None:
    """Turn one label: the item's own out-of-fold answers come from folds that lack it."""
    rng = np.random.default_rng(0)
    items = World(prefilter=0.0, mllm=0.0).draw(200, 1)
    judged = out_of_fold(items, [Candidate("learned", "gain", "prefilter", "ridge")], F1)[0]
    assert abs(np.corrcoef(judged.final[0], items.label)[0, 1]) < 0.25
    assert abs(np.corrcoef(judged.score[0], rng.permutation(items.label))[0, 1]) < 0.25


@pytest.mark.parametrize("values", [[3.0, 1.0, 2.0], [1.0, 1.0, 1.0], [5.0]], ids=str)
def test_ranks_are_even_and_in_order(values: list[float]) -> None:
    found = ranks(np.array(values), np.ones(len(values)))
    n = len(values)
    assert sorted(found) == pytest.approx([(i + 0.5) / n for i in range(n)])
    assert (np.diff(found[np.argsort(values, kind="stable")]) > 0).all()


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0], ids=str)
def test_a_rate_of_places_is_that_share_of_items(rate: float) -> None:
    place = out_of_fold(ITEMS, [ENTROPY], F1)[0].place[0]
    assert (place > 1 - rate).mean() == pytest.approx(rate, abs=FOLDS / 300)


def test_rules_that_order_alike_stand_alike_and_the_first_is_taken() -> None:
    judged, standings = choose(ITEMS, [MARGIN, ENTROPY], F1, 0.3)
    assert judged.candidate == MARGIN
    assert [standing.behind for standing in standings] == [pytest.approx(0, abs=1e-9)] * 2
    assert choose(ITEMS, [ENTROPY, MARGIN], F1, 0.3)[0].candidate == ENTROPY


@pytest.mark.parametrize(
    ("behind", "error", "sound", "level"),
    [
        (0.0, 0.0, True, True),
        (0.01, 0.02, True, True),
        (0.03, 0.02, True, False),
        (0.0, 0.02, False, False),
    ],
    ids=str,
)
def test_the_one_standard_error_rule(behind: float, error: float, sound: bool, level: bool) -> None:
    standing = Standing(ENTROPY, 0.8, behind, error, sound)
    assert standing.level is level
    assert standing.to_json()["candidate"] == "entropy"


@pytest.mark.parametrize("name", ["ap", "cost"])
def test_a_gain_that_a_feature_foretells_is_learnt(name: str) -> None:
    goal = Objective.named(name, 10.0, 1.0)
    items = HINTED.draw(700, 3)
    judged, standings = choose(items, candidates_for(goal, True, 700), goal, 0.3)
    assert judged.candidate.rule == "learned"
    plain = next(s for s in standings if s.candidate.rule == "entropy")
    chosen = next(s for s in standings if s.candidate == judged.candidate)
    assert chosen.value > plain.value
    assert chosen.level and not plain.level


def test_a_dear_miss_is_not_left_to_entropy() -> None:
    goal = Objective("cost", 10.0, 1.0)
    judged, _ = choose(PLAIN.draw(600, 2), [ENTROPY, BAYES], goal, 0.1)
    assert judged.candidate == BAYES


def test_who_is_behind_on_the_labels_is_not_sound() -> None:
    """A useless MLLM: what escalates by an unrelated score cannot be told to be good."""
    judged, standings = choose(PLAIN.draw(600, 4), [BAYES, ENTROPY], Objective("ap"), 0.3)
    assert all(standing.error >= 0 for standing in standings)
    assert min(standing.behind for standing in standings if standing.sound) == 0
    assert judged.candidate in (BAYES, ENTROPY)


@pytest.mark.parametrize("budget", [0.0, 0.05, 1.0], ids=str)
def test_any_budget_can_be_judged(budget: float) -> None:
    gain = Candidate("learned", "gain", "features", "ridge")
    _, standings = choose(ITEMS, [gain, BAYES, ENTROPY], F1, budget)
    assert all(np.isfinite([s.value, s.behind, s.error]).all() for s in standings)


def test_progress_is_told_a_fold_at_a_time() -> None:
    lines: list[str] = []
    out_of_fold(ITEMS, [ENTROPY], F1, say=lines.append, repeats=2)
    assert lines == [f"cross-validation {i} of {2 * FOLDS}" for i in range(1, 2 * FOLDS + 1)]


def test_the_choice_repeats_by_seed() -> None:
    found = [choose(ITEMS, candidates_for(F1, True, 300)[-3:], F1, 0.3, 7)[1] for _ in range(2)]
    assert found[0] == found[1]
