"""``coefvq dataset``: make, list, show, card, next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coefvq.cli import main
from coefvq.settings import Settings
from coefvq.store.session import open_store
from tests.unit.review.quality import HATE, answer, scored


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A data folder with a decided case, and one that is not."""
    monkeypatch.setenv("COEFVQ_HOME", str(tmp_path / "home"))
    made = Settings(home=tmp_path / "home")
    with open_store(made.url) as store:
        answer(store, made, scored(store, made, b"one", title="a\x1b[31mclip")["icd"], HATE)
        scored(store, made, b"two", title="b\x1b[31mclip")
    return made


def run(*args: str) -> int:
    """Run the command line in this process; returns its exit status."""
    with pytest.raises(SystemExit) as ended:
        main(["dataset", *args])
    return int(ended.value.code or 0)


def test_a_snapshot(capsys: pytest.CaptureFixture[str], settings: Settings) -> None:
    assert run("list") == 0
    assert "No snapshots yet" in capsys.readouterr().err
    assert run("make", "--note", "first", "--json") == 0
    said = capsys.readouterr()
    made = json.loads(said.out)
    assert (made["number"], made["videos"], made["labels"], made["note"]) == (1, 1, 5, "first")
    assert made["made_by"] == "operator"
    assert str(settings.datasets_dir / made["id"]) in said.err
    assert run("make") == 0  # the same one
    assert run("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == lines[1] and lines[0].startswith(f"1\t{made['id'][:12]}\t")
    assert run("show", made["id"][:6]) == 0
    shown = capsys.readouterr()
    assert '"disputed": 0' in shown.out and "1 videos, as they were written" in shown.err
    assert run("card", "1") == 0
    assert capsys.readouterr().out.startswith("# Labelled videos ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["show", "7"], "There is no snapshot 7", id="no such snapshot"),
        pytest.param(["make", "--task", "idc"], "Did you mean 'icd'", id="unknown task"),
        pytest.param(["make", "--since", "soon"], "is no time", id="no time"),
        pytest.param(["make", "--role", "lead"], "No decision fits", id="nothing fits"),
        pytest.param(
            ["make", "--since", "2026-02-01", "--until", "2026-01-01"], "Nothing lies", id="order"
        ),
        pytest.param(["next", "--task", "icd", "--n", "0"], "between 1 and", id="none wanted"),
    ],
)
def test_what_is_refused(
    capsys: pytest.CaptureFixture[str], settings: Settings, arguments: list[str], says: str
) -> None:
    assert run(*arguments) == 2
    assert says in capsys.readouterr().err


def test_next(capsys: pytest.CaptureFixture[str], settings: Settings) -> None:
    assert run("next", "--task", "icd") == 0
    said = capsys.readouterr()
    assert "waits" in said.out and "\x1b" not in said.out
    assert "1 of 1 cases of icd without a decision; 1 are decided." in said.err
    assert run("next", "--task", "icd", "--queue", "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["waiting"] is True
    assert "1 were sent" in said.err
