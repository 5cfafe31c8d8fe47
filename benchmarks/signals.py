"""What each part of signal extraction costs: ``python benchmarks/signals.py FILE...``

Prints milliseconds of wall time a file and part, the median of three runs after one to warm up,
and the medians over all files. ``--expensive`` adds speech recognition and screen text.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from coefvq.domain import MediaInfo
from coefvq.errors import MediaError
from coefvq.media.limits import MediaLimits
from coefvq.media.probe import probe
from coefvq.media.sampling import sample
from coefvq.signals import audio, motion, screen_text, speech, tower, visual
from coefvq.signals.extract import CheapExtractor, read_sound

CHEAP = ("probe", "sample", "frames", "visual", "motion", "read_sound", "sound")
EXPENSIVE = ("speech", "screen_text")
OURS = ("frames", "visual", "motion", "sound")


def timed(work: Callable[[], object], runs: int = 3) -> float:
    """Median milliseconds of ``runs`` calls, after one more to warm up."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def cheap(info: MediaInfo) -> dict[str, float]:
    """Milliseconds of every part of the cheap signals of one file."""
    limits = MediaLimits()
    seen = sample(info, limits)
    sound, _ = read_sound(info, limits, audio.MAX_SECONDS)
    encoder = tower.frame_encoder()
    return {
        "probe": timed(lambda: probe(info.path, limits)),
        "sample": timed(lambda: sample(info, limits)),
        "frames": timed(lambda: encoder(seen.frames)),
        "visual": timed(lambda: visual.visual_statistics(seen.frames)),
        "motion": timed(lambda: motion.motion_statistics(seen.bursts)),
        "read_sound": timed(lambda: read_sound(info, limits, audio.MAX_SECONDS)),
        "sound": timed(lambda: audio.sound_statistics(sound)),
    }


def expensive(info: MediaInfo, threads: int) -> dict[str, float]:
    """Milliseconds of speech recognition and screen text of one file, one run each."""
    limits = MediaLimits()
    sound, _ = read_sound(info, limits, speech.MAX_SECONDS)
    seen = sample(info, limits, frames=16, bursts=0, long_side=960)
    reading = (seen.frames, seen.times_s, info.duration_s, threads)
    return {
        "speech": timed(lambda: speech.transcribe(sound, threads), runs=1),
        "screen_text": timed(lambda: screen_text.read_frames(*reading), runs=1),
    }


def main() -> None:
    """Measure the files named on the command line and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--expensive", action="store_true")
    arguments = parser.parse_args()
    CheapExtractor(arguments.threads)  # sets the threads of torch and OpenCV
    columns = CHEAP + EXPENSIVE * arguments.expensive
    print(f"{'file':28}", *(f"{name:>11}" for name in columns), f"{'signals':>9}")
    rows = []
    for path in arguments.files:
        try:
            info = probe(path)
        except MediaError as error:
            print(f"{path.name[:28]:28} {error.code}")
            continue
        row = cheap(info) | (expensive(info, arguments.threads) if arguments.expensive else {})
        rows.append(row)
        show(path.name, row, columns)
    if rows:
        middle = {name: statistics.median(row[name] for row in rows) for name in columns}
        show(f"median of {len(rows)}", middle, columns)


def show(name: str, row: dict[str, float], columns: tuple[str, ...]) -> None:
    """Print one row; the last column sums the parts after decoding (without sampling)."""
    ours = sum(row[part] for part in OURS)
    print(f"{name[:28]:28}", *(f"{row[part]:11.1f}" for part in columns), f"{ours:9.1f}")


if __name__ == "__main__":
    main()
