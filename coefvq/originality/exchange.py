"""Hashes of videos as ThreatExchange writes them, in and out. No pictures leave or come in.

Two formats. **vPDQ text**: a video a file, a line a frame, ``frame,quality,hash,timestamp``; the
hash as 64 hex digits, the timestamp in seconds. **JSON lines**: a video a line,
``{"name", "sha256", "duration_s", "vpdq": ["hash,quality,timestamp", ...]}``, where the list is a
vPDQ signal as ThreatExchange's Python library and HMA pass it on. vPDQ: Facebook, "The TMK+PDQF
Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", 2019, and its library of 2022.

What comes in has hashes only: no thumbnails, no embeddings, no sound. It can be matched by hashes.
``thinned`` leaves out those of many hashes a second that say the same as one before.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from coefvq.errors import CoefVQError
from coefvq.originality.fingerprint import VERSION, Fingerprint
from coefvq.originality.hashing import GOOD

MOST_FRAMES = 1_000_000
"""Lines of a video that are read at most."""
AS_NEAR_BITS = 12
"""A hash within so many bits of the one kept before it says the same; see ``thinned``. Of the 31
bits within which a look is searched, 19 are left for what an edit changes."""
AS_LONG_S = 1.0
_LONGEST_S = 1_000_000.0
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TEXT_FIELDS = "frame,quality,hash,timestamp"
_SIGNAL_FIELDS = "hash,quality,timestamp"

Look = tuple[float, int, bytes]
"""Seconds, quality, hash."""


class ExchangeError(CoefVQError):
    """Hashes that do not follow the format."""

    code = "bad_hashes"


@dataclass(frozen=True)
class Exchanged:
    """One video's hashes.

    Attributes:
        name: What it is called; hostile text. Empty where the format has no names.
        sha256: Digest of the video's bytes, or where that is not known of its hashes.
    """

    name: str
    sha256: str
    fp: Fingerprint


def read_text(lines: Iterable[str]) -> Exchanged:
    """Read one video in vPDQ text.

    Raises:
        ExchangeError: A line does not follow the format, or there is none.
    """
    looks = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            parts = line.strip().split(",")
            where = f"line {number}"
            if len(parts) != 4 or not parts[0].isascii() or not parts[0].isdigit():
                raise ExchangeError(f"{where} is not {_TEXT_FIELDS}.")
            looks.append(_look(where, parts[2], parts[1], parts[3]))
            _bounded(looks)
    return _exchanged("", "", looks, 0.0)


def write_text(fp: Fingerprint) -> Iterator[str]:
    """Yield a video's lines in vPDQ text; the frames are numbered as they lie."""
    for number, (time_s, quality, digest) in enumerate(_looks(fp)):
        yield f"{number},{quality},{digest.hex()},{time_s:.3f}\n"


def read_json(line: str) -> Exchanged:
    """Read one video of JSON lines; a bare list is a vPDQ signal without a name.

    Raises:
        ExchangeError: The line does not follow the format.
    """
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ExchangeError(f"This line is not JSON ({error}).") from None
    if isinstance(row, list):
        row = {"vpdq": row}
    if not isinstance(row, dict) or not isinstance(row.get("vpdq"), list):
        raise ExchangeError('A line is {"name", "vpdq": ["hash,quality,timestamp", ...]}.')
    looks: list[Look] = []
    for number, signal in enumerate(row["vpdq"]):
        parts = signal.split(",") if isinstance(signal, str) else []
        if len(parts) != 3:
            raise ExchangeError(f"Frame {number} is not '{_SIGNAL_FIELDS}'.")
        looks.append(_look(f"frame {number}", *parts))
        _bounded(looks)
    name, sha256, duration = (row.get(key) for key in ("name", "sha256", "duration_s"))
    known = isinstance(sha256, str) and _SHA256.fullmatch(sha256)
    return _exchanged(
        name if isinstance(name, str) else "",
        str(sha256) if known else "",
        looks,
        float(duration) if isinstance(duration, int | float) else 0.0,
    )


def write_json(name: str, sha256: str, fp: Fingerprint) -> str:
    """One video as a JSON line."""
    signal = [f"{digest.hex()},{quality},{time_s:.3f}" for time_s, quality, digest in _looks(fp)]
    row = {"name": name, "sha256": sha256, "duration_s": fp.duration_s, "vpdq": signal}
    return json.dumps(row, ensure_ascii=False) + "\n"


def thinned(fp: Fingerprint, most_bits: int = AS_NEAR_BITS) -> Fingerprint:
    """Hashes without those that say the same as the one kept before them.

    A hash is kept where it is more than ``most_bits`` from the last one kept, where that is a
    second old, and where only one of the two has a clear picture. So moving scenes keep what a look
    between two seconds needs, and still ones keep one a second.

    Args:
        fp: Hashes alone, in the order of time.
        most_bits: 0 leaves out hashes that are repeated, no others.
    """
    kept: list[int] = []
    words = np.ascontiguousarray(fp.hashes).view(np.uint64)
    clear = fp.quality >= GOOD
    for at in range(len(words)):
        last = kept[-1] if kept else None
        if (
            last is None
            or clear[at] != clear[last]
            or fp.times_s[at] - fp.times_s[last] >= AS_LONG_S
            or int(np.bitwise_count(words[at] ^ words[last]).sum()) > most_bits
        ):
            kept.append(at)
    return replace(fp, times_s=fp.times_s[kept], hashes=fp.hashes[kept], quality=fp.quality[kept])


def _looks(fp: Fingerprint) -> Iterator[Look]:
    for time_s, quality, digest in zip(fp.times_s, fp.quality, fp.hashes, strict=True):
        yield float(time_s), int(quality), digest.tobytes()


def _look(where: str, digest: str, quality: str, time_s: str) -> Look:
    try:
        value, seconds = int(quality), float(time_s)
    except ValueError:
        value, seconds = -1, -1.0
    if not _HASH.fullmatch(digest):
        raise ExchangeError(f"{where}: a hash has 64 hex digits, not '{digest[:80]}'.")
    if not 0 <= value <= 100:
        raise ExchangeError(f"{where}: quality '{quality[:20]}' is not within 0..100.")
    if not (math.isfinite(seconds) and 0 <= seconds <= _LONGEST_S):
        raise ExchangeError(f"{where}: '{time_s[:20]}' is no time in seconds.")
    return seconds, value, bytes.fromhex(digest)


def _bounded(looks: list[Look]) -> None:
    if len(looks) > MOST_FRAMES:
        raise ExchangeError(f"There are more than {MOST_FRAMES} frames. Split the video's hashes.")


def _exchanged(name: str, sha256: str, looks: list[Look], duration_s: float) -> Exchanged:
    if not looks:
        raise ExchangeError("There is no frame in it.")
    looks.sort(key=lambda look: look[0])
    last = looks[-1][0]
    fits = math.isfinite(duration_s) and last <= duration_s <= _LONGEST_S
    digest = sha256 or hashlib.sha256(b"".join(look[2] for look in looks)).hexdigest()
    return Exchanged(name, digest, _fingerprint(looks, duration_s if fits else last))


def _fingerprint(looks: list[Look], duration_s: float) -> Fingerprint:
    """Hashes alone; an aspect of 0 says that the picture's shape is not known."""
    return Fingerprint(
        version=VERSION,
        duration_s=duration_s,
        aspect=0.0,
        times_s=np.array([look[0] for look in looks], np.float32),
        hashes=np.frombuffer(b"".join(look[2] for look in looks), np.uint8).reshape(-1, 32),
        quality=np.array([look[1] for look in looks], np.uint8),
        thumbs=np.empty((0, 48, 48), np.uint8),
        code_times_s=np.empty(0, np.float32),
        codes=np.empty((0, 1, 64), np.uint8),
    )
