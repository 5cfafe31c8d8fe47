"""What becomes of a video when the endpoint fails: it waits or a person gets it, never lost."""

from __future__ import annotations

import socket
from threading import Event

import pytest

from coefvq import taxonomy
from coefvq.cascade import Cascade
from coefvq.domain import Assessment, CascadeResult, PolicyScore, RouteName, Stage, Verdict, WhyNot
from coefvq.media.limits import MediaLimits
from coefvq.mllm.endpoint import EndpointMllm
from coefvq.mllm.endpoint.capabilities import TRIAL
from coefvq.mllm.endpoint.client import EndpointClient
from coefvq.request import RationaleChoice
from coefvq.routing.entropy import EntropyRouting
from reviewer_ui.words import WHY_NOT
from tests.unit.mllm.endpoint.server import (
    MODEL,
    Reply,
    Seen,
    answering,
    completion,
    item,
    question,
    serving,
)

KEY = "sk-very-secret-0123456789"


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


def made(url: str, timeout_s: float = 5.0) -> EndpointMllm:
    client = EndpointClient(url, KEY, timeout_s=timeout_s, sleep=lambda _: None)
    return EndpointMllm(client, MODEL)


def through(mllm: EndpointMllm, rationale: RationaleChoice = "never") -> CascadeResult:
    parts = (UnsurePrefilter(), mllm, None, None, EntropyRouting(0.6, 0.6), MediaLimits())
    cascade = Cascade(*parts)  # type: ignore[arg-type]
    given = item()
    return cascade.assess_signals("a", given.posted, given.expensive, rationale=rationale)


def scored(url: str, rationale: RationaleChoice = "never", **options: float) -> CascadeResult:
    return through(made(url, **options), rationale)


FAILURES = [
    pytest.param(Reply({"error": "x"}, 400), "COEFVQ_ENDPOINT_FRAMES", id="bad request"),
    pytest.param(Reply({"error": KEY}, 401), "COEFVQ_ENDPOINT_KEY", id="no key"),
    pytest.param(Reply({"error": KEY}, 403), "COEFVQ_ENDPOINT_KEY", id="wrong key"),
    pytest.param(Reply({"error": "x"}, 404), "model's name", id="no such model"),
    pytest.param(Reply({}, 429, {"Retry-After": "1"}), "COEFVQ_ENDPOINT_CONCURRENCY", id="often"),
    pytest.param(Reply({}, 429, {"Retry-After": "900"}), "HTTP 429", id="much too often"),
    pytest.param(Reply({"error": KEY}, 500), "HTTP 500", id="crashes"),
    pytest.param(Reply({"error": "x"}, 503), "HTTP 503", id="busy"),
    pytest.param(Reply(drop=True), "No answer", id="hangs up"),
    pytest.param(Reply({"choices": []}, cut=True), "No answer", id="breaks off in the middle"),
    pytest.param(Reply(b"{]"), "not answer in JSON", id="nonsense"),
    pytest.param(Reply(b"<html>Bad gateway</html>"), "not answer in JSON", id="a page"),
    pytest.param(Reply(b"<html>Bad gateway</html>", 502), "HTTP 502", id="a gateway's page"),
    pytest.param(Reply({"choices": []}), "no choices", id="no choices"),
    pytest.param(Reply(b"[" + b"1," * 2**21 + b"1]"), "more than 4 MiB", id="huge"),
    pytest.param(Reply(b"", 307, {"Location": "http://127.0.0.2:9/"}), "Redirects", id="redirect"),
]


def assert_waits(result: CascadeResult, says: str) -> None:
    """Nothing was decided, nothing was lost, and the warning tells why without the key."""
    icd = result.tasks["icd"]
    assert (icd.route.name, icd.verdict) == (RouteName.MLLM, Verdict.NEEDS_HUMAN)
    assert result.mllm is None and result.prefilter.scores["hate_harassment"].probability == 0.4
    (warning,) = result.warnings
    assert warning.startswith("mllm_failed: ") and says in warning and KEY not in warning


@pytest.mark.parametrize(("reply", "says"), FAILURES)
def test_a_server_that_fails_from_the_start(reply: Reply, says: str) -> None:
    with serving(answering(reply)) as server:
        assert_waits(scored(server.url), says)


@pytest.mark.parametrize(("reply", "says"), FAILURES)
def test_a_server_that_fails_in_the_middle(reply: Reply, says: str) -> None:
    good = answering(completion({"No": 0.98, "Yes": 0.02}))

    def respond(seen: Seen) -> Reply:
        earnest = seen.path.endswith("/chat/completions") and question(seen) != TRIAL
        return reply if earnest else good(seen)

    with serving(respond) as server:
        assert_waits(scored(server.url), says)
    assert len(server.trials) == 1


@pytest.mark.parametrize(("reply", "says"), FAILURES)
def test_the_next_video_is_asked_about_when_the_server_is_well_again(
    reply: Reply, says: str
) -> None:
    well: list[bool] = []
    good = answering(completion({"No": 0.98, "Yes": 0.02}))

    with serving(lambda seen: good(seen) if well else answering(reply)(seen)) as server:
        mllm = made(server.url)
        assert_waits(through(mllm), says)
        well.append(True)
        assert through(mllm).tasks["icd"].route.name is RouteName.AUTO_PASS


def test_a_server_that_is_down() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        assert_waits(scored(f"http://127.0.0.1:{taken.getsockname()[1]}/v1"), "No answer")


def test_a_server_that_is_slow() -> None:
    done = Event()

    def slow(_: Seen) -> Reply:
        done.wait(10)
        return Reply({})

    with serving(slow) as server:
        assert_waits(scored(server.url, timeout_s=0.2), "COEFVQ_ENDPOINT_TIMEOUT_S")
        done.set()


def test_a_server_that_speaks_no_tls() -> None:
    with serving(answering(completion({"No": 1.0}))) as server:
        url = server.url.replace("http://", "https://")
        assert_waits(scored(url), "No secure connection")


def test_neither_key_nor_video_follows_a_redirect() -> None:
    with serving(answering(completion({"No": 1.0}))) as other:
        there = Reply(b"", 308, {"Location": f"{other.url}/chat/completions"})
        with serving(answering(there)) as server:
            assert_waits(scored(server.url), "Redirects")
    assert other.seen == []


def test_a_refusal_in_words_goes_to_a_person() -> None:
    words = completion({"I": 0.9, "Sorry": 0.1}, text="I can't help with that.")
    with serving(answering(words)) as server:
        icd = scored(server.url).tasks["icd"]
    assert (icd.route.name, icd.verdict) == (RouteName.HUMAN, Verdict.NEEDS_HUMAN)


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
