"""How well copies are found: edits of real clips, and agreement with reference PDQ hashes.

    python -m benchmarks.originality reference --clips DIR --hashes DIR
    python -m benchmarks.originality edits --clips DIR [DIR...] [--others DIR...] [--limit N]
        [--strengths 1..3] [--jobs N] [--work DIR] [--same NAME,NAME...] [--json FILE]
    python -m benchmarks.originality calibrate [as edits; --json keeps the alignments]
    python -m benchmarks.originality calibrate --alignments FILE [FILE...]

``edits`` re-encodes every clip fifteen ways at up to three strengths (needs ffmpeg), puts the
clips and the others into an index and asks for each edit. A match with any other clip is false,
unless the edit shows it too (the second video of ``joined`` and ``picture_in_picture``) or
``--same`` says that these files are of the same footage. Edits and fingerprints are kept in
``--work``, so that a second run only matches. ``calibrate`` refits the scores of such edits and
says how far they can be believed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks import originality_scores as scores
from benchmarks.originality_edits import KINDS, Clip, Edit, edits_of, make_all, read_clip
from coefvq.errors import FingerprintError
from coefvq.media.limits import MediaLimits
from coefvq.media.probe import probe
from coefvq.originality.calibration import features, probability
from coefvq.originality.fingerprint import Fingerprint, from_bytes, to_bytes
from coefvq.originality.hashing import GOOD, frame_hash
from coefvq.originality.index import Index
from coefvq.originality.match import Found, find_copies
from coefvq.originality.ways import Tried, examined

SUFFIXES = {".mp4", ".mkv", ".webm", ".mov", ".avi"}
_EVERY = 5  # frames of a reference video that are compared
_NEAR_S = 1.0
_WRONG = 3  # of each edit's likeliest wrong originals


@dataclass(frozen=True)
class Answer:
    """What was found for one edit.

    Attributes:
        edit: File name.
        kind: Of edit.
        strength: 1..3.
        score: Of the true original; 0 where it was not found.
        error_s: Between where the middle of the match lies in the original, and where it is said
            to; ``None`` where it was not found.
        speed: As found.
        transform: As found.
        false: Names of others that were found.
        matches: How many were found in all.
        query_s: Seconds the search took.
    """

    edit: str
    kind: str
    strength: int
    score: float
    error_s: float | None
    speed: float
    transform: tuple[str, ...]
    false: tuple[str, ...]
    matches: int
    query_s: float


def main() -> int:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.originality", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    reference = commands.add_parser("reference")
    reference.add_argument("--clips", type=Path, required=True)
    reference.add_argument("--hashes", type=Path, required=True)
    for name in ("edits", "calibrate"):
        edits = commands.add_parser(name)
        edits.add_argument("--clips", type=Path, nargs="+", default=[])
        edits.add_argument("--others", type=Path, nargs="*", default=[])
        edits.add_argument("--limit", type=int)
        edits.add_argument("--strengths", type=int, choices=(1, 2, 3), default=3)
        edits.add_argument("--jobs", type=int, default=2)
        edits.add_argument("--work", type=Path, default=Path("scratch/originality"))
        edits.add_argument("--same", nargs="*", default=[])
        edits.add_argument("--json", type=Path)
    edits.add_argument("--alignments", type=Path, nargs="+", default=[])
    arguments = parser.parse_args()
    if arguments.command == "reference":
        return run_reference(arguments.clips, arguments.hashes)
    return run_edits(arguments) if arguments.command == "edits" else run_calibrate(arguments)


def run_reference(clips: Path, hashes: Path) -> int:
    """Compare frames' hashes with reference hashes (lines of frame, quality, hash, time)."""
    print("clip                              frames  <= 10 bits  median  most")
    held = []
    for listed in sorted(hashes.glob("*.txt")):
        path = clips / f"{listed.stem}.mp4"
        if path.exists():
            bits = _bits_apart(path, listed)
            held.append(bits)
            print(
                f"{listed.stem:<33} {len(bits):>6}  {np.mean(bits <= 10):>10.1%}"
                f"  {np.median(bits):>6.0f}  {bits.max():>4}"
            )
    total = np.concatenate(held)
    print(f"{'all':<33} {len(total):>6}  {np.mean(total <= 10):>10.1%}")
    return 0


def _bits_apart(path: Path, listed: Path) -> np.ndarray:
    lines = [line.split(",") for line in listed.read_text().splitlines()]
    apart = []
    with av.open(str(path)) as media:
        for number, frame in enumerate(media.decode(video=0)):
            if number % _EVERY or number >= len(lines) or int(lines[number][1]) < GOOD:
                continue
            ours, _ = frame_hash(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
            theirs = np.frombuffer(bytes.fromhex(lines[number][2]), np.uint8)
            apart.append(int(np.bitwise_count(ours ^ theirs).sum()))
    return np.array(apart)


def run_edits(arguments: argparse.Namespace) -> int:
    """Make the edits, ask for each, print the table."""
    bench = _prepared(arguments)
    answers = _spread(_ask, bench, arguments.jobs)
    report(answers, sum(len(one.times_s) for one in bench.known.values()))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(answer) for answer in answers], indent=1))
    return 0


def run_calibrate(arguments: argparse.Namespace) -> int:
    """Collect alignments or read them, refit the scores, print the bins."""
    held = [one for path in arguments.alignments for one in scores.load(path)]
    if arguments.clips:
        held += _spread(_align, _prepared(arguments), arguments.jobs)
    if arguments.json:
        scores.save(held, arguments.json)
    scores.report(held)
    return 0


@dataclass(frozen=True)
class Bench:
    """What is asked about, and what is in the index.

    Attributes:
        asked: Edits with their fingerprints.
        originals: Files, in the order of their keys.
        known: Fingerprints of the originals by key.
        fillers: The video that edits of a clip are joined into or laid over.
        same: Names of files that show the same footage.
    """

    asked: list[tuple[Edit, Fingerprint]]
    originals: list[Path]
    known: dict[int, Fingerprint]
    fillers: dict[Path, Path]
    same: list[set[str]]

    def shown(self, edit: Edit) -> set[str]:
        """Names of the originals that an edit shows."""
        shown = {edit.clip.path.name}
        if edit.inputs and str(self.fillers[edit.clip.path]) in edit.inputs:
            shown.add(self.fillers[edit.clip.path].name)
        return shown | {name for names in self.same if names & shown for name in names}


def _prepared(arguments: argparse.Namespace) -> Bench:
    clips = _clips(arguments.clips, arguments.limit)
    fillers = {clip.path: _filler(clip, clips).path for clip in clips}
    art = arguments.work / "art"
    edits = [
        edit
        for clip in clips
        for edit in edits_of(clip, fillers[clip.path], art, arguments.strengths)
    ]
    print(f"{len(clips)} clips, {len(edits)} edits", flush=True)
    paths = make_all(edits, arguments.work / "edits", arguments.jobs)
    others = [path for folder in arguments.others for path in _videos(folder)]
    originals = list(dict.fromkeys([clip.path for clip in clips] + others))
    work = [(path, arguments.work / "fingerprints") for path in [*originals, *paths]]
    with ProcessPoolExecutor(arguments.jobs, initializer=_one_thread) as pool:
        made = list(pool.map(_fingerprint, *zip(*work, strict=True), chunksize=8))
    known = dict(enumerate(made[: len(originals)]))
    same = [set(names.split(",")) for names in arguments.same]
    asked = list(zip(edits, made[len(originals) :], strict=True))
    return Bench(asked, originals, known, fillers, same)


def _spread(work: Callable[[Bench], list[Any]], bench: Bench, jobs: int) -> list[Any]:
    """Do it for shares of what is asked, at the same time."""
    parts = [replace(bench, asked=bench.asked[part::jobs]) for part in range(jobs)]
    with ProcessPoolExecutor(jobs, initializer=_one_thread) as pool:
        return [one for job in [pool.submit(work, part) for part in parts] for one in job.result()]


def _videos(place: Path) -> list[Path]:
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    return [path for path in files if path.suffix in SUFFIXES]


def _clips(folders: Iterable[Path], limit: int | None) -> list[Clip]:
    found = [read_clip(path) for folder in folders for path in _videos(folder)]
    return found[:limit]


def _filler(clip: Clip, clips: Sequence[Clip]) -> Clip:
    """Another clip of at least five seconds to join with, else the longest other one."""
    others = [other for other in clips if other is not clip]
    long = [other for other in others if other.duration_s >= 6.0]
    return long[0] if long else max(others, key=lambda other: other.duration_s)


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _fingerprint(path: Path, folder: Path) -> Fingerprint:
    """The file's fingerprint, from the folder where it was made before."""
    info = probe(path)
    kept = folder / f"{info.sha256}.fp"
    if kept.exists():
        try:
            return from_bytes(kept.read_bytes())
        except FingerprintError:
            pass  # of another version
    from coefvq.signals.fingerprints import make_fingerprint

    made = make_fingerprint(info, MediaLimits())
    folder.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(to_bytes(made))
    return made


def _ask(bench: Bench) -> list[Answer]:
    index = Index()
    index.add_many(bench.known.items())
    answers = []
    for edit, fingerprint in bench.asked:
        start = time.perf_counter()
        found = find_copies(fingerprint, index, bench.known.__getitem__)
        took = time.perf_counter() - start
        answers.append(_answer(edit, found, bench.originals, bench.shown(edit), took))
    return answers


def _align(bench: Bench) -> list[scores.Alignment]:
    """Of each edit the alignments with the right original and the likeliest wrong ones."""
    index = Index()
    index.add_many(bench.known.items())
    held = []
    for edit, fingerprint in bench.asked:
        ways = examined(fingerprint, index, bench.known.__getitem__)
        ways.sort(key=probability, reverse=True)
        shown = bench.shown(edit)
        wrong = [way for way in ways if bench.originals[way.key].name not in shown][:_WRONG]
        right = [way for way in ways if bench.originals[way.key] == edit.clip.path]
        held += [_alignment(edit, way, bench.originals[way.key]) for way in [*right, *wrong]]
    return held


def _alignment(edit: Edit, way: Tried, original: Path) -> scores.Alignment:
    """One counts as right where it also says within a second when."""
    middle = (way.evidence.query_start_s + way.evidence.query_end_s) / 2
    said = way.line.offset_s + way.line.speed * middle
    right = original == edit.clip.path and abs(said - edit.reference_time(middle)) <= _NEAR_S
    return scores.Alignment(
        folder=edit.clip.path.parent.name,
        clip=edit.clip.path.name,
        query=edit.name,
        original=original.name,
        right=right,
        score=probability(way),
        features=tuple(features(way).tolist()),
    )


def _answer(
    edit: Edit, found: list[Found], originals: list[Path], shown: set[str], took: float
) -> Answer:
    true = [one for one in found if originals[one.key] == edit.clip.path]
    error = None
    if true:
        middle = (true[0].query_start_s + true[0].query_end_s) / 2
        said = (true[0].reference_start_s + true[0].reference_end_s) / 2
        error = abs(said - edit.reference_time(middle))
    return Answer(
        edit=edit.name,
        kind=edit.kind,
        strength=edit.strength,
        score=true[0].score if true else 0.0,
        error_s=error,
        speed=true[0].speed if true else 1.0,
        transform=true[0].transform if true else (),
        false=tuple(originals[o.key].name for o in found if originals[o.key].name not in shown),
        matches=len(found),
        query_s=took,
    )


def report(answers: list[Answer], frames: int) -> None:
    """Print recall by kind and strength, false matches, and how far the times are off."""
    strengths = sorted({answer.strength for answer in answers})
    print("kind                 " + "  ".join(f"strength {s}" for s in strengths) + "   false")
    for kind in KINDS:
        row = [answer for answer in answers if answer.kind == kind]
        cells = [_cell([a for a in row if a.strength == strength]) for strength in strengths]
        false = sum(len(answer.false) for answer in row)
        print(f"{kind:<20} " + "  ".join(f"{cell:>10}" for cell in cells) + f"  {false:>6}")
    for name, value in totals(answers).items():
        print(f"{name:<28} {value:.4f}")
    print(f"{'frames in the index':<28} {frames}")


def totals(answers: list[Answer]) -> dict[str, float]:
    """Recall, precision over matches, share aligned within a second, and time."""
    found = [answer for answer in answers if answer.error_s is not None]
    errors = np.array([answer.error_s for answer in found], float)
    false = sum(len(answer.false) for answer in answers)
    matches = sum(answer.matches for answer in answers)
    return {
        "queries": len(answers),
        "recall": len(found) / max(1, len(answers)),
        "precision": 1.0 - false / max(1, matches),
        "queries with a false match": float(np.mean([bool(answer.false) for answer in answers])),
        "aligned within 1 s": float(np.mean(errors <= _NEAR_S)) if len(errors) else 0.0,
        "median error, s": float(np.median(errors)) if len(errors) else 0.0,
        "median seconds a query": float(np.median([answer.query_s for answer in answers])),
    }


def _cell(row: list[Any]) -> str:
    return f"{sum(answer.score > 0 for answer in row)}/{len(row)}" if row else "-"


if __name__ == "__main__":
    raise SystemExit(main())
