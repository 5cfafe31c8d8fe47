"""Saved filters."""

from __future__ import annotations

import pytest

from coefvq.errors import NotAllowed, StoreError
from coefvq.review import filters
from coefvq.review.access import Actor
from coefvq.store.session import Store
from tests.store_factory import ANN, BOB

LEAD = Actor("lea", frozenset({"lead"}))


def names(store: Store, actor: Actor, page: str = "library") -> list[tuple[str, str, bool, bool]]:
    found = filters.list_filters(store, actor, page)
    return [(each.name, each.query, each.shared, each.mine) for each in found]


def test_ones_own_and_the_shared_ones_are_listed(store: Store) -> None:
    filters.save(store, ANN, "library", "Spam", "task=icd")
    filters.save(store, BOB, "library", "Bob's", "x=1")
    filters.save(store, LEAD, "library", "All late", "late=1", shared=True)
    filters.save(store, ANN, "review", "Elsewhere", "")
    assert names(store, ANN) == [
        ("All late", "late=1", True, False),
        ("Spam", "task=icd", False, True),
    ]
    assert names(store, ANN, "review") == [("Elsewhere", "", False, True)]


def test_the_same_name_replaces(store: Store) -> None:
    first = filters.save(store, ANN, "library", "Spam", "a=1")
    again = filters.save(store, ANN, "library", " Spam ", "a=2")
    assert first.id == again.id
    assert names(store, ANN) == [("Spam", "a=2", False, True)]


@pytest.mark.parametrize(
    ("page", "name", "query", "says"),
    [
        pytest.param("library", " ", "a=1", "has no name", id="no name"),
        pytest.param("", "Spam", "a=1", "has no name", id="no page"),
        pytest.param("library", "Spam", "a" * 2001, "too long", id="long"),
    ],
)
def test_what_is_no_filter(store: Store, page: str, name: str, query: str, says: str) -> None:
    with pytest.raises(StoreError, match=says):
        filters.save(store, ANN, page, name, query)


def test_there_is_an_end_to_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "MOST", 2)
    for name in ("a", "b"):
        filters.save(store, ANN, "library", name, "")
    filters.save(store, ANN, "library", "b", "changed")
    with pytest.raises(StoreError, match="delete one first"):
        filters.save(store, ANN, "library", "c", "")


def test_only_a_lead_shares(store: Store) -> None:
    with pytest.raises(NotAllowed):
        filters.save(store, ANN, "library", "Spam", "a=1", shared=True)
    assert names(store, BOB) == []


@pytest.mark.parametrize(
    ("owner", "shared", "actor", "allowed"),
    [
        pytest.param(ANN, False, ANN, True, id="ones own"),
        pytest.param(ANN, False, BOB, False, id="somebody else's"),
        pytest.param(ANN, False, LEAD, False, id="not even a lead"),
        pytest.param(LEAD, True, ANN, False, id="a shared one"),
        pytest.param(LEAD, True, Actor("max", frozenset({"admin"})), True, id="by another lead"),
    ],
)
def test_who_deletes(store: Store, owner: Actor, shared: bool, actor: Actor, allowed: bool) -> None:
    made = filters.save(store, owner, "library", "Spam", "a=1", shared)
    if allowed:
        filters.delete(store, actor, made.id)
        filters.delete(store, actor, made.id)
        assert names(store, owner) == []
        return
    with pytest.raises(NotAllowed):
        filters.delete(store, actor, made.id)
    assert len(names(store, owner)) == 1
