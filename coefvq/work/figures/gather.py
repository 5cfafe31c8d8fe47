"""Decided cases of a task as columns: what both stages and people said, how each case came."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.combine import final_scores, gaps, label_mass, task_probability
from coefvq.domain import Assessment, FinalScore, RouteName, Stage
from coefvq.routing.entropy import MIN_LABEL_MASS
from coefvq.routing.predictions import Predictions
from coefvq.routing.route import FLAG, HUMAN, PASS
from coefvq.routing_inputs import SCORE, known_features
from coefvq.store import codec, decided_cases
from coefvq.store.decided_cases import Columns
from coefvq.store.decisions import OK, VIOLATION
from coefvq.work.routing_history import NO_ANSWER, NOT_DRAWN, OLD_MODEL, VersionedPrefilter

Vector = NDArray[np.float64]
_PEOPLE = (RouteName.HUMAN.value, RouteName.MLLM.value)
_OUTCOMES = {
    RouteName.AUTO_PASS.value: PASS,
    RouteName.AUTO_FLAG.value: FLAG,
    **dict.fromkeys(_PEOPLE, HUMAN),
}
STAGES = ("prefilter", "mllm", "final")
_CODES = {VIOLATION: 1.0, OK: 0.0}


@dataclass(frozen=True)
class Decided:
    """Columns with a row a decided case, oldest first.

    Attributes:
        decided_at, scored_at: Seconds since 1970.
        waited_s: From the queue to the decision; NaN where it was not queued.
        correction: The decision differs from what the machine had said.
        label: 1: some policy is violated.
        why: Why a row would mislead where rates of all traffic are estimated; "" for the others.
        audit: Drawn at random.
        weight: Videos of the traffic that it stands for, 1 / propensity.
        outcome: ``PASS``, ``FLAG`` or ``HUMAN``: where it ended before the person.
        prefilter, mllm: Task probability after one and after both stages; NaN where unknown.
        prefilter_ms, mllm_ms: NaN where it did not run.
        features: (n, k) in the order of ``known_features``.
        policies: (n, policies, 4): label (NaN: not asked), then ``STAGES``; NaN: no answer.
        policy_ids: The task's policies in force.
    """

    case_id: NDArray[np.object_]
    reviewer: NDArray[np.object_]
    decided_at: Vector
    scored_at: Vector
    waited_s: Vector
    correction: NDArray[np.bool_]
    label: NDArray[np.int8]
    why: NDArray[np.object_]
    audit: NDArray[np.bool_]
    weight: Vector
    outcome: NDArray[np.int8]
    prefilter: Vector
    mllm: Vector
    prefilter_ms: Vector
    mllm_ms: Vector
    features: Vector
    policies: NDArray[np.float32]
    policy_ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: NDArray[Any]) -> Decided:
        """Some of the rows."""
        names = [field.name for field in fields(self) if field.name != "policy_ids"]
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def after(self, moment: float) -> Decided:
        """Those decided from then on."""
        return self if math.isinf(moment) else self.take(self.decided_at >= moment)

    @property
    def usable(self) -> Decided:
        """Those that stand for traffic."""
        return self.take(self.why == "")

    @property
    def left_out(self) -> dict[str, int]:
        """How many are not usable, by reason."""
        return dict(Counter(str(reason) for reason in self.why if reason))

    @property
    def first(self) -> float | None:
        """When the oldest was decided."""
        return float(self.decided_at.min()) if len(self) else None

    def predictions(self) -> Predictions:
        """As routing policies read them; calls that were not made cost the mean of the others."""
        ran = self.mllm_ms[~np.isnan(self.mllm_ms)]
        costs: dict[str, Any] = {}
        if len(ran):
            filled = np.where(np.isnan(self.mllm_ms), float(ran.mean()), self.mllm_ms)
            costs = {"prefilter_cost": self.prefilter_ms, "mllm_cost": filled}
        names = known_features()
        columns = {name: self.features[:, at] for at, name in enumerate(names)}
        return Predictions.of(
            self.label, self.prefilter, self.mllm, self.case_id,
            weight=self.weight, features=columns, **costs,
        )  # fmt: skip


def gather(session: Session, task: str, prefilter: VersionedPrefilter) -> Decided:
    """Read every decided case of a task once.

    The same rules as ``routing_history.history``: what was found by search, judged by another
    prefilter or not judged at all does not stand for traffic; an answer of an older MLLM is none.
    """
    known = tuple(policy.id for policy in taxonomy.task(task).policies)
    reader = _Reader(task, prefilter, known)
    rows = [reader.read(row) for row in decided_cases.of_task(session, task)]
    return _columns(rows, known, reader.newest_mllm)


@dataclass(frozen=True)
class _Row:
    case_id: str
    reviewer: str
    decided_at: float
    waited_s: float
    correction: bool
    label: int
    why: str
    audit: bool
    weight: float
    outcome: int
    scored_at: float
    prefilter: float
    mllm: float
    prefilter_ms: float
    mllm_ms: float
    features: list[float]
    policies: list[list[float]]
    mllm_version: str | None


class _Reader:
    """Turns stored columns into rows."""

    def __init__(self, task: str, prefilter: VersionedPrefilter, policies: tuple[str, ...]) -> None:
        self.task, self.prefilter, self.policies = task, prefilter, policies
        self.newest_mllm: str | None = None
        self._scores = [name for name in known_features() if name.startswith(SCORE)]

    def read(self, row: Columns) -> _Row:
        self.newest_mllm = row.newest_mllm or self.newest_mllm
        route = row.route or row.newest_route
        first = Assessment(Stage.PREFILTER, row.first_version, codec.scores_from(row.first))
        alone = final_scores(self.task, first)
        p1 = task_probability(self.prefilter, self.task, alone)
        second, both = self._second(row, first, alone)
        why = self._why(row, route, p1, alone)
        return _Row(
            case_id=row.case_id,
            reviewer=row.reviewer,
            decided_at=row.decided_at.timestamp(),
            waited_s=_seconds(row),
            correction=row.correction,
            label=int(VIOLATION in row.labels.values()),
            why=why,
            audit=bool(route["audit"]),
            weight=1.0 if route["name"] in _PEOPLE else 1.0 / route["propensity"],
            outcome=_OUTCOMES[route["name"]],
            scored_at=row.scored_at.timestamp(),
            prefilter=math.nan if p1 is None else p1,
            mllm=math.nan if second is None else self._mllm(second, both),
            prefilter_ms=row.first_ms,
            mllm_ms=math.nan if row.second_ms is None else row.second_ms,
            features=self._features(row),
            policies=[self._policy(name, row, both) for name in self.policies],
            mllm_version=row.second_version,
        )

    def _why(
        self, row: Columns, route: dict[str, Any], p1: float | None, alone: dict[str, FinalScore]
    ) -> str:
        if route["name"] not in _PEOPLE and not route["audit"]:
            return NOT_DRAWN
        if row.first_version != self.prefilter.version:
            return OLD_MODEL
        return NO_ANSWER if p1 is None or gaps(alone) else ""

    def _second(
        self, row: Columns, first: Assessment, alone: dict[str, FinalScore]
    ) -> tuple[Assessment | None, dict[str, FinalScore]]:
        if row.second is None or row.second_version is None:
            return None, alone
        made = Assessment(Stage.MLLM, row.second_version, codec.scores_from(row.second))
        return made, final_scores(self.task, first, made)

    def _mllm(self, second: Assessment, both: dict[str, FinalScore]) -> float:
        mass = label_mass(both, second)
        if gaps(both) or (mass is not None and mass < MIN_LABEL_MASS):
            return math.nan
        found = task_probability(self.prefilter, self.task, both)
        return math.nan if found is None else found

    def _policy(self, name: str, row: Columns, both: dict[str, FinalScore]) -> list[float]:
        score = both[name]
        answers = (score.prefilter, score.mllm, score.final)
        label = _CODES.get(row.labels.get(name, ""), math.nan)
        return [label, *(math.nan if value is None else value for value in answers)]

    def _features(self, row: Columns) -> list[float]:
        scores = (row.first.get(name[len(SCORE) :]) or {} for name in self._scores)
        info = row.info or {}
        more = (
            info.get("duration_s"),
            info.get("has_audio"),
            row.title_length,
            row.caption_length,
        )
        values = [*(score.get("probability") for score in scores), *more]
        return [math.nan if value is None else float(value) for value in values]


def _seconds(row: Columns) -> float:
    if row.queued_at is None:
        return math.nan
    return max(0.0, (row.decided_at - row.queued_at).total_seconds())


def _columns(rows: list[_Row], policies: tuple[str, ...], newest_mllm: str | None) -> Decided:
    def column(name: str, kind: Any = np.float64) -> NDArray[Any]:
        return np.array([getattr(row, name) for row in rows], dtype=kind)

    mine = np.array([row.mllm_version == newest_mllm for row in rows], dtype=bool)
    n = len(rows)
    return Decided(
        case_id=column("case_id", object),
        reviewer=column("reviewer", object),
        decided_at=column("decided_at"),
        waited_s=column("waited_s"),
        correction=column("correction", bool),
        label=column("label", np.int8),
        why=column("why", object),
        audit=column("audit", bool),
        weight=column("weight"),
        outcome=column("outcome", np.int8),
        scored_at=column("scored_at"),
        prefilter=column("prefilter"),
        mllm=np.where(mine, column("mllm"), math.nan),
        prefilter_ms=column("prefilter_ms"),
        mllm_ms=column("mllm_ms"),
        features=column("features").reshape(n, len(known_features())),
        policies=column("policies", np.float32).reshape(n, len(policies), 1 + len(STAGES)),
        policy_ids=policies,
    )


def reviewers(rows: Iterable[Any]) -> int:
    """How many different people."""
    return len(set(rows))
