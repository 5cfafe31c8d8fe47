"""How long an export of many decisions takes in each format, and how much memory.

    OMP_NUM_THREADS=1 python -m benchmarks.export_speed [--size 100000] [--home FOLDER] [format ...]

Fills a store with made-up decisions on one policy task (five labels each, a third of them correct
the machine, speech and screen text for half of the videos), then exports each format in a process
of its own. All videos are one small file, referred to by path. Wall and processor time of the
export, its output, and the largest resident memory of the process; beside it what the process
holds before it exports.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from coefvq import taxonomy
from coefvq.export.formats import FORMATS
from coefvq.export.run import run_export
from coefvq.export.wanted import Wanted
from coefvq.review.access import LOCAL
from coefvq.settings import Settings
from coefvq.store.session import Store, open_store
from coefvq.store.tables import (
    AssessmentRow,
    CachedSignalsRow,
    CaseRow,
    DecisionRow,
    MediaRow,
    VerdictRow,
    VideoRow,
)

TASK, EXTRACTOR = "icd", "expensive-load"
TABLES = (MediaRow, VideoRow, CachedSignalsRow, AssessmentRow, CaseRow, VerdictRow, DecisionRow)
TEXT_FORMATS = ("ms-swift", "llama-factory", "llava", "label-studio", "csv", "dsa", "hf")
_START = datetime(2026, 1, 1, tzinfo=UTC)
_BATCH = 1000
_WORDS = ("look at this", "free gift card", "link in my bio", "so then he said", "what a day",
          "you will not believe", "subscribe for more", "they should be gone")  # fmt: skip
Row = dict[str, Any]


def main() -> int:
    """Read the command line, fill, measure each format in a child, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.export_speed", description=__doc__)
    parser.add_argument("formats", nargs="*", help=f"default: {', '.join(TEXT_FORMATS)}")
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--home", type=Path, help="keep the store here")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        return _child(asked.home, asked.child)
    with tempfile.TemporaryDirectory() as folder:
        home = asked.home or Path(folder)
        settings = Settings(home=home)
        with open_store(settings.url) as store:
            fill(store, settings, asked.size)
        print(f"{'format':14} {'wall':>7} {'processor':>10} {'rows':>9} {'output':>9} "
              f"{'memory before':>14} {'most':>8}")  # fmt: skip
        for name in asked.formats or TEXT_FORMATS:
            command = [sys.executable, "-m", "benchmarks.export_speed", "--home", str(home)]
            told = subprocess.run([*command, "--child", name], check=True, capture_output=True)
            print(told.stdout.decode().strip().splitlines()[-1], flush=True)
    return 0


def _child(home: Path, name: str) -> int:
    settings = Settings(home=home)
    with tempfile.TemporaryDirectory(dir=home) as out, open_store(settings.url) as store:
        before, started, spent = _memory(), time.perf_counter(), time.process_time()
        made = run_export(store, settings, LOCAL, Wanted(name, media="none"), Path(out))
        wall, busy = time.perf_counter() - started, time.process_time() - spent
        size = sum(path.stat().st_size for path in Path(out).rglob("*") if path.is_file())
    print(f"{name:14} {wall:5.1f} s {busy:8.1f} s {made.tally.rows:9,} {size / 1e6:6.0f} MB "
          f"{before:11.0f} MB {_memory():5.0f} MB")  # fmt: skip
    return 0


def _memory() -> float:
    """Largest resident set so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def fill(store: Store, settings: Settings, size: int) -> None:
    """Fill an empty store; one that has that many decisions stays as it is."""
    with store.read() as session:
        known = session.scalar(select(func.count()).select_from(DecisionRow)) or 0
    if known == size:
        return
    if known:
        raise SystemExit(f"the store has {known} decisions; give an empty one")
    settings.media_dir.mkdir(parents=True, exist_ok=True)
    (settings.media_dir / "clip.mp4").write_bytes(b"not opened")
    for first in range(0, size, _BATCH):
        made = [_Case(number) for number in range(first, min(first + _BATCH, size))]
        with store.write() as session:
            for table in TABLES:
                if rows := [row for case in made for row in case.rows(table)]:
                    session.execute(insert(table), rows)


class _Case:
    """A video that was decided once."""

    def __init__(self, number: int) -> None:
        self.number, self._dice = number, random.Random(number)
        self.at = _START + timedelta(seconds=60 * number)
        self.policies = [policy.id for policy in taxonomy.task(TASK).policies]
        self.machine = {policy: self._dice.random() ** 3 for policy in self.policies}
        self.labels = {policy: "violation" if value >= 0.5 else "ok"
                       for policy, value in self.machine.items()}  # fmt: skip
        self.corrected = number % 3 == 0
        if self.corrected:
            turned = self._dice.choice(self.policies)
            other = "ok" if self.labels[turned] == "violation" else "violation"
            self.labels[turned] = other

    def rows(self, table: type) -> Iterator[Row]:
        """This case's rows of a table."""
        yield from getattr(self, f"_{table.__name__}")()

    def _id(self, kind: str) -> str:
        return f"{kind}{self.number:014d}"

    @property
    def _sha(self) -> str:
        return f"{self.number:064x}"

    def _said(self, count: int) -> str:
        return " ".join(self._dice.choice(_WORDS) for _ in range(count))

    def _MediaRow(self) -> Iterator[Row]:
        info = {"sha256": self._sha, "duration_s": 12.0, "width": 720, "height": 1280,
                "size_bytes": 1, "rotation": 0, "fps": 25.0, "video_codec": "h264",
                "pixel_format": "yuv420p", "container": "mp4", "has_audio": True,
                "audio_codec": "aac", "warnings": []}  # fmt: skip
        yield {"sha256": self._sha, "file_name": "clip.mp4", "size_bytes": 1, "info": info,
               "proxy": None, "poster": None, "contact_sheet": None,
               "created_at": self.at}  # fmt: skip

    def _VideoRow(self) -> Iterator[Row]:
        yield {"id": self._id("v"), "sha256": self._sha, "title": f"{self.number} {self._said(2)}",
               "caption": self._said(5), "original_name": "x.mp4",
               "uploader": f"user{self.number % (1 + self.number // 5)}", "status": "scored",
               "uploaded_at": self.at}  # fmt: skip

    def _CachedSignalsRow(self) -> Iterator[Row]:
        if self.number % 2:
            return
        lines = [{"start_s": float(at), "end_s": at + 1.0, "text": self._said(3),
                  "confidence": 0.9, "box": None} for at in range(6)]  # fmt: skip
        yield {"sha256": self._sha, "extractor": EXTRACTOR, "payload": b"", "created_at": self.at,
               "readable": {"speech": lines, "speech_understood": True,
                            "screen_text": lines[:2]}}  # fmt: skip

    def _AssessmentRow(self) -> Iterator[Row]:
        yield {"id": self._id("p"), "video_id": self._id("v"), "stage": "prefilter",
               "model_version": "load", "scores": {}, "evidence": [], "rationale": None,
               "contributions": {}, "milliseconds": 90.0, "tokens_in": 0, "tokens_out": 0,
               "cost": None, "created_at": self.at}  # fmt: skip

    def _CaseRow(self) -> Iterator[Row]:
        yield {"id": self._id("c"), "video_id": self._id("v"), "task": TASK, "state": "decided",
               "verdict_id": self._id("w"), "decision_id": self._id("d"), "audit": False,
               "route": "human", "routing_version": "load", "priority": 0.0, "second_look": False,
               "created_at": self.at, "updated_at": self.at}  # fmt: skip

    def _route(self) -> Row:
        return {"name": "human", "rule": "entropy", "version": "load", "score": 0.9,
                "threshold": 0.9, "escalated": True, "audit": False, "propensity": 1.0,
                "reason": ""}  # fmt: skip

    def _shown(self) -> Row:
        return {policy: {"policy": policy, "prefilter": value, "mllm": value, "final": value,
                         "covered": True, "why_not": None}
                for policy, value in self.machine.items()}  # fmt: skip

    def _VerdictRow(self) -> Iterator[Row]:
        yield {"id": self._id("w"), "case_id": self._id("c"), "prefilter_id": self._id("p"),
               "mllm_id": None, "expensive_extractor": EXTRACTOR, "verdict": "needs_human",
               "probability": 0.5, "policies": {}, "route": self._route(), "first_route": None,
               "models": {"prefilter": "load"}, "created_at": self.at}  # fmt: skip

    def _DecisionRow(self) -> Iterator[Row]:
        bad = "violation" in self.labels.values()
        yield {"id": self._id("d"), "case_id": self._id("c"), "verdict_id": self._id("w"),
               "task": TASK, "reviewer": f"person{self.number % 40}", "role": "reviewer",
               "action": "remove" if bad else "keep", "labels": self.labels, "reasons": {},
               "comment": "", "start_s": None, "end_s": None, "notice": "", "batch_id": None,
               "kind": "review", "taxonomy_version": taxonomy.version(),
               "correction": self.corrected, "decided_at": self.at,
               "snapshot": {"route": self._route(), "policies": self._shown(),
                            "verdict": "needs_human", "models": {"prefilter": "load"}}}  # fmt: skip


if __name__ == "__main__":
    assert set(TEXT_FORMATS) <= FORMATS.keys()
    raise SystemExit(main())
