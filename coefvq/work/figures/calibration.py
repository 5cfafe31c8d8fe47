"""Do probabilities come true as often as they say: of the task and of each policy, by stage."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.routing.reliability import brier, debiased_ece, plain_ece, reliability_table
from coefvq.work.figures.gather import STAGES, Decided
from coefvq.work.figures.windows import short_of

BINS = 10
Vector = NDArray[np.float64]


def calibration(rows: Decided) -> dict[str, Any]:
    """Reliability of the task (``""``) and of each policy, by stage.

    Args:
        rows: Usable ones; each counts ``weight`` times.
    """
    label = rows.label.astype(np.float64)
    # The task's probability after both stages is the final one where the MLLM answered.
    final = np.where(np.isnan(rows.mllm), rows.prefilter, rows.mllm)
    found = {"": _stages(label, (rows.prefilter, rows.mllm, final), rows.weight)}
    for at, policy in enumerate(rows.policy_ids):
        columns = rows.policies[:, at].astype(np.float64)
        answers = tuple(columns[:, 1 + stage] for stage in range(len(STAGES)))
        found[policy] = _stages(columns[:, 0], answers, rows.weight)
    return {"n": len(rows), "subjects": found}


def _stages(label: Vector, answers: tuple[Vector, ...], weight: Vector) -> dict[str, Any]:
    return {
        stage: _one(label, answer, weight) for stage, answer in zip(STAGES, answers, strict=True)
    }


def _one(label: Vector, answer: Vector, weight: Vector) -> dict[str, Any]:
    known = ~np.isnan(label) & ~np.isnan(answer)
    y, p, w = label[known], answer[known], weight[known]
    head = {"n": len(y), "positives": int(y.sum())}
    if not known.any() and len(label):
        return head | {"why": "It gave no probability in this time.", "bins": []}
    if (why := short_of(y)) is not None:
        return head | {"why": why, "bins": []}
    bins = [
        [row.n, row.probability, row.rate, row.low, row.high]
        for row in reliability_table(y, p, BINS, w)
    ]
    return head | {
        "why": None,
        "bins": bins,
        "ece": debiased_ece(y, p, BINS, w),
        "ece_plain": plain_ece(y, p, BINS, w),
        "brier": brier(y, p, w),
    }
