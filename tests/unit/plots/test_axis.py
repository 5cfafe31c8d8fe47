"""Axes: round ticks, honest texts, ends that always leave a length."""

from __future__ import annotations

import math

import pytest

from coefvq.plots import Axis

DAY = 86400.0


@pytest.mark.parametrize(
    ("axis", "texts"),
    [
        pytest.param(Axis("", 0, 1, "percent"), ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"],
                     id="shares"),
        pytest.param(Axis("", 0, 0.01, "percent"), ["0.0 %", "0.2 %", "0.4 %", "0.6 %", "0.8 %",
                                                    "1.0 %"], id="small-shares"),
        pytest.param(Axis("", 0, 3), ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5", "3.0"],
                     id="numbers"),
        pytest.param(Axis("", 0, 4000), ["0", "1k", "2k", "3k", "4k"], id="thousands"),
        pytest.param(Axis("", -2, 2), ["-2", "-1", "0", "1", "2"], id="below-zero"),
        pytest.param(Axis("", 0, 5 * DAY, "time"), ["01 Jan", "02 Jan", "03 Jan", "04 Jan",
                                                    "05 Jan", "06 Jan"], id="days"),
        pytest.param(Axis("", 0, DAY / 2, "time"), ["00:00", "03:00", "06:00", "09:00", "12:00"],
                     id="hours"),
        pytest.param(Axis("", 0, 40, "time"), ["00:00:00", "00:00:15", "00:00:30"], id="seconds"),
    ],
)  # fmt: skip
def test_ticks_are_round(axis: Axis, texts: list[str]) -> None:
    assert [text for _, text in axis.ticks()] == texts


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        pytest.param("percent", 0.01234, "1.23 %", id="share"),
        pytest.param("percent", 1.0, "100 %", id="whole"),
        pytest.param("number", 12345.6, "12,346", id="big"),
        pytest.param("number", 0.12345, "0.1235", id="small"),
        pytest.param("time", 90061.0, "1970-01-02 01:01 UTC", id="time"),
    ],
)
def test_values_in_words(kind: str, value: float, text: str) -> None:
    assert Axis("", 0, 1, kind).write(value) == text  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["number", "percent", "time"])
@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (5.0, 5.0), (5.0, 1.0)])
def test_an_axis_always_has_a_length(kind: str, low: float, high: float) -> None:
    axis = Axis("", low, high, kind)  # type: ignore[arg-type]
    assert axis.high > axis.low
    assert axis.place(low) == 0.0
    assert len(axis.ticks()) >= 1


@pytest.mark.parametrize(
    ("low", "high", "kind"),
    [
        pytest.param(math.nan, 1, "number", id="nan"),
        pytest.param(0, math.inf, "number", id="inf"),
        pytest.param(0, 1e18, "time", id="no-year"),
    ],
)
def test_impossible_axes_are_refused(low: float, high: float, kind: str) -> None:
    with pytest.raises(ValueError):
        Axis("x", low, high, kind)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        pytest.param([3, 17, None, math.nan], (0, 20), id="gaps"),
        pytest.param([], (0, 1), id="nothing"),
        pytest.param([0, 0], (0, 1), id="zeros"),
        pytest.param([-4, 9], (-5, 10), id="below-zero"),
        pytest.param([7], (0, 8), id="one"),
        pytest.param([3200], (0, 4000), id="thousands"),
    ],
)
def test_over_ends_round(values: list[float | None], ends: tuple[float, float]) -> None:
    axis = Axis.over("y", values)
    assert (axis.low, axis.high) == pytest.approx(ends)


def test_over_ends_at_the_most() -> None:
    assert Axis.over("y", [0.97], "percent", at_most=1.0).high == 1.0
