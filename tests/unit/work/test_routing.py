"""Routing with a store: shared budgets, and a cascade that follows what is published."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from coefvq.domain import RouteName
from coefvq.errors import RoutingError
from coefvq.escalations import Escalations
from coefvq.review import decide, queue
from coefvq.review.views import DecisionForm
from coefvq.router import Router
from coefvq.routing.audit import AuditPlan
from coefvq.routing.entropy import EntropyRouting
from coefvq.routing.limits import UploaderLimits
from coefvq.routing.one_video import Seen
from coefvq.routing.policy import RoutingPolicy, Thresholds
from coefvq.settings import Settings
from coefvq.store import routing_policies, routing_state
from coefvq.store.session import Store, open_store
from coefvq.store.tables import RoutingStateRow
from coefvq.work.routing import (
    Follower,
    StoredStates,
    learn_without_keeping,
    learnt_in_force,
    policies_in_force,
    policies_without_keeping,
)
from tests.routing_factory import certified, policy
from tests.store_factory import ANN, FixedCascade, route, scored

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


CUT = Thresholds(0.9, call_from=0.5, pass_below=0.3, flag_from=0.7)
LEARNING = certified(thresholds=CUT, audit=AuditPlan(people=0.05, mllm=0.0))


def miss_one(store: Store, settings: Settings, made: RoutingPolicy, content: bytes = b"1") -> None:
    """An audited outcome that should not have passed."""
    drawn = route(RouteName.AUTO_PASS, version=made.version, audit=True, propensity=0.05)
    ways, icd = {"icd": drawn}, {"hate_harassment": 0.29}
    case_id = scored(store, settings, content, routes=ways, icd=icd)["icd"]
    lease = queue.open_case(store, settings, ANN, case_id).lease
    assert lease is not None and lease.token is not None
    form = DecisionForm({"hate_harassment": True}, "remove", {"hate_harassment": "slur"})
    decide.submit(store, settings, ANN, case_id, lease.token, form)


def test_the_next_video_is_routed_with_what_decisions_taught(
    store: Store, settings: Settings
) -> None:
    publish(store, LEARNING)
    worker = SimpleNamespace(routing=Router(EntropyRouting(0.6, 0.6)))
    follower, seen = Follower(store), {"icd": Seen(0.299, key="c icd")}
    assert follower.refresh(worker)
    assert worker.routing.after_prefilter(seen)["icd"].route.name is RouteName.AUTO_PASS
    miss_one(store, settings, LEARNING)
    assert follower.refresh(worker) and not follower.refresh(worker)
    found = worker.routing.after_prefilter(seen)["icd"].route
    assert (found.name, found.version) == (RouteName.HUMAN, LEARNING.version)
    assert found.reason.endswith("learnt online, step 1: pass below 0.2943, flag from 0.7")


def test_a_new_version_starts_afresh_and_the_old_one_where_it_was(
    store: Store, settings: Settings
) -> None:
    publish(store, LEARNING)
    miss_one(store, settings, LEARNING)
    worker = SimpleNamespace(routing=Router(EntropyRouting(0.6, 0.6)))
    follower, seen = Follower(store), {"icd": Seen(0.299, key="c icd")}

    def next_route() -> RouteName:
        assert follower.refresh(worker)
        return worker.routing.after_prefilter(seen)["icd"].route.name

    names = [next_route()]
    publish(store, replace(LEARNING, budget=0.4))
    names.append(next_route())
    with store.write() as session:
        routing_policies.rollback(session, "icd", "ann")
    names.append(next_route())
    assert names == [RouteName.HUMAN, RouteName.AUTO_PASS, RouteName.HUMAN]


def test_a_router_that_must_not_learn_keeps_what_was_certified(
    store: Store, settings: Settings
) -> None:
    publish(store, LEARNING)
    miss_one(store, settings, LEARNING)
    off = Router.from_settings(settings.model_copy(update={"learn_online": False}))
    worker = SimpleNamespace(routing=off)
    Follower(store).refresh(worker)
    found = worker.routing.after_prefilter({"icd": Seen(0.299, key="c icd")})["icd"].route
    assert found.name is RouteName.AUTO_PASS


def test_what_keeps_nothing_routes_with_what_was_learnt(settings: Settings) -> None:
    made = Router(EntropyRouting(0.6, 0.6))
    learn_without_keeping(settings, made)
    assert not settings.home.exists()
    with open_store(settings.url) as store:
        publish(store, LEARNING)
        miss_one(store, settings, LEARNING)
    made.use(policies_without_keeping(settings))
    learn_without_keeping(settings, made)
    found = made.after_prefilter({"icd": Seen(0.299, key="c icd")})["icd"].route
    assert found.name is RouteName.HUMAN and "step 1" in found.reason


def test_before_anything_is_published_nothing_is_learnt(store: Store) -> None:
    with store.read() as session:
        assert learnt_in_force(session, {}) == {}
        assert learnt_in_force(session, {"icd": "x"}) == {}


def test_a_policy_without_a_certificate_learns_nothing(store: Store, settings: Settings) -> None:
    made = policy(audit=AuditPlan(people=0.05, mllm=0.0))
    version = publish(store, made)
    miss_one(store, settings, made)
    with store.read() as session:
        assert learnt_in_force(session, {"icd": version}) == {}
