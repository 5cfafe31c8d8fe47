"""Landmarks: what they are, and what gives none."""

from __future__ import annotations

import numpy as np
import pytest

from coefvq.originality.sound import gaps, landmarks, pack, with_gaps
from tests.unit.originality.sounds import RATE, melody, noisy, tone


def test_a_melody_gives_about_twelve_landmarks_a_second_in_order() -> None:
    found = landmarks(melody(1, 20))
    assert found.dtype == np.uint32 and found.shape[1] == 2
    assert 8 <= len(found) / 20 <= 16
    assert np.all(np.diff(found[:, 1].astype(int)) >= 0)
    assert found[:, 1].max() <= 2000
    assert found[:, 0].max() < 1 << 22


@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(np.zeros(0, np.float32), id="nothing"),
        pytest.param(np.zeros(500, np.float32), id="shorter than a window"),
        pytest.param(np.zeros(RATE * 5, np.float32), id="silence"),
        pytest.param(np.full(RATE * 5, 0.3, np.float32), id="direct current"),
        pytest.param(tone(), id="a steady tone"),
        pytest.param(1e-5 * melody(1, 5), id="below hearing"),
    ],
)
def test_what_says_nothing_gives_none(sound: np.ndarray) -> None:
    assert landmarks(sound).shape == (0, 2)


@pytest.mark.parametrize(
    ("changed", "least"),
    [
        pytest.param(lambda s: 0.05 * s, 0.99, id="26 dB quieter"),
        pytest.param(lambda s: np.clip(1.6 * s, -1, 1), 0.6, id="too loud, clipped"),
        pytest.param(lambda s: noisy(s, 20), 0.4, id="noise 20 dB below"),
    ],
)
def test_landmarks_survive(changed: object, least: float) -> None:
    before = {tuple(row) for row in landmarks(melody(2)).tolist()}
    after = {tuple(row) for row in landmarks(changed(melody(2))).tolist()}  # type: ignore[operator]
    assert len(before & after) / len(before) >= least


def test_a_long_sound_is_the_same_where_blocks_meet() -> None:
    sound = melody(3, 80)  # more than one block of spectra
    whole = {tuple(row) for row in landmarks(sound).tolist()}
    shift = 256 * 625  # ten seconds, whole frames
    later = {(h, t + 1000) for h, t in landmarks(sound[shift:]).tolist()}
    meeting = {row for row in whole if 6000 < row[1] < 7000}
    assert len(meeting) > 50
    assert len(meeting & later) >= 0.98 * len(meeting)


def test_gaps_are_read_and_changed() -> None:
    hashes = pack(np.array([5, 255]), np.array([200, 0]), np.array([7, 63]))
    assert gaps(hashes).tolist() == [7, 63]
    changed = with_gaps(hashes, np.array([8, 1]))
    assert (
        changed.tolist() == pack(np.array([5, 255]), np.array([200, 0]), np.array([8, 1])).tolist()
    )
