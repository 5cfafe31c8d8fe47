"""Which texts teach the prefilter which policy, and how much each set counts."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coefvq.domain import PostedText
from coefvq.learning import text_corpora
from coefvq.learning.fit_text import TextExample, TextWeights, fit_examples, placements
from coefvq.learning.text_corpora import HATE, SCAM, TextItem
from coefvq.prefilter.text import TextCounts, fit_idf, text_counts, weigh

STRENGTH = {HATE: 3.0, SCAM: 10.0}
"""Inverse L2 penalties, chosen by cross-validation on the target sets."""


@dataclass(frozen=True)
class TextDoc:
    """One text with the policy's label, in every place that it may stand.

    Attributes:
        target: Whether it belongs to the set that the policy is measured and calibrated on;
            others only help to train.
        counts: As posted first, then the other placements.
    """

    id: str
    group: str
    source: str
    label: int
    weight: float
    target: bool
    counts: tuple[TextCounts, ...]
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class TextSets:
    """The text sets, read once, and a memory of what was counted."""

    hateclip: list[TextItem]
    tweets: list[TextItem]
    comments: list[TextItem]
    headlines: list[TextItem]
    seen: dict[tuple[str | None, str | None], TextCounts] = field(default_factory=dict)

    @classmethod
    def read(cls, data_dir: Path) -> TextSets:
        """Read all four sets.

        Raises:
            SettingsError: If one is not there.
        """
        return cls(
            text_corpora.multihateclip(data_dir),
            text_corpora.davidson(data_dir),
            text_corpora.youtube_spam(data_dir),
            text_corpora.headlines(data_dir),
        )

    def count(self, posted: PostedText) -> TextCounts:
        """Count a text once, however many folds need it."""
        key = (posted.title, posted.caption)
        if key not in self.seen:
            self.seen[key] = text_counts(posted)
        return self.seen[key]


def posted(item: TextItem) -> PostedText:
    """What was typed with a video; speech and screen text are not the prefilter's."""
    return PostedText(item.title, item.caption)


def _target(sets: TextSets, items: Sequence[TextItem], policy: str) -> list[TextDoc]:
    docs = []
    for item in items:
        places = [posted(item), *placements(item.title, item.caption)]
        distinct = tuple(dict.fromkeys(places))
        counts = tuple(sets.count(place) for place in distinct)
        label = item.labels[policy]
        docs.append(TextDoc(item.id, item.group, item.source, label, 1.0, True, counts, item.tags))
    return docs


def _helpers(
    sets: TextSets, items: Sequence[TextItem], policy: str, weight: float
) -> list[TextDoc]:
    """Texts of other sets, turn and turn about as title and as caption. No label: harmless."""
    docs = []
    for number, item in enumerate(items):
        text = "\n".join(part for part in (item.title, item.caption) if part)
        place = PostedText(text, None) if number % 2 else PostedText(None, text)
        label = item.labels.get(policy, 0)
        counts = (sets.count(place),)
        docs.append(
            TextDoc(item.id, item.group, item.source, label, weight, False, counts, item.tags)
        )
    return docs


def _some(items: Sequence[TextItem], count: int, seed: int) -> list[TextItem]:
    ordered = sorted(items, key=lambda item: item.id)
    return random.Random(seed).sample(ordered, min(count, len(ordered)))


def taught_tweets(sets: TextSets, seed: int) -> list[TextItem]:
    """Tweets that train; harmless ones are drawn twice as often as the set has them."""
    harmless = [item for item in sets.tweets if item.labels[HATE] == 0]
    hateful = [item for item in sets.tweets if item.labels[HATE] == 1]
    return _some(harmless, 2000, seed) + _some(hateful, 1500, seed)


def hate_docs(sets: TextSets, seed: int = 0) -> list[TextDoc]:
    """MultiHateClip is the target; tweets lend words, headlines and comments calm the rest."""
    harmless = [item for item in sets.comments if item.labels[SCAM] == 0]
    return [
        *_target(sets, sets.hateclip, HATE),
        *_helpers(sets, taught_tweets(sets, seed), HATE, 0.1),
        *_helpers(sets, _some(sets.headlines, 800, seed), HATE, 0.1),
        *_helpers(sets, _some(harmless, 300, seed), HATE, 0.1),
    ]


def scam_docs(sets: TextSets, seed: int = 0) -> list[TextDoc]:
    """YouTube comments are the target; the other sets' texts are harmless examples."""
    return [
        *_target(sets, sets.comments, SCAM),
        *_helpers(sets, sets.hateclip, SCAM, 0.15),
        *_helpers(sets, _some(sets.headlines, 1500, seed), SCAM, 0.15),
        *_helpers(sets, _some(sets.tweets, 1000, seed), SCAM, 0.15),
    ]


def fit_docs(
    docs: Sequence[TextDoc], policy: str, idf: NDArray[np.float32] | None = None
) -> tuple[TextWeights, NDArray[np.float32]]:
    """Fit one policy on documents; a document's placements share its weight.

    Returns:
        The weights, and the inverse document frequencies that they belong to.
    """
    table = fit_idf(doc.counts[0] for doc in docs) if idf is None else idf
    examples = [
        TextExample(counts, doc.label, doc.weight / len(doc.counts))
        for doc in docs
        for counts in doc.counts
    ]
    return fit_examples(examples, table, STRENGTH[policy]), table


def out_of_fold(
    docs: Sequence[TextDoc],
    folds: NDArray[np.int64],
    policy: str,
    on_fold: Callable[[], None] = lambda: None,
) -> dict[str, NDArray[np.float64]]:
    """Log-odds of the target documents from models that saw neither them nor their group.

    Args:
        folds: int64, one a target document, in order.

    Returns:
        ``posted``: as posted; ``moved``: with the same words as the title alone.
    """
    targets = [doc for doc in docs if doc.target]
    helpers = [doc for doc in docs if not doc.target]
    logits = {"posted": np.zeros(len(targets)), "moved": np.zeros(len(targets))}
    for number in np.unique(folds):
        kept = [doc for doc, fold in zip(targets, folds, strict=True) if fold != number]
        weights, idf = fit_docs([*kept, *helpers], policy)
        held = np.flatnonzero(folds == number)
        for name, place in (("posted", 0), ("moved", 1)):
            rows = [
                weigh(targets[i].counts[min(place, len(targets[i].counts) - 1)], idf) for i in held
            ]
            logits[name][held] = weights.logits(rows)
        on_fold()
    return logits
