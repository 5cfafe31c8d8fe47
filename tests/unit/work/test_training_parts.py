"""Parts of trainings by themselves: curves, time left, options, summary, process, commands."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from coefvq.cli import cli
from coefvq.cli.train import train as train_command
from coefvq.domain import Stage
from coefvq.errors import NotAllowed, SettingsError
from coefvq.review import golden
from coefvq.review.access import LOCAL
from coefvq.settings import Settings
from coefvq.store import jobs
from coefvq.store.session import Store, open_store
from coefvq.store.tables import JobKind
from coefvq.work import training, training_options
from coefvq.work.process import TRAINER, BackgroundWorker
from coefvq.work.training_monitor import MOST_POINTS, Curves, Pace
from coefvq.work.training_summary import Summaries
from coefvq.work.worker import Worker
from tests.store_factory import ANN, FixedCascade
from tests.unit.work.past import Past
from tests.unit.work.training_double import Script, play

PATIENCE_S = 300.0


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_a_long_curve_is_thinned_and_keeps_both_ends() -> None:
    curves = Curves()
    for step in range(10 * MOST_POINTS):
        curves.add(step, "training", 1 / (step + 1))
    found = curves.points()
    assert MOST_POINTS / 2 <= len(found) <= MOST_POINTS + 1
    assert found[0] == [0, "training", 1.0] and found[-1][0] == 10 * MOST_POINTS - 1


def test_a_resumed_curve_replaces_the_steps_that_are_done_again() -> None:
    curves = Curves([[0, "a", 1.0], [1, "a", 0.5], [2, "a", 0.4], [0, "b", 3.0]])
    curves.add(1, "a", 0.6)
    curves.add(2, "a", float("nan"))
    assert curves.points() == [[0, "a", 1.0], [1, "a", 0.6], [0, "b", 3.0]]


PACES = {
    "nothing known": ([(0, 10, "x")], 0.0, None),
    "half": ([(0, 10, "x"), (5, 10, "x")], 0.5, 5.0),
    "resumed: only this attempt counts": ([(8, 10, "x"), (9, 10, "x")], 0.9, 5.0),
    "another part begins anew": ([(0, 4, "x"), (4, 4, "x"), (0, 2, "y")], 0.0, None),
    "no steps at all": ([(0, 0, "x")], 0.0, None),
}


@pytest.mark.parametrize("case", PACES, ids=lambda name: name)
def test_share_and_time_left(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    reports, share, left = PACES[case]
    moments = iter(range(0, 1000, 5))
    now = [0.0]
    monkeypatch.setattr("coefvq.work.training_monitor.time.monotonic", lambda: now[0])
    pace = Pace()
    for report in reports:
        now[0] = float(next(moments))
        pace.note(*report)
    assert pace.share == share
    assert pace.left_s is None if left is None else pace.left_s == pytest.approx(left)


@pytest.mark.parametrize("stage", list(Stage))
def test_every_option_of_a_trainer_can_be_chosen(stage: Stage) -> None:
    known = training_options.known(stage)
    assert {"seed"} <= {option.name for option in known}
    same = {option.name: str(option.default) for option in known}
    assert training_options.checked(stage, same) == {}
    assert training_options.checked(stage, {"seed": "7"}) == {"seed": 7}
    with pytest.raises(SettingsError, match="Did you mean"):
        training_options.checked(stage, {"sead": 7})


def test_the_summary_counts_what_a_training_would_see(store: Store, settings: Settings) -> None:
    summaries = Summaries()
    assert "No decision has been taken yet" in summaries.read(store, LOCAL).why
    past = Past(store, settings)
    made = [past.case(violation=n % 3 == 0, title=f"clip about subject {n}") for n in range(9)]
    found = summaries.read(store, LOCAL)
    assert (found.videos, found.golden, found.since) == (9, 0, None)
    (hate,) = [each for each in found.policies if each.policy == "hate_harassment"]
    assert hate.total == 9 and hate.of("train", "validation", "test", "golden") == (6, 3)
    assert any("needs" in line and "more violations" in line for line in found.missing)
    golden.add(store, LOCAL, made[0])
    assert summaries.read(store, LOCAL).golden == 1
    with pytest.raises(NotAllowed):
        summaries.read(store, ANN)


def test_the_summary_tells_what_is_new_since_the_last_snapshot(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(monkeypatch, Script())
    past = Past(store, settings)
    for number in range(3):
        past.case(violation=number == 0, title=f"clip about subject {number}")
    training.start_training(store, settings, LOCAL, "prefilter")
    before = Summaries().read(store, LOCAL)
    assert before.since is not None and before.since[0] == 1
    assert before.since[2] == before.labels
    past.case(violation=True, title="one more clip about something else")
    after = Summaries().read(store, LOCAL)
    (hate,) = [each for each in after.policies if each.policy == "hate_harassment"]
    assert after.labels > before.labels and hate.total - hate.before == 1


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_the_trainer_process_takes_a_training_and_begins_a_new_life(tmp_path) -> None:
    """The snapshot is damaged, so that the training ends before any model is loaded."""
    settings = Settings(home=tmp_path / "home")
    with open_store(settings.url) as store:
        Past(store, settings).case(violation=True)
        child = BackgroundWorker(settings, role=TRAINER)
        try:
            first = child.pid
            run_id = training.start_training(store, settings, LOCAL, "prefilter")
            shutil.rmtree(settings.datasets_dir)
            assert eventually(lambda: child.pid != first)
            run = training.training_run(store, LOCAL, run_id)
            assert run.state == "failed" and run.error
            assert child.alive and child.name.startswith("trainer-")
        finally:
            child.stop()
        assert not child.alive


@pytest.fixture
def scripted(tmp_path, monkeypatch: pytest.MonkeyPatch):
    """A store with decisions behind ``COEFVQ_HOME``, and a trainer that does as told."""
    monkeypatch.setenv("COEFVQ_HOME", str(tmp_path / "home"))
    script = play(monkeypatch, Script())
    settings = Settings(home=tmp_path / "home")
    with open_store(settings.url) as store:
        past = Past(store, settings)
        for number in range(4):
            past.case(violation=number % 2 == 0, title=f"a clip about subject number {number}")
        yield script, store, settings


def test_the_command_trains_and_compares_in_the_foreground(scripted) -> None:
    script = scripted[0]
    done = CliRunner().invoke(train_command, ["prefilter", "--option", "folds=3"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["version"] == "prefilter-candidate" and found["stage"] == "prefilter"
    assert found["metrics"] == {"auc": 0.9} and found["gate"]["passed"] is True
    assert script.calls[0]["options"].folds == 3


def test_the_command_without_a_gate_and_from_an_older_snapshot(scripted) -> None:
    first = json.loads(CliRunner().invoke(train_command, ["prefilter", "--no-gate"]).stdout)
    assert first["gate"] is None
    again = CliRunner().invoke(train_command, ["prefilter", "--no-gate", "--snapshot", "1"])
    assert json.loads(again.stdout)["snapshot"] == first["snapshot"]


def test_a_stopped_run_is_resumed_by_the_command(scripted) -> None:
    _, store, settings = scripted
    run_id = training.start_training(store, settings, LOCAL, "prefilter")
    training.cancel_training(store, settings, LOCAL, run_id)
    done = CliRunner().invoke(train_command, ["prefilter", "--resume", run_id])
    assert json.loads(done.stdout)["run"] == run_id


WRONG = {
    "an option of the other kind": (["prefilter", "--out", "x"], "--data"),
    "both ways": (["prefilter", "--data", ".", "--no-gate"], "leave --data out"),
    "no value": (["prefilter", "--option", "folds"], "NAME=VALUE"),
    "another stage's run": (["mllm", "--resume", "{run}"], "is of the prefilter"),
    "options of a resumed run": (
        ["prefilter", "--resume", "{run}", "--option", "folds=2"],
        "keeps",
    ),
}


@pytest.mark.parametrize("case", WRONG, ids=lambda name: name)
def test_a_command_that_makes_no_sense(scripted, case: str) -> None:
    _, store, settings = scripted
    arguments, words = WRONG[case]
    run_id = training.start_training(store, settings, LOCAL, "prefilter")
    training.cancel_training(store, settings, LOCAL, run_id)
    done = CliRunner().invoke(train_command, [each.format(run=run_id) for each in arguments])
    assert done.exit_code == 2 and words in done.output


def test_a_failed_training_tells_how_to_go_on(scripted) -> None:
    from coefvq.errors import TrainingError

    def refuse(step: int) -> None:
        raise TrainingError("The disk is full.")

    scripted[0].at = refuse
    done = CliRunner().invoke(train_command, ["prefilter"])
    assert isinstance(done.exception, TrainingError)
    assert "The disk is full." in str(done.exception) and "--resume" in str(done.exception)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [(["--kinds", "scoer"], 2, "Did you mean 'score'"),
     (["--kinds", "train", "--no-training"], 2, "No kind of job is left"),
     (["--once", "--no-training"], 0, "")],
    ids=["unknown", "nothing left", "without training"],
)  # fmt: skip
def test_which_jobs_the_worker_command_takes(scripted, arguments, code, words) -> None:
    _, store, settings = scripted
    training.start_training(store, settings, LOCAL, "prefilter")
    done = CliRunner().invoke(cli, ["worker", *arguments])
    assert done.exit_code == code and words in done.output
    with store.read() as session:
        assert jobs.waits(session, [JobKind.TRAIN])


def test_the_worker_command_trains_too(scripted) -> None:
    _, store, settings = scripted
    run_id = training.start_training(store, settings, LOCAL, "prefilter")
    assert CliRunner().invoke(cli, ["worker", "--once"]).exit_code == 0
    assert training.training_run(store, LOCAL, run_id).state == "done"


def test_a_worker_asked_for_one_job_takes_no_other(scripted) -> None:
    _, store, settings = scripted
    run_id = training.start_training(store, settings, LOCAL, "prefilter")
    with store.read() as session:
        from coefvq.store import training_runs

        job = training_runs.job_of(session, run_id, JobKind.TRAIN.value)
        assert job is not None
    worker = Worker(settings, store, lambda _: FixedCascade(), "one")
    assert not worker.work_one("another") and worker.work_one(job.id)
