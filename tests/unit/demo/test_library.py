"""Demo clips come into the library once, survive interruption, and do not come back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from coefvq.demo import build, library
from coefvq.demo.catalogue import DemoClip
from coefvq.demo.library import ensure_demo, missing_clips
from coefvq.demo.recipe import CopyOf, Footage, Recipe
from coefvq.errors import MediaError
from coefvq.settings import Settings
from coefvq.store import leases
from coefvq.store.session import Store, open_store
from coefvq.store.tables import CaseRow, EventRow, JobRow, MediaRow, VideoRow, VideoTextRow

FIRST = Recipe(Footage("world.mp4"), seconds=1.0, size=(320, 180))
OTHER = Recipe(Footage("world.mp4", 9.0), seconds=1.0, size=(320, 180))
CLIPS = (
    DemoClip("first", "First", "About the first", "anna", FIRST, "A test."),
    DemoClip("other", "Other", None, "ben", OTHER, "A test."),
    DemoClip("again", "Again", None, "carl", CopyOf("first"), "A test."),
)


@pytest.fixture(autouse=True)
def small_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "CLIPS", CLIPS)
    monkeypatch.setattr(build, "clip_by_id", {clip.id: clip for clip in CLIPS}.__getitem__)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with open_store(settings.url) as opened:
        yield opened


def rows(store: Store, table: type) -> list:
    with store.read() as session:
        return list(session.scalars(select(table)))


def test_clips_become_videos_with_cases_and_jobs(settings: Settings, store: Store) -> None:
    added = ensure_demo(settings, store)
    videos = {row.id: row for row in rows(store, VideoRow)}
    posted = [(videos[i].title, videos[i].caption, videos[i].uploader) for i in added]
    assert posted == [(clip.title, clip.caption, clip.uploader) for clip in CLIPS]
    assert {row.original_name for row in videos.values()} == {f"{clip.id}.mp4" for clip in CLIPS}
    assert {row.video_id for row in rows(store, JobRow)} == set(added)
    assert {row.video_id for row in rows(store, CaseRow)} == set(added)


def test_duplicate_is_a_second_video_of_the_same_media(settings: Settings, store: Store) -> None:
    first, other, again = ensure_demo(settings, store)
    hashes = {row.id: row.sha256 for row in rows(store, VideoRow)}
    assert hashes[first] == hashes[again] != hashes[other]
    assert len(rows(store, MediaRow)) == 2
    assert all((settings.media_dir / row.file_name).is_file() for row in rows(store, MediaRow))


def test_second_start_adds_nothing(settings: Settings, store: Store) -> None:
    ensure_demo(settings, store)
    events = len(rows(store, EventRow))
    calls: list[tuple[int, int, str]] = []
    assert ensure_demo(settings, store, lambda *call: calls.append(call)) == []
    assert calls == [] and len(rows(store, EventRow)) == events
    assert len(rows(store, VideoRow)) == len(CLIPS)


def test_deleted_clip_does_not_come_back(settings: Settings, store: Store) -> None:
    gone = ensure_demo(settings, store)[1]
    with store.write() as session:
        for table in (JobRow, CaseRow, VideoTextRow):
            for row in session.scalars(select(table).where(table.video_id == gone)):
                session.delete(row)
        session.delete(session.get_one(VideoRow, gone))
    assert ensure_demo(settings, store) == []
    assert len(rows(store, VideoRow)) == len(CLIPS) - 1


def test_progress(settings: Settings, store: Store) -> None:
    calls: list[tuple[int, int, str]] = []
    ensure_demo(settings, store, lambda *call: calls.append(call))
    assert calls == [(0, 3, "First"), (1, 3, "Other"), (2, 3, "Again"), (3, 3, "")]


def test_no_files_are_left_in_the_cache(settings: Settings, store: Store) -> None:
    ensure_demo(settings, store)
    assert not (settings.cache_dir / "demo").exists()


def test_interrupted_start_goes_on(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_before_other(done: int, total: int, title: str) -> None:
        if title == "Other":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_demo(settings, store, stop_before_other)
    assert [clip.id for clip in missing_clips(store)] == ["other", "again"]
    calls: list[tuple[int, int, str]] = []
    assert len(ensure_demo(settings, store, lambda *call: calls.append(call))) == 2
    assert calls[0] == (1, 3, "Other")
    assert [row.title for row in rows(store, VideoRow)].count("First") == 1


def test_missing_source_is_told_and_can_be_mended(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = DemoClip("lost", "Lost", None, "dora", Recipe(Footage("nope.mp4")), "A test.")
    monkeypatch.setattr(library, "CLIPS", (CLIPS[0], lost))
    with pytest.raises(MediaError, match=r"nope\.mp4"):
        ensure_demo(settings, store)
    monkeypatch.setattr(library, "CLIPS", CLIPS)
    assert len(ensure_demo(settings, store)) == 2


def test_nothing_is_done_while_another_process_is_at_it(settings: Settings, store: Store) -> None:
    with store.write() as session:
        lease = leases.claim(session, "demo", "library", "somebody else", 60)
    assert lease is not None
    assert ensure_demo(settings, store) == []
    with store.write() as session:
        leases.release(session, "demo", "library", "somebody else", lease.token)
    assert len(ensure_demo(settings, store)) == len(CLIPS)


def test_stops_when_another_process_took_over(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = iter([True, True, False])
    claim = library._claim
    monkeypatch.setattr(library, "_claim", lambda *given: claim(*given) if next(turns) else None)
    assert len(ensure_demo(settings, store)) == 1
    assert [clip.id for clip in missing_clips(store)] == ["other", "again"]


def test_uploads_by_people_are_no_marks(settings: Settings, store: Store, tmp_path: Path) -> None:
    from coefvq.review import uploads
    from coefvq.review.access import LOCAL

    path = build.build_clip(CLIPS[0], tmp_path / "own")
    uploads.register(store, settings, LOCAL, path, original_name="first.mp4")
    assert len(missing_clips(store)) == len(CLIPS)
