"""A store with a known truth: simulated uploads, both stages' answers, routes, audits, decisions.

Everything is drawn from a seed. A violation raises both stages' scores, the MLLM's more; what the
entropy rule finds unsure goes to the MLLM and then to people, a random share of the rest is
audited through the real draw, and people answer with the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import insert, text

from coefvq import taxonomy
from coefvq.domain import RouteName, Stage
from coefvq.routing.audit import draws
from coefvq.routing.entropy import EntropyRouting, binary_entropy
from coefvq.store import events
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
BATCH = 4_000
MLLM = "mllm-simulated"
INFO = {"size_bytes": 1, "duration_s": 20.0, "width": 720, "height": 1280, "rotation": 0,
        "fps": 25.0,
        "video_codec": "h264", "pixel_format": "yuv420p", "container": "mp4", "has_audio": True,
        "audio_codec": "aac", "warnings": []}  # fmt: skip


@dataclass(frozen=True)
class World:
    """How the simulated platform is.

    Attributes:
        violating: Share of violations of each policy.
        prefilter, mllm: How far a violation raises each stage's log-odds.
        audits: Share of automatic outcomes that people check.
        decided: Share of cases sent or drawn that are decided already.
        days: Over which uploads are spread.
        reviewers: People, and the share of their answers that is wrong.
    """

    violating: float = 0.02
    prefilter: float = 6.0
    mllm: float = 12.0
    audits: float = 0.1
    decided: float = 0.97
    days: float = 90.0
    reviewers: int = 12
    wrong: float = 0.002
    rule: EntropyRouting = field(default_factory=lambda: EntropyRouting(0.4, 0.3))


def fill(
    store: Store, videos: int, prefilter: str, world: World | None = None, seed: int = 7
) -> None:
    """Put in so many videos with a case a task.

    Args:
        prefilter: Version of the model whose answers these are.
    """
    world, rng = world or World(), np.random.default_rng(seed)
    made = _Maker(world, prefilter, rng, utcnow())
    for first in range(0, videos, BATCH):
        rows = made.rows(range(first, min(first + BATCH, videos)), videos)
        with store.write() as session:
            for table in TABLES:
                if rows[table]:
                    session.execute(insert(table), rows[table])
    with store.write() as session:
        session.add(EventHeadRow(id=1, seq=made.seq, hash=made.last))
    if store.engine.dialect.name == "postgresql":  # as the server does by itself, a little later
        with store.write() as session:
            session.execute(text("ANALYZE"))


def answers(
    world: World, rng: np.random.Generator, count: int, policies: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Truth, and both stages' calibrated probabilities, each (count, policies)."""
    truth = rng.random((count, policies)) < world.violating
    prior = np.log(world.violating / (1 - world.violating))
    found = []
    for strength in (world.prefilter, world.mllm):
        # Log-odds of a violation given a normal score whose means are ``strength`` ** 0.5 apart.
        apart = strength**0.5
        score = rng.normal(size=truth.shape) + truth * apart
        found.append(1 / (1 + np.exp(-(prior + apart * score - strength / 2))))
    return truth, found[0], found[1]


class _Maker:
    def __init__(
        self, world: World, prefilter: str, rng: np.random.Generator, now: datetime
    ) -> None:
        self.world, self.version, self.rng, self.now = world, prefilter, rng, now
        self.last, self.seq, self.cases = events.GENESIS, 0, 0

    def rows(self, numbers: range, videos: int) -> Rows:
        rows: Rows = {table: [] for table in TABLES}
        known = list(taxonomy.policies())
        found = answers(self.world, self.rng, len(numbers), len(known))
        for at, number in enumerate(numbers):
            begin = self.now - timedelta(days=self.world.days * (1 - number / videos))
            self._video(rows, number, begin, known, *(each[at] for each in found))
        return rows

    def _video(
        self, rows: Rows, number: int, at: datetime, known: list[str],
        truth: Any, first: Any, second: Any,
    ) -> None:  # fmt: skip
        video, sha256 = new_id(), f"{number:064x}"
        rows[MediaRow].append(
            {"sha256": sha256, "file_name": f"{number}.mp4", "size_bytes": 1,
             "info": INFO | {"sha256": sha256}}
        )  # fmt: skip
        rows[VideoRow].append(
            {"id": video, "sha256": sha256, "title": f"clip {number}", "uploaded_at": at,
             "original_name": f"{number}.mp4", "uploader": f"u{number % 997}", "status": "scored"}
        )  # fmt: skip
        by_task = {
            task.id: [known.index(policy.id) for policy in task.policies]
            for task in taxonomy.tasks().values()
        }
        unsure = {
            task: binary_entropy(float(first[place].max())) > self.world.rule.threshold
            for task, place in by_task.items()
        }
        called = any(unsure.values())
        ids = self._assessments(rows, video, at, known, first, second if called else None)
        for task, place in by_task.items():
            final = second if called else first
            self._case(rows, video, task, at, ids, first[place], final[place], truth[place],
                       unsure[task], called)  # fmt: skip

    def _assessments(
        self, rows: Rows, video: str, at: datetime, known: list[str], first: Any, second: Any
    ) -> tuple[str, str | None]:
        cost = {"media_ms": 40.0, "prefilter_ms": 90.0, "expensive_signals_ms": 0.0,
                "mllm_ms": 0.0, "tokens_in": 0, "tokens_out": 0}  # fmt: skip
        if second is not None:
            cost |= {"expensive_signals_ms": 900.0, "mllm_ms": 2400.0, "tokens_in": 512}
        ids = [new_id(), None]
        stages = [(Stage.PREFILTER, self.version, first, None, 90.0)]
        if second is not None:
            ids[1] = new_id()
            stages.append((Stage.MLLM, MLLM, second, 0.96, 3300.0))
        for row_id, (stage, version, scores, mass, spent) in zip(ids, stages, strict=False):
            rows[AssessmentRow].append(
                {"id": row_id, "video_id": video, "stage": stage.value, "model_version": version,
                 "scores": {name: {"policy": name, "probability": float(value), "covered": True,
                                   "why_not": None, "label_mass": mass}
                            for name, value in zip(known, scores, strict=True)},
                 "evidence": [], "rationale": None, "contributions": {}, "milliseconds": spent,
                 "tokens_in": 512 if mass else 0, "tokens_out": 0, "cost": cost, "created_at": at}
            )  # fmt: skip
        return str(ids[0]), ids[1]

    def _case(
        self, rows: Rows, video: str, task: str, at: datetime, ids: tuple[str, str | None],
        first: Any, final: Any, truth: Any, unsure: bool, called: bool,
    ) -> None:  # fmt: skip
        probability, rule = float(final.max()), self.world.rule
        limit = rule.human_threshold if unsure else rule.threshold
        people = called and binary_entropy(probability) > limit
        name = (
            RouteName.HUMAN
            if people
            else (RouteName.AUTO_FLAG if probability >= 0.5 else RouteName.AUTO_PASS)
        )
        self.cases += 1  # not the id, which is new in each store
        audit = not people and bool(draws([str(self.cases)], self.world.audits, "people")[0])
        route = {"name": name.value, "rule": "entropy", "version": rule.version,
                 "score": 0.5, "threshold": limit, "escalated": unsure, "audit": audit,
                 "propensity": 1.0 if people else self.world.audits, "reason": ""}  # fmt: skip
        case, verdict = new_id(), new_id()
        scores = zip(taxonomy.task(task).policies, first, final, truth, strict=True)
        wrong = self.rng.random(len(truth)) < self.world.wrong
        labels, policies = {}, {}
        for place, (policy, one, two, violated) in enumerate(scores):
            labels[policy.id] = "violation" if bool(violated) != bool(wrong[place]) else "ok"
            policies[policy.id] = {
                "policy": policy.id, "prefilter": float(one), "final": float(two),
                "mllm": float(two) if called else None, "covered": True, "why_not": None,
            }  # fmt: skip
        rows[VerdictRow].append(
            {"id": verdict, "case_id": case, "prefilter_id": ids[0], "mllm_id": ids[1],
             "verdict": "needs_human" if people else "violation" if probability >= 0.5 else "ok",
             "probability": probability, "policies": policies, "route": route, "created_at": at,
             "models": {"prefilter": self.version, "mllm": MLLM if called else None}}
        )  # fmt: skip
        waiting = people or audit
        decided = waiting and self.rng.random() < self.world.decided
        state = CaseState.DECIDED if decided else CaseState.QUEUED if waiting else CaseState.AUTO
        rows[CaseRow].append(
            {"id": case, "video_id": video, "task": task, "state": state.value,
             "verdict_id": verdict, "verdict": rows[VerdictRow][-1]["verdict"],
             "probability": probability, "route": name.value, "routing_version": rule.version,
             "audit": audit, "priority": probability, "rule": "audit" if audit else "entropy",
             "queued_at": at if waiting else None, "created_at": at, "updated_at": at,
             "decision_id": new_id() if decided else None}
        )  # fmt: skip
        if decided:
            self._decide(rows, rows[CaseRow][-1], labels, policies, route)

    def _decide(
        self, rows: Rows, case: dict[str, Any], labels: dict[str, str],
        policies: dict[str, Any], route: dict[str, Any],
    ) -> None:  # fmt: skip
        who = f"r{int(self.rng.integers(self.world.reviewers))}"
        waited = timedelta(hours=float(self.rng.gamma(2.0, 2.0)))
        at = min(case["queued_at"] + waited, self.now)
        machine = {name: "violation" if each["final"] >= 0.5 else "ok"
                   for name, each in policies.items()}  # fmt: skip
        begun = at - timedelta(seconds=float(self.rng.gamma(3.0, 8.0)))
        rows[EventRow].append(self._event("case.claimed", "case", case["id"], who, begun))
        violated = "violation" in labels.values()
        rows[DecisionRow].append(
            {"id": case["decision_id"], "case_id": case["id"], "verdict_id": case["verdict_id"],
             "task": case["task"], "reviewer": who, "role": "reviewer",
             "action": "remove" if violated else "keep", "labels": labels, "reasons": {},
             "comment": "", "correction": labels != machine, "decided_at": at,
             "snapshot": {"route": route, "policies": policies}}
        )  # fmt: skip
        rows[EventRow].append(self._event("case.decided", "decision", case["decision_id"], who, at))

    def _event(self, kind: str, of: str, subject: str, who: str, at: datetime) -> dict[str, Any]:
        self.seq += 1
        values = {"seq": self.seq, "at": at, "actor": who, "kind": kind, "subject_kind": of,
                  "subject_id": subject, "data": {}, "prev_hash": self.last}  # fmt: skip
        self.last = events.digest(EventRow(**values))
        return values | {"hash": self.last}
