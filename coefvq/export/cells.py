"""Cells of a CSV that a spreadsheet will not run.

Titles, comments and file names are hostile: a cell that begins with one of ``TRIGGERS`` would
be a formula (OWASP, "CSV Injection"). Such a cell gets a leading apostrophe, and reading takes
exactly one off again.
"""

from __future__ import annotations

from datetime import datetime

TRIGGERS = tuple("=+-@\t\r\n＝＋－＠")
_MARK = "'"


def guard(text: str) -> str:
    """Put an apostrophe before what would be a formula."""
    return _MARK + text if text.lstrip(_MARK + " ").startswith(TRIGGERS) else text


def unguard(cell: str) -> str:
    """Inverse of ``guard``."""
    if cell.startswith(_MARK) and guard(cell[1:]) == cell:
        return cell[1:]
    return cell


def cell(value: object) -> str:
    """Any value as a cell; ``None`` is empty, times are ISO 8601 in UTC, numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, int | float):
        return repr(value)
    return guard(str(value))
