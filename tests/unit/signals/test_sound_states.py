"""Encoder states keep the time line of the sound, whatever its length, and hold real sound only."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from coefvq.media.sound import decode_sound
from coefvq.signals import sound_states
from coefvq.signals.sound_states import encode_states

AUDIO = Path(find_spec("gradio").origin).parent / "media_assets" / "audio"
RATE = 16_000


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    return decode_sound(AUDIO / "cate_blanch_2.mp3").samples


@pytest.mark.parametrize(
    ("samples", "states"),
    [(0, 0), (1, 1), (3_200, 1), (8_000, 1), (8_001, 2), (4 * RATE, 8), (31 * RATE, 62)],
    ids=["empty", "one sample", "0.2 s", "0.5 s", "just over 0.5 s", "4 s", "two windows"],
)
def test_two_states_a_second_to_the_end_of_the_sound(voice, samples, states):
    found = encode_states(np.resize(voice, samples))
    assert found.shape == (states, 384)
    assert found.dtype == np.float16
    assert np.isfinite(found).all()


def test_only_the_first_minute_is_heard(voice, monkeypatch):
    monkeypatch.setattr(sound_states, "MAX_SECONDS", 2)
    assert len(encode_states(voice)) == 4


def test_states_stand_at_the_time_of_their_sound(voice):
    sound = np.resize(voice, 6 * RATE)
    cut = sound.copy()
    cut[2 * RATE : 4 * RATE] = 0.0
    gap = np.abs(encode_states(sound).astype(np.float32) - encode_states(cut)).mean(axis=1)
    assert set(np.argsort(gap)[-4:]) == {4, 5, 6, 7}


def test_what_follows_the_window_does_not_change_it(voice, monkeypatch):
    monkeypatch.setattr(sound_states, "_WINDOW_S", 4)
    sound = np.resize(voice, 8 * RATE)
    whole, parts = encode_states(sound), [encode_states(half) for half in np.split(sound, 2)]
    assert np.array_equal(whole, np.concatenate(parts))


def test_same_sound_same_numbers(voice):
    assert np.array_equal(encode_states(voice[:RATE]), encode_states(voice[:RATE]))


@pytest.mark.parametrize(
    ("broken", "meant"),
    [(np.nan, 0.0), (np.inf, 1.0), (-np.inf, -1.0), (7.0, 1.0)],
    ids=["not a number", "infinity", "minus infinity", "too loud"],
)
def test_broken_samples_are_mended(voice, broken, meant):
    damaged, mended = voice[:RATE].copy(), voice[:RATE].copy()
    damaged[5_000:5_100], mended[5_000:5_100] = broken, meant
    assert np.array_equal(encode_states(damaged), encode_states(mended))


def test_a_last_part_is_its_own_mean():
    states = np.repeat([[1.0], [2.0], [5.0]], [25, 25, 4], axis=0).astype(np.float32)
    assert sound_states._pool(states).tolist() == [[1.0], [2.0], [5.0]]
