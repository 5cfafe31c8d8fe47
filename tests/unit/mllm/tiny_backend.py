"""The embedded backend over a tiny fused model with random weights, saved and loaded again."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from coefvq.domain import ExpensiveSignals, PostedText, TimedText
from coefvq.mllm import base
from coefvq.mllm.backend import MllmInput
from coefvq.mllm.embedded import EmbeddedMllm
from coefvq.mllm.fused import FusedForConditionalGeneration, FusedProcessor, shipped
from coefvq.mllm.fused.readout import PolicyReadout, Readout, StateHead, save_readout
from coefvq.mllm.fused.scorer import FusedScorer
from coefvq.mllm.fused.trained import (
    LoraSizes,
    TrainedParts,
    add_lora,
    save_trained,
    trained_parameters,
)
from coefvq.mllm.fused.words import BLOCKS, BUCKETS, WordHead
from tests.unit.mllm import tiny
from tests.unit.mllm.fused import parts

POLICIES = parts.POLICIES
TEXT_POLICIES = ("scam_spam", "hate_harassment")
RULES = ("people hurting each other", "asking for money", "insults")
SIZES = LoraSizes(rank=2, alpha=4)
SPLIT = 1
STATES = {"text": 32, "visual": 3 * 1280, "sound": 3 * parts.HEARD, "motion": parts.MOTION}
_INPUTS = {"violence": ("visual", "motion"), "scam_spam": ("text",), "hate_harassment": ("text",)}
_NEEDS = {name: ("caption", "speech", "screen_text") for name in TEXT_POLICIES}
_NEEDS["violence"] = ("visual", "motion")


def assemble(
    _: Path, policies: Sequence[str], *, dtype: Any = None, **options: Any
) -> tuple[FusedForConditionalGeneration, FusedProcessor]:
    """In place of the real one: the same random towers and language model every time."""
    assert tuple(policies) == POLICIES
    rules = options.pop("rules")
    given = {k: v for k, v in options.items() if k != "max_tokens"}
    return parts.model("default", **given), parts.processor("default", rules=rules, **options)


def readout(seed: int = 3) -> Readout:
    """Random heads; the word head of the picture policy is missing, as in the shipped ones."""
    chance = np.random.default_rng(seed)
    return Readout({name: _policy(name, chance) for name in POLICIES}, {"violence": 0.4}, {"n": 12})


def _policy(name: str, chance: np.random.Generator) -> PolicyReadout:
    inputs = tuple((key, STATES[key]) for key in _INPUTS[name])
    width = sum(size for _, size in inputs)
    arrays = [chance.normal(size=width).astype(np.float32) for _ in range(3)]
    arrays[1] = np.abs(arrays[1]) + 0.5
    arrays[2] /= np.float32(np.sqrt(width))
    words = None
    if name in TEXT_POLICIES:
        weight = chance.normal(size=BLOCKS * BUCKETS).astype(np.float16).astype(np.float32)
        words = WordHead(np.ones(BLOCKS * BUCKETS, np.float32), weight, 0.25)
    states = StateHead(inputs, *arrays, bias=-0.5)
    return PolicyReadout((0.7, 0.6, 0.5, 0.4 if words else 0.0), 0.1, states, words, _NEEDS[name])


def save_checkpoint(folder: Path, bases: dict[str, str], seed: int = 5) -> Path:
    """Write trained parts with a random adapter, and a readout."""
    model, processor = assemble(
        folder, POLICIES, rules=RULES, late_text_layer=SPLIT, max_tokens=900
    )
    model.requires_grad_(False)
    add_lora(model, SIZES)
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, parameter in trained_parameters(model):
            parameter.add_(torch.randn(parameter.shape, generator=chance) * 0.2)
    save_trained(model, TrainedParts(SIZES, bases, processor.writer.layout), folder)
    save_readout(readout(), folder)
    return folder


def install(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Put tiny bases in place of the real ones; a checkpoint that fits them lies in the result."""
    made = tiny.save_to(folder / "base")
    (made / base.READY).write_text("tiny")
    (folder / "pictures.bin").write_bytes(b"pictures")
    monkeypatch.setattr(shipped, "ensure_base", lambda _: made)
    monkeypatch.setattr(shipped, "weights_path", lambda: folder / "pictures.bin")
    monkeypatch.setattr(shipped, "assemble", assemble)
    monkeypatch.setattr(shipped, "best_dtype", lambda: torch.float32)
    return save_checkpoint(folder / "checkpoint", shipped.installed_bases(made))


def load(folder: Path, **options: Any) -> EmbeddedMllm:
    """The backend of a checkpoint that ``install`` made."""
    return EmbeddedMllm.load(folder.parent, folder=folder, **options)


def signals(seed: int = 0, **changes: Any) -> ExpensiveSignals:
    """Speech, screen text, sound and motion of a video."""
    chance = np.random.default_rng(seed)
    said = ("hello you all", "buy it now or never", "a dog runs", "free money for you")
    given: dict[str, Any] = {
        "speech": (TimedText(1.0, 2.0, said[seed % 4]), TimedText(3.0, 4.0, said[(seed + 1) % 4])),
        "speech_understood": True,
        "screen_text": (TimedText(2.0, 3.0, said[(seed + 2) % 4]),),
        "sound_states": chance.normal(size=(9, parts.HEARD)).astype(np.float16),
        "motion": chance.normal(size=parts.MOTION).astype(np.float32),
    }
    return ExpensiveSignals("x", **(given | changes))


def item(seed: int = 0, title: str | None = "a title", **changes: Any) -> MllmInput:
    """A video without a file."""
    return MllmInput(PostedText(title, f"caption {seed}"), signals(seed, **changes), 5.0)


@contextmanager
def counted(scorer: FusedScorer) -> Iterator[list[int]]:
    """Tokens of each pass through the language model, in order, whichever thread runs it."""
    found: list[int] = []
    lock = threading.Lock()

    def note(_: Any, __: Any, kwargs: dict[str, Any]) -> None:
        given = kwargs.get("inputs_embeds")
        ids = kwargs["input_ids"] if given is None else given
        with lock:
            found.append(int(ids.shape[1]))

    decoder = scorer.model.language_model.get_decoder()
    handle = decoder.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield found
    finally:
        handle.remove()
