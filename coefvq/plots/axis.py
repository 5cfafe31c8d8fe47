"""An axis: what it measures, from where to where, and where its ticks stand."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

Kind = Literal["number", "percent", "time"]
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
_TIMES = (
    1.0, 5.0, 15.0, 30.0, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE, _HOUR, 3 * _HOUR,
    6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY, 28 * _DAY, 91 * _DAY, 182 * _DAY,
    364 * _DAY,
)  # fmt: skip
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def drawable(value: float | None) -> bool:
    """Tell whether a value has a place on an axis."""
    return value is not None and math.isfinite(value)


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        label: What it measures, with its unit.
        low, high: Its ends. Of ``percent``, shares in 0..1; of ``time``, seconds since 1970 UTC.
            Equal or reversed ends are moved apart.
        kind: How values are written.
    """

    label: str
    low: float
    high: float
    kind: Kind = "number"

    def __post_init__(self) -> None:
        """Make sure that there is a length to draw along.

        Raises:
            ValueError: An end is not finite, or no time that a calendar has.
        """
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ValueError(f"Axis '{self.label}': {self.low} to {self.high} has no length.")
        if self.kind == "time":
            self.write(self.low), self.write(self.high)
        if not self.high > self.low:
            wider = {"percent": 0.01, "time": _HOUR}.get(self.kind, abs(self.low) * 0.1 or 1.0)
            object.__setattr__(self, "high", self.low + wider)

    @classmethod
    def over(
        cls,
        label: str,
        values: Iterable[float | None],
        kind: Kind = "number",
        *,
        zero: bool = True,
        at_most: float = math.inf,
    ) -> Axis:
        """An axis that all finite values fit on, with round ends.

        Args:
            zero: Begin at 0 where no value is below it.
            at_most: Where it ends at the latest.
        """
        known = [float(value) for value in values if value is not None and math.isfinite(value)]
        low, high = (min(known), max(known)) if known else (0.0, 1.0)
        if kind == "time":
            return cls(label, low, high, kind)
        low = min(low, 0.0) if zero else low
        step = _step(high - low if high > low else abs(high) or 1.0, 4)
        ends = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
        return cls(label, ends[0], min(at_most, ends[1]), kind)

    def place(self, value: float) -> float:
        """Where a value stands: 0 at the low end, 1 at the high one; values beyond stay there."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Round values along the axis, rising, with their texts; at most about ``most``."""
        if self.kind == "time":
            return self._times(most)
        step = _step(self.high - self.low, most)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        values = [number * step for number in range(first, last + 1)]
        return [(value, self._tick(value, step)) for value in values]

    def write(self, value: float) -> str:
        """A value in words, for whoever points at it."""
        if self.kind == "time":
            return _moment(value).strftime("%Y-%m-%d %H:%M UTC")
        if self.kind == "percent":
            return f"{value * 100:.3g} %" if abs(value) < 1 else f"{value * 100:.0f} %"
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"

    def _tick(self, value: float, step: float) -> str:
        if self.kind == "percent":
            return f"{_plain(value * 100, step * 100)} %"
        for size, prefix in _PREFIXES:
            if max(abs(self.low), abs(self.high)) >= 2 * size:
                return f"{_plain(value / size, step / size)}{prefix if value else ''}"
        return _plain(value, step)

    def _times(self, most: int) -> list[tuple[float, str]]:
        span = self.high - self.low
        step = next((size for size in _TIMES if span / size <= most), math.ceil(span / most))
        number = math.ceil(self.low / step - 1e-9)
        form = "%H:%M:%S" if step < _MINUTE else "%H:%M" if step < _DAY else "%d %b"
        form = form if span < 360 * _DAY else "%b %Y"
        found = []
        while number * step <= self.high + 1e-6:
            found.append((number * step, _moment(number * step).strftime(form)))
            number += 1
        return found


def _moment(seconds: float) -> datetime:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError as error:
        raise ValueError(f"{seconds} seconds since 1970 is no time.") from error


def _step(span: float, most: int) -> float:
    """The smallest round step that takes at most ``most`` steps along a span."""
    rough = span / max(1, most)
    size = 10.0 ** math.floor(math.log10(rough))
    return next(step * size for step in _STEPS if step * size >= rough * (1 - 1e-9))


def _plain(value: float, step: float) -> str:
    """As many decimals as the step needs."""
    decimals = next((n for n in range(12) if abs(step - round(step, n)) <= 1e-9 * step), 12)
    return f"{value + 0.0:.{decimals}f}"
