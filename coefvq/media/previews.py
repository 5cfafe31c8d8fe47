"""What a reviewer looks at in place of the original: proxy, poster, contact sheet."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coefvq.domain import MediaInfo
from coefvq.media.limits import MediaLimits
from coefvq.media.proxy import Progress, write_proxy
from coefvq.media.sampling import SHARE, FrameSample, sample
from coefvq.media.sheet import COLUMNS, write_contact_sheet, write_poster

POSTER_WIDTH = 480
_SHEET_FRAMES = 2 * COLUMNS
# Up to this length all frames may be decoded for the sheet where keyframes are sparse.
_THOROUGH_S = 120.0


@dataclass(frozen=True)
class Previews:
    """Files for the review page, named by the hash of the original.

    Attributes:
        proxy: MP4 (H.264, AAC, 4:2:0 8-bit, header in front), upright, at most 1280 x 720.
        poster: JPEG of the most telling frame, at most 480 pixels wide.
        contact_sheet: JPEG of up to eight frames with their times.
    """

    proxy: Path
    poster: Path
    contact_sheet: Path

    @property
    def complete(self) -> bool:
        """Whether all three files are there."""
        return all(path.is_file() for path in (self.proxy, self.poster, self.contact_sheet))


def preview_paths(sha256: str, out_dir: Path) -> Previews:
    """Return where the previews of a media are, made or not.

    Raises:
        ValueError: If ``sha256`` is no hex digest: it becomes a file name.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError(f"not a SHA-256 digest: {sha256[:80]!r}")
    return Previews(
        proxy=out_dir / f"{sha256}.mp4",
        poster=out_dir / f"{sha256}.jpg",
        contact_sheet=out_dir / f"{sha256}-sheet.jpg",
    )


def make_previews(
    info: MediaInfo,
    out_dir: Path,
    limits: MediaLimits | None = None,
    progress: Progress | None = None,
) -> Previews:
    """Make what is missing of a video's previews; files appear complete or not at all.

    Args:
        info: From ``probe``.
        out_dir: Folder to write into; made if needed.
        limits: Bounds. The proxy of a long video may take ten times its length.
        progress: Called with the share of the proxy that is done, 0..1.

    Returns:
        Where the files are.

    Raises:
        MediaError: If no frame can be decoded or the file has gone.
        OSError: If the files cannot be written.
    """
    limits = limits or MediaLimits()
    out_dir = out_dir.absolute()
    out_dir.mkdir(parents=True, exist_ok=True)
    made = preview_paths(info.sha256, out_dir)
    if made.complete:
        return made
    frames = _frames(info, limits)
    damaged = "corrupt_frames" in frames.warnings
    steps: dict[Path, Callable[[Path], object]] = {
        made.poster: lambda part: write_poster(frames, part),
        made.contact_sheet: lambda part: write_contact_sheet(frames, part),
        made.proxy: lambda part: write_proxy(info, part, limits, progress, damaged),
    }
    for target, write in steps.items():
        if not target.is_file():
            _whole(target, write)
    if progress is not None:
        progress(1.0)
    return made


def _frames(info: MediaInfo, limits: MediaLimits) -> FrameSample:
    width = min(POSTER_WIDTH, info.width)
    long_side = max(width, round(width * info.height / info.width))
    share = 1.0 if info.duration_s <= _THOROUGH_S else SHARE
    taken = sample(info, limits, _SHEET_FRAMES, 0, long_side)
    if taken.distinct < _SHEET_FRAMES and share > SHARE:
        taken = sample(info, limits, _SHEET_FRAMES, 0, long_side, share)
    return taken


def _whole(target: Path, write: Callable[[Path], object]) -> None:
    with _part_of(target) as part:
        write(part)
        os.replace(part, target)


@contextmanager
def _part_of(target: Path) -> Iterator[Path]:
    """Give a name in the same folder, so that the rename is atomic; clean up after failures."""
    part = target.with_name(f".{uuid.uuid4().hex}{target.suffix}")
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
