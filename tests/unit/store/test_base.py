"""Ids, times and storable text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coefvq.store.session import Store
from coefvq.store.tables import LeaseRow, new_id, utcnow
from coefvq.store.tables.base import UtcDateTime
from coefvq.store.text import storable


def test_ids_sort_in_the_order_of_making() -> None:
    ids = [new_id() for _ in range(5000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_ids_are_short_and_safe_in_an_address() -> None:
    made = new_id()
    assert len(made) == 15
    assert made.isalnum() and made == made.lower()


def test_naive_times_are_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        UtcDateTime().process_bind_param(datetime(2026, 1, 1), None)  # type: ignore[arg-type]


@pytest.mark.parametrize("hours", [-11, 0, 5, 13])
def test_times_come_back_in_utc_whatever_zone_they_had(store: Store, hours: int) -> None:
    moment = utcnow().astimezone(timezone(timedelta(hours=hours)))
    with store.write() as session:
        session.add(LeaseRow(kind="x", subject_id="1", holder=None, token=0, expires_at=moment))
    with store.read() as session:
        found = session.get_one(LeaseRow, ("x", "1")).expires_at
    assert found == moment
    assert found is not None and found.utcoffset() == timedelta(0) and found.tzinfo == UTC


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param(None, None, id="nothing"),
        pytest.param("", None, id="empty is nothing"),
        pytest.param("  \n ", None, id="blank is nothing"),
        pytest.param("a\x00b", "ab", id="NUL"),
        pytest.param("a\udc80b", "a?b", id="lone surrogate"),
        pytest.param("<b>=1+1</b>", "<b>=1+1</b>", id="markup stays as it is"),
        pytest.param("日本語 🎬", "日本語 🎬", id="other alphabets"),
        pytest.param("x" * 50, "x" * 20, id="cut"),
    ],
)
def test_storable(text: str | None, kept: str | None) -> None:
    assert storable(text, limit=20) == kept


@given(st.text(st.characters()))
def test_whatever_is_storable_can_be_encoded(text: str) -> None:
    kept = storable(text)
    assert kept is None or "\x00" not in kept.encode("utf-8").decode("utf-8")
