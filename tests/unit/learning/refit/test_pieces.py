from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from coefvq.domain import CheapSignals, ExpensiveSignals, PostedText
from coefvq.learning.dataset.items import GivenSignals
from coefvq.learning.monitor import Quiet
from coefvq.learning.refit.anchor import Anchor
from coefvq.learning.refit.choose import Plan, deal, design, fit
from coefvq.learning.refit.learn import Learnt, adjustment_of
from coefvq.learning.refit.lesson import parent_log_odds, sides_of, straightened, teach
from coefvq.learning.refit.options import RefitOptions
from coefvq.learning.refit.replay import governed, picked_mistakes
from coefvq.learning.refit.rows import read_rows
from coefvq.learning.refit.solve import Problem, compact, narrowed, solve
from coefvq.learning.refit.whole import put_together
from coefvq.prefilter.model import POLICIES
from coefvq.prefilter.predict import Prefilter
from coefvq.prefilter.text import BUCKETS, text_counts, texts_with, with_unseen, word_buckets
from coefvq.prefilter.weights import load
from coefvq.routing.calibration import Calibrator, log_odds
from tests.unit.learning.refit.conftest import (
    NOVEL,
    SCAM,
    VIOLENCE,
    make_films,
    make_items,
    make_root,
    root_texts,
)
from tests.unit.prefilter.conftest import make_trained


def _random(seed: int = 0, n: int = 60, k: int = 200) -> tuple[sparse.csr_matrix, np.ndarray]:
    rng = np.random.default_rng(seed)
    design = sparse.random(n, k, 0.1, "csr", rng=rng)
    return design, (np.asarray(design[:, :20].sum(axis=1)).ravel() > 1.0).astype(float)


def test_a_compact_design_gives_the_same_answers() -> None:
    design, labels = _random()
    pull, parent, weights = np.linspace(0.2, 3.0, 200), np.linspace(-1, 1, 60), np.ones(60)
    narrow, _ = narrowed(design, pull)
    square = compact([(design, pull)], 60)
    one = solve(Problem(narrow, parent, labels, weights), 500)
    two = solve(Problem(square, parent, labels, weights), 500)
    assert (one.slope, one.shift) == pytest.approx((two.slope, two.shift), abs=2e-3)
    assert one.logits(narrow, parent) == pytest.approx(two.logits(square, parent), abs=5e-3)


def test_a_hard_pull_is_the_parent_and_slopes_stay_in_bounds() -> None:
    design, labels = _random()
    parent = 6 * labels - 3
    narrow, _ = narrowed(design, np.full(200, 1e9))
    kept = solve(Problem(narrow, parent, labels, np.ones(60)))
    assert np.abs(kept.logits(narrow, parent) - parent).max() < 1.5
    against = solve(Problem(narrow, -parent, labels, np.ones(60)))
    assert against.slope == 0.5
    held = solve(Problem(narrow, -parent, labels, np.ones(60), (1.0, 1.0)))
    assert held.slope == 1.0


def test_how_many_texts_a_word_stood_in_follows_from_its_weight() -> None:
    root = make_root()
    stood, texts = texts_with(root.idf.astype(np.float16))
    for word in ("gift", "river", "solitary"):
        truth = sum(word in text.split() for text in root_texts())
        assert stood[word_buckets([word])[0][0]] == pytest.approx(truth, rel=0.05)
    assert texts == pytest.approx(201, rel=0.05)
    assert stood[word_buckets(["zorbex"])[0][0]] == 0
    assert texts_with(np.zeros(8))[1] == 0.0


def test_unknown_words_weigh_more_than_any_known_one() -> None:
    idf = make_root().idf
    table = with_unseen(idf)
    assert table[word_buckets(["zorbex"])[0][0]] == table.max() > idf.max()
    assert (table[idf > 0] == idf[idf > 0]).all()


def test_the_anchor_holds_what_the_parent_has_seen_most() -> None:
    root = make_root()
    rows = read_rows(make_items(), GivenSignals(), root, Quiet())
    pull = Anchor.of(root, rows.text).pull("text", 0.5, 1.0)
    known, new = word_buckets(["river"])[0][0], word_buckets(["zorbex"])[0][0]
    assert pull[new] == 0.5 and pull[known] > 1.4 * pull[new]
    assert (Anchor.of(root, rows.text).pull("pictures", 0.5, 0.0) == 0.5).all()
    assert pull.shape == (rows.text.shape[1],) and (pull > 0).all()


@pytest.mark.parametrize(
    ("emphasis", "distance", "lean"),
    [
        pytest.param(1.0, 0.1, 1.0, id="nothing to lean to"),
        pytest.param(5.0, 1.0, 1.0, id="no bound"),
        pytest.param(5.0, 0.05, None, id="held back"),
        pytest.param(5.0, 0.0, 0.0, id="as the traffic"),
    ],
)
def test_corrections_lean_only_as_far_as_the_bound(
    emphasis: float, distance: float, lean: float | None
) -> None:
    items = make_items(200)
    labels = np.asarray([float(item.labels[SCAM]) for item in items])
    found = governed(
        items, SCAM, labels, np.full(200, 0.2),
        emphasis=emphasis, heaviest=20, distance=distance,
    )  # fmt: skip
    assert found.weights.mean() == pytest.approx(1.0)
    assert abs(found.share - found.natural_share) <= distance + 1e-9
    assert 0 < found.lean < 1 if lean is None else found.lean == pytest.approx(lean)


def test_shares_are_those_of_the_traffic_not_of_the_cases() -> None:
    """Violations all came to people, harmless videos one in ten."""
    items = [
        replace(item, propensities={SCAM: 1.0 if item.labels[SCAM] else 0.1})
        for item in make_items(200)
    ]
    labels = np.asarray([float(item.labels[SCAM]) for item in items])
    true = labels.sum() / (labels.sum() + 10 * (1 - labels).sum())
    found = governed(items, SCAM, labels, None, emphasis=3, heaviest=20, distance=0.1)
    assert found.natural_share == pytest.approx(true)
    assert true < found.share <= true + 0.1 + 1e-9


@pytest.mark.parametrize(
    ("flagged_rate", "passed_rate", "expected"),
    [(0.6, 0.3, False), (0.5, 0.5, False), (0.4, 0.5, False), (0.0, 1.0, True)],
)
def test_decisions_picked_for_being_mistakes_are_noticed(
    flagged_rate: float, passed_rate: float, expected: bool
) -> None:
    flagged = np.arange(100) < 50
    order = np.arange(100) % 50 / 50
    labels = (order < np.where(flagged, flagged_rate, passed_rate)).astype(float)
    assert picked_mistakes(labels, flagged, np.ones(100)) is expected
    assert not picked_mistakes(labels, np.ones(100, bool), np.ones(100))


def test_folds_keep_groups_together_while_there_are_enough() -> None:
    labels = np.tile([0.0, 1.0], 20)
    folds, whole = deal([f"g{n // 4}" for n in range(40)], labels, 5, 0)
    assert whole and all(len(set(folds[n : n + 4])) == 1 for n in range(0, 40, 4))
    folds, whole = deal(["one uploader"] * 40, labels, 5, 0)
    assert not whole and len(set(folds)) == 5


def test_steps_are_straightened() -> None:
    line = [(x, float(1 / (1 + np.exp(-(0.5 * x - 1))))) for x in np.linspace(-4, 4, 9)]
    assert straightened(Calibrator("isotonic", knots=tuple(line))) == pytest.approx((0.5, -1))
    assert straightened(Calibrator("platt", 2.0, 0.3)) == (2.0, 0.3)
    assert straightened(Calibrator("isotonic", knots=((0.0, 0.5),))) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("policy", "plan"),
    [
        pytest.param(SCAM, (("text", 0.3),), id="text"),
        pytest.param(SCAM, (("pictures", 0.3), ("text", 0.3)), id="both"),
        pytest.param(SCAM, (), id="slope and shift"),
        pytest.param(VIOLENCE, (("pictures", 0.3),), id="pictures"),
        pytest.param(NOVEL, (("pictures", 0.1), ("text", 0.1)), id="new policy"),
    ],
)
def test_the_model_answers_as_it_was_fitted(
    policy: str, plan: tuple[tuple[str, float], ...], tmp_path: Path
) -> None:
    """The fit's own matrices and the prefilter's way from a video to a number agree."""
    films, given = make_films(60)
    items = [
        replace(film, posted=item.posted, labels={policy: item.labels[policy]}, split="train")
        for film, item in zip(films, make_items(60, policy), strict=True)
    ]
    gone = CheapSignals("test", np.ones((2, 4), np.float32), visual=None, motion=None)
    signals = GivenSignals({**given.by_video, items[0].video_id: (gone, ExpensiveSignals("test"))})
    items[1] = replace(items[1], posted=PostedText("a letter", "zorbex in a caption!!"))
    root = make_root()
    rows = read_rows(items, signals, root, Quiet())
    teaching = teach(rows, root, Anchor.of(root, rows.text), policy, RefitOptions())
    solution = fit(teaching.lesson, Plan(plan))
    learnt = Learnt(Plan(plan), solution, np.zeros(0), np.zeros(0), 0.0, 0.0, True)
    trained = put_together(
        root, "root", {policy: adjustment_of(teaching, learnt, root)}, {policy: Calibrator()},
        {}, {}, {},
    )  # fmt: skip
    prefilter = Prefilter(trained, "v")
    places = np.arange(len(items))
    sides = sides_of(rows, root, policy, places, Plan(plan).reads)
    expected = solution.logits(
        design(sides, Plan(plan), len(items)), parent_log_odds(rows, root, policy)
    )
    found = [
        prefilter.assess(signals.cheap(item), item.posted).scores[policy].probability
        for item in rows.items
    ]
    assert log_odds([p or 0.0 for p in found]) == pytest.approx(
        np.clip(expected, log_odds(1e-4), log_odds(1 - 1e-4)), abs=0.02
    )


def test_what_nobody_judged_keeps_the_parents_answer(tmp_path: Path) -> None:
    """Videos without a label hold the model where the decisions would move it."""
    root, said = make_root(), make_items(100)
    silent = [
        replace(item, video_id=f"s{n}", labels={NOVEL: 0})
        for n, item in enumerate(make_items(100, seed=1))
    ]

    def moved(items: list) -> float:
        rows = read_rows(items, GivenSignals(), root, Quiet())
        teaching = teach(rows, root, Anchor.of(root, rows.text), SCAM, RefitOptions())
        solution = fit(teaching.lesson, Plan((("text", 0.3),)))
        shown = read_rows(silent, GivenSignals(), root, Quiet())
        parent = parent_log_odds(shown, root, SCAM)
        return float(np.abs(solution.logits(shown.text, parent) - parent).mean())

    assert moved([*said, *silent]) < 0.6 * moved(said)


def test_the_network_is_not_touched() -> None:
    before, _ = load()
    after = put_together(before, "v", {}, {}, {}, {}, {})
    assert after.net is before.net and after.idf is before.idf
    assert after.covers == POLICIES and len(after.idf) == 2 * BUCKETS
    assert text_counts(PostedText("a")).empty is False
    assert make_trained().adjustments == {}
