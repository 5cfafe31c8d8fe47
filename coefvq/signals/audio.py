"""Sound statistics: how loud, how bright, how it is spread over time and frequency.

Only the first ``MAX_SECONDS`` of the sound are read: the statistics are for a first look at
short videos, and what comes later reaches the system through speech recognition.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Floats = NDArray[np.float32]

RATE = 16_000
MAX_SECONDS = 60.0
BANDS = 16
_WINDOW, _HOP = 512, 512  # windows of 32 ms
_FLOOR_DB = -80.0  # quieter than this counts as this
_SILENT_DB = -50.0
_SPEECH_HZ = (300.0, 3400.0)  # the telephone band
_SYLLABLES_HZ = (2.0, 8.0)  # how often speech rises and falls

_SCALAR_NAMES = (
    "loudness_mean",  # dB below full scale / 10, over windows of 32 ms
    "loudness_max",
    "loudness_std",
    "loudness_range",  # 95th minus 5th percentile
    "centroid_mean",  # spectral centre of gravity, kHz, over windows that are not silent
    "centroid_std",
    "flatness_mean",  # 0 a pure tone, 1 white noise
    "rolloff_mean",  # kHz below which 85 % of the energy lies
    "crossings_mean",  # share of neighbouring samples that change sign
    "crossings_std",
    "onset_rate",  # sudden rises of the spectrum a second
    "silence_share",  # windows below -50 dB
    "speech_band_share",  # energy between 300 and 3400 Hz
    "syllable_share",  # loudness changes at 2..8 Hz as a share of all changes
    "clipped_share",  # samples at full scale
)
SOUND_NAMES: tuple[str, ...] = (
    *_SCALAR_NAMES,
    *(f"band{index:02d}_mean" for index in range(BANDS)),  # dB / 10 in mel bands, low to high
    *(f"band{index:02d}_std" for index in range(BANDS)),
)
"""One name a dimension of ``sound_statistics``."""


def sound_statistics(sound: NDArray[np.float32] | None) -> Floats | None:
    """Describe a sound track's first minute.

    Args:
        sound: float32 (samples,), 16 kHz mono in -1..1; ``None`` where there is no sound.

    Returns:
        float32 (len(SOUND_NAMES),); ``None`` without a sound track or with an empty one.
    """
    if sound is None or len(sound) == 0:
        return None
    sound = np.nan_to_num(sound[: int(MAX_SECONDS * RATE)].astype(np.float32))
    windows = _windows(np.clip(sound, -1.0, 1.0))
    power = _power(windows)
    bands = 10 * np.log10(power @ _mel_filters() + 1e-8)
    loudness = _loudness(windows)
    loud = loudness > _SILENT_DB
    values = {
        **_levels(loudness, sound),
        **_spectrum(power[loud]),
        **_crossings(windows[loud]),
        **_rhythm(loudness, bands),
    }
    scalars = [values[name] for name in _SCALAR_NAMES]
    return np.concatenate([scalars, bands.mean(0) / 10, bands.std(0) / 10]).astype(np.float32)


def _windows(sound: Floats) -> Floats:
    """Overlapping windows (n, 512); a sound shorter than one window is padded with silence."""
    if len(sound) < _WINDOW:
        sound = np.pad(sound, (0, _WINDOW - len(sound)))
    return np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::_HOP]


def _power(windows: Floats) -> Floats:
    """Power spectrum (n, 257), scaled so that a full-scale sine peaks near 1/4."""
    shape = np.hanning(_WINDOW).astype(np.float32)
    spectrum = scipy.fft.rfft(windows * shape, axis=1)
    scale = np.float32(1 / shape.sum() ** 2)
    return np.asarray((spectrum.real**2 + spectrum.imag**2) * scale, np.float32)


@cache
def _frequencies() -> Floats:
    return np.fft.rfftfreq(_WINDOW, 1 / RATE).astype(np.float32)


@cache
def _mel_filters() -> Floats:
    """Triangular filters (257, 16), equally wide in mel (O'Shaughnessy: 2595 log10(1+f/700))."""
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1)
    hz = _frequencies()[:, None]
    rise = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - hz) / (edges[2:] - edges[1:-1])
    return np.clip(np.minimum(rise, fall), 0, None).astype(np.float32)


def _loudness(windows: Floats) -> Floats:
    """Level of every window in dB below full scale, not below -80."""
    power = np.einsum("ij,ij->i", windows, windows) / _WINDOW
    return np.asarray(10 * np.log10(power + 10 ** (_FLOOR_DB / 10)), np.float32)


def _levels(loudness: Floats, sound: Floats) -> dict[str, float]:
    low, high = np.quantile(loudness, [0.05, 0.95])
    return {
        "loudness_mean": float(loudness.mean()) / 10,
        "loudness_max": float(loudness.max()) / 10,
        "loudness_std": float(loudness.std()) / 10,
        "loudness_range": float(high - low) / 10,
        "silence_share": float((loudness <= _SILENT_DB).mean()),
        "clipped_share": float((np.abs(sound) >= 0.999).mean()),
    }


def _spectrum(power: Floats) -> dict[str, float]:
    """Shape of the spectrum over the windows that are not silent; zeros where all are."""
    names = ("centroid_mean", "centroid_std", "flatness_mean", "rolloff_mean", "speech_band_share")
    if len(power) == 0:
        return dict.fromkeys(names, 0.0)
    hz, total = _frequencies(), power.sum(1) + 1e-12
    centroid = power @ hz / total / 1000
    flatness = np.exp(np.log(power + 1e-12).mean(1)) / (power.mean(1) + 1e-12)
    rolloff = hz[(np.cumsum(power, 1) < 0.85 * total[:, None]).sum(1).clip(max=len(hz) - 1)]
    speech = power[:, (hz >= _SPEECH_HZ[0]) & (hz <= _SPEECH_HZ[1])].sum(1) / total
    found = (centroid.mean(), centroid.std(), flatness.mean(), rolloff.mean() / 1000, speech.mean())
    return {name: float(value) for name, value in zip(names, found, strict=True)}


def _crossings(windows: Floats) -> dict[str, float]:
    if len(windows) == 0:
        return {"crossings_mean": 0.0, "crossings_std": 0.0}
    signs = windows >= 0
    share = (signs[:, 1:] != signs[:, :-1]).mean(1)
    return {"crossings_mean": float(share.mean()), "crossings_std": float(share.std())}


def _rhythm(loudness: Floats, bands: Floats) -> dict[str, float]:
    """Sudden rises a second, and how much of the loudness moves at the pace of syllables."""
    seconds = len(loudness) * _HOP / RATE
    rise = np.clip(np.diff(np.maximum(bands, -60), axis=0), 0, None).mean(1)
    onsets = int(((rise[1:] > 6.0) & (rise[:-1] <= 6.0)).sum()) if len(rise) > 1 else 0
    swing = np.abs(scipy.fft.rfft(loudness - loudness.mean())) ** 2
    pace = np.fft.rfftfreq(len(loudness), _HOP / RATE)
    syllables = swing[(pace >= _SYLLABLES_HZ[0]) & (pace <= _SYLLABLES_HZ[1])].sum()
    return {
        "onset_rate": onsets / seconds,
        "syllable_share": float(syllables / (swing.sum() + 1e-9)),
    }
