"""What the sound is like, by the encoder of the speech recogniser: two states a second.

Words are one part of what a sound track says; a shout, a crowd or music are others, and the
encoder (Whisper tiny.en, the model that transcribes) hears them as well. Unlike transcription
this reads the raw sound: nothing is cut out, so the states keep the time line of the video.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coefvq.signals import speech

STATES_PER_SECOND = 2
WIDTH = 384  # of Whisper tiny's states
MAX_SECONDS = 60
_RATE = 16_000
_WINDOW_S = 30  # longest the encoder takes
_HOP = 320  # samples a position of the encoder: two mel frames of 10 ms
_MEL_HOP = 160
_GROUP = _RATE // _HOP // STATES_PER_SECOND
# The encoder was trained on windows filled up with silence to 30 s, and filling them up makes
# its cost five times that of the sound. With this much, states of 10 s of speech or music have a
# mean cosine of 0.987 to 0.999 with those of a full window, and 0.96 at the lowest.
_SILENCE_S = 5
_SHORTEST_S = 10

Sound = NDArray[np.float32]


def encode_states(sound: Sound, threads: int = 0) -> NDArray[np.float16]:
    """Encode the first minute of a sound track.

    Windows of 30 s that follow each other are encoded one by one. A later minute is not heard
    at all: windows picked over a longer sound would not stand at their time.

    Args:
        sound: float32 (samples,), 16 kHz mono in -1..1. Values outside are clipped, those that
            are no numbers are silence.
        threads: CPU threads of the recogniser, if it is not loaded yet; 0: all cores.

    Returns:
        float16 (T, 384): state t is the mean over second t/2 to (t+1)/2, or to the end of the
        sound; T is 2 a second rounded up, at most 120. No state covers only padding. The
        same sound gives the same numbers on one machine.

    Raises:
        ModelError: The weights are not installed or damaged.
    """
    clean = np.nan_to_num(np.asarray(sound, np.float32), posinf=1.0, neginf=-1.0)
    clean = np.clip(clean[: MAX_SECONDS * _RATE], -1.0, 1.0)
    size = _WINDOW_S * _RATE
    windows = [clean[at : at + size] for at in range(0, len(clean), size)]
    pooled = [_pool(_encode(window, threads)) for window in windows]
    return np.concatenate([np.empty((0, WIDTH), np.float32), *pooled]).astype(np.float16)


def _encode(window: Sound, threads: int) -> NDArray[np.float32]:
    """States (positions, 384) of at most 30 s, 50 a second, without those of the padding."""
    model = speech.model(threads)
    seconds = max(-(-len(window) // _RATE) + _SILENCE_S, _SHORTEST_S)
    samples = min(seconds, _WINDOW_S) * _RATE
    padded = np.pad(window, (0, samples - len(window)))
    features = model.feature_extractor(padded)[:, : samples // _MEL_HOP]
    states = np.asarray(model.encode(np.ascontiguousarray(features, np.float32)))[0]
    return np.asarray(states[: -(-len(window) // _HOP)], np.float32)


def _pool(states: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of 25 states each; the last mean takes what is left."""
    starts = np.arange(0, len(states), _GROUP)
    counts = np.diff([*starts, len(states)])
    return np.asarray(np.add.reduceat(states, starts) / counts[:, None], np.float32)
