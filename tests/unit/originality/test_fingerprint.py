"""A fingerprint survives storage bit by bit, and says when it did not."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from coefvq.errors import FingerprintError
from coefvq.originality.fingerprint import VERSION, Fingerprint, from_bytes, to_bytes


def made(seconds: int = 5, sound: bool = True) -> Fingerprint:
    rng = np.random.default_rng(3)
    times = np.arange(seconds, dtype=np.float32)
    return Fingerprint(
        version=VERSION,
        duration_s=float(seconds),
        aspect=1.5,
        times_s=times,
        hashes=rng.integers(0, 256, (seconds, 32), dtype=np.uint8),
        quality=rng.integers(0, 101, seconds, dtype=np.uint8),
        thumbs=rng.integers(0, 256, (seconds, 48, 48), dtype=np.uint8),
        code_times_s=times[::2],
        codes=rng.integers(0, 256, (len(times[::2]), 6, 64), dtype=np.uint8),
        landmarks=rng.integers(0, 9999, (7, 2), dtype=np.uint32) if sound else None,
        motion_times_s=np.arange(4 * seconds, dtype=np.float32) / 4,
        motion=rng.integers(0, 256, (4 * seconds, 24, 24), dtype=np.uint8),
        colour=rng.random((seconds, 3), dtype=np.float32),
    )


@pytest.mark.parametrize(
    "fingerprint",
    [made(), made(sound=False), made(1), made(0)],
    ids=["full", "mute", "one", "none"],
)
def test_storage_keeps_every_number(fingerprint: Fingerprint) -> None:
    back = from_bytes(to_bytes(fingerprint))
    for item in fields(Fingerprint):
        before, after = getattr(fingerprint, item.name), getattr(back, item.name)
        if isinstance(before, np.ndarray):
            assert after.dtype == before.dtype
            assert np.array_equal(after, before)
        else:
            assert after == before


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: b"",
        lambda d: b"no fingerprint at all",
        lambda d: d[:-1],
        lambda d: d + b"x",
        lambda d: flipped(d, 2),
        lambda d: flipped(d, 30),
        lambda d: flipped(d, len(d) // 2),
        lambda d: flipped(d, len(d) - 1),
    ],
    ids=["empty", "other", "cut", "longer", "magic", "description", "numbers", "end"],
)
def test_damage_is_told(spoil) -> None:
    with pytest.raises(FingerprintError, match="make it again"):
        from_bytes(spoil(to_bytes(made())))


def test_another_version_is_told() -> None:
    old = to_bytes(replace(made(), version="fp-0"))
    with pytest.raises(FingerprintError, match=r"'fp-0'.*make it again"):
        from_bytes(old)


def test_wrong_shapes_are_refused_when_packing() -> None:
    with pytest.raises(ValueError, match="thumbs"):
        to_bytes(replace(made(), thumbs=np.zeros((5, 47, 48), np.uint8)))
