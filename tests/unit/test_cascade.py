"""The cascade's logic over both stages, with stand-ins for the two models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from coefvq import taxonomy
from coefvq.cascade import Cascade
from coefvq.domain import (
    Assessment,
    Evidence,
    ExpensiveSignals,
    Modality,
    PolicyScore,
    PostedText,
    Rationale,
    RouteName,
    Stage,
    Verdict,
)
from coefvq.errors import ModelError, RoutingError, SettingsError
from coefvq.escalations import MemoryStates
from coefvq.ledger import Ledger
from coefvq.media.limits import MediaLimits
from coefvq.request import Request
from coefvq.results import result_json
from coefvq.router import Router
from coefvq.routing.audit import AuditPlan
from coefvq.routing.entropy import EntropyRouting
from coefvq.routing.one_video import Seen
from coefvq.routing.policy import RoutingPolicy
from coefvq.routing.published import PublishedRouting
from coefvq.routing.published_budget import start
from coefvq.settings import Settings
from tests.routing_factory import certified, human_step, policy, with_features

GIVEN = ExpensiveSignals("given", speech=(), screen_text=())
WHY = str | float


def _scores(rows: Mapping[str, WHY], mass: float | None = None) -> dict[str, PolicyScore]:
    """Numbers are probabilities, words are reasons for not covering; the rest is not trained."""
    scores = {}
    for name in taxonomy.policies():
        value = rows.get(name, "not_trained")
        if isinstance(value, str):
            scores[name] = PolicyScore(name, None, False, value)
        else:
            scores[name] = PolicyScore(name, value, label_mass=mass)
    return scores


class FixedPrefilter:
    version = "prefilter-test"
    covers = frozenset({"violence", "hate_harassment", "scam_spam", "watermark"})

    def __init__(self, rows: Mapping[str, WHY]):
        self.rows = rows

    def assess(self, cheap, posted: PostedText) -> Assessment:
        return Assessment(Stage.PREFILTER, self.version, _scores(self.rows))

    def task_probability(self, task_id: str, probabilities: dict[str, float]) -> float:
        return max(probabilities.values())


class FixedMllm:
    version = "mllm-test"
    covers = frozenset({"hate_harassment", "scam_spam"})

    def __init__(self, rows: Mapping[str, WHY] | Exception, mass: float = 0.99):
        self.rows, self.mass, self.calls, self.explained = rows, mass, 0, 0

    def assess(self, item) -> Assessment:
        self.calls += 1
        if isinstance(self.rows, Exception):
            raise self.rows
        scores = _scores(self.rows, self.mass)
        return Assessment(Stage.MLLM, self.version, scores, tokens_in=100, tokens_out=0)

    def explain(self, item, assessment: Assessment) -> Rationale:
        self.explained += 1
        said = Evidence(Modality.SPEECH, 0.0, 1.0, "a quote", "detail")
        return Rationale("summary", evidence=(said,))


def _cascade(
    first: Mapping[str, WHY], second: FixedMllm, routing: EntropyRouting | Router | None = None
) -> Cascade:
    prefilter, routing = FixedPrefilter(first), routing or EntropyRouting(0.6, 0.6)
    return Cascade(prefilter, second, None, None, routing, MediaLimits())  # type: ignore[arg-type]


def _run(first, second=None, mass: float = 0.99, routing=None, **options):
    mllm = second if isinstance(second, FixedMllm) else FixedMllm(second or {}, mass)
    cascade = _cascade(first, mllm, routing)
    return cascade.assess_signals("a", PostedText("t"), GIVEN, **options), mllm


SURE = {"violence": 0.02, "hate_harassment": 0.03, "scam_spam": 0.01, "watermark": 0.02}


def test_a_sure_prefilter_never_wakes_the_mllm() -> None:
    result, mllm = _run(SURE)
    assert mllm.calls == 0 and result.mllm is None
    assert {task.route.name for task in result.tasks.values()} == {RouteName.AUTO_PASS}
    assert result.cost.mllm_ms == 0 and result.cost.expensive_signals_ms == 0
    assert result.models == {"prefilter": "prefilter-test", "mllm": None}


def test_one_unsure_task_wakes_it_once_for_all_tasks() -> None:
    result, mllm = _run(SURE | {"hate_harassment": 0.4}, {"hate_harassment": 0.95})
    assert mllm.calls == 1
    icd, ucc = result.tasks["icd"], result.tasks["ucc"]
    assert (icd.route.name, icd.verdict) == (RouteName.AUTO_FLAG, Verdict.VIOLATION)
    assert (icd.route.escalated, ucc.route.escalated) == (True, False)
    assert ucc.route.name is RouteName.AUTO_PASS
    assert result.cost.tokens_in == 100


@pytest.mark.parametrize(
    ("first", "second", "final"),
    [
        pytest.param(0.4, 0.95, 0.95, id="the MLLM's where it covers"),
        pytest.param(0.4, "not_trained", 0.4, id="the prefilter's where it does not"),
        pytest.param(0.4, "nothing_to_read", 0.4, id="the prefilter's where nothing is to read"),
        pytest.param("language_not_covered", 0.9, 0.9, id="only the MLLM can read it"),
        pytest.param(0.4, "speech_not_understood", None, id="heard and not followed"),
        pytest.param(0.4, "language_not_covered", None, id="text in another language"),
    ],
)
def test_whose_probability_counts(first: WHY, second: WHY, final: float | None) -> None:
    result, _ = _run(SURE | {"hate_harassment": first}, {"hate_harassment": second})
    score = result.tasks["icd"].policies["hate_harassment"]
    assert score.final == final
    assert score.covered is (final is not None)
    assert (score.why_not is None) is score.covered


def test_the_escalation_is_reported_beside_what_came_after_it() -> None:
    answers = {"hate_harassment": 0.95, "scam_spam": 0.01}
    result, _ = _run(SURE | {"hate_harassment": 0.4}, answers)
    routing = result_json(result)["tasks"]["icd"]["routing"]
    assert routing["escalated"] and routing["score"] == pytest.approx(0.970951)
    assert routing["after_mllm"] == {"score": pytest.approx(0.286397), "threshold": 0.6}
    assert routing["reason"] == "sure after the MLLM"


def test_a_gap_is_escalated_and_ends_with_a_person() -> None:
    gap = {"hate_harassment": "language_not_covered", "scam_spam": "language_not_covered"}
    result, mllm = _run(SURE | gap, gap)
    icd = result.tasks["icd"]
    assert mllm.calls == 1
    assert (icd.route.name, icd.verdict) == (RouteName.HUMAN, Verdict.NEEDS_HUMAN)
    assert "hate harassment" in icd.route.reason
    assert result.tasks["ucc"].route.name is RouteName.AUTO_PASS


def test_an_answer_that_is_not_one_goes_to_a_person() -> None:
    rows = {"hate_harassment": 0.02, "scam_spam": 0.02}
    result, _ = _run(SURE | {"scam_spam": 0.5}, rows, mass=0.2)
    assert result.tasks["icd"].route.name is RouteName.HUMAN


@pytest.mark.parametrize("probability", [0.4, 0.03], ids=["due", "not due"])
def test_stage_prefilter_stops_before_the_mllm(probability: float) -> None:
    first = SURE | {"hate_harassment": probability}
    result, mllm = _run(first, {"hate_harassment": 0.9}, stage="prefilter")
    due = probability == 0.4
    assert mllm.calls == 0
    assert result.tasks["icd"].route.name is (RouteName.MLLM if due else RouteName.AUTO_PASS)
    assert result.tasks["icd"].verdict is (Verdict.NEEDS_HUMAN if due else Verdict.OK)


def test_stage_mllm_runs_it_for_a_sure_video_without_calling_it_escalated() -> None:
    result, mllm = _run(SURE, {"hate_harassment": 0.9, "scam_spam": 0.01}, stage="mllm")
    assert mllm.calls == 1
    assert result.tasks["icd"].route.name is RouteName.AUTO_FLAG
    assert not result.tasks["icd"].route.escalated


def test_a_failing_mllm_leaves_the_route_open_and_says_why() -> None:
    result, _ = _run(SURE | {"scam_spam": 0.5}, FixedMllm(ModelError("weights are gone")))
    assert result.tasks["icd"].route.name is RouteName.MLLM
    assert result.tasks["icd"].verdict is Verdict.NEEDS_HUMAN
    assert result.warnings == ("mllm_failed: weights are gone",)


@pytest.mark.parametrize(
    ("choice", "second", "explained"),
    [
        pytest.param(False, 0.5, 0, id="never"),
        pytest.param(True, 0.99, 1, id="always"),
        pytest.param("for_people", 0.5, 1, id="a person is due"),
        pytest.param("for_people", 0.99, 0, id="no person is due"),
    ],
)
def test_when_it_explains_itself(choice, second: float, explained: int) -> None:
    first = SURE | {"hate_harassment": 0.4}
    answers = {"hate_harassment": second, "scam_spam": 0.01}
    result, mllm = _run(first, answers, rationale=choice)
    assert mllm.explained == explained
    shown = result_json(result, with_rationale=True)["rationale"]
    assert (shown is not None) is bool(explained)
    if shown:
        assert shown["evidence"][0]["quote"] == "a quote"


def test_no_rationale_without_the_mllm() -> None:
    result, mllm = _run(SURE, rationale=True)
    assert mllm.explained == 0
    assert result_json(result, with_rationale=True)["rationale"] is None


def test_an_unknown_stage_is_refused_with_the_nearest() -> None:
    with pytest.raises(SettingsError, match="Did you mean 'prefilter'"):
        _run(SURE, stage="prefliter")


def test_the_promised_shape() -> None:
    row = result_json(_run(SURE)[0])
    assert list(row) == [
        "id", "sha256", "duration_s", "warnings", "tasks", "rationale", "cost", "models", "copies",
    ]  # fmt: skip
    icd = row["tasks"]["icd"]
    assert {"verdict", "probability", "route", "routing", "policies"} == set(icd)
    assert icd["policies"]["violence"] == {
        "prefilter": 0.02, "mllm": None, "final": 0.02, "covered": True,
    }  # fmt: skip
    assert icd["policies"]["sexual"]["covered"] is False
    assert icd["policies"]["sexual"]["final"] is None
    assert set(row["cost"]) == {
        "media_ms", "prefilter_ms", "copies_ms", "expensive_signals_ms", "mllm_ms",
        "tokens_in", "tokens_out",
    }  # fmt: skip
    routing = icd["routing"]
    assert routing["rule"] == "entropy" and routing["threshold"] == 0.6
    assert (routing["audit"], routing["propensity"]) == (False, 1.0)


def _router(salt: str | None = None, share: float = 0.0, **policies: RoutingPolicy) -> Router:
    made = Router(EntropyRouting(0.6, 0.6), share, salt=salt)
    made.use(policies)
    return made


UNSURE = SURE | {"hate_harassment": 0.4}
ANSWER = {"hate_harassment": 0.95, "scam_spam": 0.01}


def test_a_published_policy_routes_its_task_and_signs_for_it() -> None:
    made = policy(human=human_step(0.2))
    result, mllm = _run(UNSURE, ANSWER, routing=_router(icd=made))
    icd, ucc = (result_json(result)["tasks"][task] for task in ("icd", "ucc"))
    assert mllm.calls == 1
    assert (icd["route"], icd["verdict"]) == ("auto_flag", "violation")
    assert icd["probability"] == pytest.approx(0.95, abs=1e-4)
    routing = icd["routing"]
    assert (routing["rule"], routing["version"]) == ("entropy", made.version)
    assert routing["escalated"] and routing["score"] == pytest.approx(0.970951)
    assert routing["threshold"] == pytest.approx(0.6)
    assert routing["after_mllm"] == {"score": pytest.approx(0.05, abs=1e-3), "threshold": 0.2}
    assert (routing["audit"], routing["propensity"]) == (False, 1.0)
    assert ucc["routing"]["version"] == "entropy-0.6-0.6"


def test_the_final_probability_is_the_policys_combination() -> None:
    made = policy()
    made = replace(made, combination=replace(made.combination, bias=1.0, prefilter=0.5, mllm=0.5))
    result, _ = _run(UNSURE, ANSWER, routing=_router(icd=made))
    expected = made.final(np.array([0.4]), np.array([0.95]))[0]
    assert result.tasks["icd"].probability == pytest.approx(expected)
    assert result.tasks["icd"].policies["hate_harassment"].final == 0.95


def test_the_policy_reads_what_is_known_of_the_video() -> None:
    made = with_features("title_length", "prefilter_violence", "duration_s")
    result, _ = _run(SURE, routing=_router(icd=made))
    plain, _ = _run(SURE, routing=_router(icd=with_features()))
    with_it, without = result.tasks["icd"].probability, plain.tasks["icd"].probability
    assert with_it is not None and without is not None
    assert np.log(with_it / (1 - with_it)) == pytest.approx(
        np.log(without / (1 - without)) + len("t") + 0.02, abs=1e-6
    )


def test_the_routes_are_those_of_the_policy_for_the_same_scores() -> None:
    """Nothing between the stages and the policy changes a score."""
    made = policy(human=human_step(0.2))
    for p1, p2 in ((0.02, 0.9), (0.3, 0.1), (0.5, 0.5), (0.7, 0.99), (0.98, 0.2)):
        result, _ = _run(
            {"hate_harassment": p1}, {"hate_harassment": p2}, routing=_router(icd=made)
        )
        routing = PublishedRouting(made, EntropyRouting(0.6, 0.6))
        seen = Seen(p1, key="a icd")
        demand = routing.demand(seen)
        expected = routing.after_prefilter(seen, demand, routing.reserve({}, seen, demand)[1])
        if expected.route.escalated:
            expected = routing.after_mllm(seen, Seen(p2, label_mass=0.99), expected.route)
        assert result.tasks["icd"].route == expected.route
        assert result.tasks["icd"].probability == expected.probability


def test_under_a_published_policy_a_gap_still_ends_with_a_person() -> None:
    gap = {"hate_harassment": "language_not_covered", "scam_spam": "language_not_covered"}
    made = policy()
    result, mllm = _run(SURE | gap, gap, routing=_router(icd=made))
    icd = result.tasks["icd"]
    assert mllm.calls == 1 and icd.route.name is RouteName.HUMAN
    assert "hate harassment" in icd.route.reason and icd.route.version == made.version


def test_a_task_that_rides_along_may_not_break_its_certificate() -> None:
    first = {"hate_harassment": 0.02, "violence": 0.02, "scam_spam": 0.02, "watermark": 0.5}
    result, mllm = _run(first, ANSWER, routing=_router(icd=certified()))
    assert mllm.calls == 1
    assert result.tasks["icd"].route.name is RouteName.AUTO_PASS
    assert result.tasks["icd"].probability == pytest.approx(0.02)


def _used_up(made: RoutingPolicy) -> Router:
    """A router whose budget for ``made`` has no call left just now."""
    router, states = _router(icd=made), MemoryStates()
    with states.transaction(True) as view:
        empty = replace(start(made), tokens=0.0).to_json()
        view.put("budget", f"icd/{made.version}", empty)
    router.remember(states, "salt")
    return router


def test_a_budget_that_is_used_up_leaves_the_prefilters_answer() -> None:
    result, mllm = _run(UNSURE, ANSWER, routing=_used_up(policy()))
    icd = result.tasks["icd"]
    assert mllm.calls == 0
    assert (icd.route.name, icd.route.escalated) == (RouteName.AUTO_PASS, False)
    assert icd.route.reason == "over the MLLM budget"


def test_under_a_certificate_it_goes_to_a_person() -> None:
    result, mllm = _run(UNSURE, ANSWER, routing=_used_up(certified()))
    assert mllm.calls == 0 and result.tasks["icd"].route.name is RouteName.HUMAN
    assert result.tasks["icd"].verdict is Verdict.NEEDS_HUMAN


@pytest.mark.parametrize(("stage", "spent"), [("auto", 1), ("prefilter", 0), ("mllm", 0)], ids=str)
def test_only_the_routing_itself_spends_the_budget(stage: str, spent: int) -> None:
    states, made = MemoryStates(), policy()
    router = _router(icd=made)
    router.remember(states, "salt")
    result, _ = _run(UNSURE, ANSWER, routing=router, stage=stage)
    assert result.tasks["icd"].route.escalated
    with states.transaction(False) as view:
        assert view.get("budget", f"icd/{made.version}").get("calls", 0) == spent


def test_a_failed_mllm_keeps_the_call_counted_and_the_route_open() -> None:
    states, made = MemoryStates(), policy()
    router = _router(icd=made)
    router.remember(states, "salt")
    result, _ = _run(UNSURE, FixedMllm(ModelError("weights are gone")), routing=router)
    assert result.tasks["icd"].route.name is RouteName.MLLM
    with states.transaction(False) as view:
        assert view.get("budget", f"icd/{made.version}")["calls"] == 1


def _audited(result) -> set[tuple[str, bool, float]]:
    rows = result_json(result)["tasks"]
    return {(task, row["routing"]["audit"], row["routing"]["propensity"])
            for task, row in rows.items()}  # fmt: skip


def test_an_audit_leaves_the_route_and_says_with_which_probability() -> None:
    result, mllm = _run(SURE, routing=_router("salt", 0.999999))
    assert _audited(result) == {("icd", True, 0.999999), ("ucc", True, 0.999999)}
    assert {task.route.name for task in result.tasks.values()} == {RouteName.AUTO_PASS}
    assert {task.verdict for task in result.tasks.values()} == {Verdict.OK}
    assert mllm.calls == 0


def test_what_was_not_drawn_has_the_propensity_too_and_people_have_one() -> None:
    gap = {"hate_harassment": "language_not_covered"}
    result, _ = _run(SURE | gap, gap, routing=_router("salt", 1e-9))
    assert _audited(result) == {("icd", False, 1.0), ("ucc", False, 1e-9)}


def test_an_outcome_after_the_mllm_is_drawn_like_any_other() -> None:
    result, _ = _run(UNSURE, ANSWER, routing=_router("salt", 0.999999))
    assert ("icd", True, 0.999999) in _audited(result)
    first = result.tasks["icd"].first_route
    assert first is not None and (first.audit, first.propensity) == (False, 1.0)


def test_a_policys_own_audit_plan_counts() -> None:
    made = policy(audit=AuditPlan(people=0.25, mllm=0.0))
    result, _ = _run(SURE, routing=_router("salt", 0.5, icd=made))
    assert {(task, share) for task, _, share in _audited(result)} == {("icd", 0.25), ("ucc", 0.5)}


def test_a_random_draw_wakes_the_mllm_for_a_sure_video() -> None:
    made = certified(audit=AuditPlan(people=0.0, mllm=0.999999), budget=1.0)
    result, mllm = _run(SURE, SURE, routing=_router("salt", icd=made))
    routing = result_json(result)["tasks"]["icd"]["routing"]
    assert mllm.calls == 1
    assert (routing["escalated"], routing["audit"], routing["propensity"]) == (True, False, 1.0)
    assert result.tasks["icd"].first_route.reason == "drawn at random for the MLLM"


def test_an_uploader_over_the_limit_goes_to_a_person_unless_the_mllm_runs_anyway() -> None:
    router = Router.from_settings(Settings(entropy_threshold=0.6, escalations_per_uploader_hour=1))
    mllm = FixedMllm(ANSWER)
    cascade = _cascade(UNSURE, mllm, router)
    first = cascade.prefilter.assess(None, PostedText("t"))
    found = []
    for _ in range(2):
        request = Request(PostedText("t"), key="a", uploader="flood")
        found.append(cascade._second_stage(request, first, lambda: GIVEN, Ledger(), None))
    assert [result.mllm is not None for result in found] == [True, False]
    route = found[1].tasks["icd"].route
    assert (route.name, route.escalated) == (RouteName.HUMAN, False)
    assert "this uploader used up 1 escalations" in route.reason
    assert found[1].tasks["ucc"].route.name is RouteName.AUTO_PASS


def test_a_policy_that_reads_what_is_not_known_is_refused_before_any_model_loads() -> None:
    with pytest.raises(RoutingError, match="feature_niqe"):
        Cascade.load(Settings(), routing={"icd": with_features("niqe")})
