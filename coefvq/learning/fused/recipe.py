"""Sizes, rates and places of one training of the fused model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from coefvq.errors import SettingsError
from coefvq.learning.clip_corpora import ClipItem, footage
from coefvq.learning.clock import Progress
from coefvq.learning.fused.example import POLICIES, Example, Recognised
from coefvq.learning.fused.fit import Rates
from coefvq.learning.fused.media import footage_of, item_of
from coefvq.learning.recognised import Recognised as Heard
from coefvq.learning.recognised import Recogniser, footage_frames
from coefvq.mllm.base import ensure_base
from coefvq.mllm.fused.assemble import assemble
from coefvq.mllm.fused.items import FusedItem
from coefvq.mllm.fused.modeling import FusedForConditionalGeneration
from coefvq.mllm.fused.trained import LoraSizes, add_lora
from coefvq.signals.action import ACTION_NAMES


@dataclass(frozen=True)
class Recipe:
    """What is trained and how.

    Attributes:
        lora: Of the first phase, on all layers.
        split: Layers below the states of the words that late fusion and the readout pool.
        align_epochs: Epochs of the first phase.
        epochs: Epochs of each run of the second phase.
        align_rates: Learning rates of the first phase.
        rates: Learning rates of the second phase.
        max_tokens: Longest prompt.
        options: Fields of ``FusedConfig`` that differ from the shipped model's.
    """

    lora: LoraSizes = field(default_factory=LoraSizes)
    split: int = 24
    align_epochs: int = 1
    epochs: int = 12
    align_rates: Rates = field(default_factory=Rates)
    rates: Rates = field(default_factory=lambda: Rates(head=1e-3, head_decay=0.3))
    max_tokens: int = 448
    options: Mapping[str, Any] = field(default_factory=dict)


def new_model(
    cache_dir: Path, recipe: Recipe, seed: int
) -> tuple[FusedForConditionalGeneration, Any]:
    """The untrained model with adapters, and its processor; the same seed gives the same."""
    torch.manual_seed(seed)
    options = {
        "motion_size": len(ACTION_NAMES),
        "merge_mode": "mean",
        "sound_pool": 2,
        "late_text_layer": recipe.split,
        "modality_dropout": 0.0,  # the training drops modalities itself, and keeps the evidence
        **recipe.options,
    }
    model, processor = assemble(
        ensure_base(cache_dir), POLICIES, dtype=torch.bfloat16, max_tokens=recipe.max_tokens,
        **options,
    )  # fmt: skip
    add_lora(model, recipe.lora)
    return model, processor


def claim_folder(
    work: Path, recipe: Recipe, seed: int, scale: float, examples: Sequence[Example]
) -> None:
    """Tie a work folder to one training, so that no other takes up its tensors.

    Raises:
        SettingsError: If it holds the work of another recipe, seed or mixture.
    """
    known = [
        (one.id, one.part, one.fold, one.align, sorted(one.targets.items())) for one in examples
    ]
    text = json.dumps([asdict(recipe), seed, scale, known], default=str)
    mine, note = hashlib.sha256(text.encode()).hexdigest(), work / "training.sha256"
    if note.is_file() and note.read_text(encoding="utf-8").strip() != mine:
        raise SettingsError(
            f"{work} holds the work of another training (other data, seed or recipe). "
            "Give another --out, or delete that folder."
        )
    work.mkdir(parents=True, exist_ok=True)
    note.write_text(mine + "\n", encoding="utf-8")


def materialise(
    data_dir: Path,
    work: Path,
    clips: Sequence[ClipItem],
    examples: Sequence[Example],
    model: FusedForConditionalGeneration,
    processor: Any,
    progress: Progress,
) -> list[FusedItem]:
    """Everything that examples show and say, computed or read from the work folder."""
    heard = recognise(data_dir, work, examples, progress)
    seen = footage_of(
        clips, work / "footage", model.vision_tower, processor.image_processor, progress
    )
    return [item_of(example, seen, heard) for example in examples]


def recognise(
    data_dir: Path, work: Path, examples: Sequence[Example], progress: Progress
) -> dict[Recognised, Heard]:
    """What the recognisers make of all words that pass through one."""
    wanted = list(dict.fromkeys(words for example in examples for words in example.recognised))
    tool = Recogniser(work / "recognised", frame_of=footage_frames(footage(data_dir)))
    found: dict[Recognised, Heard] = {}
    clearly = partial(tool.hear_all, clear=True)
    makers: dict[str, Callable[..., list[Heard]]] = {
        "hear": tool.hear_all,
        "hear_clearly": clearly,
        "see": tool.see_all,
    }
    for kind, make in makers.items():
        rows = [words for words in wanted if words.kind == kind]
        results = make([(words.text, words.seed) for words in rows], progress)
        found |= dict(zip(rows, results, strict=True))
    return found
