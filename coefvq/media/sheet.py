"""Still pictures of a video: the poster of the library and the contact sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from moviepy import ColorClip, CompositeVideoClip, ImageClip, TextClip, VideoClip, clips_array
from numpy.typing import NDArray

from coefvq.media.sampling import FrameSample

COLUMNS, CELL_SIDE = 4, 240
_INK, _PAPER = (255, 255, 255), (24, 24, 27)


def telling(frames: NDArray[np.uint8]) -> int:
    """Return the index of the frame that shows most: contrast and detail, neither dark nor white.

    Args:
        frames: uint8 (n, height, width, 3), n >= 1.
    """
    return int(np.argmax([_shows(frame) for frame in frames]))


def _shows(frame: NDArray[np.uint8]) -> float:
    grey = frame.mean(axis=2)
    level = float(grey.mean()) / 255.0
    exposure = max(0.0, 1.0 - (2.0 * abs(level - 0.5)) ** 4)
    detail = float(np.abs(np.diff(grey, axis=1)).mean()) if grey.shape[1] > 1 else 0.0
    return exposure * (float(grey.std()) + 2.0 * detail)


def write_poster(sample: FrameSample, target: Path) -> None:
    """Write the most telling frame as JPEG."""
    ImageClip(sample.frames[telling(sample.frames)]).save_frame(str(target))


def write_contact_sheet(sample: FrameSample, target: Path) -> None:
    """Write all frames as one JPEG, four in a row, each with its time."""
    cells = [
        _cell(frame, float(time_s))
        for frame, time_s in zip(sample.frames, sample.times_s, strict=True)
    ]
    columns = min(COLUMNS, len(cells))
    while len(cells) % columns:
        cells.append(ColorClip(cells[0].size, color=_PAPER, duration=1))
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    clips_array(rows, bg_color=_PAPER).save_frame(str(target))


def _cell(frame: NDArray[np.uint8], time_s: float) -> VideoClip:
    picture = ImageClip(frame, duration=1)
    picture = picture.resized(min(1.0, CELL_SIDE / max(picture.size)))
    label = TextClip(
        text=clock(time_s),
        font_size=13,
        color=_INK,
        bg_color=_PAPER,
        margin=(4, 2, 4, 8),  # moviepy cuts descenders off without room below
        transparent=False,
        duration=1,
    )
    width, height = picture.size
    size = (max(width, 64) + 4, height + label.size[1] + 4)
    parts = [picture.with_position((2, 2)), label.with_position((2, height + 2))]
    return CompositeVideoClip(parts, size=size, bg_color=_PAPER).with_duration(1)


def clock(time_s: float) -> str:
    """Return minutes, seconds and tenths, with hours where there are any."""
    tenths = round(time_s * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes:02d}:{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{text}" if hours else text.removeprefix("0")
