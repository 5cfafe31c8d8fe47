from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coefvq.errors import SettingsError
from coefvq.learning import train_fused as module
from coefvq.learning.clip_corpora import VIOLENCE
from coefvq.learning.fused.example import HELD, POLICIES
from coefvq.learning.fused.mixture import ALIGN_VIDEO
from coefvq.learning.fused.recipe import Recipe
from coefvq.learning.fused.runs import Bench
from coefvq.learning.text_corpora import HATE, SCAM
from coefvq.learning.train_fused import Run, held_out, is_second_phase, left_out, train_fused
from coefvq.mllm.fused.readout import PARTS, load_readout
from coefvq.mllm.fused.trained import TENSORS, load_trained, read_trained
from coefvq.mllm.fused.words import count_words
from tests.unit.learning.fused import toys

RECIPE = Recipe(lora=toys.LORA, split=toys.SPLIT, align_epochs=1, epochs=2)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, six_slots: None) -> None:
    """Everything but the data and the sizes is as in a real training."""

    def set_up(data: Path, work: Path, cache: Any, seed: int, *_: Any) -> Bench:
        return toys.bench(*toys.small_mixture(), work, seed=seed)

    monkeypatch.setattr(module, "set_up", set_up)


def _train(out: Path, **options: Any) -> dict[str, Any]:
    return train_fused(out, out, recipe=RECIPE, **options)


def test_a_training_writes_a_checkpoint_and_what_it_is_measured_on(
    tiny: None, tmp_path: Path
) -> None:
    report = _train(tmp_path, folds=3)
    assert set(report["policies"]) == {VIOLENCE, HATE, SCAM}
    assert report["runs"] == ["0", "1", "2", "final"]
    counts = {policy: found["n"] for policy, found in report["policies"].items()}
    assert counts == {VIOLENCE: 24, HATE: 24, SCAM: 16}  # without the first phase's video
    assert report["false_positives"]["hate_harassment on harmless tweets"]["n"] == 4
    assert report == json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    readout = load_readout(tmp_path)
    assert set(readout.policies) == set(readout.thresholds) == set(report["policies"])
    assert all(min(one.weights) >= 0.0 for one in readout.policies.values())
    _, _, tensors = read_trained(tmp_path)
    load_trained(toys.bench([], [], tmp_path).model, tensors)


def test_every_example_is_answered_once_by_the_run_that_left_it_out(
    tiny: None, tmp_path: Path
) -> None:
    _train(tmp_path, folds=3)
    with (tmp_path / "held_out.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    examples, _ = toys.small_mixture()
    assert len({(row["part"], row["item_id"], row["policy"]) for row in rows}) == len(rows)
    assert len(rows) == len(examples)
    by_part = {row["part"] for row in rows}
    assert by_part == {"video", "comment", "fights", "tweet_held"}
    assert {row["item_id"] for row in rows if row["part"] == "fights"} == {
        one.id for one in examples if one.part == "fights"
    }


def test_a_training_that_was_stopped_gives_the_same_bytes(tiny: None, tmp_path: Path) -> None:
    for name in ("one", "two"):
        _train(tmp_path / name, folds=2)
    first, second = tmp_path / "one", tmp_path / "two"
    assert (first / TENSORS).read_bytes() == (second / TENSORS).read_bytes()
    assert (first / "held_out.csv").read_bytes() == (second / "held_out.csv").read_bytes()
    before = (first / TENSORS).read_bytes()
    for lost in ("run-final.pt", "run-0.pt"):
        (first / "work" / lost).unlink()
    _train(first, folds=2)
    assert (first / TENSORS).read_bytes() == before
    assert (first / "held_out.csv").read_bytes() == (second / "held_out.csv").read_bytes()


@pytest.mark.parametrize("folds", [0, 1])
def test_a_single_held_out_fold_is_enough_to_calibrate(
    tiny: None, tmp_path: Path, folds: int
) -> None:
    report = _train(tmp_path, folds=folds)
    assert report["runs"] == ["1", "final"]
    assert all(found["n"] == 8 for found in report["policies"].values())


@pytest.mark.parametrize("folds", [-1, 6])
def test_bad_folds_are_refused(tmp_path: Path, folds: int) -> None:
    with pytest.raises(SettingsError, match="folds"):
        train_fused(tmp_path, tmp_path, folds=folds)


def test_missing_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--data"):
        train_fused(tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    ("folds", "numbers"), [(0, [1]), (1, [1]), (2, [0, 1]), (5, [0, 1, 2, 3, 4])]
)
def test_which_folds_are_left_out(folds: int, numbers: list[int]) -> None:
    assert list(left_out(folds)) == numbers
    assert set(numbers) - {ALIGN_VIDEO}


@pytest.mark.parametrize(
    ("fold", "targets", "second"),
    [
        pytest.param(0, {HATE: 1}, True, id="covered"),
        pytest.param(-1, {SCAM: 0}, True, id="always"),
        pytest.param(HELD, {HATE: 1}, False, id="held"),
        pytest.param(0, {POLICIES[3]: 1}, False, id="a policy for the eyes only"),
        pytest.param(0, {}, False, id="no label"),
    ],
)
def test_what_the_second_phase_trains_on(
    fold: int, targets: Mapping[str, int], second: bool
) -> None:
    assert is_second_phase(toys.example(fold=fold, targets=targets)) is second


def test_held_out_answers_come_from_the_run_that_left_the_example_out() -> None:
    examples = [
        toys.example(f"video/{n}", "video", n % 2, targets={HATE: n // 2 % 2}) for n in range(8)
    ]
    examples += [toys.example("other", "video", 0, targets={SCAM: 1})]
    bench = toys.bench([], [], Path("nowhere"))
    bench = replace(bench, examples=examples)
    states, counted = {"text": np.ones(2, np.float32)}, count_words(["some words"])
    column = POLICIES.index(HATE)

    def answers(fold: int) -> Run:
        values = np.full(len(POLICIES), 99.0)
        rows = [n for n, one in enumerate(examples) if one.fold == fold]
        return Run({n: (_at(values, column, n), _at(values, column, -n), values) for n in rows})

    heads = {
        str(fold): (lambda states, fold=fold: 10.0 + fold, lambda counted, fold=fold: 20.0 + fold)
        for fold in (0, 1)
    }
    runs = {"0": answers(0), "1": answers(1)}
    found = held_out(bench, [states] * 9, [counted] * 9, runs, heads, HATE)
    rows = [int(one.id.split("/")[1]) for one in found.examples]
    assert rows == [0, 2, 4, 6, 1, 3, 5, 7]
    wanted = [[n, -n, 10.0 + n % 2, 20.0 + n % 2] for n in rows]
    assert found.parts.tolist() == wanted and len(PARTS) == 4


def _at(values: np.ndarray, column: int, number: float) -> np.ndarray:
    changed = values.copy()
    changed[column] = number
    return changed


def test_a_policy_without_a_word_head_gets_nought_for_words() -> None:
    examples = [
        toys.example(f"fights/{n}", "fights", 0, targets={VIOLENCE: n % 2}) for n in range(4)
    ]
    bench = replace(toys.bench([], [], Path("nowhere")), examples=examples)
    run = Run({n: (np.full(6, n), np.ones(6), np.full(6, 0.5)) for n in range(4)})
    nothing = count_words([])
    heads = {"0": (lambda _: 3.0, None)}
    found = held_out(bench, [{}] * 4, [nothing] * 4, {"0": run}, heads, VIOLENCE)
    assert found.parts.tolist() == [[n, 1.0, 3.0, 0.0] for n in range(4)]
    assert found.mass.tolist() == [0.5] * 4
