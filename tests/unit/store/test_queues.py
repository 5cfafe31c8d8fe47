"""Queues and turns as rows: the order of cases, and that the search for them is short."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from alembic import command
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, text

from benchmarks.review_store import fill
from coefvq.settings import Settings
from coefvq.store import ageing, queues, turns
from coefvq.store.migrate import config, upgrade
from coefvq.store.session import Store
from coefvq.store.tables import CaseRow, QueueRow, utcnow
from tests.store_factory import scored

HOURS = st.floats(0, 5000, allow_nan=False)
URGENCY = st.floats(0, 4, allow_nan=False)


@given(one=st.tuples(URGENCY, HOURS), two=st.tuples(URGENCY, HOURS), later=HOURS)
def test_the_order_is_the_same_whenever_one_looks(
    one: tuple[float, float], two: tuple[float, float], later: float
) -> None:
    """One number stamped at enqueue orders cases as urgency and age together do at any time."""

    def aged(case: tuple[float, float]) -> float:
        return case[0] + ageing.PER_HOUR * (5000 + later - case[1])

    def stamped(case: tuple[float, float]) -> float:
        return ageing.ranked(case[0], ageing.EPOCH + timedelta(hours=case[1]))

    assert stamped(one) - stamped(two) == pytest.approx(aged(one) - aged(two), abs=1e-6)


@given(urgency=URGENCY, hours=st.none() | HOURS)
def test_the_urgency_can_be_read_back(urgency: float, hours: float | None) -> None:
    queued_at = None if hours is None else ageing.EPOCH + timedelta(hours=hours)
    row = CaseRow(priority=ageing.ranked(urgency, queued_at), queued_at=queued_at)
    assert ageing.urgency_of(row) == pytest.approx(urgency, abs=1e-5)


def test_a_day_counts_as_much_as_a_point() -> None:
    now = utcnow()
    old, fresh = ageing.ranked(1.0, now - timedelta(days=1)), ageing.ranked(2.0, now)
    assert old == pytest.approx(fresh)


def test_what_waits_by_queue_and_task(store: Store) -> None:
    fill(store, 40)
    with store.write() as session:
        rows = session.query(CaseRow).where(CaseRow.state == "queued", CaseRow.task == "icd").all()
        for row in rows[:5]:
            row.queue, row.due_at = "q", utcnow() - timedelta(hours=1)
        oldest = min(row.queued_at for row in rows[:5] if row.queued_at)
    with store.read() as session:
        found = {(each.queue, each.task): each for each in queues.waiting(session, utcnow())}
    assert {key: each.number for key, each in found.items()} == {
        ("q", "icd"): 5,
        (None, "icd"): 15,
        (None, "ucc"): 20,
    }
    assert (found["q", "icd"].late, found["q", "icd"].oldest) == (5, oldest)
    assert found[None, "icd"].late == 0


def test_moving_counts_only_what_moved(store: Store) -> None:
    fill(store, 20)
    with store.write() as session:
        assert queues.restamp(session) == 0
        row = QueueRow(
            id="q", name="Q", task="icd", policies=[], rules=[], position=0, promised_age_s=60.0
        )
        session.add(row)
        session.flush()
        assert queues.restamp(session) == 10
        row.promised_age_s = 90.0
        session.flush()
        assert queues.restamp(session) == 10
        assert queues.restamp(session) == 0


@contextmanager
def plans_of(store: Store) -> Iterator[list[str]]:
    """How SQLite answers each question about cases that is asked meanwhile."""
    asked: list[tuple[str, tuple]] = []

    def note(_c: object, _cursor: object, statement: str, values: tuple, *_: object) -> None:
        if "FROM cases" in statement:
            asked.append((statement, values))

    event.listen(store.engine, "before_cursor_execute", note)
    plans: list[str] = []
    yield plans
    event.remove(store.engine, "before_cursor_execute", note)
    with store.engine.connect() as connection:
        for statement, values in asked:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            plans.append(" | ".join(row[3] for row in rows))


@pytest.mark.parametrize(
    "wish",
    [
        pytest.param(turns.Wish("ann"), id="any"),
        pytest.param(turns.Wish("ann", task="icd"), id="one task"),
        pytest.param(turns.Wish("ann", queues=("q", None)), id="some queues"),
        pytest.param(turns.Wish("ann", queues=("q",), task="ucc"), id="both"),
    ],
)
def test_no_search_for_the_next_case_reads_the_whole_queue(store: Store, wish: turns.Wish) -> None:
    if store.engine.dialect.name != "sqlite":
        pytest.skip("SQLite's plans are the same whatever the tables hold")
    with plans_of(store) as plans, store.read() as session:
        assert turns.next_for(session, wish, utcnow()) is None
    assert len(plans) >= 4
    for plan in plans:
        assert "SCAN cases" not in plan
        sorts_all = "TEMP B-TREE FOR ORDER BY" in plan
        assert not (sorts_all and "(state=?)" in plan), plan


def test_counting_reads_one_index_only(store: Store) -> None:
    if store.engine.dialect.name != "sqlite":
        pytest.skip("SQLite's plans are the same whatever the tables hold")
    with plans_of(store) as plans, store.read() as session:
        queues.waiting(session, utcnow())
    assert len(plans) == 1
    assert "COVERING INDEX ix_cases_waiting" in plans[0] and "TEMP B-TREE" not in plans[0]


def test_an_older_store_gets_its_ages(store: Store, settings: Settings) -> None:
    case_id = scored(store, settings, icd={"violence": 0.9})["icd"]
    with store.engine.execution_options(coefvq_begin="IMMEDIATE").begin() as connection:
        command.downgrade(config(connection), "0002")
        found = text("SELECT priority FROM cases WHERE id = :id")
        assert connection.execute(found, {"id": case_id}).scalar() == pytest.approx(1.2, abs=1e-4)
    upgrade(store.engine)
    with store.read() as session:
        row = session.get_one(CaseRow, case_id)
        assert row.priority == pytest.approx(ageing.ranked(1.2, row.queued_at), abs=1e-4)
