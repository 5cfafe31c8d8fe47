"""What a report is made of: sections with texts, tables of values and plots."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from coefvq.errors import SettingsError
from coefvq.routing.reliability import wilson

_NAMES = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True)
class Month:
    """A calendar month in UTC: ``since <= time < until``."""

    name: str
    since: datetime
    until: datetime

    @property
    def words(self) -> str:
        """Such as ``October 2026``."""
        return f"{_NAMES[self.since.month - 1]} {self.since.year}"

    @classmethod
    def named(cls, name: str, now: datetime) -> Month:
        """Read ``YYYY-MM``.

        Raises:
            SettingsError: It is no month, or has not begun.
        """
        found = _MONTH.fullmatch(name)
        if found is None:
            raise SettingsError(f"'{name[:20]}' is no month. Write it as YYYY-MM, such as 2026-10.")
        year, month = int(found[1]), int(found[2])
        if not 2000 <= year <= 9000:
            raise SettingsError(f"{name} is no month that anything was scored in.")
        since = datetime(year, month, 1, tzinfo=UTC)
        if since > now:
            raise SettingsError(f"{name} has not begun yet. Ask for a month up to {now:%Y-%m}.")
        later = (year + 1, 1) if month == 12 else (year, month + 1)
        return cls(name, since, datetime(*later, 1, tzinfo=UTC))


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % interval.

    Attributes:
        value: ``None``: not known, with ``why``.
        n: What it is a share of: items, or labels that the estimate rests on.
    """

    value: float | None
    low: float = 0.0
    high: float = 1.0
    n: int = 0
    why: str = ""

    @classmethod
    def of(cls, hits: int, n: int) -> Rate:
        """hits / n with Wilson's interval; unknown where n is 0."""
        if n == 0:
            return cls(None, why="none in this month")
        return cls(hits / n, *wilson(hits, n), n)


@dataclass(frozen=True)
class Seconds:
    """A length of time; ``None``: not known."""

    value: float | None


Value = str | int | float | None | Rate | Seconds | datetime
"""``None`` is what this system does not know."""


def median(values: Sequence[float]) -> Seconds:
    """The middle of some lengths of time."""
    return Seconds(statistics.median(values) if values else None)


def percentile_95(values: Sequence[float]) -> Seconds:
    """The smallest length that at least 95 % do not exceed."""
    if not values:
        return Seconds(None)
    return Seconds(sorted(values)[max(0, -(-95 * len(values) // 100) - 1)])


@dataclass(frozen=True)
class Table:
    """Rows of values under named columns.

    Attributes:
        empty: Said in place of a table without rows.
        note: Below it: how it was counted.
    """

    id: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    note: str = ""
    empty: str = "None in this month."


@dataclass(frozen=True)
class Section:
    """A chapter.

    Attributes:
        texts: Paragraphs before the tables.
        plots: SVG, escaped where it was drawn.
    """

    id: str
    title: str
    texts: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    plots: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """A month's report.

    Attributes:
        complete: Whether the month was over when it was made.
        nothing: Whether nothing was uploaded, scored or decided.
    """

    month: Month
    generated_at: datetime
    nothing: bool
    sections: tuple[Section, ...] = field(default_factory=tuple)

    @property
    def complete(self) -> bool:
        """Whether the month was over when it was made."""
        return self.generated_at >= self.month.until

    def to_json(self) -> dict[str, Any]:
        """Plain values; plots are left out."""
        return {
            "month": self.month.name,
            "since": self.month.since.isoformat(),
            "until": self.month.until.isoformat(),
            "generated_at": self.generated_at.isoformat(timespec="seconds"),
            "complete": self.complete,
            "nothing": self.nothing,
            "sections": [_section(each) for each in self.sections],
        }


def _section(section: Section) -> dict[str, Any]:
    tables = {
        table.id: [
            {name: _plain(value) for name, value in zip(table.columns, row, strict=True)}
            for row in table.rows
        ]
        for table in section.tables
    }
    return {"id": section.id, "title": section.title, "tables": tables}


def _plain(value: Value) -> Any:
    if isinstance(value, Rate):
        if value.value is None:
            return {"value": None, "n": value.n, "why": value.why}
        return {"value": value.value, "low": value.low, "high": value.high, "n": value.n}
    if isinstance(value, Seconds):
        return value.value
    return value.isoformat() if isinstance(value, datetime) else value
