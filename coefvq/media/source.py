"""A local file as the decoder sees it: bytes only, without a name, bounded in size and time."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from coefvq.errors import MediaError
from coefvq.media.limits import Deadline, MediaLimits

# Opening must neither wait for a pipe's other end nor leak into child processes.
_OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOCTTY", 0)
)


def shown(path: str | os.PathLike[str]) -> str:
    """Return the path for a message: control characters cannot reach a terminal or a log."""
    text = os.fspath(path)
    return "".join(char if char.isprintable() else "?" for char in text)[-300:]


class LocalFile:
    """A regular file for the decoder to read through.

    It has no ``name``, so a container is recognised by its content alone. Reads stop at the
    size the file had when it was opened (a growing file ends) and at the deadline. Nothing is
    raised after opening, because an exception would have to travel through C code.

    Attributes:
        size: Bytes at the time of opening.
        deadline: When reading stops.
        failure: The disk's error that ended reading early, if any.
    """

    def __init__(self, path: str | os.PathLike[str], limits: MediaLimits):
        """Open ``path``.

        Raises:
            MediaError: ``not_found``, ``unreadable_media``, ``empty_file`` or ``too_large``.
        """
        self._fd = -1
        self.failure: OSError | None = None
        self.deadline = Deadline(limits.max_decode_s)
        self._fd = _open_regular(path)
        self.size = os.fstat(self._fd).st_size
        self._position = 0
        problem = _size_problem(path, self.size, limits)
        if problem is not None:
            self.close()
            raise problem

    def read(self, count: int) -> bytes:
        """Return up to ``count`` bytes, none at the end, past the deadline or after a failure."""
        wanted = min(count, self.size - self._position)
        if wanted <= 0 or self.deadline.passed:
            return b""
        try:
            os.lseek(self._fd, self._position, os.SEEK_SET)
            data = os.read(self._fd, wanted)
        except OSError as error:
            self.failure = error
            return b""
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to ``offset``; return the new position, or a negative error as FFmpeg expects."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}.get(whence)
        if base is None or base + offset < 0:
            return -errno.EINVAL
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def close(self) -> None:
        """Close the file; twice is harmless."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _open_regular(path: str | os.PathLike[str]) -> int:
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode):
            return _opened_as_regular(path)
    except (OSError, ValueError) as error:
        raise _open_problem(path, error) from error
    kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
    raise MediaError(f"{shown(path)}: this is {kind}. Name one video file.")


def _opened_as_regular(path: str | os.PathLike[str]) -> int:
    descriptor = os.open(path, _OPEN_FLAGS)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "the file was exchanged while it was being opened")


def _open_problem(path: str | os.PathLike[str], error: OSError | ValueError) -> MediaError:
    missing = isinstance(error, (FileNotFoundError, NotADirectoryError, ValueError))
    name = shown(path)
    if missing and "://" in name:
        return MediaError(
            f"{name}: addresses are never fetched. Download the video and name the local file.",
            code="not_found",
        )
    if missing:
        return MediaError(f"{name}: no such file. Check the path.", code="not_found")
    reason = getattr(error, "strerror", None) or error
    return MediaError(f"{name}: cannot be opened ({reason}). Check its permissions.")


def _size_problem(
    path: str | os.PathLike[str], size: int, limits: MediaLimits
) -> MediaError | None:
    name = Path(shown(path))
    if size == 0:
        return MediaError(f"{name}: the file is empty. Upload it again.", code="empty_file")
    if size > limits.max_bytes:
        return MediaError(
            f"{name}: {size} bytes are more than the {limits.max_bytes} allowed. "
            "Shorten or re-encode the video, or raise COEFVQ_MAX_BYTES.",
            code="too_large",
        )
    return None
