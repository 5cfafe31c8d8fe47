from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from coefvq.learning.clip_corpora import VIOLENCE
from coefvq.learning.fused.example import HELD, Example
from coefvq.learning.fused.heads import PLANS
from coefvq.learning.fused.mixture import ALIGN_VIDEO
from coefvq.learning.fused.predictions import (
    Predictions,
    collect,
    is_measured,
    joined,
    write_predictions,
)
from coefvq.learning.text_corpora import HATE, SCAM
from coefvq.mllm.fused.readout import PARTS
from tests.unit.learning.fused import toys

N = 300


def _examples(policy: str) -> list[Example]:
    part = PLANS[policy].primary
    rows = [
        toys.example(f"{part}/set/{n}", part, n % 3, targets={policy: (n // 3) % 2})
        for n in range(N)
    ]
    held = [toys.example(f"h/{n}", "tweet_held", HELD, targets={policy: 0}) for n in range(5)]
    return [*rows, *held]


def _parts(examples: list[Example], policy: str) -> np.ndarray:
    chance = np.random.default_rng(0)
    label = np.array([one.targets[policy] for one in examples])
    return label[:, None] * np.array([2.0, 1.0, 0.5, 0.0]) + chance.normal(size=(len(label), 4))


def _collect(policy: str, examples: list[Example]) -> Predictions:
    first = _examples(policy)
    return collect(policy, examples, _parts(first, policy), np.ones(len(examples)))


@pytest.mark.parametrize("fold", [0, 1, 2])
def test_the_probability_of_a_fold_does_not_depend_on_its_own_labels(fold: int) -> None:
    examples = _examples(HATE)
    poisoned = [
        replace(one, targets={HATE: 1 - one.targets[HATE]}) if one.fold == fold else one
        for one in examples
    ]
    before, after = _collect(HATE, examples), _collect(HATE, poisoned)
    own = before.fold == fold
    assert np.array_equal(before.probability[own], after.probability[own])
    assert not np.allclose(before.probability[~own], after.probability[~own])


def test_the_shipped_weights_come_from_all_primary_rows() -> None:
    found = _collect(HATE, _examples(HATE))
    assert np.array_equal(
        found.probability[found.fold == HELD],
        joined(found.parts[found.fold == HELD], found.weights),
    )
    assert ((found.probability > 0) & (found.probability < 1)).all()


def test_what_the_first_phase_saw_fits_no_weight_and_counts_in_no_figure() -> None:
    examples = _examples(SCAM)
    poisoned = [
        replace(one, targets={SCAM: 1 - one.targets[SCAM]}) if one.fold == ALIGN_VIDEO else one
        for one in examples
    ]
    before, after = _collect(SCAM, examples), _collect(SCAM, poisoned)
    assert before.weights == after.weights
    assert not (before.primary & (before.fold == ALIGN_VIDEO)).any()
    assert before.primary.sum() == N * 2 // 3


@pytest.mark.parametrize(("policy", "measured"), [(HATE, 3), (VIOLENCE, 3), (SCAM, 2)])
def test_only_scam_leaves_a_fold_out(policy: str, measured: int) -> None:
    assert is_measured(policy, np.array([ALIGN_VIDEO, 1, 2])).sum() == measured


def test_a_single_fold_is_read_with_its_own_weights() -> None:
    examples = [replace(one, fold=1) for one in _examples(HATE)]
    found = _collect(HATE, examples)
    assert np.array_equal(found.probability, joined(found.parts, found.weights))


def test_some_rows_keep_everything_that_belongs_to_them() -> None:
    found = _collect(HATE, _examples(HATE))
    few = found.only(found.part("tweet_held"))
    assert [one.part for one in few.examples] == ["tweet_held"] * 5
    assert few.parts.shape == (5, 4) and len(few.probability) == len(few.mass) == 5


def test_the_file_has_a_row_for_each_example_and_policy(tmp_path: Path) -> None:
    clip = toys.example(
        "fights/f1.mp4", "fights", 2, footage="fights/f1.mp4", targets={VIOLENCE: 1}
    )
    answers = [
        Predictions(
            VIOLENCE, (clip,), np.array([[0.5, -1.0, 2.0, 0.0]]), np.array([0.75]), np.array([1]),
            np.array([2]), np.array([0.25]), ((), 0.0),
        ),
        _collect(SCAM, _examples(SCAM)),
    ]  # fmt: skip
    write_predictions(tmp_path / "made" / "held_out.csv", answers)
    with (tmp_path / "made" / "held_out.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 1 + N + 5
    assert rows[0] == {
        "item_id": "fights/f1.mp4", "part": "fights", "policy": VIOLENCE, "fold": "2", "label": "1",
        **dict(zip(PARTS, ("0.500000", "-1.000000", "2.000000", "0.000000"), strict=True)),
        "mass": "0.750000", "probability": "0.250000",
    }  # fmt: skip
    assert rows[1]["item_id"] == "set/0" and rows[1]["part"] == "comment"
