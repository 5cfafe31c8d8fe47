"""Trainings as jobs: started, followed, stopped, killed, taken up again, refused."""

from __future__ import annotations

import threading

import pytest

from coefvq.domain import Stage
from coefvq.errors import ModelError, NotAllowed, SettingsError, StoreError, TrainingError
from coefvq.learning.shipped_models import shipped_version
from coefvq.review.access import LOCAL
from coefvq.settings import Settings
from coefvq.store import events, jobs, leases, trained_models, training_runs
from coefvq.store.session import Store
from coefvq.store.tables import JobKind, JobState
from coefvq.work import training, training_jobs, training_views
from coefvq.work.training_promotion import request_promotion
from coefvq.work.worker import LEARNING, SCORING, Worker
from tests.store_factory import ANN, FixedCascade, upload
from tests.unit.work.past import Past
from tests.unit.work.training_double import STEPS, Script, play


class Killed(BaseException):
    """Nothing of ours catches it, as nothing catches a kill."""


@pytest.fixture
def labelled(store: Store, settings: Settings) -> Past:
    past = Past(store, settings)
    for number in range(4):
        past.case(violation=number % 2 == 0, title=f"a clip about subject number {number}")
    return past


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return play(monkeypatch, Script())


def worker(store: Store, settings: Settings, kinds=None, name: str = "trainer-1") -> Worker:
    return Worker(settings, store, lambda _: FixedCascade(), name, kinds)


def start(store: Store, settings: Settings, **how) -> str:
    return training.start_training(store, settings, LOCAL, "prefilter", **how)


def view(store: Store, run_id: str) -> training.RunView:
    return training.training_run(store, LOCAL, run_id)


def kinds_of(store: Store, run_id: str) -> list[str]:
    with store.read() as session:
        return [event.kind for event in events.of_subject(session, "training", run_id)]


def test_from_decisions_to_a_registered_and_compared_candidate(
    store: Store, settings: Settings, labelled: Past, script: Script
) -> None:
    run_id = start(store, settings, options={"folds": "3"})
    assert view(store, run_id).state == "queued"
    assert worker(store, settings).run_once() == 2
    run = view(store, run_id)
    assert (run.state, run.version, run.progress) == ("done", "prefilter-candidate", 1.0)
    assert run.options == {"folds": 3} and script.calls[0]["options"].folds == 3
    assert len(script.calls[0]["items"]) == 4
    assert [point[0] for point in run.losses] == list(range(STEPS))
    assert run.gate is not None and run.gate.state == "done"
    with store.read() as session:
        assert trained_models.get(session, "prefilter-candidate").run_id == run_id
        assert "prefilter-candidate" in training_runs.newest_gates(session, [str(run.version)])
        assert events.verify(session) is None
    assert kinds_of(store, run_id) == ["training.started", "training.done"]
    assert run.parent == shipped_version(Stage.PREFILTER)


def test_without_a_gate_none_is_queued(
    store: Store, settings: Settings, labelled: Past, script: Script
) -> None:
    run_id = start(store, settings, gate=False)
    assert worker(store, settings).run_once() == 1
    assert view(store, run_id).gate is None
    training.request_gate(store, LOCAL, run_id)
    assert worker(store, settings).run_once() == 1
    assert view(store, run_id).gate.state == "done"


def test_training_and_scoring_take_only_their_own(
    store: Store, settings: Settings, labelled: Past, script: Script
) -> None:
    start(store, settings)
    assert not worker(store, settings, SCORING).work_one()
    upload(store, settings, b"new")
    with store.write() as session:
        mine = jobs.claim_next(session, "t", 60.0, kinds=LEARNING)
        assert mine is not None and mine.kind is JobKind.TRAIN
        other = jobs.claim_next(session, "s", 60.0, kinds=SCORING)
        assert other is not None and other.kind is JobKind.INGEST
        assert not jobs.waits(session, LEARNING) and not jobs.waits(session, SCORING)


def test_everything_waits_before_a_training(
    store: Store, settings: Settings, labelled: Past, script: Script
) -> None:
    start(store, settings)
    upload(store, settings, b"new")
    with store.write() as session:
        first = jobs.claim_next(session, "w", 60.0)
        assert first is not None and first.kind is JobKind.INGEST


def test_a_killed_training_loses_no_step(
    store: Store, settings: Settings, labelled: Past, script: Script
) -> None:
    def die(step: int) -> None:
        if step == 3:
            raise Killed

    run_id = start(store, settings)
    script.at = die
    with pytest.raises(Killed):
        worker(store, settings).work_one()
    assert view(store, run_id).state == "running"
    with store.write() as session:
        leases.release_all(session, leases.JOB, "trainer-1")
    script.at = lambda step: None
    assert worker(store, settings, name="trainer-2").run_once() == 2
    assert script.taken == list(range(STEPS))
    run = view(store, run_id)
    assert run.state == "done" and [point[0] for point in run.losses] == list(range(STEPS))


@pytest.mark.parametrize(
    ("ahead", "state"), [(1, "done"), (0, "failed")], ids=["a step further each time", "stuck"]
)
def test_attempts_count_only_where_nothing_is_gained(
    store: Store, settings: Settings, labelled: Past, script: Script, ahead: int, state: str
) -> None:
    """A laptop that is shut four times trains to the end; what kills its worker is set aside."""
    limit = 1

    def die(step: int) -> None:
        if step >= limit:
            raise Killed

    run_id = start(store, settings)
    script.at = die
    for attempt in range(4):
        try:
            worker(store, settings, name=f"t{attempt}").work_one()
        except Killed:
            limit += ahead
        with store.write() as session:
            leases.release_all(session, leases.JOB, f"t{attempt}")
    script.at = lambda step: None
    worker(store, settings).run_once()
    run = view(store, run_id)
    assert run.state == state
    if state == "failed":
        assert "stopped 3 times" in str(run.error)
        training.resume_training(store, settings, LOCAL, run_id)
        worker(store, settings).run_once()
        assert view(store, run_id).state == "done" and script.taken == list(range(STEPS))


def test_a_waiting_training_is_cancelled_at_once_and_resumed(
    store: Store, settings: Settings, labelled: Past, script: Script
) -> None:
    run_id = start(store, settings)
    assert training.cancel_training(store, settings, LOCAL, run_id).state == "cancelled"
    assert worker(store, settings).run_once() == 0
    assert training.resume_training(store, settings, LOCAL, run_id).state == "queued"
    assert worker(store, settings).run_once() == 2
    assert view(store, run_id).state == "done"
    assert kinds_of(store, run_id) == [
        "training.started", "training.cancel_asked", "training.cancelled", "training.resumed",
        "training.done",
    ]  # fmt: skip


def test_a_running_training_stops_at_its_next_step(
    store: Store, settings: Settings, labelled: Past, script: Script
) -> None:
    run_id = start(store, settings)

    def ask(step: int) -> None:
        if step == 2:
            # From another thread, as the page does it.
            one = threading.Thread(
                target=training.cancel_training, args=(store, settings, LOCAL, run_id)
            )
            one.start()
            one.join()
            assert view(store, run_id).stopping

    script.at = ask
    assert worker(store, settings).run_once() == 1
    run = view(store, run_id)
    assert run.state == "cancelled" and script.taken == [0, 1, 2] and not run.stopping
    script.at = lambda step: None
    training.resume_training(store, settings, LOCAL, run_id)
    worker(store, settings).run_once()
    assert script.taken == list(range(STEPS)) and view(store, run_id).state == "done"


def test_a_training_that_nobody_holds_any_more_is_cancelled_at_once(
    store: Store, settings: Settings, labelled: Past, script: Script
) -> None:
    run_id = start(store, settings)

    def die(step: int) -> None:
        raise Killed

    script.at = die
    with pytest.raises(Killed):
        worker(store, settings).work_one()
    assert training.cancel_training(store, settings, LOCAL, run_id).stopping
    with store.write() as session:
        leases.release_all(session, leases.JOB, "trainer-1")
    assert training.cancel_training(store, settings, LOCAL, run_id).state == "cancelled"


FAILURES = [
    TrainingError("All labels are the same: nothing to learn."),
    ModelError("model.safetensors was changed."),
]


@pytest.mark.parametrize("error", FAILURES, ids=["nothing to learn", "changed parent"])
def test_a_training_that_cannot_succeed_says_why_and_is_no_alarm(
    store: Store, settings: Settings, labelled: Past, script: Script, error: Exception
) -> None:
    def refuse(step: int) -> None:
        raise error

    run_id = start(store, settings)
    script.at = refuse
    assert worker(store, settings).run_once() == 1
    run = view(store, run_id)
    assert (run.state, run.error) == ("failed", str(error))
    with store.read() as session:
        assert jobs.counts(session)["set_aside"] == 0
    assert kinds_of(store, run_id)[-1] == "training.failed"


def test_a_gate_that_cannot_be_computed_says_why(
    store: Store, settings: Settings, labelled: Past, script: Script
) -> None:
    script.gate_error = TrainingError("It learnt from the golden set.")
    run_id = start(store, settings)
    assert worker(store, settings).run_once() == 2
    run = view(store, run_id)
    assert run.gate is not None and run.gate.state == JobState.SET_ASIDE
    assert run.gate.error == "It learnt from the golden set."
    script.gate_error = None
    training.request_gate(store, LOCAL, run_id)
    assert worker(store, settings).run_once() == 1
    assert view(store, run_id).gate.state == "done"


def test_a_late_trainer_stores_nothing(
    store: Store, settings: Settings, labelled: Past, script: Script
) -> None:
    """Somebody else took it over meanwhile: its progress and its end are refused."""
    run_id = start(store, settings)

    def lose(step: int) -> None:
        if step == 2:
            with store.write() as session:
                leases.release_all(session, leases.JOB, "trainer-1")
                assert jobs.claim_next(session, "other", 60.0) is not None

    script.at = lose
    assert worker(store, settings).work_one()
    run = view(store, run_id)
    assert run.state == "running" and run.version is None and script.taken == [0, 1, 2]


def test_the_work_of_a_finished_run_is_tidied_away_by_the_next(
    store: Store, settings: Settings, labelled: Past, script: Script
) -> None:
    first = start(store, settings, gate=False)
    worker(store, settings).run_once()
    assert training_jobs.folder_of_run(settings, first).is_dir()
    start(store, settings, gate=False)
    worker(store, settings).run_once()
    assert not training_jobs.folder_of_run(settings, first).is_dir()


REFUSED = {
    "a reviewer": (NotAllowed, "may not", {"actor": ANN}),
    "an unknown model": (SettingsError, "Did you mean 'prefilter'", {"stage": "prefiler"}),
    "an unknown option": (SettingsError, "Did you mean 'folds'", {"options": {"fold": 2}}),
    "a text for a number": (SettingsError, "whole number", {"options": {"folds": "many"}}),
    "a value that does not fit": (SettingsError, "2 to 10 folds", {"options": {"folds": 99}}),
    "not a number": (SettingsError, "a number is expected", {"options": {"anchor": "nan"}}),
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda name: name)
def test_a_start_that_is_refused(
    store: Store, settings: Settings, labelled: Past, script: Script, case: str
) -> None:
    error, words, how = REFUSED[case]
    given = {"actor": LOCAL, "stage": "prefilter"} | how
    actor, stage = given.pop("actor"), given.pop("stage")
    with pytest.raises(error, match=words):
        training.start_training(store, settings, actor, stage, **given)
    assert training.training_runs_of(store, LOCAL) == ()


def test_without_decisions_there_is_nothing_to_start(store: Store, settings: Settings) -> None:
    with pytest.raises(TrainingError, match="nothing to learn from"):
        start(store, settings)


def test_one_training_of_a_stage_at_a_time(
    store: Store, settings: Settings, labelled: Past, script: Script
) -> None:
    first = start(store, settings)
    with pytest.raises(TrainingError, match="queued already"):
        start(store, settings)
    training.cancel_training(store, settings, LOCAL, first)
    start(store, settings)
    with pytest.raises(TrainingError, match="queued already"):
        training.resume_training(store, settings, LOCAL, first)


@pytest.mark.parametrize("what", ["cancel_training", "resume_training"])
def test_what_is_done_is_neither_stopped_nor_resumed(
    store: Store, settings: Settings, labelled: Past, script: Script, what: str
) -> None:
    run_id = start(store, settings)
    worker(store, settings).run_once()
    with pytest.raises(TrainingError, match="done"):
        getattr(training, what)(store, settings, LOCAL, run_id)


def newest(store: Store) -> training_views.CandidateView:
    return training_views.models(store, LOCAL).candidates[0]


def test_a_candidate_that_passes_is_told_what_its_promotion_does_and_promoted(
    store: Store, settings: Settings, labelled: Past, script: Script
) -> None:
    start(store, settings)
    worker(store, settings).run_once()
    found = newest(store)
    assert found.gate is not None and found.gate.passed and not found.gate.stale
    assert found.plan is not None and found.plan["routing"][0]["task"] == "icd"
    before = training_views.models(store, LOCAL).in_force[0]
    assert before.shipped and before.back_to is None
    request_promotion(store, LOCAL, found.version, "it knows the new scam", found.parent)
    with pytest.raises(TrainingError, match="under way"):
        request_promotion(store, LOCAL, found.version, "again", found.parent)
    assert worker(store, settings).run_once() == 1
    after = training_views.models(store, LOCAL).in_force[0]
    assert (after.version, after.note, after.by) == (found.version, "it knows the new scam",
                                                     "local")  # fmt: skip
    assert after.back_to == found.parent and [each.version for each in after.chain] == [
        found.parent
    ]
    assert newest(store).live and newest(store).promotion[3]["ok"]
    assert training_views.models(store, LOCAL).publications[0].live


def test_a_promotion_that_is_refused_keeps_its_reason_and_is_no_failed_job(
    store: Store, settings: Settings, labelled: Past, script: Script
) -> None:
    start(store, settings)
    worker(store, settings).run_once()
    script.refusal = "The routing of icd cannot be certified."
    request_promotion(store, LOCAL, "prefilter-candidate", "why", "before")
    assert worker(store, settings).run_once() == 1
    found = newest(store)
    assert not found.live and found.promotion is not None
    assert (found.promotion[0], found.promotion[3]) == (
        "done", {"ok": False, "why": script.refusal}
    )  # fmt: skip


def test_a_worker_that_died_after_promoting_does_not_promote_twice(
    store: Store, settings: Settings, labelled: Past, script: Script
) -> None:
    start(store, settings)
    worker(store, settings).run_once()
    request_promotion(store, LOCAL, "prefilter-candidate", "why", "before")
    with store.write() as session:
        job = jobs.claim_next(session, "dead", 60.0)
        assert job is not None
    script.promote(store, settings, LOCAL, "prefilter-candidate", "why")
    with store.write() as session:
        leases.release_all(session, leases.JOB, "dead")
    script.refusal = "It is in force already."
    assert worker(store, settings).run_once() == 1
    assert newest(store).live and newest(store).promotion[3] == {"ok": True}
    assert len(training_views.models(store, LOCAL).publications) == 1


PROMOTIONS = {
    "a reviewer": (NotAllowed, "may not", {"actor": ANN}),
    "no note": (TrainingError, "Say why", {"note": "  "}),
    "no such model": (StoreError, "no trained model", {"version": "prefilter-none"}),
}


@pytest.mark.parametrize("case", PROMOTIONS, ids=lambda name: name)
def test_a_promotion_that_is_refused_at_once(
    store: Store, settings: Settings, labelled: Past, script: Script, case: str
) -> None:
    start(store, settings)
    worker(store, settings).run_once()
    error, words, how = PROMOTIONS[case]
    given = {"actor": LOCAL, "version": "prefilter-candidate", "note": "why"} | how
    with pytest.raises(error, match=words):
        request_promotion(store, given["actor"], given["version"], given["note"], "before")
    assert worker(store, settings).run_once() == 0
