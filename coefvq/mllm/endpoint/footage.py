"""What of a video is sent beside its texts, and in which form.

The forms of pictures, best first: the file itself, its frames as one video, its frames as single
pictures. The forms of sound: inside the file, a WAV file, or not at all (its transcript is always
among the texts). Which of them a server takes is found in ``capabilities``.
"""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from coefvq.domain import MediaInfo
from coefvq.errors import MediaError
from coefvq.media.limits import MediaLimits
from coefvq.media.sampling import sample
from coefvq.media.sound import SAMPLE_RATE, read_sound
from coefvq.media.source import LocalFile

MAX_FRAMES = 8
LONG_SIDE = 448
JPEG_QUALITY = 85
MAX_FILE_BYTES = 8 * 1024**2  # sent once a policy, a third larger as base64
MAX_SOUND_S = 60.0
# Only containers that cannot refer to other files are handed to a server's decoder.
_FILE_TYPES = {"mov": "video/mp4", "matroska": "video/webm"}
_SAMPLE_SIDE, _SAMPLE_FPS = 112, 8


class Pictures(StrEnum):
    """How the pictures of a video are sent."""

    FILE = "file"
    SEQUENCE = "sequence"
    STILLS = "stills"
    NONE = "none"


class Sound(StrEnum):
    """How the sound of a video is sent; ``NONE``: only as its transcript."""

    IN_FILE = "in_file"
    WAV = "wav"
    NONE = "none"


@dataclass(frozen=True)
class Form:
    """One way of sending a video."""

    pictures: Pictures = Pictures.NONE
    sound: Sound = Sound.NONE


TEXT = Form()


@dataclass(frozen=True)
class Frames:
    """JPEG files and their times in seconds; both empty where there are none."""

    jpegs: tuple[bytes, ...] = ()
    times_s: tuple[float, ...] = ()


@dataclass(frozen=True)
class Footage:
    """What is sent in one form; what that form does not need is empty.

    Attributes:
        file: The video file's bytes.
        file_type: Its media type.
        wav: 16 kHz, one channel, 16 bit, at most ``MAX_SOUND_S`` seconds.
        duration_s: Length of the video.
        fps: Its frames a second, 0.0 where unknown.
        identity: SHA-256 of the file, under which a server may keep what it made of it.
    """

    form: Form = TEXT
    frames: Frames = Frames()
    file: bytes = b""
    file_type: str = ""
    wav: bytes = b""
    duration_s: float = 0.0
    fps: float = 0.0
    identity: str = ""


def footage_of(
    info: MediaInfo | None, limits: MediaLimits, count: int, form: Form
) -> Footage | None:
    """Read what ``form`` needs of a video.

    Args:
        count: Most frames, 0..``MAX_FRAMES``.

    Returns:
        The footage; ``None`` where this video cannot be sent in that form: its file is gone,
        too large or of another container, no frame decodes, or it has no sound.
    """
    if form == TEXT:
        return Footage()
    if info is None or (form.sound is not Sound.NONE and not info.has_audio):
        return None
    try:
        frames, file, wav = _read(info, limits, count, form)
    except MediaError:
        return None
    missing = (
        (form.pictures is Pictures.FILE and not file)
        or (form.pictures in (Pictures.SEQUENCE, Pictures.STILLS) and not frames.jpegs)
        or (form.sound is Sound.WAV and not wav)
    )
    kind = _FILE_TYPES.get(info.container, "")
    known = (info.duration_s, info.fps, info.sha256)
    return None if missing else Footage(form, frames, file, kind, wav, *known)


def _read(
    info: MediaInfo, limits: MediaLimits, count: int, form: Form
) -> tuple[Frames, bytes, bytes]:
    frames, file, wav = Frames(), b"", b""
    if form.pictures is Pictures.FILE:
        file = _file(info, limits)
    elif form.pictures is not Pictures.NONE:
        frames = _frames(info, limits, count)
    if form.sound is Sound.WAV:
        samples = read_sound(info, limits, MAX_SOUND_S)
        wav = b"" if samples is None else wav_of(samples)
    return frames, file, wav


def _frames(info: MediaInfo, limits: MediaLimits, count: int) -> Frames:
    """Up to ``count`` frames, the longer side at most ``LONG_SIDE`` pixels, as JPEGs."""
    found = sample(info, limits, frames=min(count, MAX_FRAMES), bursts=0, long_side=LONG_SIDE)
    jpegs = tuple(_jpeg(picture) for picture in found.frames)
    return Frames(jpegs, tuple(map(float, found.times_s)))


def _file(info: MediaInfo, limits: MediaLimits) -> bytes:
    if info.container not in _FILE_TYPES:
        return b""
    source = LocalFile(info.path, limits)
    try:
        if source.size > MAX_FILE_BYTES:
            return b""
        content = source.read(source.size)
        return content if len(content) == source.size else b""
    finally:
        source.close()


def wav_of(samples: NDArray[np.float32]) -> bytes:
    """Write sound as a WAV file.

    Args:
        samples: float32 (n,), 16 kHz, one channel, -1..1.
    """
    file = io.BytesIO()
    with wave.open(file, "wb") as output:
        output.setnchannels(1)
        output.setsampwidth(2)
        output.setframerate(SAMPLE_RATE)
        output.writeframes((np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2").tobytes())
    return file.getvalue()


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


@cache
def sample_footage(form: Form, count: int) -> Footage:
    """One second of a made-up video, to try with what a server takes.

    Args:
        count: Frames, 1..``MAX_FRAMES``: as many as a real video will send.
    """
    pictures = _made_up_pictures()
    frames = Frames(
        tuple(_jpeg(picture) for picture in pictures[:count]),
        tuple(number / _SAMPLE_FPS for number in range(count)),
    )
    tone = np.sin(2 * np.pi * 440 * np.arange(SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    return Footage(
        form=form,
        frames=frames if form.pictures in (Pictures.SEQUENCE, Pictures.STILLS) else Frames(),
        file=_mp4(pictures, tone) if form.pictures is Pictures.FILE else b"",
        file_type="video/mp4",
        wav=wav_of(tone) if form.sound is Sound.WAV else b"",
        duration_s=1.0,
        fps=float(_SAMPLE_FPS),
    )


def _made_up_pictures() -> NDArray[np.uint8]:
    """uint8 (8, side, side, 3): a grey ramp that grows brighter."""
    ramp = np.linspace(0, 120, _SAMPLE_SIDE, dtype=np.uint8)
    picture = np.broadcast_to(ramp[None, :, None], (_SAMPLE_SIDE, _SAMPLE_SIDE, 3))
    return np.stack([picture + np.uint8(16 * number) for number in range(MAX_FRAMES)])


def _mp4(pictures: NDArray[np.uint8], tone: NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        video = output.add_stream("libx264", rate=_SAMPLE_FPS)
        video.width = video.height = _SAMPLE_SIDE
        video.pix_fmt = "yuv420p"
        sound = output.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        for picture in pictures:
            output.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(video.encode(None))
        heard = av.AudioFrame.from_ndarray(tone[None, :], format="fltp", layout="mono")
        heard.sample_rate = SAMPLE_RATE
        output.mux(sound.encode(heard))
        output.mux(sound.encode(None))
    return file.getvalue()
