"""The exposure budget: what counts, warning, pause, own limits, and a new shift."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coefvq.errors import StoreError
from coefvq.review import exposure, queue, users
from coefvq.review.access import Actor
from coefvq.review.exposure import BadExposure, Exposure, Rest
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import cases, events, people
from coefvq.store.session import Store
from coefvq.store.tables import ExposureRow
from tests.people_fixtures import PASSWORD, quick_hashes
from tests.store_factory import ANN, BOB, scored, settings_at

__all__ = ["quick_hashes"]
NOW = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
LEAD = Actor("lea", frozenset({"lead"}))


def later(**more: float) -> datetime:
    return NOW + timedelta(**more)


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    """Five minutes a shift."""
    return settings_at(tmp_path / "home", exposure_limit_s=300.0)


@pytest.fixture
def case(store: Store, settings: Settings) -> str:
    """A case on hate, which is severe."""
    return severe(store, settings)


def severe(store: Store, settings: Settings, **changes: Any) -> str:
    made = scored(store, settings)["icd"]
    with store.write() as session:
        row = cases.get(session, made)
        row.top_policy = "hate_harassment"
        for field, value in changes.items():
            setattr(row, field, value)
    return made


def look(store: Store, settings: Settings, case: str, seconds: float, now: datetime = NOW,
         actor: Actor = ANN) -> Exposure:  # fmt: skip
    """Notes of a minute at most, as a page sends them, the last one at ``now``."""
    left = seconds
    while left > 0:
        part = min(left, 60.0)
        left -= part
        found = exposure.note(store, settings, actor, case, part, now - timedelta(seconds=left))
    return found


def require(store: Store, settings: Settings, now: datetime, actor: Actor = ANN) -> None:
    with store.read() as session:
        exposure.require_rested(session, settings, actor, now)


@pytest.mark.parametrize(
    ("seconds", "state"),
    [(0.0, "fine"), (239.0, "fine"), (240.0, "warn"), (299.0, "warn"), (300.0, "pause")],
)
def test_states(store: Store, settings: Settings, case: str, seconds: float, state: str) -> None:
    exposure.note(store, settings, ANN, case, 0.0, NOW)
    if seconds:
        look(store, settings, case, seconds)
    found = exposure.state(store, settings, ANN, NOW)
    ends = later(minutes=15) if state == "pause" else None
    assert found == Exposure(seconds, 300.0, state, ends)


@pytest.mark.parametrize("seconds", [-0.1, 60.1, float("nan"), float("inf"), -float("inf")])
def test_impossible_seconds_are_refused(
    store: Store, settings: Settings, case: str, seconds: float
) -> None:
    with pytest.raises(BadExposure, match="0 to 60"):
        exposure.note(store, settings, ANN, case, seconds, NOW)
    assert exposure.state(store, settings, ANN, NOW).spent_s == 0.0


def test_a_case_that_is_not_there(store: Store, settings: Settings) -> None:
    with pytest.raises(StoreError, match="no case forged"):
        exposure.note(store, settings, ANN, "forged", 1.0, NOW)


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        pytest.param({}, True, id="severe and unsure"),
        pytest.param({"verdict": "violation"}, True, id="severe and flagged"),
        pytest.param({"verdict": "ok"}, False, id="the machine passed it"),
        pytest.param({"top_policy": "scam_spam"}, False, id="a mild policy"),
        pytest.param({"top_policy": None}, False, id="nothing is known"),
        pytest.param({"top_policy": "of another time"}, False, id="an unknown policy"),
    ],
)
def test_what_counts(
    store: Store, settings: Settings, changes: dict[str, Any], counts: bool
) -> None:
    case = severe(store, settings, **changes)
    assert look(store, settings, case, 10.0).spent_s == (10.0 if counts else 0.0)
    with store.read() as session:
        assert session.query(ExposureRow).count() == int(counts)


def test_what_the_reviewer_marks_counts_too(store: Store, settings: Settings) -> None:
    case = severe(store, settings, verdict="ok")
    queue.open_case(store, settings, ANN, case)
    queue.save_draft(store, ANN, case, DecisionForm({"violence": True, "sexual": False}, "remove"))
    assert look(store, settings, case, 10.0).spent_s == 10.0
    assert look(store, settings, case, 10.0, actor=BOB).spent_s == 0.0


def test_the_severity_is_a_setting(store: Store, settings: Settings, case: str) -> None:
    strict = settings.model_copy(update={"exposure_severity": 5})
    assert look(store, strict, case, 10.0).spent_s == 0.0


def test_a_spent_budget_is_a_pause_with_the_minutes_left(
    store: Store, settings: Settings, case: str
) -> None:
    require(store, settings, NOW)
    look(store, settings, case, 300.0)
    for after_s, says in ((0, "in 15 minutes"), (839, "in 2 minutes"), (841, "in 1 minute")):
        with pytest.raises(Rest, match=f"{says}\\b") as caught:
            require(store, settings, later(seconds=after_s))
        assert caught.value.code == "rest"
    require(store, settings, later(minutes=15))
    require(store, settings, NOW, BOB)


def test_after_the_pause_the_count_starts_anew(store: Store, settings: Settings, case: str) -> None:
    look(store, settings, case, 300.0)
    after = later(minutes=15)
    assert exposure.state(store, settings, ANN, after) == Exposure(0.0, 300.0, "fine")
    assert look(store, settings, case, 299.0, after).state == "warn"
    assert look(store, settings, case, 1.0, after).state == "pause"


def test_looking_on_in_a_pause_counts_afterwards(
    store: Store, settings: Settings, case: str
) -> None:
    look(store, settings, case, 300.0)
    look(store, settings, case, 120.0, later(minutes=5))
    assert exposure.state(store, settings, ANN, later(minutes=15)).spent_s == 120.0
    with store.read() as session:
        assert [e.kind for e in events.of_subject(session, "user", "ann")] == [people.PAUSED]


def test_what_is_older_than_a_shift_no_longer_counts(
    store: Store, settings: Settings, case: str
) -> None:
    look(store, settings, case, 200.0)
    look(store, settings, case, 50.0, later(hours=4))
    assert exposure.state(store, settings, ANN, later(hours=7.9)).state == "warn"
    assert exposure.state(store, settings, ANN, later(hours=8)).spent_s == 50.0


def test_a_pause_does_not_end_because_the_shift_moves_on(
    store: Store, settings: Settings, case: str
) -> None:
    look(store, settings, case, 200.0)
    look(store, settings, case, 100.0, later(hours=7, minutes=55))
    with pytest.raises(Rest):
        require(store, settings, later(hours=8, minutes=5))


@pytest.mark.parametrize(
    ("own", "state"), [(None, "fine"), (60.0, "pause"), (70.0, "warn"), (0.0, "fine")]
)
@pytest.mark.usefixtures("quick_hashes")
def test_ones_own_limit_comes_first(
    store: Store, settings: Settings, case: str, own: float | None, state: str
) -> None:
    users.add(store, users.OPERATOR, "ann", PASSWORD, exposure_limit_s=own)
    assert look(store, settings, case, 60.0).state == state


def test_zero_is_no_limit(store: Store, settings: Settings, case: str) -> None:
    free = settings.model_copy(update={"exposure_limit_s": 0.0})
    assert look(store, free, case, 600.0) == Exposure(600.0, 0.0, "fine")


def test_leads_see_everyone_of_this_shift(store: Store, settings: Settings, case: str) -> None:
    look(store, settings, case, 250.0)
    look(store, settings, case, 30.0, actor=BOB)
    found = [
        (each.name, each.exposure.spent_s, each.exposure.state)
        for each in exposure.today(store, settings, LEAD, later(hours=1))
    ]
    assert found == [("ann", 250.0, "warn"), ("bob", 30.0, "fine")]
    assert exposure.today(store, settings, LEAD, later(hours=9)) == []


@pytest.mark.parametrize(
    ("notes", "spent"),
    [
        ([(15, 0), (15, 15), (15, 30)], 45.0),
        ([(15, 0), (15, 0.2), (15, 15), (15, 15.2)], 15 + 1.2 + 15 + 1.2),
        ([(60, 0), (60, 1)], 62.0),
        ([(15, 0), (5, 3600)], 20.0),
    ],
    ids=["one window", "two windows", "too fast", "long after"],
)
def test_the_same_seconds_count_once(store, settings, case, notes, spent) -> None:
    for seconds, at in notes:
        found = exposure.note(store, settings, ANN, case, float(seconds), later(seconds=at))
    assert found.spent_s == pytest.approx(spent, abs=0.5)
