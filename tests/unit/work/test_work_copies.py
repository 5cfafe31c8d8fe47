"""From an upload over its fingerprint to its score: which of two videos is the copy, with proof."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coefvq.domain import CopyMatch
from coefvq.errors import MediaError, ModelError
from coefvq.originality.fingerprint import VERSION
from coefvq.review.uploads import register
from coefvq.settings import Settings
from coefvq.store import copies, copy_searches, events, jobs, originals, videos
from coefvq.store.copy_scores import known
from coefvq.store.session import Store
from coefvq.store.tables import JobKind, JobRow, JobState, LeaseRow, OriginalRow
from coefvq.work.worker import Worker
from tests import media_factory
from tests.copies_factory import found as a_match
from tests.copies_factory import put_matches, put_original
from tests.scenes import scene
from tests.store_factory import LOCAL, FixedCascade, result

SECONDS, SIZE = 6.0, (320, 240)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip, the same mirrored, another one, and one that is only black."""
    folder = tmp_path_factory.mktemp("clips")
    for name, picture in {
        "original": scene(1),
        "mirrored": scene(1, mirrored=True),
        "another": scene(2),
        "black": media_factory.black,
    }.items():
        media_factory.clip(folder / f"{name}.mp4", SECONDS, SIZE, fps=12, picture=picture)
    return folder


@pytest.fixture
def store(settings: Settings, database_url: str) -> Any:
    """A store; the cascade of these tests answers what it is told to."""
    from coefvq.store.session import open_store

    with open_store(database_url) as opened:
        yield opened


@pytest.fixture(params=["sqlite"])
def database_url(settings: Settings) -> str:
    """One database is enough for what only reads files."""
    return settings.url


def upload(store: Store, settings: Settings, path: Path) -> str:
    return register(store, settings, LOCAL, path, move=False, title=path.stem)


def work(store: Store, settings: Settings, cascade: FixedCascade | None = None) -> FixedCascade:
    used = cascade or FixedCascade()
    Worker(settings, store, lambda _: used, "w1").run_once()
    return used


def found(store: Store, video_id: str) -> tuple[CopyMatch, ...] | None:
    with store.read() as session:
        return known(session, video_id)


def kinds(store: Store, video_id: str) -> list[str]:
    with store.read() as session:
        rows = session.query(JobRow).filter_by(video_id=video_id).order_by(JobRow.id)
        return [row.kind for row in rows]


def library_rows(store: Store) -> list[str]:
    with store.read() as session:
        return [row.reference for row in originals.in_bank(session, originals.LIBRARY)]


def test_the_later_upload_is_the_copy_and_says_of_what(
    store: Store, settings: Settings, clips: Path
) -> None:
    names = ("original", "mirrored", "another")
    first, copy, other = (upload(store, settings, clips / f"{name}.mp4") for name in names)
    cascade = work(store, settings)
    assert (found(store, first), found(store, other)) == ((), ())
    (match,) = found(store, copy) or ()
    assert (match.video_id, match.bank) == (first, "library")
    assert match.score > 0.9 and match.transform == ("mirror",)
    assert match.query_end_s - match.query_start_s > SECONDS - 2
    assert abs(match.query_start_s - match.reference_start_s) < 0.5
    assert kinds(store, copy) == ["ingest", "fingerprint", "score"]
    assert sorted(library_rows(store)) == sorted((first, copy, other))
    given = {call["title"]: call["copies"] for call in cascade.calls}
    assert given == {"original": (), "mirrored": (match,), "another": ()}


def test_the_same_file_is_an_identical_copy_of_the_first(
    store: Store, settings: Settings, clips: Path
) -> None:
    first = upload(store, settings, clips / "black.mp4")
    second, third = (upload(store, settings, clips / "black.mp4") for _ in range(2))
    work(store, settings)
    assert found(store, first) == ()
    for later in (second, third):
        (match,) = found(store, later) or ()
        assert (match.video_id, match.score, match.transform) == (first, 1.0, ())
        assert (match.query_start_s, match.query_end_s) == (0.0, pytest.approx(SECONDS, abs=0.2))
    assert library_rows(store) == [first]


def test_an_earlier_upload_that_is_compared_late_tells_the_copy(
    store: Store, settings: Settings, clips: Path
) -> None:
    first = upload(store, settings, clips / "original.mp4")
    with store.write() as session:
        job = jobs.open_job(session, JobKind.INGEST, video_id=first)
        assert job is not None
        job.state = JobState.SET_ASIDE.value
    copy = upload(store, settings, clips / "mirrored.mp4")
    work(store, settings)
    assert found(store, copy) == ()
    with store.write() as session:
        jobs.retry(session, job.id)
    work(store, settings)
    assert found(store, first) == ()
    assert [match.video_id for match in found(store, copy) or ()] == [first]
    again = ["ingest", "fingerprint", "score", "fingerprint", "score"]
    assert kinds(store, copy) == again
    with store.write() as session:
        jobs.enqueue(session, JobKind.FINGERPRINT, video_id=first)
    work(store, settings)
    assert kinds(store, copy) == again


def test_an_original_that_comes_in_between_is_not_missed(
    store: Store, settings: Settings, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers at once: the copy was looked up a moment before the original was kept."""
    first = upload(store, settings, clips / "original.mp4")
    copy = upload(store, settings, clips / "mirrored.mp4")
    with store.write() as session:
        job = jobs.open_job(session, JobKind.INGEST, video_id=first)
        assert job is not None
        job.state = JobState.SET_ASIDE.value
    put = copies.put_matches

    def late(session: Any, video_id: str, *given: Any) -> list[str]:
        if video_id == copy and not library_has(session, first):
            row = session.query(OriginalRow).one()
            plain = {c.name: getattr(row, c.name) for c in OriginalRow.__table__.columns}
            session.add(OriginalRow(**plain | {"id": None, "reference": first, "video_id": first}))
        return put(session, video_id, *given)

    monkeypatch.setattr(copies, "put_matches", late)
    work(store, settings)
    assert kinds(store, copy).count("fingerprint") == 2


def library_has(session: Any, video_id: str) -> bool:
    return session.query(OriginalRow).filter_by(video_id=video_id).count() > 0


@pytest.mark.parametrize(
    ("error", "tries", "state"),
    [
        pytest.param(MediaError("nothing", code="no_frames"), 1, "done", id="the file's fault"),
        pytest.param(ModelError("weights are gone"), 3, "set_aside", id="ours"),
    ],
)
def test_a_video_that_cannot_be_compared_is_scored(
    store: Store,
    settings: Settings,
    clips: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    tries: int,
    state: str,
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr("coefvq.signals.fingerprints.make_fingerprint", fail)
    video = upload(store, settings, clips / "another.mp4")
    cascade = work(store, settings)
    assert [call["copies"] for call in cascade.calls] == [None]
    with store.read() as session:
        row = videos.get(session, video)
        job = session.query(JobRow).filter_by(kind="fingerprint").one()
        assert (row.status, job.state, job.attempts) == (videos.SCORED, state, tries)
        told = "not_compared" in (row.media.info or {})["warnings"]
        assert told is (state == "done")
    monkeypatch.undo()
    with store.write() as session:
        queued = copy_searches.enqueue_missing(session, "fp-next")
        assert queued == 1
    work(store, settings)
    assert found(store, video) == ()
    with store.read() as session:
        assert "not_compared" not in (videos.get(session, video).media.info or {})["warnings"]


def test_backfill_scores_again_only_what_turns_out_to_be_a_copy(
    store: Store, settings: Settings, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Videos from before there were fingerprints, the copy compared first."""
    names = ("original", "mirrored", "another")
    with monkeypatch.context() as old:
        old.setattr("coefvq.signals.fingerprints.make_fingerprint", _no_frames)
        first, copy, other = (upload(store, settings, clips / f"{name}.mp4") for name in names)
        work(store, settings)
    with store.write() as session:
        jobs.enqueue(session, JobKind.FINGERPRINT, video_id=copy)
        assert copy_searches.enqueue_missing(session, "fp-next") == 3
    cascade = work(store, settings)
    assert [match.video_id for match in found(store, copy) or ()] == [first]
    assert (found(store, first), found(store, other)) == ((), ())
    assert [call["title"] for call in cascade.calls] == ["mirrored"]
    with store.read() as session:
        assert {videos.get(session, each).status for each in (first, copy, other)} == {"scored"}
        assert copy_searches.enqueue_missing(session, VERSION) == 0


def _no_frames(*_: Any) -> None:
    raise MediaError("nothing", code="no_frames")


def test_a_killed_job_is_done_again_and_leaves_nothing_twice(
    store: Store, settings: Settings, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies after the fingerprint was kept and before its result is."""
    video = upload(store, settings, clips / "another.mp4")
    made: list[str] = []

    def counted(*given: Any) -> Any:
        made.append(video)
        return real(*given)

    from coefvq.signals import fingerprints

    real = fingerprints.make_fingerprint
    monkeypatch.setattr(fingerprints, "make_fingerprint", counted)
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr("coefvq.work.originality.Originals.query", _killed)
        work(store, settings)
    assert library_rows(store) == [video]
    with store.write() as session:
        assert session.query(JobRow).filter_by(state="running").count() == 1
        session.execute(LeaseRow.__table__.delete())
    work(store, settings)
    assert (found(store, video), library_rows(store), made) == ((), [video], [video])
    with store.read() as session:
        told = [e.kind for e in events.of_subject(session, "video", video)]
        assert told.count("video.compared") == 1 and told[-1] == "video.scored"


def _killed(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_a_later_upload_that_is_a_known_original_makes_no_copy_of_an_earlier_one(
    store: Store, settings: Settings, clips: Path
) -> None:
    first = upload(store, settings, clips / "mirrored.mp4")
    later = upload(store, settings, clips / "original.mp4")
    work(store, settings)
    with store.write() as session:
        row = session.query(OriginalRow).filter_by(video_id=later).one()
        plain = {c.name: getattr(row, c.name) for c in OriginalRow.__table__.columns}
        session.add(OriginalRow(**plain | {"id": None, "bank": originals.KNOWN}))
        jobs.enqueue(session, JobKind.FINGERPRINT, video_id=first)
    work(store, settings)
    assert found(store, first) == ()
    assert [match.video_id for match in found(store, later) or ()] == [first]


def test_a_rejected_pair_is_not_offered_again(
    store: Store, settings: Settings, clips: Path
) -> None:
    upload(store, settings, clips / "original.mp4")
    copy = upload(store, settings, clips / "mirrored.mp4")
    work(store, settings)
    with store.write() as session:
        (match,) = copies.matches_of(session, copy)
        copies.answer(session, str(match.match_id), "rejected", "another take", "ann")
        jobs.enqueue(session, JobKind.FINGERPRINT, video_id=copy)
    cascade = work(store, settings)
    assert found(store, copy) == ()
    assert cascade.calls == []


@pytest.mark.parametrize(
    ("meanwhile", "scores"),
    [
        pytest.param("nothing", 1, id="nothing"),
        pytest.param("the same", 1, id="the same found once more"),
        pytest.param("a copy", 2, id="a copy found"),
    ],
)
def test_what_is_found_while_a_video_is_scored_is_not_lost(
    store: Store, settings: Settings, clips: Path, meanwhile: str, scores: int
) -> None:
    film = put_original(store, "film.mp4")
    video = upload(store, settings, clips / "another.mp4")

    def slow(sha256: str) -> Any:
        if len(cascade.calls) == 1 and meanwhile != "nothing":
            put_matches(store, video, *([match] if meanwhile == "a copy" else []))
        return result(sha256)

    match, cascade = a_match(store, film), FixedCascade(answer=slow)
    work(store, settings, cascade)
    assert len(cascade.calls) == scores
    assert len(cascade.calls[-1]["copies"]) == scores - 1
