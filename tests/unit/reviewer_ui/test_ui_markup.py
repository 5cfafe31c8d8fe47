"""Escaping, numbers and times as they are written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reviewer_ui.markup import (
    Markup,
    ago,
    attribute,
    clock,
    h,
    join,
    kbd,
    probability,
    stamp,
    time_link,
    took,
)
from tests.ui.case_sample import HOSTILE


def test_arguments_are_escaped_and_markup_is_kept():
    assert h("<p>{}{}</p>", "<b>", Markup("<i>x</i>")) == "<p>&lt;b&gt;<i>x</i></p>"


def test_quotes_cannot_leave_an_attribute():
    assert '"' not in h("{}", 'a" onclick="x')


def test_braces_in_an_argument_are_text():
    expected = "&lt;img src=x onerror=alert(1)&gt; {{7*7}} ${alert(1)} {0} {name}"
    assert h("{}", HOSTILE) == expected


def test_join_escapes_its_parts():
    assert join(["<", Markup("<br>"), 3], ", ") == "&lt;, <br>, 3"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0, "0:00"), (-3, "0:00"), (59.9, "0:59"), (61, "1:01"), (3661, "1:01:01")],
)
def test_clock(seconds, text):
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (-1, "0 s"), (59, "59 s"), (1080, "18 min"), (7300, "2 h"), (200_000, "2 d")],
)
def test_ago(seconds, text):
    assert ago(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0, "0.00"), (0.414, "0.41"), (0.999, "0.99"), (1.0, "1.00")]
)
def test_probability_is_never_rounded_up_to_certainty(value, text):
    assert probability(value) == text


@pytest.mark.parametrize(("ms", "text"), [(84.4, "84 ms"), (999, "999 ms"), (2400, "2.4 s")])
def test_took(ms, text):
    assert took(ms) == text


@pytest.mark.parametrize("zone", [UTC, None], ids=["aware", "naive"])
def test_stamp_names_its_zone(zone):
    assert "2026-05-04 12:30 UTC" in stamp(datetime(2026, 5, 4, 12, 30, tzinfo=zone))


def test_time_link_shows_a_range_only_where_there_is_one():
    assert "0:02–0:04" in time_link(2, 4)
    assert ">0:02<" in time_link(2.1, 2.8)
    assert 'data-start="2.10"' in time_link(2.1)


def test_attribute_and_kbd():
    assert attribute("hidden", True) == " hidden"
    assert attribute("hidden", None) == ""
    assert kbd("<") == '<kbd aria-hidden="true">&lt;</kbd>'
    assert kbd("s", silent=False) == "<kbd>s</kbd>"
