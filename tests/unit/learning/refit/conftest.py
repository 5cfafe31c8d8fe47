"""A tiny prefilter, and decisions on videos whose truth hangs on words that it has never met."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from coefvq.domain import CheapSignals, ExpensiveSignals, PostedText
from coefvq.learning.dataset.items import GivenSignals, LabelledVideo
from coefvq.prefilter.text import fit_idf, text_counts
from coefvq.prefilter.weights import Trained, save
from tests.unit.prefilter.conftest import WIDTH, make_trained

SCAM, NOVEL, VIOLENCE = "scam_spam", "dangerous_acts", "violence"
PLAIN = [
    "river",
    "stone",
    "garden",
    "window",
    "paper",
    "morning",
    "bread",
    "quiet",
    "letter",
    "music",
]
Items = Callable[..., list[LabelledVideo]]


def make_root() -> Trained:
    """Knows that "gift" is scam; its text weights come from ``root_texts``."""
    idf = fit_idf(text_counts(PostedText(text)) for text in root_texts())
    return replace(make_trained(), idf=idf)


def root_texts() -> list[str]:
    """Plain words and "gift"; the last text stands alone, as some do in any set."""
    rng = np.random.default_rng(5)
    return [*(" ".join(rng.choice([*PLAIN, "gift"], 5)) for _ in range(200)), "solitary"]


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    save(make_root(), folder)
    return folder


def split_of(number: int) -> str:
    return ("train", "train", "train", "validation", "test")[number % 5]


def make_items(
    count: int = 160, policy: str = SCAM, seed: int = 0, noise: float = 0.0, word: str = "zorbex"
) -> list[LabelledVideo]:
    """Half of the videos say ``word`` and are violations; groups are pairs of videos."""
    rng, found = np.random.default_rng(seed), []
    for number in range(count):
        bad = int(rng.random() < 0.5)
        said = bad if rng.random() >= noise else 1 - bad
        words = [*rng.choice(PLAIN, 6), *([word] if bad else [])]
        found.append(
            LabelledVideo(
                video_id=f"v{number:04d}",
                sha256=None,
                posted=PostedText(" ".join(rng.permutation(words)), None),
                group=f"g{number // 2}",
                split=split_of(number // 2),  # type: ignore[arg-type]
                labels={policy: said},
                machine={policy: 0.2},
                corrected=frozenset({policy} if said else ()),
            )
        )
    return found


def make_films(count: int = 160, seed: int = 0) -> tuple[list[LabelledVideo], GivenSignals]:
    """Fights whose pictures, unlike the root's, are still: the first motion number is high."""
    rng, given = np.random.default_rng(seed), {}
    items = []
    for item in make_items(count, VIOLENCE, seed):
        bad = item.labels[VIOLENCE]
        motion = np.array([3.0 * bad + rng.normal(), rng.normal()], np.float32)
        cheap = CheapSignals(
            "test", np.ones((2, WIDTH), np.float32), np.array([0.0, 1.0], np.float32),
            np.zeros(2, np.float32), motion,
        )  # fmt: skip
        given[item.video_id] = (cheap, ExpensiveSignals("test"))
        items.append(replace(item, posted=PostedText()))
    return items, GivenSignals(given)
