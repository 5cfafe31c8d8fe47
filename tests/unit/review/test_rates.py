"""Shares and their Wilson intervals."""

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from coefvq.review.rates import Rate, rate


@pytest.mark.parametrize(
    ("hits", "n"), [(0, 1), (1, 1), (0, 20), (7, 20), (20, 20), (1, 1000), (99_999, 100_000)]
)
def test_the_interval_is_wilsons(hits: int, n: int) -> None:
    found = rate(hits, n)
    known = binomtest(hits, n).proportion_ci(method="wilson")
    assert (found.hits, found.n, found.value) == (hits, n, hits / n)
    assert found.low == pytest.approx(known.low, abs=1e-12)
    assert found.high == pytest.approx(known.high, abs=1e-12)


def test_nothing_has_no_rate() -> None:
    assert rate(0, 0) == Rate(0, 0, None, None, None)


@pytest.mark.parametrize(("hits", "n"), [(2, 1), (-1, 3)])
def test_more_than_all_is_refused(hits: int, n: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        rate(hits, n)
