"""Each check on a store: over its limit, near it, fine, and too little to say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from coefvq.domain import RouteName
from coefvq.settings import Settings
from coefvq.store import leases, routing_policies
from coefvq.store.alarms import AlarmKind, Severity
from coefvq.store.tables import new_id
from coefvq.store.tables.base import id_at
from coefvq.work.alarms import flag_checks, people_checks, routing_checks, work_checks
from coefvq.work.alarms.finding import Finding, Level
from coefvq.work.alarms.run import CHECKS
from tests.routing_factory import policy
from tests.store_factory import route
from tests.unit.work.alarms.conftest import NOW, Scene

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def findings(scene: Scene, kind: AlarmKind, settings: Settings) -> dict[str, Finding]:
    scene.flush()
    with scene.store.read() as session:
        return {each.subject: each for each in CHECKS[kind](session, settings, NOW)}


def test_ids_of_a_moment_sort_among_the_others() -> None:
    made = new_id()
    assert id_at(NOW) < id_at(NOW + MINUTE) and len(id_at(NOW)) == len(made)
    assert id_at(NOW.replace(year=2020)) < made < id_at(NOW.replace(year=2100))


@pytest.mark.parametrize(
    ("ages", "level", "severity"),
    [
        pytest.param([], Level.FINE, Severity.WARNING, id="empty"),
        pytest.param([10 * MINUTE], Level.FINE, Severity.WARNING, id="young"),
        pytest.param([57 * MINUTE], Level.NEAR, Severity.WARNING, id="nearly late"),
        pytest.param([90 * MINUTE, MINUTE], Level.OVER, Severity.WARNING, id="late"),
        pytest.param([5 * HOUR], Level.OVER, Severity.CRITICAL, id="very late"),
    ],
)
def test_queue_age(
    scene: Scene, settings: Settings, ages: list[timedelta], level: Level, severity: Severity
) -> None:
    scene.queue()
    for age in ages:
        scene.waiting(age)
    found = findings(scene, AlarmKind.QUEUE_AGE, settings)["urgent"]
    assert (found.level, found.severity) == (level, severity)
    assert found.data["n"] == len(ages) and found.data["limit"] == 3600.0
    if level is Level.OVER:
        assert "Queue Urgent: 1 of" in found.message and "promised 1 h" in found.message


def test_a_queue_without_a_promise_breaks_none(scene: Scene, settings: Settings) -> None:
    scene.queue(promised_s=None)
    assert findings(scene, AlarmKind.QUEUE_AGE, settings) == {}


@pytest.mark.parametrize(("limit", "level"), [(2, Level.OVER), (3, Level.FINE)])
def test_jobs_set_aside(scene: Scene, settings: Settings, limit: int, level: Level) -> None:
    for code in ("too_long", "unreadable_media"):
        scene.job("set_aside", error_code=code)
    changed = settings.model_copy(update={"alarm_set_aside": limit})
    found = findings(scene, AlarmKind.SET_ASIDE, changed)["jobs"]
    assert (found.level, found.data["value"]) == (level, 2)
    assert "too long" in found.message


@pytest.mark.parametrize(
    ("jobs", "level"),
    [
        pytest.param([], Level.FINE, id="nothing waits"),
        pytest.param([("queued", 2 * MINUTE, None)], Level.FINE, id="not long yet"),
        pytest.param([("queued", 20 * MINUTE, None)], Level.OVER, id="nobody comes"),
        pytest.param([("queued", 20 * MINUTE, None), ("done", HOUR, MINUTE)], Level.FINE,
                     id="one was just taken"),
        pytest.param([("queued", 20 * MINUTE, None), ("done", HOUR, 30 * MINUTE)], Level.OVER,
                     id="the last was long ago"),
    ],
)  # fmt: skip
def test_a_silent_worker(scene: Scene, settings: Settings, jobs: list, level: Level) -> None:
    for state, age, started in jobs:
        scene.job(state, age, started_at=NOW - started if started else None)
    found = findings(scene, AlarmKind.WORKER_SILENT, settings)["worker"]
    assert found.level is level


def test_a_worker_in_the_middle_of_a_long_job_is_not_silent(
    scene: Scene, settings: Settings
) -> None:
    scene.job("queued", HOUR)
    long = scene.job("running", 2 * HOUR, started_at=NOW - 2 * HOUR)
    with scene.store.write() as session:
        leases.claim(session, leases.JOB, long.id, "worker-1", 60.0, NOW - MINUTE / 2)
    assert findings(scene, AlarmKind.WORKER_SILENT, settings)["worker"].level is Level.FINE


def flood(scene: Scene, uploaders: int, ago: timedelta, videos: int = 1) -> None:
    for number in range(uploaders * videos):
        scene.video(ago, uploader=f"{ago} {number % uploaders}")


@pytest.mark.parametrize(
    ("uploaders", "videos", "level"),
    [
        pytest.param(30, 1, Level.OVER, id="many uploaders"),
        pytest.param(1, 60, Level.FINE, id="one uploader many times"),
        pytest.param(4, 1, Level.FINE, id="as ever"),
    ],
)
def test_flags_jump_by_uploaders(
    scene: Scene, settings: Settings, uploaders: int, videos: int, level: Level
) -> None:
    for day in range(1, 20):
        flood(scene, 4, day * DAY + 30 * MINUTE)
    flood(scene, uploaders, 30 * MINUTE, videos)
    found = findings(scene, AlarmKind.FLAG_JUMP, settings)
    assert {name: each.level for name, each in found.items()} == {
        "violence/day": level, "violence/hour": level,
    }  # fmt: skip
    assert found["violence/day"].data["value"] == uploaders
    assert found["violence/day"].data["mean"] == pytest.approx(4.0, abs=0.1)


def test_passed_videos_are_no_flags_and_a_young_store_says_nothing(
    scene: Scene, settings: Settings
) -> None:
    scene.video(3 * DAY)
    scene.video(MINUTE, policy="sexual", way=route(RouteName.AUTO_PASS))
    found = findings(scene, AlarmKind.FLAG_JUMP, settings)
    assert set(found) == {"violence/hour", "violence/day"}
    assert found["violence/day"].level is Level.UNKNOWN
    assert "5 more days" in found["violence/day"].message


def test_windows_are_at_the_same_hour_of_each_day() -> None:
    flags = [("violence", "a", NOW - 90 * MINUTE), ("violence", "b", NOW - DAY - 30 * MINUTE)]
    hour = flag_checks.uploaders_in(flags, NOW, HOUR, 3)
    day = flag_checks.uploaders_in(flags, NOW, DAY, 3)
    assert hour == {"violence": [0, 1, 0, 0]} and day == {"violence": [1, 1, 0]}


@pytest.mark.parametrize(
    ("recent", "earlier", "level"),
    [
        pytest.param((10, 15), (57, 3), Level.OVER, id="falls"),
        pytest.param((24, 1), (57, 3), Level.FINE, id="as before"),
        pytest.param((20, 5), (58, 2), Level.NEAR, id="lower, not surely"),
        pytest.param((5, 5), (57, 3), Level.UNKNOWN, id="few recent looks"),
        pytest.param((10, 15), (5, 0), Level.UNKNOWN, id="nothing to compare with"),
    ],
)
def test_reviewer_agreement(
    scene: Scene, settings: Settings, recent: tuple, earlier: tuple, level: Level
) -> None:
    scene.looks("ann", *recent, ago=2 * DAY)
    scene.looks("ann", *earlier, ago=30 * DAY)
    found = findings(scene, AlarmKind.REVIEWER_AGREEMENT, settings)["ann"]
    assert found.level is level and found.data["n"] == sum(recent)


def test_somebody_new_is_compared_with_the_others(scene: Scene, settings: Settings) -> None:
    scene.looks("new", 8, 17, ago=DAY)
    scene.looks("ann", 58, 2, ago=20 * DAY)
    found = findings(scene, AlarmKind.REVIEWER_AGREEMENT, settings)
    assert found["new"].level is Level.OVER and "the others' was 97%" in found["new"].message
    assert set(found) == {"new"}


def test_a_second_look_counts_for_both_and_one_that_nobody_answered_for_none(
    scene: Scene, settings: Settings
) -> None:
    looked = people_checks.tallies(
        [
            people_checks.Looked(("bob", "ann"), True, NOW),
            people_checks.Looked(("ann",), False, NOW),
        ]
    )
    assert looked == {"bob": people_checks.Tally(1, 1), "ann": people_checks.Tally(1, 2)}
    scene.looks("bob", 3, 1, DAY, kind="second", decided_by="ann")
    found = findings(scene, AlarmKind.REVIEWER_AGREEMENT, settings)
    assert found["ann"].data["n"] == found["bob"].data["n"] == 4


@pytest.mark.parametrize(
    ("escalated", "n", "level"),
    [
        pytest.param(70, 120, Level.OVER, id="above"),
        pytest.param(40, 120, Level.NEAR, id="above by chance"),
        pytest.param(30, 120, Level.FINE, id="below"),
        pytest.param(60, 80, Level.UNKNOWN, id="few videos"),
    ],
)
def test_budget(scene: Scene, settings: Settings, escalated: int, n: int, level: Level) -> None:
    made = policy(budget=0.3)
    with scene.store.write() as session:
        routing_policies.add(session, made.version, made.rule, made.to_json(), "ann")
        routing_policies.publish(session, "icd", made.version, "ann")
    for number in range(n):
        name = RouteName.HUMAN if number < escalated else RouteName.AUTO_PASS
        scene.video(HOUR, way=route(name, version=made.version))
    scene.video(HOUR, way=route(RouteName.HUMAN, version="another"))
    scene.video(3 * DAY, way=route(RouteName.HUMAN, version=made.version))
    found = findings(scene, AlarmKind.BUDGET, settings)["icd"]
    assert (found.level, found.data["n"]) == (level, n)


def test_drift_needs_a_published_policy(scene: Scene) -> None:
    def never() -> None:
        raise AssertionError("no prefilter is needed")

    found = list(routing_checks.drift(scene.store, NOW, never))  # type: ignore[arg-type]
    assert {each.subject for each in found} == {"icd", "ucc"}
    assert all(each.level is Level.UNKNOWN for each in found)


def test_every_kind_has_a_check() -> None:
    assert set(CHECKS) | {AlarmKind.DRIFT, AlarmKind.CALIBRATION} == set(AlarmKind)
    assert work_checks.CALM_SHARE < 1
