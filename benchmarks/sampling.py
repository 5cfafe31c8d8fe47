"""Time frame sampling against decoding every frame: ``python benchmarks/sampling.py FILE...``.

Both are timed on the same file in turn, best of several, opening included. Decoding every
frame uses the decoder's own threads and converts nothing, so the ratio flatters nobody.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from coefvq.domain import MediaInfo
from coefvq.errors import MediaError
from coefvq.media.container import open_media
from coefvq.media.limits import MediaLimits
from coefvq.media.probe import probe, video_stream
from coefvq.media.sampling import FrameSample, sample

T = TypeVar("T")
LONG_S = 10.0


@dataclass(frozen=True)
class Row:
    """One file's figures; times in milliseconds of wall time."""

    name: str
    info: MediaInfo
    sample: FrameSample
    sampling_ms: float
    full_ms: float
    frames: int

    @property
    def ratio(self) -> float:
        """Cost of sampling as a share of decoding everything."""
        return self.sampling_ms / self.full_ms


def decode_all(info: MediaInfo, limits: MediaLimits) -> int:
    """Decode every frame of the file and return how many there were."""
    with open_media(info.path, limits) as media:
        stream = video_stream(media, info.path)
        stream.thread_type = "AUTO"
        return sum(1 for _ in media.container.decode(stream))


def measure(path: Path, repeats: int, frames: int) -> Row:
    """Measure one file, both ways in turn, and keep the best of each."""
    limits = MediaLimits()
    info = probe(path, limits)
    sampling_ms = full_ms = float("inf")
    for _ in range(repeats):
        elapsed, taken = _timed(lambda: sample(info, limits, frames=frames))
        sampling_ms = min(sampling_ms, elapsed)
        elapsed, count = _timed(lambda: decode_all(info, limits))
        full_ms = min(full_ms, elapsed)
    return Row(path.name, info, taken, sampling_ms, full_ms, count)


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    result = work()
    return 1000 * (time.perf_counter() - started), result


def print_rows(rows: list[Row]) -> None:
    """Print a line a file and the medians."""
    print(
        f"{'file':34} {'s':>6} {'size':>9} {'frames':>6} {'sample':>7} {'full':>7} ratio distinct"
    )
    for row in rows:
        size = f"{row.info.width}x{row.info.height}"
        print(
            f"{row.name[:34]:34} {row.info.duration_s:6.1f} {size:>9} {row.frames:6d} "
            f"{row.sampling_ms:7.1f} {row.full_ms:7.1f} {row.ratio:5.2f} "
            f"{row.sample.distinct:3d} {row.sample.method}"
        )
    _print_medians("all", rows)
    _print_medians(f"over {LONG_S:.0f} s", [r for r in rows if r.info.duration_s > LONG_S])


def _print_medians(name: str, rows: list[Row]) -> None:
    if not rows:
        return
    print(
        f"median, {name} (n={len(rows)}): sampling "
        f"{statistics.median(r.sampling_ms for r in rows):.1f} ms, ratio "
        f"{statistics.median(r.ratio for r in rows):.3f}, distinct "
        f"{statistics.median(r.sample.distinct for r in rows):.0f}"
    )


def main() -> int:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--frames", type=int, default=8)
    arguments = parser.parse_args()
    rows, failed = [], 0
    for path in arguments.files:
        try:
            rows.append(measure(path, arguments.repeats, arguments.frames))
        except MediaError as error:
            failed += 1
            print(f"{error.code}: {error}", file=sys.stderr)
    print_rows(rows)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
