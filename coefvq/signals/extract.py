"""From a probed file to its signals: cheap for every video, expensive where escalated."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from coefvq.domain import CheapSignals, ExpensiveSignals, MediaInfo, TimedText
from coefvq.errors import MediaError
from coefvq.ledger import loading
from coefvq.media.limits import MediaLimits
from coefvq.media.sampling import sample
from coefvq.media.sound import decode_sound
from coefvq.originality.hashing import keyframe_hashes
from coefvq.signals import screen_text, sound_states, speech, tower
from coefvq.signals.action import ACTION_NAMES
from coefvq.signals.action_read import read_action
from coefvq.signals.audio import MAX_SECONDS, SOUND_NAMES, sound_statistics
from coefvq.signals.motion import MOTION_NAMES, motion_statistics
from coefvq.signals.visual import VISUAL_NAMES, visual_statistics

CHEAP_REVISION = 1  # raise when a number is computed differently under the same name
# Hashes of frames came without raising it, which would part old vectors from new ones in "find
# similar": signals that were cached before have none, and that counts as absent.
EXPENSIVE_REVISION = 2

CHEAP_FRAMES = 8
EXPENSIVE_FRAMES = 16
_BURSTS = 4
_LONG_SIDE = 448
_TEXT_LONG_SIDE = 960
_NO_PICTURES = ("no_frames", "decode_timeout")

Sound = NDArray[np.float32]
Heard = tuple[speech.Speech | None, NDArray[np.float16] | None, tuple[str, ...]]


class CheapExtractor:
    """What every video gets: frame features and hashes, picture, motion and sound statistics.

    Safe to call from several threads. The numbers are the same on every run of one machine;
    between bfloat16 and float32 machines frame features differ by about 0.1 % in direction.
    """

    def __init__(self, threads: int = 0, limits: MediaLimits | None = None):
        """
        Args:
            threads: CPU threads of torch and OpenCV, for the whole process; 0: their default.
            limits: What files may cost.
        """
        self._limits = limits or MediaLimits()
        if threads:
            torch.set_num_threads(threads)
            cv2.setNumThreads(threads)

    @cached_property
    def version(self) -> str:
        """Changes when any number that ``extract`` returns would change or move."""
        names = (*VISUAL_NAMES, *MOTION_NAMES, *SOUND_NAMES)
        with loading("the digest of the frame encoder"):
            return _version("cheap", CHEAP_REVISION, names, tower.weights_path())

    @cached_property
    def _encoder(self) -> tower.FrameEncoder:
        with loading("the frame encoder"):
            return tower.frame_encoder()

    def extract(self, info: MediaInfo) -> CheapSignals:
        """Sample the video once and describe it.

        Raises:
            MediaError: No frame of the video can be decoded.
            ModelError: The weights are not installed.
        """
        encoder = self._encoder
        seen = sample(info, self._limits, frames=CHEAP_FRAMES, bursts=_BURSTS, long_side=_LONG_SIDE)
        sound, warnings = read_sound(info, self._limits, MAX_SECONDS)
        hashes, quality = keyframe_hashes(seen.frames)
        return CheapSignals(
            extractor=self.version,
            frame_embeddings=encoder(seen.frames),
            frame_times_s=np.asarray(seen.times_s, np.float32),
            visual=visual_statistics(seen.frames),
            motion=motion_statistics(seen.bursts),
            sound=sound_statistics(sound),
            frame_hashes=hashes,
            frame_quality=quality,
            warnings=_unique(*seen.warnings, *warnings),
        )


class ExpensiveExtractor:
    """What only an escalated video gets: speech, sound states, screen text, action.

    The models load at first need and are then shared by all threads.
    """

    def __init__(self, threads: int = 0, limits: MediaLimits | None = None):
        """
        Args:
            threads: CPU threads a model; 0: one model's default is all cores.
            limits: What files may cost.
        """
        self._threads = threads
        self._limits = limits or MediaLimits()

    @cached_property
    def version(self) -> str:
        """Changes when a recogniser, its weights or what is kept of it change."""
        parts = (version("faster-whisper"), version("rapidocr"), *ACTION_NAMES)
        weights = speech.model_folder() / "model.bin"
        with loading("the digest of the speech recogniser"):
            return _version("expensive", EXPENSIVE_REVISION, parts, weights)

    @cached_property
    def _recognisers(self) -> None:
        """Loads both once, before anything is timed; a silent video may not need the first."""
        with loading("the speech and screen text recognisers"):
            speech.model(self._threads)
            screen_text.load(self._threads)

    def extract(self, info: MediaInfo) -> ExpensiveSignals:
        """Listen to the sound and read the pictures, both at the same time.

        Raises:
            MediaError: The file cannot be opened any more.
            ModelError: The weights are not installed.
        """
        _ = self._recognisers
        with ThreadPoolExecutor(1, "listening") as pool:
            listening = pool.submit(self._listen, info)
            lines, times_s, more = self._read_screen(info)
            motion = self._watch(info)
            heard, states, warnings = listening.result()
        return ExpensiveSignals(
            extractor=self.version,
            speech=heard.lines if heard else None,
            speech_understood=heard.understood if heard else None,
            screen_text=lines,
            frame_times_s=times_s,
            warnings=_unique(*warnings, *more),
            sound_states=states,
            motion=motion,
        )

    def _listen(self, info: MediaInfo) -> Heard:
        """Speech, encoder states and warnings; absent without a sound track that decodes."""
        sound, warnings = read_sound(info, self._limits, speech.MAX_SECONDS)
        heard = speech.transcribe(sound, self._threads)
        if sound is None or heard is None:
            return None, None, warnings
        if info.duration_s > speech.MAX_SECONDS:
            warnings = (*warnings, "speech_partial")
        states = sound_states.encode_states(sound, self._threads)
        return heard, states, (*warnings, *heard.warnings)

    def _watch(self, info: MediaInfo) -> NDArray[np.float32] | None:
        """Action statistics; absent where no run of frames decodes."""
        try:
            return read_action(info, self._limits)
        except MediaError as error:
            if error.code not in _NO_PICTURES:
                raise
            return None

    def _read_screen(
        self, info: MediaInfo
    ) -> tuple[tuple[TimedText, ...] | None, tuple[float, ...], tuple[str, ...]]:
        """Screen text, the frames' times and warnings; absent where no larger frame decodes."""
        try:
            seen = sample(
                info, self._limits, frames=EXPENSIVE_FRAMES, bursts=0, long_side=_TEXT_LONG_SIDE
            )
        except MediaError as error:
            if error.code not in _NO_PICTURES:
                raise
            return None, (), ("screen_text_failed",)
        lines = screen_text.read_frames(seen.frames, seen.times_s, info.duration_s, self._threads)
        return lines, tuple(float(time) for time in seen.times_s), seen.warnings


def read_sound(
    info: MediaInfo, limits: MediaLimits, max_s: float
) -> tuple[Sound | None, tuple[str, ...]]:
    """The sound's first seconds and its warnings; a sound track that fails is absent."""
    if not info.has_audio:
        return None, ()
    try:
        sound = decode_sound(info.path, limits, max_s)
    except MediaError:
        return None, ("sound_failed",)
    return (None, ("sound_failed",)) if sound is None else (sound.samples, sound.warnings)


def _version(kind: str, revision: int, parts: tuple[str, ...], weights: Path) -> str:
    digest = hashlib.sha256("\n".join(parts).encode())
    with weights.open("rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"{kind}-{revision}-{digest.hexdigest()[:8]}"


def _unique(*codes: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(codes))
