"""What is not safetensors and JSON, whole and of a sane size, is refused by name."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from coefvq.domain import Stage
from coefvq.errors import ModelError
from coefvq.learning import model_files
from coefvq.learning.model_files import check_folder, not_finite
from coefvq.learning.shipped_models import FOLDERS, shipped_covers, shipped_version, version_in
from coefvq.mllm.fused.shipped import read_shipped
from coefvq.prefilter.weights import load


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small model that is sound."""
    save_file({"a": np.ones((3, 2), np.float16), "b": np.zeros(4, np.float32)},
              tmp_path / "model.safetensors")  # fmt: skip
    (tmp_path / "model.json").write_text('{"version": "x"}')
    return tmp_path


def tensors(folder: Path, change: Callable[[bytes], bytes]) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(change(path.read_bytes()))


def header(folder: Path, change: Callable[[dict], object]) -> None:
    def rewrite(raw: bytes) -> bytes:
        size = struct.unpack("<Q", raw[:8])[0]
        found = json.loads(raw[8 : 8 + size])
        change(found)
        text = json.dumps(found).encode()
        return struct.pack("<Q", len(text)) + text + raw[8 + size :]

    tensors(folder, rewrite)


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "a pickle inside": (lambda f: tensors(f, lambda _: pickle.dumps([1.0] * 40)),
                        "model.safetensors is a Python pickle"),
    "a zip inside": (lambda f: tensors(f, lambda _: b"PK\x03\x04" + bytes(200)), "is a zip file"),
    "cut off": (lambda f: tensors(f, lambda raw: raw[:-3]), "cut off: 3 bytes"),
    "cut in the header": (lambda f: tensors(f, lambda raw: raw[:30]), "not safetensors"),
    "empty": (lambda f: tensors(f, lambda _: b""), "model.safetensors is cut off"),
    "more behind": (lambda f: tensors(f, lambda raw: raw + b"more"), "bytes behind its tensors"),
    "huge header": (lambda f: tensors(f, lambda raw: struct.pack("<Q", 2**62) + raw[8:]),
                    "not safetensors"),
    "overlap": (lambda f: header(f, lambda h: h["a"].update(data_offsets=[0, 12])),
                "does not fit its place"),
    "wrong shape": (lambda f: header(f, lambda h: h["b"].update(shape=[5])), "does not fit"),
    "negative shape": (lambda f: header(f, lambda h: h["b"].update(shape=[-2, -2])), "no numbers"),
    "odd kind": (lambda f: header(f, lambda h: h["b"].update(dtype="OBJECT")), "misshapen"),
    "no tensor": (lambda f: header(f, lambda h: h.clear()), "no tensor"),
    "a .pt beside it": (lambda f: (f / "weights.pt").write_bytes(b"PK\x03\x04"),
                        "weights.pt is a zip file"),
    "a .pkl beside it": (lambda f: (f / "x.pkl").write_bytes(pickle.dumps(1)), "x.pkl is a Python"),
    "a program beside it": (lambda f: (f / "run.py").write_text("1"), "run.py is no file of a"),
    "a hidden name": (lambda f: (f / "..json").write_text("{}"), "no file of a model"),
    "a folder inside": (lambda f: (f / "more.json").mkdir(), "more.json is no plain file"),
    "a link": (lambda f: (f / "link.json").symlink_to("/etc/passwd"), "link.json is no plain"),
    "JSON that is none": (lambda f: (f / "model.json").write_text("{"), "model.json is not read"),
    "a list": (lambda f: (f / "model.json").write_text("[1]"), "holds no JSON object"),
    "NaN in JSON": (lambda f: (f / "model.json").write_text('{"a": NaN}'), "NaN is no number"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "no .safetensors file"),
    "only a .bin": (lambda f: (f / "model.safetensors").rename(f / "model.bin"),
                    "no .safetensors file"),
    "gone": (shutil.rmtree, "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_refused_by_name(
    folder: Path, spoil: Callable[[Path], object], reason: str
) -> None:
    assert len(check_folder(folder)) == 2
    spoil(folder)
    with pytest.raises(ModelError, match=reason.replace(".", r"\.")):
        check_folder(folder)


def test_a_file_that_is_too_large_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "LARGEST_TENSORS", 100)
    with pytest.raises(ModelError, match="MB are the most"):
        check_folder(folder)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_found(folder: Path, kind: type, value: float) -> None:
    assert not_finite(folder) == []
    save_file({"fine": np.ones(3, kind), "bad": np.array([1, value], kind)},
              folder / "model.safetensors")  # fmt: skip
    assert not_finite(folder) == ["model.safetensors/bad"]


def test_the_shipped_models_are_sound_and_named_without_loading_them() -> None:
    trained, version = load()
    assert shipped_version(Stage.PREFILTER) == version
    assert shipped_covers(Stage.PREFILTER) == frozenset(trained.covers)
    assert shipped_version(Stage.MLLM) == read_shipped().version
    for stage in Stage:
        assert check_folder(FOLDERS[stage]) and not not_finite(FOLDERS[stage])
        assert version_in(stage, FOLDERS[stage]) == shipped_version(stage)
