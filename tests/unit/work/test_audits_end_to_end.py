"""Random audits by themselves: drawn, mixed into the queue, decided, estimated; the truth is known.

The traffic is made up, so that what the machine missed is known. Everything else is the real thing:
the router draws, the store queues, decisions answer what is queued, and the estimate reads them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from sqlalchemy import select

from coefvq.domain import Route, RouteName
from coefvq.router import Router
from coefvq.routing.audit import AuditPlan
from coefvq.routing.entropy import EntropyRouting
from coefvq.store import cases, routing_state
from coefvq.store.decisions import VIOLATION
from coefvq.store.queues import AUDIT
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, CaseState, DecisionRow
from coefvq.work.routing_history import audit
from tests.routing_factory import policy
from tests.store_factory import route
from tests.unit.work.alarms.conftest import Scene

SHARE, VIDEOS = 0.1, 2500


@dataclass(frozen=True)
class Traffic:
    """Who violates, and what the machine makes of it.

    Attributes:
        violation: bool (n,).
        passed: bool (n,), settled by the machine; the others are sent to people.
    """

    violation: np.ndarray
    passed: np.ndarray

    @classmethod
    def drawn(cls, seed: int) -> Traffic:
        """One in ten violates; the machine passes a fifth of those, and most of the others."""
        rng = np.random.default_rng(seed)
        violation = rng.random(VIDEOS) < 0.1
        return cls(violation, rng.random(VIDEOS) < np.where(violation, 0.2, 0.95))

    @property
    def miss_rate(self) -> float:
        return float(np.sum(self.violation & self.passed) / np.sum(self.violation))


def run(store: Store, traffic: Traffic) -> Scene:
    """Route everything, and decide whatever waits, by the truth."""
    scene, router = Scene(store), Router(EntropyRouting(0.9, 0.8))
    made = policy(audit=AuditPlan(people=SHARE, mllm=0.0))
    router.use({"icd": made})
    with store.write() as session:  # a real one is random; this test must not be
        row = routing_state.locked(session, routing_state.SECRET, "audit_salt")
        routing_state.save(row, {"value": "fixed"})
    router.remember(_NoStates(), routing_state.audit_salt(store))
    found = []
    for number, passed in enumerate(traffic.passed):
        name = RouteName.AUTO_PASS if passed else RouteName.HUMAN
        way = router.audited("icd", f"media {number}", route(name, version=made.version))
        found.append((scene.video(way=way, state="pending"), way))
    scene.flush()
    _send(store, [(rows[2].id, way) for rows, way in found])
    truth = {rows[2].id: bool(bad) for (rows, _), bad in zip(found, traffic.violation, strict=True)}
    _decide_what_waits(scene, truth)
    return scene


class _NoStates:
    """Nothing is escalated here, so no budget is asked for."""


def _send(store: Store, sent: list[tuple[str, Route]]) -> None:
    with store.write() as session:
        rows = {row.id: row for row in session.scalars(select(CaseRow))}
        for case_id, way in sent:
            cases.send(session, rows[case_id], way, 1.0)


def _decide_what_waits(scene: Scene, truth: dict[str, bool]) -> None:
    with scene.store.read() as session:
        waiting = session.scalars(select(CaseRow).where(CaseRow.state == CaseState.QUEUED.value))
        found = [(row, row.rule) for row in waiting]
    assert {rule for _, rule in found} == {AUDIT, "entropy"}
    scene.decide_all([(row, truth[row.id]) for row, _ in found])


@pytest.mark.parametrize("seed", [1])
def test_the_interval_covers_the_truth_and_the_naive_figure_does_not(
    store: Store, seed: int
) -> None:
    traffic = Traffic.drawn(seed)
    scene = run(store, traffic)
    report = audit(scene.store, "icd")
    miss = report.estimate.miss_rate
    drawn = int(traffic.passed.sum()) * SHARE
    assert report.items == VIDEOS and report.audits == pytest.approx(drawn, rel=0.2)
    assert report.labelled == report.audits + int((~traffic.passed).sum())
    assert miss.low <= traffic.miss_rate <= miss.high and miss.high - miss.low < 0.35
    assert _naive(scene.store) < traffic.miss_rate / 2


def _naive(store: Store) -> float:
    """Missed among the violations that people saw, without weights."""
    query = select(CaseRow.route, DecisionRow.labels)
    with store.read() as session:
        found = session.execute(query.join(DecisionRow, DecisionRow.id == CaseRow.decision_id))
        bad = [way for way, labels in found if VIOLATION in labels.values()]
    return sum(way == RouteName.AUTO_PASS.value for way in bad) / len(bad)
