"""The times that figures cover, and what every document says of itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np

WINDOWS: dict[str, float | None] = {"7": 7.0, "30": 30.0, "90": 90.0, "all": None}
"""Name of a window to its days; ``None``: everything there is."""
DAY_S = 86_400.0
LEAST = 50
"""Decided cases below which a curve is not drawn."""
LEAST_EACH = 5
"""Violations, and cases without one, below which a curve is not drawn."""


def since(window: str, now: datetime) -> float:
    """Where a window begins, seconds since 1970; ``-inf`` for everything."""
    days = WINDOWS[window]
    return -math.inf if days is None else (now - timedelta(days=days)).timestamp()


def covered(window: str, now: datetime, first: float | None) -> dict[str, Any]:
    """The time that a document is about: ``since`` and ``until``, seconds since 1970 UTC.

    Args:
        first: Time of the oldest item; ``None``: there is none.
    """
    begin = since(window, now)
    if math.isinf(begin):
        return {"since": first, "until": now.timestamp()}
    return {"since": begin, "until": now.timestamp()}


def short_of(labels: Any) -> str | None:
    """What is missing before a curve over labels says anything; ``None``: it is enough."""
    y = np.asarray(labels)
    n, positive = len(y), int(np.sum(y == 1))
    missing = [
        f"{LEAST - n} more decided cases" if n < LEAST else "",
        f"{LEAST_EACH - positive} more violations" if positive < LEAST_EACH else "",
        f"{LEAST_EACH - (n - positive)} more cases without a violation"
        if n - positive < LEAST_EACH
        else "",
    ]
    words = [each for each in missing if each]
    if not words:
        return None
    have = f"{n} decided, {positive} of them violations" if n else "No case of this time is decided"
    return f"{have}. Missing: {', '.join(words)}."


def plain(value: Any) -> Any:
    """JSON values: whole and real numbers of Python, ``None`` for what is not finite."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, float | np.floating):
        return round(float(value), 9) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
