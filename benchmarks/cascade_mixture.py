"""The cascade against the MLLM on everything, on held-out answers of both stages.

    python -m benchmarks.cascade_mixture PREFILTER.csv MLLM.csv --first-cost S --second-cost S

PREFILTER.csv and MLLM.csv are the held-out predictions that ``coefvq train`` leaves behind
(``predictions.csv``, ``held_out.csv``). Items of several sets are mixed and weighted to a share
of violations; a routing policy is fitted on one half and replayed on the other, many times.
Costs are CPU seconds a video of each stage, with all signals, as ``make bench`` measures them.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coefvq.routing.fit import fit_policy
from coefvq.routing.objective import Objective
from coefvq.routing.predictions import Predictions
from coefvq.routing.replay import replay
from coefvq.routing.request import FitRequest

PARTS = {"video": "hate_harassment", "comment": "scam_spam", "fights": "violence"}
SHARE = 0.05
Rows = list[tuple[str, str, int, float, float]]


def read_rows(prefilter: Path, mllm: Path) -> Rows:
    """Item, policy, label and both probabilities of what both stages answered unseen."""
    with prefilter.open(encoding="utf-8", newline="") as file:
        first = {(r["policy"], r["item"]): float(r["probability"]) for r in csv.DictReader(file)}
    rows: Rows = []
    with mllm.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key = row["policy"], row["item_id"]
            aligned = row["part"] == "comment" and row["fold"] == "0"
            if PARTS.get(row["part"]) == row["policy"] and key in first and not aligned:
                rows.append((row["item_id"], row["policy"], int(row["label"]), first[key],
                             float(row["probability"])))  # fmt: skip
    return rows


def mixed(rows: Rows, costs: tuple[float, float]) -> Predictions:
    """All sets together, each weighted to ``SHARE`` violations and to an equal part.

    Probabilities are moved from each set's own share of violations to ``SHARE`` (Saerens et al.
    2002), since sets of a half and of a third of violations are mixed.
    """
    sets: dict[str, list[int]] = defaultdict(list)
    for at, row in enumerate(rows):
        sets[row[1]].append(at)
    label = np.array([row[2] for row in rows])
    weight, shift = np.zeros(len(rows)), np.zeros(len(rows))
    for places in sets.values():
        own = label[places].mean()
        for at in places:
            share, have = (SHARE, own) if label[at] else (1 - SHARE, 1 - own)
            weight[at] = share / have / len(places)
            shift[at] = np.log(SHARE / (1 - SHARE)) - np.log(own / (1 - own))
    weight *= len(rows) / weight.sum()
    return Predictions.of(
        label=label,
        prefilter=_moved([row[3] for row in rows], shift),
        mllm=_moved([row[4] for row in rows], shift),
        item_id=np.array([f"{row[1]}/{row[0]}" for row in rows], dtype=object),
        weight=weight,
        prefilter_cost=np.full(len(rows), costs[0]),
        mllm_cost=np.full(len(rows), costs[1]),
    )


def _moved(probability: list[float], shift: NDArray[np.float64]) -> NDArray[np.float64]:
    p = np.clip(np.array(probability), 1e-6, 1 - 1e-6)
    return np.asarray(1 / (1 + np.exp(-(np.log(p / (1 - p)) + shift))))


def compare(items: Predictions, budget: float, rounds: int) -> dict[str, dict[str, float]]:
    """Medians and 5-95 % ranges over random halves."""
    found = defaultdict(list)
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(items))
        half = len(items) // 2
        request = FitRequest(rule="auto", objective=Objective("f1"), budget=budget, seed=seed)
        policy = fit_policy(items.take(order[:half]), request)
        result = replay(policy, items.take(order[half:])).to_json()
        for name in ("f1", "escalation_rate", "relative_cost"):
            found[name].append(result[name])
        found["f1_mllm_only"].append(result["mllm_only"]["f1"])
        found["f1_prefilter_only"].append(result["prefilter_only"]["f1"])
        found["f1_share"].append(result["f1"] / result["mllm_only"]["f1"])
        found["times_cheaper"].append(1 / result["relative_cost"])
    return {
        name: {
            "median": float(np.median(values)),
            "low": float(np.quantile(values, 0.05)),
            "high": float(np.quantile(values, 0.95)),
        }
        for name, values in found.items()
    }


def main() -> None:
    """Read the command line, compare, print JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cascade_mixture")
    parser.add_argument("prefilter", type=Path)
    parser.add_argument("mllm", type=Path)
    parser.add_argument("--first-cost", type=float, required=True, help="CPU s, first stage")
    parser.add_argument("--second-cost", type=float, required=True, help="CPU s, second stage")
    parser.add_argument("--budget", type=float, default=0.25)
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    items = mixed(read_rows(given.prefilter, given.mllm), (given.first_cost, given.second_cost))
    answer = {"n": len(items), "budget": given.budget, "rounds": given.rounds}
    print(json.dumps(answer | compare(items, given.budget, given.rounds), indent=1))


if __name__ == "__main__":
    main()
