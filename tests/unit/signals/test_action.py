"""Action statistics: what the camera does is taken off, what bodies do is told apart."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from coefvq.errors import MediaError
from coefvq.media.decoding import Collector
from coefvq.media.plan import Table
from coefvq.media.probe import probe
from coefvq.signals import action_read
from coefvq.signals.action import ACTION_NAMES, action_statistics, liveliness, look
from coefvq.signals.action_flow import close_up, measure
from coefvq.signals.action_read import FRAMES, plan_windows, read_action
from tests import media_factory as make

_SEEN = np.random.default_rng(5).integers(0, 256, (60, 80), dtype=np.uint8)
TEXTURE = cv2.resize(_SEEN, (640, 480), interpolation=cv2.INTER_CUBIC)
CALM = cv2.GaussianBlur(TEXTURE, (0, 0), 6)[:240, :320]
STEP_S = 0.08
COUNT = 13
Place = Callable[[int], tuple[int, int]]


def bodies(*paths: Place, side: int = 40, count: int = COUNT) -> np.ndarray:
    """Textured squares over a calm background, each at the (x, y) that its path gives."""
    frames = []
    for at in range(count):
        frame = CALM.copy()
        for number, path in enumerate(paths):
            x, y = path(at)
            top = 40 + 60 * number
            frame[y : y + side, x : x + side] = TEXTURE[top : top + side, 400 : 400 + side]
        frames.append(frame)
    return np.stack(frames)


def panning(step: int) -> np.ndarray:
    return np.stack([TEXTURE[100:340, 20 + step * i : 340 + step * i] for i in range(COUNT)])


def times(count: int = COUNT, step_s: float = STEP_S) -> np.ndarray:
    return np.arange(count) * step_s


def of(gray: np.ndarray, times_s: np.ndarray | None = None) -> dict[str, float]:
    values = action_statistics(gray, times(len(gray)) if times_s is None else times_s)
    assert values is not None
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    return dict(zip(ACTION_NAMES, values.tolist(), strict=True))


def walker(at: int) -> tuple[int, int]:
    return 60 + 4 * at, 100


def left_hitter(at: int) -> tuple[int, int]:
    return 110 + (8 if at % 2 else 0), 100


def right_hitter(at: int) -> tuple[int, int]:
    return 165 - (8 if at % 2 else 0), 100


WALK, FIGHT = bodies(walker), bodies(left_hitter, right_hitter)


def test_names_are_unique_and_cover_every_dimension():
    assert len(set(ACTION_NAMES)) == len(ACTION_NAMES)
    assert action_statistics(WALK, times()).shape == (len(ACTION_NAMES),)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_absent_with_fewer_than_three_frames(count):
    assert action_statistics(WALK[:count], times(count)) is None


def test_frames_that_are_all_cuts_say_nothing():
    flicker = np.stack([np.full((90, 160), 250 * (i % 2), np.uint8) for i in range(9)])
    assert action_statistics(flicker, times(9)) is None


def test_a_still_picture_does_not_move():
    values = of(np.stack([CALM] * COUNT))
    moving = ("speed", "speed_top", "jolt", "reversal", "divergence", "change", "violent_flow")
    assert [values[name] for name in moving] == [0.0] * len(moving)


@pytest.mark.parametrize("step", [3, 8])
def test_a_pan_is_taken_off(step):
    camera, person = measure(panning(step), times()), measure(WALK, times())
    assert liveliness(camera) < 0.5 * liveliness(person)


def test_two_that_hit_each_other_move_unlike_one_that_walks():
    walk, fight = of(WALK), of(FIGHT)
    for name in ("reversal", "reversal_top", "jolt_share", "to_and_fro"):
        assert fight[name] > walk[name] + 0.1, name
    for name in ("straight", "net"):
        assert fight[name] < walk[name] - 0.3, name


def test_the_order_of_frames_matters():
    shuffled = WALK[np.random.default_rng(3).permutation(COUNT)]
    assert of(shuffled)["straight"] < of(WALK)["straight"] - 0.3


def test_a_fast_swing_beats_slowly_and_a_slow_one_more_slowly():
    def swing(hz: float) -> np.ndarray:
        return bodies(
            lambda at: (140 + round(14 * np.sin(2 * np.pi * hz * at * STEP_S)), 100), count=FRAMES
        )

    slow, fast = of(swing(0.4)), of(swing(1.6))  # speed beats at twice the rate
    assert slow["rhythm_0"] + slow["rhythm_1"] > 0.6
    assert fast["rhythm_2"] + fast["rhythm_3"] > 0.6


def test_speed_is_per_second():
    doubled = of(WALK, times(step_s=STEP_S / 2))
    assert np.expm1(doubled["speed"]) == pytest.approx(2 * np.expm1(of(WALK)["speed"]), rel=0.1)


def test_the_close_up_holds_what_moves_and_little_else():
    cut = close_up(WALK, measure(WALK, times()))
    assert cut.shape[0] == COUNT
    assert 40 * 40 < cut[0].size < 0.35 * WALK[0].size
    assert np.abs(cut[0].astype(int) - cut[-1]).mean() > 4 * np.abs(
        WALK[0].astype(int) - WALK[-1]
    ).mean() * (cut[0].size / WALK[0].size)


def test_people_far_away_count_like_people_near():
    near = of(bodies(lambda at: (80 + 8 * at, 80), side=64))
    far = of(bodies(lambda at: (120 + 4 * at, 100), side=32))
    assert far["speed"] == pytest.approx(near["speed"], rel=0.25)


def test_only_the_longest_part_without_a_cut_counts():
    negative = 255 - WALK[:4] // 8
    values = action_statistics(np.concatenate([negative, WALK]), times(COUNT + 4))
    np.testing.assert_allclose(values, action_statistics(WALK, times()), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (300, 2), (16, 16)], ids=str)
@pytest.mark.parametrize("gap", [0.0, 0.04, 10.0], ids=["no gap", "25 a second", "slow"])
def test_odd_shapes_and_times_give_finite_numbers(shape, gap):
    gray = np.random.default_rng(0).integers(90, 140, (4, *shape), dtype=np.uint8)
    of(gray, np.arange(4) * gap)


# Reading files


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"seconds": 0.3},
        {"seconds": 6.0},
        {"seconds": 6.0, "gop": 300},
        {"rotation": 90},
        {"vfr": True},
        {"fps": 5},
        {"fps": 60, "seconds": 5.0},
        {"picture": make.still},
        {"picture": make.slides, "seconds": 5.0},
        {"size": (1920, 1080), "seconds": 0.4},
    ],
    ids=lambda options: ",".join(f"{k}={v}" for k, v in options.items() if k != "picture") or "-",
)
def test_files_give_finite_numbers(tmp_path, options):
    values = read_action(probe(make.clip(tmp_path / "a.mp4", **options)))
    assert values.shape == (len(ACTION_NAMES),)
    assert np.isfinite(values).all()


@pytest.mark.parametrize(
    ("maker", "known"),
    [
        (make.one_frame, False),
        (make.gif, True),
        (make.broken_tail, True),
        (make.damaged_middle, True),
    ],
    ids=["one frame", "gif", "broken tail", "damaged middle"],
)
def test_odd_files_give_finite_numbers_or_nothing(tmp_path, maker, known):
    suffix = ".gif" if maker is make.gif else ".mp4"
    values = read_action(probe(maker(tmp_path / f"a{suffix}")))
    assert (values is not None) is known
    assert values is None or np.isfinite(values).all()


def test_a_large_file_is_sought_in(tmp_path, monkeypatch):
    info = probe(make.clip(tmp_path / "a.mp4", seconds=8.0))
    scanned = read_action(info)
    monkeypatch.setattr(action_read, "SCAN_BYTES", 0)
    sought = read_action(info)
    assert np.isfinite(sought).all()
    at = ACTION_NAMES.index("speed")
    assert sought[at] == pytest.approx(scanned[at], rel=0.5)


def test_a_file_that_is_gone_is_an_error(tmp_path):
    info = probe(make.clip(tmp_path / "a.mp4"))
    (tmp_path / "a.mp4").unlink()
    with pytest.raises(MediaError):
        read_action(info)


def test_no_time_to_decode_is_absent(tmp_path, monkeypatch):
    info = probe(make.clip(tmp_path / "a.mp4", seconds=5.0))
    monkeypatch.setattr(Collector, "out_of_time", property(lambda self: True))
    assert read_action(info) is None


def test_the_livelier_of_two_windows_counts(tmp_path):
    def later(second: float, width: int, height: int) -> np.ndarray:
        return make.moving(second if second > 5.0 else 0.0, width, height)

    values = read_action(probe(make.clip(tmp_path / "a.mp4", seconds=10.0, picture=later)))
    assert values[ACTION_NAMES.index("speed")] > 0.1


def table(seconds: float, fps: int = 25, gop: int = 25, pixels: int = 160 * 120) -> Table:
    count = round(seconds * fps)
    return Table(
        np.arange(count) / fps,
        np.full(count, 500),
        np.arange(0, count, gop),
        seconds,
        pixels,
    )


@pytest.mark.parametrize(
    ("made", "starts", "stride"),
    [
        (table(2.0), [0.0], 2),
        (table(3.4, fps=60), [0.0], 5),
        (table(10.0), [1.98, 5.94], 2),
        (table(10.0, fps=10), [1.98, 5.94], 1),
        (table(3600.0), [899.48, 2698.44], 2),
        (table(3600.0, gop=10_000_000), [0.0], 2),
        (table(10.0, pixels=36_000_000), [2.0, 6.0], 2),
    ],
    ids=["short", "60 fps", "ten seconds", "10 fps", "an hour", "one keyframe", "huge"],
)
def test_windows_are_spread_and_bounded(made, starts, stride):
    runs = plan_windows(made)
    assert [run.bursts_s[0] for run in runs] == pytest.approx(starts, abs=0.01)
    for run in runs:
        assert run.burst_stride == stride
        assert run.burst_frames == FRAMES
        assert run.last - run.first <= 410
        assert run.first in made.keys


def test_looking_is_the_same_twice():
    first, second = look(WALK, times()), look(WALK, times())
    np.testing.assert_array_equal(first[2].local, second[2].local)
