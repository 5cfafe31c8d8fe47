"""Raised once, kept while it holds, cleared when over, acknowledged by leads."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from coefvq.errors import NotAllowed, StoreError
from coefvq.review.access import Actor
from coefvq.routing.calibration_drift import CalibrationDrift
from coefvq.routing.drift import DriftReport, ScoreDrift
from coefvq.routing.drift_levels import DriftLevel
from coefvq.settings import Settings
from coefvq.store import events, routing_policies
from coefvq.store.alarms import AlarmKind, Severity
from coefvq.store.session import Store
from coefvq.store.tables import EventRow
from coefvq.work.alarms import (
    Watch,
    check,
    check_all,
    desk,
    routing_checks,
    run,
    watch_worker,
)
from coefvq.work.alarms.finding import Finding, Level
from coefvq.work.routing_drift import TaskDrift
from tests.unit.work.alarms.conftest import NOW, Scene
from tests.unit.work.test_routing_history import Largest

LEAD = Actor("lea", frozenset({"lead"}))
ANN = Actor("ann", frozenset({"reviewer"}))
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def finding(level: Level, **changes: Any) -> Finding:
    made = Finding(AlarmKind.DRIFT, "icd", level, f"icd is {level}", {"value": 0.4, "n": 200})
    return replace(made, **changes)


def settle(
    store: Store, *found: Finding, kinds: set[AlarmKind] | None = None, at: Any = NOW
) -> None:
    with store.write() as session:
        run.reconcile(session, found, set(AlarmKind) if kinds is None else kinds, at)


def standing(store: Store) -> list[desk.Alarm]:
    return list(desk.listed(store, LEAD, NOW).standing)


def told(store: Store) -> list[str]:
    with store.read() as session:
        assert events.verify(session) is None
        return list(session.scalars(select(EventRow.kind).order_by(EventRow.seq)))


@pytest.mark.parametrize(
    ("levels", "stands", "chain"),
    [
        pytest.param(["over"], True, ["raised"], id="over"),
        pytest.param(["over", "over", "over"], True, ["raised"], id="raised once"),
        pytest.param(["near"], False, [], id="near raises nothing"),
        pytest.param(["over", "near"], True, ["raised"], id="near clears nothing"),
        pytest.param(["over", "unknown"], True, ["raised"], id="not known clears nothing"),
        pytest.param(["over", "fine"], False, ["raised", "cleared"], id="over and done"),
        pytest.param(["over", "fine", "over"], True, ["raised", "cleared", "raised"], id="again"),
        pytest.param(["over", None], False, ["raised", "cleared"], id="its subject is gone"),
        pytest.param(["unknown"], False, [], id="too few data"),
    ],
)
def test_the_life_of_an_alarm(
    store: Store, levels: list[str | None], stands: bool, chain: list[str]
) -> None:
    for step, level in enumerate(levels):
        found = () if level is None else (finding(Level(level)),)
        settle(store, *found, at=NOW + step * MINUTE)
    assert bool(standing(store)) is stands
    assert told(store) == [f"alarm.{word}" for word in chain]


def test_while_it_holds_its_words_and_values_are_the_newest(store: Store) -> None:
    settle(store, finding(Level.OVER))
    worse = finding(Level.OVER, message="worse", severity=Severity.CRITICAL, data={"value": 0.9})
    settle(store, worse, at=NOW + MINUTE)
    (alarm,) = standing(store)
    assert (alarm.message, alarm.severity, alarm.data) == ("worse", "critical", {"value": 0.9})
    assert (alarm.raised_at, alarm.seen_at) == (NOW, NOW + MINUTE)


def test_a_check_that_did_not_run_clears_nothing(store: Store) -> None:
    settle(store, finding(Level.OVER))
    settle(store, kinds={AlarmKind.BUDGET})
    assert len(standing(store)) == 1


def test_what_cannot_be_told_for_a_week_is_taken_down(store: Store) -> None:
    settle(store, finding(Level.OVER))
    settle(store, finding(Level.UNKNOWN), at=NOW + 6 * DAY)
    assert len(standing(store)) == 1
    settle(store, finding(Level.UNKNOWN), at=NOW + 8 * DAY)
    assert standing(store) == []


def test_infinity_is_no_json(store: Store) -> None:
    settle(store, finding(Level.OVER, data={"value": float("inf"), "low": float("nan"), "n": 3}))
    assert standing(store)[0].data == {"value": None, "low": None, "n": 3}


def test_two_checks_at_once_raise_it_once(scene: Scene, settings: Settings) -> None:
    scene.job("set_aside")
    threads = [
        threading.Thread(target=check_all, args=(scene.store, settings, NOW)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [alarm.kind for alarm in standing(scene.store)] == ["set_aside"]


def test_an_empty_store_has_no_alarm_and_says_what_it_cannot_tell(
    store: Store, settings: Settings
) -> None:
    found = check(store, settings, NOW)
    assert found.alarms == () and found.sent == 0
    assert {note.kind for note in found.notes} == {"drift"}
    assert check_all(store, settings, NOW) == []


def test_a_policy_that_cannot_be_read_is_a_note_and_the_others_are_checked(
    scene: Scene, settings: Settings
) -> None:
    settle(scene.store, finding(Level.OVER))
    scene.job("set_aside")
    with scene.store.write() as session:
        routing_policies.add(session, "learned-x", "learned", {"format": 99}, "ann")
        routing_policies.publish(session, "icd", "learned-x", "ann")
    found = check(scene.store, settings, NOW, Largest)
    assert {alarm.kind for alarm in found.alarms} == {"drift", "set_aside"}
    assert any("Could not be checked" in note.why for note in found.notes)


def test_the_watch_sees_only_the_worker(scene: Scene, settings: Settings) -> None:
    settle(scene.store, finding(Level.OVER))
    scene.job("set_aside")
    scene.job("queued", 30 * MINUTE)
    found = watch_worker(scene.store, settings, NOW)
    assert {alarm.kind for alarm in found.alarms} == {"drift", "worker_silent"}


def test_the_watch_goes_on_until_it_is_left(scene: Scene, settings: Settings) -> None:
    scene.job("queued", timedelta(days=400))
    with Watch(scene.store, settings, every_s=0.01):
        for _ in range(1000):
            if standing(scene.store):
                break
            time.sleep(0.01)
    assert [alarm.kind for alarm in standing(scene.store)] == ["worker_silent"]
    assert not any(thread.name == "alarm-watch" for thread in threading.enumerate())


DRIFTED = ScoreDrift(DriftLevel.DRIFTED, 0.4, 0.1, 300, 60, "scores drifted: …")
STABLE = replace(DRIFTED, level=DriftLevel.STABLE, psi=0.01)
FEW = CalibrationDrift(DriftLevel.NOT_ENOUGH, None, None, None, None, 3, 2, "calibration: few")


def test_drift_of_scores_and_of_calibration_are_two_alarms() -> None:
    reports = (
        DriftReport("icd", DriftLevel.DRIFTED, (), DRIFTED, FEW),
        DriftReport("violence", DriftLevel.STABLE, (), STABLE),
    )
    made = TaskDrift("icd", "v1", DriftLevel.DRIFTED, "fit again", reports)
    found = {each.key: each for each in routing_checks.of_task(made)}
    assert {key: each.level for key, each in found.items()} == {
        ("drift", "icd"): Level.OVER,
        ("calibration", "icd"): Level.UNKNOWN,
        ("drift", "icd/violence"): Level.FINE,
    }
    assert "What to do: fit again" in found["drift", "icd"].message


def test_acknowledged_it_stays_and_is_quieter(store: Store) -> None:
    settle(store, finding(Level.OVER), finding(Level.OVER, subject="ucc"))
    first = standing(store)[0]
    made = desk.acknowledge(store, LEAD, first.id)
    assert made.acknowledged_by == "lea" and not made.loud
    found = desk.listed(store, LEAD, NOW)
    assert found.loud == 1 and found.standing[-1].id == first.id
    desk.acknowledge(store, LEAD, first.id)
    assert told(store).count("alarm.acknowledged") == 1


def test_what_is_over_cannot_be_acknowledged(store: Store) -> None:
    settle(store, finding(Level.OVER))
    (alarm,) = standing(store)
    settle(store, finding(Level.FINE), at=NOW + MINUTE)
    with pytest.raises(StoreError, match="is over since"):
        desk.acknowledge(store, LEAD, alarm.id)
    with pytest.raises(StoreError, match="no alarm x"):
        desk.acknowledge(store, LEAD, "x")
    over = desk.listed(store, LEAD, NOW + DAY).over
    assert [each.data["over"] for each in over] == ["back within its limit"]
    assert desk.listed(store, LEAD, NOW + 9 * DAY).over == ()


@pytest.mark.parametrize("call", [
    lambda store: desk.listed(store, ANN), lambda store: desk.acknowledge(store, ANN, "x"),
])  # fmt: skip
def test_alarms_are_for_leads(store: Store, call: Any) -> None:
    with pytest.raises(NotAllowed):
        call(store)
