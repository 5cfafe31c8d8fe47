"""``coefvq originality``: what is printed, what is kept, and how it ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from coefvq.cli import main
from coefvq.settings import Settings
from coefvq.store import originals
from coefvq.store.session import open_store
from tests import media_factory as make

MATCH_FIELDS = {
    "reference",
    "bank",
    "score",
    "query_start_s",
    "query_end_s",
    "reference_start_s",
    "reference_end_s",
    "transform",
    "speed",
    "by",
}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("COEFVQ_HOME", str(tmp_path / "home"))
    return Settings(home=tmp_path / "home")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: two videos of moving pictures, one deeper, a hidden file and no video."""
    folder = tmp_path_factory.mktemp("clips")
    make.clip(folder / "a.mp4", 3.0, with_audio=True)
    (folder / "deep").mkdir()
    make.clip(folder / "deep" / "b.mp4", 2.0, picture=make.slides)
    make.text(folder / "notes.txt")
    make.text(folder / ".hidden")
    return folder


def run(*args: object) -> int:
    """Run the command line in this process; returns its exit status."""
    with pytest.raises(SystemExit) as ended:
        main([str(arg) for arg in ("originality", *args)])
    return int(ended.value.code or 0)


def lines(capsys: pytest.CaptureFixture[str], *args: object, status: int = 0) -> list[Any]:
    capsys.readouterr()
    assert run(*args, "--json") == status
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_folder_is_added_once_and_bad_files_are_told(
    settings: Settings, clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = lines(capsys, "add", clips, status=1)
    assert [Path(row["path"]).name for row in rows] == ["a.mp4", "notes.txt", "b.mp4"]
    assert [row.get("status") for row in rows] == ["added", None, "added"]
    assert rows[1]["error"]["code"] == "unreadable_media"
    again = lines(capsys, "add", clips, status=1)
    assert [row.get("status") for row in again] == ["known", None, "known"]
    (bank,) = lines(capsys, "banks")
    assert (bank["name"], bank["references"], bank["files"]) == ("originals", 2, 2)


def test_query_answers_in_the_promised_fields(
    settings: Settings, clips: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    copy = shutil.copy(clips / "a.mp4", tmp_path / "copy of a.mp4")
    assert run("add", clips / "a.mp4") == 0
    (row,) = lines(capsys, "query", copy)
    assert row["path"] == str(copy)
    assert row["matches"][0]["reference"] == str(clips / "a.mp4")
    assert set(row["matches"][0]) == MATCH_FIELDS
    assert row["matches"] == sorted(row["matches"], key=lambda match: -match["score"])
    assert run("query", copy) == 0
    said = capsys.readouterr().out
    assert f"of {clips / 'a.mp4'} (originals)" in said and "0:00-0:0" in said


def test_nothing_found_is_an_empty_list(
    settings: Settings, clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = lines(capsys, "query", clips / "a.mp4", clips / "notes.txt", status=1)
    assert rows[0] == {"path": str(clips / "a.mp4"), "matches": []}
    assert rows[1]["error"]["code"] == "unreadable_media"


def test_the_same_file_under_two_names_is_found_once(
    settings: Settings, clips: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    twin = shutil.copy(clips / "a.mp4", tmp_path / "twin.mp4")
    assert [row["status"] for row in lines(capsys, "add", clips / "a.mp4", twin)] == ["added"] * 2
    (row,) = lines(capsys, "query", twin)
    assert len(row["matches"]) == 1


def test_removed_is_gone(
    settings: Settings, clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = clips / "a.mp4"
    assert run("add", reference) == run("add", reference, "--bank", "partner") == 0
    assert run("remove", reference, "--bank", "partner") == 0
    assert "removed from partner" in capsys.readouterr().err
    assert [bank["name"] for bank in lines(capsys, "banks")] == ["originals"]
    assert run("remove", reference) == 0
    assert run("remove", reference) == 2
    assert "Nothing was added to any bank" in capsys.readouterr().err
    assert lines(capsys, "banks") == []
    assert lines(capsys, "query", reference)[0]["matches"] == []


@pytest.mark.parametrize(
    ("args", "says"),
    [
        pytest.param(("add", "x.mp4", "--bank", "library"), "coefvq ingest", id="the library"),
        pytest.param(("add", "x.mp4", "--bank", "a b"), "no name for a bank", id="a bad bank"),
        pytest.param(("add",), "Missing argument", id="no path"),
        pytest.param(("export", "x.csv", "--bank", "b"), "holds nothing", id="nothing to export"),
        pytest.param(("export", "x.txt"), "--bank", id="no bank"),
        pytest.param(("import", "gone.txt", "--bank", "b"), "cannot be read", id="no file"),
        pytest.param(("import", "x.txt", "--bank", "library"), "coefvq ingest", id="import there"),
    ],
)
def test_wrong_use(
    settings: Settings, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], says: str
) -> None:
    assert run(*args) == 2
    assert says in capsys.readouterr().err


def test_names_from_outside_cannot_drive_the_terminal(
    settings: Settings, clips: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    evil = shutil.copy(clips / "a.mp4", folder / "a\x1b[31m\n.mp4")
    shutil.copy(clips / "a.mp4", bytes(folder) + b"/\xff.mp4")
    assert run("add", evil) == run("query", evil) == run("remove", evil) == 0
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    assert [row["status"] for row in lines(capsys, "add", folder)] == ["added", "added"]
    assert {len(row["matches"]) for row in lines(capsys, "query", folder)} == {1}


def hashes(settings: Settings, bank: str) -> list[tuple[str, str, float]]:
    with open_store(settings.url) as store, store.read() as session:
        rows = originals.in_bank(session, bank)
    return [(row.reference, row.sha256, row.duration_s) for row in rows]


def test_hashes_go_out_and_come_in(
    settings: Settings, clips: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run("add", clips / "a.mp4", clips / "deep") == 0
    everything, one = tmp_path / "bank.jsonl", tmp_path / "one.txt"
    assert run("export", everything, "--bank", "originals") == 0
    assert run("export", one, "--bank", "originals") == 2
    assert "--reference" in capsys.readouterr().err
    reference = str(clips / "a.mp4")
    assert run("export", one, "--bank", "originals", "--reference", reference) == 0
    assert len(one.read_text().splitlines()[0].split(",")) == 4
    assert run("export", tmp_path / "x.csv", "--bank", "originals") == 2
    rows = lines(capsys, "import", everything, "--bank", "partner")
    assert [row["status"] for row in rows] == ["added", "added"]
    assert hashes(settings, "partner") == hashes(settings, "originals")
    assert lines(capsys, "import", everything, "--bank", "partner")[0]["status"] == "known"
    assert run("import", one, "--bank", "texts", "--name", "film") == 0
    assert [name for name, _, _ in hashes(settings, "texts")] == ["film"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "bank.jsonl",
        "one.txt",
    ]


def test_bad_lines_are_told_and_the_others_taken(
    settings: Settings, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    good = json.dumps({"name": "<b>film</b>", "vpdq": [f"{'ab' * 32},100,0.0"]})
    nameless = json.dumps([f"{'cd' * 32},90,1"])
    source = tmp_path / "bank.jsonl"
    source.write_text(f"{good}\n\nnot json\n{nameless}\n")
    rows = lines(capsys, "import", source, "--bank", "partner", status=1)
    assert [(row["line"], row.get("status")) for row in rows] == [
        (1, "added"),
        (3, None),
        (4, "added"),
    ]
    assert rows[1]["error"]["code"] == "bad_hashes"
    assert [row["reference"] for row in rows if "reference" in row] == [
        "<b>film</b>",
        "bank.jsonl:4",
    ]
