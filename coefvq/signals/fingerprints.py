"""A video file's fingerprint: one forward pass over its pictures, one over its sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from coefvq.domain import MediaInfo
from coefvq.errors import MediaError
from coefvq.media.container import open_media
from coefvq.media.frames import timed_frames
from coefvq.media.limits import MediaLimits
from coefvq.media.pictures import Converter, fit
from coefvq.media.probe import video_stream
from coefvq.media.sound import read_sound
from coefvq.media.source import shown
from coefvq.originality.fingerprint import MOTION_SIDE, THUMB_SIDE, VERSION, Fingerprint
from coefvq.originality.hashing import frame_hash
from coefvq.originality.quantise import encode
from coefvq.originality.sound import landmarks
from coefvq.signals.tower import frame_encoder, prepare

MOST_FRAMES = 7200
"""Looks at a video: one a second for the first two hours' worth, further apart beyond."""
MOTION_STEP_S = 0.25
_SHORT_S = 12.0  # up to here every picture is decoded: it costs little
_LEAST_SMALL = 64  # small pictures of a short video
_LEAST_LOOKS = 8  # of a short video: closer together, but not closer than motion
_LONG_SIDE = 720
_BATCH = 8
_CORNERS = ((1, 1), (0, 0), (0, 2), (2, 0), (2, 2))  # of the parts, in cells of the map

Progress = Callable[[float], None]
Skip = Literal["NONREF", "DEFAULT"]


def make_fingerprint(
    info: MediaInfo, limits: MediaLimits | None = None, progress: Progress | None = None
) -> Fingerprint:
    """Make the fingerprint of a video.

    Pictures that no other refers to are not decoded. Past ``limits.max_decode_s`` a pass stops,
    and the fingerprint covers the video up to there.

    Args:
        info: From ``probe``.
        limits: Bounds of the media code.
        progress: Called now and then with the share done, 0..1.

    Returns:
        The fingerprint; without landmarks where the video has no readable sound.

    Raises:
        MediaError: ``no_frames`` or ``decode_timeout`` where not one picture decodes, or the
            codes of ``open_container`` where the file has changed since the probe.
        ModelError: Weights are missing.
    """
    limits = limits or MediaLimits()
    looks = _look(info, limits, progress)
    if not looks.times_s:  # a stream may flag every picture as one that no other refers to
        looks = _look(info, limits, progress, skip="DEFAULT")
    if not looks.times_s:
        raise MediaError(
            f"{shown(info.path)}: not one frame could be decoded for its fingerprint. Upload the "
            "video again.",
            code="no_frames",
        )
    looks.embed(last=True)
    return Fingerprint(
        version=VERSION,
        duration_s=info.duration_s,
        aspect=info.width / max(1, info.height),
        times_s=np.array(looks.times_s, np.float32),
        hashes=np.stack(looks.hashes),
        quality=np.array(looks.quality, np.uint8),
        thumbs=np.stack(looks.thumbs),
        code_times_s=np.array(looks.code_times_s, np.float32),
        codes=np.concatenate(looks.codes),
        landmarks=_landmarks(info, limits),
        motion_times_s=np.array(looks.motion_times_s, np.float32),
        motion=np.stack(looks.motion),
        colour=np.array(looks.colour, np.float32),
    )


def look_step_s(duration_s: float) -> float:
    """Seconds from one look to the next: 1, closer in short videos, further apart in long ones."""
    return max(min(1.0, max(duration_s / _LEAST_LOOKS, MOTION_STEP_S)), duration_s / MOST_FRAMES)


def motion_step(duration_s: float) -> float:
    """Seconds from one small picture to the next: 0.25, closer in short videos, to 1/30.

    A short video has little else by which two takes of a scene could be told apart.
    """
    close = min(MOTION_STEP_S, max(1 / 30, duration_s / _LEAST_SMALL))
    return max(close, MOTION_STEP_S * duration_s / MOST_FRAMES)


@dataclass
class _Looks:
    """What has been seen of a video so far, in order of time."""

    times_s: list[float] = field(default_factory=list)
    hashes: list[NDArray[np.uint8]] = field(default_factory=list)
    quality: list[int] = field(default_factory=list)
    thumbs: list[NDArray[np.uint8]] = field(default_factory=list)
    colour: list[NDArray[np.float32]] = field(default_factory=list)
    code_times_s: list[float] = field(default_factory=list)
    codes: list[NDArray[np.uint8]] = field(default_factory=list)
    motion_times_s: list[float] = field(default_factory=list)
    motion: list[NDArray[np.uint8]] = field(default_factory=list)
    waiting: list[NDArray[np.uint8]] = field(default_factory=list)

    def see(self, time_s: float, picture: NDArray[np.uint8]) -> None:
        """Hash a frame uint8 (H, W, 3), and every other time keep it to be embedded."""
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        hashed, quality = frame_hash(grey)
        thumb = cv2.resize(grey, (THUMB_SIDE, THUMB_SIDE), interpolation=cv2.INTER_AREA)
        self.hashes.append(hashed)
        self.quality.append(quality)
        self.thumbs.append(np.asarray(thumb, np.uint8))
        self.colour.append(np.array(cv2.mean(picture)[:3], np.float32))
        if len(self.times_s) % 2 == 0:
            self.code_times_s.append(time_s)
            squeezed = cv2.resize(picture, (224, 224), interpolation=cv2.INTER_AREA)
            self.waiting.append(np.asarray(squeezed, np.uint8))
        self.times_s.append(time_s)
        self.embed()

    def embed(self, last: bool = False) -> None:
        """Embed the frames that wait once they fill a batch, or all that are left."""
        if len(self.waiting) >= _BATCH or (last and self.waiting):
            self.codes.append(_codes(np.stack(self.waiting)))
            self.waiting.clear()


def _look(
    info: MediaInfo, limits: MediaLimits, progress: Progress | None, skip: Skip = "NONREF"
) -> _Looks:
    looks = _Looks()
    step_s = look_step_s(info.duration_s)
    motion_step_s = motion_step(info.duration_s)
    skip = "DEFAULT" if info.duration_s < _SHORT_S else skip
    with open_media(info.path, limits) as media:
        stream = video_stream(media, info.path)
        stream.codec_context.thread_type, stream.codec_context.thread_count = "AUTO", 2
        stream.codec_context.skip_frame = skip
        width, height = fit(info.width, info.height, _LONG_SIDE)
        colour = Converter(width, height, info.rotation)
        grey = Converter(MOTION_SIDE, MOTION_SIDE, info.rotation, "gray")
        next_look = next_motion = 0.0
        for time_s, frame in timed_frames(media, stream):
            if time_s >= next_motion - 0.01:
                looks.motion_times_s.append(time_s)
                looks.motion.append(grey(frame))
                next_motion = time_s + motion_step_s
            if time_s >= next_look - 0.02:
                looks.see(time_s, colour(frame))
                next_look = time_s + step_s
                if progress is not None and info.duration_s > 0:
                    progress(min(1.0, time_s / info.duration_s))
    return looks


def region_features(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Features of the whole picture and of five parts of it, in one forward pass.

    As in R-MAC (Tolias, Sicre & Jégou 2016, ICLR) the parts are pooled from the last feature map:
    the middle and the four corners, each 5 of 7 cells wide and high.

    Args:
        frames: uint8 (n, H, W, 3), RGB.

    Returns:
        float32 (n, 6, 1280), the whole picture first.
    """
    encoder = frame_encoder()
    with torch.inference_mode():
        maps = encoder.network.feature_map(prepare(frames).to(encoder.precision)).float()
        parts = [maps] + [maps[:, :, y : y + 5, x : x + 5] for y, x in _CORNERS]
        pooled = torch.stack([part.mean(dim=(2, 3)) for part in parts], dim=1)
    return np.asarray(pooled.numpy(), np.float32)


def _codes(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    features = region_features(frames)
    return encode(features.reshape(-1, features.shape[-1])).reshape(*features.shape[:2], -1)


def _landmarks(info: MediaInfo, limits: MediaLimits) -> NDArray[np.uint32] | None:
    samples = read_sound(info, limits)
    return None if samples is None else landmarks(samples)
