"""Landmarks of a sound track: pairs of spectral peaks that survive re-encoding and noise.

After Wang 2003, "An industrial-strength audio search algorithm". A landmark is two peaks near
one another, hashed as (first frequency, second frequency, frames between them), with the time of
the first. Found again at the same offset over and over, they prove that a sound was copied.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SAMPLE_RATE = 16_000
HOP = 256
"""Samples between two spectra: a frame is 16 ms."""
FRAMES_A_S = SAMPLE_RATE / HOP
MOST_GAP = 63
"""Frames between the peaks of a landmark, at most (1 s)."""

_WINDOW = 1024
_LOWEST, _BINS = 13, 256  # bins of 15.6 Hz: 200 Hz to 4.2 kHz, what low bit rates keep
_NEAR_FRAMES, _NEAR_BINS = 5, 8  # a peak is the loudest within these, either way
_AROUND = 16  # frames either way that a peak is compared with
_STANDS_OUT = 0.35  # nepers (3 dB) over its own bin's mean: a steady tone tells nothing
_SILENCE = 1e-4  # amplitude (1 is full scale) below which nothing is a peak
_DEEP = 5.8  # nepers (50 dB) below the loudest of the second: inaudible beside it
_PEAKS_A_S = 8  # the strongest of the second around each
_LEAST_GAP = 2  # frames
_REACH = 96  # bins between the two peaks of a landmark, at most (1.5 kHz)
_PAIRS = 2  # landmarks that start at one peak, at most
_BLOCK = 4096  # frames that are transformed at once

Floats = NDArray[np.float32]
Landmarks = NDArray[np.uint32]


def landmarks(samples: Floats) -> Landmarks:
    """Find the landmarks of a sound.

    Args:
        samples: float32 (samples,), one channel, 16 kHz, -1..1.

    Returns:
        uint32 (k, 2): hash (22 bits) and time in 1/100 s, by time. About twelve a second of
        speech or music; none for silence and steady tones.
    """
    times, bins = _strongest(*_peaks(samples))
    return _pairs(times, bins)


def pack(first: NDArray[np.int64], second: NDArray[np.int64], gap: NDArray[np.int64]) -> Landmarks:
    """Hashes of landmarks: two frequency bins 0..255 and frames between them 0..63."""
    return np.asarray((first << 14) | (second << 6) | gap, np.uint32)


def gaps(hashes: Landmarks) -> NDArray[np.int64]:
    """Frames between the two peaks of each landmark."""
    return np.asarray(hashes & MOST_GAP, np.int64)


def with_gaps(hashes: Landmarks, gap: NDArray[np.int64]) -> Landmarks:
    """The same frequencies with other frames between them."""
    return np.asarray((hashes & ~np.uint32(MOST_GAP)) | gap.astype(np.uint32), np.uint32)


def _peaks(samples: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Frame, bin and level of every local maximum, by frame."""
    found = [
        (at + rows, columns, levels)
        for at, spectra, keep in _spectra(samples)
        for rows, columns, levels in [_maxima(spectra, keep)]
    ]
    if not found:
        none = np.zeros(0, np.int64)
        return none, none, np.zeros(0, np.float32)
    rows, columns, levels = (np.concatenate(part) for part in zip(*found, strict=True))
    return rows, columns, levels


def _spectra(samples: Floats) -> Iterator[tuple[int, Floats, slice]]:
    """Log amplitudes (frames, bins) block by block, which overlap, and the rows that count."""
    count = 1 + (len(samples) - _WINDOW) // HOP if len(samples) >= _WINDOW else 0
    window = np.hanning(_WINDOW).astype(np.float32)
    scale = 2 / window.sum()
    margin = _AROUND + _NEAR_FRAMES
    for start in range(0, count, _BLOCK):
        first, last = max(start - margin, 0), min(start + _BLOCK + margin, count)
        piece = samples[first * HOP : (last - 1) * HOP + _WINDOW]
        frames = np.lib.stride_tricks.sliding_window_view(piece, _WINDOW)[::HOP]
        spectra = np.abs(np.fft.rfft(frames * window, axis=1)[:, _LOWEST : _LOWEST + _BINS])
        level = np.log(np.maximum(spectra * scale, 1e-7)).astype(np.float32)
        yield first, level, slice(start - first, min(start + _BLOCK, count) - first)


def _maxima(level: Floats, keep: slice) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    # Recorded sound falls by about 6 dB an octave; without this the bass takes every peak.
    tilted = level + np.log(np.arange(_LOWEST, _LOWEST + _BINS, dtype=np.float32))
    size = (2 * _NEAR_FRAMES + 1, 2 * _NEAR_BINS + 1)
    peak = tilted == ndimage.maximum_filter(tilted, size)
    peak &= level > np.log(_SILENCE)
    usual = ndimage.uniform_filter1d(level, 2 * _AROUND + 1, axis=0, mode="nearest")
    peak &= level > usual + _STANDS_OUT
    inside = np.zeros(len(level), bool)
    inside[keep] = True
    rows, columns = np.nonzero(peak & inside[:, None])
    return rows, columns, tilted[rows, columns]


def _strongest(
    times: NDArray[np.int64], bins: NDArray[np.int64], levels: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Peaks with fewer than ``_PEAKS_A_S`` louder ones within half a second either way."""
    half = round(FRAMES_A_S / 2)
    louder = np.zeros(len(times), np.int64)
    loudest = levels.copy()
    for step in range(1, len(times)):
        near = times[step:] - times[:-step] <= half
        if not near.any():
            break
        early, late = levels[:-step], levels[step:]
        louder[:-step] += near & (late > early)
        louder[step:] += near & (early >= late)
        np.maximum(loudest[:-step], np.where(near, late, -np.inf), out=loudest[:-step])
        np.maximum(loudest[step:], np.where(near, early, -np.inf), out=loudest[step:])
    strong = (louder < _PEAKS_A_S) & (levels > loudest - _DEEP)
    return times[strong], bins[strong]


def _pairs(times: NDArray[np.int64], bins: NDArray[np.int64]) -> Landmarks:
    """Join each peak to the next ones that are neither too near nor too far."""
    made = np.zeros(len(times), np.int64)
    rows: list[Landmarks] = []
    for step in range(1, len(times)):
        gap = times[step:] - times[:-step]
        if gap.min() > MOST_GAP:
            break
        apart = np.abs(bins[step:] - bins[:-step])
        fits = (gap >= _LEAST_GAP) & (gap <= MOST_GAP) & (apart >= 1) & (apart <= _REACH)
        at = np.nonzero(fits & (made[:-step] < _PAIRS))[0]
        made[at] += 1
        hundredths = np.round(times[at] * (100 / FRAMES_A_S)).astype(np.uint32)
        rows.append(np.stack([pack(bins[at], bins[at + step], gap[at]), hundredths], axis=1))
    found = np.concatenate(rows) if rows else np.zeros((0, 2), np.uint32)
    return found[np.lexsort((found[:, 0], found[:, 1]))]
