"""How long choosing a look takes beside 100,000 waiting cases.

python -m benchmarks.review_looks [--cases 100000] [--looks 20000] [--url URL]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import delete, insert, select

from benchmarks.review_store import fill
from coefvq import taxonomy
from coefvq.review import queue
from coefvq.review.access import Actor
from coefvq.settings import Settings
from coefvq.store import looks
from coefvq.store.session import Store, open_store
from coefvq.store.tables import DecisionRow, LookRow, utcnow
from coefvq.store.turns import Wish

REVIEWER = Actor("r0", frozenset({"reviewer"}))


def main() -> None:
    """Fill a store, put in looks by one and by many reviewers, and print milliseconds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.review_looks", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--looks", type=int, default=20_000)
    parser.add_argument("--url", default="", help="an empty database; default: SQLite")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), database_url=asked.url)
        with open_store(settings.url) as store:
            fill(store, asked.cases)
            report(store, settings, "no look")
            for name, mine in (("all decided by who asks", True), ("decided by 20", False)):
                put(store, asked.looks, mine)
                report(store, settings, name)


def put(store: Store, number: int, mine: bool) -> None:
    """Second looks that wait, in place of those before."""
    query = select(DecisionRow.id, DecisionRow.case_id, DecisionRow.task, DecisionRow.reviewer)
    with store.write() as session:
        session.execute(delete(LookRow))
        found = list(session.execute(query.limit(number)))
        rows = [
            {"id": looks.id_for(case), "kind": "second", "state": "waiting", "case_id": case,
             "task": task, "decision_id": decision, "asked_at": utcnow(),
             "decided_by": REVIEWER.name if mine else who}
            for decision, case, task, who in (found * (number // len(found) + 1))[:number]
        ]  # fmt: skip
        session.execute(insert(LookRow), rows)


def report(store: Store, settings: Settings, name: str) -> None:
    """Median and worst milliseconds of what a reviewer's requests ask."""
    now, wish, tasks = utcnow(), Wish(REVIEWER.name), taxonomy.tasks()

    def reading(what: Callable[..., object]) -> Callable[[], object]:
        def run() -> object:
            with store.read() as session:
                return what(session)

        return run

    asked = {
        "mine": reading(lambda s: looks.mine(s, wish, now)),
        "next_second": reading(lambda s: looks.next_second(s, wish, tasks, now)),
        "waiting_for": reading(lambda s: looks.waiting_for(s, REVIEWER.name, now)),
        "counts": lambda: queue.counts(store, REVIEWER),
        "next_case": lambda: queue.next_case(store, settings, REVIEWER),
    }
    for label, run in asked.items():
        times = sorted(timed(run) for _ in range(30))
        print(f"{name:<26} {label:<12} median {statistics.median(times):7.1f} ms  "
              f"p95 {times[28]:7.1f} ms", flush=True)  # fmt: skip


def timed(run: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
