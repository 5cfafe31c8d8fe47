"""``coefvq figures`` computes and keeps, and prints one object a figure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from coefvq.cli import cli
from coefvq.settings import Settings
from coefvq.store import figures
from coefvq.store.session import open_store


def test_figures_are_computed_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COEFVQ_HOME", str(tmp_path))
    found = CliRunner().invoke(cli, ["figures", "--json"])
    assert found.exit_code == 0, found.output
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    assert {"miss.30", "operating.all", "drift"} <= {each["name"] for each in lines}
    assert "figures in" in found.stderr and "100%" not in found.stdout
    with open_store(Settings(home=tmp_path).url) as store, store.read() as session:
        kept = figures.get(session, "miss.30", "icd")
    assert kept is not None and "No case" in kept[0]["why"]
