"""Clips become files that open, once; a second build makes nothing."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from coefvq.demo import build
from coefvq.demo.build import build_clip, build_demo
from coefvq.demo.catalogue import DemoClip, clip_by_id
from coefvq.demo.recipe import CopyOf, Footage, Panel, Recipe, Speech
from coefvq.errors import MediaError

SOME = ("silent", "hate-written", "letterbox")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo")
    for clip_id in SOME:
        build_clip(clip_by_id(clip_id), out)
    return out


def row(clip_id: str, made: Recipe | CopyOf) -> DemoClip:
    return DemoClip(clip_id, "A title", None, "somebody", made, "A test.")


def small(clip_id: str = "small", seconds: float = 1.0, **changes: object) -> DemoClip:
    made = Recipe(Footage("world.mp4"), seconds=seconds, size=(320, 180))
    return row(clip_id, replace(made, **changes))  # type: ignore[arg-type]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("clip_id", "size", "audio", "least_s", "most_s"),
    [
        ("silent", (480, 270), False, 3.9, 4.1),
        ("hate-written", (480, 270), True, 4.9, 5.1),
        ("letterbox", (360, 640), True, 5.0, 9.0),
    ],
)
def test_file_opens_as_planned(
    folder: Path, clip_id: str, size: tuple[int, int], audio: bool, least_s: float, most_s: float
) -> None:
    with av.open(str(clip_by_id(clip_id).path(folder))) as container:
        video = container.streams.video[0]
        assert (video.codec_context.width, video.codec_context.height) == size
        assert video.codec_context.name == "h264"
        assert video.codec_context.pix_fmt == "yuv420p"
        assert [stream.codec_context.name for stream in container.streams.audio] == ["aac"] * audio
        assert container.duration is not None
        assert least_s <= container.duration / av.time_base <= most_s
        frames = sum(1 for _ in container.decode(video=0))
    assert least_s * build.FPS - 1 <= frames <= most_s * build.FPS + 1


def test_speech_of_a_clip_is_audible(folder: Path) -> None:
    with av.open(str(clip_by_id("letterbox").path(folder))) as container:
        sound = [np.abs(frame.to_ndarray()).max() for frame in container.decode(audio=0)]
    assert max(sound) > 0.2


def test_index_comes_first_so_that_browsers_start_at_once(folder: Path) -> None:
    data = clip_by_id("silent").path(folder).read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_no_other_file_is_left(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{i}.mp4" for i in SOME)


def test_second_build_makes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "CLIPS", tuple(clip_by_id(clip_id) for clip_id in SOME))
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert build_demo(folder) == []
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_build_makes_what_is_missing_and_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = (small("one"), small("two"))
    monkeypatch.setattr(build, "CLIPS", clips)
    build_clip(clips[0], tmp_path)
    seen: list[tuple[int, int, str]] = []
    made = build_demo(tmp_path, lambda done, total, title: seen.append((done, total, title)))
    assert made == [clips[1]]
    assert seen == [(0, 2, "A title"), (1, 2, "A title"), (2, 2, "")]


@pytest.mark.parametrize("clip_id", ["silent", "hate-written"])
def test_two_builds_are_the_same_bytes(clip_id: str, folder: Path, tmp_path: Path) -> None:
    clip = clip_by_id(clip_id)
    assert digest(build_clip(clip, tmp_path)) == digest(clip.path(folder))


def test_copy_has_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = small("original")
    monkeypatch.setattr(build, "clip_by_id", {"original": original}.__getitem__)
    copy = build_clip(row("copy", CopyOf("original")), tmp_path)
    assert digest(copy) == digest(original.path(tmp_path))


def test_edits_and_speech_change_the_file(tmp_path: Path) -> None:
    plain = digest(build_clip(small("plain"), tmp_path))
    edited = build_clip(small("edited", edits=(Panel(("HELLO",)),)), tmp_path)
    spoken = build_clip(small("spoken", sound=Speech("thanks")), tmp_path)
    assert len({plain, digest(edited), digest(spoken)}) == 3


def test_broken_tail_keeps_its_share_and_still_starts(tmp_path: Path) -> None:
    whole = build_clip(small("whole", seconds=4.0), tmp_path)
    broken = build_clip(small("broken", seconds=4.0, keep=0.6), tmp_path)
    assert whole.read_bytes().startswith(broken.read_bytes())
    assert broken.stat().st_size == int(whole.stat().st_size * 0.6)
    with av.open(str(broken)) as container:
        assert next(container.decode(video=0)).width == 320


def test_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    clip = row("lost", Recipe(Footage("nope.mp4")))
    with pytest.raises(MediaError, match=r"nope\.mp4"):
        build_clip(clip, tmp_path)
    assert list(tmp_path.iterdir()) == []
