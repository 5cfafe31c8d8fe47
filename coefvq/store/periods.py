"""Rows of a period by their primary key: ids begin with the time at which they were made."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_

from coefvq.store.tables.base import id_at

SKEW = timedelta(hours=1)
"""Clocks of several machines may differ by so much."""


def made_in(
    row_id: Any, at: Any, since: datetime | None = None, until: datetime | None = None
) -> ColumnElement[bool]:
    """Condition: a row was made in ``since <= at < until``; an open end has no limit.

    The primary key's index finds the first row, so that a month of a large table is one short walk.

    Args:
        row_id: The id column of a table whose ids are made by ``new_id``.
        at: The column of its time.
    """
    conditions: list[ColumnElement[bool]] = [row_id.is_not(None)]
    if since is not None:
        conditions += [row_id >= id_at(since - SKEW), at >= since]
    if until is not None:
        conditions.append(at < until)
    return and_(*conditions)
