"""No cell is a formula, and reading gives back what was written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coefvq.export.cells import TRIGGERS, cell, guard, unguard


@pytest.mark.parametrize(
    ("text", "written"),
    [
        pytest.param("=1+1", "'=1+1", id="equals"),
        pytest.param("+1", "'+1", id="plus"),
        pytest.param("-1", "'-1", id="minus"),
        pytest.param("@SUM(A1)", "'@SUM(A1)", id="at"),
        pytest.param("\t=1", "'\t=1", id="tab"),
        pytest.param("\r=1", "'\r=1", id="carriage return"),
        pytest.param("\n=1", "'\n=1", id="line feed"),
        pytest.param("＝1+1", "'＝1+1", id="full width"),
        pytest.param("  =1+1", "'  =1+1", id="behind spaces"),
        pytest.param("'=1+1", "''=1+1", id="behind an apostrophe"),
        pytest.param("=cmd|'/c calc'!A1", "'=cmd|'/c calc'!A1", id="the classic"),
        pytest.param('plain, "text"', 'plain, "text"', id="plain"),
        pytest.param("'quoted'", "'quoted'", id="an apostrophe alone"),
        pytest.param("a=b", "a=b", id="inside"),
        pytest.param("", "", id="empty"),
    ],
)
def test_guard(text: str, written: str) -> None:
    assert guard(text) == written
    assert unguard(written) == text


@given(st.text(st.sampled_from("=+-@\t\r\n' aZ1＝"), max_size=8))
def test_whatever_is_written_is_no_formula_and_reads_back(text: str) -> None:
    assert not guard(text).startswith(TRIGGERS)
    assert unguard(guard(text)) == text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param(None, "", id="nothing"),
        pytest.param(-0.25, "-0.25", id="a negative number stays a number"),
        pytest.param(3, "3", id="whole"),
        pytest.param(datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00", id="time"),
        pytest.param("-0.25", "'-0.25", id="text that looks like one"),
    ],
)
def test_cell(value: object, written: str) -> None:
    assert cell(value) == written
