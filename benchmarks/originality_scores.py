"""How far scores of copies can be believed: alignments of known truth, refitted, in bins.

``python -m benchmarks.originality calibrate`` fills the alignments from edits of clips: of each
edit the right original and the likeliest wrong ones. Each clip's alignments are then scored by a
model that was fitted without that clip, and each folder's by one fitted without that folder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coefvq.originality.calibration import FEATURES, THRESHOLD

Floats = NDArray[np.float64]
EDGES = (0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 1.0)
Bin = tuple[float, float, int, float, float]
_RIDGE = 1.0  # strength of the pull to 0, of features in units of their spread


@dataclass(frozen=True)
class Alignment:
    """A query laid over an original.

    Attributes:
        folder: Where the query's clip is.
        clip: The clip that the query was made from.
        query: File name.
        original: File name.
        right: Whether the query shows footage of this original, where it was found.
        score: As shipped.
        features: As ``calibration.features`` gives them.
    """

    folder: str
    clip: str
    query: str
    original: str
    right: bool
    score: float
    features: tuple[float, ...]


def save(alignments: Sequence[Alignment], path: Path) -> None:
    """Write alignments as JSON."""
    path.write_text(json.dumps([asdict(one) for one in alignments]))


def load(path: Path) -> list[Alignment]:
    """Read what ``save`` wrote."""
    return [
        Alignment(**{**row, "features": tuple(row["features"])})
        for row in json.loads(path.read_text())
    ]


def fit(features: Floats, right: NDArray[np.bool_]) -> tuple[Floats, float]:
    """Logistic regression with a ridge, by Newton's method.

    Args:
        features: (n, k).
        right: (n,).

    Returns:
        Weights (k,) and bias.
    """
    middle, spread = features.mean(axis=0), features.std(axis=0) + 1e-9
    rows = np.c_[(features - middle) / spread, np.ones(len(features))]
    ridge = np.diag([_RIDGE] * features.shape[1] + [0.0])
    found = np.zeros(rows.shape[1])
    for _ in range(60):
        chance = 1.0 / (1.0 + np.exp(-rows @ found))
        slope = rows.T @ (right - chance) - ridge @ found
        bend = (
            (rows * (chance * (1 - chance))[:, None]).T @ rows + ridge + 1e-6 * np.eye(len(found))
        )
        step = np.linalg.solve(bend, slope)
        found = found + step
        if np.abs(step).max() < 1e-6:
            break
    weights = found[:-1] / spread
    return weights, float(found[-1] - weights @ middle)


def left_out(alignments: Sequence[Alignment], by: str) -> Floats:
    """Score alignments by a model fitted to those of other clips, or other folders, (n,)."""
    features, right = _columns(alignments)
    source = np.array([getattr(one, by) for one in alignments])
    scores = np.zeros(len(alignments))
    for name in np.unique(source):
        test = source == name
        weights, bias = fit(features[~test], right[~test])
        scores[test] = 1.0 / (1.0 + np.exp(-(features[test] @ weights + bias)))
    return scores


def reliability(scores: Floats, right: NDArray[np.bool_]) -> tuple[list[Bin], float]:
    """Bins of what was predicted and what was so, and the expected calibration error.

    Returns:
        Of each bin that is not empty its edges, n, mean score and share of right ones; and the
        mean distance of the two, weighted by n (Guo et al. 2017, ICML).
    """
    rows: list[Bin] = []
    error = 0.0
    place = np.clip(np.searchsorted(EDGES, scores, side="right") - 1, 0, len(EDGES) - 2)
    for number in range(len(EDGES) - 1):
        inside = place == number
        if inside.any():
            said, so = float(scores[inside].mean()), float(right[inside].mean())
            rows.append((EDGES[number], EDGES[number + 1], int(inside.sum()), said, so))
            error += abs(said - so) * float(inside.mean())
    return rows, error


def report(alignments: Sequence[Alignment]) -> None:
    """Print the refitted weights, and the bins of held-out and of shipped scores."""
    features, right = _columns(alignments)
    clips = {(one.folder, one.clip) for one in alignments}
    print(f"{len(right)} alignments, {right.sum()} right, of edits of {len(clips)} clips")
    weights, bias = fit(features, right)
    print(f"refitted to all: bias {bias:.2f}")
    for name, weight in zip(FEATURES, weights, strict=True):
        print(f"  {name:<12} {weight:.2f}")
    shipped = np.array([one.score for one in alignments])
    held = [(f"each {by} left out in turn", left_out(alignments, by)) for by in ("clip", "folder")]
    for name, scores in [*held, ("as shipped", shipped)]:
        rows, error = reliability(scores, right)
        above = scores >= THRESHOLD
        recall = (right & above).sum() / max(1, right.sum())
        print(f"{name}: ECE {error:.4f}, at {THRESHOLD} recall {recall:.3f}, ", end="")
        print(f"wrong {int((~right & above).sum())} of {int(above.sum())}")
        print("  score         n    said  right")
        for low, high, count, said, so in rows:
            print(f"  {low:.2f}-{high:.2f} {count:>6}   {said:.3f}  {so:.3f}")


def _columns(alignments: Sequence[Alignment]) -> tuple[Floats, NDArray[np.bool_]]:
    features = np.array([one.features for one in alignments], float)
    return features, np.array([one.right for one in alignments], bool)
