"""Routing with a store: policies in force, budgets and limits shared by all workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from coefvq.errors import RoutingError
from coefvq.router import Router
from coefvq.routing.policy import RoutingPolicy
from coefvq.settings import Settings
from coefvq.store import routing_policies, routing_state
from coefvq.store.session import Store, open_store
from coefvq.store.tables import RoutingStateRow


@runtime_checkable
class Routed(Protocol):
    """What has a router that can be told what is in force: the real cascade."""

    routing: Router


class StoredStates:
    """Budgets and limits in the store; each video is a short transaction of its own."""

    def __init__(self, store: Store):
        self._store = store

    @contextmanager
    def transaction(self, keep: bool) -> Iterator[_Locked | _Glance]:
        """Begin one. Kept states stay locked until it ends; a glance waits for nobody."""
        if not keep:
            with self._store.read() as session:
                yield _Glance(session)
            return
        with self._store.write() as session:
            yield _Locked(session)


class _Locked:
    def __init__(self, session: Session):
        self._session = session
        self._rows: dict[tuple[str, str], RoutingStateRow] = {}

    def get(self, kind: str, subject: str) -> dict[str, Any]:
        row = routing_state.locked(self._session, kind, subject)
        self._rows[kind, subject] = row
        return dict(row.state)

    def put(self, kind: str, subject: str, state: dict[str, Any]) -> None:
        routing_state.save(self._rows[kind, subject], state)


class _Glance:
    def __init__(self, session: Session):
        self._session = session

    def get(self, kind: str, subject: str) -> dict[str, Any]:
        return routing_state.peek(self._session, kind, subject)

    def put(self, kind: str, subject: str, state: dict[str, Any]) -> None:
        """Nothing is kept."""


class Follower:
    """Keeps a cascade's routing at what is published. Call ``refresh`` before each video.

    The cascade's budgets and limits are kept in the store from then on, and its random audits are
    drawn with the store's secret.
    """

    def __init__(self, store: Store):
        self._store = store
        self._router: Router | None = None
        self._loaded: dict[str, str] = {}

    def refresh(self, cascade: object) -> bool:
        """Put what is published in force; return whether it changed. One small query if not.

        Raises:
            RoutingError: A published policy cannot be read by this version of the program.
        """
        if not isinstance(cascade, Routed):
            return False
        router = cascade.routing
        if router is not self._router:
            router.remember(StoredStates(self._store), routing_state.audit_salt(self._store))
            self._router, self._loaded = router, {}
        with self._store.read() as session:
            versions = routing_policies.versions_in_force(session)
        if versions == self._loaded:
            return False
        router.use(policies_in_force(self._store))
        self._loaded = versions
        return True


def policies_in_force(store: Store) -> dict[str, RoutingPolicy]:
    """The published routing policies by task.

    Raises:
        RoutingError: One cannot be read; names it and says what to do.
    """
    with store.read() as session:
        found = {
            task: routing_policies.in_force(session, task)
            for task in routing_policies.versions_in_force(session)
        }
    return {task: _read(task, row.version, row.document) for task, row in found.items() if row}


def policies_without_keeping(settings: Settings) -> dict[str, RoutingPolicy]:
    """What is in force, for a call that keeps nothing: no store is made where there is none."""
    file = make_url(settings.url).database
    if settings.url.startswith("sqlite") and not (file and Path(file).is_file()):
        return {}
    with open_store(settings.url) as store:
        return policies_in_force(store)


def _read(task: str, version: str, document: dict[str, Any]) -> RoutingPolicy:
    try:
        return RoutingPolicy.from_json(document)
    except RoutingError as error:
        raise RoutingError(
            f"The routing policy {version}, in force for task {task}, cannot be used: {error} "
            f"Publish another, or go back with `coefvq routing rollback --task {task}`."
        ) from error
