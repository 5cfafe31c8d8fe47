"""Opening a container so that it can read nothing but its own bytes.

Three independent bars: FFmpeg gets a Python reader instead of a name, so it has no path to
resolve against; any attempt to open something else by name (playlist entries, external data
references) is refused; and only self-contained formats are on the list.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import av
from av.container import InputContainer
from av.error import FFmpegError

from coefvq.errors import MediaError
from coefvq.media.limits import MediaLimits
from coefvq.media.source import LocalFile, shown

VIDEO_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska,webm",
    "avi",
    "mpegts",
    "mpeg",
    "flv",
    "ogg",
    "asf",
    "gif",
)
# Recognised only so that a sound file is named as one ("no_video").
SOUND_FORMATS = ("mp3", "wav", "flac", "aac", "aiff")
_BUFFER_BYTES = 1 << 18
_PLAYLIST_HEADS = (
    b"#EXTM3U",
    b"ffconcat",
    b"<?xml",
    b"<MPD",
    b"[playlist]",
    b"v=0",
    b"[Reference]",
)


@dataclass(frozen=True)
class OpenMedia:
    """An open container beside the file it reads from."""

    container: InputContainer
    source: LocalFile

    @property
    def out_of_time(self) -> bool:
        """Whether this pass has used up its wall time."""
        return self.source.deadline.passed


@contextmanager
def open_container(
    path: str | os.PathLike[str], limits: MediaLimits | None = None
) -> Iterator[InputContainer]:
    """Open one local media file; the only way anything here opens media.

    Args:
        path: A local regular file. Never an address.
        limits: Bounds; the wall time starts now, and past it the file reads as if it ended.

    Yields:
        The container, closed afterwards.

    Raises:
        MediaError: With its code: ``not_found``, ``empty_file``, ``too_large``,
            ``unreadable_media``, ``unsupported_media``, ``too_many_streams``.
    """
    with open_media(path, limits or MediaLimits()) as media:
        yield media.container


@contextmanager
def open_media(path: str | os.PathLike[str], limits: MediaLimits) -> Iterator[OpenMedia]:
    """Like ``open_container``, and hands out the reader too (its size and deadline)."""
    source = LocalFile(path, limits)
    try:
        container = _open(path, source, limits)
        for stream in container.streams.video:
            if stream.codec_context is not None:  # the size may grow in mid-stream
                stream.codec_context.options = {"max_pixels": str(limits.max_pixels)}
        try:
            yield OpenMedia(container, source)
        finally:
            container.close()
    finally:
        source.close()


def _open(path: str | os.PathLike[str], source: LocalFile, limits: MediaLimits) -> InputContainer:
    head = source.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    source.seek(0)
    if head.startswith(_PLAYLIST_HEADS):
        raise _refused(path, "a playlist or description that refers to other files")
    try:
        return av.open(
            source,
            mode="r",
            options=_options(limits),
            metadata_errors="replace",
            buffer_size=_BUFFER_BYTES,
            timeout=limits.max_decode_s,
            io_open=_refuse_open,
        )
    except (FFmpegError, PermissionError) as error:
        raise _explain(path, source.failure or error, limits) from error


def _options(limits: MediaLimits) -> dict[str, str]:
    return {
        "format_whitelist": ",".join(VIDEO_FORMATS + SOUND_FORMATS),
        "protocol_whitelist": "none",
        "enable_drefs": "0",
        "use_absolute_path": "0",
        "max_streams": str(limits.max_streams),
        "max_pixels": str(limits.max_pixels),
    }


def _refuse_open(url: str, flags: int, options: dict[str, str]) -> LocalFile:
    raise PermissionError(f"the file refers to {shown(url)}")


def _refused(path: str | os.PathLike[str], what: str) -> MediaError:
    return MediaError(
        f"{shown(path)}: this is {what}. Convert the video to MP4, WebM, MKV, MOV or AVI.",
        code="unsupported_media",
    )


def _explain(path: str | os.PathLike[str], error: Exception, limits: MediaLimits) -> MediaError:
    if isinstance(error, av.error.ArgumentError):  # FFmpeg's answer to a format off the list
        return _refused(path, "not in a video format that is accepted")
    if isinstance(error, PermissionError):
        return _refused(path, "a file that refers to others, which are never read")
    if isinstance(error, av.error.MemoryError):
        return MediaError(
            f"{shown(path)}: needs more streams or memory than allowed "
            f"(at most {limits.max_streams} streams). Re-encode it with one picture and one sound "
            "track.",
            code="too_many_streams",
        )
    return MediaError(
        f"{shown(path)}: no video can be read from it ({_reason(error)}). "
        "It may be damaged or not a video; upload it again or convert it to MP4."
    )


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
