"""Routing with a store: shared budgets, and a cascade that follows what is published."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from coefvq.errors import RoutingError
from coefvq.escalations import Escalations
from coefvq.router import Router
from coefvq.routing.entropy import EntropyRouting
from coefvq.routing.limits import UploaderLimits
from coefvq.routing.one_video import Seen
from coefvq.routing.policy import RoutingPolicy
from coefvq.settings import Settings
from coefvq.store import routing_policies, routing_state
from coefvq.store.session import Store, open_store
from coefvq.store.tables import RoutingStateRow
from coefvq.work.routing import (
    Follower,
    StoredStates,
    policies_in_force,
    policies_without_keeping,
)
from tests.routing_factory import policy
from tests.store_factory import FixedCascade

UNSURE, SURE = {"icd": Seen(0.5, key="a icd")}, {"icd": Seen(0.01, key="b icd")}


def publish(store: Store, made: RoutingPolicy, task: str = "icd") -> str:
    with store.write() as session:
        routing_policies.add(session, made.version, made.rule, made.to_json(), "ann")
        routing_policies.publish(session, task, made.version, "ann")
    return made.version


def router(store: Store, limits: UploaderLimits | None = None, **policies: RoutingPolicy) -> Router:
    """As a worker of its own would have it."""
    made = Router(EntropyRouting(0.6, 0.6), escalations=Escalations(limits=limits))
    made.remember(StoredStates(store), "salt")
    made.use(policies)
    return made


def budget(store: Store, version: str) -> dict:
    with store.read() as session:
        return routing_state.peek(session, "budget", f"icd/{version}")


def test_two_workers_count_in_one_budget(store: Store) -> None:
    made = policy()
    for worker in (router(store, icd=made), router(store, icd=made)):
        worker.after_prefilter(UNSURE)
        worker.after_prefilter(SURE)
    state = budget(store, made.version)
    assert (state["seen"], state["calls"]) == (4, 2)


def test_workers_at_the_same_time_never_exceed_the_cap(store: Store) -> None:
    made = policy(budget=0.1)
    granted: list[bool] = []

    def work() -> None:
        mine = router(store, icd=made)
        for _ in range(15):
            route = mine.after_prefilter({"icd": Seen(None, gaps=("scam_spam",))})["icd"].route
            granted.append(route.escalated)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = budget(store, made.version)
    assert len(granted) == 60 and state["seen"] == 60
    assert state["calls"] == sum(granted) <= 0.1 * 60 + state["burst"]
    assert state["shed"] == 60 - sum(granted) > 0


def test_an_uploaders_limit_holds_over_all_workers_and_names_nobody(store: Store) -> None:
    limits = UploaderLimits(2, 2)
    calls = [
        router(store, limits).after_prefilter(UNSURE, "ann")["icd"].route.escalated
        for _ in range(4)
    ]
    assert calls == [True, True, False, False]
    with store.read() as session:
        (row,) = session.query(RoutingStateRow).filter_by(kind="uploader").all()
    assert "ann" not in row.subject


def test_a_glance_keeps_nothing(store: Store) -> None:
    made = policy()
    assert router(store, icd=made).after_prefilter(UNSURE, spend=False)["icd"].route.escalated
    assert budget(store, made.version) == {}


def test_a_cascade_follows_what_is_published(store: Store) -> None:
    cascade = SimpleNamespace(routing=Router(EntropyRouting(0.6, 0.6)))
    follower = Follower(store)
    assert not follower.refresh(cascade)
    first, second = policy(), policy(budget=0.2)
    for made in (first, second):
        publish(store, made)
        assert follower.refresh(cascade) and not follower.refresh(cascade)
        assert cascade.routing.version("icd") == made.version
    with store.write() as session:
        routing_policies.rollback(session, "icd", "ann")
    assert follower.refresh(cascade)
    assert cascade.routing.version("icd") == first.version
    assert cascade.routing.version("ucc") == "entropy-0.6-0.6"


def test_budgets_and_audits_are_the_stores_from_the_first_look_on(store: Store) -> None:
    made = policy()
    publish(store, made)
    cascade = SimpleNamespace(routing=Router(EntropyRouting(0.6, 0.6), audit_share=0.5))
    Follower(store).refresh(cascade)
    cascade.routing.after_prefilter(UNSURE)
    assert budget(store, made.version)["calls"] == 1
    passed = cascade.routing.after_prefilter({"ucc": Seen(0.01)})["ucc"].route
    assert cascade.routing.audited("ucc", "a ucc", passed).propensity == 0.5


def test_a_stand_in_without_routing_is_left_alone(store: Store) -> None:
    assert not Follower(store).refresh(FixedCascade())


def test_a_policy_that_cannot_be_read_stops_the_routing_and_says_what_to_do(store: Store) -> None:
    with store.write() as session:
        routing_policies.add(session, "learned-x", "learned", {"format": 99}, "ann")
        routing_policies.publish(session, "icd", "learned-x", "ann")
    with pytest.raises(RoutingError) as found:
        policies_in_force(store)
    message = str(found.value)
    assert "learned-x, in force for task icd" in message
    assert "coefvq routing rollback --task icd" in message


def test_what_keeps_nothing_makes_no_store(settings: Settings) -> None:
    assert policies_without_keeping(settings) == {}
    assert not settings.home.exists()


def test_what_keeps_nothing_still_routes_by_what_is_published(settings: Settings) -> None:

    made = policy()
    with open_store(settings.url) as store:
        publish(store, made)
    assert {task: each.version for task, each in policies_without_keeping(settings).items()} == {
        "icd": made.version
    }
