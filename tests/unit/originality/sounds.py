"""Sounds for tests, made of notes: another tempo keeps the pitch, as editors do it."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
Sound = NDArray[np.float32]


@cache
def melody(seed: int, seconds: float = 12.0, speed: float = 1.0) -> Sound:
    """Random notes of four partials, five a second, played ``speed`` times as fast."""
    rng = np.random.default_rng(seed)
    samples = np.zeros(int(seconds / speed * RATE) + RATE, np.float64)
    for number in range(int(seconds * 5)):
        start, pitch = number / 5 + rng.uniform(0, 0.1), 200 * 2 ** (rng.integers(0, 30) / 12)
        length = rng.uniform(0.15, 0.5) / speed
        time = np.arange(int(length * RATE)) / RATE
        fade = np.minimum(time / 0.01, 1) * np.exp(-4 * time / length)
        parts = [np.sin(2 * np.pi * k * pitch * time + k) / k for k in (1, 2, 3, 4)]
        note = np.sum(parts, axis=0)
        at = int(start / speed * RATE)
        samples[at : at + len(note)] += 0.1 * fade * note
    return samples[: int(seconds / speed * RATE)].astype(np.float32)


def noisy(sound: Sound, decibels: float, seed: int = 0) -> Sound:
    """With white noise so much below it."""
    noise = np.random.default_rng(seed).normal(size=len(sound))
    level = np.sqrt(np.mean(sound**2)) * 10 ** (-decibels / 20)
    return (sound + level * noise).astype(np.float32)


def tone(seconds: float = 10.0, hertz: float = 440.0) -> Sound:
    """One steady note."""
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)).astype(
        np.float32
    )
