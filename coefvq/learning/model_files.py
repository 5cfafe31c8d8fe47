"""Checks of a model's files before anything loads them: safetensors and JSON, nothing else.

Nothing here imports torch: a header is read as the eight bytes and the JSON that it is.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coefvq.errors import ModelError

LARGEST_TENSORS = 64 * 1024 * 1024
"""Bytes of a safetensors file: ours have at most 20 MB."""
LARGEST_JSON = 8 * 1024 * 1024
MOST_FILES = 16
_LARGEST_HEADER = 4 * 1024 * 1024
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,79}\.(safetensors|json)")
_SIZES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "I32": 4,
    "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}  # fmt: skip
_FOREIGN = {
    b"\x80": "a Python pickle",
    b"PK\x03\x04": "a zip file, as PyTorch writes",
    b"\x7fELF": "a program",
    b"\x89HDF": "an HDF5 file",
    b"GGUF": "a GGUF file",
}


def check_folder(folder: Path) -> dict[str, str]:
    """Check every file of a model.

    Returns:
        SHA-256 by file name, in their order.

    Raises:
        ModelError: A file is missing, of another kind, too large, cut off or misshapen; by name.
    """
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise ModelError(f"The model's folder {folder} cannot be read: {error.strerror}.") from None
    if not any(name.endswith(".safetensors") for name in names):
        raise ModelError(f"{folder} holds no .safetensors file{_instead(folder, names)}.")
    if len(names) > MOST_FILES:
        raise ModelError(f"{folder} holds {len(names)} files; a model has at most {MOST_FILES}.")
    for name in names:
        check_file(folder / name)
    return {name: file_hash(folder / name) for name in names}


def check_file(path: Path) -> None:
    """Check one file of a model.

    Raises:
        ModelError: It is not what its name says, and why.
    """
    if path.is_symlink() or not path.is_file():
        raise ModelError(f"{path.name} is no plain file. A model is safetensors and JSON files.")
    if _NAME.fullmatch(path.name) is None:
        kind = _foreign(path)
        raise ModelError(
            f"{path.name[:80]} is {kind or 'no file of a model'}: a model is .safetensors and "
            ".json files only."
        )
    limit = LARGEST_JSON if path.suffix == ".json" else LARGEST_TENSORS
    size = path.stat().st_size
    if size > limit:
        raise ModelError(
            f"{path.name} has {size / 1e6:,.1f} MB; {limit / 1e6:,.0f} MB are the most."
        )
    if path.suffix == ".json":
        read_json(path)
    else:
        read_header(path)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ModelError: It is none.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path.name} is not readable as JSON: {str(error)[:120]}.") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path.name} holds no JSON object.")
    return found


def read_header(path: Path) -> dict[str, Any]:
    """The header of a safetensors file, by tensor, every size checked against the file's.

    Raises:
        ModelError: It is another kind of file, cut off or misshapen.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else -1
        if not 2 <= length <= min(_LARGEST_HEADER, size - 8):
            kind = _foreign(path) or ("cut off" if size < 10 else "no safetensors file")
            raise ModelError(f"{path.name} is {kind}, not safetensors. Nothing loads it.")
        raw = file.read(length)
    try:
        header = json.loads(raw)
        tensors = {name: part for name, part in header.items() if name != "__metadata__"}
        ends = _ends(tensors)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path.name} has a misshapen safetensors header: {error}.") from error
    if ends > size - 8 - length:
        missing = ends - (size - 8 - length)
        raise ModelError(f"{path.name} is cut off: {missing:,} bytes of its tensors are missing.")
    if ends < size - 8 - length:
        raise ModelError(f"{path.name} has bytes behind its tensors that nothing accounts for.")
    return tensors


def _ends(tensors: Mapping[str, Any]) -> int:
    """Where the last tensor ends; they must lie one behind the other without gaps."""
    at = 0
    for name, part in sorted(tensors.items(), key=lambda pair: pair[1]["data_offsets"]):
        begin, end = part["data_offsets"]
        if any(not isinstance(n, int) or n < 0 for n in (*part["shape"], begin, end)):
            raise ValueError(f"tensor {name[:60]} has sizes that are no numbers")
        if begin != at or end - begin != _SIZES[part["dtype"]] * math.prod(part["shape"]):
            raise ValueError(f"tensor {name[:60]} does not fit its place")
        at = end
    if not tensors:
        raise ValueError("it holds no tensor")
    return at


def not_finite(folder: Path) -> list[str]:
    """Tensors that hold NaN or infinity, as ``file/tensor``; the files were checked before."""
    import numpy as np

    kinds = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
    found = []
    for path in sorted(folder.glob("*.safetensors")):
        tensors = read_header(path)
        start = 8 + struct.unpack("<Q", path.open("rb").read(8))[0]
        raw = np.memmap(path, dtype=np.uint8, mode="r")
        for name, part in tensors.items():
            kind = kinds.get(part["dtype"])
            begin, end = part["data_offsets"]
            if kind is None or begin == end:
                continue
            values = np.frombuffer(raw[start + begin : start + end].tobytes(), dtype=kind)
            bad = values & 0x7F80 == 0x7F80 if part["dtype"] == "BF16" else ~np.isfinite(values)
            if bad.any():
                found.append(f"{path.name}/{name}")
    return found


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _foreign(path: Path) -> str:
    try:
        with path.open("rb") as file:
            begin = file.read(8)
    except OSError:
        return ""
    return next((kind for magic, kind in _FOREIGN.items() if begin.startswith(magic)), "")


def _instead(folder: Path, names: list[str]) -> str:
    for name in names:
        kind = _foreign(folder / name) if (folder / name).is_file() else ""
        if kind:
            return f": {name[:80]} is {kind}"
    return ""


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number in JSON")
