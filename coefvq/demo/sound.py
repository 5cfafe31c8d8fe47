"""Sound of the demo clips: kept speech, or music of the gradio package."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

from coefvq.demo.recipe import Music, Recipe, Sound, Speech
from coefvq.demo.sources import source
from coefvq.demo.speech import LINES

if TYPE_CHECKING:
    from moviepy import AudioClip

SPEECH_STARTS_S = 0.2
SPEECH_ENDS_S = 0.2


@singledispatch
def open_sound(sound: Sound) -> AudioClip:
    """A moviepy sound from its start. The caller closes it."""
    raise TypeError(f"No way to play {type(sound).__name__}.")


@open_sound.register(Speech)
def _speech(sound: Speech) -> AudioClip:
    from moviepy import AudioFileClip

    return AudioFileClip(str(LINES[sound.line].path))


@open_sound.register(Music)
def _music(sound: Music) -> AudioClip:
    from moviepy import AudioFileClip

    clip = AudioFileClip(str(source(sound.file)))
    return clip.subclipped(sound.start_s).with_volume_scaled(sound.volume)


def length(recipe: Recipe, sound: AudioClip | None) -> float:
    """How long the clip gets, in seconds: as the recipe says, longer where speech needs it."""
    if sound is None or not isinstance(recipe.sound, Speech):
        return recipe.seconds
    return max(recipe.seconds, SPEECH_STARTS_S + sound.duration + SPEECH_ENDS_S)


def lay(recipe: Recipe, sound: AudioClip, seconds: float) -> AudioClip:
    """The sound track: ``seconds`` long, speech after a short pause."""
    from moviepy import CompositeAudioClip

    start = SPEECH_STARTS_S if isinstance(recipe.sound, Speech) else 0.0
    return CompositeAudioClip([sound.with_start(start)]).with_duration(seconds)
