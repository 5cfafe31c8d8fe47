"""How long a fit and a replay take."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.routing_guarantees import synthetic
from benchmarks.routing_splits import MAIN, OBJECTIVES
from coefvq.routing.fit import fit_policy
from coefvq.routing.policy import write_policy
from coefvq.routing.predictions import Predictions
from coefvq.routing.replay import replay
from coefvq.routing.request import FitRequest

FIT_ROWS, REPLAY_ROWS = 10_000, 1_000_000


def run_speed() -> list[dict[str, Any]]:
    """Seconds of wall time; one run each, models of the process warm."""
    few, many = synthetic(FIT_ROWS, 1), synthetic(REPLAY_ROWS, 2)
    fit_policy(few.take(np.arange(500)), FitRequest("learned"))  # imports scikit-learn
    return [row for objective in OBJECTIVES for row in _fit_and_replay(objective, few, many)] + [
        _command_line(few, many)
    ]


def _fit_and_replay(objective: str, few: Predictions, many: Predictions) -> list[dict[str, Any]]:
    request = FitRequest("auto", OBJECTIVES[objective], MAIN[objective])
    start = time.perf_counter()
    policy = fit_policy(few, request)
    fitted = time.perf_counter()
    replay(policy, many)
    end = time.perf_counter()
    return [
        {"what": "fit `auto`", "objective": objective, "rows": len(few), "s": fitted - start},
        {"what": f"replay of `{policy.rule}`", "objective": objective, "rows": len(many),
         "s": end - fitted},
    ]  # fmt: skip


def _command_line(few: Predictions, many: Predictions) -> dict[str, Any]:
    """``coefvq routing replay`` from start to exit, reading the CSV file included."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_policy(fit_policy(few, FitRequest("learned")), folder / "routing.json")
        write_predictions(many, folder / "predictions.csv")
        command = [
            str(Path(sys.executable).with_name("coefvq")), "routing", "replay",
            str(folder / "predictions.csv"), "--routing", str(folder / "routing.json"), "--json",
        ]  # fmt: skip
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        took = time.perf_counter() - start
    return {"what": "`coefvq routing replay` of `learned`", "objective": "f1", "rows": len(many),
            "s": took}  # fmt: skip


def write_predictions(items: Predictions, path: Path) -> None:
    """A CSV file as ``coefvq routing fit`` reads it."""
    names = [f"feature_{name}" for name in items.feature_names]
    columns = np.column_stack([items.label, items.prefilter, items.mllm, items.features])
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join(["item_id", "label", "prefilter", "mllm", *names]) + "\n")
        for item_id, row in zip(items.item_id, columns.tolist(), strict=True):
            file.write(f"{item_id},{int(row[0])}," + ",".join(f"{v:.6g}" for v in row[1:]) + "\n")
