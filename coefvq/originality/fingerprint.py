"""What is kept of a video to find its copies: about one look a second, its motion, its sound."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.errors import FingerprintError

VERSION = "fp-1"
"""Raise when any number of a fingerprint is computed differently."""

THUMB_SIDE = 48
MOTION_SIDE = 24
_MAGIC = b"CVFP"
_HEAD = struct.Struct("<4sIQI")  # magic, length of the description, of the numbers, checksum
_MOST_BYTES = 1 << 30
_SHAPES: dict[str, tuple[str, tuple[int | None, ...]]] = {
    "times_s": ("<f4", (None,)),
    "hashes": ("|u1", (None, 32)),
    "quality": ("|u1", (None,)),
    "thumbs": ("|u1", (None, THUMB_SIDE, THUMB_SIDE)),
    "code_times_s": ("<f4", (None,)),
    "codes": ("|u1", (None, None, 64)),
    "landmarks": ("<u4", (None, 2)),
    "motion_times_s": ("<f4", (None,)),
    "motion": ("|u1", (None, MOTION_SIDE, MOTION_SIDE)),
    "colour": ("<f4", (None, 3)),
}
# Neighbouring pictures differ little: their differences compress to about a half.
_DIFFERENCED = ("thumbs", "motion")


def _no_times() -> NDArray[np.float32]:
    return np.zeros(0, np.float32)


def _no_motion() -> NDArray[np.uint8]:
    return np.zeros((0, MOTION_SIDE, MOTION_SIDE), np.uint8)


def _no_colour() -> NDArray[np.float32]:
    return np.zeros((0, 3), np.float32)


@dataclass(frozen=True)
class Fingerprint:
    """A video's fingerprint, about 2 KB a second once compressed.

    Attributes:
        version: ``VERSION`` of the program that made it.
        duration_s: Seconds.
        aspect: Width / height as displayed.
        times_s: float32 (n,), ascending; about one frame a second, at least one where any decodes.
        hashes: uint8 (n, 32), PDQ; most significant bit first.
        quality: uint8 (n,), PDQ's quality 0..100; below 50 a hash says nothing.
        thumbs: uint8 (n, 48, 48), grey, the whole picture squeezed to a square.
        code_times_s: float32 (m,), frames with embeddings, every other one of ``times_s``.
        codes: uint8 (m, r, 64), product-quantised embeddings: [:, 0] of the whole picture, the
            others of parts of it. Only [:, 0] is indexed.
        landmarks: uint32 (k, 2), the sound's landmark hashes and their times in 1/100 s, by time;
            ``None`` without sound.
        motion_times_s: float32 (p,), ascending, about four a second.
        motion: uint8 (p, 24, 24), grey, small: how the picture changes tells two takes apart.
        colour: float32 (n, 3), mean red, green and blue of each frame of ``times_s``, 0..255.
    """

    version: str
    duration_s: float
    aspect: float
    times_s: NDArray[np.float32]
    hashes: NDArray[np.uint8]
    quality: NDArray[np.uint8]
    thumbs: NDArray[np.uint8]
    code_times_s: NDArray[np.float32]
    codes: NDArray[np.uint8]
    landmarks: NDArray[np.uint32] | None = None
    motion_times_s: NDArray[np.float32] = field(default_factory=_no_times)
    motion: NDArray[np.uint8] = field(default_factory=_no_motion)
    colour: NDArray[np.float32] = field(default_factory=_no_colour)


def to_bytes(fingerprint: Fingerprint) -> bytes:
    """Pack a fingerprint: a description in JSON, then all numbers, compressed, checksummed."""
    arrays = {name: getattr(fingerprint, name) for name in _SHAPES}
    told: dict[str, Any] = {
        "version": fingerprint.version,
        "duration_s": float(fingerprint.duration_s),
        "aspect": float(fingerprint.aspect),
        "shapes": {name: a.shape for name, a in arrays.items() if a is not None},
    }
    blocks = [_block(name, array) for name, array in arrays.items() if array is not None]
    head, body = json.dumps(told).encode(), zlib.compress(b"".join(blocks), 6)
    check = zlib.crc32(body, zlib.crc32(head))
    return _HEAD.pack(_MAGIC, len(head), len(body), check) + head + body


def from_bytes(data: bytes) -> Fingerprint:
    """Unpack what ``to_bytes`` packed.

    Raises:
        FingerprintError: The bytes are damaged, or of another version of the program.
    """
    told, raw = _opened(data)
    if told.get("version") != VERSION:
        made = str(told.get("version"))[:20]
        raise FingerprintError(
            f"This fingerprint is of version {made!r}, this program makes {VERSION!r}: make it "
            "again from the video."
        )
    try:
        arrays = _arrays(told["shapes"], raw)
        known = {item.name for item in fields(Fingerprint)}
        values = {name: array for name, array in arrays.items() if name in known}
        return Fingerprint(VERSION, float(told["duration_s"]), float(told["aspect"]), **values)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged() from error


def _block(name: str, array: NDArray[Any]) -> bytes:
    kind, shape = _SHAPES[name]
    if array.ndim != len(shape) or any(
        want is not None and have != want for have, want in zip(array.shape, shape, strict=True)
    ):
        raise ValueError(f"{name} has shape {array.shape}, not {shape}")
    array = np.ascontiguousarray(array, kind)
    if name in _DIFFERENCED and len(array):
        array = np.concatenate([array[:1], np.diff(array, axis=0)])  # wraps round: lossless
    return array.tobytes()


def _opened(data: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        magic, head_size, body_size, check = _HEAD.unpack_from(data)
        head = bytes(data[_HEAD.size : _HEAD.size + head_size])
        body = bytes(data[_HEAD.size + head_size :])
        whole = magic == _MAGIC and len(head) == head_size and len(body) == body_size
        if not whole or zlib.crc32(body, zlib.crc32(head)) != check:
            raise _damaged()
        return json.loads(head), zlib.decompressobj().decompress(body, _MOST_BYTES)
    except (struct.error, zlib.error, ValueError) as error:
        raise _damaged() from error


def _arrays(shapes: dict[str, list[int]], raw: bytes) -> dict[str, NDArray[Any]]:
    arrays, start = {}, 0
    for name, (kind, _) in _SHAPES.items():
        if name not in shapes:
            continue
        count = int(np.prod(shapes[name], dtype=np.int64))
        array = np.frombuffer(raw, kind, count, start).reshape(shapes[name])
        start += array.nbytes
        if name in _DIFFERENCED:
            array = np.cumsum(array, axis=0, dtype=np.uint8)
        arrays[name] = array
    if start != len(raw):
        raise ValueError("bytes left over")
    return arrays


def _damaged() -> FingerprintError:
    return FingerprintError("This fingerprint is damaged: make it again from the video.")
