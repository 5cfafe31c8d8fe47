from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from coefvq.learning.clip_corpora import ClipItem
from coefvq.learning.compose import (
    KINDS,
    UCC_POLICIES,
    ClipSpec,
    compose,
    encode,
    plan,
    read_frames,
    render,
)
from coefvq.learning.compose_draw import (
    clock,
    letterbox,
    mark_tile,
    paint,
    subtitles,
    title,
    watermark,
)
from coefvq.learning.compose_screens import screen_recording
from coefvq.learning.compose_stills import pan, slideshow
from coefvq.media.probe import probe
from tests import media_factory

SIZE = (160, 120)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("footage") / "moving.mp4"
    encode(_moving(40), path, "libx264", 20, 24)
    return path


def _moving(count: int) -> list[Image.Image]:
    return [Image.fromarray(media_factory.moving(index / 20, *SIZE)) for index in range(count)]


def _items(source: Path) -> list[ClipItem]:
    return [ClipItem(f"x/{group}", group, "x", source) for group in ("x/one", "x/two")]


def _spec(source: Path, kind: str, seed: int = 1) -> ClipSpec:
    return ClipSpec(f"one_{kind}", kind, "x/one", (source, source), seed)


def _steps(frames: list[Image.Image]) -> np.ndarray:
    stack = np.stack([np.asarray(frame, dtype=np.float32) for frame in frames])
    return np.abs(np.diff(stack, axis=0)).mean(axis=(1, 2, 3))


def test_every_source_gives_every_kind_so_that_sources_tell_no_label(source: Path) -> None:
    by_group: dict[str, Counter[str]] = {}
    for spec in plan(_items(source)):
        by_group.setdefault(spec.group, Counter())[spec.kind] += 1
    assert by_group["x/one"] == by_group["x/two"] == {k: count for k, (count, _) in KINDS.items()}


def test_the_plan_repeats_and_moves_with_the_seed(source: Path) -> None:
    first = plan(_items(source), seed=1)
    assert first == plan(_items(source), seed=1)
    assert {spec.seed for spec in first}.isdisjoint(spec.seed for spec in plan(_items(source), 2))
    assert len({spec.name for spec in first}) == len(first)


def test_a_trial_plan_is_smaller_but_has_all_kinds(source: Path) -> None:
    small = plan(_items(source), scale=0.1)
    assert {spec.kind for spec in small} == set(KINDS)
    assert len(small) == 2 * len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_labels_follow_from_the_kind(source: Path, kind: str) -> None:
    labels = _spec(source, kind).labels
    assert set(labels) == set(UCC_POLICIES)
    assert {name for name, label in labels.items() if label} == set(KINDS[kind][1])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_becomes_a_real_video(source: Path, kind: str, tmp_path: Path) -> None:
    info = probe(render(_spec(source, kind), tmp_path))
    assert 1.5 <= info.duration_s <= 6 and 240 <= max(info.width, info.height) <= 640


def test_made_clips_are_not_made_again(source: Path, tmp_path: Path) -> None:
    specs = [_spec(source, "plain"), _spec(source, "stills")]
    told: list[tuple[int, int]] = []
    first = compose(specs, tmp_path, lambda done, total: told.append((done, total)))
    times = [item.path.stat().st_mtime_ns for item in first]
    again = compose(specs, tmp_path)
    assert told == [(1, 2), (2, 2)]
    assert [item.path.stat().st_mtime_ns for item in again] == times
    assert again[1].labels["static_slideshow"] == 1
    assert again[0].group == "x/one" and again[0].tags == ("kind:plain",)


def test_no_half_made_clip_keeps_its_name(source: Path, tmp_path: Path) -> None:
    made = render(_spec(source, "plain"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [made.name]


def test_containers_do_not_depend_on_the_label(source: Path) -> None:
    """Size, codec and rate are drawn before anything looks at the kind."""
    random.seed(0)
    for seed in range(5):
        drawn = set()
        for kind in ("plain", "marked", "stills", "screen"):
            rng = random.Random(_spec(source, kind, seed).seed)
            drawn.add((rng.random(), rng.random()))
        assert len(drawn) == 1


@pytest.mark.parametrize("seed", range(8))
def test_slideshows_hold_still_between_changes(seed: int) -> None:
    pictures = [_moving(40)[index] for index in (0, 10, 20)]
    steps = _steps(slideshow(pictures, SIZE, 30, random.Random(seed)))
    assert len(steps) == 29
    assert np.median(steps) < 4.0


def test_a_pan_moves_over_one_still() -> None:
    still = Image.fromarray(np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8))
    frames = pan(still, 10, random.Random(2))
    assert len(frames) == 10 and {frame.size for frame in frames} == {SIZE}
    assert (_steps(frames) > 0).any()


@pytest.mark.parametrize("seed", range(12))
def test_a_watermark_shows_in_every_frame_and_covers_little(seed: int) -> None:
    plain = [Image.new("RGB", (320, 240), (90, 110, 130)) for _ in range(6)]
    before = np.stack([np.asarray(frame) for frame in plain]).astype(int)
    after = paint(plain, watermark((320, 240), random.Random(seed)))
    changed = np.abs(np.stack([np.asarray(f) for f in after]).astype(int) - before).max(axis=3) > 8
    shares = changed.mean(axis=(1, 2))
    assert (shares > 0.0003).all() and (shares < 0.5).all()


@pytest.mark.parametrize("draw", [subtitles, title, clock], ids=lambda f: f.__name__)
def test_harmless_words_are_drawn(draw) -> None:  # type: ignore[no-untyped-def]
    plain = [Image.new("RGB", (320, 240), (90, 110, 130)) for _ in range(6)]
    after = paint([frame.copy() for frame in plain], draw((320, 240), random.Random(3)))
    assert np.abs(np.asarray(after[0], int) - np.asarray(plain[0], int)).max() > 30


def test_subtitles_change_and_watermarks_of_a_corner_stay() -> None:
    plain = [Image.new("RGB", (320, 240)) for _ in range(10)]
    lines = _steps(paint([f.copy() for f in plain], subtitles((320, 240), random.Random(1))))
    assert (lines > 0).any()


@pytest.mark.parametrize("seed", range(10))
def test_letterboxes_keep_the_size(seed: int) -> None:
    boxed = letterbox(_moving(3), random.Random(seed))
    assert {frame.size for frame in boxed} == {SIZE} and len(boxed) == 3


@pytest.mark.parametrize("seed", range(14))
@pytest.mark.parametrize("size", [(320, 180), (180, 320)], ids=["wide", "tall"])
def test_screen_recordings_come_in_every_shape(seed: int, size: tuple[int, int]) -> None:
    frames = screen_recording(_moving(20), size, 12, random.Random(seed))
    assert len(frames) == 12 and {frame.size for frame in frames} == {size}


def test_tiles_differ_by_seed() -> None:
    tiles = {mark_tile(20, random.Random(seed)).tobytes() for seed in range(10)}
    assert len(tiles) == 10


def test_frames_are_read_from_anywhere_in_a_clip(source: Path) -> None:
    firsts = {read_frames(source, 5, random.Random(seed))[0].tobytes() for seed in range(6)}
    assert len(read_frames(source, 500, random.Random(0))) == 40
    assert len(firsts) >= 1
