"""The files that ``python -m benchmarks.routing`` reads, as predictions; nothing of them is kept.

KoNViD-1k: 1,200 videos with human opinion scores (MOS) and the scores of quality predictors, cheap
and dear. A "violation" is a video among the tenth that people liked least. The question sets:
multiple-choice questions with the answers and confidences of a small and a large language model,
from "Cascaded Language Models for Cost-effective Human-AI Decision-Making" (arXiv 2506.11887).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coefvq.routing.predictions import Predictions

Vector = NDArray[np.float64]
KONVID = "konvid_1k.csv"
QUESTIONS = {
    "Llama 1B → 8B, ARC-Easy": "cascaded_lms_llama_1_8_arc_easy.csv",
    "Qwen 1.5B → 7B, ARC-Challenge": "cascaded_lms_qwen_1_7_arc_challenge.csv",
}
WORST = 0.1
"""Share of videos, by opinion score, that count as violations."""


def read_columns(path: Path) -> dict[str, list[str]]:
    """A CSV file by column.

    Raises:
        SystemExit: The file is not there; says which file belongs where.
    """
    if not path.is_file():
        raise SystemExit(f"{path} is missing: --data must name a folder that holds {path.name}.")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [row[name] for row in rows] for name in rows[0]}


def konvid(folder: Path) -> Predictions:
    """Videos: ``vlight480`` is the prefilter, ``dover`` stands for the MLLM.

    Both are quality scores, so their negatives are "more likely a violation".
    """
    columns = read_columns(folder / KONVID)

    def number(name: str) -> Vector:
        return np.array([float(value) for value in columns[name]])

    mos = number("mos")
    return Predictions.of(
        (mos <= np.quantile(mos, WORST)).astype(int),
        -number("vlight480"),
        -number("dover"),
        item_id=np.array(columns["key"]),
        features={"niqe": number("niqe"), "brisque": number("brisque")},
    )


@dataclass(frozen=True)
class Questions:
    """A question set; the "violation" is that the base model's answer is wrong.

    Attributes:
        items: Scores that the base model's answer is wrong, before and after the large model
            answers. Costs are tokens times billions of parameters.
        base_right: (n,) the base model's answer is right.
        large_right: (n,) the large model's answer is right.
        large_alone: (n,) cost of the large model's answer alone.
    """

    items: Predictions
    base_right: NDArray[np.bool_]
    large_right: NDArray[np.bool_]
    large_alone: Vector

    def take(self, rows: NDArray[np.intp]) -> Questions:
        """Some of the questions."""
        right = self.base_right[rows], self.large_right[rows]
        return Questions(self.items.take(rows), *right, self.large_alone[rows])


GATES = ("base", "large")
"""Who checks the base model's answer before anything is decided."""


def questions(folder: Path, name: str, gate: str) -> Questions:
    """Read one of ``QUESTIONS``.

    ``base_prob`` and ``large_prob`` are the two models' probabilities that the *base* model's
    answer is right. With the gate ``base`` the base model checks itself, which is cheap and weak,
    and the large model's check comes after. With ``large``, the published cascade, the large model
    checks every answer, and what comes after is whether its own answer is another one.
    """
    columns = read_columns(folder / QUESTIONS[name])

    def number(column: str) -> Vector:
        return np.array([float(value) for value in columns[column]])

    label, base, large = (
        np.array(columns[column]) for column in ("label", "base_prediction", "large_prediction")
    )
    wrong = {who: 1 - number(f"{who}_prob") for who in GATES}
    after = wrong["large"] if gate == "base" else wrong["large"] + (large != base)
    items = Predictions.of(
        (base != label).astype(int),
        wrong[gate],
        after,
        features={"base_check": wrong["base"]} if gate == "large" else None,
        prefilter_cost=number("base_gen_cost") + number(f"{gate}_uncert_cost"),
        mllm_cost=number("large_gen_cost") + number("large_uncert_cost"),
    )
    return Questions(items, base == label, large == label, number("large_gen_cost"))
