"""The cascade's logic over both stages, with stand-ins for the two models."""

from __future__ import annotations

from collections.abc import Mapping

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
from coefvq.errors import ModelError, SettingsError
from coefvq.media.limits import MediaLimits
from coefvq.results import result_json
from coefvq.routing.entropy import EntropyRouting

GIVEN = ExpensiveSignals("given", speech=(), screen_text=())
WHY = str | float


def _scores(rows: Mapping[str, WHY], mass: float | None = None) -> dict[str, PolicyScore]:
    """Numbers are probabilities, words are reasons for not covering; the rest is not trained."""
    scores = {}
    for policy in taxonomy.policies():
        value = rows.get(policy, "not_trained")
        if isinstance(value, str):
            scores[policy] = PolicyScore(policy, None, False, value)
        else:
            scores[policy] = PolicyScore(policy, value, label_mass=mass)
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


def _cascade(first: Mapping[str, WHY], second: FixedMllm) -> Cascade:
    prefilter = FixedPrefilter(first)
    return Cascade(prefilter, second, None, None, EntropyRouting(0.6, 0.6), MediaLimits())  # type: ignore[arg-type]


def _run(first, second=None, mass: float = 0.99, **options):
    mllm = second if isinstance(second, FixedMllm) else FixedMllm(second or {}, mass)
    result = _cascade(first, mllm).assess_signals("a", PostedText("t"), GIVEN, **options)
    return result, mllm


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
        "id", "sha256", "duration_s", "warnings", "tasks", "rationale", "cost", "models",
    ]  # fmt: skip
    icd = row["tasks"]["icd"]
    assert {"verdict", "probability", "route", "routing", "policies"} == set(icd)
    assert icd["policies"]["violence"] == {
        "prefilter": 0.02, "mllm": None, "final": 0.02, "covered": True,
    }  # fmt: skip
    assert icd["policies"]["sexual"]["covered"] is False
    assert icd["policies"]["sexual"]["final"] is None
    assert set(row["cost"]) == {
        "media_ms", "prefilter_ms", "expensive_signals_ms", "mllm_ms", "tokens_in", "tokens_out",
    }  # fmt: skip
    routing = icd["routing"]
    assert routing["rule"] == "entropy" and routing["threshold"] == 0.6
    assert (routing["audit"], routing["propensity"]) == (False, 1.0)
