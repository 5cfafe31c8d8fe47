"""A fresh store on every backend, and a way to fill it with what the alarms look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coefvq.domain import Route, RouteName
from coefvq.store import codec
from coefvq.store.session import Store
from coefvq.store.tables import (
    AssessmentRow,
    CaseRow,
    DecisionRow,
    JobRow,
    LookRow,
    MediaRow,
    QueueRow,
    VerdictRow,
    VideoRow,
)
from tests.store_factory import route
from tests.store_fixtures import database_url, settings, store

__all__ = ["database_url", "settings", "store"]
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SHA = "a" * 64


@dataclass
class Scene:
    """Writes rows as the services leave them; times are counted back from ``NOW``."""

    store: Store
    number: int = 0
    pending: list[Any] = field(default_factory=list)

    def name(self) -> str:
        self.number += 1
        return f"row{self.number:08d}"

    def video(
        self,
        ago: timedelta = timedelta(0),
        *,
        policy: str | None = "violence",
        uploader: str = "someone",
        way: Route | None = None,
        state: str = "auto",
        task: str = "icd",
        **case: Any,
    ) -> tuple[VideoRow, AssessmentRow, CaseRow, VerdictRow]:
        made = way or route(RouteName.AUTO_FLAG)
        at, video, answer = NOW - ago, self.name(), self.name()
        found = (
            VideoRow(id=video, sha256=SHA, original_name="a.mp4", uploader=uploader, uploaded_at=at,
                     status="scored"),
            AssessmentRow(id=answer, video_id=video, stage="prefilter", model_version="p1",
                          scores={}, evidence=[], rationale=None, contributions={},
                          milliseconds=100.0, tokens_in=0, tokens_out=0, cost={"media_ms": 5.0},
                          created_at=at),
            CaseRow(id=self.name(), video_id=video, task=task, state=state, route=made.name.value,
                    top_policy=policy, audit=made.audit, created_at=at, **case),
            VerdictRow(id=self.name(), case_id="", prefilter_id=answer, verdict="violation",
                       probability=0.9, policies={}, route=codec.route_to(made), models={},
                       created_at=at),
        )  # fmt: skip
        found[3].case_id = found[2].id
        found[2].verdict_id = found[3].id
        self.pending.append(found)
        return found

    def decision(
        self,
        case: CaseRow,
        violation: bool,
        ago: timedelta = timedelta(0),
        *,
        by: str = "ann",
        action: str | None = None,
        kind: str = "review",
        way: Route | None = None,
        **more: Any,
    ) -> DecisionRow:
        row = self._answer(case, violation, ago, by=by, action=action, kind=kind, way=way, **more)
        self._keep([(case, row)])
        return row

    def decide_all(self, answers: list[tuple[CaseRow, bool]]) -> None:
        """Decide many cases in one transaction, by the routes that they have."""
        self._keep([(case, self._answer(case, violation)) for case, violation in answers])

    def _answer(
        self,
        case: CaseRow,
        violation: bool,
        ago: timedelta = timedelta(0),
        *,
        by: str = "ann",
        action: str | None = None,
        kind: str = "review",
        way: Route | None = None,
        **more: Any,
    ) -> DecisionRow:
        return DecisionRow(
            id=self.name(), case_id=case.id, verdict_id=case.verdict_id, task=case.task,
            reviewer=by, role="reviewer", action=action or ("remove" if violation else "keep"),
            labels={"violence": "violation" if violation else "ok"}, reasons={}, comment="",
            correction=False, kind=kind, decided_at=NOW - ago,
            snapshot={"route": codec.route_to(way)} if way else {}, **more,
        )  # fmt: skip

    def _keep(self, found: list[tuple[CaseRow, DecisionRow]]) -> None:
        self.flush()
        with self.store.write() as session:
            session.add_all([row for _, row in found])
            session.flush()
            for case, row in found:
                kept = session.get_one(CaseRow, case.id)
                kept.decision_id, kept.state = row.id, "decided"

    def flush(self) -> None:
        """Write what was made so far, in a few statements."""
        found, self.pending = self.pending, []
        with self.store.write() as session:
            session.merge(MediaRow(sha256=SHA, file_name="a.mp4", size_bytes=5))
            session.flush()
            for kind in range(4):
                session.add_all([row[kind] for row in found])
                session.flush()

    def add(self, *rows: Any) -> None:
        self.flush()
        with self.store.write() as session:
            for row in rows:
                session.add(row)
                session.flush()

    def queue(self, name: str = "urgent", promised_s: float | None = 3600.0) -> None:
        self.add(QueueRow(id=name, name=name.title(), policies=[], rules=[], position=1,
                          promised_age_s=promised_s))  # fmt: skip

    def waiting(self, age: timedelta, queue: str = "urgent", promised_s: float = 3600.0) -> None:
        queued = NOW - age
        self.video(age, state="queued", queue=queue, queued_at=queued,
                   due_at=queued + timedelta(seconds=promised_s))  # fmt: skip
        self.flush()

    def job(self, state: str, age: timedelta = timedelta(0), **more: Any) -> JobRow:
        row = JobRow(id=self.name(), kind="score", payload={}, state=state,
                     created_at=NOW - age, **more)  # fmt: skip
        self.add(row)
        return row

    def looks(self, reviewer: str, agreed: int, differed: int, ago: timedelta, **more: Any) -> None:
        video = self.video(ago)
        self.flush()
        states = ["agreed"] * agreed + ["differs"] * differed
        kept = {"kind": "golden"} | more
        self.add(*(
            LookRow(id=self.name(), state=state, case_id=video[2].id, task="icd",
                    reviewer=reviewer, answered_at=NOW - ago, asked_at=NOW - ago, **kept)
            for state in states
        ))  # fmt: skip


@pytest.fixture
def scene(store: Store) -> Scene:
    return Scene(store)
