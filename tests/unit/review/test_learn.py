"""Decisions move certified thresholds, in the transaction that stores them."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from typing import Any

import pytest

from coefvq.domain import Route, RouteName
from coefvq.errors import CoefVQError
from coefvq.review import decide, learn, queue
from coefvq.review.access import Actor
from coefvq.review.views import DecisionForm
from coefvq.routing.audit import AuditPlan
from coefvq.routing.online import OnlineThresholds
from coefvq.routing.policy import RoutingPolicy, Thresholds
from coefvq.routing.published import BETWEEN
from coefvq.settings import Settings
from coefvq.store import decisions, events, leases, routing_policies, routing_state
from coefvq.store.session import Store
from tests.routing_factory import certified, policy
from tests.store_factory import ANN, BOB, route, scored

CUT = Thresholds(0.9, call_from=0.5, pass_below=0.3, flag_from=0.7)
POLICY = certified(thresholds=CUT, audit=AuditPlan(people=0.05, mllm=0.0))
STEP = 0.02 * 0.3
MISSED = STEP * 0.95
REMOVE = DecisionForm({"hate_harassment": True}, "remove", {"hate_harassment": "slur"})
KEEP = DecisionForm({}, "keep")


def publish(store: Store, made: RoutingPolicy) -> None:
    with store.write() as session:
        routing_policies.add(session, made.version, made.rule, made.to_json(), "ann")
        routing_policies.publish(session, "icd", made.version, "ann")


@dataclass
class World:
    """A store with a published policy, whose cases are scored and decided."""

    store: Store
    settings: Settings
    policy: RoutingPolicy = POLICY
    number: int = 0

    def case(self, name: RouteName = RouteName.AUTO_PASS, p: float = 0.1, **changes: Any) -> str:
        self.number += 1
        sent = name in (RouteName.HUMAN, RouteName.MLLM)
        given = {"audit": not sent, "propensity": 1.0 if sent else 0.05, "reason": BETWEEN}
        way: Route = route(name, **({"version": self.policy.version} | given | changes))
        content = f"video {self.number}".encode()
        routes, icd = {"icd": way}, {"hate_harassment": p}
        return scored(self.store, self.settings, content, routes=routes, icd=icd)["icd"]

    def decide(self, case_id: str, form: DecisionForm = REMOVE, actor: Actor = ANN) -> None:
        token = self.open(case_id, actor)
        decide.submit(self.store, self.settings, actor, case_id, token, form)

    def open(self, case_id: str, actor: Actor) -> int:
        lease = queue.open_case(self.store, self.settings, actor, case_id).lease
        assert lease is not None and lease.token is not None
        return lease.token

    def kept(self) -> dict[str, Any]:
        subject = routing_state.of_version("icd", self.policy.version)
        with self.store.read() as session:
            return routing_state.peek(session, routing_state.ONLINE, subject)

    def state(self) -> OnlineThresholds:
        return OnlineThresholds.from_json(self.kept()["thresholds"])

    def alarms(self) -> list[dict[str, Any]]:
        with self.store.read() as session:
            found = events.of_subject(session, "task", "icd")
            return [event.data for event in found if event.kind == learn.BOUND_HIT]


@pytest.fixture
def world(store: Store, settings: Settings) -> World:
    publish(store, POLICY)
    return World(store, settings)


def test_a_missed_violation_makes_passing_rarer(world: World) -> None:
    world.decide(world.case())
    state = world.state()
    assert state.auto_pass.value == pytest.approx(0.3 - MISSED)
    assert (state.auto_flag.value, state.escalation.value, state.applied) == (0.7, 0.9, 1)
    assert world.alarms() == []


def test_what_was_caught_moves_it_back(world: World) -> None:
    world.decide(world.case())
    world.decide(world.case(RouteName.HUMAN, 0.5))
    assert world.state().auto_pass.value == pytest.approx(0.3 - MISSED + STEP / 20 * 0.05)
    assert world.state().applied == 2


@pytest.mark.parametrize(
    ("case", "form"),
    [
        pytest.param({"audit": False}, REMOVE, id="nobody drew it"),
        pytest.param({"version": "entropy-0.9-0.8"}, REMOVE, id="routed by another rule"),
    ],
)
def test_what_teaches_nothing(world: World, case: dict, form: DecisionForm) -> None:
    world.decide(world.case(**case), form)
    assert world.kept().get("thresholds") is None


def test_without_a_certificate_nothing_learns(store: Store, settings: Settings) -> None:
    made = policy(thresholds=CUT, audit=AuditPlan(0.05, 0.0))
    publish(store, made)
    world = World(store, settings, made)
    for _ in range(2):
        world.decide(world.case())
        assert world.kept() == {"fixed": True}


def test_before_the_first_publication_nothing_learns(store: Store, settings: Settings) -> None:
    world = World(store, settings)
    world.decide(world.case())
    assert world.kept() == {}


def test_a_policy_out_of_force_learns_no_more(world: World) -> None:
    case_id = world.case()
    publish(world.store, replace(POLICY, budget=0.2))
    world.decide(case_id)
    assert world.kept() == {}


def test_learning_can_be_switched_off(world: World) -> None:
    world.settings = world.settings.model_copy(update={"learn_online": False})
    world.decide(world.case())
    assert world.kept() == {}


def test_the_same_answer_on_a_case_is_one_step(world: World) -> None:
    case_id = world.case()
    world.decide(case_id)
    world.decide(case_id, actor=BOB)
    assert world.state().applied == 1
    world.decide(case_id, KEEP, BOB)
    assert world.state().applied == 2


def test_an_undo_does_not_take_the_step_back(world: World) -> None:
    case_id = world.case()
    world.decide(case_id)
    before = world.state()
    decide.undo_last(world.store, world.settings, ANN)
    assert world.state() == before
    world.decide(case_id)
    assert world.state() == before


def test_a_killed_transaction_leaves_neither_decision_nor_step(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = world.case()
    stepped: list[bool] = []

    def killed(*_: object) -> None:
        stepped.append(True)
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(leases, "end", killed)
        with pytest.raises(RuntimeError, match="killed"):
            world.decide(case_id)
    with world.store.read() as session:
        assert stepped and decisions.of_case(session, case_id) == []
    assert world.kept() == {}
    world.decide(case_id)
    assert world.state().applied == 1


def test_reviewers_at_the_same_time_lose_no_step(world: World) -> None:
    people = [Actor(f"reviewer {k}", frozenset({"reviewer"})) for k in range(8)]
    held = [(actor, case_id, world.open(case_id, actor))
            for actor in people for case_id in [world.case()]]  # fmt: skip
    together = threading.Barrier(len(held))
    failed: list[CoefVQError] = []

    def work(actor: Actor, case_id: str, token: int) -> None:
        together.wait(10)
        try:
            decide.submit(world.store, world.settings, actor, case_id, token, REMOVE)
        except CoefVQError as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=each) for each in held]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert world.state().applied == 8
    assert world.state().auto_pass.value == pytest.approx(0.3 - 8 * MISSED)
    with world.store.read() as session:
        assert events.verify(session) is None


def test_nothing_automatic_and_still_missed_is_an_alarm_once(world: World) -> None:
    edge = OnlineThresholds.from_json(_at(world, 0.002))
    assert edge.auto_pass.value == 0.002
    for _ in range(3):
        world.decide(world.case(p=0.0))
    assert world.state().auto_pass.value == pytest.approx(0.0, abs=2e-3)
    (alarm,) = world.alarms()
    assert (alarm["threshold"], alarm["version"]) == ("auto_pass", POLICY.version)
    assert "fit again" in alarm["advice"]
    assert world.kept()["told"] == ["auto_pass"]


def _at(world: World, pass_below: float) -> dict[str, Any]:
    """Put the threshold near its safe end."""
    world.decide(world.case(RouteName.HUMAN, 0.5))
    kept = world.kept()
    kept["thresholds"]["auto_pass"]["value"] = pass_below
    with world.store.write() as session:
        subject = routing_state.of_version("icd", POLICY.version)
        row = routing_state.locked(session, routing_state.ONLINE, subject)
        routing_state.save(row, kept)
    return dict(kept["thresholds"])


def test_a_policy_that_cannot_be_read_stops_no_decision(
    store: Store, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with store.write() as session:
        routing_policies.add(session, "learned-x", "learned", {"format": 99}, "ann")
        routing_policies.publish(session, "icd", "learned-x", "ann")
    world = World(store, settings)
    case_id = world.case(version="learned-x")
    with caplog.at_level(logging.WARNING, "coefvq.review.learn"):
        world.decide(case_id)
    with store.read() as session:
        assert len(decisions.of_case(session, case_id)) == 1
    assert "task icd learns nothing" in caplog.text and "Fit it again" in caplog.text


def test_the_decisions_of_a_task_reach_only_its_own_state(world: World) -> None:
    world.decide(world.case())
    with world.store.read() as session:
        subject = routing_state.of_version("ucc", POLICY.version)
        assert routing_state.peek(session, routing_state.ONLINE, subject) == {}
