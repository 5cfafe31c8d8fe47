"""Motion statistics: what moves, how fast, how wildly, and what only the camera does."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from coefvq.signals.motion import MOTION_NAMES, motion_statistics

_BLOCKS = np.random.default_rng(5).integers(0, 256, (60, 80), dtype=np.uint8)
TEXTURE = cv2.resize(_BLOCKS, (640, 480), interpolation=cv2.INTER_CUBIC)


@dataclass(frozen=True)
class Run:
    gray: np.ndarray
    times_s: np.ndarray


def run(frames: list[np.ndarray], fps: float = 25.0) -> Run:
    return Run(np.stack(frames), np.arange(len(frames)) / fps)


def panning(step: int, count: int = 5, fps: float = 25.0) -> Run:
    return run([TEXTURE[100:220, 50 + step * i : 210 + step * i] for i in range(count)], fps)


def zooming(count: int = 5) -> Run:
    frames = []
    for i in range(count):
        cut = 4 * i
        frames.append(cv2.resize(TEXTURE[100 + cut : 220 - cut, 50 + cut : 210 - cut], (160, 120)))
    return run(frames)


def patch_moving(step: int, count: int = 5) -> Run:
    """A still background with a textured square that jumps about."""
    frames = []
    for i in range(count):
        frame = TEXTURE[:120, :160].copy()
        left = 40 + (step * i if i % 2 else -step * i)
        frame[40:80, left : left + 40] = TEXTURE[300:340, 300:340]
        frames.append(frame)
    return run(frames)


def of(*runs: Run) -> dict[str, float]:
    values = motion_statistics(runs)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    return dict(zip(MOTION_NAMES, values.tolist(), strict=True))


def test_names_are_unique_and_cover_every_dimension():
    assert len(set(MOTION_NAMES)) == len(MOTION_NAMES)
    assert motion_statistics([panning(1)]).shape == (len(MOTION_NAMES),)


@pytest.mark.parametrize(
    "bursts", [[], [run([TEXTURE[:90, :120]])]], ids=["no runs", "one frame only"]
)
def test_absent_without_two_neighbouring_frames(bursts):
    assert motion_statistics(bursts) is None


def test_still_frames_do_not_move_at_all():
    values = of(run([TEXTURE[:120, :160]] * 5))
    assert values["still_share"] == 1.0
    moving = [name for name in MOTION_NAMES if name.startswith(("speed", "local", "jerk_mean"))]
    assert [values[name] for name in moving] == [0.0] * len(moving)


def test_slideshow_has_cuts_and_otherwise_nothing():
    slides = [np.full((90, 160), level, np.uint8) for level in (20, 20, 230, 230, 230)]
    values = of(run(slides))
    assert values["still_share"] == pytest.approx(3 / 4)
    assert values["cut_share"] == pytest.approx(1 / 4)


def test_faster_pans_are_faster():
    slow, fast = of(panning(2)), of(panning(5))
    assert fast["speed_mean"] > slow["speed_mean"] * 1.5
    assert fast["camera_mean"] > slow["camera_mean"] * 1.5


def test_speed_is_per_second():
    twice = of(panning(4, fps=25.0))["speed_mean"]
    assert of(panning(2, fps=50.0))["speed_mean"] == pytest.approx(twice, rel=0.25)


@pytest.mark.parametrize("camera", [panning(3), zooming()], ids=["pan", "zoom"])
def test_the_cameras_own_movement_is_taken_off(camera):
    values, fighting = of(camera), of(patch_moving(6))
    assert values["camera_share_mean"] > 0.5 > fighting["camera_share_mean"]
    assert values["local_mean"] < 0.5 * values["speed_mean"]
    assert fighting["local_mean"] > 0.6 * fighting["speed_mean"]


def test_a_patch_focuses_the_change():
    assert of(patch_moving(6))["change_focus_mean"] > of(panning(3))["change_focus_mean"] + 0.1


def test_to_and_fro_is_jerkier_than_a_steady_pan():
    assert of(patch_moving(6))["jerk_share_mean"] > of(panning(3))["jerk_share_mean"]


def test_long_runs_are_cut_short_and_spread():
    long = panning(1, count=60)
    half = run([*long.gray[:30], *[long.gray[30]] * 30])
    assert 0 < of(half)["still_share"] < 1  # both halves were looked at


def test_calm_and_wild_runs_differ_from_each_other():
    mixed = of(run([TEXTURE[:120, :160]] * 5), patch_moving(8))
    assert mixed["between_bursts"] > of(patch_moving(8), patch_moving(8))["between_bursts"]


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (300, 2), (16, 16)], ids=str)
@pytest.mark.parametrize("gap", [0.0, 0.04, 10.0], ids=["no gap", "25 a second", "slow"])
def test_odd_shapes_and_times_give_finite_numbers(shape, gap):
    gray = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    of(Run(gray, np.array([0.0, gap, 2 * gap])))
