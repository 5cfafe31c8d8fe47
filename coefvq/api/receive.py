"""Bodies of requests: streamed to a file or read whole, cut off at a size and at a time."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from coefvq.errors import MediaError

IDLE_S, WHOLE_S = 30.0, 3600.0
JSON_LIMIT = 1024 * 1024
"""Bytes of a body that is no file."""


@dataclass(frozen=True)
class Received:
    """A body as a file of ours, with the digest of its bytes."""

    path: Path
    sha256: str


def too_large(limit: int) -> MediaError:
    """The error for a file over the limit."""
    return MediaError(
        f"The file is larger than {limit / 2**20:.0f} MB. Make it smaller, or raise "
        "COEFVQ_MAX_BYTES.",
        code="too_large",
    )


def too_slow(seconds: float, setting: str) -> MediaError:
    """The error for a body that does not come."""
    return MediaError(
        f"The upload was broken off after {seconds:g} s. Send it faster, or raise {setting}.",
        code="too_slow",
    )


async def receive_file(
    chunks: AsyncIterator[bytes],
    folder: Path,
    limit: int,
    idle_s: float = IDLE_S,
    whole_s: float = WHOLE_S,
) -> Received:
    """Write a body to a new file in a folder.

    Args:
        limit: Bytes.
        idle_s: Seconds without a byte after which it is broken off.
        whole_s: Seconds after which it is broken off in any case.

    Raises:
        MediaError: ``too_large`` as soon as the limit is passed, ``too_slow``, or
            ``unreadable_media`` for an empty body; no file is left behind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix="upload-", dir=folder)
    path, size, digest = Path(name), 0, hashlib.sha256()
    try:
        with os.fdopen(handle, "wb") as file:
            async for chunk in timed(chunks, idle_s, whole_s):
                size += len(chunk)
                if size > limit:
                    raise too_large(limit)
                digest.update(chunk)
                await run_in_threadpool(file.write, chunk)
        if size == 0:
            raise MediaError("The file is empty. Choose another one.")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Received(path, digest.hexdigest())


async def timed(
    chunks: AsyncIterator[bytes], idle_s: float, whole_s: float
) -> AsyncIterator[bytes]:
    """Pass chunks on while they come in time.

    Raises:
        MediaError: ``too_slow``.
    """
    ends = asyncio.get_running_loop().time() + whole_s
    source = chunks.__aiter__()
    while True:
        left = ends - asyncio.get_running_loop().time()
        if left <= 0:
            raise too_slow(whole_s, "COEFVQ_UPLOAD_MAX_S")
        try:
            yield await asyncio.wait_for(anext(source), min(idle_s, left))
        except StopAsyncIteration:
            return
        except TimeoutError:
            if idle_s <= left:
                raise too_slow(idle_s, "COEFVQ_UPLOAD_IDLE_S") from None


async def receive_bytes(chunks: AsyncIterator[bytes], idle_s: float, limit: int) -> bytes:
    """Read a small body whole; all of it has to come in ``idle_s``.

    Raises:
        MediaError: ``too_large`` or ``too_slow``.
    """
    parts, size = [], 0
    async for chunk in timed(chunks, idle_s, idle_s):
        size += len(chunk)
        if size > limit:
            raise MediaError(f"The body has more than {limit} bytes.", code="too_large")
        parts.append(chunk)
    return b"".join(parts)
