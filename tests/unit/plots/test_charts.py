"""Plots are well-formed, escape every text, keep inside their frame and say when they are empty."""

from __future__ import annotations

import math
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from coefvq.plots import Axis, Band, Bar, Line, Mark, bar_chart, line_chart
from coefvq.plots.frame import NOTHING

SVG = "{http://www.w3.org/2000/svg}"
X, Y = Axis("budget", 0, 1, "percent"), Axis("recall", 0, 1, "percent")
HOSTILE = "</title><script>alert(1)</script>&\x00\ud800\"'"
POINTS = [(0.0, 0.2), (0.5, 0.6), (1.0, 0.9)]


def lines(*found: Line, **more: object) -> str:
    return line_chart(found, X, Y, title="curve", describe="n = 3", **more)  # type: ignore[arg-type]


def bars(*found: Bar) -> str:
    return bar_chart(found, Y, title="bars", describe="n = 3")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: lines(Line(HOSTILE, POINTS), Line("b", POINTS)), id="line"),
        pytest.param(lambda: lines(Line("a", POINTS), marks=[Mark(0.5, 0.5, HOSTILE)]), id="mark"),
        pytest.param(lambda: lines(Line("a", POINTS), marks=[Mark(0.5, None, HOSTILE)]),
                     id="moment"),
        pytest.param(lambda: bars(Bar(HOSTILE, 0.5, note=HOSTILE)), id="bar"),
        pytest.param(lambda: bar_chart([Bar("a", 0.5)], Axis(HOSTILE, 0, 1), title=HOSTILE,
                                       describe=HOSTILE), id="title"),
    ],
)  # fmt: skip
def test_hostile_texts_are_text(make: Callable[[], str]) -> None:
    svg = make()
    root = ElementTree.fromstring(svg.encode("utf-8"))
    assert "<script" not in svg
    assert not list(root.iter(f"{SVG}script"))
    assert any("alert(1)" in "".join(each.itertext()) for each in root.iter())


@pytest.mark.parametrize("svg", [lines(Line("a", POINTS)), bars(Bar("a", 0.5))],
                         ids=["lines", "bars"])  # fmt: skip
def test_a_picture_says_what_it_shows(svg: str) -> None:
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert root[0].tag == f"{SVG}title" and root[0].text in {"curve", "bars"}
    assert root[1].tag == f"{SVG}desc" and root[1].text == "n = 3"


@pytest.mark.parametrize(
    ("svg", "empty"),
    [
        pytest.param(lines(), True, id="no-line"),
        pytest.param(lines(Line("a", [])), True, id="no-point"),
        pytest.param(lines(Line("a", [(0.1, None), (0.2, math.nan)])), True, id="gaps-only"),
        pytest.param(lines(Line("a", [(0.1, 0.0)])), False, id="one-point"),
        pytest.param(bars(), True, id="no-bar"),
        pytest.param(bars(Bar("a", None)), True, id="unknown-bar"),
        pytest.param(bars(Bar("a", 0.0)), False, id="a-bar-of-nothing"),
    ],
)
def test_nothing_to_draw_is_said(svg: str, empty: bool) -> None:
    assert (NOTHING in svg) is empty


def test_a_gap_is_not_bridged() -> None:
    whole = lines(Line("a", [(0.0, 0.1), (0.2, 0.2), (0.4, 0.3), (0.6, 0.4)]))
    broken = lines(Line("a", [(0.0, 0.1), (0.2, 0.2), (0.3, None), (0.4, 0.3), (0.6, 0.4)]))
    stroke = [each.get("d", "") for each in ElementTree.fromstring(broken).iter(f"{SVG}path")]
    assert max(d.count("M") for d in stroke if "L" in d) == 2
    assert "M" in whole and whole != broken


def test_points_say_their_values() -> None:
    root = ElementTree.fromstring(lines(Line("Recall", [(0.25, 0.5)])))
    texts = [each.text for each in root.iter(f"{SVG}title")]
    assert "Recall: budget 25 %, recall 50 %" in texts


def test_values_beyond_the_axes_stay_in_the_frame() -> None:
    root = ElementTree.fromstring(lines(Line("a", [(-3.0, 9.0), (7.0, -9.0)])))
    for dot in root.iter(f"{SVG}circle"):
        assert 0 <= float(dot.get("cx", "-1")) <= 460
        assert 0 <= float(dot.get("cy", "-1")) <= 260


def test_a_band_skips_its_unknown_points() -> None:
    band = Band([(0.0, 0.1, 0.2), (0.5, None, 0.3), (1.0, 0.2, 0.4)])
    svg = lines(Line("a", POINTS), bands=[band])
    assert "nan" not in svg and "None" not in svg


def test_many_names_make_more_rows_of_legend_not_a_wider_picture() -> None:
    one = ElementTree.fromstring(lines(Line("a", POINTS), Line("b", POINTS)))
    many = ElementTree.fromstring(lines(*(Line(f"policy {n}" * 3, POINTS) for n in range(8))))
    assert many.get("width") == one.get("width")
    assert float(many.get("height", 0)) > float(one.get("height", 0))


def test_a_file_opened_alone_has_colours() -> None:
    svg = lines(Line("a", POINTS), Line("b", POINTS, tone=1, dashed=True))
    assert "var(--accent,#3553d4)" in svg and "var(--card,#ffffff)" in svg
    assert "var(--)" not in svg and "stroke-dasharray" in svg


@pytest.mark.parametrize("name", ["a" * 300, "", "ß" * 40, "a b " * 80])
def test_names_of_bars_are_cut_not_run_over(name: str) -> None:
    root = ElementTree.fromstring(bars(*(Bar(name, 0.5) for _ in range(6))))
    assert all(len(each.text or "") <= 14 for each in root.iter(f"{SVG}tspan"))
