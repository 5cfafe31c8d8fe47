from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from coefvq.learning.clip_corpora import VIOLENCE
from coefvq.learning.fused.example import ALWAYS, HELD, Example
from coefvq.learning.fused.figures import (
    best_threshold,
    crossed_f1,
    false_positives,
    figures_of,
    interval,
    slice_of,
)
from coefvq.learning.fused.mixture import ALIGN_VIDEO
from coefvq.learning.fused.predictions import Predictions
from coefvq.learning.text_corpora import HATE, SCAM
from tests.unit.learning.fused import toys


def _answers(policy: str, rows: list[tuple[Example, int, float]]) -> Predictions:
    label = np.array([row[1] for row in rows])
    probability = np.array([row[2] for row in rows])
    parts = np.column_stack([probability, 1 - probability, np.zeros(len(rows)), label])
    return Predictions(
        policy, tuple(row[0] for row in rows), parts, np.full(len(rows), 0.9), label,
        np.array([row[0].fold for row in rows]), probability, ((1.0, 0.0, 0.5, 2.0), 0.1),
    )  # fmt: skip


def _row(number: int, label: int, probability: float, part: str = "video", **changes: Any
         ) -> tuple[Example, int, float]:  # fmt: skip
    given: dict[str, Any] = {"fold": number % 2, "targets": {HATE: label}} | changes
    return toys.example(f"{part}/{number}", part, **given), label, probability


SCORES = [(0, 0.1), (0, 0.2), (1, 0.15), (1, 0.9), (0, 0.3), (0, 0.4), (1, 0.8), (1, 0.7)]
ROWS = [_row(number, *pair) for number, pair in enumerate(SCORES)]


def test_figures_of_a_small_set_are_right() -> None:
    found = figures_of(_answers(HATE, [*ROWS, _row(9, 1, 0.0, "elsewhere")]))
    assert (found["n"], found["positives"]) == (8, 4)
    assert found["auc"]["value"] == 13 / 16  # one violating video lies below three harmless ones
    assert found["auc_by_part"]["label_tokens"] == 13 / 16
    assert found["auc_by_part"]["fused_head"] == 3 / 16
    assert found["auc_by_part"]["pooled_states"] == 0.5
    assert found["auc_by_part"]["words"] == 1.0
    assert found["mean_label_mass"] == pytest.approx(0.9)
    assert found["weights"] == {
        "label_tokens": 1.0, "fused_head": 0.0, "pooled_states": 0.5, "words": 2.0,
    }  # fmt: skip
    assert set(found["auc_by_fold"]) == {"0", "1"} and found["auc_by_fold"]["1"] == 1.0
    assert found["macro_f1"]["at_half"] == pytest.approx((6 / 7 + 8 / 9) / 2)


def test_the_best_threshold_parts_the_classes() -> None:
    label, probability = np.array([0, 0, 1, 1]), np.array([0.1, 0.22, 0.31, 0.9])
    assert 0.22 < best_threshold(label, probability) <= 0.31


def test_a_threshold_is_chosen_on_the_other_folds() -> None:
    first = [_row(2 * n, n % 2, 0.3 + 0.4 * (n % 2)) for n in range(10)]
    second = [_row(2 * n + 1, n % 2, 0.05 + 0.1 * (n % 2)) for n in range(10)]
    found = crossed_f1(_answers(HATE, [*first, *second]))
    assert found["crossed"] < 0.7  # each fold's scores need another threshold
    assert crossed_f1(_answers(HATE, first))["crossed"] == 1.0


def test_the_interval_resamples_whole_groups() -> None:
    chance = np.random.default_rng(0)
    scores = [(n % 2, float(chance.random()), n) for n in range(60)]
    alone = [_row(n, label, p) for label, p, n in scores]
    copies = [
        (toys.example(f"video/{n}/{copy}", "video", 0, group=str(n), targets={HATE: y}), y, p)
        for y, p, n in scores for copy in range(6)
    ]  # fmt: skip
    one, many = interval(_answers(HATE, alone)), interval(_answers(HATE, copies))
    assert many["value"] == pytest.approx(one["value"]) and many["groups"] == 60
    assert many["high"] - many["low"] > 0.8 * (one["high"] - one["low"])


def test_slices_leave_out_what_was_trained_on() -> None:
    part = "composed_speech"
    rows = [_row(n, n % 2, 0.2 + 0.6 * (n % 2), part, fold=HELD) for n in range(8)]
    rows += [_row(50, 1, 0.0, part, fold=ALWAYS), _row(51, 1, 0.0, part, align=True, fold=HELD)]
    found = slice_of(_answers(HATE, rows), part)
    assert found["n"] == 8 and found["auc"]["value"] == 1.0


def test_slices_of_scam_leave_out_comments_of_the_first_phase() -> None:
    part = "composed_caption"
    rows = [_row(n, n % 2, 0.5, part, fold=1, targets={SCAM: n % 2}) for n in range(6)]
    rows += [_row(9, 1, 0.9, part, fold=ALIGN_VIDEO, targets={SCAM: 1})]
    assert slice_of(_answers(SCAM, rows), part)["n"] == 6


def test_a_slice_of_one_class_has_no_auc() -> None:
    assert slice_of(_answers(HATE, ROWS[:2]), "video") == {"n": 2, "auc": None}
    assert slice_of(_answers(HATE, ROWS), "video_moved") == {"n": 0, "auc": None}


def test_false_positives_are_counted_by_slice() -> None:
    rows = [_row(n, 0, p, "tweet_held", fold=HELD) for n, p in enumerate((0.1, 0.5, 0.6, 0.2))]
    rows += [_row(9, 0, 0.1, "tweet_dialect", fold=HELD)]
    found = false_positives([_answers(HATE, rows), _answers(VIOLENCE, ROWS)])
    assert found["hate_harassment on harmless tweets"] == {"n": 4, "share": 0.5}
    marked = found["hate_harassment on harmless tweets with dialect marks"]
    assert marked == {"n": 1, "share": 0.0}
    assert len(found) == 2


def test_an_empty_slice_has_no_share() -> None:
    found = false_positives([_answers(SCAM, ROWS)])
    assert found == {"scam_spam on harmless headlines": {"n": 0, "share": None}}
