"""Does the audited miss rate's interval cover the truth, and how far off is the naive figure?

    python -m benchmarks.audit_coverage [--runs 200] [--items 20000]

Uploads of one task are simulated with a known truth. Both stages answer, the entropy rule routes,
automatic outcomes are drawn for audits by the real draw (``coefvq.routing.audit.draws``), people
answer with the truth, and the real estimator gives the miss rate with its 95 % interval. The truth
is the miss rate of the same process over two million uploads. The naive figure counts the decided
cases as they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.insights_store import World, answers
from coefvq.routing.audit import draws, estimate
from coefvq.routing.audit_estimate import OUTCOMES
from coefvq.routing.route import FLAG, HUMAN, PASS
from coefvq.work.figures.sides import bits

POLICIES, POPULATION, BATCH = 5, 2_000_000, 200_000
TRUTH_SEED = 9_999_999


@dataclass(frozen=True)
class Scenario:
    """One way the platform may be."""

    name: str
    world: World
    audits: float


SCENARIOS = (
    Scenario("good models, 1 % audited", World(prefilter=6.0, mllm=12.0), 0.01),
    Scenario("good models, 2 % audited", World(prefilter=6.0, mllm=12.0), 0.02),
    Scenario("good models, 5 % audited", World(prefilter=6.0, mllm=12.0), 0.05),
    Scenario("weak models, 2 % audited", World(prefilter=2.0, mllm=4.0), 0.02),
    Scenario("rare violations, 2 % audited", World(0.004, prefilter=6.0, mllm=12.0), 0.02),
)


@dataclass(frozen=True)
class Run:
    """One run: the estimate, its interval, and the naive figure."""

    value: float
    low: float
    high: float
    naive: float


def outcomes(
    world: World, rng: np.random.Generator, items: int
) -> tuple[NDArray[np.bool_], NDArray[np.int8]]:
    """Truth, and where each of so many uploads ends."""
    truth, first, second = answers(world, rng, items, POLICIES)
    due = bits(first.max(1)) > world.rule.threshold
    final = np.where(due, second.max(1), first.max(1))
    route = np.where(final >= 0.5, FLAG, PASS).astype(np.int8)
    route[due & (bits(final) > world.rule.human_threshold)] = HUMAN
    return truth.any(1), route


@cache
def true_miss_rate(world: World, population: int = POPULATION) -> float:
    """Violations that end in auto_pass / all violations, of the process."""
    rng, passed, violations = np.random.default_rng(TRUTH_SEED), 0, 0
    for _ in range(max(1, population // BATCH)):
        truth, route = outcomes(world, rng, min(population, BATCH))
        passed += int((truth & (route == PASS)).sum())
        violations += int(truth.sum())
    return passed / violations


def run(scenario: Scenario, items: int, seed: int) -> Run:
    """Simulate, draw, estimate."""
    truth, route = outcomes(scenario.world, np.random.default_rng(seed), items)
    people = route == HUMAN
    keys = [f"{seed}/{number}" for number in range(items)]
    labelled = people | draws(keys, scenario.audits, f"salt {seed}")
    propensity = np.where(people, 1.0, scenario.audits)
    found = estimate(np.array(OUTCOMES)[route], truth, propensity, labelled).miss_rate
    seen = labelled & truth
    naive = float((seen & (route == PASS)).sum() / max(1, seen.sum()))
    return Run(found.value, found.low, found.high, naive)


def coverage(runs: Sequence[Run], truth: float) -> float:
    """Share of runs whose interval covers the truth."""
    return float(np.mean([each.low <= truth <= each.high for each in runs]))


def naive_error(runs: Sequence[Run], truth: float) -> float:
    """Mean distance of the naive figure from the truth, as a share of the truth."""
    return float(np.mean([abs(each.naive - truth) for each in runs]) / truth)


def row(scenario: Scenario, number: int, items: int) -> str:
    """One line of the table in docs/insights.md."""
    truth = true_miss_rate(scenario.world)
    runs = [run(scenario, items, seed) for seed in range(number)]
    half = float(np.mean([each.high - each.low for each in runs])) / 2
    off = float(np.mean([abs(each.naive - truth) > truth / 2 for each in runs]))
    values = (
        scenario.name,
        f"{truth:.1%}",
        f"{np.nanmean([each.value for each in runs]):.1%}",
        f"{100 * half:.1f} points",
        f"{coverage(runs, truth):.1%}",
        f"{np.mean([each.naive for each in runs]):.1%}",
        f"{naive_error(runs, truth):.0%}",
        f"{off:.0%}",
    )
    return f"| {' | '.join(values)} |"


def main() -> int:
    """Read the command line, simulate, print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit_coverage",
                                     description=__doc__)  # fmt: skip
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--items", type=int, default=20_000)
    asked = parser.parse_args()
    print("| traffic | truth | mean estimate | mean half width | intervals that cover the truth | "
          "mean naive figure | its mean error, of the truth | runs where it is off by more than "
          "half of the truth |\n|---|---|---|---|---|---|---|---|")  # fmt: skip
    for scenario in SCENARIOS:
        print(row(scenario, asked.runs, asked.items), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
