"""PDQ hashes of frames, of the eight ways to turn a picture, and of parts of small pictures.

PDQ (Facebook, 2019; github.com/facebook/ThreatExchange/tree/main/pdq) is the sign of the 16 x 16
lowest cosine terms of a picture against their median: 256 bits, and a quality of 0..100 that says
how much there is to see.
"""

from __future__ import annotations

from functools import cache, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

GOOD = 50
"""Hashes of lower quality say nothing and are never compared."""
NEAR_BITS = 31
"""Two frames whose hashes differ by this many bits or fewer show the same picture."""
VARIANTS = 8
"""The ways to turn a picture: ``turned`` says which is which."""
_MOST_PIXELS = 420_000
_SIDE = 512
_GRID = 64
_WIDE = 16


def keyframe_hashes(
    frames: NDArray[np.uint8],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Hash frames.

    Frames of up to 420,000 pixels are hashed as they are; larger ones as 512 x 512, which is
    within 10 bits of the hash of the full size.

    Args:
        frames: uint8 (n, H, W, 3), RGB, upright.

    Returns:
        Hashes uint8 (n, 32), most significant bit first, and qualities uint8 (n,), 0..100.
    """
    hashes = np.zeros((len(frames), 32), np.uint8)
    quality = np.zeros(len(frames), np.uint8)
    for row, frame in enumerate(frames):
        hashes[row], quality[row] = frame_hash(frame)
    return hashes, quality


def frame_hash(frame: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """Hash one frame uint8 (H, W, 3), or its grey levels (H, W): uint8 (32,) and quality 0..100.

    PDQ blurs with boxes and picks 64 x 64 points. Both are linear along each axis, so one matrix
    an axis does the same at a fraction of the cost.
    """
    grey = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    if min(height, width) < _GRID or height * width > _MOST_PIXELS:
        grey = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    levels = np.asarray(grey, np.float32)
    grid = np.asarray(_blurred(levels.shape[0]) @ levels @ _blurred(levels.shape[1]).T, np.float32)
    return _packed(grid[None])[0], _quality(grid)


@lru_cache(maxsize=64)
def _blurred(length: int) -> NDArray[np.float32]:
    """Rows (64, length): means of two passes of PDQ's box filter at the points it picks."""
    window = (length + 2 * _GRID - 1) // (2 * _GRID)
    half = (window + 2) // 2
    place = np.arange(length)
    offset = place[None, :] - place[:, None]
    box = ((offset < half) & (offset >= half - window)).astype(np.float64)
    box /= box.sum(axis=1, keepdims=True)
    picked = ((np.arange(_GRID) + 0.5) * length / _GRID).astype(int)
    return np.asarray(box[picked] @ box, np.float32)


def _quality(grid: NDArray[np.float32]) -> int:
    """PDQ's quality: the steps between neighbouring points in whole percent, summed."""
    steps = [np.abs(np.diff(grid, axis=axis)) * (100.0 / 255.0) for axis in (0, 1)]
    total = sum(int(step.astype(np.int64).sum()) for step in steps)
    return min(100, total // 90)


def turned(pictures: NDArray[np.generic], variant: int) -> NDArray[np.generic]:
    """Turn pictures (..., H, W) one of the eight ways.

    ``variant`` 0..7: quarter turns counter-clockwise in its two low bits, after a mirror image
    where it is 4 or more. ``turned(turned(p, v), undo(v))`` is ``p``.
    """
    if variant >= 4:
        pictures = pictures[..., ::-1]
    return np.rot90(pictures, variant % 4, axes=(-2, -1))


def undo(variant: int) -> int:
    """Return the variant that turns a picture back. A mirrored one is its own way back."""
    return variant if variant >= 4 else (4 - variant) % 4


def hashes_of_small(pictures: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Approximate PDQ hashes of small grey pictures (n, H, W), such as thumbs or parts of them.

    A 48 x 48 thumb holds the 16 x 16 lowest terms that PDQ reads, a few blurred: these hashes
    are a few bits from those of the full frame, and any part or turn of a thumb can be hashed.

    Returns:
        uint8 (n, 32).
    """
    if not len(pictures):
        return np.zeros((0, 32), np.uint8)
    size = (_GRID, _GRID)
    return _packed(np.stack([cv2.resize(p.astype(np.float32), size) for p in pictures]))


def _packed(grids: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Signs of the 16 x 16 lowest terms of pictures (n, 64, 64) against their median."""
    terms = _cosines() @ grids @ _cosines().T
    flat = terms.reshape(len(grids), -1)
    bits = flat > np.median(flat, axis=1, keepdims=True)
    return np.packbits(bits[:, ::-1], axis=1)  # PDQ writes its last term first


@cache
def _cosines() -> NDArray[np.float32]:
    """Rows 1..16 of the cosine transform of 64 points, float32 (16, 64)."""
    row = np.arange(1, _WIDE + 1)[:, None]
    column = np.arange(_GRID)[None, :]
    scale = np.sqrt(2.0 / _GRID)
    return np.asarray(scale * np.cos(np.pi / (2 * _GRID) * row * (2 * column + 1)), np.float32)


def bits_apart(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Hamming distances of hashes (a, 32) and (b, 32), int64 (a, b)."""
    apart = np.bitwise_count(one[:, None, :] ^ other[None, :, :])
    return np.asarray(apart.sum(axis=2, dtype=np.int64))
