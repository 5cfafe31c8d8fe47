"""``coefvq taxonomy``: show, export, edit as a file, import, history."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from coefvq import taxonomy
from coefvq.cli import main
from coefvq.taxonomy.read import packaged_document
from tests import taxonomy_factory as make


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COEFVQ_HOME", str(tmp_path / "home"))


def run(*args: object) -> int:
    """Run the command line in this process; returns its exit status."""
    with pytest.raises(SystemExit) as ended:
        main(["taxonomy", *map(str, args)])
    return int(ended.value.code or 0)


@pytest.mark.parametrize("ending", ["yaml", "json"])
def test_it_goes_out_is_edited_and_comes_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    file = tmp_path / f"taxonomy.{ending}"
    assert run("export", file) == 0
    assert yaml.safe_load(file.read_text("utf-8")) == packaged_document()
    made = make.with_policy("gambling")
    text = json.dumps(made) if ending == "json" else yaml.safe_dump(made)
    file.write_text(text, "utf-8")
    assert run("import", file, "--note", "the new law", "--dry-run") == 0
    assert "gambling" not in taxonomy.policies()
    assert run("import", file, "--note", "the new law") == 0
    assert "Policy gambling added to task icd" in capsys.readouterr().err
    taxonomy.install(None)
    assert run("show") == 0
    assert "gambling" in capsys.readouterr().out
    assert "gambling" in taxonomy.policies(), "a process follows the store that it opens"
    assert run("show", "--number", 0, "--json") == 0
    assert json.loads(capsys.readouterr().out) == packaged_document()
    assert run("history", "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["number"], row["note"], row["in_force"]) for row in lines] == [
        (1, "the new law", True),
        (0, "What came with the program.", False),
    ]
    assert lines[0]["changes"] == ["Policy gambling added to task icd: gambling"]
    assert run("history") == 0
    assert "operator\tthe new law" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param("tasks: [", "cannot be read", id="no YAML"),
        pytest.param("hello", "an object is expected", id="a word"),
        pytest.param("tasks: []\nactions: []\n", "1 to 12 tasks", id="empty"),
        pytest.param("!!python/object/apply:os.system ['true']", "cannot be read", id="hostile"),
        pytest.param(yaml.safe_dump(packaged_document()), "Nothing differs", id="the same"),
    ],
)
def test_a_file_that_does_not_do_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, says: str
) -> None:
    file = tmp_path / "taxonomy.yaml"
    file.write_text(content, "utf-8")
    assert run("import", file, "--note", "why") == 2
    assert says in capsys.readouterr().err
    assert run("import", tmp_path / "nothing.yaml", "--note", "why") == 2
    assert taxonomy.version() == taxonomy.packaged().version
