"""Text on the screen with times and boxes, by RapidOCR (PP-OCR models inside its wheel)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cache
from queue import LifoQueue
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from coefvq.domain import TimedText

if TYPE_CHECKING:
    from rapidocr import RapidOCR

LONG_SIDE = 960
_FIND_SIDE = 736  # lines are found at this size and read at the full one
MOST_READ = 8
_THUMB = (40, 24)  # cells that two frames are compared by
_NEAR = 8.0  # largest difference of a cell's mean (0..255) between frames that read alike
_SCORE = 0.6  # lines that the recogniser doubts more are left out
_ALIKE = 0.8  # share of equal letters that makes two lines one

Frames = NDArray[np.uint8]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Line:
    """One line in one frame: the box is x0, y0, x1, y1 as shares of the frame."""

    text: str
    score: float
    box: Box


def read_frames(
    frames: Frames,
    times_s: Sequence[float] | NDArray[np.floating],
    duration_s: float,
    threads: int = 0,
) -> tuple[TimedText, ...]:
    """Read up to eight frames that differ and join what stays on the screen.

    Args:
        frames: RGB uint8 (n, H, W, 3), in order.
        times_s: Seconds of the frames.
        duration_s: Length of the video; the last frame's lines end there.
        threads: CPU threads; 0: all cores.

    Returns:
        Lines ordered by start, then from top to bottom. A line starts at the first frame that
        shows it and ends at the next frame that was read and does not.
    """
    groups = _groups(frames)
    with ThreadPoolExecutor(_cores(threads), "reading") as pool:
        readings = list(pool.map(lambda group: read(frames[group[0]], threads), groups))
    order = sorted((index, number) for number, group in enumerate(groups) for index in group)
    seen = [(float(times_s[index]), readings[number]) for index, number in order]
    return join_over_time(seen, duration_s)


def _groups(frames: Frames) -> list[list[int]]:
    """Frames that look alike, in order of their first; the first of each group is read."""
    thumbs = [cv2.resize(frame, _THUMB, interpolation=cv2.INTER_AREA) for frame in frames]
    groups: list[list[int]] = []
    for index, thumb in enumerate(thumbs):
        alike = [group for group in groups if cv2.absdiff(thumb, thumbs[group[0]]).max() < _NEAR]
        if alike:
            alike[0].append(index)
        else:
            groups.append([index])
    return _spread(groups)


def _spread(groups: list[list[int]]) -> list[list[int]]:
    """At most ``MOST_READ`` groups, spread over the video, the first and the last included."""
    if len(groups) <= MOST_READ:
        return groups
    return [groups[i] for i in np.linspace(0, len(groups) - 1, MOST_READ).round().astype(int)]


def read(frame: NDArray[np.uint8], threads: int = 0) -> tuple[Line, ...]:
    """Lines of one RGB frame (H, W, 3), from top to bottom."""
    small = _shrink(frame)
    height, width = small.shape[:2]
    with _engine(threads) as engine:
        found: Any = engine(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
    if not found.txts:
        return ()
    rows = zip(found.txts, found.scores, found.boxes, strict=True)
    lines = [
        Line(text.strip(), float(score), _box(corners, width, height))
        for text, score, corners in rows
        if score >= _SCORE and len(text.strip()) > 1
    ]
    return tuple(sorted(lines, key=lambda line: (round(line.box[1], 2), line.box[0])))


def _shrink(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = frame.shape[:2]
    scale = LONG_SIDE / max(height, width)
    if scale >= 1:
        return frame
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def _box(corners: NDArray[np.float32], width: int, height: int) -> Box:
    shares = np.clip(np.asarray(corners, np.float64) / [width, height], 0, 1)
    (x0, y0), (x1, y1) = shares.min(axis=0), shares.max(axis=0)
    return round(x0, 4), round(y0, 4), round(x1, 4), round(y1, 4)


def join_over_time(
    seen: Sequence[tuple[float, tuple[Line, ...]]], duration_s: float
) -> tuple[TimedText, ...]:
    """Join lines that stay from frame to frame, at whatever place.

    Args:
        seen: Seconds and lines of every frame, in order.
        duration_s: Where the last frame's lines end, at the earliest at its own time.
    """
    times = [time for time, _ in seen]
    ends = [*times[1:], max([duration_s, *times[-1:]])][: len(times)]
    done: list[TimedText] = []
    running: list[TimedText] = []
    for (time, lines), end in zip(seen, ends, strict=True):
        fresh = []
        for line in lines:
            before = next((old for old in running if _alike(old.text, line.text)), None)
            if before is not None:
                running.remove(before)
            fresh.append(_extend(before, line, time, end))
        done.extend(running)
        running = fresh
    return tuple(
        sorted((*done, *running), key=lambda line: (line.start_s, (line.box or (0, 0))[1]))
    )


def _extend(before: TimedText | None, line: Line, start_s: float, end_s: float) -> TimedText:
    """A line that goes on keeps its start and its surest reading."""
    if before is None:
        return TimedText(start_s, end_s, line.text, line.score, line.box)
    if (before.confidence or 0.0) >= line.score:
        return replace(before, end_s=end_s)
    return TimedText(before.start_s, end_s, line.text, line.score, line.box)


def _alike(a: str, b: str) -> bool:
    if a == b:
        return True
    if min(len(a), len(b)) < _ALIKE * max(len(a), len(b)):
        return False
    return SequenceMatcher(None, a.lower(), b.lower(), autojunk=False).ratio() >= _ALIKE


def _cores(threads: int) -> int:
    return threads or len(os.sched_getaffinity(0))


@cache
def _idle(count: int) -> LifoQueue[RapidOCR | None]:
    """Places for engines of one thread each; one is built when its place is first taken."""
    places: LifoQueue[RapidOCR | None] = LifoQueue()
    for _ in range(count):
        places.put(None)
    return places


def load(threads: int = 0) -> None:
    """Build the first engine now instead of at the first frame."""
    with _engine(threads):
        pass


@contextmanager
def _engine(threads: int) -> Iterator[RapidOCR]:
    """An engine that nobody else uses: frames side by side cost less than threads in one."""
    idle = _idle(_cores(threads))
    engine = idle.get()
    try:
        engine = engine or _build()
        yield engine
    finally:
        idle.put(engine)


def _build() -> RapidOCR:
    from rapidocr import RapidOCR

    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,  # text upside down is rare and the check costs a model
            "Global.max_side_len": LONG_SIDE,
            "Det.limit_type": "max",  # the default enlarges small frames
            "Det.limit_side_len": _FIND_SIDE,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        }
    )
