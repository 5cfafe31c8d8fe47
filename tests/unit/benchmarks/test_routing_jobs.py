"""Jobs are worked off once, kept, and taken up again."""

from __future__ import annotations

import csv
import json

import pytest

from benchmarks import routing_jobs, routing_speed
from benchmarks.routing_guarantees import synthetic
from benchmarks.routing_jobs import Job, all_jobs, read_kept, run_all
from benchmarks.routing_speed import run_speed, write_predictions
from benchmarks.routing_splits import BUDGETS, MAIN
from coefvq.routing.predictions_csv import read_predictions


def test_every_job_is_there_once():
    jobs = all_jobs(3, 5)
    keys = [job.key for job in jobs]
    assert len(set(keys)) == len(keys)
    splits = {job.arguments for job in jobs if job.study == "splits"}
    assert splits == {
        (s, goal, budget) for s in range(3) for goal in BUDGETS for budget in BUDGETS[goal]
    }
    assert sum(job.study == "guarantees" for job in jobs) == 3 * 5


def test_the_main_budgets_come_first():
    first = all_jobs(2, 1)[:6]
    assert all(job.arguments[2] == MAIN[job.arguments[1]] for job in first)


@pytest.fixture
def instant_speed(monkeypatch):
    """The speed study takes no time."""
    monkeypatch.setattr(routing_jobs, "run_speed", lambda: [{"what": "fit", "s": 1.0}])


def test_jobs_run_in_other_processes_and_are_kept(tmp_path, instant_speed, capsys):
    keep = tmp_path / "keep.jsonl"
    jobs = [Job("guarantees", ("synthetic", "entropy", seed)) for seed in range(3)]
    done = run_all(jobs, tmp_path, keep)
    assert set(done) == {job.key for job in jobs} | {'["speed"]'}
    assert all(len(rows) == 1 for rows in done.values())
    assert read_kept(keep) == done
    assert "3/3 jobs" in capsys.readouterr().err


def test_what_is_kept_is_not_done_again(tmp_path, instant_speed, monkeypatch):
    keep = tmp_path / "keep.jsonl"
    job = Job("splits", (0, "ap", 0.3))
    keep.write_text(json.dumps({"job": job.key, "rows": [{"a": 1}]}) + "\n", encoding="utf-8")
    done = run_all([job], tmp_path, keep)
    assert done[job.key] == [{"a": 1}]
    monkeypatch.setattr(routing_jobs, "run_job", pytest.fail)
    assert run_all([job], tmp_path, keep) == done


def test_without_a_file_nothing_is_kept(tmp_path, instant_speed):
    assert set(run_all([], tmp_path, None)) == {'["speed"]'}
    assert list(tmp_path.iterdir()) == []


def test_a_written_file_is_read_back(tmp_path):
    items, path = synthetic(50, 1), tmp_path / "p.csv"
    write_predictions(items, path)
    with path.open(newline="") as file:
        assert next(csv.reader(file)) == ["item_id", "label", "prefilter", "mllm", "feature_f"]
    found = read_predictions(path)
    assert found.label.tolist() == items.label.tolist()
    assert found.features[:, 0] == pytest.approx(items.features[:, 0], rel=1e-4)


def test_speeds_are_of_every_objective_and_of_the_command(monkeypatch):
    monkeypatch.setattr(routing_speed, "FIT_ROWS", 600)
    monkeypatch.setattr(routing_speed, "REPLAY_ROWS", 400)
    called = []
    monkeypatch.setattr(
        routing_speed.subprocess, "run", lambda command, **_: called.append(command)
    )
    rows = run_speed()
    assert [row["objective"] for row in rows] == ["f1", "f1", "ap", "ap", "cost", "cost", "f1"]
    assert {row["rows"] for row in rows} == {600, 400} and all(row["s"] >= 0 for row in rows)
    assert called[0][1:3] == ["routing", "replay"]
