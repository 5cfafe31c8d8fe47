"""How quick the queue answers when it is long and many work on it.

    python -m benchmarks.review_load [--cases 100000] [--reviewers 20] [--rounds 25] [--url URL]

Fills an empty store with waiting cases (and a tenth as many decided ones), then lets reviewers
decide one case after the other, without a pause: harder than people are. Everything goes through
the services that the page calls, in one process with a thread a reviewer. All figures are wall
time in milliseconds.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.review_store import fill
from coefvq.review import decide, queue
from coefvq.review.access import Actor
from coefvq.review.views import CaseView, DecisionForm
from coefvq.settings import Settings
from coefvq.store.session import Store, open_store

KEEP = DecisionForm({}, "keep")


def main() -> int:
    """Read the command line, fill, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.review_load", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--reviewers", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=25, help="decisions a reviewer")
    parser.add_argument("--think", type=float, default=0.0, help="seconds between two decisions")
    parser.add_argument("--claims", type=int, default=10_000)
    parser.add_argument("--url", default="", help="an empty database; default: SQLite")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder))
        with open_store(asked.url or settings.url) as store:
            start = time.perf_counter()
            fill(store, asked.cases)
            print(f"{platform.machine()}, {os.cpu_count()} cores; {store.engine.dialect.name}")
            print(f"{asked.cases} cases filled in {time.perf_counter() - start:.0f} s")
            _measure(store, settings, asked)
    return 0


def _measure(store: Store, settings: Settings, asked: argparse.Namespace) -> None:
    team = [Actor(f"r{number}", frozenset({"reviewer"})) for number in range(asked.reviewers)]
    one = team[0]
    _row("counts, one at a time", _times(50, lambda: queue.counts(store, one)))
    _row("next_case again, one at a time", _times(50, lambda: _next(store, settings, one)))
    alone = _team_decides(store, settings, team[:1], asked.rounds, 0.0)
    _row("submit to next, one reviewer", alone)
    together = _team_decides(store, settings, team, asked.rounds, asked.think)
    _row(f"submit to next, {len(team)} reviewers at once, {asked.think:g} s apart", together)
    _claims(store, settings, asked.claims)


def _team_decides(
    store: Store, settings: Settings, team: list[Actor], rounds: int, think: float
) -> list[float]:
    times: list[float] = []

    def work(actor: Actor) -> None:
        view: CaseView | None = _next(store, settings, actor)
        for _ in range(rounds):
            if view is None or view.lease is None or view.lease.token is None:
                raise RuntimeError(f"{actor.name} was given no case")
            time.sleep(think)
            start = time.perf_counter()
            token = view.lease.token
            view = decide.submit(store, settings, actor, view.id, token, KEEP).next
            times.append(time.perf_counter() - start)

    _together([partial(work, actor) for actor in team])
    return times


def _claims(store: Store, settings: Settings, number: int) -> None:
    """Many claimants, each of a new name every time: every claim must be another case."""
    given: list[str] = []
    claimants = 50

    def work(claimant: int) -> None:
        for turn in range(number // claimants):
            actor = Actor(f"c{claimant}-{turn}", frozenset({"reviewer"}))
            view = _next(store, settings, actor)
            if view is not None:
                given.append(view.id)

    start = time.perf_counter()
    _together([partial(work, each) for each in range(claimants)])
    seconds = time.perf_counter() - start
    twice = len(given) - len(set(given))
    print(
        f"{len(given)} claims by {claimants} at once in {seconds:.0f} s "
        f"({len(given) / seconds:.0f} a second), {twice} given twice"
    )


def _next(store: Store, settings: Settings, actor: Actor) -> CaseView | None:
    return queue.next_case(store, settings, actor)


def _times(number: int, call: Callable[[], object]) -> list[float]:
    found = []
    for _ in range(number):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    return found


def _together(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _row(name: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    late = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    print(
        f"{name:55} n={len(ordered):5}  p50 {1000 * statistics.median(ordered):7.1f}  "
        f"p95 {1000 * late:7.1f}  most {1000 * ordered[-1]:7.1f} ms"
    )


if __name__ == "__main__":
    raise SystemExit(main())
