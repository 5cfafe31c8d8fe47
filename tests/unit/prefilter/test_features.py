from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from coefvq.domain import CheapSignals, PostedText
from coefvq.prefilter.features import (
    BLOCKS,
    CHANGE,
    CHANGE_NAMES,
    FRAMES,
    MOTION,
    VISUAL,
    Scaling,
    batch,
    frame_changes,
    picture_blocks,
    pooled_frames,
)
from coefvq.prefilter.text import BUCKETS, text_row

Make = Callable[..., CheapSignals]


def test_pooling_is_the_mean_of_frames() -> None:
    pooled = pooled_frames(np.array([[0.0, 2.0], [2.0, 2.0]], np.float32))
    assert pooled.tolist() == [1.0, 2.0]


def test_equal_frames_change_nothing_and_one_frame_neither() -> None:
    still = frame_changes(np.ones((5, 8), np.float32))
    assert still == pytest.approx(np.zeros(len(CHANGE_NAMES)), abs=1e-5)
    assert (frame_changes(np.ones((1, 8), np.float32)) == 0).all()


def test_changes_by_hand() -> None:
    found = dict(
        zip(
            CHANGE_NAMES, frame_changes(np.array([[3.0, 0.0], [0.0, 4.0]], np.float32)), strict=True
        )
    )
    assert found["step_mean"] == pytest.approx(np.log1p(5.0))
    assert found["step_ends"] == pytest.approx(np.log1p(5.0))
    assert found["step_std"] == pytest.approx(0.0)
    assert found["angle_mean"] == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "absent"),
    [
        pytest.param({}, set(), id="all there"),
        pytest.param({"motion": None}, {MOTION}, id="no motion"),
        pytest.param({"visual": None}, {VISUAL}, id="no statistics"),
        pytest.param({"frame_embeddings": None}, {FRAMES, CHANGE}, id="no frames"),
        pytest.param(
            {"frame_embeddings": np.zeros((0, 4), np.float32)}, {FRAMES, CHANGE}, id="zero frames"
        ),
    ],
)
def test_absent_stays_absent(signals: Make, changes: dict[str, object], absent: set[str]) -> None:
    blocks = picture_blocks(signals(**changes))
    assert {name for name, block in blocks.items() if block is None} == absent


def test_no_signals_at_all_are_all_absent() -> None:
    assert picture_blocks(None) == dict.fromkeys(BLOCKS)


def test_numbers_that_are_not_finite_do_not_get_through(signals: Make) -> None:
    blocks = picture_blocks(signals(motion=np.array([np.nan, np.inf], np.float32)))
    assert blocks[MOTION] is not None and np.isfinite(blocks[MOTION]).all()


def test_scaling_centres_and_holds_extremes() -> None:
    rows = np.array([[0.0, 5.0], [2.0, 5.0]], np.float32)
    scale = Scaling.fit(rows)
    assert scale(rows[0])[0] == pytest.approx(-1.0)
    assert scale(np.array([1e9, 5.0], np.float32)).tolist() == [4.0, 0.0]


def test_a_batch_marks_the_absent_and_keeps_texts_apart(signals: Make) -> None:
    idf = np.ones(2 * BUCKETS, np.float32)
    rows = [text_row(PostedText("one two"), idf), text_row(PostedText(), idf)]
    pictures = [picture_blocks(signals()), picture_blocks(signals(motion=None))]
    scaling = {name: Scaling.fit(np.stack([pictures[0][name]] * 2)) for name in BLOCKS}
    made = batch(rows, pictures, scaling)
    assert made.size == 2
    assert made.offsets.tolist() == [0, len(rows[0].buckets)]
    assert made.present[MOTION].tolist() == [True, False]
    assert torch.equal(made.blocks[MOTION][1], torch.zeros(2))
