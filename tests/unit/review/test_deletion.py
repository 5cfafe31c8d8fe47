"""A deleted video leaves nothing of what it showed or said; decisions still count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from coefvq.errors import LeaseLost, NotAllowed, StoreError
from coefvq.review import appeals, decide, deletion, holds, library, notes, queue
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import decisions, events, videos
from coefvq.store.session import Store
from coefvq.store.tables import Base, CaseRow, JobKind, VideoRow
from tests.store_factory import RATIONALE, media_file
from tests.unit.review.quality import ANN, BOB, HATE, LEA, VIC, answer, scored, take, token_of

SECRET = "zanzibarfruit"
BYTES = b"the very bytes"


@pytest.fixture
def case_id(store: Store, settings: Settings) -> str:
    """A case with everything that can be written about a video."""
    case = scored(
        store, settings, BYTES, title=f"the {SECRET} title",
        rationale=replace(RATIONALE, summary=f"somebody says {SECRET}"),
    )["icd"]  # fmt: skip
    form = replace(HATE, comment=f"she says {SECRET}")
    answer(store, settings, case, form, ANN)
    notes.add(store, ANN, case, f"a note on {SECRET}")
    appeals.file(store, LEA, case, f"I never said {SECRET}")
    video = video_of(store, case)
    with store.write() as session:
        media = videos.get(session, video).media
        media.proxy = f"{media.sha256}.mp4"
    media_file(settings.previews_dir, b"proxy", f"{sha_of(store, video)}.mp4")
    return case


def video_of(store: Store, case_id: str) -> str:
    with store.read() as session:
        return session.get_one(CaseRow, case_id).video_id


def sha_of(store: Store, video_id: str) -> str:
    with store.read() as session:
        return videos.get(session, video_id).sha256


def everything(store: Store) -> str:
    """All cells of all tables, the words of the full-text index too."""
    with store.read() as session:
        tables = [*Base.metadata.tables]
        if store.engine.dialect.name == "sqlite":
            session.execute(text("SELECT 1"))
        rows = [session.execute(text(f"SELECT * FROM {name}")).all() for name in tables]
    return repr(rows)


def files_under(home: Path) -> list[str]:
    folders = ("media", "previews", "incoming")
    return [p.name for name in folders for p in (home / name).glob("*") if p.is_file()]


def test_nothing_of_its_content_is_left(store: Store, settings: Settings, case_id: str) -> None:
    video = video_of(store, case_id)
    assert SECRET in everything(store) and len(files_under(settings.home)) == 2
    done = deletion.delete_video(store, settings, LEA, video, "asked by the uploader")
    assert (done.files, done.kept, done.shared) == (2, (), False)
    left = everything(store)
    assert SECRET not in left and "payload" not in left and "you people" not in left
    assert files_under(settings.home) == []
    assert deletion.is_deleted(store, LEA, video)
    assert not library.list_videos(store, settings, LEA).items


def test_what_people_decided_still_counts(store: Store, settings: Settings, case_id: str) -> None:
    video = video_of(store, case_id)
    with store.read() as session:
        before = decisions.of_case(session, case_id)[0]
    deletion.delete_video(store, settings, LEA, video, "court order")
    with store.read() as session:
        after = decisions.of_case(session, case_id)[0]
        assert (after.labels, after.reasons, after.snapshot) == (
            before.labels, before.reasons, before.snapshot,
        )  # fmt: skip
        assert after.comment == ""
        assert decisions.count(session) == 1
        assert events.verify(session) is None
        [event] = [
            e for e in events.of_subject(session, "video", video) if e.kind == "video.deleted"
        ]
    assert event.actor == "lea" and event.data["reason"] == "court order"


def test_again_changes_nothing(store: Store, settings: Settings, case_id: str) -> None:
    video = video_of(store, case_id)
    deletion.delete_video(store, settings, LEA, video, "once")
    before = everything(store)
    deletion.delete_video(store, settings, LEA, video, "twice")
    assert everything(store) == before


def test_other_uploads_of_the_bytes_keep_them(store: Store, settings: Settings) -> None:
    first, second = (video_of(store, scored(store, settings, BYTES)["icd"]) for _ in range(2))
    done = deletion.delete_video(store, settings, LEA, first, "one of two")
    assert done.shared and done.files == 0 and len(files_under(settings.home)) == 1
    done = deletion.delete_video(store, settings, LEA, second, "the other")
    assert not done.shared and files_under(settings.home) == []


def test_a_hold_forbids_it(store: Store, settings: Settings, case_id: str) -> None:
    video, before = video_of(store, case_id), everything(store)
    hold = holds.place(store, LEA, video, "police")
    before = everything(store)
    with pytest.raises(holds.Held, match="legal hold"):
        deletion.delete_video(store, settings, LEA, video, "please")
    assert everything(store) == before
    holds.release(store, LEA, hold.id, "over")
    assert deletion.delete_video(store, settings, LEA, video, "now").files == 2


@pytest.mark.parametrize("actor", [ANN, VIC], ids=["reviewer", "viewer"])
def test_only_leads_delete(store: Store, settings: Settings, case_id: str, actor: object) -> None:
    before = everything(store)
    with pytest.raises(NotAllowed):
        deletion.delete_video(store, settings, actor, video_of(store, case_id), "x")  # type: ignore[arg-type]
    assert everything(store) == before


@pytest.mark.parametrize("reason", ["", "\x00", "x" * 2001], ids=["none", "blank", "too long"])
def test_a_reason_is_needed(store: Store, settings: Settings, case_id: str, reason: str) -> None:
    with pytest.raises(StoreError, match="1 to 2000"):
        deletion.delete_video(store, settings, LEA, video_of(store, case_id), reason)


def test_nobody_can_go_on_with_it(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings, BYTES)["icd"]
    view = take(store, settings, ANN)
    deletion.delete_video(store, settings, LEA, video_of(store, case_id), "gone")
    with pytest.raises(LeaseLost):
        decide.submit(store, settings, ANN, case_id, token_of(view), DecisionForm({}, "keep"))
    assert queue.next_case(store, settings, BOB) is None


def test_an_undo_cannot_bring_it_back(store: Store, settings: Settings, case_id: str) -> None:
    deletion.delete_video(store, settings, LEA, video_of(store, case_id), "gone")
    with pytest.raises(StoreError, match="was deleted"):
        decide.undo_last(store, settings, ANN)


def test_a_file_that_cannot_go_is_tried_again(
    store: Store, settings: Settings, case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("read-only")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        done = deletion.delete_video(store, settings, LEA, video_of(store, case_id), "x")
    assert done.files == 0 and len(done.kept) == 2
    assert deletion.sweep(store, settings) == (2, ())
    assert files_under(settings.home) == [] and deletion.sweep(store, settings) == (0, ())


def test_bytes_uploaded_again_meanwhile_stay(
    store: Store, settings: Settings, case_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(deletion, "sweep", lambda *_: (0, ()))
        deletion.delete_video(store, settings, LEA, video_of(store, case_id), "x")
    again = scored(store, settings, BYTES, title="again")["icd"]
    assert deletion.sweep(store, settings)[1] == ()
    with store.read() as session:
        row = session.get_one(VideoRow, video_of(store, again))
        assert (settings.media_dir / row.media.file_name).read_bytes() == BYTES


def test_its_jobs_end(store: Store, settings: Settings) -> None:
    from coefvq.store import jobs
    from tests.store_factory import upload

    video = upload(store, settings, BYTES, title=SECRET)
    with store.write() as session:
        job = jobs.claim_next(session, "worker-1", 60.0)
        assert job is not None and job.kind is JobKind.INGEST
    deletion.delete_video(store, settings, LEA, video, "x")
    with pytest.raises(LeaseLost), store.write() as session:
        jobs.finish(session, job.lease)
    with store.write() as session:
        assert jobs.claim_next(session, "worker-2", 60.0) is None
