"""A month with a little of everything, whose figures can be counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from coefvq.domain import RouteName
from coefvq.store import alarms as alarm_rows
from coefvq.store import routing_policies
from coefvq.store.alarms import AlarmKind, Severity
from coefvq.store.session import Store
from coefvq.store.tables import AppealRow, ModelVersionRow, TaxonomyRow
from tests.routing_factory import policy
from tests.store_factory import route
from tests.store_fixtures import database_url, settings, store
from tests.unit.work.alarms.conftest import NOW, Scene

__all__ = ["database_url", "settings", "store"]
HOSTILE = "<script>alert(1)</script> </style> {0} =1+1"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
PASSED = route(RouteName.AUTO_PASS, propensity=0.1)
DRAWN = route(RouteName.AUTO_PASS, audit=True, propensity=0.1)
FLAGGED = route(RouteName.AUTO_FLAG, propensity=0.1)
FLAG_DRAWN = route(RouteName.AUTO_FLAG, audit=True, propensity=0.1)
SENT = route(RouteName.HUMAN)


@pytest.fixture
def scene(store: Store) -> Scene:
    return Scene(store)


@pytest.fixture
def full(scene: Scene) -> Scene:
    """November 2026 up to the 20th, and one video of October."""
    fill(scene)
    return scene


def fill(scene: Scene) -> None:
    """Twelve videos: six passed, two flagged, four sent; three drawn; seven decisions."""
    for number in range(4):
        scene.video(DAY, way=PASSED, uploader=f"u{number}")
    drawn = [scene.video(2 * DAY, way=DRAWN, uploader="u1")[2] for _ in range(2)]
    right = scene.video(2 * DAY, way=FLAG_DRAWN)[2]
    found = scene.video(3 * DAY, way=FLAGGED, policy="sexual")[2]
    sent = [
        scene.video(3 * DAY, way=SENT, queued_at=NOW - 3 * DAY, queue="urgent")[2] for _ in range(4)
    ]
    scene.video(25 * DAY, way=SENT)  # October
    scene.queue()
    for case in drawn:
        scene.decision(case, False, DAY, way=DRAWN)
    scene.decision(right, True, DAY, way=FLAG_DRAWN)
    scene.decision(found, True, DAY, way=FLAGGED, by="bob")
    first = scene.decision(sent[0], True, 2 * DAY, way=SENT)
    scene.decision(sent[1], True, 2 * DAY - 2 * HOUR, way=SENT, action="warn")
    scene.decision(sent[2], False, DAY, way=SENT)
    _appeals(scene, first)
    _changes(scene)
    scene.looks("ann", 9, 1, DAY)
    scene.looks("bob", 3, 1, DAY, kind="second", decided_by="ann")
    with scene.store.write() as session:
        alarm_rows.add(session, AlarmKind.REVIEWER_AGREEMENT, "ann.smith", Severity.WARNING,
                       "ann.smith: …", {}, NOW - DAY)  # fmt: skip
        alarm_rows.add(session, AlarmKind.QUEUE_AGE, HOSTILE, Severity.CRITICAL, "m", {}, NOW - DAY)


def _appeals(scene: Scene, decision: Any) -> None:
    kept: Callable[..., AppealRow] = lambda **more: AppealRow(  # noqa: E731
        id=scene.name(), case_id=decision.case_id, decision_id=decision.id, text=HOSTILE,
        filed_by="uploader", **more,
    )  # fmt: skip
    scene.add(
        kept(filed_at=NOW - 2 * DAY, state="overturned", resolved_at=NOW - DAY, resolved_by="lea"),
        kept(filed_at=NOW - 30 * DAY, state="upheld", resolved_at=NOW - 27 * DAY),
        kept(filed_at=NOW - 4 * DAY, state="upheld", resolved_at=NOW - DAY, resolved_by="lea"),
        kept(filed_at=NOW - HOUR, state="open"),
    )


def _changes(scene: Scene) -> None:
    made = policy(budget=0.3)
    with scene.store.write() as session:
        routing_policies.add(session, made.version, made.rule, made.to_json(), "lea")
        row = routing_policies.publish(session, "icd", made.version, "lea", HOSTILE)
        row.published_at = NOW - DAY
    scene.add(
        ModelVersionRow(version="prefilter-9", stage="prefilter", covers=["violence"],
                        first_used_at=NOW - DAY),
        TaxonomyRow(number=1, version="t-1", document={"tasks": [], "actions": []}, note=HOSTILE,
                    published_by="lea", published_at=NOW - DAY),
    )  # fmt: skip
