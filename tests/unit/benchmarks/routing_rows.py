"""Small files and figures that can be followed by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

QUESTION_COLUMNS = (
    "label", "base_prediction", "large_prediction", "base_prob", "large_prob", "base_uncertainty",
    "large_uncertainty", "base_gen_cost", "large_gen_cost", "base_inf_cost", "large_inf_cost",
    "base_uncert_cost", "large_uncert_cost",
)  # fmt: skip


def write_konvid(folder: Path, n: int = 200) -> None:
    """Opinion scores from 1 to 5, and predictors that are right up to noise."""
    rng = np.random.default_rng(0)
    mos = np.linspace(1, 5, n)
    columns = {
        "key": [f"v{i}.mp4" for i in range(n)],
        "mos": mos,
        "niqe": 5 - mos + rng.normal(size=n),
        "brisque": 5 - mos + rng.normal(size=n),
        "vlight480": mos + rng.normal(size=n),
        "dover": mos + 0.5 * rng.normal(size=n),
    }
    with (folder / "konvid_1k.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def write_questions(
    folder: Path, name: str, rows: list[tuple[str, str, str, float, float]]
) -> None:
    """Rows of label, base's answer, large's answer, base_prob, large_prob; costs 10, 80, 1, 8."""
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(QUESTION_COLUMNS)
        for label, base, large, first, second in rows:
            writer.writerow([label, base, large, first, second, 0, 0, 10, 80, 1, 1, 1, 8])


def cell(rule: str, split: int, value: float, objective: str = "ap", **changes: Any) -> dict:
    """A row of the study of splits: prefilter 0.4, MLLM 0.8."""
    found = {
        "split": split, "objective": objective, "rule": rule, "value": value,
        "budget": 0.1 if objective == "cost" else 0.3,
        "alone": {"prefilter_only": 0.4, "mllm_only": 0.8, "random": 0.5, "oracle": 1.0},
        "curve": np.linspace(0.4, 0.8, 101).tolist(), "chosen": rule, "labels": 100, "calls": 0.3,
    }  # fmt: skip
    if objective == "cost":
        found["alone"] = {"prefilter_only": 0.4, "mllm_only": 0.2, "random": 0.35, "oracle": 0.1}
        found["curve"] = np.linspace(-0.4, -0.2, 101).tolist()
    return found | changes


RULES = ("entropy", "entropy, as published", "margin", "bayes_risk", "similar", "learned", "auto")


def done(splits: int = 3) -> dict[str, list[dict]]:
    """Figures of a whole run: `auto` keeps 0.75, 0.76, 0.77, entropy 0.70."""
    found: dict[str, list[dict]] = {}
    for split in range(splits):
        for goal in ("f1", "ap", "cost"):
            key = json.dumps(["splits", split, goal, 0.1 if goal == "cost" else 0.3])
            found[key] = [cell(rule, split, _value(rule, goal, split), goal) for rule in RULES]
            few = [
                cell(rule, split, _value(rule, goal, split), goal, labels=labels)
                for rule in ("entropy", "auto")
                for labels in (50, 100, 200)
            ]
            found[json.dumps(["few", split, goal])] = few
    return found


def _value(rule: str, goal: str, split: int) -> float:
    ahead = 0.05 + 0.01 * split if rule == "auto" else 0.0
    return 0.36 - ahead if goal == "cost" else 0.70 + ahead
