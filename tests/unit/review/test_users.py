"""People: names, passwords, roles, the last admin, and what is logged."""

from __future__ import annotations

from typing import Any

import pytest
from argon2 import PasswordHasher

from coefvq.errors import SettingsError, StoreError
from coefvq.review import passwords, sign_in, users
from coefvq.review.access import LOCAL, Actor
from coefvq.review.users import OPERATOR
from coefvq.settings import Settings
from coefvq.store import events
from coefvq.store.session import Store
from coefvq.store.tables import UserRow
from tests.people_fixtures import PASSWORD, QUICK, quick_hashes

__all__ = ["quick_hashes"]
pytestmark = pytest.mark.usefixtures("quick_hashes")
MARA = Actor("mara", frozenset({"admin"}))


def logged(store: Store, name: str) -> list[tuple[str, str, dict[str, Any]]]:
    with store.read() as session:
        return [(e.actor, e.kind, e.data) for e in events.of_subject(session, "user", name)]


def hash_in_store(store: Store, name: str) -> str:
    with store.read() as session:
        return session.get_one(UserRow, name).password_hash


def test_added_people_are_listed_with_what_they_may_do(store: Store) -> None:
    users.add(store, OPERATOR, "mara", PASSWORD, ["admin"])
    users.add(store, OPERATOR, "ann", PASSWORD, ["reviewer", "uploader"], ["q2", "q1"], 600.0)
    ann, mara = users.list_people(store, MARA)
    assert (mara.name, mara.roles, mara.queues, mara.disabled) == ("mara", ("admin",), None, False)
    assert (ann.roles, ann.queues) == (("uploader", "reviewer"), ("q1", "q2"))
    assert (ann.exposure_limit_s, ann.last_seen_at) == (600.0, None)


@pytest.mark.parametrize(
    ("name", "password", "more", "says"),
    [
        pytest.param("", PASSWORD, {}, "does not fit", id="no name"),
        pytest.param("a" * 65, PASSWORD, {}, "does not fit", id="long name"),
        pytest.param("ann smith", PASSWORD, {}, "does not fit", id="space"),
        pytest.param("-ann", PASSWORD, {}, "does not fit", id="looks like an option"),
        pytest.param("ann\x00", PASSWORD, {}, "does not fit", id="zero byte"),
        pytest.param("ann\n", PASSWORD, {}, "does not fit", id="line end"),
        pytest.param("<b>ann</b>", PASSWORD, {}, "does not fit", id="markup"),
        pytest.param("änn", PASSWORD, {}, "does not fit", id="look-alike letters"),
        pytest.param("local", PASSWORD, {}, "taken by the program", id="local"),
        pytest.param("Operator", PASSWORD, {}, "taken by the program", id="operator"),
        pytest.param("worker-1", PASSWORD, {}, "taken by the program", id="worker"),
        pytest.param("ann", "123456789", {}, "10 to 1024", id="short password"),
        pytest.param("ann", "x" * 1025, {}, "10 to 1024", id="endless password"),
        pytest.param("ann.smith.1", "Ann.Smith.1", {}, "must not be the name", id="own name"),
        pytest.param("ann", PASSWORD, {"roles": ["reviwer"]}, "mean 'reviewer'", id="typo"),
        pytest.param("ann", PASSWORD, {"roles": []}, "at least one role", id="no role"),
        pytest.param("ann", PASSWORD, {"exposure_limit_s": -1.0}, "0 to 86400", id="limit"),
        pytest.param("ann", PASSWORD, {"exposure_limit_s": float("nan")}, "0 to", id="no number"),
    ],
)
def test_what_does_not_fit_is_refused(
    store: Store, name: str, password: str, more: dict[str, Any], says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        users.add(store, OPERATOR, name, password, **more)
    assert not users.any_user(store)


@pytest.mark.parametrize("name", ["a", "a" * 64, "A.b_c-9", "9"])
def test_names_that_fit(store: Store, name: str) -> None:
    assert users.add(store, OPERATOR, name, PASSWORD).name == name
    assert users.any_user(store)


@pytest.mark.parametrize("again", ["ann", "Ann", "ANN"])
def test_a_name_is_taken_in_any_case_of_letters(store: Store, again: str) -> None:
    users.add(store, OPERATOR, "ann", PASSWORD)
    with pytest.raises(StoreError, match="a user ann already"):
        users.add(store, OPERATOR, again, PASSWORD)


def test_the_first_person_from_the_page_is_an_admin(store: Store) -> None:
    with pytest.raises(SettingsError, match="first person must be an admin"):
        users.add(store, LOCAL, "ann", PASSWORD, ["lead"])
    users.add(store, LOCAL, "mara", PASSWORD, ["admin"])
    users.add(store, LOCAL, "ann", PASSWORD, ["reviewer"])


def test_only_what_is_given_changes(store: Store) -> None:
    users.add(store, OPERATOR, "ann", PASSWORD, ["reviewer"], ["q1"], 60.0)
    users.change(store, MARA, "ann", roles=["lead"])
    changed = users.change(store, MARA, "ann", queues=None)
    assert (changed.roles, changed.queues, changed.exposure_limit_s) == (("lead",), None, 60.0)
    assert users.change(store, MARA, "ann", exposure_limit_s=None).exposure_limit_s is None


def test_each_change_is_an_event_without_the_secret(store: Store) -> None:
    users.add(store, MARA, "ann", PASSWORD, ["reviewer"])
    users.change(store, MARA, "ann", roles=["lead"], queues=["q1"])
    users.set_password(store, MARA, "ann", "another password")
    users.disable(store, MARA, "ann")
    users.enable(store, MARA, "ann")
    found = logged(store, "ann")
    assert [(actor, kind) for actor, kind, _ in found] == [
        ("mara", "user.added"), ("mara", "user.changed"), ("mara", "user.password_set"),
        ("mara", "user.disabled"), ("mara", "user.enabled"),
    ]  # fmt: skip
    assert found[1][2] == {"roles": ["lead"], "queues": ["q1"]}
    assert not any(word in str(found) for word in (PASSWORD, "another password", "argon2"))
    with store.read() as session:
        assert events.verify(session) is None


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda s: users.disable(s, MARA, "mara"), id="disabled"),
        pytest.param(lambda s: users.change(s, MARA, "mara", roles=["lead"]), id="role taken"),
    ],
)
def test_the_last_admin_stays(store: Store, call: Any) -> None:
    users.add(store, OPERATOR, "mara", PASSWORD, ["admin"])
    users.add(store, OPERATOR, "eve", PASSWORD, ["admin"])
    users.disable(store, MARA, "eve")  # an admin who cannot come in does not count
    with pytest.raises(SettingsError, match="mara is the only admin"):
        call(store)
    users.enable(store, MARA, "eve")
    call(store)
    assert logged(store, "mara")[-1][1] in ("user.disabled", "user.changed")


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda s: users.change(s, MARA, "anm", roles=["lead"]), id="change"),
        pytest.param(lambda s: users.set_password(s, MARA, "anm", PASSWORD), id="password"),
        pytest.param(lambda s: users.disable(s, MARA, "anm"), id="disable"),
        pytest.param(lambda s: users.enable(s, MARA, "anm"), id="enable"),
    ],
)
def test_a_misspelt_name_gets_a_hint(store: Store, call: Any) -> None:
    users.add(store, OPERATOR, "ann", PASSWORD)
    with pytest.raises(StoreError, match="Did you mean 'ann'"):
        call(store)


def test_hashes_are_argon2id_and_salted(store: Store) -> None:
    users.add(store, OPERATOR, "ann", PASSWORD)
    users.add(store, OPERATOR, "bob", PASSWORD)
    hashes = {hash_in_store(store, name) for name in ("ann", "bob")}
    assert len(hashes) == 2
    assert all(found.startswith("$argon2id$") for found in hashes)


def test_a_hash_with_old_parameters_is_renewed_at_sign_in(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    users.add(store, OPERATOR, "ann", PASSWORD)
    stronger = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    monkeypatch.setattr(passwords, "HASHER", stronger)
    sign_in.sign_in(store, settings, "ann", PASSWORD)
    assert "m=16,t=2,p=1" in hash_in_store(store, "ann")
    sign_in.sign_in(store, settings, "ann", PASSWORD)


def test_the_parameters_in_use_are_the_recommended_ones() -> None:
    made = PasswordHasher()
    assert (made.memory_cost, made.time_cost, made.type.name) == (65536, 3, "ID")
    assert QUICK.memory_cost < made.memory_cost


def test_who_is_signed_in_is_for_leads(store: Store, settings: Settings) -> None:
    users.add(store, OPERATOR, "ann", PASSWORD)
    sign_in.sign_in(store, settings, "ann", PASSWORD)
    lead = Actor("lea", frozenset({"lead"}))
    assert [each.name for each in users.signed_in(store, settings, lead)] == ["ann"]
    users.disable(store, MARA, "ann")
    assert users.signed_in(store, settings, lead) == []
