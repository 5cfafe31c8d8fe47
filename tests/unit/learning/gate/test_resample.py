"""The resampled figures agree with the plain ones, and keep groups whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coefvq.learning import measures
from coefvq.learning.gate import resample


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 6), st.integers(0, 3)),
        min_size=1,
        max_size=40,
    )
)
def test_weighted_auc_is_that_of_repeated_items(rows: list[tuple[int, int, int]]) -> None:
    label, score, times = (np.array(part, dtype=float) for part in zip(*rows, strict=True))
    found = resample.auc(times[None], label, score)[0]
    index = np.repeat(np.arange(len(rows)), times.astype(int))
    wanted = measures.auc(label[index], score[index])
    assert found == pytest.approx(wanted, nan_ok=True)


def test_groups_are_drawn_whole() -> None:
    groups = ["a", "a", "b", "c", "c", "c"]
    drawn = resample.draws(groups, rounds=50, seed=1)
    assert drawn.shape == (51, 6) and (drawn[0] == 1).all()
    assert (drawn[:, 0] == drawn[:, 1]).all() and (drawn[:, 3] == drawn[:, 5]).all()
    assert set((drawn[1:, 0] + drawn[1:, 2] + drawn[1:, 3]).tolist()) == {3.0}


def test_intervals_of_clustered_videos_are_wider() -> None:
    rng = np.random.default_rng(0)
    label = np.repeat(rng.integers(0, 2, 40), 10).astype(float)
    score = np.repeat(rng.random(40), 10)
    alone = resample.draws([str(i) for i in range(400)])
    together = resample.draws([str(i // 10) for i in range(400)])
    spreads = [resample.spread(resample.auc(w, label, score)) for w in (alone, together)]
    assert spreads[1] > 2 * spreads[0]


def test_nothing_to_measure_is_no_number() -> None:
    w = resample.draws(["a", "b"])
    one_class = resample.figure(resample.auc(w, np.ones(2), np.array([0.1, 0.9])))
    assert one_class.to_json() == {"value": None, "low": None, "high": None}
    assert resample.draws([]).shape[1] == 0
