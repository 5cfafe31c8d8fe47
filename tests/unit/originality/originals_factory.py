"""Made-up fingerprints and a made-up codebook, for tests of what holds and finds them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from coefvq.originality import index
from coefvq.originality.fingerprint import VERSION, Fingerprint
from coefvq.originality.quantise import Codebook

Bytes = NDArray[np.uint8]
CENTRES = np.random.default_rng(11).standard_normal((64, 256, 2)).astype(np.float32)


@pytest.fixture(autouse=True)
def codebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """A codebook of random centres: what an index finds must not depend on the shipped one."""
    none = np.zeros(0, np.float32)
    monkeypatch.setattr(index, "codebook", lambda: Codebook(none, none, CENTRES))


def vectors(codes: Bytes) -> NDArray[np.float32]:
    """What codes (n, 64) stand for, float32 (n, 128) of length 1, the slow way."""
    found = np.stack([CENTRES[np.arange(64), code].ravel() for code in codes])
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def made(
    hashes: Bytes,
    *,
    quality: int | Bytes = 90,
    codes: Bytes | None = None,
    landmarks: NDArray[np.uint32] | None = None,
) -> Fingerprint:
    """A fingerprint with a frame a second."""
    count = len(hashes)
    times = np.arange(count, dtype=np.float32)
    codes = np.empty((0, 64), np.uint8) if codes is None else codes
    return Fingerprint(
        version=VERSION,
        duration_s=float(count),
        aspect=16 / 9,
        times_s=times,
        hashes=hashes,
        quality=np.broadcast_to(np.asarray(quality, np.uint8), count).copy(),
        thumbs=np.zeros((count, 48, 48), np.uint8),
        code_times_s=times[: 2 * len(codes) : 2],
        codes=codes[:, None],
        landmarks=landmarks,
    )


def random_hashes(seed: int, count: int) -> Bytes:
    """Unlike hashes, uint8 (count, 32)."""
    return np.random.default_rng(seed).integers(0, 256, (count, 32), dtype=np.uint8)


def random_codes(seed: int, count: int) -> Bytes:
    """Unlike codes, uint8 (count, 64)."""
    return np.random.default_rng(seed).integers(0, 256, (count, 64), dtype=np.uint8)


def flipped(hashes: Bytes, bits: int, seed: int = 0) -> Bytes:
    """The same hashes with so many other bits each."""
    rng = np.random.default_rng(seed)
    unpacked = np.unpackbits(hashes, axis=1)
    for row in unpacked:
        row[rng.choice(256, bits, replace=False)] ^= 1
    return np.packbits(unpacked, axis=1)


def bits_apart(one: Bytes, other: Bytes) -> NDArray[np.int64]:
    """Differing bits of every pair, (n, m), the slow way."""
    left, right = np.unpackbits(one, axis=1), np.unpackbits(other, axis=1)
    return (left[:, None] != right[None]).sum(axis=2)
