"""How often a promised miss rate is broken: Learn then Test, conformal risk control, and no method.

The truth must be known, so labels are drawn again and again from something whose miss rate can be
counted: a formula (the synthetic set), or a list of videos taken to be all there is (KoNViD).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.routing_data import konvid
from coefvq.errors import RoutingError
from coefvq.routing.certify import Risk, certify
from coefvq.routing.conformal import crc_index
from coefvq.routing.fit import fit_policy
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.predictions import Predictions
from coefvq.routing.request import FitRequest
from coefvq.routing.route import PASS, route

TARGET, CONFIDENCE, BUDGET = 0.1, 0.9, 0.3
LABELS = {"synthetic": 1500, "konvid": 1200}
POPULATION = 60_000
CUTS = 200


def synthetic(n: int, seed: int) -> Predictions:
    """One violation in ten; the MLLM sees more, and a feature tells when."""
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < 0.1).astype(int)
    side = 2 * label - 1
    feature = rng.normal(size=n) + 0.5 * side
    return Predictions.of(
        label,
        side + rng.normal(size=n),
        1.8 * side + rng.normal(size=n) + 0.3 * feature,
        features={"f": feature},
    )


@cache
def population(name: str, folder: str) -> Predictions:
    """What labels are drawn from, and where the true rate is counted."""
    return konvid(Path(folder)) if name == "konvid" else synthetic(POPULATION, 9_999_999)


def draw(name: str, folder: str, seed: int) -> Predictions:
    """Labels, independent of each other given the population."""
    if name == "synthetic":
        return synthetic(LABELS[name], seed)
    everything = population(name, folder)
    rows = np.random.default_rng(seed).integers(len(everything), size=LABELS[name])
    # The same video drawn twice is two labels, so it needs two names.
    return replace(everything.take(rows), item_id=np.arange(len(rows)).astype(str))


def run_guarantees(name: str, folder: str, rule: str, seed: int) -> dict[str, Any]:
    """True miss rates by each method with one draw of labels."""
    everything, labels = population(name, folder), draw(name, folder, seed)
    found = {"name": name, "rule": rule, "seed": seed}
    try:
        request = FitRequest(rule, budget=BUDGET, miss_rate=TARGET, confidence=CONFIDENCE)
        certified = miss_rate(fit_policy(labels, request), everything)
    except RoutingError:
        certified = None
    half = np.random.default_rng(seed).permutation(len(labels)) < len(labels) // 2
    policy = fit_policy(labels.take(half), FitRequest(rule, budget=BUDGET))
    cuts = thresholds(policy, labels.take(~half))
    return found | {
        "certified_fit": certified,
        **{method: _missed(policy, everything, cut) for method, cut in cuts.items()},
    }


def thresholds(policy: RoutingPolicy, apart: Predictions) -> dict[str, float]:
    """Where each method would pass items, on one path of cuts and the same labels."""
    final = route(policy, apart).final[apart.label == 1]
    path = np.linspace(0, policy.thresholds.call_from, CUTS + 1)[1:]
    losses = (final[:, None] < path).astype(float)
    risk = Risk("miss_rate", TARGET, losses.sum(0).astype(int), len(final))
    fine = np.flatnonzero(losses.mean(0) <= TARGET)
    chosen = {
        "learn_then_test": certify([risk], CONFIDENCE).index,
        "conformal_risk_control": crc_index(losses, TARGET),
        "naive": int(fine[-1]) if len(fine) else None,
    }
    return {name: 0.0 if at is None else float(path[at]) for name, at in chosen.items()}


def _missed(policy: RoutingPolicy, everything: Predictions, cut: float) -> float:
    return miss_rate(replace(policy, thresholds=replace(policy.thresholds, pass_below=cut)),
                     everything)  # fmt: skip


def miss_rate(policy: RoutingPolicy, everything: Predictions) -> float:
    """Violations that end in ``auto_pass`` / all violations."""
    ended: NDArray[np.int8] = route(policy, everything).route[everything.label == 1]
    return float((ended == PASS).mean())
