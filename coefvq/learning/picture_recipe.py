"""Which clips teach the prefilter what: labelled fights, composed clips, ordinary scenes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coefvq.domain import CheapSignals
from coefvq.learning import clip_corpora, compose
from coefvq.learning.clip_corpora import VIOLENCE, ClipItem
from coefvq.learning.clip_signals import clip_signals
from coefvq.learning.compose import RECIPE_VERSION, UCC_POLICIES
from coefvq.learning.crossval import grouped_folds
from coefvq.learning.fit_pictures import (
    PictureExample,
    fit_pictures,
    fit_scaling,
    picture_logits,
)
from coefvq.prefilter.features import picture_blocks
from coefvq.prefilter.model import PICTURE_POLICIES
from coefvq.signals.extract import CheapExtractor

ORDINARY_WEIGHT = 0.2
"""How much an ordinary clip counts as a negative of violence, against a labelled fight."""

Say = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Clips:
    """Clips with their signals, in one order.

    Attributes:
        folds: int64 (n,), by source footage.
    """

    items: list[ClipItem]
    signals: list[CheapSignals]
    folds: NDArray[np.int64]

    def indices(self, policy: str, sources: Sequence[str] | None = None) -> NDArray[np.intp]:
        """Places of the clips that have a label for a policy (and come from ``sources``)."""
        kept = [
            at
            for at, item in enumerate(self.items)
            if policy in item.labels and (sources is None or item.source in sources)
        ]
        return np.asarray(kept, dtype=np.intp)

    def labels(self, policy: str, places: NDArray[np.intp]) -> NDArray[np.int64]:
        """0 or 1 at ``places``."""
        return np.asarray([self.items[at].labels[policy] for at in places], dtype=np.int64)


def gather(
    data_dir: Path, work: Path, *, seed: int, folds: int, say: Say, scale: float = 1.0
) -> Clips:
    """Read, compose and describe all clips.

    Args:
        work: Folder for composed clips and extracted signals; used again the next time.
        scale: Composed clips a source; below 1 for a quick trial.
    """
    specs = compose.plan(clip_corpora.footage(data_dir), seed, scale)
    made = compose.compose(
        specs, work / RECIPE_VERSION, lambda at, of: say(at, of, "composing clips")
    )
    ordinary = [*clip_corpora.scenes(data_dir), *clip_corpora.gradio_media()]
    items = [*clip_corpora.fights(data_dir), *map(_plain, ordinary), *map(_calm, made)]
    found = clip_signals(
        items, work, CheapExtractor(), lambda at, of: say(at, of, "extracting signals")
    )
    kept = [item for item in items if item.id in found]
    dealt = grouped_folds(
        [item.group for item in kept], [item.labels.get(VIOLENCE, 0) for item in kept], folds, seed
    )
    return Clips(kept, [found[item.id] for item in kept], dealt)


def _plain(item: ClipItem) -> ClipItem:
    """An ordinary clip shows none of the unoriginal kinds."""
    labels = {**dict.fromkeys(UCC_POLICIES, 0), **item.labels}
    return ClipItem(item.id, item.group, item.source, item.path, labels, item.tags)


def _calm(item: ClipItem) -> ClipItem:
    """A composed clip is no fight, unless its footage comes from the fights set."""
    if item.group.startswith("fights/") or "battle" in item.group:
        return item
    return ClipItem(
        item.id, item.group, item.source, item.path, {**item.labels, VIOLENCE: 0}, item.tags
    )


def examples(clips: Clips) -> list[PictureExample]:
    """Clips as training examples; weak negatives of violence count less."""
    return [
        PictureExample(
            picture_blocks(signals),
            item.labels,
            {} if item.source == "fights" else {VIOLENCE: ORDINARY_WEIGHT},
        )
        for item, signals in zip(clips.items, clips.signals, strict=True)
    ]


def out_of_fold(
    clips: Clips, *, seed: int, on_fold: Callable[[], None] = lambda: None
) -> NDArray[np.float64]:
    """Log-odds (n, 4) of ``PICTURE_POLICIES`` from models that never saw the source footage."""
    shown = examples(clips)
    logits = np.zeros((len(shown), len(PICTURE_POLICIES)))
    for number in np.unique(clips.folds):
        kept = [shown[at] for at in np.flatnonzero(clips.folds != number)]
        held = np.flatnonzero(clips.folds == number)
        scaling = fit_scaling([example.blocks for example in kept])
        net = fit_pictures(kept, scaling, seed=seed)
        logits[held] = picture_logits(net, [shown[at].blocks for at in held], scaling)
        on_fold()
    return logits
