"""Fit how two models' probabilities are combined, on answers that both gave out of fold.

    python -m coefvq.learning.fit_combination PREFILTER.csv MLLM.csv --mllm-weights DIR

reads the held-out predictions that ``coefvq train prefilter`` (``predictions.csv``) and ``coefvq
train mllm`` (``held_out.csv``) leave behind, and writes ``coefvq/combinations.json``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from coefvq.combinations import SHIPPED
from coefvq.errors import CoefVQError
from coefvq.learning.fused.predictions import is_measured
from coefvq.learning.measures import auc
from coefvq.routing.combination import Combination, fit_combination, stratified_folds

SHARED = ("video", "comment", "fights")
"""Parts of the MLLM's held-out set that show each item as the prefilter saw it."""
FOLDS = 5


@click.command()
@click.argument("prefilter", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("mllm", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--prefilter-version", required=True, help="Version of the prefilter's weights.")
@click.option("--mllm-version", required=True, help="Version of the MLLM's weights.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=SHIPPED)
def main(prefilter: Path, mllm: Path, prefilter_version: str, mllm_version: str, out: Path) -> None:
    """Write the combination of one pair of models, keeping other pairs."""
    policies = fit_pairs(prefilter, mllm)
    kept = json.loads(out.read_text(encoding="utf-8"))["pairs"] if out.exists() else []
    names = {"prefilter": prefilter_version, "mllm": mllm_version}
    others = [pair for pair in kept if {k: pair[k] for k in names} != names]
    document = {"pairs": [*others, names | {"policies": policies}]}
    out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    click.echo(json.dumps(policies, indent=1))


def fit_pairs(prefilter: Path, mllm: Path) -> dict[str, dict[str, Any]]:
    """A combination a policy, with its cross-fitted figures beside those of each stage.

    Raises:
        CoefVQError: The files have no item in common.
    """
    first = {(row["policy"], row["item"]): float(row["probability"]) for row in _rows(prefilter)}
    found: dict[str, list[tuple[float, float, float]]] = {}
    for row in _rows(mllm):
        key = row["policy"], row["item_id"]
        if row["part"] in SHARED and key in first and _left_out(row):
            values = float(row["label"]), first[key], float(row["probability"])
            found.setdefault(row["policy"], []).append(values)
    if not found:
        raise CoefVQError(f"{prefilter.name} and {mllm.name} have no item in common.")
    return {policy: _fit(np.array(values)) for policy, values in sorted(found.items())}


def _left_out(row: Mapping[str, str]) -> bool:
    """Whether no training of the MLLM saw the item."""
    return bool(is_measured(row["policy"], np.array([int(row["fold"])]))[0])


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def _fit(values: NDArray[np.float64]) -> dict[str, Any]:
    y, p1, p2 = values.T
    combined = _cross_fitted(y, p1, p2)
    stages: Mapping[str, NDArray[np.float64]] = {"prefilter": p1, "mllm": p2, "both": combined}
    return {
        "combination": {
            name: round(value, 5) for name, value in fit_combination(p1, p2, y).to_json().items()
        },
        "n": len(y),
        "violations": int(y.sum()),
        "auc": {name: round(auc(y, p), 4) for name, p in stages.items()},
        "log_loss": {name: round(_log_loss(y, p), 4) for name, p in stages.items()},
    }


def _cross_fitted(
    y: NDArray[np.float64], p1: NDArray[np.float64], p2: NDArray[np.float64]
) -> NDArray[np.float64]:
    folds, found = stratified_folds(y, FOLDS, 0), np.empty_like(y)
    for fold in range(FOLDS):
        test = folds == fold
        combine: Combination = fit_combination(p1[~test], p2[~test], y[~test])
        found[test] = combine(p1[test], p2[test])
    return found


def _log_loss(y: NDArray[np.float64], p: NDArray[np.float64]) -> float:
    return float(-np.log(np.clip(np.where(y == 1, p, 1 - p), 1e-6, 1)).mean())


if __name__ == "__main__":
    main()
