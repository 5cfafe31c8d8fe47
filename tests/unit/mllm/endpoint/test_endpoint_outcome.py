"""What becomes of a video when the endpoint fails: it waits or a person gets it, never lost."""

from __future__ import annotations

import pytest

from coefvq import taxonomy
from coefvq.cascade import Cascade
from coefvq.domain import Assessment, PolicyScore, RouteName, Stage, Verdict, WhyNot
from coefvq.media.limits import MediaLimits
from coefvq.mllm.endpoint import EndpointMllm
from coefvq.mllm.endpoint.client import EndpointClient
from coefvq.routing.entropy import EntropyRouting
from reviewer_ui.words import WHY_NOT
from tests.unit.mllm.endpoint.server import MODEL, Reply, answering, completion, item, serving


class UnsurePrefilter:
    """Sure of everything except hate."""

    version = "prefilter-test"
    covers = frozenset({"hate_harassment", "scam_spam", "watermark"})

    def assess(self, cheap, posted) -> Assessment:
        known = {"hate_harassment": 0.4, "scam_spam": 0.01, "watermark": 0.01}
        scores = {
            name: PolicyScore(name, known.get(name), name in known, None)
            for name in taxonomy.policies()
        }
        return Assessment(Stage.PREFILTER, self.version, scores)

    def task_probability(self, task_id: str, probabilities: dict[str, float]) -> float:
        return max(probabilities.values())


def scored(url: str, rationale: str = "never"):
    mllm = EndpointMllm(EndpointClient(url, timeout_s=5.0, sleep=lambda _: None), MODEL)
    parts = (UnsurePrefilter(), mllm, None, None, EntropyRouting(0.6, 0.6), MediaLimits())
    cascade = Cascade(*parts)  # type: ignore[arg-type]
    given = item()
    return cascade.assess_signals("a", given.posted, given.expensive, rationale=rationale)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        pytest.param(Reply({"error": "x"}, 401), "COEFVQ_ENDPOINT_KEY", id="key"),
        pytest.param(Reply({"error": "x"}, 503), "HTTP 503", id="busy"),
        pytest.param(Reply(drop=True), "No answer", id="down"),
        pytest.param(Reply(b"<html>"), "not answer in JSON", id="nonsense"),
    ],
)
def test_a_failure_keeps_the_route_mllm_and_warns(reply: Reply, says: str) -> None:
    with serving(answering(reply)) as server:
        result = scored(server.url)
    icd = result.tasks["icd"]
    assert (icd.route.name, icd.verdict) == (RouteName.MLLM, Verdict.NEEDS_HUMAN)
    assert result.mllm is None and result.prefilter.scores["hate_harassment"].probability == 0.4
    (warning,) = result.warnings
    assert warning.startswith("mllm_failed: ") and says in warning


def test_without_log_probabilities_a_person_decides() -> None:
    with serving(answering(completion(None, "No"))) as server:
        result = scored(server.url)
    icd = result.tasks["icd"]
    assert (icd.route.name, icd.verdict) == (RouteName.HUMAN, Verdict.NEEDS_HUMAN)
    hate = icd.policies["hate_harassment"]
    assert (hate.final, hate.why_not) == (None, WhyNot.NO_PROBABILITY)


def test_little_mass_on_the_labels_goes_to_a_person() -> None:
    with serving(answering(completion({"<think>": 0.98, "No": 0.02}))) as server:
        result = scored(server.url)
    assert result.tasks["icd"].route.name is RouteName.HUMAN


def test_a_sure_answer_decides() -> None:
    with serving(answering(completion({"No": 0.98, "Yes": 0.02}))) as server:
        result = scored(server.url)
    assert result.tasks["icd"].route.name is RouteName.AUTO_PASS
    assert result.models["mllm"].endswith("-uncalibrated")


def test_a_failed_rationale_leaves_the_answer() -> None:
    with serving(answering(completion({"Yes": 0.98, "No": 0.02}))) as server:
        result = scored(server.url, rationale="always")
    assert result.tasks["icd"].route.name is RouteName.AUTO_FLAG
    assert result.mllm.rationale.evidence == ()
    assert "No reasons: " in result.mllm.rationale.summary


def test_every_reason_has_words_for_people() -> None:
    assert set(WhyNot) <= set(WHY_NOT)
