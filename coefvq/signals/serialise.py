"""Signals as bytes for the cache: npz without pickle, everything but arrays as JSON inside."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coefvq.domain import CheapSignals, ExpensiveSignals, TimedText
from coefvq.errors import StoreError

_ZIP = b"PK"
_CHEAP_ARRAYS = (
    "frame_embeddings",
    "frame_times_s",
    "visual",
    "motion",
    "sound",
    "frame_hashes",
    "frame_quality",
)
_EXPENSIVE_ARRAYS = {"sound_states": (np.float16, 2), "motion": (np.float32, 1)}
_REMEDY = "Delete this entry of the signals cache; it is made again when the video is scored."

Arrays = dict[str, NDArray[Any]]


def dump(signals: CheapSignals | ExpensiveSignals) -> bytes:
    """Serialise without pickle; ``load`` gives back equal signals."""
    if isinstance(signals, CheapSignals):
        head = {"extractor": signals.extractor, "warnings": list(signals.warnings)}
        return _pack({"kind": "cheap", **head}, _present(signals, _CHEAP_ARRAYS))
    return _pack({"kind": "expensive", **_plain(signals)}, _present(signals, _EXPENSIVE_ARRAYS))


def load(data: bytes) -> CheapSignals | ExpensiveSignals:
    """Read what ``dump`` wrote, now or when expensive signals were JSON without arrays.

    Raises:
        StoreError: The bytes are damaged or of another kind.
    """
    try:
        head, arrays = _unpack(data) if data.startswith(_ZIP) else (json.loads(data), {})
        return _load_cheap(head, arrays) if head["kind"] == "cheap" else _expensive(head, arrays)
    except Exception as error:  # damaged bytes make zipfile, zlib, numpy and json raise anything
        raise StoreError(f"Cached signals cannot be read ({error}). {_REMEDY}") from error


def _plain(signals: ExpensiveSignals) -> dict[str, Any]:
    """The fields that are no arrays; these are few and small, so ``asdict`` may copy them."""
    fields = asdict(signals)
    return {name: value for name, value in fields.items() if name not in _EXPENSIVE_ARRAYS}


def _present(signals: CheapSignals | ExpensiveSignals, names: Iterable[str]) -> Arrays:
    arrays = {name: getattr(signals, name) for name in names}
    return {name: array for name, array in arrays.items() if array is not None}


def _pack(head: Mapping[str, Any], arrays: Arrays) -> bytes:
    text = np.frombuffer(json.dumps(head).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, head=text, **arrays)
    return buffer.getvalue()


def _unpack(data: bytes) -> tuple[dict[str, Any], Arrays]:
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return json.loads(arrays.pop("head").tobytes()), arrays


def _load_cheap(head: dict[str, Any], arrays: Arrays) -> CheapSignals:
    known = {name: arrays[name] for name in _CHEAP_ARRAYS if name in arrays}
    return CheapSignals(extractor=head["extractor"], warnings=tuple(head["warnings"]), **known)


def _expensive(head: dict[str, Any], arrays: Arrays) -> ExpensiveSignals:
    if head["kind"] != "expensive":
        raise ValueError(f"unknown kind {head['kind']!r}")
    for name, (dtype, dimensions) in _EXPENSIVE_ARRAYS.items():
        found = arrays.get(name)
        if found is not None and (found.dtype != dtype or found.ndim != dimensions):
            raise ValueError(f"{name} is {found.dtype} with {found.ndim} dimensions")
    return ExpensiveSignals(
        extractor=head["extractor"],
        speech=_lines(head["speech"]),
        speech_understood=head["speech_understood"],
        screen_text=_lines(head["screen_text"]),
        frame_times_s=tuple(head["frame_times_s"]),
        warnings=tuple(head["warnings"]),
        **{name: arrays.get(name) for name in _EXPENSIVE_ARRAYS},
    )


def _lines(rows: list[dict[str, Any]] | None) -> tuple[TimedText, ...] | None:
    if rows is None:
        return None
    return tuple(TimedText(**{**row, "box": row["box"] and tuple(row["box"])}) for row in rows)
