"""Texts spoken aloud by eSpeak NG, so that training reads what the recogniser hears.

A model that is trained on typed sentences meets something else in the field: words misheard,
cut into lines, without punctuation. Here a text is said by a drawn voice, at a drawn speed and
pitch, some over faint noise or tones, and goes the same way as the sound of a real video.
"""

from __future__ import annotations

import html
import io
import random
import re
import subprocess
import wave

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from coefvq.errors import MediaError, SettingsError
from coefvq.media.sound import SAMPLE_RATE

PROGRAM = "espeak-ng"
MOST_WORDS = 60  # about 25 seconds: what one window of the recogniser holds
_TIMEOUT_S = 60.0
_VOICES = ("en-us", "en-us", "en-gb", "en-gb", "en-gb-x-rp", "en-gb-scotland", "en-us-nyc")
_VARIANTS = ("", "", "+m1", "+m3", "+m4", "+m7", "+f1", "+f2", "+f3", "+f4")
_SPEEDS = (130, 190)  # words a minute
_PITCHES = (25, 75)  # 0..99
# What Whisper tiny follows best of these: word error rate 0.33 against 0.44 over all.
_CLEAR_VOICES = ("en-us", "en-gb", "en-gb-x-rp")
_CLEAR_VARIANTS = ("", "+m1", "+m3", "+m7", "+f2")
_CLEAR_SPEEDS, _CLEAR_PITCHES = (130, 178), (25, 70)
_FAINT_DB = (-40.0, -25.0)  # of noise and tones, against the speech

_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), by)
    for pattern, by in (
        (r"<br\s*/?>", ". "),
        (r"<[^<>]{1,200}>", " "),
        (r"\bRT\s+@\w+:?", " "),
        (r"(?:https?://|www\.|pic\.twitter\.)\S*", " "),
        (r"\b[\w.]+\.\w{2,4}/\S*", " "),  # a link without its scheme
        (r"\b(\w{2,})(?:\s*\.\s*(com|net|org)|\.(info|tv|co))\b", r"\1 dot \2\3"),
        (r"@\w+:?", " "),
        (r"#(\w+)", r"\1"),
        (r"[:;=8xX][-'^]?[)(DPp3/\\|]+(?!\w)", " "),
        (r"\s&\s", " and "),
        (r"[’‘]", "'"),
        (r"[^\w\s.,;:!?'$%-]|_", " "),
        (r"[^\x00-\u024f]", " "),  # letters of another script
        (r"(\w)\1{3,}", r"\1\1"),  # soooooo
        (r"([.,;:!?'-])(?:\s*[.,;:!?'-])+(?=\s|$)", r"\1"),
        (r"\s+([.,;:!?])", r"\1"),
        (r"\s+", " "),
    )
)


def clean(text: str) -> str:
    """What a person would say of a tweet or a comment.

    Links, user names, markup, smileys and emoji go; a plain site name becomes ``name dot com``;
    lengthened words and repeated marks become short. Cleaning twice changes nothing more.
    """
    text = html.unescape(html.unescape(text))
    for pattern, by in _RULES:
        text = pattern.sub(by, text)
    return text.strip(" ,;:-")


def speak(
    text: str, seed: int, *, lead_s: float = 0.0, tail_s: float = 0.0, clear: bool = False
) -> NDArray[np.float32]:
    """Say a text with a voice drawn from ``seed``.

    Args:
        text: At most ``MOST_WORDS`` words of it are said, as they stand (see ``clean``).
        seed: Voice, speed, pitch, loudness and background depend on it, the words do not.
        lead_s: Seconds before the first word, besides a drawn short pause.
        tail_s: Seconds after the last word, besides a drawn short pause.
        clear: Draw only voices and speeds that a small recogniser follows well.

    Returns:
        float32 (samples,), 16 kHz, one channel, -1..1.

    Raises:
        SettingsError: If eSpeak NG is not installed.
        MediaError: If it fails on this text.
    """
    rng = random.Random(f"speak/{seed}")
    command = _command(rng, clear)
    peak, before, after = rng.uniform(0.3, 0.9), rng.uniform(0.1, 0.6), rng.uniform(0.2, 0.8)
    voice = _synthesise(command, " ".join(text.replace("[[", " ").split()[:MOST_WORDS]))
    if len(voice):
        voice = voice * np.float32(peak / max(float(np.abs(voice).max()), 1e-6))
    pads = [int((lead_s + before) * SAMPLE_RATE), int((tail_s + after) * SAMPLE_RATE)]
    return _with_background(np.pad(voice, pads), voice, rng, seed)


def _command(rng: random.Random, clear: bool) -> list[str]:
    voices = (_CLEAR_VOICES, _CLEAR_VARIANTS) if clear else (_VOICES, _VARIANTS)
    speeds, pitches = (_CLEAR_SPEEDS, _CLEAR_PITCHES) if clear else (_SPEEDS, _PITCHES)
    voice = "".join(rng.choice(names) for names in voices)
    speed, pitch = rng.randint(*speeds), rng.randint(*pitches)
    return [PROGRAM, "--stdin", "--stdout", "-b", "1", "-v", voice, "-s", str(speed),
            "-p", str(pitch)]  # fmt: skip


def _synthesise(command: list[str], text: str) -> NDArray[np.float32]:
    """The text goes in by standard input, so that no word of it can act as an option."""
    if not text:
        return np.zeros(0, np.float32)
    try:
        done = subprocess.run(
            command, input=text.encode(), capture_output=True, timeout=_TIMEOUT_S, check=True
        )
        return _decode(done.stdout)
    except FileNotFoundError as error:
        raise SettingsError(
            "espeak-ng is not installed, and no text can be spoken without it. "
            "On Debian: apt-get install espeak-ng."
        ) from error
    except (subprocess.SubprocessError, wave.Error, EOFError) as error:
        raise MediaError(
            f"espeak-ng could not speak a text of {len(text)} letters ({type(error).__name__}); "
            "leave the text out."
        ) from error


def _decode(wav: bytes) -> NDArray[np.float32]:
    """16-bit mono WAV of any rate to float32 at 16 kHz."""
    if not wav:
        return np.zeros(0, np.float32)
    with wave.open(io.BytesIO(wav)) as handle:
        rate = handle.getframerate()
        # A header that was written to a pipe names no length: take what there is.
        samples = np.frombuffer(handle.readframes(len(wav) // 2), "<i2").astype(np.int16)
    if not len(samples):
        return np.zeros(0, np.float32)
    frame = AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
    frame.sample_rate = rate
    resampler = AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    parts = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray()[0] for part in parts]).astype(np.float32)


def _with_background(
    sound: NDArray[np.float32], voice: NDArray[np.float32], rng: random.Random, seed: int
) -> NDArray[np.float32]:
    kind = rng.choice(("none", "none", "noise", "tones"))
    level = 10 ** (rng.uniform(*_FAINT_DB) / 20)
    if kind == "none" or not len(voice):
        return sound
    noise = np.random.default_rng(abs(seed))
    under = _hiss(len(sound), noise) if kind == "noise" else _tones(len(sound), noise)
    loudness = float(np.sqrt(np.mean(voice**2))) * level
    mixed = sound + under * np.float32(loudness / max(float(np.sqrt(np.mean(under**2))), 1e-9))
    return np.clip(mixed, -1, 1).astype(np.float32)


def _hiss(length: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """White noise, or its running mean, which sounds like a room."""
    white = rng.standard_normal(length + 16).astype(np.float32)
    width = int(rng.integers(1, 12))
    return np.asarray(np.convolve(white, np.full(width, 1 / width), "same")[:length], np.float32)


def _tones(length: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Notes of a pentatonic scale, each fading, as of a plucked string: music of a kind."""
    step = int(SAMPLE_RATE * rng.uniform(0.2, 0.5))
    time = np.arange(step) / SAMPLE_RATE
    root = rng.uniform(110, 330)
    out = np.zeros(length + step, np.float32)
    for start in range(0, length, step):
        pitch = root * 2 ** (rng.choice((0, 2, 4, 7, 9, 12)) / 12)
        wave_form = np.sin(2 * np.pi * pitch * time) + 0.4 * np.sin(4 * np.pi * pitch * time)
        out[start : start + step] += (wave_form * np.exp(-3 * time / time[-1])).astype(np.float32)
    return out[:length]
