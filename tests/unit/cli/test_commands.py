"""Every command loads, explains itself, and is documented."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click
import pytest

from coefvq.cli import COMMANDS
from coefvq.cli.manifest import Entry, read_manifest
from coefvq.cli.progress import duration
from coefvq.errors import SettingsError

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_explains_itself_and_is_documented(name: str) -> None:
    module, attribute, line = COMMANDS[name]
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command) and command.help and line.endswith(".")
    assert all(option.help or option.name == "port" for option in _options(command))
    assert f"`coefvq {name}`" in OPERATIONS.read_text("utf-8")


def _options(command: click.Command) -> list[click.Option]:
    return [found for found in command.params if isinstance(found, click.Option)]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.4, "59 s"), (75, "1 min 15 s"), (3600, "1 h 0 min"), (7325, "2 h 2 min")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_manifest_names_files_beside_it(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("\ufeffpath,caption\na.mp4,=1+1\n,\n", "utf-8")
    assert read_manifest(table) == [Entry(str(tmp_path / "a.mp4"), None, "=1+1", None)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"file\na.mp4\n", "needs a column 'path'", id="no path"),
        pytest.param(b"path,titel\na,b\n", "Did you mean 'title'", id="misspelt"),
        pytest.param(b"path\n\xff\xfe\n", "UTF-8", id="not text"),
        pytest.param(b"", "needs a column 'path'", id="empty"),
    ],
)
def test_a_bad_manifest_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "list.csv").write_bytes(content)
    with pytest.raises(SettingsError, match=says):
        read_manifest(tmp_path / "list.csv")
