"""``coefvq queue``: queues are set up, changed, listed and taken away without a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coefvq.cli import main


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COEFVQ_HOME", str(tmp_path / "home"))


def run(*args: str) -> int:
    """Run the command line in this process; returns its exit status."""
    with pytest.raises(SystemExit) as ended:
        main(["queue", *args])
    return int(ended.value.code or 0)


def listed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    capsys.readouterr()
    assert run("list", "--json") == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_queue_is_added_changed_and_removed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    assert "all cases wait together" in capsys.readouterr().err
    add = ["add", "Hate first", "--task", "icd", "--policy", "hate_harassment"]
    assert run(*add, "--promised-hours", "2", "--restricted") == 0
    assert run("add", "Audits", "--rule", "audit") == 0
    first, second = listed(capsys)
    assert (first["id"], first["task"], first["policies"]) == (
        "hate-first",
        "icd",
        ["hate_harassment"],
    )
    assert (first["promised_age_s"], first["restricted"]) == (7200.0, True)
    assert (second["rules"], second["restricted"]) == (["audit"], False)
    assert run("change", "hate-first", "--open", "--promised-hours", "1") == 0
    changed = listed(capsys)[0]
    assert (changed["restricted"], changed["promised_age_s"]) == (False, 3600.0)
    assert changed["policies"] == ["hate_harassment"]
    assert run("remove", "hate-first") == 0
    assert [one["id"] for one in listed(capsys)] == ["audits"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["add", "x", "--policy", "nothing"], "nothing"),
        (["add", "x", "--rule", "no_such"], "no_such"),
        (["add", "x", "--promised-hours", "0"], "0"),
        (["add", "x", "--task", "abc"], "abc"),
        (["add", " "], "name"),
        (["change", "missing", "--open"], "missing"),
        (["remove", "missing"], "missing"),
    ],
)
def test_what_does_not_fit_is_refused(
    args: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*args) in (1, 2)
    assert words in capsys.readouterr().err
