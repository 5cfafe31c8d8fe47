"""Rows of people, sign-ins and exposures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coefvq.store import events, people
from coefvq.store.session import Store
from coefvq.store.tables import ExposureRow, SignInRow, UserRow
from tests.store_factory import scored, settings_at

NOW = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def team(store: Store) -> Store:
    with store.write() as session:
        for name in ("mara", "Ann"):
            session.add(UserRow(name=name, password_hash="h", roles=["reviewer"]))
    return store


def sign_in(store: Store, token: str, user: str, seen: datetime, ends: datetime) -> None:
    with store.write() as session:
        session.add(SignInRow(token_hash=token, user=user, created_at=NOW, last_seen_at=seen,
                              expires_at=ends))  # fmt: skip


def test_nobody_at_first(store: Store) -> None:
    with store.read() as session:
        assert not people.any_user(session)
        assert people.everyone(session) == []
        assert people.find(session, "Ann") is None


def test_people_are_found_by_name(team: Store) -> None:
    with team.write() as session:
        assert people.any_user(session)
        assert [row.name for row in people.everyone(session, lock=True)] == ["Ann", "mara"]
        found = people.find(session, "Ann", lock=True)
        assert found is not None and (found.disabled, found.failures) == (False, 0)
        assert people.find(session, "ann") is None
        assert people.alike(session, "aNN") == "Ann"
        assert people.alike(session, "anna") is None


def test_a_sign_in_comes_with_its_user(team: Store) -> None:
    sign_in(team, "t1", "Ann", NOW, NOW + HOUR)
    with team.read() as session:
        row, user = people.sign_in(session, "t1") or (None, None)
        assert row is not None and user is not None and user.name == row.user == "Ann"
        assert people.sign_in(session, "t2") is None


def test_sign_ins_that_hold_come_last_seen_first(team: Store) -> None:
    sign_in(team, "ended", "Ann", NOW, NOW)
    sign_in(team, "idle", "Ann", NOW - HOUR, NOW + HOUR)
    sign_in(team, "old", "Ann", NOW - HOUR / 2, NOW + HOUR)
    sign_in(team, "new", "mara", NOW, NOW + HOUR)
    with team.read() as session:
        held = people.sign_ins(session, NOW, NOW - HOUR)
        assert [row.token_hash for row in held] == ["new", "old"]


@pytest.mark.parametrize(
    ("before", "left"),
    [(None, ["m"]), (NOW, ["b", "m"]), (NOW - HOUR, ["a", "b", "m"])],
    ids=["all", "what has ended", "nothing has"],
)
def test_ending_the_sign_ins_of_one(team: Store, before: datetime | None, left: list[str]) -> None:
    sign_in(team, "a", "Ann", NOW, NOW)
    sign_in(team, "b", "Ann", NOW, NOW + HOUR)
    sign_in(team, "m", "mara", NOW, NOW)
    with team.write() as session:
        assert people.end_sign_ins(session, "Ann", before=before) == 3 - len(left)
    with team.read() as session:
        assert sorted(row.token_hash for row in session.query(SignInRow)) == left


def test_ending_one_sign_in_tells_whose_it_was(team: Store) -> None:
    sign_in(team, "a", "Ann", NOW, NOW + HOUR)
    with team.write() as session:
        assert [people.end_sign_in(session, "a"), people.end_sign_in(session, "a")] == ["Ann", None]


def test_exposures_are_summed_after_a_time(team: Store, tmp_path) -> None:  # type: ignore[no-untyped-def]
    case = scored(team, settings_at(tmp_path / "h"))["icd"]
    with team.write() as session:
        for who, minutes, seconds in (("Ann", 0, 5.0), ("Ann", 10, 7.0), ("mara", 20, 1.0)):
            at = NOW + timedelta(minutes=minutes)
            session.add(ExposureRow(reviewer=who, case_id=case, severity=4, seconds=seconds, at=at))
    with team.read() as session:
        assert people.exposed(session, "Ann", NOW) == 7.0  # after, not from
        assert people.exposed(session, "Ann", NOW - HOUR) == 12.0
        assert people.exposed(session, "nobody", NOW - HOUR) == 0.0
        assert people.exposed_people(session, NOW) == ["Ann", "mara"]
        assert people.exposed_people(session, NOW + HOUR) == []


def test_the_last_pause(team: Store) -> None:
    with team.write() as session:
        assert people.last_pause(session, "Ann") is None
        for hours in (0, 2):
            at = NOW + hours * HOUR
            events.append(session, "Ann", people.PAUSED, "user", "Ann", {}, at)
        events.append(session, "mara", people.PAUSED, "user", "mara", {}, NOW + 5 * HOUR)
    with team.read() as session:
        assert people.last_pause(session, "Ann") == NOW + 2 * HOUR
