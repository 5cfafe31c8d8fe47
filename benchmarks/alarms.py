"""How often the flag alarm rings when nothing has happened, and how long checks and reports take.

    python -m benchmarks.alarms rate [--runs 20] [--days 150]
    python -m benchmarks.alarms speed [--videos 150000] [--url URL]

``rate`` simulates uploaders by hour, more by day than by night, and looks every hour as the worker
does; an alarm counts once until it is over. ``speed`` fills an empty store with simulated uploads
(``benchmarks/insights_store.py``) and measures wall time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.insights_store import World, fill
from coefvq.prefilter.predict import Prefilter
from coefvq.review.access import LOCAL
from coefvq.settings import Settings
from coefvq.store.session import Store, open_store
from coefvq.store.tables import utcnow
from coefvq.work.alarms import routing_checks, run
from coefvq.work.alarms.statistics import Jump, jump
from coefvq.work.report import figures_of, render

DAYS = 28
Counts = NDArray[np.int64]


def main() -> int:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alarms", description=__doc__)
    parser.add_argument("what", choices=("rate", "speed"))
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--days", type=int, default=150)
    parser.add_argument("--videos", type=int, default=150_000)
    parser.add_argument("--url", default="", help="an empty database; default: SQLite")
    asked = parser.parse_args()
    if asked.what == "rate":
        _rates(asked.runs, asked.days)
    else:
        _speed(asked.videos, asked.url)
    return 0


def _rates(runs: int, days: int) -> None:
    print("window, h | uploaders a day | variance / mean | policy-days | alarms | a 1,000 days")
    for hours in (1, 24):
        for mean in (2.0, 10.0, 50.0, 300.0):
            for spread in (1.0, 3.0):
                if spread < mean:
                    _rate(hours, mean, spread, runs, days)


def _rate(hours: int, mean: float, spread: float, runs: int, days: int) -> None:
    rng = np.random.default_rng(1)
    rang = sum(alarms(traffic(rng, mean, spread, days), hours) for _ in range(runs))
    judged = runs * (days - DAYS - 2)
    row = (hours, f"{mean:g}", f"{spread:g}", judged, rang, f"{1000 * rang / judged:.2f}")
    print(" | ".join(map(str, row)))


def traffic(rng: np.random.Generator, mean: float, spread: float, days: int) -> Counts:
    """Flagged uploaders by hour, of a calm platform.

    Args:
        mean: A day.
        spread: Variance of a day's number over its mean; above 1 whole days differ.
    """
    hours = np.arange(24 * days)
    rate = mean / 24 * (1 + 0.8 * np.sin(2 * np.pi * hours / 24))
    if spread > 1:
        shape = mean / (spread - 1)
        rate = rate * np.repeat(rng.gamma(shape, 1 / shape, days), 24)
    return rng.poisson(rate)


def alarms(by_hour: Counts, hours: int) -> int:
    """How many alarms a window of so many hours raises, looked at every hour."""
    until = np.concatenate([[0], np.cumsum(by_hour)])
    rang, standing = 0, False
    for now in range((DAYS + 2) * 24, len(until)):
        past = now - 24 * np.arange(DAYS + 1)
        counts = until[past] - until[past - hours]
        found = _judged(int(counts[0]), tuple(sorted(counts[1:].tolist())))
        if found.raised and not standing:
            rang, standing = rang + 1, True
        elif standing and found.over:
            standing = False
    return rang


@cache
def _judged(count: int, history: tuple[int, ...]) -> Jump:
    found = jump(count, history)
    assert found is not None
    return found


def _speed(videos: int, url: str) -> None:
    world = World()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder))
        with open_store(url or settings.url) as store:
            prefilter = Prefilter.load()
            fill(store, videos, prefilter.version, world)
            _checks(store, settings)
            month = f"{utcnow():%Y-%m}"
            _row("report", lambda: render(figures_of(store, LOCAL, month)))


def _checks(store: Store, settings: Settings) -> None:
    now = utcnow()
    for kind, one in run.CHECKS.items():
        _row(kind.value, partial(run._read, store, settings, now, one))
    _row("drift", lambda: list(routing_checks.drift(store, now, routing_checks.load_prefilter)))
    _row("all checks", lambda: run.check(store, settings))


def _row(name: str, call: Callable[[], object]) -> None:
    start = time.perf_counter()
    call()
    print(f"{name:20} {time.perf_counter() - start:7.2f} s")


if __name__ == "__main__":
    raise SystemExit(main())
