"""The drift report of a task, from a store with a published policy and traffic."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from coefvq.domain import PolicyScore, Route, RouteName, WhyNot
from coefvq.errors import RoutingError
from coefvq.routing.drift_levels import DriftLevel
from coefvq.routing.frozen import FrozenBaseline
from coefvq.routing.policy import RoutingPolicy
from coefvq.store import codec, routing_policies
from coefvq.store.session import Store
from coefvq.store.tables import (
    AssessmentRow,
    CaseRow,
    DecisionRow,
    MediaRow,
    VerdictRow,
    VideoRow,
    new_id,
    utcnow,
)
from coefvq.work import routing_drift
from coefvq.work.routing_drift import TaskDrift, drift
from coefvq.work.routing_history import NOT_DRAWN
from tests.routing_factory import policy
from tests.store_factory import route
from tests.unit.work.test_routing_history import Largest

HUMAN = route(RouteName.HUMAN)
SHA = "a" * 64


def calm(n: int, seed: int = 0) -> np.ndarray:
    """Scores of the world that the policy was fitted on."""
    return np.random.default_rng(seed).beta(2, 4, n)


def answers(scores: np.ndarray, seed: int = 1) -> np.ndarray:
    """Labels that bear the scores out."""
    return (np.random.default_rng(seed).random(len(scores)) < scores).astype(int)


def fitted(**changes: Any) -> RoutingPolicy:
    scores = calm(1000, 9)
    baseline = FrozenBaseline.of(scores, scores, answers(scores), np.ones(1000))
    assert baseline is not None and baseline.calibration is not None
    return policy(**({"baseline": baseline} | changes))


@dataclass
class Traffic:
    """Fills a store with scored and decided videos, some hundreds in a transaction."""

    store: Store
    model: str = "prefilter-test"

    def publish(self, found: RoutingPolicy) -> None:
        with self.store.write() as session:
            session.merge(MediaRow(sha256=SHA, file_name="a.mp4", size_bytes=5))
            routing_policies.add(session, found.version, found.rule, found.to_json(), "ann")
            routing_policies.publish(session, "icd", found.version, "ann")

    def add(
        self,
        scores: np.ndarray,
        labels: np.ndarray | None = None,
        *,
        uploaders: int = 60,
        way: Route = HUMAN,
        days: float = 0.0,
        gap: bool = False,
    ) -> None:
        rows = [
            self._one(float(p), f"uploader {k % uploaders}", way, days, gap)
            for k, p in enumerate(scores)
        ]
        with self.store.write() as session:
            for kind in range(4):
                session.add_all([row[kind] for row in rows])
                session.flush()
            if labels is not None:
                self._decide(session, rows, labels)

    def report(self, **how: Any) -> TaskDrift:
        return drift(self.store, "icd", Largest(), **how)

    def _one(self, p: float, uploader: str, way: Route, days: float, gap: bool) -> tuple:
        video, answer, case, verdict = (new_id() for _ in range(4))
        scores = {"violence": PolicyScore("violence", p)}
        if gap:
            why = WhyNot.LANGUAGE_NOT_COVERED
            scores["scam_spam"] = PolicyScore("scam_spam", None, False, why)
        empty: dict[str, Any] = {"evidence": [], "rationale": None, "contributions": {}}
        return (
            VideoRow(id=video, sha256=SHA, original_name="a.mp4", uploader=uploader),
            AssessmentRow(
                id=answer, video_id=video, stage="prefilter", model_version=self.model,
                scores=codec.scores_to(scores), milliseconds=1.0, tokens_in=0, tokens_out=0,
                cost=None, created_at=utcnow() - timedelta(days=days), **empty,
            ),
            CaseRow(id=case, video_id=video, task="icd", verdict_id=verdict),
            VerdictRow(
                id=verdict, case_id=case, prefilter_id=answer, verdict="needs_human",
                probability=p, policies={}, route=codec.route_to(way), models={},
            ),
        )  # fmt: skip

    def _decide(self, session: Any, rows: list[tuple], labels: np.ndarray) -> None:
        for (_, _, case, verdict), label in zip(rows, labels, strict=True):
            said = {"violence": "violation" if label else "ok"}
            row = DecisionRow(
                id=new_id(), case_id=case.id, verdict_id=verdict.id, task="icd", reviewer="ann",
                role="reviewer", action="keep", labels=said, reasons={}, comment="",
                correction=False, snapshot={"route": verdict.route},
            )  # fmt: skip
            session.add(row)
            case.decision_id = row.id


@pytest.fixture
def traffic(store: Store) -> Traffic:
    made = Traffic(store)
    made.publish(fitted())
    return made


def test_without_a_policy_there_is_nothing_to_drift_from(store: Store) -> None:
    found = drift(store, "icd", Largest())
    assert (found.version, found.level, found.reports) == (None, DriftLevel.NOT_ENOUGH, ())
    assert "no routing policy is published for icd" in found.advice


def test_the_same_world_is_stable(traffic: Traffic) -> None:
    scores = calm(300, 1)
    traffic.add(scores, answers(scores))
    found = traffic.report()
    task = found.reports[0]
    assert found.version == fitted().version and found.advice == "nothing to do"
    assert found.level is task.level is task.scores.level is DriftLevel.STABLE
    assert (task.scores.items, task.scores.uploaders) == (300, 60)
    assert task.calibration is not None and task.calibration.level is DriftLevel.STABLE
    assert task.calibration.items == 300
    assert found.left_out == {}


def test_other_scores_are_drift_and_the_advice_is_to_fit_again(traffic: Traffic) -> None:
    traffic.add(calm(300, 1) ** 0.4)
    found = traffic.report()
    psi, noise = found.reports[0].scores.psi, found.reports[0].scores.noise
    assert found.level is DriftLevel.DRIFTED
    assert psi is not None and noise is not None and psi > max(0.25, noise)
    assert "coefvq routing predictions --task icd" in found.advice


def test_other_answers_to_the_same_scores_are_drift(traffic: Traffic) -> None:
    scores = calm(400, 1)
    traffic.add(scores, answers(np.minimum(1.0, scores + 0.3)))
    found = traffic.report()
    task = found.reports[0]
    assert task.scores.level is DriftLevel.STABLE and task.calibration is not None
    assert found.level is task.calibration.level is DriftLevel.DRIFTED
    assert task.calibration.change == pytest.approx(0.3, abs=0.1)
    assert task.calibration.low is not None and task.calibration.low > 0


def test_a_flood_from_one_account_is_not_drift(traffic: Traffic) -> None:
    traffic.add(calm(300, 1))
    traffic.add(np.full(300, 0.9), uploaders=1)
    task = traffic.report().reports[0]
    assert (task.scores.items, task.scores.uploaders) == (600, 60)
    assert task.scores.level is DriftLevel.STABLE


def test_few_uploaders_are_not_enough(traffic: Traffic) -> None:
    traffic.add(calm(300, 1) ** 0.4, uploaders=20)
    found = traffic.report()
    assert found.level is DriftLevel.NOT_ENOUGH
    assert "300 items of 20 uploaders" in found.reports[0].reasons[0]
    assert "more uploaders" in found.advice


def test_only_the_window_counts(traffic: Traffic) -> None:
    scores = calm(300, 1)
    traffic.add(scores**0.4, answers(scores), days=10)
    traffic.add(calm(120, 2), days=1)
    task = traffic.report().reports[0]
    assert task.scores.items == 120 and task.scores.level is DriftLevel.STABLE
    assert task.calibration is not None and task.calibration.items == 0
    wider = traffic.report(days=14).reports[0]
    assert wider.scores.items == 420 and wider.level is DriftLevel.DRIFTED


def test_what_cannot_be_compared_is_left_out_and_counted(traffic: Traffic) -> None:
    traffic.add(calm(120, 1))
    traffic.add(calm(7, 2), gap=True)
    found_by_search = route(RouteName.AUTO_PASS, propensity=0.05)
    traffic.add(calm(5, 3), np.ones(5), way=found_by_search)
    replace(traffic, model="prefilter-next").add(calm(50, 4))
    found = traffic.report()
    assert found.reports[0].scores.items == 125
    assert found.left_out == {routing_drift.NOT_JUDGED: 7, NOT_DRAWN: 5}


def test_audited_outcomes_stand_for_those_that_nobody_saw(traffic: Traffic) -> None:
    """Only violations were sent; the audits say that the rest is as calibrated as ever."""
    scores = calm(2000, 1)
    labels = answers(scores)
    sent = (labels == 1) & (np.random.default_rng(5).random(2000) < 0.5)
    drawn = ~sent & (np.random.default_rng(6).random(2000) < 0.2)
    traffic.add(scores[sent], labels[sent], uploaders=100)
    audit = route(RouteName.AUTO_PASS, audit=True, propensity=0.2)
    traffic.add(scores[drawn], labels[drawn], way=audit, uploaders=100)
    found = traffic.report().reports[0].calibration
    assert found is not None and found.change == pytest.approx(0.0, abs=0.08)
    plain = float(np.mean((labels - scores)[sent | drawn]))
    assert plain > 0.2  # what a mean over the labels alone would say


@pytest.mark.parametrize(
    ("baseline", "says"),
    [
        pytest.param(None, "fitted without a baseline", id="none"),
        pytest.param(
            FrozenBaseline(fitted().baseline.scores),  # type: ignore[union-attr]
            "too few labels for a baseline",
            id="of scores only",
        ),
    ],
)
def test_a_policy_without_a_baseline_says_so(
    store: Store, baseline: FrozenBaseline | None, says: str
) -> None:
    made = Traffic(store)
    made.publish(fitted(baseline=baseline))
    made.add(calm(120, 1))
    found = made.report()
    assert any(says in reason for reason in found.reports[0].reasons)
    assert ("there is no baseline; fit again" in found.advice) == (baseline is None)


def test_single_policies_against_the_first_videos(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing_drift, "FIRST", 150)
    first = calm(150, 1) ** 0.5  # not what the fit saw; only the task knows about that
    traffic.add(first[:140])
    waiting = traffic.report().reports[1]
    assert waiting.policy == "violence" and waiting.level is DriftLevel.NOT_ENOUGH
    assert "140 of the first 150 videos" in waiting.reasons[0]
    traffic.add(first[140:])
    traffic.add(calm(200, 2) ** 0.5)
    task, violence = traffic.report().reports
    assert violence.scores.level is DriftLevel.STABLE and violence.scores.items == 200
    assert task.scores.level is not DriftLevel.STABLE
    traffic.add(calm(400, 3) ** 4)
    assert traffic.report().reports[1].level is DriftLevel.DRIFTED


def test_a_policy_that_was_hardly_scored_is_not_compared(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing_drift, "FIRST", 20)
    traffic.add(calm(120, 1))
    (violence,) = traffic.report().reports[1:]
    assert "a drift baseline needs at least 2 bins and 100" in violence.reasons[0]


def test_the_report_is_plain_json(traffic: Traffic) -> None:
    scores = calm(150, 1)
    traffic.add(scores, answers(scores))
    found = json.loads(json.dumps(traffic.report().to_json(), allow_nan=False))
    assert set(found) == {"task", "version", "level", "advice", "reports", "left_out"}
    assert found["reports"][0]["policy"] == "icd" and found["level"] == "stable"
    assert found["reports"][0]["calibration"]["level"] == "stable"


def test_a_policy_that_cannot_be_read_is_an_error(store: Store) -> None:
    with store.write() as session:
        routing_policies.add(session, "learned-x", "learned", {"format": 99}, "ann")
        routing_policies.publish(session, "icd", "learned-x", "ann")
    with pytest.raises(RoutingError, match="Fit it again"):
        drift(store, "icd", Largest())
