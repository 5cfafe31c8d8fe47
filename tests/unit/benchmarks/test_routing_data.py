"""Real sets become predictions with the right signs, labels and costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.routing_data import QUESTIONS, konvid, questions, read_columns
from tests.unit.benchmarks.routing_rows import write_konvid, write_questions

NAME = next(iter(QUESTIONS))
ROWS = [
    ("A", "A", "A", 0.9, 0.8),
    ("A", "B", "A", 0.6, 0.1),
    ("C", "B", "D", 0.5, 0.3),
    ("D", "D", "C", 0.7, 0.2),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_konvid(tmp_path)
    write_questions(tmp_path, QUESTIONS[NAME], ROWS)
    return tmp_path


def test_the_lowest_tenth_of_opinions_are_violations(folder):
    items = konvid(folder)
    assert items.violations == 20 and items.label[:20].all()
    assert items.feature_names == ("niqe", "brisque")
    assert items.item_id[0] == "v0.mp4"


@pytest.mark.parametrize("stage", ["prefilter", "mllm"])
def test_a_higher_score_is_likelier_a_violation(folder, stage):
    items = konvid(folder)
    score = getattr(items, stage)
    assert score[items.label == 1].mean() > score[items.label == 0].mean() + 1


@pytest.mark.parametrize(
    ("gate", "before", "after"),
    [
        pytest.param("base", [0.1, 0.4, 0.5, 0.3], [0.2, 0.9, 0.7, 0.8], id="checks itself"),
        pytest.param("large", [0.2, 0.9, 0.7, 0.8], [0.2, 1.9, 1.7, 1.8], id="another answer"),
    ],
)
def test_scores_say_that_the_base_answer_is_wrong(folder, gate, before, after):
    found = questions(folder, NAME, gate)
    assert found.items.label.tolist() == [0, 1, 1, 0]
    assert found.items.prefilter.tolist() == pytest.approx(before)
    assert found.items.mllm.tolist() == pytest.approx(after)


@pytest.mark.parametrize(("gate", "first"), [("base", 11), ("large", 18)])
def test_costs_are_answer_and_check(folder, gate, first):
    found = questions(folder, NAME, gate)
    assert set(found.items.prefilter_cost) == {first}
    assert set(found.items.mllm_cost) == {88} and set(found.large_alone) == {80}


def test_who_was_right_and_rows_stay_together(folder):
    found = questions(folder, NAME, "base")
    assert found.base_right.tolist() == [True, False, False, True]
    assert found.large_right.tolist() == [True, True, False, False]
    some = found.take(np.array([3, 1]))
    assert some.base_right.tolist() == [True, False] and some.items.label.tolist() == [0, 1]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"konvid_1k.csv is missing: --data must name"):
        read_columns(tmp_path / "konvid_1k.csv")
