"""One routing for a whole video, splits of the uploaders, and shadows that decide nothing."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coefvq.domain import PostedText, RouteName
from coefvq.escalations import MemoryStates
from coefvq.router import Router, Trial, in_split
from coefvq.routing.audit import AuditPlan
from coefvq.routing.entropy import EntropyRouting
from coefvq.routing.one_video import Seen
from coefvq.routing.policy import Thresholds
from tests.routing_factory import certified, policy
from tests.unit.test_cascade import GIVEN, SURE, FixedMllm, _cascade

UNSURE = SURE | {"hate_harassment": 0.4}
ONE, OTHER = certified(budget=1.0), certified(budget=1.0, notes=("another",))
STRICT = policy(thresholds=Thresholds(0.6, call_from=0.1, pass_below=0.1, flag_from=0.1))
FORMER = "entropy-0.6-0.6"


def router(**policies: object) -> Router:
    made = Router(EntropyRouting(0.6, 0.6), salt="salt")
    made.use(policies)  # type: ignore[arg-type]
    return made


class Publishes(FixedMllm):
    """While the MLLM looks at the video, somebody publishes another policy."""

    def __init__(self, rows, made: Router, then):
        super().__init__(rows)
        self.made, self.then = made, then

    def assess(self, item):
        self.then(self.made)
        return super().assess(item)


THEN = {
    "another policy": lambda made: made.use({"icd": OTHER}),
    "taken back": lambda made: made.use({}),
    "a split for everyone": lambda made: made.follow(
        {"icd": ONE}, {}, splits={"icd": Trial("t", OTHER, 0.5)}
    ),
    "learnt": lambda made: made.learn({}),
}


@pytest.mark.parametrize("then", THEN.values(), ids=THEN)
@pytest.mark.parametrize("before", [ONE, None], ids=["published", "the settings' rule"])
def test_a_publication_in_the_middle_of_a_video_counts_from_the_next_one(then, before) -> None:
    made = router(**({"icd": before} if before else {}))
    was = made.version("icd")
    cascade = _cascade(UNSURE, Publishes({"hate_harassment": 0.95}, made, then), made)
    result = cascade.assess_signals("a", PostedText("t"), GIVEN)
    for task in result.tasks.values():
        assert task.first_route is not None
        assert task.first_route.version == task.route.version
    assert result.tasks["icd"].route.version == was


def test_the_audit_of_a_video_is_that_of_the_policy_that_routed_it() -> None:
    audited, silent = (replace(ONE, audit=AuditPlan(people=share, mllm=0.0)) for share in (0.5, 0))
    made = router(icd=audited)
    mllm = Publishes({"hate_harassment": 0.95}, made, lambda each: each.use({"icd": silent}))
    result = _cascade(UNSURE, mllm, made).assess_signals("a", PostedText("t"), GIVEN)
    assert result.tasks["icd"].route.propensity == 0.5


def test_another_thread_that_publishes_all_the_time_never_mixes_two_policies() -> None:
    made, stop = router(icd=ONE), threading.Event()

    def work() -> None:
        while not stop.is_set():
            made.follow({"icd": OTHER}, {})
            made.follow({"icd": ONE}, {})

    thread = threading.Thread(target=work)
    thread.start()
    cascade = _cascade(UNSURE, FixedMllm({"hate_harassment": 0.95}), made)
    found = [cascade.assess_signals(str(n), PostedText("t"), GIVEN).tasks["icd"] for n in range(60)]
    stop.set()
    thread.join()
    assert all(each.first_route is not None for each in found)
    assert all(each.first_route.version == each.route.version for each in found)


@given(st.text(min_size=1, max_size=30), st.floats(0.01, 0.5), st.text(max_size=12))
def test_an_uploader_stays_in_one_arm_and_a_larger_share_takes_nobody_away(
    unit: str, share: float, salt: str
) -> None:
    first = in_split(unit, "t1", share, salt)
    assert in_split(unit, "t1", share, salt) is first
    assert in_split(unit, "t1", min(0.99, share * 1.5), salt) or not first


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
@pytest.mark.parametrize("trial", ["t1", "t2"])
def test_the_arms_are_disjoint_and_as_large_as_asked_for(share: float, trial: str) -> None:
    made = router(icd=ONE)
    made.follow({"icd": ONE}, {}, splits={"icd": Trial(trial, OTHER, share)})
    names = [f"uploader {number}" for number in range(4000)]
    versions = {name: made.for_video(name).version("icd") for name in names}
    assert set(versions.values()) == {ONE.version, OTHER.version}
    tried = sum(version == OTHER.version for version in versions.values())
    assert abs(tried / 4000 - share) < 4 * (share * (1 - share) / 4000) ** 0.5
    assert versions == {name: made.for_video(name).version("icd") for name in names}


def test_another_trial_draws_other_uploaders() -> None:
    names = [f"uploader {number}" for number in range(2000)]
    arms = [{name for name in names if in_split(name, trial, 0.2, "salt")} for trial in ("a", "b")]
    assert len(arms[0] & arms[1]) < 0.35 * len(arms[0])


def test_other_tasks_and_routers_without_a_record_have_no_split() -> None:
    split = {"icd": Trial("t", OTHER, 0.5)}
    made = router(icd=ONE)
    made.follow({"icd": ONE}, {}, splits=split)
    assert {made.for_video(str(n)).version("ucc") for n in range(50)} == {FORMER}
    unsalted = Router(EntropyRouting(0.6, 0.6))
    unsalted.follow({"icd": ONE}, {}, splits=split)
    assert {unsalted.for_video(str(n)).version("icd") for n in range(50)} == {ONE.version}


def test_a_split_beside_the_settings_rule_and_its_end() -> None:
    made = router()
    made.follow({}, {}, splits={"icd": Trial("t", OTHER, 0.5)})
    versions = {made.for_video(str(n)).version("icd") for n in range(50)}
    assert versions == {OTHER.version, FORMER}
    made.follow({}, {})
    assert {made.for_video(str(n)).version("icd") for n in range(50)} == {FORMER}


def shadowed(first, second=None, tried=STRICT, task: str = "icd", **how):
    made = router(icd=ONE)
    made.follow({"icd": ONE}, {}, shadows={task: Trial("t", tried)})
    mllm = FixedMllm(second or {})
    cascade = _cascade(first, mllm, made)
    return cascade.assess_signals("a", PostedText("t"), GIVEN, **how), mllm


def test_a_shadow_says_what_it_would_have_done_and_changes_nothing() -> None:
    plain, _ = shadowed(UNSURE, {"hate_harassment": 0.3}, task="ucc")
    found, mllm = shadowed(UNSURE, {"hate_harassment": 0.3})
    icd = found.tasks["icd"]
    assert mllm.calls == 1 and icd.shadow is not None and icd.shadow.trial == "t"
    assert icd.shadow.route.version == STRICT.version and icd.shadow.route.escalated
    assert replace(icd, shadow=None) == replace(plain.tasks["icd"], shadow=None)
    assert found.tasks["ucc"].shadow is None


@pytest.mark.parametrize(
    ("first", "threshold", "ends"),
    [
        pytest.param(SURE, 0.6, RouteName.AUTO_PASS, id="both are sure"),
        pytest.param(SURE, 0.01, RouteName.MLLM, id="only the shadow would have asked"),
        pytest.param(UNSURE, 0.6, RouteName.AUTO_FLAG, id="both asked"),
        pytest.param(UNSURE, 1.0, RouteName.AUTO_PASS, id="the shadow would not have asked"),
    ],
)
def test_where_a_shadow_ends(first, threshold: float, ends: RouteName) -> None:
    cut = Thresholds(threshold, 0.5, 0.5, 0.5, escalate_least=threshold)
    found, mllm = shadowed(first, {"hate_harassment": 0.99}, policy(thresholds=cut, budget=1.0))
    shadow = found.tasks["icd"].shadow
    assert shadow is not None and shadow.route.name is ends
    assert mllm.calls == (first is UNSURE)


def test_a_shadow_has_a_budget_of_its_own() -> None:
    made, states = router(), MemoryStates()
    made.remember(states, "salt")
    made.follow({"icd": ONE}, {}, shadows={"icd": Trial("t", ONE)})
    cascade = _cascade(UNSURE, FixedMllm({"hate_harassment": 0.95}), made)
    for number in range(3):
        cascade.assess_signals(str(number), PostedText("t"), GIVEN)
    with states.transaction(False) as view:
        counts = [view.get("budget", f"{who}icd/{ONE.version}")["seen"] for who in ("", "t ")]
    assert counts == [3, 3]


@pytest.mark.parametrize("stage", ["prefilter", "mllm"])
def test_what_a_person_asked_for_is_no_traffic_of_a_shadow(stage: str) -> None:
    found, _ = shadowed(UNSURE, {"hate_harassment": 0.95}, stage=stage)
    assert found.tasks["icd"].shadow is None


def test_a_task_that_the_video_has_not_is_left_out() -> None:
    made = router()
    made.follow({}, {}, shadows={"gone": Trial("t", ONE)})
    assert made.shadows({"icd": Seen(0.5, key="a")}, None, {"icd": False}) == {}
