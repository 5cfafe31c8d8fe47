"""People for tests. Their passwords are hashed with the least effort: only the outcome counts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from coefvq.review import passwords, users
from coefvq.review.access import ROLES
from coefvq.store.session import Store

PASSWORD = "correct horse battery"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hash in microseconds."""
    monkeypatch.setattr(passwords, "HASHER", QUICK)
    yield


def add_one_a_role(store: Store) -> None:
    """A viewer called ``viewer``, a lead called ``lead``, …; all with ``PASSWORD``."""
    for role in ROLES:
        users.add(store, users.OPERATOR, role, PASSWORD, [role])
