"""Planning: which packets to decode, by arithmetic alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coefvq.media.plan import SHORT_S, Plan, Table, burst_end, make_plan, targets

FPS = 25.0
PIXELS = 1280 * 720


def table(count: int, gop: int, fps: float = FPS, bframes: int = 0, pixels: int = PIXELS) -> Table:
    """Return a stream with a keyframe every ``gop`` packets, keyframes ten times as large."""
    times = _decoding_order(count, gop, bframes) / fps
    keys = np.arange(0, count, gop)
    sizes = np.full(count, 2_000)
    sizes[keys] = 20_000
    return Table(times, sizes, keys, count / fps, pixels)


def _decoding_order(count: int, gop: int, bframes: int) -> np.ndarray:
    """Number of the picture that each packet shows: each P before the B-frames it closes."""
    order: list[int] = []
    for start in range(0, count, gop):
        stop = min(start + gop, count)
        order.append(start)
        for first in range(start + 1, stop, bframes + 1):
            last = min(first + bframes, stop - 1)
            order += [last, *range(first, last)]
    return np.array(order, np.float64)


def cost_share(stream: Table, plan: Plan) -> float:
    """Return the part of all decoding cost that a plan spends, referenced or not."""
    costs = stream.costs_ms()
    spent = sum(float(costs[run.first : run.last + 1].sum()) for run in plan.runs)
    return spent / float(costs.sum())


def wanted(plan: Plan) -> list[float]:
    """Return all wanted times of a plan."""
    return [time_s for run in plan.runs for time_s in run.wanted_s]


@pytest.mark.parametrize(
    ("stream", "method", "distinct"),
    [
        (table(50, 12), "forward", 8),
        (table(1, 1), "forward", 1),
        (table(5, 5), "forward", 5),
        (table(750, 25), "keyframes", 8),
        (table(3000, 50), "keyframes", 8),
        (table(750, 250), "keyframes+forward", 8),
        (table(500, 500), "keyframes+forward", 4),
        (table(750, 250, bframes=2), "keyframes+forward", 8),
    ],
    ids=["2 s", "1 frame", "5 frames", "30 s", "2 min", "sparse", "one keyframe", "b-frames"],
)
def test_the_cheapest_way_is_chosen(stream, method, distinct):
    plan = make_plan(stream, frames=8, bursts=4, share=0.25)
    assert plan.method == method
    assert len(set(wanted(plan))) >= distinct


@pytest.mark.parametrize("gop", [12, 25, 50, 125, 250, 500])
@pytest.mark.parametrize("seconds", [11, 20, 30])
def test_a_clip_over_ten_seconds_costs_at_most_its_share(seconds, gop):
    stream = table(seconds * 25, gop)
    plan = make_plan(stream, frames=8, bursts=4, share=0.25)
    keys = float(stream.costs_ms()[stream.keys[:8]].sum() / stream.costs_ms().sum())
    assert cost_share(stream, plan) <= max(0.25, keys) + 1e-6


def test_many_keyframes_cost_a_few_percent():
    stream = table(3000, 50)
    assert cost_share(stream, make_plan(stream, 8, 4, 0.25)) < 0.03


def test_four_frames_come_from_a_single_keyframe_where_a_quarter_pays_for_them():
    plan = make_plan(table(300, 300), frames=8, bursts=4, share=0.25)
    assert len(wanted(plan)) >= 4
    assert max(wanted(plan)) > 1.0


def test_all_may_be_decoded_where_it_is_asked_for():
    stream = table(750, 250)
    plan = make_plan(stream, frames=16, bursts=4, share=1.0)
    assert plan.method == "forward"
    gaps = np.diff(sorted(wanted(plan)))
    assert len(gaps) == 15
    assert gaps.max() < 1.5 * stream.end_s / 16


def test_frames_from_keyframes_cover_the_clip():
    stream = table(750, 25)
    times = sorted(wanted(make_plan(stream, 8, 4, 0.25)))
    assert times[0] < stream.end_s / 4
    assert times[-1] > 3 * stream.end_s / 4
    assert np.diff(times).max() < stream.end_s / 4


def test_bursts_are_spread_and_whole():
    plan = make_plan(table(750, 25, bframes=2), frames=8, bursts=4, share=0.25)
    bursting = [run for run in plan.runs if run.bursts_s]
    assert len(bursting) == 4
    assert bursting[-1].bursts_s[0] - bursting[0].bursts_s[0] > 15.0
    assert all(run.burst_frames >= 4 for run in bursting)
    assert all(run.bursts_s[0] == run.wanted_s[0] for run in bursting)


@pytest.mark.parametrize("bursts", [0, 1, 2, 4, 9])
def test_as_many_bursts_as_asked_for_at_most(bursts):
    plan = make_plan(table(750, 25), frames=8, bursts=bursts, share=0.25)
    assert sum(len(run.bursts_s) for run in plan.runs) <= bursts


def test_a_short_clip_is_one_burst_of_at_most_64_pictures():
    (run,) = make_plan(table(180, 30, fps=60.0), 8, 4, 0.25).runs
    assert len(run.bursts_s) == 1
    assert run.burst_stride == 3
    assert run.burst_frames == 64


def test_a_short_clip_without_bursts_has_none():
    (run,) = make_plan(table(50, 10), 8, 0, 0.25).runs
    assert run.bursts_s == ()


@pytest.mark.parametrize("bframes", [0, 1, 2, 3, 4])
def test_a_burst_shows_neighbours(bframes):
    stream = table(250, 50, bframes=bframes)
    for key in stream.keys.tolist():
        last = burst_end(stream.times_s, key)
        shown = np.sort(stream.times_s[key : last + 1]) * FPS
        assert len(shown) >= 5
        assert np.allclose(np.diff(shown), 1.0)


def test_a_burst_leaves_out_pictures_from_before_its_keyframe():
    times = np.array([0, 1, 2, 3, 8, 6, 7, 9, 10, 11, 12], np.float64)
    last = burst_end(times, 4)  # 6 and 7 are decoded after 8 but shown before it
    assert last == 10


def test_a_burst_ends_with_the_stream():
    assert burst_end(np.array([0.0, 0.1, 0.2]), 1) == 2
    assert burst_end(np.array([0.0]), 0) == 0


@pytest.mark.parametrize(("count", "end_s"), [(1, 10.0), (8, 2.0), (16, 30.0)])
def test_targets_are_the_middles_of_equal_parts(count, end_s):
    middles = targets(count, end_s)
    assert len(middles) == count
    assert middles[0] == pytest.approx(end_s / count / 2)
    assert np.allclose(np.diff(middles), end_s / count)


@st.composite
def streams(draw: st.DrawFn) -> Table:
    """Any stream: odd sizes, odd keyframes, any number of B-frames, variable frame rate."""
    count = draw(st.integers(1, 400))
    order = _decoding_order(count, draw(st.integers(1, 300)), draw(st.integers(0, 3)))
    steps = draw(st.lists(st.floats(0.001, 2.0), min_size=1, max_size=5))
    shown = np.cumsum(np.resize(np.array(steps), count))
    keys = draw(st.sets(st.integers(0, count - 1), max_size=30)) | {0}
    sizes = np.resize(np.array(draw(st.lists(st.integers(1, 200_000), min_size=1))), count)
    return Table(
        shown[order.astype(int)],
        sizes,
        np.array(sorted(keys)),
        float(shown[-1]) + 0.04,
        draw(st.sampled_from([1, 160 * 120, PIXELS, 8192 * 4320])),
    )


@settings(max_examples=300, deadline=None)
@given(
    stream=streams(),
    frames=st.integers(1, 20),
    bursts=st.integers(0, 6),
    share=st.floats(0.0, 1.0),
)
def test_any_stream_gets_a_plan_that_holds_together(stream, frames, bursts, share):
    plan = make_plan(stream, frames, bursts, share)
    times = wanted(plan)
    assert 1 <= len(times) <= frames
    assert len(set(times)) == len(times)
    assert all(0.0 <= time_s <= stream.end_s for time_s in times)
    for run in plan.runs:
        assert run.first in stream.keys
        assert run.first <= run.full <= run.last < len(stream.times_s)
        assert list(run.wanted_s) == sorted(run.wanted_s)
        shown = set(stream.times_s[run.first : run.last + 1].tolist())
        assert set(run.wanted_s) <= shown
    firsts = [run.first for run in plan.runs]
    assert firsts == sorted(set(firsts))


@settings(max_examples=100, deadline=None)
@given(stream=streams(), bursts=st.integers(1, 6))
def test_short_clips_are_always_seen_whole(stream, bursts):
    if stream.end_s > SHORT_S:
        return
    plan = make_plan(stream, 8, bursts, 0.25)
    assert plan.method == "forward"
    assert plan.runs[0].last == len(stream.times_s) - 1
