"""Reads ``--from-signals`` files: one JSON object a line, signals that a platform already has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coefvq.given import EXTRACTOR as EXTRACTOR
from coefvq.given import FIELDS as FIELDS
from coefvq.given import SignalsError as SignalsError
from coefvq.given import SignalsItem as SignalsItem
from coefvq.given import item_of


def read_items(path: Path) -> Iterator[tuple[str, SignalsItem | SignalsError]]:
    """Yield ``(id, item)`` a line; a bad line yields its error and the others go on.

    Lines without an id are named ``line N``. Empty lines are passed over.
    """
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _read_line(number, line)


def _read_line(number: int, line: str) -> tuple[str, SignalsItem | SignalsError]:
    name = f"line {number}"
    try:
        row = _object(number, line)
        name = str(row.get("id", name))
        return name, item_of(name, row)
    except SignalsError as error:
        return name, error


def _object(number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise SignalsError(
            f"line {number} is not JSON ({error}); write one object a line"
        ) from None
    if not isinstance(row, dict):
        raise SignalsError(f'line {number} is not an object; write {{"id": …, "title": …}}')
    return row
