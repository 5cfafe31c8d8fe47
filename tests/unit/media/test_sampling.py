"""Sampling real files: what comes out, when it was, which way up, at what cost."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coefvq.errors import MediaError
from coefvq.media.container import open_media
from coefvq.media.limits import Deadline, MediaLimits
from coefvq.media.probe import probe, video_stream
from coefvq.media.sampling import sample
from tests import media_factory as factory

EVERY = [
    "plain.mp4",
    "silent.mp4",
    "plain.mkv",
    "plain.mov",
    "plain.webm",
    "plain.avi",
    "plain.ts",
    "plain.flv",
    "plain.mpg",
    "plain.wmv",
    "plain.gif",
    "av1.mp4",
    "prores.mov",
    "one.mp4",
    "short.mp4",
    "rotated.mp4",
    "ten_bit.mp4",
    "vfr.mkv",
    "tail.mp4",
    "damaged.mp4",
    "boastful.mp4",
    "long_gop.mp4",
    "many_keys.mp4",
    "-dash — ünï🎬.mp4",
]


@pytest.mark.parametrize("name", EVERY)
def test_every_usable_file_gives_frames(good, name):
    info = probe(good(name))
    taken = sample(info)
    count, height, width, channels = taken.frames.shape
    assert 1 <= count <= 8
    assert (height, width, channels) == (info.height, info.width, 3)
    assert taken.frames.dtype == np.uint8
    assert taken.times_s.shape == (count,)
    assert taken.distinct == count <= taken.decoded
    assert np.all(np.diff(taken.times_s) > 0)
    assert taken.times_s[0] >= 0.0 and taken.times_s[-1] <= info.duration_s + 0.05
    for burst in taken.bursts:
        assert burst.gray.ndim == 3
        assert burst.gray.dtype == np.uint8
        assert 2 <= len(burst.gray) == len(burst.times_s)
        assert np.all(np.diff(burst.times_s) > 0)


@pytest.mark.parametrize(
    ("name", "frames"), [("one.mp4", 1), ("short.mp4", 5), ("plain.mp4", 8), ("plain.gif", 8)]
)
def test_no_frame_is_repeated_to_make_up_a_number(good, name, frames):
    assert sample(probe(good(name))).distinct == frames


def test_a_single_frame_has_no_motion(good):
    assert sample(probe(good("one.mp4"))).bursts == ()


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("plain.mp4", "forward"),
        ("many_keys.mp4", "keyframes"),
        ("long_gop.mp4", "keyframes+forward"),
    ],
)
def test_the_method_is_reported(good, name, method):
    assert sample(probe(good(name))).method == method


@pytest.mark.parametrize("name", ["many_keys.mp4", "long_gop.mp4"])
def test_times_are_those_of_the_pictures(good, name):
    """The clip's grey level tells the time: 20 + 10 a second."""
    taken = sample(probe(good(name)))
    levels = taken.frames.mean(axis=(1, 2, 3))
    assert np.allclose((levels - 20) / 10, taken.times_s, atol=0.35)


@pytest.mark.parametrize("name", ["many_keys.mp4", "long_gop.mp4"])
def test_few_frames_are_decoded(good, name):
    taken = sample(probe(good(name)))
    assert taken.distinct >= 4
    assert taken.decoded <= 300 // 4


@pytest.mark.parametrize("name", ["many_keys.mp4", "long_gop.mp4"])
def test_more_may_be_spent_for_the_expensive_stage(good, name):
    taken = sample(probe(good(name)), frames=16, share=1.0)
    assert (taken.method, taken.distinct) == ("forward", 16)
    assert np.diff(taken.times_s).max() < 1.0


def test_bursts_show_neighbouring_frames(good):
    taken = sample(probe(good("many_keys.mp4")))
    assert len(taken.bursts) == 4
    for burst in taken.bursts:
        assert len(burst.gray) >= 4
        assert np.allclose(np.diff(burst.times_s), 0.04, atol=0.002)
    assert taken.bursts[-1].times_s[0] - taken.bursts[0].times_s[0] > 6.0


def test_the_burst_of_a_short_clip_is_the_clip(good):
    (burst,) = sample(probe(good("plain.mp4"))).bursts
    assert len(burst.gray) == 50
    assert burst.times_s[-1] - burst.times_s[0] == pytest.approx(1.96, abs=0.01)


def test_the_burst_of_a_fast_short_clip_has_64_pictures_at_most(tmp_path):
    path = factory.clip(tmp_path / "fast.mp4", seconds=3.0, fps=60)
    (burst,) = sample(probe(path)).bursts
    assert 32 < len(burst.gray) <= 64
    assert burst.times_s[-1] > 2.9


def test_no_bursts_on_request(good):
    assert sample(probe(good("many_keys.mp4")), bursts=0).bursts == ()


def test_bursts_are_small_and_keep_their_shape(tmp_path):
    path = factory.clip(tmp_path / "hd.mp4", seconds=0.4, size=(1280, 720))
    (burst,) = sample(probe(path)).bursts
    assert burst.gray.shape[1:] == (90, 160)


def test_motion_shows_in_a_burst_and_stillness_does_not(tmp_path):
    moving = factory.clip(tmp_path / "m.mp4", with_audio=False)
    still = factory.clip(tmp_path / "s.mp4", with_audio=False, picture=factory.still)
    assert _change(moving) > 20 * _change(still)


def _change(path) -> float:
    (burst,) = sample(probe(path)).bursts
    return float(np.abs(np.diff(burst.gray.astype(np.float32), axis=0)).mean()) + 1e-3


@pytest.mark.parametrize(
    ("long_side", "shape"), [(448, (252, 448)), (64, (36, 64)), (4000, (360, 640))]
)
def test_frames_are_shrunk_and_never_enlarged(tmp_path, long_side, shape):
    path = factory.clip(tmp_path / "w.mp4", seconds=0.2, size=(640, 360))
    assert sample(probe(path), long_side=long_side).frames.shape[1:3] == shape


@pytest.mark.parametrize(
    ("clockwise", "red_at"),
    [(0, (0, 0)), (90, (0, 1)), (180, (1, 1)), (270, (1, 0))],
)
def test_frames_come_out_upright(tmp_path, clockwise, red_at):
    """The coded upper left quarter is red; turned clockwise it goes round the corners."""
    path = factory.clip(tmp_path / "r.mp4", seconds=0.2, rotation=clockwise, picture=factory.corner)
    taken = sample(probe(path))
    _, height, width, _ = taken.frames.shape
    rows = slice(0, height // 2) if red_at[0] == 0 else slice(height // 2, height)
    columns = slice(0, width // 2) if red_at[1] == 0 else slice(width // 2, width)
    assert taken.frames[0][rows, columns, 0].mean() > 150
    assert taken.frames[0][:, :, 0].mean() < 120
    (burst,) = taken.bursts
    assert burst.gray.shape[1:] == (height, width)


def test_ten_bit_colours_are_those_of_eight_bit(tmp_path):
    ten = factory.clip(
        tmp_path / "10.mp4", seconds=0.2, pixel_format="yuv420p10le", picture=factory.slides
    )
    eight = factory.clip(tmp_path / "8.mp4", seconds=0.2, picture=factory.slides)
    difference = sample(probe(ten)).frames[0].astype(int) - sample(probe(eight)).frames[0]
    assert np.abs(difference).mean() < 4


def test_slides_are_told_apart(tmp_path):
    path = factory.clip(tmp_path / "slides.mp4", seconds=4.0, gop=100, picture=factory.slides)
    colours = sample(probe(path)).frames.mean(axis=(1, 2)).round(-1)
    assert len(np.unique(colours, axis=0)) == 4


@pytest.mark.parametrize("name", ["tail.mp4", "many_keys.mp4", "plain.ts", "plain.mkv", "one.mp4"])
def test_large_files_are_sought_in(good, name, monkeypatch):
    info = probe(good(name))
    monkeypatch.setattr("coefvq.media.sampling.SCAN_BYTES", 0)
    taken = sample(info)
    assert taken.method == "seeks"
    assert 1 <= taken.distinct <= 8
    assert np.all(np.diff(taken.times_s) > 0)


def test_seeking_spreads_over_a_large_file(good, monkeypatch):
    info = probe(good("many_keys.mp4"))
    monkeypatch.setattr("coefvq.media.sampling.SCAN_BYTES", 0)
    taken = sample(info)
    assert taken.distinct == 8
    assert taken.times_s[-1] - taken.times_s[0] > 9.0
    assert len(taken.bursts) == 4
    assert np.allclose((taken.frames.mean(axis=(1, 2, 3)) - 20) / 10, taken.times_s, atol=0.35)


def test_sparse_keyframes_of_a_large_file_are_reported(good, monkeypatch):
    info = probe(good("long_gop.mp4"))
    monkeypatch.setattr("coefvq.media.sampling.SCAN_BYTES", 0)
    taken = sample(info)
    assert taken.distinct == 2
    assert "sparse_keyframes" in taken.warnings


def test_damage_is_a_warning_and_later_frames_still_come(good):
    taken = sample(probe(good("damaged.mp4")), frames=8, share=1.0)
    assert taken.times_s[-1] > 3.0
    assert taken.distinct >= 4


def test_damaged_keyframes_fall_back_to_whatever_decodes(tmp_path):
    """Every second keyframe's packet is noise; the rest must still be seen."""
    path = factory.clip(
        tmp_path / "k.mp4", seconds=12, size=(320, 240), gop=150, with_audio=False, faststart=True
    )
    info = probe(path)
    data = bytearray(path.read_bytes())
    with open_media(path, MediaLimits()) as media:
        stream = video_stream(media, path)
        keys = [p for p in media.container.demux(stream) if p.is_keyframe and p.size]
    for key in keys[1:]:
        data[key.pos + 8 : key.pos + key.size] = bytes(key.size - 8)
    path.write_bytes(bytes(data))
    taken = sample(info)
    assert taken.distinct >= 1
    assert taken.times_s[0] < 1.0


def test_a_file_that_vanished_is_named(good, tmp_path):
    info = dataclasses.replace(probe(good("plain.mp4")), path=str(tmp_path / "gone.mp4"))
    with pytest.raises(MediaError) as caught:
        sample(info)
    assert caught.value.code == "not_found"


def test_no_time_at_all_is_a_timeout(good):
    with pytest.raises(MediaError) as caught:
        sample(probe(good("many_keys.mp4")), MediaLimits(max_decode_s=0.0))
    assert caught.value.code in {"decode_timeout", "unreadable_media"}


def test_time_that_runs_out_leaves_what_there_is(good, monkeypatch):
    """The clock jumps past the limit after the first picture of the pass."""
    info = probe(good("many_keys.mp4"))
    looks = iter(range(10_000))
    monkeypatch.setattr(Deadline, "passed", property(lambda self: next(looks) > 15))
    taken = sample(info)
    assert 1 <= taken.distinct < 8
    assert "decode_time_limit" in taken.warnings


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    count=st.integers(1, 40),
    fps=st.integers(1, 60),
    gop=st.integers(1, 40),
    bframes=st.integers(0, 4),
    frames=st.integers(1, 16),
    bursts=st.integers(0, 5),
    vfr=st.booleans(),
)
def test_any_clip_is_sampled_within_its_length(
    tmp_path, count, fps, gop, bframes, frames, bursts, vfr
):
    path = factory.clip(
        tmp_path / "any.mp4",
        seconds=count / fps,
        size=(64, 48),
        fps=fps,
        gop=gop,
        bframes=bframes,
        vfr=vfr,
        with_audio=False,
    )
    info = probe(path)
    taken = sample(info, frames=frames, bursts=bursts)
    assert 1 <= taken.distinct <= min(frames, count)
    assert np.all(np.diff(taken.times_s) > 0)
    assert taken.times_s[-1] <= info.duration_s
    assert len(taken.bursts) <= max(bursts, 1)
