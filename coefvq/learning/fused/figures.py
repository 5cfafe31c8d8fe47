"""Figures of held-out predictions, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from coefvq.learning.fused.example import ALWAYS
from coefvq.learning.fused.predictions import Predictions, is_measured
from coefvq.learning.measures import auc, bootstrap, debiased_ece
from coefvq.learning.text_corpora import HATE, SCAM
from coefvq.mllm.fused.readout import PARTS

_GRID = np.linspace(0.05, 0.95, 91)
SLICES = ("composed_speech", "composed_screen_text", "composed_caption")


def figures_of(answers: Predictions) -> dict[str, Any]:
    """AUC, macro-F1, calibration error and slices of one policy."""
    main = answers.only(answers.primary)
    return {
        "n": len(main.label),
        "positives": int(main.label.sum()),
        "auc": interval(main),
        "macro_f1": crossed_f1(main),
        "debiased_ece": debiased_ece(main.label, main.probability),
        "mean_label_mass": float(main.mass.mean()),
        "auc_by_fold": {
            str(fold): auc(main.label[main.fold == fold], main.probability[main.fold == fold])
            for fold in sorted(set(main.fold.tolist()))
        },
        "auc_by_part": {part: auc(main.label, main.parts[:, at]) for at, part in enumerate(PARTS)},
        "weights": dict(zip(PARTS, answers.weights[0], strict=True)),
        "auc_without_repeats": without_repeats(main),
        "slices": {name: slice_of(answers, name) for name in SLICES},
    }


def without_repeats(rows: Predictions) -> dict[str, Any]:
    """The AUC without items whose group, such as a comment's words, is in another fold too."""
    folds: dict[str, set[int]] = {}
    for example in rows.examples:
        folds.setdefault(example.group, set()).add(example.fold)
    single = np.array([len(folds[example.group]) == 1 for example in rows.examples])
    kept = rows.only(single)
    return {"n": len(kept.label), "auc": auc(kept.label, kept.probability)}


def interval(rows: Predictions) -> dict[str, Any]:
    """AUC with a bootstrap over groups."""
    groups = [example.group for example in rows.examples]
    found = bootstrap(auc, rows.label, rows.probability, groups=groups)
    return {"value": found.value, "low": found.low, "high": found.high, "groups": len(set(groups))}


def slice_of(answers: Predictions, part: str) -> dict[str, Any]:
    """AUC on one part of the mixture, without what the first phase trained on."""
    rows = answers.only(answers.part(part) & measured_rows(answers))
    if len(set(rows.label.tolist())) < 2:
        return {"n": len(rows.label), "auc": None}
    return {"n": len(rows.label), "auc": interval(rows)}


def measured_rows(answers: Predictions) -> NDArray[np.bool_]:
    """Rows with people's labels that no training saw: held out by fold, and held-out tweets."""
    aligned = np.array([example.align for example in answers.examples], dtype=bool)
    weak = np.array([answers.policy in example.weights for example in answers.examples], dtype=bool)
    return ~aligned & ~weak & (answers.fold != ALWAYS) & is_measured(answers.policy, answers.fold)


def best_threshold(label: NDArray[np.int64], probability: NDArray[np.float64]) -> float:
    """The probability from which on "violation" gives the best macro-F1."""
    scores = [f1_score(label, probability >= at, average="macro") for at in _GRID]
    return float(_GRID[int(np.argmax(scores))])


def crossed_f1(rows: Predictions) -> dict[str, float]:
    """Macro-F1 at 0.5, and at a threshold chosen on the other folds."""
    found = np.zeros(len(rows.label), dtype=bool)
    for fold in set(rows.fold.tolist()):
        here = rows.fold == fold
        others = ~here if (~here).any() else here
        threshold = best_threshold(rows.label[others], rows.probability[others])
        found[here] = rows.probability[here] >= threshold
    return {
        "at_half": float(f1_score(rows.label, rows.probability >= 0.5, average="macro")),
        "crossed": float(f1_score(rows.label, found, average="macro")),
        "threshold": best_threshold(rows.label, rows.probability),
    }


def false_positives(answers: Sequence[Predictions]) -> dict[str, Any]:
    """Share of known harmless texts at 0.5 or above, on texts that nothing trained on."""
    wanted = {
        HATE: {"tweets": "tweet_held", "tweets with dialect marks": "tweet_dialect"},
        SCAM: {"headlines": "headline_held"},
    }
    found = {}
    for one in answers:
        for name, part in wanted.get(one.policy, {}).items():
            rows = one.only(one.part(part))
            share = float((rows.probability >= 0.5).mean()) if len(rows.label) else None
            found[f"{one.policy} on harmless {name}"] = {"n": len(rows.label), "share": share}
    return found
