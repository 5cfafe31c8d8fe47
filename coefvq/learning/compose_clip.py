"""A whole video with a given text on the screen and in the sound, to try the cascade end to end."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image, ImageOps

from coefvq.errors import MediaError
from coefvq.learning.compose import read_frames
from coefvq.learning.compose_draw import Frames, paint
from coefvq.learning.spoken import clean, speak
from coefvq.learning.written import SIZES, painter, tidy
from coefvq.media.sound import SAMPLE_RATE

RATE = 15
_BLOCK = 1024  # samples of an AAC frame


def render(
    path: Path,
    *,
    footage: Path,
    seconds: float,
    spoken: str | None = None,
    written: str | None = None,
    seed: int = 0,
) -> Path:
    """Compose a clip of real footage, a text on the screen and a text in the sound.

    Args:
        path: The MP4 to write (x264, AAC); it appears only when it is complete.
        footage: A real clip; played to and fro where it is shorter.
        seconds: Length; longer where the speech needs more.
        spoken: Said after ``spoken.clean``; ``None``: the clip has no sound track.
        written: Shown after ``written.tidy`` from the first to the last frame, or ``None``.
        seed: Size, style, voice and quality depend on it.

    Returns:
        ``path``.

    Raises:
        MediaError: If the footage yields no frame.
        SettingsError: If a text is to be spoken and eSpeak NG is not installed.
    """
    rng = random.Random(f"clip/{seed}")
    sound = None if spoken is None else speak(clean(spoken), seed)
    length_s = max(seconds, len(sound) / SAMPLE_RATE if sound is not None else 0.0)
    frames = _frames(footage, max(1, round(length_s * RATE)), written, rng)
    partial = path.with_name(f"_{path.name}")
    _encode(frames, _filled(sound, len(frames)), partial, rng.randint(20, 30))
    return partial.rename(path)


def _frames(footage: Path, count: int, text: str | None, rng: random.Random) -> Frames:
    size = rng.choice(SIZES)
    taken = read_frames(footage, count, rng)
    if not taken:
        raise MediaError(f"{footage} yields no frame to compose from; choose other footage.")
    fitted = [ImageOps.fit(frame, size, Image.Resampling.BILINEAR) for frame in taken]
    swing = fitted + fitted[-2:0:-1]
    frames = [swing[index % len(swing)].copy() for index in range(count)]
    if text is None:
        return frames
    return paint(frames, painter(tidy(text), size, rng))


def _filled(sound: NDArray[np.float32] | None, frames: int) -> NDArray[np.float32] | None:
    """The sound with silence up to the end of the last frame."""
    if sound is None:
        return None
    missing = frames * SAMPLE_RATE // RATE - len(sound)
    return np.pad(sound, (0, max(0, missing)))


def _encode(frames: Frames, sound: NDArray[np.float32] | None, path: Path, quality: int) -> None:
    with av.open(str(path), "w") as container:
        picture = cast(VideoStream, container.add_stream("libx264", rate=Fraction(RATE)))
        picture.width, picture.height = frames[0].size
        picture.pix_fmt = "yuv420p"
        picture.options = {"crf": str(quality), "preset": "veryfast"}
        voice = None
        if sound is not None:
            voice = cast(AudioStream, container.add_stream("aac", rate=SAMPLE_RATE, layout="mono"))
        for image in frames:
            container.mux(picture.encode(av.VideoFrame.from_image(image)))
        container.mux(picture.encode())
        if voice is not None and sound is not None:
            _encode_sound(container, voice, sound)


def _encode_sound(
    container: av.container.OutputContainer, voice: AudioStream, sound: NDArray[np.float32]
) -> None:
    for start in range(0, len(sound), _BLOCK):
        frame = AudioFrame.from_ndarray(
            sound[None, start : start + _BLOCK], format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts = SAMPLE_RATE, start
        container.mux(voice.encode(frame))
    container.mux(voice.encode(None))
