"""Routing with a store: policies in force, budgets and limits shared by all workers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from coefvq.errors import RoutingError
from coefvq.router import Router, Trial
from coefvq.routing import learnt
from coefvq.routing.online import OnlineThresholds
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.published import Learnt
from coefvq.settings import Settings
from coefvq.store import routing_policies, routing_state, trials
from coefvq.store.session import Store, open_store
from coefvq.store.tables import RoutingStateRow

log = logging.getLogger(__name__)


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


@dataclass(frozen=True)
class _Known:
    """What a look at the store found: a change of any part is followed."""

    versions: dict[str, str]
    learnt: dict[str, Learnt]
    trials: tuple[tuple[str, str, str, str, float], ...] = ()


class Follower:
    """Keeps a cascade's routing at what is published. Call ``refresh`` before each video.

    The cascade's budgets and limits are kept in the store from then on, and its random audits are
    drawn with the store's secret. Thresholds follow what decisions have taught.

    Args:
        trials: Whether trials count, as they do for uploads; not for what is only tried out.
    """

    def __init__(self, store: Store, trials: bool = True):
        self._store = store
        self._trials = trials
        self._router: Router | None = None
        self._followed = _Known({}, {})

    def refresh(self, cascade: object) -> bool:
        """Put what is published, learnt and tried in force; return whether it changed.

        Three small queries where it did not. All of it is of one moment, and the routing takes
        it over in one step.

        Raises:
            RoutingError: A published policy cannot be read by this version of the program.
        """
        if not isinstance(cascade, Routed):
            return False
        router = cascade.routing
        if router is not self._router:
            router.remember(StoredStates(self._store), routing_state.audit_salt(self._store))
            self._router, self._followed = router, _Known({}, {})
        with self._store.read() as session:
            found = self._look(session)
            if found == self._followed:
                return False
            policies = _policies(session)
            tried = _trials(session, found)
        splits, shadows = (tried.get(kind, {}) for kind in (trials.SPLIT, trials.SHADOW))
        router.follow(policies, found.learnt, splits, shadows)
        self._followed = found
        return True

    def _look(self, session: Session) -> _Known:
        versions = routing_policies.versions_in_force(session)
        learnt = learnt_in_force(session, versions)
        rows = trials.running(session) if self._trials else []
        return _Known(
            versions, learnt, tuple((r.task, r.kind, r.id, r.version, r.share) for r in rows)
        )


def policies_in_force(store: Store) -> dict[str, RoutingPolicy]:
    """The published routing policies by task.

    Raises:
        RoutingError: One cannot be read; names it and says what to do.
    """
    with store.read() as session:
        return _policies(session)


def _policies(session: Session) -> dict[str, RoutingPolicy]:
    found = {
        task: routing_policies.in_force(session, task)
        for task in routing_policies.versions_in_force(session)
    }
    return {task: _read(task, row.version, row.document) for task, row in found.items() if row}


def _trials(session: Session, found: _Known) -> dict[str, dict[str, Trial]]:
    """Trials by kind and task; one whose policy cannot be read decides nothing."""
    tried: dict[str, dict[str, Trial]] = {}
    for task, kind, trial_id, version, share in found.trials:
        try:
            policy = RoutingPolicy.from_json(routing_policies.get(session, version).document)
        except RoutingError as error:
            log.warning("trial %s of task %s has no effect: %s", trial_id, task, error)
            continue
        tried.setdefault(kind, {})[task] = Trial(trial_id, policy, share)
    return tried


def learnt_in_force(session: Session, versions: Mapping[str, str]) -> dict[str, Learnt]:
    """What decisions have taught the routing policies in force, by task.

    Raises:
        RoutingError: A state cannot be read.
    """
    subjects = {routing_state.of_version(task, name): task for task, name in versions.items()}
    if not subjects:
        return {}
    states = routing_state.peek_all(session, routing_state.ONLINE, subjects)
    return {
        subjects[subject]: learnt.in_force(OnlineThresholds.from_json(state["thresholds"]))
        for subject, state in states.items()
        if "thresholds" in state
    }


def policies_without_keeping(settings: Settings) -> dict[str, RoutingPolicy]:
    """What is in force, for a call that keeps nothing: no store is made where there is none."""
    if not store_is_there(settings):
        return {}
    with open_store(settings.url) as store:
        return policies_in_force(store)


def learn_without_keeping(settings: Settings, router: Router) -> None:
    """Tell a router that keeps nothing what decisions have taught so far.

    Raises:
        RoutingError: A state cannot be read.
    """
    if not store_is_there(settings):
        return
    with open_store(settings.url) as store, store.read() as session:
        router.learn(learnt_in_force(session, routing_policies.versions_in_force(session)))


def store_is_there(settings: Settings) -> bool:
    file = make_url(settings.url).database
    return not settings.url.startswith("sqlite") or bool(file and Path(file).is_file())


def _read(task: str, version: str, document: dict[str, Any]) -> RoutingPolicy:
    try:
        return RoutingPolicy.from_json(document)
    except RoutingError as error:
        raise RoutingError(
            f"The routing policy {version}, in force for task {task}, cannot be used: {error} "
            f"Publish another, or go back with `coefvq routing rollback --task {task}`."
        ) from error
