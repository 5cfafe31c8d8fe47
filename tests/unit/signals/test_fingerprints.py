"""Fingerprints of real files: how often is looked, and what cannot be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from coefvq.errors import MediaError
from coefvq.media.probe import probe
from coefvq.originality.fingerprint import from_bytes, to_bytes
from coefvq.signals.fingerprints import (
    MOST_FRAMES,
    look_step_s,
    make_fingerprint,
    motion_step,
)
from tests.media_factory import clip, one_frame, zero_frames


@pytest.mark.parametrize(
    ("duration_s", "look_s", "motion_s"),
    [
        (0.0, 0.25, 1 / 30),
        (1.0, 0.25, 1 / 30),
        (4.0, 0.5, 1 / 16),
        (60.0, 1.0, 0.25),
        (7200.0, 1.0, 0.25),
        (14400.0, 2.0, 0.5),
    ],
)
def test_short_videos_are_looked_at_closer(
    duration_s: float, look_s: float, motion_s: float
) -> None:
    assert look_step_s(duration_s) == pytest.approx(look_s)
    assert motion_step(duration_s) == pytest.approx(motion_s)
    assert duration_s / look_step_s(duration_s) <= MOST_FRAMES


def test_a_video_is_looked_at_once_a_second(tmp_path: Path) -> None:
    shares: list[float] = []
    info = probe(clip(tmp_path / "a.mp4", seconds=14.0, fps=12))
    made = make_fingerprint(info, progress=shares.append)
    assert len(made.times_s) == pytest.approx(14, abs=1)
    assert np.all(np.diff(made.times_s) > 0.5)
    assert np.all(np.diff(made.motion_times_s) > 0.1)
    assert made.codes.shape == (len(made.code_times_s), 6, 64)
    assert np.array_equal(made.code_times_s, made.times_s[::2])
    assert made.landmarks is not None
    assert shares == sorted(shares)
    assert len(to_bytes(made)) < 6000 * made.duration_s
    assert np.array_equal(from_bytes(to_bytes(made)).codes, made.codes)


def test_the_same_file_gives_the_same_fingerprint(tmp_path: Path) -> None:
    info = probe(clip(tmp_path / "a.mp4", seconds=2.0, with_audio=False))
    first, second = make_fingerprint(info), make_fingerprint(info)
    assert to_bytes(first) == to_bytes(second)
    assert first.landmarks is None


def test_one_frame_makes_a_fingerprint(tmp_path: Path) -> None:
    made = make_fingerprint(probe(one_frame(tmp_path / "one.mp4")))
    assert made.thumbs.shape == (1, 48, 48)
    assert made.codes.shape == (1, 6, 64)


def test_a_file_whose_frames_are_gone_is_refused(tmp_path: Path) -> None:
    info = probe(clip(tmp_path / "a.mp4", seconds=1.0))
    gone = zero_frames(tmp_path / "b.mp4")
    with pytest.raises(MediaError):
        make_fingerprint(replace(info, path=str(gone)))
