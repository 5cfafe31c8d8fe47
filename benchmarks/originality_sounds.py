"""Sounds and edits that the sound benchmark is made of: clips, music and speech made here."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coefvq.errors import MediaError
from coefvq.media.sound import SAMPLE_RATE, decode_sound

Sound = NDArray[np.float32]
_LEAST_S = 5.0
_SUFFIXES = (".mp3", ".mp4", ".mkv", ".webm", ".wav", ".ogg", ".m4a", ".mov")
_WORDS = re.findall(
    r"\w+",
    "the market opened early this morning and people came from all over town to buy fresh "
    "fruit bread fish and flowers while children played near the old stone bridge under a "
    "grey sky waiting for rain that never came because the wind turned south again before "
    "noon so everyone laughed and went home singing about summer winter mountain river secret "
    "letters forgotten names silver coins and broken windows ",
)
_VOICES = ("en-us", "en-gb", "en-us+f2", "en-us+m3", "de", "es", "fr", "en-us+klatt")
_RAW = ("-ac", "1", "-ar", str(SAMPLE_RATE), "-f", "f32le")

EDITS: dict[str, tuple[str | None, tuple[str, ...]]] = {
    # name -> (ffmpeg filter, encoder arguments)
    "unchanged": (None, ()),
    "aac 32 kbit/s": (None, ("-c:a", "aac", "-b:a", "32k", "-f", "adts")),
    "opus 16 kbit/s": (None, ("-c:a", "libopus", "-b:a", "16k", "-f", "ogg")),
    "mp3 48 kbit/s": (None, ("-c:a", "libmp3lame", "-b:a", "48k", "-f", "mp3")),
    "20 dB quieter": ("volume=-20dB", ()),
    "telephone band": ("highpass=f=300,lowpass=f=3400", ()),
    "tempo 0.8": ("atempo=0.8", ()),
    "tempo 0.9": ("atempo=0.9", ()),
    "tempo 1.1": ("atempo=1.1", ()),
    "tempo 1.15": ("atempo=1.15", ()),
    "tempo 1.25": ("atempo=1.25", ()),
    "tape 1.1 (pitch changes)": ("asetrate=17600,aresample=16000", ()),
}
"""What ffmpeg does; the rest is done to the samples, see ``mixed``."""


def clips(folder: Path) -> Iterator[tuple[str, Sound]]:
    """Sounds of at least five seconds below a folder that are not silent.

    Of a folder called ``copies`` only files with ``orig`` in their name, lest one original is
    there twice.
    """
    for path in sorted(folder.rglob("*")):
        is_copy = path.parent.name == "copies" and "orig" not in path.name
        if path.suffix.lower() not in _SUFFIXES or is_copy:
            continue
        try:
            sound = decode_sound(path)
        except MediaError:
            continue
        if sound is None or len(sound.samples) < _LEAST_S * SAMPLE_RATE:
            continue
        if float(np.abs(sound.samples).max()) > 0.001:
            yield str(path.relative_to(folder)), sound.samples


def speech(seed: int, seconds: float = 30.0) -> Sound | None:
    """Made-up sentences read by eSpeak NG; ``None`` where it is not installed."""
    program = shutil.which("espeak-ng")
    if program is None:
        return None
    rng = np.random.default_rng(seed)
    words = " ".join(rng.choice(_WORDS, 120))
    voice = _VOICES[seed % len(_VOICES)]
    manner = ["-s", str(rng.integers(120, 190)), "-p", str(rng.integers(20, 80))]
    spoken = subprocess.run(
        [program, "-v", voice, *manner, "--stdout", words], capture_output=True, check=True
    ).stdout
    return _ffmpeg(spoken, ["-t", str(seconds), *_RAW])


def music(seed: int, seconds: float = 40.0) -> Sound:
    """Chords, a melody over them and, mostly, drums: eight tempi, eight keys, two scales."""
    rng = np.random.default_rng(seed)
    beat = 60 / float(rng.choice([90, 100, 110, 120, 120, 120, 128, 140]))
    root = 55 * 2 ** (rng.integers(0, 8) / 12)
    scale = np.array([0, 2, 3, 5, 7, 8, 10] if rng.random() < 0.5 else [0, 2, 4, 5, 7, 9, 11])
    chords, drums = rng.integers(0, 7, 4), rng.random() < 0.6
    out = np.zeros(int((seconds + 4) * SAMPLE_RATE))
    for step in range(int(seconds / beat * 2)):
        at = int(step * beat / 2 * SAMPLE_RATE)
        if drums:
            _add(out, at, _drum(step % 2 == 0, rng))
        if step % 8 == 0:
            for third in (0, 2, 4):
                pitch = root * 2 * _degree(scale, int(chords[step // 8 % 4]) + third)
                _add(out, at, 0.25 * _note(pitch, beat * 4, rng))
        if rng.random() < 0.8:
            pitch = root * 4 * _degree(scale, int(rng.integers(0, 14)))
            _add(out, at, 0.35 * _note(pitch, beat * rng.choice([0.5, 1, 2]), rng))
    out = out[: int(seconds * SAMPLE_RATE)]
    return (0.6 * out / np.abs(out).max()).astype(np.float32)


def edited(sound: Sound, edit: str) -> Sound:
    """The sound after one of ``EDITS``."""
    effect, encoder = EDITS[edit]
    changed = sound
    if effect is not None:
        changed = _ffmpeg(sound.tobytes(), ["-af", effect, *_RAW], raw=True)
    if encoder:
        packed = _run(changed.tobytes(), [*encoder], raw=True)
        changed = _ffmpeg(packed, [*_RAW])
    return changed


def mixed(sound: Sound, other: Sound, decibels: float) -> Sound:
    """The sound with another one so many decibels below it, repeated to its length."""
    other = np.resize(other, len(sound))
    level = np.sqrt(np.mean(sound**2) / max(float(np.mean(other**2)), 1e-12))
    return (sound + level * 10 ** (-decibels / 20) * other).astype(np.float32)


def _degree(scale: NDArray[np.int64], step: int) -> float:
    return float(2 ** ((scale[step % 7] + 12 * (step // 7)) / 12))


def _note(pitch: float, seconds: float, rng: np.random.Generator) -> NDArray[np.float64]:
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    fade = np.minimum(time / 0.01, 1) * np.exp(-time * rng.uniform(1, 4))
    parts = [k for k in range(1, 6) if pitch * k < 7000]
    waves = [np.sin(2 * np.pi * pitch * k * time + rng.uniform(0, 6)) / k**1.3 for k in parts]
    return np.asarray(fade * np.sum(waves, axis=0))


def _drum(low: bool, rng: np.random.Generator) -> NDArray[np.float64]:
    count = int((0.15 if low else 0.05) * SAMPLE_RATE)
    fade = np.exp(-np.arange(count) / SAMPLE_RATE * (25 if low else 80))
    if not low:
        return np.asarray(0.3 * rng.normal(size=count) * fade)
    sweep = np.cumsum(np.linspace(120, 45, count)) / SAMPLE_RATE
    return np.asarray(0.8 * np.sin(2 * np.pi * sweep) * fade)


def _add(out: NDArray[np.float64], at: int, piece: NDArray[np.float64]) -> None:
    end = min(len(out), at + len(piece))
    out[at:end] += piece[: end - at]


def _ffmpeg(data: bytes, arguments: list[str], raw: bool = False) -> Sound:
    return np.frombuffer(_run(data, arguments, raw), np.float32).copy()


def _run(data: bytes, arguments: list[str], raw: bool = False) -> bytes:
    given = ["-f", "f32le", "-ac", "1", "-ar", str(SAMPLE_RATE)] if raw else []
    command = ["ffmpeg", "-v", "error", *given, "-i", "pipe:0", *arguments, "pipe:1"]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout
