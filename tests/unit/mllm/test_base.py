from __future__ import annotations

from pathlib import Path

import pytest

from coefvq.errors import ModelError
from coefvq.mllm import base


def test_missing_wheel_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "PACKAGE", "coefvq_no_such_wheel")
    with pytest.raises(ModelError, match="make setup"):
        base.gguf_path()


def test_hash_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert base.base_hash(tmp_path / "x").startswith("ba7816bf")


@pytest.fixture
def converted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """Replace the slow conversion with one that writes one small file."""
    calls: list[Path] = []
    source = tmp_path / "weights.gguf"
    source.write_bytes(b"gguf")

    def convert(_: Path, folder: Path) -> None:
        calls.append(folder)
        (folder / "model.safetensors").write_bytes(b"x")

    monkeypatch.setattr(base, "gguf_path", lambda: source)
    monkeypatch.setattr(base, "_convert", convert)
    return calls


def test_conversion_happens_once(converted: list[Path], tmp_path: Path) -> None:
    first = base.ensure_base(tmp_path / "cache")
    second = base.ensure_base(tmp_path / "cache")
    assert first == second and len(converted) == 1
    assert (first / "model.safetensors").is_file()
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_two_processes_at_once_both_succeed(
    converted: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = base._convert

    def slow(source: Path, folder: Path) -> None:
        inner(source, folder)
        if len(converted) == 1:
            base.ensure_base(tmp_path / "cache")  # the other process finishes first

    monkeypatch.setattr(base, "_convert", slow)
    target = base.ensure_base(tmp_path / "cache")
    assert len(converted) == 2 and (target / base.READY).is_file()
    assert len(list(target.parent.iterdir())) == 1


def test_a_failed_conversion_leaves_nothing_behind(
    converted: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(base, "_convert", full)
    with pytest.raises(ModelError, match="No space left"):
        base.ensure_base(tmp_path / "cache")
    assert not list((tmp_path / "cache" / "models").iterdir())


def test_a_cache_that_cannot_be_made_is_named(converted: list[Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match="COEFVQ_HOME"):
        base.ensure_base(tmp_path / "file")
