"""The cascade with the shipped prefilter, while the taxonomy is another than it was trained on."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from coefvq import taxonomy
from coefvq.cascade import Cascade
from coefvq.domain import (
    Assessment,
    CascadeResult,
    ExpensiveSignals,
    PolicyScore,
    PostedText,
    Rationale,
    RouteName,
    Stage,
    Verdict,
)
from coefvq.media.limits import MediaLimits
from coefvq.prefilter.predict import Prefilter
from coefvq.results import result_json
from coefvq.review.priority import of as priority_of
from coefvq.routing.entropy import EntropyRouting
from coefvq.routing_inputs import known_features, run_time_features
from coefvq.taxonomy.read import Document
from tests import taxonomy_factory as make
from tests.routing_factory import certified

GIVEN = ExpensiveSignals("given", speech=(), screen_text=())
POSTED = PostedText("win a FREE gift card now", "click the link in my bio to claim $$$")


class OldMllm:
    """Knows only what it was trained for, whatever the taxonomy says."""

    version = "mllm-old"
    covers = frozenset({"violence", "hate_harassment", "scam_spam"})

    def assess(self, item: object) -> Assessment:
        scores = {name: PolicyScore(name, 0.5, label_mass=0.99) for name in self.covers}
        return Assessment(Stage.MLLM, self.version, scores)

    def explain(self, item: object, assessment: Assessment) -> Rationale:
        return Rationale("why")


@pytest.fixture(scope="module")
def prefilter() -> Prefilter:
    return Prefilter.load()


def run(prefilter: Prefilter, routing: Mapping[str, object] | None = None) -> CascadeResult:
    cascade = Cascade(
        prefilter, OldMllm(), None, None, EntropyRouting(0.6, 0.6), MediaLimits()  # type: ignore[arg-type]
    )  # fmt: skip
    cascade.routing.use(routing or {})  # type: ignore[arg-type]
    return cascade.assess_signals("a", POSTED, GIVEN, stage="mllm", rationale="always")


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(make.with_policy("gambling"), id="a new policy"),
        pytest.param(make.with_task("health", "quackery", "pills"), id="a new task"),
        pytest.param(make.without_policy("scam_spam"), id="a policy less that both know"),
        pytest.param(make.without_policy("watermark"), id="a policy less of the picture"),
        pytest.param(make.without_task("ucc"), id="a task less"),
        pytest.param(make.without_task("icd"), id="the task less that the MLLM knows"),
    ],
)
def test_it_answers_for_exactly_what_is_in_force(prefilter: Prefilter, document: Document) -> None:
    made = make.install(document)
    result = run(prefilter)
    assert list(result.tasks) == list(made.tasks)
    for task in made.task_list:
        found = result.tasks[task.id]
        assert list(found.policies) == [policy.id for policy in task.policies]
        assert priority_of(found) >= 0.0
        for policy, score in found.policies.items():
            trained = policy in {"reupload"} | prefilter.covers | OldMllm.covers
            assert score.covered or score.why_not == ("no_media" if trained else "not_trained")
    assert result.prefilter.scores.keys() == made.policies.keys()
    assert result.prefilter.contributions.keys() <= made.policies.keys()
    assert result_json(result)["tasks"].keys() == made.tasks.keys()


def test_a_new_policy_is_covered_by_nobody(prefilter: Prefilter) -> None:
    make.install(make.with_policy("gambling"))
    score = run(prefilter).tasks["icd"].policies["gambling"]
    assert (score.covered, score.final, score.why_not) == (False, None, "not_trained")


def test_a_task_that_no_model_knows_goes_to_a_person(prefilter: Prefilter) -> None:
    make.install(make.with_task("health", "quackery"))
    found = run(prefilter).tasks["health"]
    assert (found.route.name, found.verdict) == (RouteName.HUMAN, Verdict.NEEDS_HUMAN)
    assert found.probability is None


def test_a_routing_policy_of_a_task_that_is_gone_is_passed_over(prefilter: Prefilter) -> None:
    make.install(make.without_task("ucc"))
    assert list(run(prefilter, {"ucc": certified()}).tasks) == ["icd"]


def test_a_feature_of_a_policy_that_is_gone_is_absent_and_stops_nothing(
    prefilter: Prefilter,
) -> None:
    make.install(make.without_policy("scam_spam"))
    first = prefilter.assess(None, POSTED)
    assert "prefilter_scam_spam" not in run_time_features(first, POSTED, None)
    assert "prefilter_scam_spam" not in known_features(), "no new routing policy may read it"
    assert "prefilter_scam_spam" in known_features(prefilter.covers)
    assert not math.isnan(run_time_features(first, POSTED, None)["prefilter_hate_harassment"])


def test_priority_follows_the_severity_in_force(prefilter: Prefilter) -> None:
    found = run(prefilter).tasks["icd"]
    before = priority_of(found)
    harmless = make.document()
    for policy in make.task_row(harmless, "icd")["policies"]:
        policy["severity"] = 1
    make.install(harmless)
    assert priority_of(found) < before
    assert taxonomy.policy("violence").severity == 1
