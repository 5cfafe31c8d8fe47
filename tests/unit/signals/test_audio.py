"""Sound statistics against sounds whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from coefvq.signals.audio import MAX_SECONDS, RATE, SOUND_NAMES, sound_statistics


def seconds(length: float) -> np.ndarray:
    return np.arange(int(length * RATE)) / RATE


def tone(hz: float, level: float = 0.5, length: float = 3.0) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * seconds(length))).astype(np.float32)


def hiss(level: float = 0.1, length: float = 3.0) -> np.ndarray:
    return np.random.default_rng(1).normal(0, level, int(length * RATE)).astype(np.float32)


def clicks(rate: int = 4, length: float = 4.0) -> np.ndarray:
    sound = np.zeros(int(length * RATE), np.float32)
    for start in range(RATE // 10, len(sound), RATE // rate):
        sound[start : start + 200] = hiss(0.5, 0.0125)[:200]
    return sound


def of(sound: np.ndarray) -> dict[str, float]:
    values = sound_statistics(sound)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    return dict(zip(SOUND_NAMES, values.tolist(), strict=True))


def test_names_are_unique_and_cover_every_dimension():
    assert len(set(SOUND_NAMES)) == len(SOUND_NAMES)
    assert sound_statistics(tone(440)).shape == (len(SOUND_NAMES),)


@pytest.mark.parametrize("sound", [None, np.zeros(0, np.float32)], ids=["no track", "empty"])
def test_absent_sound_is_absent(sound):
    assert sound_statistics(sound) is None


def test_silence_is_present_and_not_absent():
    values = of(np.zeros(RATE, np.float32))
    assert values["silence_share"] == 1.0
    assert values["loudness_mean"] == pytest.approx(-8.0)
    assert values["centroid_mean"] == 0.0


@pytest.mark.parametrize(
    "sound",
    [
        np.full(1, 0.5, np.float32),
        np.full(700, -1.0, np.float32),
        np.full(RATE, np.nan, np.float32),
        np.full(RATE, np.inf, np.float32),
        10 * hiss(1.0, 0.5),
    ],
    ids=["one sample", "constant", "not numbers", "infinite", "far beyond full scale"],
)
def test_odd_sounds_give_finite_numbers(sound):
    of(sound)


@pytest.mark.parametrize("hz", [200.0, 1000.0, 4000.0])
def test_centroid_of_a_tone_is_its_pitch(hz):
    values = of(tone(hz))
    assert values["centroid_mean"] == pytest.approx(hz / 1000, rel=0.1)
    assert values["crossings_mean"] == pytest.approx(2 * hz / RATE, rel=0.1)
    assert values["flatness_mean"] < 0.05


def test_hiss_is_flat_and_bright():
    values = of(hiss())
    assert values["flatness_mean"] > 0.4
    assert values["centroid_mean"] == pytest.approx(4.0, abs=0.4)
    assert values["rolloff_mean"] == pytest.approx(6.8, abs=0.4)


def test_ten_times_the_level_is_twenty_decibels():
    quiet, loud = of(tone(440, 0.05)), of(tone(440, 0.5))
    assert loud["loudness_mean"] - quiet["loudness_mean"] == pytest.approx(2.0, abs=0.02)


@pytest.mark.parametrize(("hz", "inside"), [(1000.0, True), (100.0, False), (6000.0, False)])
def test_speech_band(hz, inside):
    assert (of(tone(hz))["speech_band_share"] > 0.5) is inside


def test_energy_lands_in_its_band():
    low, high = of(tone(150)), of(tone(7000))
    bands = [f"band{i:02d}_mean" for i in range(16)]
    assert max(bands, key=low.__getitem__) < "band04"
    assert max(bands, key=high.__getitem__) > "band12"


def test_onsets_are_counted_a_second():
    assert of(clicks(4))["onset_rate"] == pytest.approx(4.0, abs=0.6)
    assert of(tone(440))["onset_rate"] < 0.5


def test_swelling_at_the_pace_of_syllables():
    swell = tone(500, 1.0, 6.0) * (0.5 + 0.4 * np.sin(2 * np.pi * 4 * seconds(6.0)))
    slow = tone(500, 1.0, 6.0) * (0.5 + 0.4 * np.sin(2 * np.pi * 0.3 * seconds(6.0)))
    assert of(swell.astype(np.float32))["syllable_share"] > 0.8
    assert of(slow.astype(np.float32))["syllable_share"] < 0.2


def test_clipping_is_counted():
    assert of(np.sign(tone(440)))["clipped_share"] > 0.9
    assert of(tone(440))["clipped_share"] == 0.0


def test_only_the_first_minute_counts():
    minute = tone(440, 0.5, MAX_SECONDS)
    longer = np.concatenate([minute, hiss(0.5, 5.0)])
    assert np.array_equal(sound_statistics(minute), sound_statistics(longer))
