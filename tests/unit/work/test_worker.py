"""The worker, with real files, a real store and a cascade that answers what it is told to."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from coefvq.errors import MediaError, ModelError
from coefvq.review import case_view, library, queue
from coefvq.review.uploads import register
from coefvq.router import Router
from coefvq.routing.entropy import EntropyRouting
from coefvq.settings import Settings
from coefvq.store import (
    cases,
    events,
    jobs,
    leases,
    routing_policies,
    signals_cache,
    videos,
)
from coefvq.store.session import Store
from coefvq.store.tables import CaseState, JobKind, JobState
from coefvq.work.worker import Worker, worker_name
from tests import media_factory
from tests.routing_factory import policy
from tests.store_factory import ANN, EXTRACTOR, LOCAL, RATIONALE, FixedCascade, result

FAILURE = ModelError("The weights are gone. Run make setup.")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real one-second video."""
    return media_factory.clip(tmp_path_factory.mktemp("clips") / "clip.mp4", seconds=1.0)


def upload(store: Store, settings: Settings, path: Path) -> str:
    return register(store, settings, LOCAL, path, move=False, title="a clip")


def worker(store: Store, settings: Settings, cascade: FixedCascade, name: str = "w1") -> Worker:
    return Worker(settings, store, lambda _: cascade, name)


def to_its_score(store: Store, settings: Settings) -> None:
    """Read the file and look for copies of it; the next job is its score."""
    for _ in range(2):
        assert worker(store, settings, FixedCascade()).work_one()


def status(store: Store, video_id: str) -> str:
    with store.read() as session:
        return videos.get(session, video_id).status


def case_ids(store: Store, video_id: str) -> dict[str, str]:
    with store.read() as session:
        return {task: case.id for task, case in cases.of_video(session, video_id).items()}


def test_from_a_file_to_cases_with_cards(store: Store, settings: Settings, clip: Path) -> None:
    video_id = upload(store, settings, clip)
    cascade = FixedCascade()
    assert worker(store, settings, cascade).run_once() == 3
    assert status(store, video_id) == videos.SCORED
    view = case_view.view(store, settings, ANN, case_ids(store, video_id)["icd"])
    assert (view.state, view.verdict) == ("queued", "needs_human")
    assert view.prefilter is not None and view.mllm is not None
    assert view.mllm.rationale == RATIONALE
    assert view.transcript is not None and len(view.transcript) == 2
    for path in (view.video.proxy, view.video.poster, view.video.contact_sheet):
        assert path is not None and path.is_file()


def test_the_cascade_is_asked_once_with_what_was_posted(
    store: Store, settings: Settings, clip: Path
) -> None:
    upload(store, settings, clip)
    cascade = FixedCascade()
    worker(store, settings, cascade).run_once()
    (call,) = cascade.calls
    digest = hashlib.sha256(clip.read_bytes()).hexdigest()
    assert call["path"] == settings.media_dir / f"{digest}.mp4"
    assert (call["title"], call["caption"], call["sha256"]) == ("a clip", None, digest)
    assert (call["stage"], call["rationale"]) == ("auto", "for_people")


def test_signals_are_stored_with_the_result(store: Store, settings: Settings, clip: Path) -> None:
    upload(store, settings, clip)
    worker(store, settings, FixedCascade()).run_once()
    digest = hashlib.sha256(clip.read_bytes()).hexdigest()
    with store.read() as session:
        assert signals_cache.get(session, digest, EXTRACTOR) == b"payload"


def test_models_load_once_and_only_when_needed(
    store: Store, settings: Settings, clip: Path
) -> None:
    loads: list[Settings] = []

    def factory(given: Settings) -> FixedCascade:
        loads.append(given)
        return FixedCascade()

    busy = Worker(settings, store, factory, "w1")
    assert (busy.run_once(), loads) == (0, [])
    upload(store, settings, clip)
    upload(store, settings, clip)
    assert (busy.run_once(), loads) == (6, [settings])


def test_a_second_upload_of_the_same_bytes_makes_no_previews_anew(
    store: Store, settings: Settings, clip: Path
) -> None:
    upload(store, settings, clip)
    worker(store, settings, FixedCascade()).run_once()
    (proxy,) = settings.previews_dir.glob("*.mp4")
    before = proxy.stat().st_mtime_ns
    second = upload(store, settings, clip)
    worker(store, settings, FixedCascade()).run_once()
    assert proxy.stat().st_mtime_ns == before
    item = library.list_videos(store, settings, ANN).items[0]
    assert (item.video_id, item.poster is not None) == (second, True)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(media_factory.text, id="text renamed"),
        pytest.param(media_factory.empty, id="empty"),
        pytest.param(media_factory.audio_only, id="sound only"),
    ],
)
def test_a_file_that_is_no_video_is_set_aside_at_once(
    store: Store, settings: Settings, tmp_path: Path, make: object
) -> None:
    path = make(tmp_path / "bad.mp4")  # type: ignore[operator]
    video_id = upload(store, settings, path)
    cascade = FixedCascade()
    assert worker(store, settings, cascade).run_once() == 1
    assert cascade.calls == []
    (job,) = library.set_aside(store, ANN)
    assert (job.video_id, job.attempts) == (video_id, 1)
    assert job.error_code and job.error
    assert status(store, video_id) == videos.FAILED


def test_a_bad_file_does_not_hold_up_the_others(
    store: Store, settings: Settings, tmp_path: Path, clip: Path
) -> None:
    upload(store, settings, media_factory.text(tmp_path / "bad.mp4"))
    good = upload(store, settings, clip)
    worker(store, settings, FixedCascade()).run_once()
    assert status(store, good) == videos.SCORED


@pytest.mark.parametrize(
    ("failures", "attempts", "state", "code"),
    [
        pytest.param([FAILURE], 2, JobState.DONE, None, id="once, then fine"),
        pytest.param([FAILURE] * 2, 3, JobState.DONE, None, id="twice, then fine"),
        pytest.param([FAILURE] * 3, 3, JobState.SET_ASIDE, "model_unavailable", id="thrice"),
        pytest.param([RuntimeError("x")] * 3, 3, JobState.SET_ASIDE, "internal_error", id="codec"),
        pytest.param(
            [MediaError("no frame")], 1, JobState.SET_ASIDE, "unreadable_media", id="media"
        ),
    ],
)
def test_failures(
    store: Store,
    settings: Settings,
    clip: Path,
    failures: list[Exception],
    attempts: int,
    state: JobState,
    code: str | None,
) -> None:
    video_id = upload(store, settings, clip)
    worker(store, settings, FixedCascade(fail_with=list(failures))).run_once()
    with store.read() as session:
        job = jobs.newest_by_video(session, [video_id])[video_id]
    assert (job.kind, job.attempts, job.state, job.error_code) == (
        JobKind.SCORE,
        attempts,
        state,
        code,
    )


def test_a_failed_attempt_leaves_nothing_half_stored(
    store: Store, settings: Settings, clip: Path
) -> None:
    upload(store, settings, clip)
    broken = FixedCascade(answer=lambda sha256: result(sha256, icd={"hate_harassment": 7.0j}))  # type: ignore[dict-item]
    worker(store, settings, broken).run_once()
    digest = hashlib.sha256(clip.read_bytes()).hexdigest()
    with store.read() as session:
        assert signals_cache.get(session, digest, EXTRACTOR) is None
        assert jobs.counts(session)["set_aside"] == 1


def test_a_worker_whose_lease_was_taken_stores_nothing(
    store: Store, settings: Settings, clip: Path
) -> None:
    video_id = upload(store, settings, clip)
    to_its_score(store, settings)

    def taken_over(sha256: str):  # type: ignore[no-untyped-def]
        with store.write() as session:
            job = jobs.newest_by_video(session, [video_id])[video_id]
            held = leases.current(session, leases.JOB, job.id)
            assert held is not None
            leases.release(session, leases.JOB, job.id, held.holder, held.token)
            leases.claim(session, leases.JOB, job.id, "thief", 60.0)
        return result(sha256)

    assert worker(store, settings, FixedCascade(answer=taken_over)).work_one()
    assert status(store, video_id) == videos.SCORING
    with store.read() as session:
        assert all(case.verdict is None for case in cases.of_video(session, video_id).values())


def test_a_file_that_vanished_is_set_aside(store: Store, settings: Settings, clip: Path) -> None:
    upload(store, settings, clip)
    for path in settings.media_dir.iterdir():
        path.unlink()
    worker(store, settings, FixedCascade()).run_once()
    (job,) = library.set_aside(store, ANN)
    assert job.error_code == "not_found" and job.error is not None
    assert "Upload it again" in job.error


def test_a_wish_for_the_mllm_runs_it_and_explains(
    store: Store, settings: Settings, clip: Path
) -> None:
    video_id = upload(store, settings, clip)
    cascade = FixedCascade()
    worker(store, settings, cascade).run_once()
    with store.write() as session:
        jobs.enqueue(session, JobKind.SCORE, video_id=video_id, payload={"stage": "mllm"})
    worker(store, settings, cascade).run_once()
    assert (cascade.calls[-1]["stage"], cascade.calls[-1]["rationale"]) == ("mllm", "always")


def test_a_rationale_on_request(store: Store, settings: Settings, clip: Path) -> None:
    video_id = upload(store, settings, clip)
    silent = FixedCascade()
    silent.assess = _without_rationale(silent)  # type: ignore[method-assign]
    worker(store, settings, silent).run_once()
    case_id = case_ids(store, video_id)["icd"]
    before = case_view.view(store, settings, ANN, case_id)
    assert before.mllm is not None and before.mllm.rationale is None
    assert queue.request_rationale(store, ANN, case_id)
    worker(store, settings, FixedCascade()).run_once()
    after = case_view.view(store, settings, ANN, case_id)
    assert after.mllm is not None and after.mllm.rationale == RATIONALE
    assert (after.state, after.rationale_due) == (before.state, False)
    with store.read() as session:
        kinds = [event.kind for event in events.of_subject(session, "case", case_id)]
    assert kinds == ["case.explained"]


def _without_rationale(cascade: FixedCascade):  # type: ignore[no-untyped-def]
    original = cascade.assess
    return lambda path, **how: original(path, **{**how, "rationale": "never"})


def test_a_rationale_that_does_not_come_is_a_failure(
    store: Store, settings: Settings, clip: Path
) -> None:
    video_id = upload(store, settings, clip)
    silent = FixedCascade()
    silent.assess = _without_rationale(silent)  # type: ignore[method-assign]
    worker(store, settings, silent).run_once()
    queue.request_rationale(store, ANN, case_ids(store, video_id)["icd"])
    worker(store, settings, silent).run_once()
    (job,) = library.set_aside(store, ANN)
    assert (job.kind, job.error_code) == ("explain", "store")
    assert status(store, video_id) == videos.SCORED


def test_run_forever_takes_what_comes_and_stops(
    store: Store, settings: Settings, clip: Path
) -> None:
    stop, done = threading.Event(), threading.Event()

    def answer(sha256: str):  # type: ignore[no-untyped-def]
        done.set()
        return result(sha256)

    running = worker(store, settings, FixedCascade(answer=answer))
    thread = threading.Thread(target=running.run_forever, args=(stop, 0.05))
    thread.start()
    video_id = upload(store, settings, clip)
    assert done.wait(60)
    stop.set()
    thread.join(60)
    assert not thread.is_alive()
    assert status(store, video_id) == videos.SCORED


def test_a_busy_database_does_not_end_the_worker(
    store: Store, settings: Settings, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(store, settings, clip)
    stop = threading.Event()
    running = worker(store, settings, FixedCascade())
    original, calls = running.run_once, []

    def flaky(given: threading.Event) -> int:
        calls.append(given)
        if len(calls) == 1:
            raise OperationalError("BEGIN IMMEDIATE", {}, RuntimeError("database is locked"))
        stop.set()
        return original(None)

    monkeypatch.setattr(running, "run_once", flaky)
    running.run_forever(stop, idle_s=0.01)
    assert len(calls) == 2
    with store.read() as session:
        assert jobs.counts(session)["done"] == 3


def test_a_job_given_back_is_taken_by_the_next(
    store: Store, settings: Settings, clip: Path
) -> None:
    video_id = upload(store, settings, clip)
    to_its_score(store, settings)

    def interrupted(sha256: str):  # type: ignore[no-untyped-def]
        hurried.give_back()
        return result(sha256)

    hurried = worker(store, settings, FixedCascade(answer=interrupted))
    hurried.work_one()
    assert status(store, video_id) == videos.WAITING
    hurried.give_back()
    assert worker(store, settings, FixedCascade(), "w2").run_once() == 1
    with store.read() as session:
        job = jobs.newest_by_video(session, [video_id])[video_id]
        assert (job.state, job.attempts) == (JobState.DONE, 1)


def test_names_are_never_the_same() -> None:
    assert len({worker_name() for _ in range(50)}) == 50


def test_case_states_after_scoring(store: Store, settings: Settings, clip: Path) -> None:
    video_id = upload(store, settings, clip)
    worker(store, settings, FixedCascade()).run_once()
    with store.read() as session:
        states = {task: case.state for task, case in cases.of_video(session, video_id).items()}
    assert states == {"icd": CaseState.QUEUED, "ucc": CaseState.AUTO}


@pytest.mark.parametrize(
    ("uploader", "limited"),
    [pytest.param("ann", "ann", id="a named one"), pytest.param(None, None, id="an operator's")],
)
def test_only_named_uploaders_have_a_limit(
    store: Store, settings: Settings, clip: Path, uploader: str | None, limited: str | None
) -> None:
    register(store, settings, LOCAL, clip, move=False, uploader=uploader)
    cascade = FixedCascade()
    worker(store, settings, cascade).run_once()
    assert cascade.calls[0]["uploader"] == limited


class RoutedCascade(FixedCascade):
    """Has a router, and answers with the version in force."""

    def __init__(self) -> None:
        super().__init__()
        self.routing = Router(EntropyRouting(0.6, 0.6))
        self.seen: list[str] = []

    def assess(self, path, **how):  # type: ignore[no-untyped-def]
        self.seen.append(self.routing.version("icd"))
        return super().assess(path, **how)


def test_a_publication_counts_from_the_next_video_on(
    store: Store, settings: Settings, clip: Path
) -> None:
    cascade, made = RoutedCascade(), policy()
    running = worker(store, settings, cascade)
    upload(store, settings, clip)
    running.run_once()
    with store.write() as session:
        routing_policies.add(session, made.version, made.rule, made.to_json(), "ann")
        routing_policies.publish(session, "icd", made.version, "ann")
    upload(store, settings, clip)
    running.run_once()
    assert cascade.seen == ["entropy-0.6-0.6", made.version]


def test_a_policy_that_cannot_be_read_sets_the_job_aside_with_the_remedy(
    store: Store, settings: Settings, clip: Path
) -> None:
    with store.write() as session:
        routing_policies.add(session, "learned-x", "learned", {"format": 99}, "ann")
        routing_policies.publish(session, "icd", "learned-x", "ann")
    upload(store, settings, clip)
    worker(store, settings, RoutedCascade()).run_once()
    (job,) = library.set_aside(store, ANN)
    assert job.error_code == "routing" and job.error is not None
    assert "coefvq routing rollback --task icd" in job.error
