"""Taxonomies in the store: which is in force, what was, and processes that follow."""

from __future__ import annotations

import pytest
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from coefvq import taxonomy
from coefvq.settings import Settings
from coefvq.store import events, taxonomies
from coefvq.store.session import Store, open_store
from coefvq.store.tables import TaxonomyRow
from coefvq.taxonomy.read import Document, packaged_document
from tests import taxonomy_factory as make


def publish(store: Store, found: Document, note: str = "why") -> TaxonomyRow:
    with store.write() as session:
        taxonomies.lock(session)
        return taxonomies.add(session, found, note, "lea")


def test_a_new_store_has_what_comes_with_the_program(store: Store) -> None:
    with store.read() as session:
        assert taxonomies.newest(session) is None
        assert taxonomies.history(session) == []
        assert taxonomies.at(session, taxonomy.packaged().version) is taxonomy.packaged()
        assert taxonomies.at(session, None) is taxonomies.at(session, "7-nothing") is None
    assert not taxonomies.follow(store)


def test_versions_are_numbered_named_by_content_and_logged(store: Store) -> None:
    one, two = publish(store, make.with_policy("gambling")), publish(store, make.document(), "back")
    assert (one.number, two.number) == (1, 2)
    assert one.version != two.version
    with store.read() as session:
        rows = taxonomies.history(session)
        assert [row.number for row in rows] == [2, 1, 0]
        assert rows[2].version == taxonomy.packaged().version
        assert rows[2].document == rows[0].document == packaged_document()
        logged = events.of_subject(session, "taxonomy", one.version)
        assert events.verify(session) is None
    assert [(event.actor, event.kind, event.data["note"]) for event in logged] == [
        ("lea", "taxonomy.published", "why")
    ]


def test_a_process_follows_its_store(store: Store) -> None:
    made = publish(store, make.with_task("health", "quackery"))
    assert "health" not in taxonomy.tasks()
    assert taxonomies.follow(store) and not taxonomies.follow(store)
    assert taxonomy.version() == made.version and "quackery" in taxonomy.policies()
    with store.read() as session:
        assert taxonomies.at(session, made.version) is taxonomy.in_force(), "read once"


def test_two_stores_in_one_process_do_not_mix(store: Store, settings: Settings) -> None:
    publish(store, make.with_policy("gambling"))
    taxonomies.follow(store)
    other = Settings(home=settings.home / "other")
    with open_store(other.url) as second:
        assert "gambling" not in taxonomy.policies(), "opening a store puts its own in force"
        assert taxonomies.follow(store) and "gambling" in taxonomy.policies()
        assert taxonomies.follow(second) and "gambling" not in taxonomy.policies()


def test_a_task_that_is_gone_is_as_it_was_last(store: Store) -> None:
    publish(store, make.with_task("health", "quackery"))
    publish(store, make.document())
    taxonomies.follow(store)
    with store.read() as session:
        assert taxonomies.task_of(session, "icd") is taxonomy.task("icd")
        gone = taxonomies.task_of(session, "health")
        assert [policy.id for policy in gone.policies] == ["quackery"]
        assert taxonomies.task_of(session, "never").policies == ()


def test_versions_cannot_be_changed(store: Store) -> None:
    publish(store, make.with_policy("gambling"))
    with pytest.raises(DBAPIError), store.write() as session:
        session.execute(update(TaxonomyRow).values(note="another"))
