"""The card of a trained model: what it is, what it learnt from, what was measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from coefvq.learning.candidate import Candidate

_MOST_LINES = 200


def model_card(
    candidate: Candidate,
    files: Mapping[str, str],
    snapshot_id: str | None,
    code: Mapping[str, str],
) -> str:
    """Markdown. Texts of uploaders are not in it; names of options and figures are."""
    lines = [
        f"# {candidate.version}",
        "",
        f"- Stage: {candidate.stage.value}",
        f"- Made from: {candidate.parent}",
        f"- Learnt from snapshot: {snapshot_id or 'not known'}",
        f"- Policies: {', '.join(sorted(candidate.covers)) or 'none'}",
        f"- Program: coefvq {code.get('program', '?')}, sources {code.get('sources', '?')}",
        "",
        "## Files",
        *(f"- `{name}`: sha256 {digest}" for name, digest in files.items()),
        "",
        "## Options",
        *_lines(candidate.options),
        "",
        "## Measured in the training, on what it held out",
        *_lines(candidate.metrics),
        "",
        "The gate's report says how it compares with the model in force.",
    ]
    return "\n".join(lines) + "\n"


def plain(value: Any) -> Any:
    """A value as strict JSON: numpy's numbers as Python's, what is no number as ``None``."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in (sorted(value) if isinstance(value, set) else value)]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    return str(value)


def _lines(values: Mapping[str, Any]) -> list[str]:
    found = [f"- {name}: {value}" for name, value in _flat(plain(values).items(), "")]
    return (found or ["- none"])[:_MOST_LINES]


def _flat(items: Iterable[tuple[str, Any]], above: str) -> Iterator[tuple[str, str]]:
    for name, value in items:
        if isinstance(value, dict):
            yield from _flat(value.items(), f"{above}{name}, ")
        elif not isinstance(value, list) or len(value) <= 12:
            yield f"{above}{name}", f"{value:.4f}" if isinstance(value, float) else str(value)
