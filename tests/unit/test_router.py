"""What is in force for which task, and the random audits."""

from __future__ import annotations

import pytest

from coefvq.domain import Route, RouteName
from coefvq.escalations import MemoryStates
from coefvq.router import Router
from coefvq.routing.audit import AuditPlan
from coefvq.routing.entropy import EntropyRouting
from coefvq.routing.one_video import DRAWN, Seen
from coefvq.settings import Settings
from tests.routing_factory import certified, policy

PASSED = Route(RouteName.AUTO_PASS, "entropy", "v", 0.1, 0.6, False)
KEYS = [f"item-{number} icd" for number in range(4000)]


def router(salt: str | None = "secret", share: float = 0.05) -> Router:
    return Router(EntropyRouting(0.6, 0.6), share, salt=salt)


def drawn(made: Router, keys: list[str] = KEYS) -> set[str]:
    return {key for key in keys if made.audited("icd", key, PASSED).audit}


def test_without_a_publication_the_settings_rule_applies() -> None:
    made = Router.from_settings(Settings(entropy_threshold=0.7, human_entropy_threshold=0.5))
    assert made.version("icd") == "entropy-0.7-0.5"


def test_each_task_has_its_own_and_what_is_taken_back_is_gone() -> None:
    made, published = router(), policy()
    made.use({"icd": published})
    assert (made.version("icd"), made.version("ucc")) == (published.version, "entropy-0.6-0.6")
    seen = {"icd": Seen(0.5), "ucc": Seen(0.5)}
    versions = {task: found.route.version for task, found in made.after_prefilter(seen).items()}
    assert versions == {"icd": published.version, "ucc": "entropy-0.6-0.6"}
    made.use({})
    assert made.version("icd") == "entropy-0.6-0.6"


def test_every_automatic_outcome_has_its_propensity_and_the_share_is_drawn() -> None:
    made = router()
    outcomes = [made.audited("icd", key, PASSED) for key in KEYS]
    assert {found.propensity for found in outcomes} == {0.05}
    assert {found.name for found in outcomes} == {RouteName.AUTO_PASS}
    share = sum(found.audit for found in outcomes) / len(KEYS)
    assert 0.035 < share < 0.065


def test_draws_repeat_and_depend_on_the_secret() -> None:
    assert drawn(router()) == drawn(router()) != drawn(router("another"))
    assert drawn(router(share=0.01)) < drawn(router())


def test_tasks_are_drawn_independently() -> None:
    other = {key.removesuffix(" icd") for key in drawn(router())}
    ucc = {key for key in other if router().audited("ucc", f"{key} ucc", PASSED).audit}
    assert len(ucc) < 0.2 * len(other)


@pytest.mark.parametrize("name", [RouteName.HUMAN, RouteName.MLLM])
def test_what_goes_to_people_anyway_is_not_drawn(name: RouteName) -> None:
    route = Route(name, "entropy", "v", 0.9, 0.6, True)
    made = router(share=0.9)
    assert all(made.audited("icd", key, route) is route for key in KEYS[:50])


@pytest.mark.parametrize(
    "made", [router(salt=None, share=0.9), router(share=0.0)], ids=["no record", "no share"]
)
def test_nothing_is_drawn(made: Router) -> None:
    assert all(made.audited("icd", key, PASSED) is PASSED for key in KEYS[:50])


def test_a_published_policy_has_its_own_audit_plan() -> None:
    made = router(share=0.0)
    made.use({"icd": policy(audit=AuditPlan(people=0.5, mllm=0.0))})
    assert made.audited("icd", KEYS[0], PASSED).propensity == 0.5
    assert made.audited("ucc", KEYS[0], PASSED) is PASSED


def test_draws_for_the_mllm_are_counted_in_the_budget() -> None:
    made = router()
    published = certified(audit=AuditPlan(people=0.0, mllm=0.1))
    made.use({"icd": published})
    states = MemoryStates()
    made.remember(states, "secret")
    routes = [made.after_prefilter({"icd": Seen(0.01, key=key)})["icd"].route for key in KEYS[:500]]
    called = [route for route in routes if route.escalated]
    assert 20 < len(called) < 90
    assert {(route.name, route.reason) for route in called} == {(RouteName.MLLM, DRAWN)}
    with states.transaction(False) as view:
        assert view.get("budget", f"icd/{published.version}")["calls"] == len(called)


def test_without_a_record_nothing_is_drawn_for_the_mllm_either() -> None:
    made = router(salt=None)
    made.use({"icd": certified(audit=AuditPlan(people=0.0, mllm=0.9), budget=0.95)})
    for key in KEYS[:20]:
        assert not made.after_prefilter({"icd": Seen(0.01, key=key)})["icd"].route.escalated


@pytest.mark.parametrize(("hourly", "calls"), [(0.0, 5), (3.0, 3)], ids=["off", "three"])
def test_the_settings_limit_uploaders(hourly: float, calls: int) -> None:
    made = Router.from_settings(Settings(escalations_per_uploader_hour=hourly))
    routes = [made.after_prefilter({"icd": Seen(0.5)}, "ann")["icd"].route for _ in range(5)]
    assert sum(route.escalated for route in routes) == calls
    assert [route.name for route in routes[calls:]] == [RouteName.HUMAN] * (5 - calls)
