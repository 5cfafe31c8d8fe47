from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from coefvq.errors import ModelError
from coefvq.prefilter.weights import DESCRIPTION, SHIPPED, TENSORS, Trained, load, save
from coefvq.routing.calibration import Calibrator
from tests.unit.prefilter.conftest import make_trained


def test_what_is_saved_comes_back(trained: Trained, tmp_path: Path) -> None:
    version = save(trained, tmp_path / "new" / "folder")
    again, read = load(tmp_path / "new" / "folder")
    assert read == version
    for name, value in trained.net.state_dict().items():
        assert torch.allclose(again.net.state_dict()[name], value, atol=2e-3), name
    assert again.calibration == trained.calibration
    assert again.tasks == trained.tasks
    assert again.without_text == trained.without_text
    assert again.facts == trained.facts


def test_only_two_files_and_no_pickle(trained: Trained, tmp_path: Path) -> None:
    save(trained, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [DESCRIPTION, TENSORS]


def test_the_version_names_weights_and_calibration(trained: Trained, tmp_path: Path) -> None:
    first = save(trained, tmp_path / "a")
    assert save(make_trained(), tmp_path / "b") == first
    trained.calibration["violence"] = Calibrator("platt", 2.0, 0.0)
    second = save(trained, tmp_path / "c")
    assert second != first
    with torch.no_grad():
        trained.net.picture_bias[0] += 1
    assert save(trained, tmp_path / "d") != second


@pytest.mark.parametrize("broken", [DESCRIPTION, TENSORS])
@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_broken_weights_say_what_to_do(
    trained: Trained, tmp_path: Path, broken: str, how: str
) -> None:
    save(trained, tmp_path)
    if how == "missing":
        (tmp_path / broken).unlink()
    else:
        (tmp_path / broken).write_bytes(b"{not it")
    with pytest.raises(ModelError, match="coefvq train prefilter"):
        load(tmp_path)


def test_another_format_is_refused(trained: Trained, tmp_path: Path) -> None:
    save(trained, tmp_path)
    body = json.loads((tmp_path / DESCRIPTION).read_text())
    (tmp_path / DESCRIPTION).write_text(json.dumps(body | {"format": 99}))
    with pytest.raises(ModelError, match="format 99"):
        load(tmp_path)


def test_shipped_weights_are_small_and_say_where_they_come_from() -> None:
    files = list(SHIPPED.iterdir())
    assert sum(path.stat().st_size for path in files) <= 5 * 1024**2
    body = json.loads((SHIPPED / DESCRIPTION).read_text())
    assert set(body["facts"]["data"]) == {"text", "clips", "fights"}
    assert body["facts"]["figures"]["violence"]["n"] == 180
