"""The database itself refuses to change what is final."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from coefvq.review import decide, queue
from coefvq.review.views import DecisionForm
from coefvq.settings import Settings
from coefvq.store import routing_policies
from coefvq.store.session import Store
from tests.store_factory import ANN, scored


@pytest.fixture
def decided(store: Store, settings: Settings) -> Store:
    """A store in which every guarded table has a row."""
    case_id = scored(store, settings)["icd"]
    view = queue.open_case(store, settings, ANN, case_id)
    assert view.lease is not None and view.lease.token is not None
    decide.submit(store, settings, ANN, case_id, view.lease.token, DecisionForm({}, "keep"))
    with store.write() as session:
        routing_policies.add(session, "entropy-1", "entropy", {"threshold": 0.6}, "ann")
    return store


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE decisions SET comment = 'changed'", id="decisions update"),
        pytest.param("DELETE FROM decisions", id="decisions delete"),
        pytest.param("UPDATE events SET actor = 'somebody'", id="events update"),
        pytest.param("DELETE FROM events", id="events delete"),
        pytest.param("UPDATE assessments SET milliseconds = 0", id="assessments update"),
        pytest.param("UPDATE verdicts SET probability = 0", id="verdicts update"),
        pytest.param("UPDATE routing_policies SET rule = 'x'", id="routing policies update"),
    ],
)
def test_the_statement_is_refused_and_changes_nothing(decided: Store, statement: str) -> None:
    table = statement.replace("DELETE FROM", "UPDATE").split()[1]
    with decided.read() as session:
        before = session.execute(text(f"SELECT * FROM {table} ORDER BY 1")).all()
    assert before
    with pytest.raises(DBAPIError, match="rows are final"), decided.write() as session:
        session.execute(text(statement))
    with decided.read() as session:
        assert session.execute(text(f"SELECT * FROM {table} ORDER BY 1")).all() == before


def test_a_table_cannot_be_emptied_at_once(decided: Store) -> None:
    """SQLite has no TRUNCATE; its DELETE without a condition takes the same short cut."""
    short_cut = {"postgresql": "TRUNCATE events", "sqlite": "DELETE FROM events"}
    with pytest.raises(DBAPIError, match="rows are final"), decided.write() as session:
        session.execute(text(short_cut[decided.engine.dialect.name]))
