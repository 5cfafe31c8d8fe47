"""How quick Insights is when much was decided.

    python -m benchmarks.insights_load [--videos 108000] [--calls 100] [--home FOLDER] [--url URL]

Fills an empty store with simulated uploads (``benchmarks/insights_store.py``), computes the figures
once as the worker does, then makes the page's calls one after the other. Wall time, and the
processor's time beside it; calls include making the fragments that are sent, not the browser. A
store in FOLDER that is filled already is measured again.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.insights_store import World, fill
from coefvq.prefilter.predict import Prefilter
from coefvq.review.access import LOCAL
from coefvq.settings import Settings
from coefvq.store.session import Store, open_store
from coefvq.store.tables import CaseRow, DecisionRow, VideoRow
from coefvq.work.figures import compute
from reviewer_ui import insights_files
from reviewer_ui.pages.insights import InsightsCalls


def main() -> int:
    """Read the command line, fill, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.insights_load", description=__doc__)
    parser.add_argument("--videos", type=int, default=108_000)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--audits", type=float, default=0.45, help="share audited at random")
    parser.add_argument("--home", type=Path, help="keep the SQLite store here")
    parser.add_argument("--url", default="", help="an empty database; default: SQLite")
    asked = parser.parse_args()
    world = World(audits=asked.audits)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            home=asked.home or Path(folder),
            entropy_threshold=world.rule.threshold,
            human_entropy_threshold=world.rule.human_threshold,
        )
        with open_store(asked.url or settings.url) as store:
            start = time.perf_counter()
            prefilter = Prefilter.load()
            if not _videos(store):
                fill(store, asked.videos, prefilter.version, world)
            print(f"{platform.machine()}, {os.cpu_count()} cores; {store.engine.dialect.name}")
            print(f"{_counts(store)}, filled in {time.perf_counter() - start:.0f} s")
            _compute(store, settings, prefilter)
            _measure(store, settings, asked.calls)
    return 0


def _videos(store: Store) -> int:
    with store.read() as session:
        return session.scalar(select(func.count()).select_from(VideoRow)) or 0


def _counts(store: Store) -> str:
    with store.read() as session:
        cases = session.scalar(select(func.count()).select_from(CaseRow))
        decided = session.scalar(select(func.count()).select_from(DecisionRow))
    return f"{cases:,} cases, {decided:,} of them decided"


def _compute(store: Store, settings: Settings, prefilter: Prefilter) -> None:
    start, spent = time.perf_counter(), time.process_time()
    found = compute.compute(
        store, settings, prefilter,
        report=lambda _, note: print(f"{time.perf_counter() - start:7.1f} s  {note}"),
    )  # fmt: skip
    with store.write() as session:
        compute.keep(session, found)
    print(
        f"{len(found)} figures computed in {time.perf_counter() - start:.1f} s, "
        f"{time.process_time() - spent:.1f} s of the processor"
    )


def _measure(store: Store, settings: Settings, number: int) -> None:
    page = InsightsCalls(store, settings)
    wish = {"task": "icd", "days": "90", "basis": "traffic"}
    _row("overview", number, lambda: page.overview(LOCAL, wish))
    _row("dial", number, lambda: page.dial(LOCAL, wish | {"at": 20}))
    _row("progress", number, lambda: page.progress(LOCAL, {}))
    for file in ("operating.csv", "operating.svg", "calibration.csv", "throughput.svg"):
        _row(file, number, lambda file=file: insights_files.make(store, LOCAL, file, wish))


def _row(name: str, number: int, call: Callable[[], object]) -> None:
    times, spent = [], time.process_time()
    for _ in range(number):
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    ordered = sorted(times)
    late = ordered[min(number - 1, int(0.95 * number))]
    print(
        f"{name:18} n={number:4}  p50 {statistics.median(ordered):7.1f}  "
        f"p95 {late:7.1f}  most {ordered[-1]:7.1f} ms  "
        f"processor {1000 * (time.process_time() - spent) / number:7.1f} ms each"
    )


if __name__ == "__main__":
    raise SystemExit(main())
