"""``make bench``: what sampling, a prefiltered and an escalated video cost on this machine.

    python -m benchmarks [FILE...]

Without files it makes the demo clips in a temporary folder. Models are loaded before anything
is timed; every figure is wall time. Nothing is stored.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.sampling import measure, print_rows
from coefvq.cascade import Cascade, StageChoice
from coefvq.cli.progress import Progress
from coefvq.domain import CascadeResult
from coefvq.errors import MediaError
from coefvq.settings import load_settings

LONGEST_S, TALLEST = 30.0, 720


def main() -> int:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = arguments.files or _demo_clips(Path(folder))
        usable = _bench_sampling(files)
        return _bench_cascade(usable)


def _demo_clips(folder: Path) -> list[Path]:
    from coefvq.demo.build import build_demo
    from coefvq.demo.catalogue import CLIPS

    build_demo(folder, Progress(len(CLIPS), "making clips"))
    return sorted(folder.glob("*.mp4"))


def _bench_sampling(files: list[Path]) -> list[Path]:
    print("\nSampling against decoding every frame")
    rows, usable = [], []
    for path in files:
        try:
            rows.append(measure(path, repeats=3, frames=8))
            usable.append(path)
        except MediaError as error:
            print(f"{error.code}: {error}", file=sys.stderr)
    print_rows(rows)
    return usable


def _bench_cascade(files: list[Path]) -> int:
    print("\nStages of the cascade")
    cascade = Cascade.load(load_settings())
    cascade.assess(files[0], stage="mllm")  # loads every model
    first = [_timed(cascade, path, "prefilter") for path in files]
    both = [_timed(cascade, path, "mllm") for path in files]
    short = [result for result in first if _is_short(result)]
    cheap, dear = _median(first), _median(both)
    print(f"prefilter stage, all (n={len(first)}): median {cheap:.0f} ms a clip")
    if short:
        print(
            f"prefilter stage, 2-30 s up to 720p (n={len(short)}): median "
            f"{_median(short):.0f} ms, 90th percentile {_percentile(short, 0.9):.0f} ms"
        )
    print(f"both stages (n={len(both)}): median {dear:.0f} ms a clip")
    print(f"an escalated video costs {dear / cheap:.1f} times a prefiltered one")
    return 0


def _timed(cascade: Cascade, path: Path, stage: StageChoice) -> CascadeResult:
    return cascade.assess(path, title="a day at the beach", stage=stage)


def _milliseconds(result: CascadeResult) -> float:
    cost = result.cost
    return cost.media_ms + cost.prefilter_ms + cost.expensive_signals_ms + cost.mllm_ms


def _is_short(result: CascadeResult) -> bool:
    info = result.info
    if info is None:
        return False
    return 2.0 <= info.duration_s <= LONGEST_S and min(info.width, info.height) <= TALLEST


def _median(results: list[CascadeResult]) -> float:
    return statistics.median(map(_milliseconds, results))


def _percentile(results: list[CascadeResult], share: float) -> float:
    ordered = sorted(map(_milliseconds, results))
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


if __name__ == "__main__":
    raise SystemExit(main())
