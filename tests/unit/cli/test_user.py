"""``coefvq user`` and the names in ``coefvq export``, from the command line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from coefvq.cli import cli
from coefvq.review import decide, queue, sign_in, users
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store.session import open_store
from tests.browser import free_port
from tests.people_fixtures import PASSWORD, quick_hashes
from tests.store_factory import ANN, scored

__all__ = ["quick_hashes"]
pytestmark = pytest.mark.usefixtures("quick_hashes")
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on a data folder of the test's own."""
    monkeypatch.setenv("COEFVQ_HOME", str(tmp_path / "home"))

    def call(*args: str, text: str | None = None) -> Result:
        return CliRunner().invoke(cli, args, input=text)

    return call


def add(run: Run, name: str, *more: str) -> Result:
    return run("user", "add", name, *more, "--password-stdin", text=PASSWORD + "\n")


def test_the_first_user_means_that_everyone_signs_in(run: Run) -> None:
    first, second = add(run, "mara", "--role", "admin"), add(run, "ann")
    assert first.exit_code == second.exit_code == 0, first.output
    assert "Added mara (admin)" in first.stderr and "Everyone signs in" in first.stderr
    assert "Added ann (reviewer)" in second.stderr and "Everyone" not in second.stderr


def test_the_list_as_json_holds_no_secret(run: Run) -> None:
    add(run, "ann", "--role", "reviewer", "--role", "uploader", "--queue", "q1")
    found = run("user", "list", "--json")
    person = json.loads(found.stdout)
    assert person["roles"] == ["uploader", "reviewer"]
    assert (person["queues"], person["disabled"]) == (["q1"], False)
    assert "argon2" not in found.output and PASSWORD not in found.output


@pytest.mark.parametrize(
    ("before", "word"), [([], "active"), ([("disable", "ann")], "disabled"),
                         ([("disable", "ann"), ("enable", "ann")], "active")],
)  # fmt: skip
def test_the_list_for_people(run: Run, before: list[tuple[str, ...]], word: str) -> None:
    add(run, "ann")
    for command in before:
        assert run("user", *command).exit_code == 0
    (line,) = run("user", "list").stdout.splitlines()
    assert line.split()[:3] == ["ann", "reviewer", word]
    assert line.endswith("all queues; never seen")


def test_an_empty_list_says_what_to_do(run: Run) -> None:
    found = run("user", "list")
    assert (found.exit_code, found.stdout) == (0, "")
    assert "coefvq user add" in found.stderr
    assert run("user", "list", "--json").output == ""


def test_a_new_password_counts(run: Run, tmp_path: Path) -> None:
    add(run, "ann")
    made = run("user", "password", "ann", "--password-stdin", text="another password\n")
    assert made.exit_code == 0, made.output
    settings = Settings(home=tmp_path / "home")
    with open_store(settings.url) as store:
        assert sign_in.sign_in(store, settings, "ann", "another password")


@pytest.mark.parametrize(
    ("args", "text", "says"),
    [
        pytest.param(("add", "a b"), PASSWORD, "does not fit", id="name"),
        pytest.param(("add", "bob"), "short", "10 to 1024", id="short"),
        pytest.param(("add", "bob"), "", "10 to 1024", id="nothing on stdin"),
        pytest.param(("add", "bob", "--role", "amdin"), PASSWORD, "mean 'admin'", id="role"),
        pytest.param(("add", "Ann"), PASSWORD, "a user ann already", id="taken"),
        pytest.param(("password", "amn"), PASSWORD, "mean 'ann'", id="unknown"),
    ],
)
def test_what_does_not_fit_is_said(run: Run, args: tuple[str, ...], text: str, says: str) -> None:
    add(run, "ann")
    refused = run("user", *args, "--password-stdin", text=text)
    assert refused.exit_code != 0 and says in str(refused.exception)


def test_without_a_terminal_no_password_is_asked_for(run: Run) -> None:
    refused = run("user", "add", "ann", text=PASSWORD)
    assert refused.exit_code != 0 and "--password-stdin" in str(refused.exception)


def test_the_last_admin_cannot_be_disabled(run: Run) -> None:
    add(run, "mara", "--role", "admin")
    refused = run("user", "disable", "mara")
    assert refused.exit_code != 0 and "only admin" in str(refused.exception)


def test_serving_beyond_loopback_needs_a_user_first(run: Run) -> None:
    refused = run("serve", "--host", "0.0.0.0", "--port", str(free_port()))
    assert refused.exit_code != 0
    assert "coefvq user add NAME --role admin" in str(refused.exception)


@pytest.mark.parametrize("names", [False, True], ids=["pseudonyms", "names"])
def test_an_export_holds_pseudonyms_unless_asked(run: Run, tmp_path: Path, names: bool) -> None:
    settings = Settings(home=tmp_path / "home")
    with open_store(settings.url) as store:
        case = scored(store, settings)["icd"]
        lease = queue.open_case(store, settings, ANN, case).lease
        assert lease is not None and lease.token is not None
        decide.submit(store, settings, ANN, case, lease.token, DecisionForm({}, "keep"))
    flags = ["--names"] if names else []
    done = run("export", "--format", "csv", "--out", str(tmp_path / "out"), *flags)
    assert done.exit_code == 0, done.output
    with (tmp_path / "out" / "corrections.csv").open(newline="") as file:
        found = {row["reviewer"] for row in csv.DictReader(file)}
    assert (found == {"ann"}) is names
    assert ("real names" in done.stderr) is names
    assert (settings.home / "pseudonym.key").exists() is not names


def test_users_are_not_there_before_the_first(run: Run, tmp_path: Path) -> None:
    run("user", "list")
    with open_store(Settings(home=tmp_path / "home").url) as store:
        assert not users.any_user(store)
