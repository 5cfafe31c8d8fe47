"""The benchmark of what to label next: how the share is read off, and a run on made-up texts."""

from __future__ import annotations

import random

import numpy as np
import pytest

from benchmarks.label_choice import RANDOM, Curve, Texts, curve, interval, share_needed
from coefvq.domain import PostedText
from coefvq.learning.choose.rank import Mixing
from coefvq.learning.choose.vectors import text_vectors
from coefvq.prefilter.text import fit_idf, text_counts, weigh

LABELS = np.array([10.0, 20.0, 30.0, 40.0])


def of(*auc: float) -> Curve:
    return Curve(LABELS, np.array(auc))


@pytest.mark.parametrize(
    ("chosen", "drawn", "share"),
    [
        pytest.param([of(0.5, 0.8, 0.9, 0.9)], [of(0.5, 0.6, 0.7, 0.8)], 0.5, id="half"),
        pytest.param([of(0.5, 0.7, 0.9, 0.9)], [of(0.5, 0.6, 0.7, 0.8)], 0.625, id="between"),
        pytest.param([of(0.9, 0.9, 0.9, 0.9)], [of(0.5, 0.6, 0.7, 0.8)], 0.25, id="at once"),
        pytest.param([of(0.5, 0.6, 0.7, 0.7)], [of(0.5, 0.6, 0.7, 0.8)], np.inf, id="never"),
        pytest.param(
            [of(0.5, 0.8, 0.8, 0.8), of(0.5, 0.6, 0.8, 1.0)],
            [of(0.5, 0.6, 0.7, 0.8), of(0.5, 0.6, 0.7, 0.6)],
            0.5,
            id="of the means",
        ),
    ],
)
def test_the_share_of_labels(chosen: list[Curve], drawn: list[Curve], share: float) -> None:
    assert share_needed(chosen, drawn) == pytest.approx(share)
    if len(chosen) == 1:
        low, high = interval(chosen, drawn, rounds=20)
        assert low == high == pytest.approx(min(share, 9.99))


def made_up(number: int = 240) -> Texts:
    """Every sixth text violates, by one of four words; the others are of three kinds."""
    rng, lines, labels = random.Random(0), [], []
    for at in range(number):
        bad = at % 6 == 0
        kind = rng.choice(["prize cash", "giveaway", "crypto", "lottery"]) if bad else ""
        rest = rng.choice(["cat garden", "goal match", "bread oven"])
        lines.append(PostedText(f"{kind} {rest} {rng.randint(0, 30)}", None))
        labels.append(int(bad))
    counts = [text_counts(line) for line in lines]
    idf = fit_idf(counts)
    rows = [weigh(found, idf) for found in counts]
    groups = np.array([str(at) for at in range(number)])
    return Texts("made up", "scam_spam", np.array(labels), groups, rows, text_vectors(counts))


def test_a_run_learns_and_both_ways_start_alike() -> None:
    texts, limits = made_up(), (20, 20, 80)
    chosen = curve(texts, 0, Mixing(random=0.0, warm_up=0), limits)
    drawn = curve(texts, 0, RANDOM, limits)
    assert chosen.labels.tolist() == drawn.labels.tolist() == [20, 40, 60, 80]
    assert chosen.auc[0] == drawn.auc[0]
    assert chosen.auc[-1] > 0.95
    assert (curve(texts, 0, Mixing(random=0.0, warm_up=0), limits).auc == chosen.auc).all()
