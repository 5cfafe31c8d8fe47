"""A store with many cases, for measuring: rows as the worker writes them, put in at once."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, text

from coefvq import taxonomy
from coefvq.domain import (
    Assessment,
    FinalScore,
    PolicyScore,
    Route,
    RouteName,
    Stage,
    TaskResult,
    Verdict,
)
from coefvq.review import priority
from coefvq.store import ageing, codec, events, queues
from coefvq.store.session import Store
from coefvq.store.tables import (
    AssessmentRow,
    Base,
    CaseRow,
    CaseState,
    DecisionRow,
    EventHeadRow,
    EventRow,
    MediaRow,
    VerdictRow,
    VideoRow,
    new_id,
    utcnow,
)

Rows = dict[type[Base], list[dict[str, Any]]]
TABLES = (MediaRow, VideoRow, AssessmentRow, CaseRow, VerdictRow, DecisionRow, EventRow)
BATCH, DECIDED_SHARE = 5_000, 0.1
VERSION = "bench-1"
ROUTE = Route(RouteName.HUMAN, "entropy", VERSION, 0.9, 0.6, True, reason="unsure")
INFO = {"duration_s": 10.0, "width": 640, "height": 360, "fps": 25.0, "has_audio": True}


def fill(store: Store, cases: int, reviewers: int = 20) -> None:
    """Put in so many waiting cases, two a video, and a tenth as many that were decided."""
    draw, start = random.Random(7), utcnow() - timedelta(days=3)
    chain = _Chain(start)
    videos = int(cases / 2 * (1 + DECIDED_SHARE))
    for first in range(0, videos, BATCH):
        rows: Rows = {table: [] for table in TABLES}
        for number in range(first, min(first + BATCH, videos)):
            decided = number >= cases / 2
            at = start + timedelta(seconds=2 * 86400 * draw.random())
            who = f"r{number % reviewers}"
            _add_video(rows, draw, number, at, who if decided else None, chain)
        with store.write() as session:
            for table in TABLES:
                if rows[table]:
                    session.execute(insert(table), rows[table])
    with store.write() as session:
        session.add(EventHeadRow(id=1, seq=chain.seq, hash=chain.last))
    if store.engine.dialect.name == "postgresql":  # as the server does by itself, a little later
        with store.write() as session:
            session.execute(text("ANALYZE"))


class _Chain:
    """The events' chain, made in memory."""

    def __init__(self, start: datetime) -> None:
        self.last, self.seq, self.start = events.GENESIS, 0, start

    def link(self, who: str, decision: str, data: dict[str, Any]) -> dict[str, Any]:
        self.seq += 1
        values = {
            "seq": self.seq,
            "at": self.start + timedelta(seconds=self.seq),
            "actor": who,
            "kind": "case.decided",
            "subject_kind": "decision",
            "subject_id": decision,
            "data": data,
            "prev_hash": self.last,
        }
        self.last = events.digest(EventRow(**values))
        return values | {"hash": self.last}


def _add_video(
    rows: Rows, draw: random.Random, number: int, at: datetime, who: str | None, chain: _Chain
) -> None:
    video_id, sha256 = new_id(), f"{number:064x}"
    rows[MediaRow].append(
        {"sha256": sha256, "file_name": f"{number}.mp4", "size_bytes": 1, "info": INFO}
    )
    rows[VideoRow].append(
        {
            "id": video_id,
            "sha256": sha256,
            "title": f"clip {number}",
            "original_name": f"{number}.mp4",
            "uploader": "bench",
            "status": "scored",
            "uploaded_at": at,
        }
    )
    scores = {policy: draw.random() for policy in taxonomy.policies()}
    first, second = _assessment(Stage.PREFILTER, scores), _assessment(Stage.MLLM, scores)
    ids = new_id(), new_id()
    for made, row_id in zip((first, second), ids, strict=True):
        row = codec.assessment_to(made)
        rows[AssessmentRow].append(row | {"id": row_id, "video_id": video_id, "cost": None})
    for task in taxonomy.tasks():
        _add_case(rows, video_id, _result(task, scores), ids, at, who, chain)


def _add_case(
    rows: Rows,
    video_id: str,
    result: TaskResult,
    ids: tuple[str, str],
    at: datetime,
    who: str | None,
    chain: _Chain,
) -> None:
    verdict = {
        "id": new_id(),
        "case_id": new_id(),
        "prefilter_id": ids[0],
        "mllm_id": ids[1],
        "verdict": result.verdict.value,
        "probability": result.probability,
        "policies": codec.finals_to(result),
        "route": codec.route_to(result.route),
        "models": {"prefilter": VERSION, "mllm": VERSION},
    }
    case = {
        "id": verdict["case_id"],
        "video_id": video_id,
        "task": result.task,
        "state": CaseState.DECIDED.value if who else CaseState.QUEUED.value,
        "verdict_id": verdict["id"],
        "verdict": verdict["verdict"],
        "probability": verdict["probability"],
        "route": ROUTE.name.value,
        "routing_version": VERSION,
        "priority": ageing.ranked(priority.of(result), at),
        "rule": ROUTE.rule,
        "top_policy": queues.top_policy(VerdictRow(**verdict)),
        "queued_at": at,
        "decision_id": new_id() if who else None,
    }
    rows[CaseRow].append(case)
    rows[VerdictRow].append(verdict)
    if who:
        _add_decision(rows, case, who, at, chain)


def _add_decision(rows: Rows, case: dict[str, Any], who: str, at: datetime, chain: _Chain) -> None:
    labels = {policy.id: "ok" for policy in taxonomy.task(case["task"]).policies}
    rows[DecisionRow].append(
        {
            "id": case["decision_id"],
            "case_id": case["id"],
            "verdict_id": case["verdict_id"],
            "task": case["task"],
            "reviewer": who,
            "role": "reviewer",
            "action": "keep",
            "labels": labels,
            "reasons": {},
            "comment": "",
            "correction": False,
            "snapshot": {},
            "decided_at": at,
        }
    )
    rows[EventRow].append(chain.link(who, case["decision_id"], {"case": case["id"]}))


def _assessment(stage: Stage, scores: dict[str, float]) -> Assessment:
    mass = 0.95 if stage is Stage.MLLM else None
    return Assessment(
        stage,
        VERSION,
        {policy: PolicyScore(policy, each, label_mass=mass) for policy, each in scores.items()},
        milliseconds=80.0,
    )


def _result(task: str, scores: dict[str, float]) -> TaskResult:
    finals = {
        policy.id: FinalScore(policy.id, *[scores[policy.id]] * 3, True)
        for policy in taxonomy.task(task).policies
    }
    highest = max(scores[policy] for policy in finals)
    return TaskResult(task, Verdict.NEEDS_HUMAN, highest, ROUTE, finals)
