"""Opening the store: folders, migrations, pragmas, transactions, errors."""

from __future__ import annotations

import multiprocessing
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from coefvq.errors import StoreError
from coefvq.settings import Settings
from coefvq.store import events, migrate
from coefvq.store.session import BUSY_TIMEOUT_MS, Store, open_store
from coefvq.store.tables import Base


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """The full-text index is each database's own, made by the migration alone."""
    return not (name or "").startswith(("video_words", "ix_video_texts_words"))


def test_the_folder_is_created_and_the_schema_is_what_the_tables_say(store: Store) -> None:
    with store.engine.connect() as connection:
        options = {"compare_type": True, "include_name": _is_ours}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_every_table_of_the_design_is_there(store: Store) -> None:
    wanted = {"media", "videos", "signals_cache", "assessments", "cases", "leases", "jobs"}
    wanted |= {"decisions", "drafts", "events", "routing_policies", "model_versions", "verdicts"}
    assert wanted <= set(inspect(store.engine).get_table_names())


def test_opening_again_changes_nothing(database_url: str) -> None:
    with open_store(database_url) as first, first.write() as session:
        events.append(session, "ann", "test", "thing", "1")
    with open_store(database_url) as again, again.read() as session:
        assert len(events.of_subject(session, "thing", "1")) == 1


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        pytest.param("journal_mode", "wal", id="write-ahead log"),
        pytest.param("synchronous", 1, id="normal"),
        pytest.param("busy_timeout", BUSY_TIMEOUT_MS, id="30 s of patience"),
        pytest.param("foreign_keys", 1, id="foreign keys"),
    ],
)
def test_sqlite_is_set_up(settings: Settings, pragma: str, value: object) -> None:
    with open_store(settings.url) as store, store.engine.connect() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


@pytest.mark.parametrize(
    ("url", "says"),
    [
        pytest.param("nonsense", "no database address", id="no address"),
        pytest.param("mysql://u@h/db", "only sqlite and postgresql", id="other database"),
        pytest.param("sqlite://", "SQLite file", id="in memory"),
        pytest.param("sqlite:////proc/nowhere/a.db", "COEFVQ_HOME", id="no such folder"),
        pytest.param("postgresql://nobody@127.0.0.1:1/none", "COEFVQ_DATABASE_URL", id="no server"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_with_the_remedy(url: str, says: str) -> None:
    with pytest.raises(StoreError, match=says):
        open_store(url)


def test_a_folder_in_the_way_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="COEFVQ_HOME"):
        open_store(f"sqlite:///{tmp_path}")


def test_a_database_of_a_newer_version_is_refused(settings: Settings) -> None:
    with open_store(settings.url) as store, store.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="newer"):
        open_store(settings.url)


def test_a_password_is_not_shown() -> None:
    store = Store(create_engine("postgresql+psycopg://ann:secret@host/db"))
    assert "secret" not in store.url


def test_write_commits_at_the_end(store: Store) -> None:
    with store.write() as session:
        events.append(session, "ann", "kept", "thing", "1")
    with store.read() as session:
        assert [row.kind for row in events.of_subject(session, "thing", "1")] == ["kept"]


def test_write_changes_nothing_when_an_error_leaves_it(store: Store) -> None:
    with pytest.raises(RuntimeError, match="halfway"), store.write() as session:
        events.append(session, "ann", "lost", "thing", "1")
        raise RuntimeError("halfway")
    with store.read() as session:
        assert events.of_subject(session, "thing", "1") == []


def test_read_keeps_nothing(store: Store) -> None:
    with store.read() as session:
        events.append(session, "ann", "lost", "thing", "1")
    with store.read() as session:
        assert events.of_subject(session, "thing", "1") == []


def test_writers_wait_for_one_another(store: Store) -> None:
    """Eight threads read and then write; none fails and no number is given twice."""

    def work(name: str) -> None:
        for _ in range(10):
            with store.write() as session:
                events.append(session, name, "counted", "thing", name)

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as session:
        assert sum(len(events.of_subject(session, "thing", str(n))) for n in range(8)) == 80
        assert events.verify(session) is None


def _open_and_say(url: str, barrier: object, results: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    with open_store(url) as store, store.write() as session:
        events.append(session, "process", "opened", "store", "1")
    results.put("fine")  # type: ignore[attr-defined]


def test_processes_may_open_an_empty_store_together(settings: Settings) -> None:
    spawn = multiprocessing.get_context("spawn")
    barrier, results = spawn.Barrier(3), spawn.Queue()
    started = [
        spawn.Process(target=_open_and_say, args=(settings.url, barrier, results)) for _ in range(3)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join(60)
    assert [process.exitcode for process in started] == [0, 0, 0]
    with open_store(settings.url) as store, store.read() as session:
        assert len(events.of_subject(session, "store", "1")) == 3


def test_the_migrations_can_be_taken_back_and_done_again(store: Store) -> None:
    from alembic import command

    with store.engine.begin() as connection:
        command.downgrade(migrate.config(connection), "base")
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    migrate.upgrade(store.engine)
    assert "decisions" in inspect(store.engine).get_table_names()


def test_there_is_one_line_of_migrations() -> None:
    assert len(ScriptDirectory.from_config(migrate.config()).get_heads()) == 1
