"""Taking files in: hostile names, sizes, links, and the same bytes again."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from coefvq.errors import MediaError
from coefvq.review import uploads
from coefvq.settings import Settings
from coefvq.store import cases, events, jobs, videos
from coefvq.store.session import Store
from coefvq.store.tables import MediaRow, VideoRow
from tests.store_factory import LOCAL, media_file

SHA = hashlib.sha256(b"bytes").hexdigest()


def register(store: Store, settings: Settings, path: Path, **how: object) -> VideoRow:
    video_id = uploads.register(store, settings, LOCAL, path, **how)  # type: ignore[arg-type]
    with store.read() as session:
        return videos.get(session, video_id)


def files_of(settings: Settings) -> list[str]:
    return sorted(path.name for path in settings.media_dir.iterdir())


def test_the_file_moves_to_its_hash(store: Store, settings: Settings, tmp_path: Path) -> None:
    path = media_file(tmp_path, name="My Clip.MP4")
    video = register(store, settings, path, title="t", caption="c")
    assert not path.exists()
    assert files_of(settings) == [f"{SHA}.mp4"]
    assert (video.original_name, video.title, video.uploader) == ("My Clip.MP4", "t", "local")
    assert video.media.file_name == f"{SHA}.mp4"


def test_a_copy_leaves_the_file_where_it_is(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    path = media_file(tmp_path)
    register(store, settings, path, move=False, uploader="somebody")
    assert path.read_bytes() == b"bytes"
    assert files_of(settings) == [f"{SHA}.mp4"]


def test_cases_job_and_event_come_with_it(store: Store, settings: Settings, tmp_path: Path) -> None:
    video = register(store, settings, media_file(tmp_path))
    with store.read() as session:
        assert set(cases.of_video(session, video.id)) == {"icd", "ucc"}
        assert jobs.counts(session)["queued"] == 1
        (event,) = events.of_subject(session, "video", video.id)
    assert (event.kind, event.data) == ("video.uploaded", {"sha256": SHA, "bytes": 5})


def test_nothing_is_queued_on_request(store: Store, settings: Settings, tmp_path: Path) -> None:
    video = register(store, settings, media_file(tmp_path), queue=False)
    with store.read() as session:
        assert cases.of_video(session, video.id) == {}
        assert jobs.counts(session)["queued"] == 0


def test_the_same_bytes_under_another_name_are_stored_once(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    register(store, settings, media_file(tmp_path, name="a.mp4"))
    second = register(store, settings, media_file(tmp_path, name="b.mkv"))
    assert files_of(settings) == [f"{SHA}.mp4"]
    assert second.original_name == "b.mkv"


def test_a_file_that_was_lost_comes_back_with_its_bytes(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    register(store, settings, media_file(tmp_path))
    (settings.media_dir / f"{SHA}.mp4").unlink()
    register(store, settings, media_file(tmp_path))
    assert files_of(settings) == [f"{SHA}.mp4"]


@pytest.mark.parametrize(
    ("shown", "stored"),
    [
        pytest.param("clip.webm", f"{SHA}.webm", id="plain"),
        pytest.param("../../../etc/passwd", f"{SHA}.bin", id="path"),
        pytest.param("a.mp4/../../b", f"{SHA}.bin", id="path behind a suffix"),
        pytest.param("a.m\x00p4", f"{SHA}.mp4", id="NUL"),
        pytest.param("a.<script>", f"{SHA}.bin", id="markup"),
        pytest.param("a.verylongsuffix", f"{SHA}.bin", id="long suffix"),
        pytest.param("noname", f"{SHA}.bin", id="no suffix"),
        pytest.param("a.mp4\n", f"{SHA}.bin", id="line end"),
    ],
)
def test_a_hostile_name_names_no_file(
    store: Store, settings: Settings, tmp_path: Path, shown: str, stored: str
) -> None:
    video = register(store, settings, media_file(tmp_path), original_name=shown)
    assert files_of(settings) == [stored]
    assert video.original_name == shown.replace("\x00", "").strip()


@pytest.mark.parametrize(
    ("make", "code"),
    [
        pytest.param(lambda folder: folder / "nothing.mp4", "not_found", id="missing"),
        pytest.param(lambda folder: folder, "not_a_file", id="folder"),
        pytest.param(lambda folder: folder / "bad\x00name", "not_found", id="NUL in the path"),
        pytest.param(lambda f: media_file(f, b"x" * 101), "too_large", id="too large"),
    ],
)
def test_what_cannot_be_taken_is_refused_and_leaves_nothing(
    store: Store, settings: Settings, tmp_path: Path, make: object, code: str
) -> None:
    small = settings.model_copy(update={"max_bytes": 100})
    with pytest.raises(MediaError) as caught:
        register(store, small, make(tmp_path))  # type: ignore[operator]
    assert caught.value.code == code
    with store.read() as session:
        assert session.query(VideoRow).count() == session.query(MediaRow).count() == 0
    assert not settings.media_dir.exists() or files_of(settings) == []


def test_a_pipe_is_not_waited_for(store: Store, settings: Settings, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(MediaError, match="not a file"):
        register(store, settings, tmp_path / "pipe.mp4")


@pytest.mark.parametrize("link", [False, True], ids=["path", "link"])
def test_files_outside_the_upload_folder_are_refused(
    store: Store, settings: Settings, tmp_path: Path, link: bool
) -> None:
    inside = tmp_path / "uploads"
    secret = media_file(tmp_path / "private", b"secret")
    inside.mkdir()
    path = inside / "clip.mp4" if link else inside / ".." / "private" / "clip.mp4"
    if link:
        path.symlink_to(secret)
    with pytest.raises(MediaError, match="not an uploaded file"):
        register(store, settings, path, inside=inside)
    assert secret.read_bytes() == b"secret"


def test_files_inside_the_upload_folder_are_taken(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    register(store, settings, media_file(tmp_path / "uploads"), inside=tmp_path / "uploads")
    assert files_of(settings) == [f"{SHA}.mp4"]


def test_a_link_is_copied_and_its_target_stays(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    target = media_file(tmp_path / "elsewhere")
    link = tmp_path / "link.mp4"
    link.symlink_to(target)
    register(store, settings, link)
    assert target.read_bytes() == b"bytes"
    assert not (settings.media_dir / f"{SHA}.mp4").is_symlink()


def test_an_empty_file_is_taken_for_the_worker_to_judge(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    assert register(store, settings, media_file(tmp_path, b"")).media.size_bytes == 0
