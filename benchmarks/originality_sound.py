"""How well copies are found by their sound, and how fast.

    python -m benchmarks.originality_sound recall --clips DIR [--music 30] [--speech 24]
    python -m benchmarks.originality_sound fit --clips DIR
    python -m benchmarks.originality_sound speed [--hours 1000]

``recall`` adds every sound to one index, edits each and looks for it: right is the right sound
within a second of the right place. Negatives are all other sounds in the index. Needs ffmpeg;
speech needs eSpeak NG.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.originality_sounds import EDITS, Sound, clips, edited, mixed, music, speech
from coefvq.originality.sound import gaps, landmarks, pack
from coefvq.originality.sound_index import SoundIndex
from coefvq.originality.sound_match import SPEEDS, THRESHOLD, SoundFound, sound_matches

RATE = 16_000
_EXCERPTS_S = (3, 5, 10)
_RIDGE = 0.01


@dataclass(frozen=True)
class Query:
    """An edited sound and where its seconds are in the original."""

    edit: str
    sound: Sound
    offset_s: float
    speed: float = 1.0

    def error_s(self, found: SoundFound) -> float:
        """How far a match is off, at its middle."""
        middle = (found.query_start_s + found.query_end_s) / 2
        said = found.reference_start_s + found.speed * (middle - found.query_start_s)
        return abs(said - (self.offset_s + self.speed * middle))


def sources(options: argparse.Namespace) -> dict[str, Sound]:
    """All sounds of the benchmark by name."""
    found = dict(clips(options.clips)) if options.clips else {}
    found |= {f"music {seed}": music(seed) for seed in range(options.music)}
    read = ((f"speech {seed}", speech(seed)) for seed in range(options.speech))
    return found | {name: sound for name, sound in read if sound is not None}


def queries(name: str, sound: Sound, everything: dict[str, Sound]) -> Iterator[Query]:
    """All edits of one sound."""
    rng = np.random.default_rng(len(name) + len(sound))
    for edit in EDITS:
        speed = float(edit.split()[1]) if edit.split()[0] in ("tempo", "tape") else 1.0
        yield Query(edit, edited(sound, edit), 0.0, speed)
    for seconds in _EXCERPTS_S:
        start = int(rng.uniform(0, max(len(sound) - seconds * RATE, 1)))
        piece = sound[start : start + seconds * RATE]
        yield Query(f"excerpt of {seconds} s", piece, start / RATE)
    noise = rng.normal(size=len(sound)).astype(np.float32)
    for decibels in (20, 10):
        yield Query(f"noise {decibels} dB below", mixed(sound, noise, decibels), 0.0)
    others = [other for other in everything if other != name]
    for decibels in (6, 0, -6):
        other = everything[others[int(rng.integers(len(others)))]]
        yield Query(f"mixed, {decibels} dB above another", mixed(sound, other, decibels), 0.0)


def recall(options: argparse.Namespace) -> None:
    """Print recall by edit, false matches, alignment."""
    everything = sources(options)
    index, marks = _indexed(everything)
    seconds = sum(len(sound) for sound in everything.values()) / RATE
    print(f"{len(everything)} sounds, {seconds / 60:.0f} min, {len(index) / seconds:.1f} a second")
    rows: dict[str, list[tuple[bool, float]]] = {}
    false = looked = 0
    for key, (name, sound) in enumerate(everything.items()):
        for query in queries(name, sound, everything):
            found = sound_matches(landmarks(query.sound), index)
            own = [query.error_s(each) for each in found if each.key == key]
            good = bool(own) and min(own) <= 1.0
            rows.setdefault(query.edit, []).append((good, own[0] if own else np.nan))
            if not query.edit.startswith("mixed"):  # there the other is in it
                false += len({each.key for each in found} - {key})
                looked += len(everything) - 1
    _print_recall(rows)
    unedited = sum(len(sound_matches(own, index, exclude=[key])) for key, own in enumerate(marks))
    print(f"other sounds matched: {false} of {looked} pairs; unedited, {unedited}")
    if options.json:
        table = {edit: [good for good, _ in each] for edit, each in rows.items()}
        options.json.write_text(json.dumps({"recall": table, "false": false, "pairs": looked}))


def _print_recall(rows: dict[str, list[tuple[bool, float]]]) -> None:
    print(f"{'edit':32}{'found':>8}{'of':>6}{'recall':>9}{'median error':>15}")
    for edit, each in rows.items():
        found = sum(good for good, _ in each)
        errors = [error for good, error in each if good]
        middle = f"{np.median(errors):.2f} s" if errors else "-"
        print(f"{edit:32}{found:8}{len(each):6}{found / len(each):9.3f}{middle:>15}")


def fit(options: argparse.Namespace) -> None:
    """Fit the score's logistic: right candidates against wrong ones, the clearest ones too."""
    everything = sources(options)
    index, _ = _indexed(everything)
    rows, labels = [], []
    for key, (name, sound) in enumerate(everything.items()):
        for query in queries(name, sound, everything):
            for each in sound_matches(landmarks(query.sound), index, threshold=0.0):
                right = each.key == key and query.error_s(each) <= 1.0
                if right or (each.key != key and not query.edit.startswith("mixed")):
                    rows.append((1.0, np.log(each.moments), np.log(each.share)))
                    labels.append(1.0 if right else 0.0)
    weights = _logistic(np.array(rows), np.array(labels))
    print(f"{int(sum(labels))} right, {int(len(labels) - sum(labels))} wrong candidates")
    print(f"constant, ln moments, ln share: {np.round(weights, 2).tolist()}; now {THRESHOLD=}")


def _logistic(rows: NDArray[np.float64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Both kinds weigh the same."""
    weight = np.where(labels > 0, 0.5 / labels.mean(), 0.5 / (1 - labels.mean())) / len(labels)

    def loss(weights: NDArray[np.float64]) -> float:
        margin = (2 * labels - 1) * (rows @ weights)
        return float(weight @ np.logaddexp(0, -margin) + _RIDGE / 100 * weights[1:] @ weights[1:])

    return np.asarray(minimize(loss, np.zeros(3)).x)


def _indexed(everything: dict[str, Sound]) -> tuple[SoundIndex, list[NDArray[np.uint32]]]:
    index, marks = SoundIndex(), [landmarks(sound) for sound in everything.values()]
    for key, own in enumerate(marks):
        index.add(key, own)
    return index, marks


def speed(options: argparse.Namespace) -> None:
    """Time adding and looking up where so many hours are indexed.

    Landmarks are drawn: first frequency, step to the second and gap, each as often as in the music
    and speech made here, independently.
    """
    real = [landmarks(music(seed)) for seed in range(12)]
    real += [landmarks(sound) for sound in map(speech, range(8)) if sound is not None]
    pool = np.concatenate(real)[:, 0].astype(np.int64)
    low, high = pool >> 14, (pool >> 6) & 255
    parts = (low, high - low, gaps(pool.astype(np.uint32)))
    rng = np.random.default_rng(0)
    index, took = SoundIndex(), []
    per_video, videos = 12 * 60, options.hours * 60
    for key in range(videos):
        times = np.sort(rng.integers(0, 6000, per_video)).astype(np.uint32)
        first, step, gap = (rng.choice(part, per_video) for part in parts)
        hashes = pack(first, np.clip(first + step, 0, 255), gap)
        before = time.perf_counter()
        index.add(key, np.stack([hashes, times], axis=1))
        took.append(time.perf_counter() - before)
    lookups = [_seconds(index, music(100 + n, 30)) for n in range(8)]
    size = f"{len(index):,} landmarks, {index.nbytes / 1e6:,.0f} MB"
    print(f"{options.hours} h in {videos} sounds, {size}")
    print(f"adding a minute: {1000 * np.mean(took):.2f} ms on average, {max(took):.1f} s at most")
    middle = 1000 * np.median(lookups)
    print(f"30 s at {len(SPEEDS)} tempi: median {middle:.0f} ms, n = {len(lookups)}")


def _seconds(index: SoundIndex, sound: Sound) -> float:
    query = landmarks(sound)
    before = time.perf_counter()
    sound_matches(query, index)
    return time.perf_counter() - before


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for name, run in (("recall", recall), ("fit", fit)):
        command = commands.add_parser(name)
        command.add_argument("--clips", type=Path)
        command.add_argument("--music", type=int, default=30)
        command.add_argument("--speech", type=int, default=24)
        command.add_argument("--json", type=Path)
        command.set_defaults(run=run)
    command = commands.add_parser("speed")
    command.add_argument("--hours", type=int, default=1000)
    command.set_defaults(run=speed)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
