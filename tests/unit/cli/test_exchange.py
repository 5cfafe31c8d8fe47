"""``coefvq export`` and ``coefvq import``: options, exit statuses, what is printed where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from coefvq.cli import cli
from coefvq.cli.export import NAMES
from coefvq.export.formats import FORMATS
from coefvq.settings import Settings
from coefvq.store.session import open_store
from tests.store_factory import scored
from tests.unit.export.library import HATE, KEEP, rows_of, submit


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COEFVQ_HOME", str(tmp_path / "home"))
    settings = Settings()
    with open_store(settings.url) as store:
        submit(store, settings, scored(store, settings, b"1", title="one")["icd"], HATE)
        submit(store, settings, scored(store, settings, b"2", title="two")["ucc"], KEEP)
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(each) for each in arguments])


def test_all_formats_are_offered() -> None:
    assert tuple(FORMATS) == NAMES


def test_filters_reach_the_export(home: Path) -> None:
    done = run("export", "--format", "csv", "--out", home / "out", "--task", "icd", "--policy",
               "violence", "--policy", "sexual", "--role", "reviewer", "--since", "2026-01-01",
               "--until", "2999-01-01")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert done.stdout == "" and "1 decisions (0 corrections) on 1 videos, 2 rows" in done.stderr
    assert {row["policy"] for row in rows_of(home / "out" / "corrections.csv")} == {
        "violence", "sexual",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(("--format", "ms-swfit"), "Did you mean 'ms-swift'", id="format"),
        pytest.param(("--format", "csv", "--task", "icx"), "Did you mean 'icd'", id="task"),
        pytest.param(("--format", "csv", "--since", "soon"), "no day", id="day"),
        pytest.param(("--format", "csv", "--snapshot", "9"), "no snapshot 9", id="snapshot"),
        pytest.param(("--format", "csv", "--media", "mvoe"), "way to hold videos", id="media"),
    ],
)
def test_wrong_use(home: Path, options: tuple[str, ...], says: str) -> None:
    done = run("export", *options, "--out", home / "out")
    assert done.exit_code != 0 and says in str(done.exception)


def test_an_import_prints_what_came_of_it(home: Path) -> None:
    run("export", "--format", "csv", "--out", home / "out")
    table = home / "out" / "corrections.csv"
    done = run("import", "--format", "csv", table)
    assert done.exit_code == 0 and "0 decisions taken in, 2 known already" in done.stderr
    table.write_text(table.read_text() + "zz,,,,icd,violence,ok\n")
    done = run("import", "--format", "csv", table, "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["known"] == 2 and told["lines"] == [{"line": 11, "why": "There is no video zz."}]
    done = run("import", "--format", "csv", table)
    assert done.exit_code == 1 and "line 11: There is no video zz." in done.stderr


@pytest.mark.parametrize("name", ["label-studio", "csv"])
def test_a_file_that_is_not_there(home: Path, name: str) -> None:
    done = run("import", "--format", name, home / "none")
    assert done.exit_code != 0 and "No such file" in str(done.exception)
