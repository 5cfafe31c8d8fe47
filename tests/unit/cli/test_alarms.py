"""``coefvq alarms`` and ``coefvq report``, as somebody types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from coefvq.cli import cli
from coefvq.errors import NotAllowed, SettingsError, StoreError
from coefvq.settings import Settings
from coefvq.store.session import open_store
from coefvq.store.tables import JobRow
from tests.store_factory import settings_at


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    made = settings_at(tmp_path / "home")
    monkeypatch.setenv("COEFVQ_HOME", str(made.home))
    with open_store(made.url) as store, store.write() as session:
        session.add(JobRow(kind="score", payload={}, state="set_aside", error_code="too_long"))
    return made


def run(*args: str) -> Result:
    return CliRunner().invoke(cli, list(args))


def lines(found: Result) -> list[dict[str, Any]]:
    assert found.exit_code == 0, found.output
    return [json.loads(line) for line in found.stdout.splitlines()]


def test_check_list_acknowledge(settings: Settings) -> None:
    assert "No alarm stands." in run("alarms", "list").stderr
    (alarm,) = lines(run("alarms", "check", "--json"))
    assert (alarm["kind"], alarm["data"]["value"]) == ("set_aside", 1)
    shown = run("alarms", "list").stdout
    assert alarm["id"] in shown and "too long" in shown and "new" in shown
    assert "acknowledged" in run("alarms", "acknowledge", alarm["id"]).stderr
    assert "acknowledged" in run("alarms", "list").stdout
    (kept,) = lines(run("alarms", "list", "--json"))
    assert kept["acknowledged_by"] == "operator"


def test_what_is_over_is_listed_on_request(settings: Settings) -> None:
    run("alarms", "check")
    with open_store(settings.url) as store, store.write() as session:
        session.query(JobRow).update({"state": "done"})
    run("alarms", "check")
    assert lines(run("alarms", "list", "--json")) == []
    assert [each["kind"] for each in lines(run("alarms", "list", "--over", "--json"))] == [
        "set_aside"
    ]


def test_check_says_what_it_cannot_tell(settings: Settings) -> None:
    found = run("alarms", "check")
    assert "drift icd: Not enough data: no routing policy is published" in found.stderr


def test_an_unknown_alarm_is_an_error(settings: Settings) -> None:
    assert isinstance(run("alarms", "acknowledge", "x").exception, StoreError)


def test_a_report_is_written_and_told(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    found = run("report", "--month", "2026-01", "--out", str(file), "--json")
    (figures,) = lines(found)
    assert figures["month"] == "2026-01" and figures["nothing"] and "Wrote" in found.stderr
    assert "Moderation report, January 2026" in file.read_text("utf-8")
    assert [path.name for path in tmp_path.glob("*.part")] == []


@pytest.mark.parametrize(
    ("args", "says"),
    [
        pytest.param(["--month", "2026-13", "--json"], "no month", id="no month"),
        pytest.param(["--month", "2026-01"], "Nothing to do", id="nowhere to write"),
        pytest.param(["--month", "2026-01", "--out", "/none/x.html"], "no folder", id="no folder"),
    ],
)
def test_what_cannot_be_reported_says_why(settings: Settings, args: list[str], says: str) -> None:
    found = run("report", *args).exception
    assert isinstance(found, SettingsError) and says in str(found)
    assert not isinstance(found, NotAllowed)
