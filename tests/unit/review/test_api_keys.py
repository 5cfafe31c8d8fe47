"""Keys of programs: shown once, checked by digest, ended at once."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from coefvq.cli import cli
from coefvq.errors import NotAllowed, SettingsError, StoreError
from coefvq.review import api_keys
from coefvq.review.access import Actor, Permission
from coefvq.store import events
from coefvq.store.session import Store
from coefvq.store.tables import utcnow
from tests.unit.review.quality import ANN, LEA

ADA = Actor("ada", frozenset({"admin"}))


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        pytest.param("read", {Permission.VIEW}, id="read"),
        pytest.param("submit", {Permission.VIEW, Permission.UPLOAD}, id="submit"),
        pytest.param(
            "decide", {Permission.VIEW, Permission.UPLOAD, Permission.DECIDE}, id="decide"
        ),
        pytest.param("metrics", {Permission.MEASURE}, id="metrics"),
    ],
)
def test_a_key_may_what_its_scope_says(store: Store, scope: str, allowed: set[Permission]) -> None:
    key = api_keys.create(store, ADA, "platform", [scope])
    caller = api_keys.caller(store, key)
    assert caller is not None and caller.actor.name == "key:platform"
    assert {each for each in Permission if caller.actor.may(each)} == allowed


def test_the_secret_is_nowhere(store: Store) -> None:
    key = api_keys.create(store, ADA, "platform", ["read"])
    secret = key.split("_", 2)[2]
    with store.read() as session:
        rows = [
            session.execute(text(f"SELECT * FROM {name}")).all() for name in ("api_keys", "events")
        ]
        assert events.verify(session) is None
    assert secret not in repr(rows)


def harmed(key: str) -> list[str]:
    prefix, key_id, secret = key.split("_", 2)
    return [
        "", "x", prefix, f"{prefix}_{key_id}", f"{prefix}_{key_id}_", f"{prefix}__{secret}",
        f"{prefix}_{key_id}_{secret[:-1]}", f"{prefix}_{key_id}_{secret}x",
        f"other_{key_id}_{secret}", f"{prefix}_nobody_{secret}", key + "\u00e9", key * 9,
    ]  # fmt: skip


def test_nothing_but_the_key_fits(store: Store) -> None:
    key = api_keys.create(store, ADA, "platform", ["read"])
    assert api_keys.caller(store, key) is not None
    assert [wrong for wrong in harmed(key) if api_keys.caller(store, wrong) is not None] == []


def test_it_ends_when_revoked(store: Store) -> None:
    key = api_keys.create(store, ADA, "platform", ["read"])
    assert api_keys.revoke(store, ADA, "platform").state == "revoked"
    api_keys.revoke(store, ADA, "platform")
    assert api_keys.caller(store, key) is None
    with store.read() as session:
        found = [e for e in events.of_subject(session, "api_key", key.split("_")[1])]
    assert [event.kind for event in found] == ["key.created", "key.revoked"]


def test_it_ends_when_its_time_is_over(store: Store) -> None:
    key = api_keys.create(store, ADA, "platform", ["read"], days=1)
    assert api_keys.caller(store, key, utcnow() + timedelta(hours=23)) is not None
    assert api_keys.caller(store, key, utcnow() + timedelta(hours=25)) is None


@pytest.mark.parametrize(
    ("name", "scopes", "days", "error"),
    [
        pytest.param("a b", ["read"], None, SettingsError, id="space in the name"),
        pytest.param("", ["read"], None, SettingsError, id="no name"),
        pytest.param("ok", [], None, SettingsError, id="no scope"),
        pytest.param("ok", ["raed"], None, SettingsError, id="misspelt scope"),
        pytest.param("ok", ["read"], 0, SettingsError, id="no time"),
        pytest.param("Platform", ["read"], None, StoreError, id="known name"),
    ],
)
def test_a_key_that_does_not_fit_is_refused(
    store: Store, name: str, scopes: list[str], days: float | None, error: type[Exception]
) -> None:
    api_keys.create(store, ADA, "platform", ["read"])
    with pytest.raises(error):
        api_keys.create(store, ADA, name, scopes, days)
    assert len(api_keys.list_keys(store, ADA)) == 1


@pytest.mark.parametrize("actor", [ANN, LEA], ids=["reviewer", "lead"])
def test_only_admins_have_to_do_with_keys(store: Store, actor: Actor) -> None:
    for call in (
        lambda: api_keys.create(store, actor, "x", ["read"]),
        lambda: api_keys.revoke(store, actor, "x"),
        lambda: api_keys.list_keys(store, actor),
    ):
        with pytest.raises(NotAllowed):
            call()


def test_by_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COEFVQ_HOME", str(tmp_path / "home"))
    run = CliRunner().invoke
    made = run(cli, ["key", "create", "platform", "--scope", "submit", "--scope", "read", "--json"])
    key = json.loads(made.stdout)["key"]
    listed = json.loads(run(cli, ["key", "list", "--json"]).stdout)
    assert (listed["name"], listed["scopes"], listed["state"]) == (
        "platform", ["read", "submit"], "active",
    )  # fmt: skip
    assert key.split("_", 2)[2] not in run(cli, ["key", "list"]).output
    assert run(cli, ["key", "revoke", "platform"]).exit_code == 0
    assert "revoked" in run(cli, ["key", "list"]).output
