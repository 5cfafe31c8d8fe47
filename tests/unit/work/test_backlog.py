"""A backlog becomes Parquet, goes on where it was stopped, and sets aside what fails."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from coefvq.cli import cli
from coefvq.errors import SettingsError
from coefvq.work.backlog.items import BacklogItem, read_backlog
from coefvq.work.backlog.output import Output
from tests.media_factory import clip

CODES = ("icd", "ucc")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three videos, one file that is none, one that no backlog takes."""
    monkeypatch.setenv("COEFVQ_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COEFVQ_ENTROPY_THRESHOLD", "1.0")  # the second stage is tested elsewhere
    made = tmp_path / "in"
    (made / "deep").mkdir(parents=True)
    for number, place in enumerate(("a.mp4", "b.mp4", "deep/c.mp4")):
        clip(made / place, seconds=1.0 + number)
    (made / "broken.mp4").write_bytes(b"no video")
    (made / "notes.txt").write_text("not a video")
    return made


def run(*args: object) -> tuple[int, dict[str, int]]:
    done = CliRunner().invoke(cli, ["batch", *map(str, args), "--json"], catch_exceptions=False)
    return done.exit_code, json.loads(done.stdout) if done.stdout else {}


def rows_of(out: Path, kind: str) -> list[dict[str, object]]:
    return [row for part in sorted((out / kind).glob("*.parquet"))
            for row in pq.read_table(part).to_pylist()]  # fmt: skip


def test_a_folder_to_parquet_and_again(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(folder, out) == (1, {"scored": 3, "failed": 1, "before": 0})
    scores, errors = rows_of(out, "scores"), rows_of(out, "errors")
    assert len(scores) == 6 and {row["task"] for row in scores} == set(CODES)
    first = next(row for row in scores if row["task"] == "icd")
    assert first["verdict"] in {"ok", "violation", "needs_human"}
    assert first["policies.violence.covered"] in {True, False}
    assert isinstance(first["cost.media_ms"], float) and len(str(first["sha256"])) == 64
    assert [(Path(str(row["path"])).name, row["code"]) for row in errors] == [
        ("broken.mp4", "unreadable_media")
    ]
    assert run(folder, out) == (0, {"scored": 0, "failed": 0, "before": 4})
    assert run(folder, out, "--retry-failed") == (1, {"scored": 0, "failed": 1, "before": 3})
    assert len(rows_of(out, "scores")) == 6 and len(rows_of(out, "errors")) == 1
    status = json.loads(CliRunner().invoke(cli, ["status", "--json"]).stdout)
    assert status["videos"] == 0  # kept beside the library, opens no case


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_gives_ids_and_texts(folder: Path, tmp_path: Path, suffix: str) -> None:
    import pyarrow as pa

    rows = [
        {"path": "in/a.mp4", "video_id": "v1", "title": "one, =1+1", "caption": ""},
        {"path": "in/b.mp4", "video_id": "v2", "title": "", "caption": "wait for the end"},
    ]
    table = tmp_path / f"list.{suffix}"
    if suffix == "csv":
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        pq.write_table(pa.Table.from_pylist(rows), table)
    found = read_backlog(table)
    assert [(item.key, item.title, item.caption) for item in found] == [
        ("v1", "one, =1+1", None), ("v2", None, "wait for the end"),
    ]  # fmt: skip
    assert run(table, tmp_path / "out", "--no-store")[1]["scored"] == 2
    assert {row["key"] for row in rows_of(tmp_path / "out", "scores")} == {"v1", "v2"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("title\nx\n", "needs a column 'path'", id="no path"),
        pytest.param("path,titel\na,b\n", "Did you mean 'title'", id="misspelt"),
        pytest.param("path\n", "names no file", id="empty"),
        pytest.param("path\na\na\n", "more than once", id="twice"),
        pytest.param("path,video_id\na,1\nb,1\n", "more than once", id="one id twice"),
        pytest.param(b"path\n\xff\xfe\n", "not a CSV file", id="no text"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path: Path, text: str | bytes, said: str) -> None:
    table = tmp_path / "list.csv"
    table.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError, match=said):
        read_backlog(table)


def test_another_backlog_is_refused_its_output(tmp_path: Path) -> None:
    Output(tmp_path / "out", [BacklogItem("a")])
    Output(tmp_path / "out", [BacklogItem("a")])
    with pytest.raises(SettingsError, match="another backlog"):
        Output(tmp_path / "out", [BacklogItem("b")])


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out" / "scores").mkdir(parents=True)
    (tmp_path / "out" / "scores" / "mine.parquet").write_bytes(b"")
    with pytest.raises(SettingsError, match="not empty"):
        Output(tmp_path / "out", [BacklogItem("a")])


def test_a_killed_run_goes_on(folder: Path, tmp_path: Path) -> None:
    """Killed after a part, it scores the rest and nothing twice."""
    out = tmp_path / "out"
    code = (
        "from coefvq.work.backlog import local; local.PART = 1\n"
        "from coefvq.cli import main; import sys; main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", code, "batch", str(folder), str(out)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(out.glob("scores/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (out / "scores" / ".part-1-x").write_bytes(b"half")
    before = {str(row["key"]) for row in rows_of(out, "scores")}
    assert before
    _, found = run(folder, out)
    assert found["before"] >= len(before)
    scores = rows_of(out, "scores")
    assert len(scores) == 6 and len({(row["key"], row["task"]) for row in scores}) == 6
    assert not list(out.glob("scores/.part-*"))
