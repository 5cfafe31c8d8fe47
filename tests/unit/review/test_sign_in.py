"""Signing in: lockout, expiry, renewal, forged tokens, and one answer to every failure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from coefvq.errors import SettingsError
from coefvq.review import passwords, sign_in, users
from coefvq.review.sign_in import SignInRefused
from coefvq.review.users import OPERATOR
from coefvq.settings import Settings
from coefvq.store import events, people
from coefvq.store.session import Store
from coefvq.store.tables import SignInRow, UserRow
from tests.people_fixtures import PASSWORD, quick_hashes

__all__ = ["quick_hashes"]
pytestmark = pytest.mark.usefixtures("quick_hashes")
NOW = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
WRONG = "not the password"


def later(**more: float) -> datetime:
    return NOW + timedelta(**more)


@pytest.fixture
def ann(store: Store) -> Store:
    users.add(store, OPERATOR, "mara", PASSWORD, ["admin"])
    users.add(store, OPERATOR, "ann", PASSWORD, ["reviewer"], ["q1"])
    return store


def name_of(store: Store, settings: Settings, token: str, now: datetime) -> str | None:
    actor = sign_in.who(store, settings, token, now)
    return actor.name if actor else None


def kinds(store: Store) -> list[str]:
    with store.read() as session:
        return [e.kind for e in events.of_subject(session, "user", "ann")][1:]


def test_a_token_says_who_asks_with_roles_and_queues(ann: Store, settings: Settings) -> None:
    token = sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW)
    actor = sign_in.who(ann, settings, token, NOW)
    assert actor is not None
    assert (actor.name, actor.roles, actor.queues) == ("ann", {"reviewer"}, {"q1"})
    assert kinds(ann) == ["user.signed_in"]


def test_the_store_keeps_only_a_hash_of_the_token(ann: Store, settings: Settings) -> None:
    token = sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW)
    with ann.read() as session:
        (row,) = session.query(SignInRow).all()
    assert row.token_hash == hashlib.sha256(token.encode()).hexdigest()
    assert token not in repr(vars(row)) and len(token) == 43
    assert name_of(ann, settings, row.token_hash, NOW) is None


@pytest.mark.parametrize(
    ("name", "password"),
    [
        pytest.param("ann", WRONG, id="wrong password"),
        pytest.param("ann", "", id="no password"),
        pytest.param("nobody", PASSWORD, id="unknown"),
        pytest.param("Ann", PASSWORD, id="other case"),
        pytest.param("", PASSWORD, id="no name"),
        pytest.param("a\x00b", PASSWORD, id="zero byte"),
        pytest.param("\ud800", PASSWORD, id="half a character"),
        pytest.param("bob", PASSWORD, id="disabled"),
        pytest.param("cid", PASSWORD, id="locked"),
        pytest.param("x" * 100_000, "y" * 100_000, id="endless"),
    ],
)
def test_every_failure_gets_the_same_answer_after_one_verification(
    ann: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, password: str
) -> None:
    users.add(ann, OPERATOR, "bob", PASSWORD)
    users.disable(ann, OPERATOR, "bob")
    users.add(ann, OPERATOR, "cid", PASSWORD)
    with ann.write() as session:
        session.get_one(UserRow, "cid").locked_until = later(minutes=1)
    verified: list[str] = []
    hasher = passwords.HASHER

    class Counting:
        def verify(self, stored: str, given: str) -> bool:
            verified.append(stored)
            return hasher.verify(stored, given)

        def hash(self, password: str) -> str:
            return hasher.hash(password)

    monkeypatch.setattr(passwords, "HASHER", Counting())
    with pytest.raises(SignInRefused) as caught:
        sign_in.sign_in(ann, settings, name, password, NOW)
    assert str(caught.value) == (
        "Name or password is wrong, or the account is locked or disabled. After 5 wrong "
        "passwords it is locked for 15 minutes; an admin can help."
    )
    assert len(verified) == 1 and verified[0].startswith("$argon2id$")


def fail(store: Store, settings: Settings, times: int, now: datetime = NOW) -> None:
    for _ in range(times):
        with pytest.raises(SignInRefused):
            sign_in.sign_in(store, settings, "ann", WRONG, now)


def test_five_failures_lock_for_a_quarter_of_an_hour(ann: Store, settings: Settings) -> None:
    fail(ann, settings, 5)
    for minutes in (0, 14.9):
        with pytest.raises(SignInRefused):
            sign_in.sign_in(ann, settings, "ann", PASSWORD, later(minutes=minutes))
    assert sign_in.sign_in(ann, settings, "ann", PASSWORD, later(minutes=15))
    assert kinds(ann) == ["user.locked", "user.signed_in"]


def test_after_a_lock_there_are_five_tries_again(ann: Store, settings: Settings) -> None:
    fail(ann, settings, 5)
    fail(ann, settings, 4, later(minutes=15))
    assert sign_in.sign_in(ann, settings, "ann", PASSWORD, later(minutes=15))


def test_a_right_password_starts_the_count_anew(ann: Store, settings: Settings) -> None:
    for _ in range(2):
        fail(ann, settings, 4)
        sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW)
    assert "user.locked" not in kinds(ann)


def test_a_lock_does_not_end_what_is_signed_in(ann: Store, settings: Settings) -> None:
    token = sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW)
    fail(ann, settings, 6)
    assert name_of(ann, settings, token, NOW) == "ann"


@pytest.mark.parametrize("how", ["enable", "password"])
def test_an_admin_ends_a_lock(ann: Store, settings: Settings, how: str) -> None:
    fail(ann, settings, 5)
    if how == "enable":
        users.enable(ann, OPERATOR, "ann")
    else:
        users.set_password(ann, OPERATOR, "ann", PASSWORD)
    assert sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW)


@pytest.mark.parametrize(
    ("seen_after_h", "asked_after_h", "holds"),
    [
        pytest.param((), 7.9, True, id="within eight hours"),
        pytest.param((), 8.0, False, id="idle"),
        pytest.param((7.0,), 14.9, True, id="used in between"),
        pytest.param((7.0,), 15.0, False, id="idle since then"),
        pytest.param((7.0, 14.0, 21.0), 23.9, True, id="all day"),
        pytest.param((7.0, 14.0, 21.0, 23.9), 24.0, False, id="a day at most"),
    ],
)
def test_a_sign_in_ends_when_idle_and_after_a_day(
    ann: Store,
    settings: Settings,
    seen_after_h: tuple[float, ...],
    asked_after_h: float,
    holds: bool,
) -> None:
    token = sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW)
    for hours in seen_after_h:
        assert name_of(ann, settings, token, later(hours=hours)) == "ann"
    found = name_of(ann, settings, token, later(hours=asked_after_h))
    assert found == ("ann" if holds else None)


def test_last_seen_is_written_at_most_once_a_minute(ann: Store, settings: Settings) -> None:
    token = sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW)
    for seconds, expected in ((1, 0), (59, 0), (60, 60), (100, 60), (121, 121)):
        sign_in.who(ann, settings, token, later(seconds=seconds))
        with ann.read() as session:
            row, user = people.sign_in(session, sign_in.digest(token)) or (None, None)
        assert row is not None and user is not None
        assert row.last_seen_at == user.last_seen_at == later(seconds=expected)


@pytest.mark.parametrize("token", ["", "x", "a" * 43, "\ud800", "\x00", "' OR 1=1 --", "é" * 5000])
def test_a_forged_token_is_nobody(ann: Store, settings: Settings, token: str) -> None:
    sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW)
    assert sign_in.who(ann, settings, token, NOW) is None


def test_signing_in_again_renews_the_token_and_ends_the_old_one(
    ann: Store, settings: Settings
) -> None:
    old = sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW)
    new = sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW, replaces=old)
    assert old != new
    assert [name_of(ann, settings, token, NOW) for token in (old, new)] == [None, "ann"]


def test_a_token_planted_before_is_never_signed_in(ann: Store, settings: Settings) -> None:
    planted = "p" * 43
    token = sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW, replaces=planted)
    assert token != planted
    assert sign_in.who(ann, settings, planted, NOW) is None


def test_signing_out_ends_one_browser_only(ann: Store, settings: Settings) -> None:
    one, two = (sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW) for _ in range(2))
    sign_in.sign_out(ann, one)
    sign_in.sign_out(ann, one)
    sign_in.sign_out(ann, "forged")
    assert [name_of(ann, settings, token, NOW) for token in (one, two)] == [None, "ann"]
    assert kinds(ann).count("user.signed_out") == 1


@pytest.mark.parametrize("how", ["disable", "password"])
def test_who_is_disabled_or_gets_a_password_is_out_at_once(
    ann: Store, settings: Settings, how: str
) -> None:
    token = sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW)
    if how == "disable":
        users.disable(ann, OPERATOR, "ann")
    else:
        users.set_password(ann, OPERATOR, "ann", "another password")
    assert sign_in.who(ann, settings, token, NOW) is None
    users.enable(ann, OPERATOR, "ann")
    assert sign_in.who(ann, settings, token, NOW) is None


def test_the_flag_alone_keeps_a_disabled_user_out(ann: Store, settings: Settings) -> None:
    token = sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW)
    with ann.write() as session:
        session.get_one(UserRow, "ann").disabled = True
    assert sign_in.who(ann, settings, token, NOW) is None


def test_changed_roles_count_from_the_next_request(ann: Store, settings: Settings) -> None:
    token = sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW)
    users.change(ann, OPERATOR, "ann", roles=["viewer"], queues=None)
    actor = sign_in.who(ann, settings, token, NOW)
    assert actor is not None and (actor.roles, actor.queues) == ({"viewer"}, None)


def test_a_role_of_a_later_version_permits_nothing(ann: Store, settings: Settings) -> None:
    token = sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW)
    with ann.write() as session:
        session.get_one(UserRow, "ann").roles = ["overlord"]
    actor = sign_in.who(ann, settings, token, NOW)
    assert actor is not None and actor.roles == frozenset()


def test_a_password_that_changes_meanwhile_no_longer_lets_in(
    ann: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits = passwords.fits

    def change_then_check(stored: str | None, password: str) -> bool:
        found = fits(stored, password)
        users.set_password(ann, OPERATOR, "ann", "another password")
        return found

    monkeypatch.setattr(passwords, "fits", change_then_check)
    with pytest.raises(SignInRefused):
        sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW)


def test_ended_sign_ins_are_cleared_away(ann: Store, settings: Settings) -> None:
    sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW)
    sign_in.sign_in(ann, settings, "ann", PASSWORD, later(hours=25))
    with ann.read() as session:
        assert session.query(SignInRow).count() == 1


NEW = "a new password"


def people_signed_in(store: Store) -> int:
    with store.read() as session:
        return session.query(SignInRow).count()


def test_changing_ones_password_ends_the_other_sign_ins_only(ann):
    settings = Settings()
    here, there = (sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW) for _ in range(2))
    actor = sign_in.who(ann, settings, here, NOW)
    sign_in.change_password(ann, settings, actor, here, PASSWORD, NEW, NOW)
    assert name_of(ann, settings, here, NOW) == "ann"
    assert name_of(ann, settings, there, NOW) is None
    with pytest.raises(SignInRefused):
        sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW)
    assert sign_in.sign_in(ann, settings, "ann", NEW, NOW)
    with ann.read() as session:
        kinds = [event.kind for event in events.of_subject(session, "user", "ann")]
    assert "user.password_changed" in kinds


@pytest.mark.parametrize(
    ("old", "new", "error", "words"),
    [
        (WRONG, NEW, SignInRefused, "old password is wrong"),
        ("", NEW, SignInRefused, "old password is wrong"),
        (PASSWORD, PASSWORD, SettingsError, "the old one"),
        (PASSWORD, "short", SettingsError, "10 to 1024"),
    ],
    ids=["wrong", "empty", "same", "short"],
)
def test_a_password_that_cannot_be_changed_stays(ann, old, new, error, words):
    settings = Settings()
    token = sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW)
    actor = sign_in.who(ann, settings, token, NOW)
    with pytest.raises(error, match=words):
        sign_in.change_password(ann, settings, actor, token, old, new, NOW)
    assert sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW)


def test_guessing_the_old_password_locks(ann):
    settings = Settings(sign_in_failures=3)
    token = sign_in.sign_in(ann, settings, "ann", PASSWORD, NOW)
    actor = sign_in.who(ann, settings, token, NOW)
    for _ in range(3):
        with pytest.raises(SignInRefused):
            sign_in.change_password(ann, settings, actor, token, WRONG, NEW, NOW)
    with pytest.raises(SignInRefused):
        sign_in.change_password(ann, settings, actor, token, PASSWORD, NEW, NOW)
