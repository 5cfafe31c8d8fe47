"""A large library out of a seeded generator: words, cases, jobs, events and vectors, no media."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import func, insert, select

from coefvq.store import events
from coefvq.store.embeddings import WIDTH
from coefvq.store.search import SEPARATOR
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, EmbeddingRow, JobRow, MediaRow, VideoRow, VideoTextRow

COMMON, RARE, PAIR = "funny", "quokka", "funny prank"
_START = datetime(2026, 1, 1, tzinfo=UTC)
_BATCH = 5000
_STATES = (  # (state of icd's case, route, status of the video), weight
    (("auto", "auto_pass", "scored"), 70),
    (("auto", "auto_flag", "scored"), 8),
    (("queued", "human", "scored"), 12),
    (("decided", "human", "scored"), 8),
    (("pending", None, "waiting"), 1),
    (("set_aside", None, "failed"), 1),
)
_POLICIES = ("hate_harassment", "violence", "scam_spam", "sexual")

Row = dict[str, Any]


def fill(store: Store, size: int) -> None:
    """Fill an empty store; one that has that many videos stays as it is."""
    with store.read() as session:
        known = session.scalar(select(func.count()).select_from(VideoRow)) or 0
    if known == size:
        return
    if known:
        raise SystemExit(f"the store has {known} videos; give an empty one")
    started, made = time.perf_counter(), 0
    for first in range(0, size, _BATCH):
        numbers = range(first, min(first + _BATCH, size))
        _insert(store, [_Video(number) for number in numbers])
        made += len(numbers)
        print(f"\r{made} videos", end="", flush=True)
    with store.write() as session:
        for number in range(0, size, max(1, size // 200)):
            video_id = f"v{number:013d}"
            events.append(session, "local", "video.uploaded", "video", video_id)
            events.append(session, "worker", "video.scored", "video", video_id)
    print(f"\rfilled in {time.perf_counter() - started:.0f} s")


def _insert(store: Store, made: list[_Video]) -> None:
    with store.write() as session:
        for table, rows in (
            (MediaRow, (v.media() for v in made)),
            (VideoRow, (v.video() for v in made)),
            (VideoTextRow, (v.words() for v in made)),
            (CaseRow, (case for v in made for case in v.cases())),
            (JobRow, (job for v in made for job in v.jobs())),
            (EmbeddingRow, _vectors(made)),
        ):
            session.execute(insert(table), list(_in_full(rows)))


def _in_full(rows: Iterable[Row]) -> Iterator[Row]:
    yield from rows


def _vectors(made: list[_Video]) -> Iterator[Row]:
    rows = np.random.default_rng(made[0].number).standard_normal((len(made), WIDTH))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    for video, row in zip(made, rows.astype(np.float16), strict=True):
        yield {"sha256": video.sha256, "version": "cheap-load", "vector": row.tobytes(),
               "created_at": video.at}  # fmt: skip


class _Video:
    """One made-up upload and everything that belongs to it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.id = f"v{number:013d}"
        self.sha256 = f"{number:064x}"
        self.at = _START + timedelta(seconds=30 * number)
        self._dice = random.Random(number)
        states, weights = zip(*_STATES, strict=True)
        self.state, self.route, self.status = self._dice.choices(states, weights)[0]
        self.title = self._some(6)
        self.caption = self._some(12)
        self.speech = self._some(60) if self._dice.random() < 0.3 else ""

    def _some(self, words: int) -> str:
        """Words by Zipf's law out of 20,000; one in five texts has the common one."""
        drawn = [f"w{min(int(self._dice.paretovariate(0.7)), 20_000)}" for _ in range(words)]
        if self._dice.random() < 0.2:
            drawn.append(COMMON)
        if self._dice.random() < 0.02:
            drawn.append("prank")
        if self._dice.random() < 0.0001:
            drawn.append(RARE)
        return " ".join(drawn)

    def media(self) -> Row:
        info = {"duration_s": 20.0, "width": 720, "height": 1280, "warnings": []}
        return {"sha256": self.sha256, "file_name": f"{self.sha256}.mp4", "size_bytes": 1,
                "info": info, "proxy": "p.mp4", "poster": "p.jpg", "contact_sheet": "c.jpg",
                "created_at": self.at}  # fmt: skip

    def video(self) -> Row:
        return {"id": self.id, "sha256": self.sha256, "title": self.title,
                "caption": self.caption, "original_name": f"{self.id}.mp4",
                "uploader": f"user{self.number % 5000}", "status": self.status,
                "uploaded_at": self.at}  # fmt: skip

    def words(self) -> Row:
        parts = (self.title, self.caption, f"{self.id}.mp4", self.speech, "")
        return {"video_id": self.id, "words": SEPARATOR.join(parts), "updated_at": self.at}

    def cases(self) -> Iterator[Row]:
        for task, state, route in (("icd", self.state, self.route), self._other()):
            yield {"id": f"c{task[0]}{self.number:012d}", "video_id": self.id, "task": task,
                   "state": state, "verdict": "ok" if route == "auto_pass" else "violation",
                   "probability": self._dice.random(), "route": route, "audit": False,
                   "priority": self._dice.random(), "second_look": False,
                   "queue": "fraud" if state == "queued" and self.number % 3 == 0 else None,
                   "top_policy": self._dice.choice(_POLICIES), "queued_at": self.at,
                   "created_at": self.at, "updated_at": self.at}  # fmt: skip

    def _other(self) -> tuple[str, str, str | None]:
        settled = self.status == "scored"
        return ("ucc", "auto", "auto_pass") if settled else ("ucc", self.state, None)

    def jobs(self) -> Iterator[Row]:
        state = {"failed": "set_aside", "waiting": "queued"}.get(self.status, "done")
        for priority, kind in enumerate(("ingest", "score")):
            yield {"id": f"j{kind[0]}{self.number:012d}", "kind": kind, "video_id": self.id,
                   "case_id": None, "payload": {}, "state": state,
                   "priority": priority, "attempts": 1,
                   "error_code": "no_frames" if state == "set_aside" else None, "error": None,
                   "progress": 1.0, "note": "", "created_at": self.at, "started_at": self.at,
                   "finished_at": self.at + timedelta(seconds=1)}  # fmt: skip
