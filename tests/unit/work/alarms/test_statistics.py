"""The tests behind the alarms: by hand, and on simulated counts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, hypergeom

from coefvq.work.alarms.statistics import fall, jump, share_above


@pytest.mark.parametrize(
    ("count", "history", "raised"),
    [
        pytest.param(30, [10, 9, 11, 10, 12, 8, 10] * 4, True, id="three times the mean"),
        pytest.param(15, [10, 9, 11, 10, 12, 8, 10] * 4, False, id="no more than half as much"),
        pytest.param(4, [0] * 28, False, id="too few to matter"),
        pytest.param(6, [0] * 28, True, id="out of nothing"),
        pytest.param(190, [100] * 28, False, id="sure, and less than twice"),
        pytest.param(60, [2, 40, 5, 30, 1, 55, 3] * 4, False, id="a series that swings"),
        pytest.param(60, [10] * 26 + [200, 180], True, id="past jumps do not hide it"),
    ],
)
def test_jump(count: int, history: list[int], raised: bool) -> None:
    found = jump(count, history)
    assert found is not None and found.raised is raised
    assert (found.count, found.windows) == (count, 28)


@pytest.mark.parametrize("history", [[], [5] * 6])
def test_a_short_history_says_nothing(history: list[int]) -> None:
    assert jump(50, history) is None


def test_an_alarm_ends_below_what_raised_it() -> None:
    history = [10] * 28
    raised = next(n for n in range(200) if (found := jump(n, history)) and found.raised)
    ends = max(n for n in range(200) if (found := jump(n, history)) and found.over)
    assert 10 < ends < raised - 1
    middle = jump(ends + 1, history)
    assert middle is not None and not middle.raised and not middle.over


@pytest.mark.parametrize(
    ("rate", "spread", "most"),
    [
        pytest.param(3.0, 1.0, 4, id="few, Poisson"),
        pytest.param(40.0, 1.0, 4, id="many, Poisson"),
        pytest.param(40.0, 3.0, 4, id="many, overdispersed"),
    ],
)
def test_calm_counts_seldom_ring(rate: float, spread: float, most: int) -> None:
    """At most one in 1,000 windows that do not overlap; docs/alarms.md has more."""
    rng = np.random.default_rng(7)
    size = (4000, 29)
    if spread > 1:
        counts = rng.negative_binomial(rate / (spread - 1), 1 / spread, size)
    else:
        counts = rng.poisson(rate, size)
    rang = sum(bool(found and found.raised) for row in counts
               if (found := jump(int(row[0]), row[1:].tolist())))  # fmt: skip
    assert rang <= most


def test_a_wave_is_heard() -> None:
    """Four times as many uploaders as on an ordinary day of 20."""
    rng = np.random.default_rng(8)
    heard = [jump(int(rng.poisson(80)), rng.poisson(20, 28).tolist()) for _ in range(300)]
    assert sum(bool(found and found.raised) for found in heard) >= 297


@pytest.mark.parametrize(("hits", "n", "limit"), [(40, 100, 0.3), (30, 100, 0.3), (0, 50, 0.1)])
def test_share_above_is_the_exact_binomial_tail(hits: int, n: int, limit: float) -> None:
    found = share_above(hits, n, limit)
    tail = sum(binom.pmf(k, n, limit) for k in range(hits, n + 1))
    assert found.p == pytest.approx(tail, abs=1e-12)
    assert found.low <= found.value <= found.high


def test_fall_is_fishers_exact_test() -> None:
    found = fall(12, 20, 57, 60)
    tail = hypergeom.cdf(12, 80, 69, 20)
    assert found.p == pytest.approx(tail, rel=1e-9)
    assert (found.now, found.before, found.drop) == (0.6, 0.95, pytest.approx(0.35))
    assert found.low < 0.6 < found.high


def test_nothing_has_fallen_where_it_rose() -> None:
    assert fall(20, 20, 50, 60).p == pytest.approx(1.0, abs=1e-9)
