"""The benchmark as a list of jobs: two processes work them off, and what is done is kept."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.routing_data import GATES, QUESTIONS, konvid
from benchmarks.routing_guarantees import run_guarantees
from benchmarks.routing_questions import run_questions, run_verdicts
from benchmarks.routing_speed import run_speed
from benchmarks.routing_splits import BUDGETS, MAIN, run_few, run_split
from coefvq.routing.predictions import Predictions

PROCESSES = 2
CERTIFIED = (("synthetic", "entropy"), ("konvid", "entropy"), ("konvid", "learned"))


@dataclass(frozen=True)
class Job:
    """One piece of work.

    Attributes:
        study: ``splits``, ``few``, ``questions``, ``verdicts``, ``guarantees`` or ``speed``.
        arguments: Of the study's function, after the data.
    """

    study: str
    arguments: tuple[Any, ...] = ()

    @property
    def key(self) -> str:
        """Names the job in the file of what is done."""
        return json.dumps([self.study, *self.arguments])


def all_jobs(splits: int, resamples: int) -> list[Job]:
    """Everything; what the goals are about comes first."""
    numbers = range(splits)
    main = [Job("splits", (s, goal, MAIN[goal])) for s in numbers for goal in MAIN]
    few = [Job("few", (s, goal)) for s in numbers for goal in MAIN]
    asked = [
        Job("questions", (name, gate, s)) for s in numbers for name in QUESTIONS for gate in GATES
    ]
    told = [
        Job("verdicts", (name, s, goal)) for s in numbers for name in QUESTIONS for goal in MAIN
    ]
    promised = [Job("guarantees", (*one, seed)) for one in CERTIFIED for seed in range(resamples)]
    rest = [
        Job("splits", (s, goal, budget))
        for s in numbers
        for goal, budgets in BUDGETS.items()
        for budget in budgets
        if budget != MAIN[goal]
    ]
    return [*main, *few, *asked, *told, *promised, *rest]


@cache
def _videos(folder: str) -> Predictions:
    return konvid(Path(folder))


def run_job(job: Job, folder: str) -> list[dict[str, Any]]:
    """Do one job; rows of figures."""
    if job.study == "splits":
        return run_split(_videos(folder), *job.arguments)
    if job.study == "few":
        return run_few(_videos(folder), *job.arguments)
    if job.study == "questions":
        return [run_questions(folder, *job.arguments)]
    if job.study == "verdicts":
        return run_verdicts(folder, *job.arguments)
    if job.study == "guarantees":
        name, rule, seed = job.arguments
        return [run_guarantees(name, folder, rule, seed)]
    return run_speed()


Done = dict[str, list[dict[str, Any]]]


def run_all(jobs: list[Job], folder: Path, keep: Path | None) -> Done:
    """Work off what is not done yet.

    Args:
        keep: A file, a JSON line a job; jobs that it holds are not done again.
    """
    done = read_kept(keep)
    missing = [job for job in jobs if job.key not in done]
    with _Kept(keep) as kept:
        for job, rows in _in_parallel(missing, folder):
            done[job.key] = rows
            kept.write(job.key, rows)
        # Alone on the machine, so that speeds are not those of two at once.
        speed = Job("speed")
        if speed.key not in done:
            done[speed.key] = run_job(speed, str(folder))
            kept.write(speed.key, done[speed.key])
    return done


def read_kept(keep: Path | None) -> Done:
    """Jobs that are done, by key."""
    if keep is None or not keep.is_file():
        return {}
    lines = keep.read_text(encoding="utf-8").splitlines()
    return {row["job"]: row["rows"] for row in map(json.loads, lines)}


class _Kept:
    def __init__(self, path: Path | None):
        self._file = None if path is None else path.open("a", encoding="utf-8")

    def __enter__(self) -> _Kept:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def write(self, key: str, rows: list[dict[str, Any]]) -> None:
        if self._file:
            self._file.write(json.dumps({"job": key, "rows": rows}) + "\n")
            self._file.flush()


def _in_parallel(jobs: list[Job], folder: Path) -> Iterator[tuple[Job, list[dict[str, Any]]]]:
    start = time.monotonic()
    with ProcessPoolExecutor(PROCESSES, initializer=_one_thread) as pool:
        waiting = {pool.submit(run_job, job, str(folder)): job for job in jobs}
        for count, future in enumerate(as_completed(waiting), 1):
            yield waiting[future], future.result()
            _say(count, len(jobs), time.monotonic() - start)


def _one_thread() -> None:
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)


def _say(count: int, jobs: int, spent: float) -> None:
    left = spent / count * (jobs - count)
    end = "\n" if count == jobs else ""
    print(f"\r{count}/{jobs} jobs, {left / 60:.0f} min left ", end=end, file=sys.stderr, flush=True)
