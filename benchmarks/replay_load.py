"""How long a replay on the Routing page takes on a store with many decided cases.

    OMP_NUM_THREADS=1 python -m benchmarks.replay_load [--home FOLDER] [--size 100000]

Fills a store with made-up answers and decisions (a folder that has one is used again), fits two
policies on 10,000 of them, and times reading the history for the first time, and then what the
page's calls do. Wall time of single calls, and the processor's time, which other work on the
machine changes less.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from coefvq import taxonomy
from coefvq.review.access import LOCAL
from coefvq.routing.fit import fit_policy
from coefvq.routing.request import FitRequest
from coefvq.settings import Settings
from coefvq.store.session import Store, open_store
from coefvq.store.tables import (
    AssessmentRow,
    CaseRow,
    DecisionRow,
    MediaRow,
    ShadowRouteRow,
    TrialRow,
    VerdictRow,
    VideoRow,
)
from coefvq.work import routing_replay, routing_rows, routing_versions, trials
from coefvq.work.routing_versions import SETTINGS
from coefvq.work.task_probability import Recalibration

TASK, MLLM = "icd", "mllm-load"
_START = datetime(2026, 1, 1, tzinfo=UTC)
_BATCH = 2000
_FITTED = 10_000
Row = dict[str, Any]


def main() -> int:
    """Read the command line, fill, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay_load", description=__doc__)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=arguments.home or Path(folder))
        with open_store(settings.url) as store:
            fill(store, arguments.size)
            _measure(store, settings, arguments.calls)
    return 0


def fill(store: Store, size: int) -> None:
    """Fill an empty store; one that has that many decided cases stays as it is."""
    with store.read() as session:
        known = session.scalar(select(func.count()).select_from(DecisionRow)) or 0
    if known == size:
        return
    if known:
        raise SystemExit(f"the store has {known} decisions; give an empty one")
    version = Recalibration.shipped().version
    tables = (MediaRow, VideoRow, AssessmentRow, CaseRow, VerdictRow, DecisionRow)
    for first in range(0, size, _BATCH):
        made = [_Case(number, version) for number in range(first, min(first + _BATCH, size))]
        with store.write() as session:
            for table in tables:
                session.execute(insert(table), [row for case in made for row in case.rows(table)])


class _Case:
    """One decided case: three in four were sent to people, the others drawn for an audit."""

    def __init__(self, number: int, version: str) -> None:
        self.number, self.version = number, version
        self.at = _START + timedelta(seconds=60 * number)
        self._dice = random.Random(number)
        self.bad = self._dice.random() < 0.15
        self.sent = self._dice.random() < 0.75
        lean = (1.2 if self.bad else -1.2) * (0.5 if self.sent else 1.6)
        self.first = self._probability(lean, 1.2)
        self.second = self._probability(2.2 if self.bad else -2.2, 1.4)
        name = "human" if self.sent else ("auto_flag" if self.first > 0.5 else "auto_pass")
        self.route = {"name": name, "rule": "entropy", "version": "entropy-0.9-0.8", "score": 0.9,
                      "threshold": 0.9, "escalated": self.sent, "audit": not self.sent,
                      "propensity": 1.0 if self.sent else 0.01, "reason": ""}  # fmt: skip

    def _probability(self, middle: float, spread: float) -> float:
        return 1 / (1 + pow(2.718281828, -self._dice.gauss(middle, spread)))

    def rows(self, table: type) -> Iterator[Row]:
        """This case's rows of a table."""
        yield from getattr(self, f"_{table.__name__}")()

    def _MediaRow(self) -> Iterator[Row]:
        info = {"sha256": self._sha, "duration_s": 12.0, "width": 720, "height": 1280,
                "size_bytes": 1, "rotation": 0, "fps": 25.0, "video_codec": "h264",
                "pixel_format": "yuv420p", "container": "mp4", "has_audio": True,
                "audio_codec": "aac", "warnings": []}  # fmt: skip
        yield {"sha256": self._sha, "file_name": "x", "size_bytes": 1, "info": info, "proxy": None,
               "poster": None, "contact_sheet": None, "created_at": self.at}  # fmt: skip

    @property
    def _sha(self) -> str:
        return f"{self.number:064x}"

    def _id(self, kind: str) -> str:
        return f"{kind}{self.number:014d}"

    def _VideoRow(self) -> Iterator[Row]:
        yield {"id": self._id("v"), "sha256": self._sha, "title": f"video {self.number}",
               "caption": None, "original_name": "x.mp4", "uploader": f"user{self.number % 5000}",
               "status": "scored", "uploaded_at": self.at}  # fmt: skip

    def _AssessmentRow(self) -> Iterator[Row]:
        pairs = [("prefilter", self.version, self.first)]
        pairs += [("mllm", MLLM, self.second)] if self.sent else []
        for stage, version, value in pairs:
            scores = {
                policy: {"policy": policy, "covered": True, "why_not": None, "label_mass": None,
                         "probability": value if place == 0 else value * 0.3}
                for place, policy in enumerate(taxonomy.policies())
            }  # fmt: skip
            yield {"id": self._id(stage[0]), "video_id": self._id("v"), "stage": stage,
                   "model_version": version, "scores": scores, "evidence": [],
                   "rationale": None,
                   "contributions": {}, "milliseconds": 2400.0 if stage == "mllm" else 90.0,
                   "tokens_in": 0, "tokens_out": 0, "cost": None,
                   "created_at": self.at}  # fmt: skip

    def _CaseRow(self) -> Iterator[Row]:
        yield {"id": self._id("c"), "video_id": self._id("v"), "task": TASK, "state": "decided",
               "verdict_id": self._id("w"), "decision_id": self._id("d"), "audit": not self.sent,
               "route": self.route["name"], "routing_version": self.route["version"],
               "priority": 0.0, "second_look": False, "created_at": self.at,
               "updated_at": self.at}  # fmt: skip

    def _VerdictRow(self) -> Iterator[Row]:
        mllm = self._id("m") if self.sent else None
        yield {"id": self._id("w"), "case_id": self._id("c"), "prefilter_id": self._id("p"),
               "mllm_id": mllm, "expensive_extractor": None, "verdict": "needs_human",
               "probability": self.second, "policies": {}, "route": self.route,
               "first_route": None, "models": {"prefilter": self.version, "mllm": mllm and MLLM},
               "created_at": self.at}  # fmt: skip

    def _DecisionRow(self) -> Iterator[Row]:
        label = "violation" if self.bad else "ok"
        yield {"id": self._id("d"), "case_id": self._id("c"), "verdict_id": self._id("w"),
               "task": TASK, "reviewer": "ann", "role": "reviewer", "action": "keep",
               "labels": {"violence": label}, "reasons": {}, "comment": "", "start_s": None,
               "end_s": None, "notice": "", "batch_id": None, "correction": False,
               "snapshot": {"route": self.route}, "decided_at": self.at}  # fmt: skip


def _measure(store: Store, settings: Settings, calls: int) -> None:
    prefilter = Recalibration.shipped()
    started = time.perf_counter()
    read = routing_rows.read(store, settings, TASK, prefilter)
    print(f"{len(read.rows):,} decided cases read in {time.perf_counter() - started:.1f} s")
    items = read.rows.counted()[0].predictions()
    step = max(1, len(items) // _FITTED)
    for rule in ("learned", "bayes_risk"):
        policy = fit_policy(items.take(slice(None, None, step)), FitRequest(rule=rule))
        version = routing_versions.keep(store, LOCAL, policy)
        current = routing_versions.versions(store, settings, LOCAL, TASK).in_force
        if current == SETTINGS:
            routing_versions.publish(store, LOCAL, TASK, version, "bench", SETTINGS)

    def once() -> object:
        return routing_replay.replay(store, settings, LOCAL, TASK, version)

    def lines() -> int:
        return sum(1 for _ in routing_replay.diff_csv(store, settings, LOCAL, TASK, version))

    _row("history that is read already", calls,
         lambda: routing_rows.read(store, settings, TASK, prefilter))  # fmt: skip
    _row("replay: figures, intervals, diff", calls, once)
    _row(f"the diff as a file, {lines():,} lines", calls, lines)
    _trial(store, version, calls)
    _row("versions", calls, lambda: routing_versions.versions(store, settings, LOCAL, TASK))


def _trial(store: Store, version: str, calls: int) -> None:
    """A shadow and a split that all of these cases were beside."""
    running = {each.kind: each for each in trials.of_task(store, LOCAL, TASK) if each.running}
    for kind in trials.KINDS:
        if kind not in running:
            share = 0.2 if kind == "split" else 0.0
            running[kind] = trials.start(store, LOCAL, TASK, kind, version, "bench", share=share)
    with store.write() as session:
        for each in session.query(TrialRow):
            each.started_at = _START
        if session.query(ShadowRouteRow).first() is None:
            found = session.execute(select(VerdictRow.id, VerdictRow.route)).all()
            session.execute(insert(ShadowRouteRow), [
                {"verdict_id": verdict, "trial_id": running["shadow"].id, "route": route}
                for verdict, route in found
            ])  # fmt: skip
    for kind, each in running.items():
        _row(f"figures of a {kind}", calls, partial(trials.report, store, LOCAL, each.id))


def _row(name: str, calls: int, call: Callable[[], object]) -> None:
    found = []
    spent = time.process_time()
    for _ in range(calls):
        start = time.perf_counter()
        call()
        found.append(time.perf_counter() - start)
    spent = (time.process_time() - spent) / calls
    print(
        f"{name:36} n={calls}  p50 {statistics.median(found):6.3f} s  most {max(found):6.3f} s  "
        f"processor {spent:6.3f} s a call"
    )


if __name__ == "__main__":
    raise SystemExit(main())
