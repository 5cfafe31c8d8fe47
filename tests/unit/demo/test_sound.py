"""Speech is never cut off; music is cut to the clip."""

from __future__ import annotations

import numpy as np
import pytest

from coefvq.demo.recipe import Footage, Music, Recipe, Sound, Speech
from coefvq.demo.sound import SPEECH_STARTS_S, lay, length, open_sound

PICTURE = Footage("world.mp4")


def made(sound: Sound | None, seconds: float) -> Recipe:
    return Recipe(PICTURE, sound=sound, seconds=seconds)


@pytest.mark.parametrize("seconds", [4.0, 9.5])
def test_no_sound_and_music_keep_the_recipes_length(seconds: float) -> None:
    assert length(made(None, seconds), None) == seconds
    with open_sound(Music("sax.wav")) as music:
        assert length(made(Music("sax.wav"), seconds), music) == seconds


@pytest.mark.parametrize(("seconds", "longer"), [(2.0, True), (30.0, False)])
def test_speech_makes_a_clip_longer_where_needed(seconds: float, longer: bool) -> None:
    with open_sound(Speech("thanks")) as speech:
        got = length(made(Speech("thanks"), seconds), speech)
        assert got >= speech.duration
    assert (got > seconds) == longer


def test_speech_starts_after_a_pause() -> None:
    recipe = made(Speech("thanks"), 6.0)
    assert recipe.sound is not None
    with open_sound(recipe.sound) as speech:
        track = lay(recipe, speech, 6.0)
        assert track.duration == 6.0
        assert np.abs(track.get_frame(np.linspace(0, SPEECH_STARTS_S * 0.9, 200))).max() == 0
        assert np.abs(track.get_frame(np.linspace(1, 3, 2000))).max() > 0.1


def test_music_starts_where_told_at_its_volume() -> None:
    def loudness(music: Music) -> np.ndarray:
        with open_sound(music) as sound:
            return np.abs(sound.get_frame(np.linspace(0, 2, 4000)))

    plain, half = loudness(Music("sax.wav", 0.0, 1.0)), loudness(Music("sax.wav", 0.0, 0.5))
    assert plain.max() > 0.05
    assert half.max() == pytest.approx(plain.max() / 2, rel=0.01)
    assert not np.allclose(half, loudness(Music("sax.wav", 5.0, 0.5)))


def test_unknown_sound() -> None:
    with pytest.raises(TypeError, match="str"):
        open_sound("sax.wav")  # type: ignore[arg-type]
