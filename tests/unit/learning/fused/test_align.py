from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from coefvq.learning.fused import align as module
from coefvq.learning.fused.align import (
    align,
    batch_loss,
    rough_length,
    set_motion_scale,
    slot_targets,
)
from coefvq.learning.fused.example import POLICIES, Example
from coefvq.learning.fused.fit import Rates
from coefvq.learning.fused.runs import Bench
from coefvq.learning.text_corpora import HATE, SCAM
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.trained import TENSORS, TrainedParts, save_trained
from tests.unit.learning.fused import toys
from tests.unit.mllm.fused import parts

pytestmark = pytest.mark.usefixtures("six_slots")
RATES = Rates(adapter=0.01, projector=0.01, head=0.02, decay=0.0, head_decay=0.0)


def _align(bench: Bench, epochs: int, place: str = "aligned.pt") -> dict[str, Tensor]:
    return align(
        bench.model, bench.processor, bench.examples, bench.items, bench.folder / place, RATES,
        seed=bench.seed, epochs=epochs, progress=bench.progress,
    )  # fmt: skip


@torch.no_grad()
def _accuracy(bench: Bench) -> float:
    """Share of labelled slots that the model has right, everything shown."""
    logits = bench.model(**bench.processor(list(bench.items))).slot_logits
    targets, _ = slot_targets(bench.examples)
    known = ~targets.isnan()
    return float(((logits > 0) == (targets > 0.5))[known].float().mean())


def test_training_overfits_ten_clips(tmp_path: Path) -> None:
    examples, items = toys.ten_clips()
    bench = toys.bench(examples, items, tmp_path)
    assert _accuracy(bench) < 1.0
    _align(bench, epochs=20)
    assert _accuracy(bench) == 1.0


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    saved = []
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        examples, items = toys.ten_clips()
        bench = toys.bench(examples, items, tmp_path / name, seed=seed)
        _align(bench, epochs=2)
        layout = bench.processor.writer.layout
        save_trained(bench.model, TrainedParts(toys.LORA, {}, layout), tmp_path / name)
        saved.append((tmp_path / name / TENSORS).read_bytes())
    assert saved[0] == saved[1] != saved[2]


def test_only_marked_examples_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples, items = toys.ten_clips()
    examples = [replace(one, align=number < 3) for number, one in enumerate(examples)]
    shown: list[Example] = []
    right = module.batch_loss

    def spy(model: Any, batch: Any, labels: Tensor, rows: Sequence[Example]) -> Tensor:
        shown.extend(rows)
        return right(model, batch, labels, rows)

    monkeypatch.setattr(module, "batch_loss", spy)
    _align(toys.bench(examples, items, tmp_path), epochs=2)
    assert sorted(one.id for one in shown) == sorted(2 * [one.id for one in examples[:3]])


def test_nothing_but_the_trained_parts_changes(tmp_path: Path) -> None:
    bench = toys.bench(*toys.ten_clips(), tmp_path)
    before = {name: value.clone() for name, value in bench.model.state_dict().items()}
    moved = _align(bench, epochs=1)
    for name, value in bench.model.state_dict().items():
        if name not in moved and "scale_motion" not in name:
            assert torch.equal(value, before[name]), name
    changed = [name for name in moved if not torch.equal(moved[name], before[name])]
    assert {name.split(".")[0] for name in changed} >= {"early", "late", "head", "language_model"}


def _loss(examples: Sequence[Example], items: Sequence[FusedItem], told: list[str | None]) -> float:
    torch.manual_seed(0)
    model, processor = parts.model(), parts.processor()
    batch = processor(list(items), reasons=told)
    return float(batch_loss(model, batch, batch.pop("labels"), examples).detach())


def test_the_rationale_is_learnt_too_and_what_is_not_labelled_is_not() -> None:
    examples, items = toys.ten_clips()
    none = _loss(examples[:2], items[:2], [None, None])
    told = _loss(examples[:2], items[:2], ["hate_harassment; for speech 0:00", None])
    assert told > none
    blind = [replace(one, targets={}) for one in examples[:2]]
    assert _loss(blind, items[:2], [None, None]) < none


def test_the_loss_over_the_last_positions_is_the_loss_over_all() -> None:
    examples, items = toys.ten_clips()
    model, processor = parts.model(), parts.processor()
    told = ["a reason", "another and longer reason", None]
    batch = processor(items[:3], reasons=told)
    targets, weights = slot_targets(examples[:3])
    whole = model(**batch, slot_labels=targets, slot_weights=weights).loss
    cut = batch_loss(model, batch, batch.pop("labels"), examples[:3])
    assert float(cut.detach()) == pytest.approx(float(whole.detach()), rel=1e-4)


def test_slots_without_a_label_are_marked() -> None:
    one = toys.example(targets={HATE: 1, SCAM: 0}, weights={SCAM: 0.3})
    targets, weights = slot_targets([one])
    known = {name: float(targets[0, at]) for at, name in enumerate(POLICIES[:3])}
    assert known[HATE] == 1.0 and known[SCAM] == 0.0
    assert int(targets.isnan().sum()) == len(POLICIES) - 2
    assert weights[0].tolist() == pytest.approx([1.0, 1.0, 0.3, *[1.0] * (len(POLICIES) - 3)])


def test_the_motion_scale_is_that_of_the_items() -> None:
    model = parts.model()
    items = [parts.item(number) for number in range(6)]
    motion = np.stack([np.asarray(item.motion) for item in items])
    set_motion_scale(model, [*items, parts.item(9, without=("motion",))])
    scale = model.late.scale_motion
    assert np.allclose(scale.get_buffer("mean"), motion.mean(0), atol=1e-5)
    assert np.allclose(scale.get_buffer("spread"), motion.std(0), atol=1e-4)


def test_the_motion_scale_of_a_single_item_is_a_number() -> None:
    model = parts.model()
    set_motion_scale(model, [parts.item(1)])
    assert np.isfinite(model.late.scale_motion.get_buffer("spread").numpy()).all()


def test_a_longer_item_has_a_greater_rough_length() -> None:
    short, long = FusedItem(), parts.item(1)
    assert rough_length(short) == 0 < rough_length(parts.item(1, without=("speech",)))
    assert rough_length(parts.item(1, without=("speech",))) < rough_length(long)
