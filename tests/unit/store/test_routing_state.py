"""What routing remembers: states under a lock, and the secret of the audits."""

from __future__ import annotations

import threading

from sqlalchemy import text

from coefvq.store import migrate, routing_state
from coefvq.store.routing_state import BUDGET, UPLOADER
from coefvq.store.session import Store


def test_a_state_starts_empty_and_is_what_was_saved(store: Store) -> None:
    with store.write() as session:
        row = routing_state.locked(session, BUDGET, "icd/a")
        assert row.state == {}
        routing_state.save(row, {"tokens": 1.5})
    with store.read() as session:
        assert routing_state.peek(session, BUDGET, "icd/a") == {"tokens": 1.5}


def test_kinds_and_subjects_are_apart(store: Store) -> None:
    with store.write() as session:
        routing_state.save(routing_state.locked(session, BUDGET, "x"), {"n": 1})
        routing_state.save(routing_state.locked(session, UPLOADER, "x"), {"n": 2})
    with store.read() as session:
        assert routing_state.peek(session, BUDGET, "x") == {"n": 1}
        assert routing_state.peek(session, UPLOADER, "x") == {"n": 2}
        assert routing_state.peek(session, BUDGET, "y") == {}


def test_nothing_is_kept_when_an_error_leaves_the_transaction(store: Store) -> None:
    try:
        with store.write() as session:
            routing_state.save(routing_state.locked(session, BUDGET, "x"), {"n": 1})
            raise RuntimeError("halfway")
    except RuntimeError:
        pass
    with store.read() as session:
        assert routing_state.peek(session, BUDGET, "x") == {}


def test_workers_that_count_together_lose_nothing(store: Store) -> None:
    def work() -> None:
        for _ in range(15):
            with store.write() as session:
                row = routing_state.locked(session, BUDGET, "icd/a")
                routing_state.save(row, {"calls": row.state.get("calls", 0) + 1})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as session:
        assert routing_state.peek(session, BUDGET, "icd/a") == {"calls": 60}


def test_the_secret_is_made_once(store: Store) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(routing_state.audit_salt(store)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and len(set(found)) == 1
    assert len(found[0]) == 32
    assert routing_state.audit_salt(store) == found[0]


def test_a_store_of_the_first_schema_is_brought_up_to_date(store: Store) -> None:
    """Publications made before are no ways back."""
    from alembic import command

    with store.engine.begin() as connection:
        command.downgrade(migrate.config(connection), "0001")
        connection.execute(text("INSERT INTO routing_policies (version, rule, document, created_by,"
                                " created_at) VALUES ('a', 'entropy', '{}', 'ann',"
                                " '2026-01-01 00:00:00')"))  # fmt: skip
        connection.execute(text("INSERT INTO routing_publications (id, task, version, note,"
                                " published_by, published_at) VALUES ('1', 'icd', 'a', '', 'ann',"
                                " '2026-01-01 00:00:00')"))  # fmt: skip
    migrate.upgrade(store.engine)
    with store.engine.connect() as connection:
        marks = connection.execute(text("SELECT rollback FROM routing_publications")).all()
        assert [bool(mark) for (mark,) in marks] == [False]
        assert connection.execute(text("SELECT count(*) FROM routing_state")).scalar() == 0


def test_many_states_in_one_look(store: Store) -> None:
    with store.write() as session:
        for task in ("icd", "ucc"):
            subject = routing_state.of_version(task, "v")
            row = routing_state.locked(session, routing_state.ONLINE, subject)
            routing_state.save(row, {"task": task})
        routing_state.locked(session, routing_state.BUDGET, "icd/v")
    with store.read() as session:
        found = routing_state.peek_all(session, routing_state.ONLINE, ["icd/v", "icd/w"])
        assert found == {"icd/v": {"task": "icd"}}
        assert routing_state.peek_all(session, routing_state.ONLINE, []) == {}
