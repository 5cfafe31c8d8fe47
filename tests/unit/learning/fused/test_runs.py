from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from coefvq.learning.fused import runs
from coefvq.learning.fused.align import slot_targets
from coefvq.learning.fused.fit import Rates, copied
from coefvq.learning.fused.runs import Bench, answer, held_by, read_tops, train_run, training_items
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.split import Top, answer_tops
from coefvq.mllm.fused.trained import trained_parameters
from tests.unit.learning.fused import toys
from tests.unit.mllm.fused import parts

pytestmark = pytest.mark.usefixtures("six_slots")
RATES = Rates(head=0.02, head_decay=0.0)


@pytest.fixture
def bench(tmp_path: Path, six_slots: None) -> Bench:
    examples, items = toys.ten_clips()
    examples = [replace(one, fold=number // 2) for number, one in enumerate(examples)]
    return toys.bench(examples, items, tmp_path)


def _tops(bench: Bench) -> dict[int, Top]:
    found = read_tops(bench, range(len(bench.items)), "plain", bench.items)
    return dict(sorted(found.items()))


def test_what_is_kept_gives_what_the_model_gives(bench: Bench) -> None:
    found = answer(bench, list(_tops(bench).values()))
    with torch.no_grad():
        whole = bench.model(**bench.processor(list(bench.items)))
    for name in ("label_logits", "fused_logits", "label_mass"):
        assert np.allclose(getattr(found, name), getattr(whole, name), atol=1e-4), name


def test_answers_of_nothing_are_empty(bench: Bench) -> None:
    assert answer(bench, []).label_logits.shape == (0, 6)


def test_states_belong_to_their_rows_and_are_computed_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_CHUNK", 4)
    rows = [7, 2, 9, 4, 0, 5]
    first = read_tops(bench, rows, "some", [bench.items[row] for row in rows])
    alone = {row: read_tops(bench, [row], f"only-{row}", [bench.items[row]])[row] for row in rows}
    assert first.keys() == set(rows)
    for row in rows:
        assert torch.allclose(first[row].slots, alone[row].slots, atol=1e-4)
    monkeypatch.setattr(runs, "_chunk", lambda *_: pytest.fail("computed again"))
    again = read_tops(bench, rows, "some", [bench.items[row] for row in rows])
    assert all(torch.equal(again[row].slots, first[row].slots) for row in rows)


def test_other_rows_compute_only_what_is_missing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read_tops(bench, [1, 3], "some", [bench.items[row] for row in (1, 3)])
    asked: list[int] = []
    real = runs._chunk
    monkeypatch.setattr(runs, "_chunk", lambda b, items: asked.append(len(items)) or real(b, items))
    wider = read_tops(bench, [3, 6, 1], "some", [bench.items[row] for row in (3, 6, 1)])
    assert asked == [1] and wider.keys() == {1, 3, 6}
    assert all(torch.equal(wider[row].slots, first[row].slots) for row in (1, 3))


def test_a_run_overfits_what_it_may_see(bench: Bench) -> None:
    states = _tops(bench)
    train_run(bench, states, copied(dict(trained_parameters(bench.model))), "final", RATES,
              epochs=120)  # fmt: skip
    targets, _ = slot_targets(bench.examples)
    with torch.no_grad():
        logits = answer_tops(bench.model, list(states.values())).slot_logits
    assert logits is not None
    known = ~targets.isnan()
    assert torch.equal((logits > 0)[known], (targets > 0.5)[known])


def _trained(bench: Bench, name: str, folder: str) -> dict[str, torch.Tensor]:
    start = copied(dict(trained_parameters(toys.bench([], [], bench.folder).model)))
    apart = replace(bench, folder=bench.folder / folder)
    return train_run(apart, _tops(bench), start, name, RATES, epochs=3)


def test_labels_of_the_held_fold_change_no_weight(bench: Bench) -> None:
    flipped = [
        replace(one, targets={k: 1 - v for k, v in one.targets.items()}) if one.fold == 1 else one
        for one in bench.examples
    ]
    poisoned = replace(bench, examples=flipped)
    clean, dirty = _trained(bench, "1", "a"), _trained(poisoned, "1", "b")
    assert all(torch.equal(clean[name], dirty[name]) for name in clean)
    seen = _trained(poisoned, "2", "c")
    kept = _trained(bench, "2", "d")
    assert any(not torch.equal(kept[name], seen[name]) for name in kept)


def test_a_run_changes_the_upper_parts_only(bench: Bench) -> None:
    before = {name: value.clone() for name, value in bench.model.state_dict().items()}
    found = _trained(bench, "0", "a")
    assert {name.split(".")[0] for name in found} == {"late", "head", "combination"}
    after = bench.model.state_dict()
    assert all(torch.equal(after[n], before[n]) for n in before if n not in found)
    assert not bench.model.training


@pytest.mark.parametrize(
    ("name", "fold"), [("final", None), ("3", 3), ("final-late only", None), ("0-both", 0)]
)
def test_the_name_of_a_run_says_what_it_leaves_out(name: str, fold: int | None) -> None:
    assert held_by(name) == fold


def test_real_videos_lose_nothing_in_training(tmp_path: Path) -> None:
    examples = [toys.example(f"{part}/{n}", part) for n in range(30) for part in ("video", "other")]
    items = [parts.item(n) for n in range(60)]
    bench = toys.bench(examples, items, tmp_path)
    nothing_to_lose = replace(bench, items=[FusedItem()] * 60)
    assert not training_items(nothing_to_lose, range(60))[1]
    shown, cut = training_items(bench, range(60))
    assert cut and all(examples[index].part == "other" for index in cut)
    for index, item in enumerate(shown):
        assert (item == items[index]) if index not in cut else (item is not items[index])
