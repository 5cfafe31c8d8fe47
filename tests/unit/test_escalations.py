"""Budgets and limits of one video's tasks, in this process's memory."""

from __future__ import annotations

import threading

import pytest

from coefvq.escalations import Asking, Escalations, MemoryStates
from coefvq.routing.entropy import EntropyRouting
from coefvq.routing.limits import UploaderLimits
from coefvq.routing.one_video import Grant, Seen, SettingsRouting, TaskRouting
from coefvq.routing.policy import Thresholds
from coefvq.routing.published import PublishedRouting
from tests.routing_factory import policy

ENTROPY = EntropyRouting(0.6, 0.6)
SETTINGS = SettingsRouting(ENTROPY)
DUE, SURE = Seen(0.5), Seen(0.01)
TWO = UploaderLimits(per_hour=2, burst=2)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def asking(seen: Seen, routing: TaskRouting = SETTINGS, drawn: bool = False) -> Asking:
    return Asking(routing, seen, routing.demand(seen, drawn))


def published(**changes: object) -> PublishedRouting:
    return PublishedRouting(policy(**changes), ENTROPY)


def ask(
    escalations: Escalations, uploader: str | None = None, spend: bool = True, **tasks: Asking
) -> dict[str, Grant]:
    return escalations.decide(tasks, uploader, spend)


def counts(states: MemoryStates, routing: PublishedRouting) -> tuple[int, int]:
    with states.transaction(False) as view:
        state = view.get("budget", f"icd/{routing.version}")
    return state.get("seen", 0), state.get("calls", 0)


def test_the_settings_rule_has_no_budget_and_no_state() -> None:
    class Untouchable(MemoryStates):
        def transaction(self, keep: bool):  # type: ignore[no-untyped-def]
            raise AssertionError("no transaction is needed")

    found = ask(Escalations(Untouchable(), TWO), "ann", icd=asking(SURE), ucc=asking(SURE))
    assert [grant.call for grant in found.values()] == [False, False]
    assert ask(Escalations(Untouchable(), TWO), None, icd=asking(DUE))["icd"].call


def test_every_item_is_counted_and_every_call() -> None:
    states, routing = MemoryStates(), published()
    escalations = Escalations(states)
    for seen in (DUE, SURE, SURE):
        ask(escalations, icd=asking(seen, routing))
    assert counts(states, routing) == (3, 1)


def test_a_question_alone_spends_nothing() -> None:
    states, routing = MemoryStates(), published()
    found = ask(Escalations(states, TWO), "ann", spend=False, icd=asking(DUE, routing))
    assert found["icd"].call and counts(states, routing) == (0, 0)


def test_an_error_leaves_the_states_as_they_were() -> None:
    states = MemoryStates()
    with pytest.raises(RuntimeError, match="halfway"), states.transaction(True) as view:
        view.put("budget", "x", {"n": 1})
        raise RuntimeError("halfway")
    with states.transaction(True) as view:
        assert view.get("budget", "x") == {}


def test_an_uploader_over_the_limit_goes_to_people() -> None:
    escalations = Escalations(limits=TWO, clock=Clock())
    grants = [ask(escalations, "ann", icd=asking(DUE))["icd"] for _ in range(3)]
    assert [grant.call for grant in grants] == [True, True, False]
    assert grants[-1].person and "this uploader used up 2 escalations" in grants[-1].refused
    assert ask(escalations, "bob", icd=asking(DUE))["icd"].call
    assert ask(escalations, None, icd=asking(DUE))["icd"].call


def test_the_limit_fills_up_again() -> None:
    clock = Clock()
    escalations = Escalations(limits=TWO, clock=clock)
    for _ in range(3):
        ask(escalations, "ann", icd=asking(DUE))
    clock.now = 1800.0
    assert ask(escalations, "ann", icd=asking(DUE))["icd"].call
    assert not ask(escalations, "ann", icd=asking(DUE))["icd"].call


def test_a_video_takes_one_escalation_however_many_tasks_ask() -> None:
    escalations = Escalations(limits=TWO, clock=Clock())
    for _ in range(2):
        found = ask(escalations, "ann", icd=asking(DUE), ucc=asking(DUE))
        assert all(grant.call for grant in found.values())
    found = ask(escalations, "ann", icd=asking(DUE), ucc=asking(DUE))
    assert not any(grant.call for grant in found.values())


def test_what_the_limit_refuses_costs_the_budget_nothing() -> None:
    states, routing = MemoryStates(), published()
    escalations = Escalations(states, UploaderLimits(1, 1), Clock())
    for _ in range(5):
        ask(escalations, "flood", icd=asking(DUE, routing))
    assert counts(states, routing) == (5, 1)


def test_a_sure_video_takes_nothing_from_its_uploader() -> None:
    escalations = Escalations(limits=UploaderLimits(1, 1), clock=Clock())
    for _ in range(4):
        ask(escalations, "ann", icd=asking(SURE, published()))
    assert ask(escalations, "ann", icd=asking(DUE))["icd"].call


def test_random_draws_are_not_the_uploaders_doing() -> None:
    escalations = Escalations(limits=UploaderLimits(1, 1), clock=Clock())
    routing = published(budget=0.9)
    for _ in range(3):
        assert ask(escalations, "ann", icd=asking(SURE, routing, drawn=True))["icd"].call
    assert ask(escalations, "ann", icd=asking(DUE))["icd"].call


def test_versions_and_tasks_have_budgets_of_their_own() -> None:
    states = MemoryStates()
    escalations = Escalations(states)
    old = published()
    new = published(thresholds=Thresholds(0.7, 0.5, 0.5, 0.5))
    ask(escalations, icd=asking(DUE, old), ucc=asking(DUE, old))
    ask(escalations, icd=asking(DUE, new))
    assert counts(states, old) == counts(states, new) == (1, 1)


def test_threads_lose_no_call() -> None:
    states, routing = MemoryStates(), published(budget=1.0)
    escalations = Escalations(states)

    def work() -> None:
        for _ in range(50):
            ask(escalations, icd=asking(DUE, routing))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts(states, routing) == (200, 200)


def test_a_refused_call_of_the_settings_rule_goes_to_a_person() -> None:
    escalations = Escalations(limits=UploaderLimits(1, 1), clock=Clock())
    ask(escalations, "ann", icd=asking(DUE))
    each = asking(DUE)
    grant = ask(escalations, "ann", icd=each)["icd"]
    found = SETTINGS.after_prefilter(DUE, each.demand, grant)
    assert (found.route.name.value, found.route.escalated) == ("human", False)
    assert found.route.reason.startswith("the prefilter is unsure; this uploader")
