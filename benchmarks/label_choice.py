"""How many labels does choosing what to label save, against labelling at random?

    python -m benchmarks.label_choice DATA [--sets tweets spam hate headlines] [--seeds 6]

DATA is the folder that holds ``text/``. For each set and seed, 30 % is held out (whole groups where
there are many). From a few random labels on, batches are chosen by ``coefvq.learning.choose.rank``
or at random, and the prefilter's text part is fitted anew after each (``fit_text``, no other data:
the shipped weights have seen these sets). The figure is the AUC on what is held out; the gain is
the number of labels with which the chosen ones reach the AUC that random ones reach with all, as a
share. Intervals are over seeds (paired bootstrap, 95 %). The defaults of ``Mixing`` were chosen on
``tweets``. ``headlines`` (clickbait or news) is no policy: it is there as another kind of text.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coefvq.learning import text_corpora
from coefvq.learning.choose.rank import Mixing, Pool, rank
from coefvq.learning.choose.vectors import text_vectors
from coefvq.learning.fit_text import fit_text
from coefvq.learning.measures import auc
from coefvq.learning.text_corpora import HATE, SCAM, TextItem
from coefvq.learning.text_recipe import STRENGTH, posted
from coefvq.prefilter.text import TextRow, fit_idf, text_counts, weigh
from coefvq.routing.calibration import sigmoid

HELD_OUT, FEW_GROUPS, MOST_TEXTS = 0.3, 20, 3500
RANDOM = Mixing(random=1.0)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Texts:
    """One set, counted once."""

    name: str
    policy: str
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]
    rows: list[TextRow]
    vectors: Floats


@dataclass(frozen=True)
class Curve:
    """AUC by number of labels; ``labels`` is the same for all curves of a run."""

    labels: Floats
    auc: Floats


def read(name: str, data: Path) -> Texts:
    """Read and count one set."""
    items, policy = _items(name, data)
    counts = [text_counts(posted(item)) for item in items]
    idf = fit_idf(counts)  # the words of what is not labelled are there as well
    return Texts(
        name,
        policy,
        np.array([item.labels[policy] for item in items]),
        np.array([item.group for item in items]),
        [weigh(found, idf) for found in counts],
        text_vectors(counts),
    )


def _items(name: str, data: Path) -> tuple[list[TextItem], str]:
    if name == "spam":
        return text_corpora.youtube_spam(data), SCAM
    if name == "hate":
        return text_corpora.multihateclip(data), HATE
    if name == "headlines":
        every = [replace(item, labels={HATE: _clickbait(item)}) for item in
                 text_corpora.headlines(data)]  # fmt: skip
    else:
        every = text_corpora.davidson(data)
    order = np.random.default_rng(0).permutation(len(every))[:MOST_TEXTS]
    return [every[at] for at in order], HATE


def _clickbait(item: TextItem) -> int:
    return int("file:clickbait_headlines" in item.tags)


def split(texts: Texts, rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pool and held-out items; groups stay whole where there are enough of them."""
    names = np.unique(texts.groups)
    if len(names) < FEW_GROUPS:
        held = rng.random(len(texts.groups)) < HELD_OUT
    else:
        chosen = rng.choice(names, round(HELD_OUT * len(names)), replace=False)
        held = np.isin(texts.groups, chosen)
    return rng.permutation(np.flatnonzero(~held)), np.flatnonzero(held)


def curve(texts: Texts, seed: int, mixing: Mixing, limits: tuple[int, int, int]) -> Curve:
    """Label in batches, fit after each, measure.

    Args:
        limits: Labels at the start, in a batch, and at the end.
    """
    start, batch, most = limits
    rng = np.random.default_rng(seed)
    pool, held = split(texts, rng)
    known, rest = list(pool[:start]), list(pool[start:])
    found = []
    while True:
        scores = _scores(texts, known, [*held, *rest])
        found.append((len(known), auc(texts.labels[held], scores[: len(held)])))
        if len(known) >= most or not rest:
            return Curve(*np.array(found, float).T)
        picked = _next(texts, known, rest, scores[len(held) :], mixing, batch, seed)
        known += picked
        rest = sorted(set(rest) - set(picked))


def _scores(texts: Texts, known: Sequence[int], asked: Sequence[int]) -> Floats:
    """Log-odds of a text part fitted on the known ones; all 0 while they are of one class."""
    labels = texts.labels[known].astype(np.float32)
    if labels.min() == labels.max():
        return np.zeros(len(asked))
    rows = [texts.rows[at] for at in known]
    weights = np.ones(len(rows), np.float32)
    fitted = fit_text(rows, labels, weights, strength=STRENGTH[texts.policy])
    return fitted.logits([texts.rows[at] for at in asked])


def _next(
    texts: Texts,
    known: Sequence[int],
    rest: Sequence[int],
    scores: Floats,
    mixing: Mixing,
    batch: int,
    seed: int,
) -> list[int]:
    unknown = np.full(len(rest), np.nan)  # there is one stage only
    keys = [f"{at:06d}" for at in rest]
    pool = Pool(keys, sigmoid(scores), unknown, texts.vectors[rest])
    draw = seed * 10_000 + len(known)
    found = rank(pool, texts.vectors[known], batch, labels=len(known), mixing=mixing, seed=draw)
    return [int(choice.key) for choice in found]


def share_needed(chosen: Sequence[Curve], drawn: Sequence[Curve]) -> float:
    """Labels that chosen ones need for the AUC that random ones end with, as a share.

    Read off the mean curves, linearly between batches; infinite where it is never reached.
    """
    labels = chosen[0].labels
    best = np.maximum.accumulate(np.mean([each.auc for each in chosen], axis=0))
    target = float(np.mean([each.auc for each in drawn], axis=0)[-1])
    if best[-1] < target:
        return float("inf")
    at = int(np.argmax(best >= target))
    if at == 0:
        return float(labels[0] / labels[-1])
    step = (target - best[at - 1]) / (best[at] - best[at - 1])
    return float((labels[at - 1] + step * (labels[at] - labels[at - 1])) / labels[-1])


def interval(
    chosen: Sequence[Curve], drawn: Sequence[Curve], rounds: int = 2000
) -> tuple[float, float]:
    """95 % of ``share_needed`` over seeds drawn again, in pairs."""
    rng = np.random.default_rng(0)
    values = []
    for _ in range(rounds):
        seeds = rng.integers(0, len(chosen), len(chosen))
        values.append(share_needed([chosen[s] for s in seeds], [drawn[s] for s in seeds]))
    low, high = np.percentile(np.nan_to_num(values, posinf=9.99), [2.5, 97.5])
    return float(low), float(high)


def measure(texts: Texts, seeds: int, limits: tuple[int, int, int]) -> dict[str, object]:
    """All figures of one set."""
    chosen = [curve(texts, seed, Mixing(), limits) for seed in range(seeds)]
    drawn = [curve(texts, seed, RANDOM, limits) for seed in range(seeds)]
    low, high = interval(chosen, drawn)
    return {
        "set": texts.name,
        "n": len(texts.labels),
        "violations": int(texts.labels.sum()),
        "seeds": seeds,
        "labels": chosen[0].labels.tolist(),
        "auc_random": np.mean([each.auc for each in drawn], axis=0).round(4).tolist(),
        "auc_chosen": np.mean([each.auc for each in chosen], axis=0).round(4).tolist(),
        "share_needed": round(share_needed(chosen, drawn), 3),
        "interval": [round(low, 3), round(high, 3)],
    }


def main() -> None:
    """Read the command line, measure, print one JSON object a set."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.label_choice", description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=["tweets", "spam", "hate", "headlines"])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--start", type=int, default=30)
    parser.add_argument("--batch", type=int, default=30)
    parser.add_argument("--labels", type=int, default=500)
    given = parser.parse_args()
    for name in given.sets:
        limits = (given.start, given.batch, given.labels)
        print(json.dumps(measure(read(name, given.data), given.seeds, limits)), flush=True)


if __name__ == "__main__":
    main()
