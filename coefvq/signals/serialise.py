"""Signals as bytes for the cache: npz for the cheap ones, JSON for the expensive ones."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict
from typing import Any

import numpy as np

from coefvq.domain import CheapSignals, ExpensiveSignals, TimedText
from coefvq.errors import StoreError

_ZIP = b"PK"
_ARRAYS = ("frame_embeddings", "frame_times_s", "visual", "motion", "sound")
_REMEDY = "Delete this entry of the signals cache; it is made again when the video is scored."


def dump(signals: CheapSignals | ExpensiveSignals) -> bytes:
    """Serialise without pickle; ``load`` gives back equal signals."""
    if isinstance(signals, CheapSignals):
        return _dump_cheap(signals)
    return json.dumps({"kind": "expensive", **asdict(signals)}, ensure_ascii=False).encode()


def load(data: bytes) -> CheapSignals | ExpensiveSignals:
    """Read what ``dump`` wrote.

    Raises:
        StoreError: The bytes are damaged or of another kind.
    """
    try:
        return _load_cheap(data) if data.startswith(_ZIP) else _load_expensive(json.loads(data))
    except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise StoreError(f"Cached signals cannot be read ({error}). {_REMEDY}") from error


def _dump_cheap(signals: CheapSignals) -> bytes:
    arrays = {name: getattr(signals, name) for name in _ARRAYS}
    present = {name: array for name, array in arrays.items() if array is not None}
    head = {"kind": "cheap", "extractor": signals.extractor, "warnings": list(signals.warnings)}
    text = np.frombuffer(json.dumps(head).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, head=text, **present)
    return buffer.getvalue()


def _load_cheap(data: bytes) -> CheapSignals:
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        head = json.loads(stored["head"].tobytes())
        arrays = {name: stored[name] for name in _ARRAYS if name in stored}
    _expect(head, "cheap")
    return CheapSignals(extractor=head["extractor"], warnings=tuple(head["warnings"]), **arrays)


def _load_expensive(body: dict[str, Any]) -> ExpensiveSignals:
    _expect(body, "expensive")
    return ExpensiveSignals(
        extractor=body["extractor"],
        speech=_lines(body["speech"]),
        speech_understood=body["speech_understood"],
        screen_text=_lines(body["screen_text"]),
        frame_times_s=tuple(body["frame_times_s"]),
        warnings=tuple(body["warnings"]),
    )


def _lines(rows: list[dict[str, Any]] | None) -> tuple[TimedText, ...] | None:
    if rows is None:
        return None
    return tuple(TimedText(**{**row, "box": row["box"] and tuple(row["box"])}) for row in rows)


def _expect(head: dict[str, Any], kind: str) -> None:
    if head["kind"] != kind:
        raise ValueError(f"expected {kind} signals, found {head['kind']}")
