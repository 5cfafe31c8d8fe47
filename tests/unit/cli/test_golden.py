"""``coefvq golden``, ``coefvq appeal`` and ``coefvq hold``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coefvq.cli import main
from coefvq.settings import Settings
from coefvq.store import cases
from coefvq.store.session import open_store
from tests.unit.review.quality import HATE, answer, scored


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("COEFVQ_HOME", str(tmp_path / "home"))
    return Settings(home=tmp_path / "home")


@pytest.fixture
def case_id(settings: Settings) -> str:
    """A case that Ann decided: hate."""
    with open_store(settings.url) as store:
        made = scored(store, settings, title="a\x1b[31mclip")["icd"]
        answer(store, settings, made, HATE)
    return made


def run(*args: str) -> int:
    """Run the command line in this process; returns its exit status."""
    with pytest.raises(SystemExit) as ended:
        main([*args])
    return int(ended.value.code or 0)


def lines(capsys: pytest.CaptureFixture[str], *args: str) -> list[dict[str, object]]:
    capsys.readouterr()
    assert run(*args, "--json") == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_golden(capsys: pytest.CaptureFixture[str], case_id: str) -> None:
    assert run("golden", "list") == 0
    assert "No golden cases yet" in capsys.readouterr().err
    assert run("golden", "add", case_id, "--note", "classic") == 0
    said = capsys.readouterr().out
    assert "hate_harassment" in said and "\x1b" not in said
    (one,) = lines(capsys, "golden", "list", "--task", "icd")
    assert (one["case_id"], one["note"], one["added_by"]) == (case_id, "classic", "operator")
    assert run("golden", "retire", str(one["id"])) == 0
    assert lines(capsys, "golden", "list") == []
    added = lines(capsys, "golden", "add", case_id, "--violation", "violence", "--range", "1", "2")
    assert (added[0]["start_s"], added[0]["end_s"]) == (1.0, 2.0)
    assert len(lines(capsys, "golden", "list", "--retired")) == 2


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--violation", "violense"], "violence"),
        (["--ok", "--violation", "violence"], "not both"),
        (["--range", "1", "2"], "--violation"),
        (["--violation", "violence", "--range", "2", "1"], "inside the video"),
    ],
)
def test_what_does_not_fit(
    capsys: pytest.CaptureFixture[str], case_id: str, args: list[str], says: str
) -> None:
    assert run("golden", "add", case_id, *args) == 2
    assert says in capsys.readouterr().err


def test_appeals(capsys: pytest.CaptureFixture[str], case_id: str) -> None:
    assert run("appeal", "file", case_id, "why?\x1b[2J") == 0
    first = capsys.readouterr().out.strip()
    assert run("appeal", "list") == 0
    assert "\x1b" not in capsys.readouterr().out
    assert run("appeal", "uphold", first, "--reason", "so") == 0
    assert lines(capsys, "appeal", "list") == []
    assert run("appeal", "file", case_id, "still") == 0
    second = capsys.readouterr().out.strip()
    assert run("appeal", "overturn", second, "--reason", "a quotation") == 0
    states = [one["state"] for one in lines(capsys, "appeal", "list", "--all")]
    assert states == ["upheld", "overturned"]
    assert run("appeal", "uphold", "a0", "--reason", "so") == 2


def test_holds(capsys: pytest.CaptureFixture[str], settings: Settings, case_id: str) -> None:
    with open_store(settings.url) as store, store.read() as session:
        video = cases.get(session, case_id).video_id
    assert run("hold", "place", video, "--reason", "court order") == 0
    hold = capsys.readouterr().out.strip()
    (one,) = lines(capsys, "hold", "list")
    assert (one["id"], one["video_id"], one["reason"]) == (hold, video, "court order")
    assert run("hold", "release", hold, "--reason", "over") == 0
    assert lines(capsys, "hold", "list") == []
    assert len(lines(capsys, "hold", "list", "--released")) == 1
    assert run("hold", "place", "v0", "--reason", "so") == 2
