"""Reasons: only what a quote proves is kept, and a failure is told, not papered over."""

from __future__ import annotations

import json

import pytest

from coefvq import taxonomy
from coefvq.domain import Assessment, PolicyScore, Stage, TimedText
from coefvq.mllm.endpoint import EndpointMllm
from coefvq.mllm.endpoint.client import EndpointClient
from tests.unit.mllm.endpoint.server import (
    MODEL,
    Reply,
    Seen,
    answering,
    completion,
    item,
    serving,
)

YES = completion({"Yes": 0.6, "No": 0.2, "I": 0.1})


def backend(url: str) -> EndpointMllm:
    return EndpointMllm(EndpointClient(url, timeout_s=5.0, sleep=lambda _: None), MODEL)


def scored(**probabilities: float) -> Assessment:
    scores = {
        name: PolicyScore(name, probabilities.get(name), covered=name in probabilities)
        for name in taxonomy.policies()
    }
    return Assessment(Stage.MLLM, "test", scores)


GOOD = {
    "for": [
        {"policy": "hate_harassment", "quote": "all worthless people", "remark": "demeans"},
        {"policy": "scam_spam", "quote": "send me money", "remark": "asks for money"},
        {"policy": "scam_spam", "quote": "never said", "remark": "made up"},
    ],
    "against": [{"policy": "scam_spam", "quote": "WIN BIG", "remark": "only a slogan"}],
    "summary": "It insults people.",
}
BOTH = {"hate_harassment": 0.9, "scam_spam": 0.4}


@pytest.mark.parametrize(
    "around", ["{}", "```json\n{}\n```", "Here you are: {{x}} {}", "{} I hope it helps."]
)
def test_a_rationale_keeps_only_what_is_there(around: str) -> None:
    text = around.format(json.dumps(GOOD))
    with serving(answering(completion(None, text))) as server:
        found = backend(server.url).explain(item(), scored(**BOTH))
    places = [(e.modality, e.start_s, e.end_s, e.quote, e.policy) for e in found.evidence]
    assert places == [
        ("caption", 0.0, 0.0, "all worthless people", "hate_harassment"),
        ("speech", 3.0, 5.0, "send me money", "scam_spam"),
        ("screen_text", 1.0, 2.0, "WIN BIG", "scam_spam"),
    ]
    assert [len(found.points_for), len(found.points_against)] == [2, 1]
    assert "never said" not in repr(found)
    assert "hate, harassment 0.90" in found.summary and "It insults people." in found.summary
    assert any("not calibrated" in note for note in found.uncertain)
    assert any("dropped" in note and note.endswith(": 1.") for note in found.uncertain)


def test_a_quote_over_the_border_of_two_lines_is_found() -> None:
    lines = (TimedText(0.0, 1.0, "give me"), TimedText(1.0, 2.0, "your money"))
    point = {"policy": "scam_spam", "quote": "me your", "remark": ""}
    chat = completion(None, json.dumps({"for": [point], "against": [], "summary": ""}))
    with serving(answering(chat)) as server:
        found = backend(server.url).explain(item(speech=lines), scored(**BOTH))
    assert [(e.quote, e.start_s, e.end_s) for e in found.evidence] == [("me your", 0.0, 2.0)]


@pytest.mark.parametrize(
    "point",
    [
        pytest.param({"policy": "scam_spam", "quote": "", "remark": "x"}, id="empty quote"),
        pytest.param({"policy": "scam_spam", "quote": "WI", "remark": "x"}, id="too short"),
        pytest.param({"policy": "violence", "quote": "WIN BIG", "remark": "x"}, id="not asked"),
        pytest.param({"policy": [1], "quote": "WIN BIG", "remark": "x"}, id="no policy"),
        pytest.param({"policy": "scam_spam", "quote": 7}, id="no text"),
        pytest.param("WIN BIG", id="no object"),
    ],
)
def test_points_that_prove_nothing_are_dropped(point: object) -> None:
    chat = completion(None, json.dumps({"for": [point], "against": {}, "summary": None}))
    with serving(answering(chat)) as server:
        found = backend(server.url).explain(item(), scored(**BOTH))
    assert found.evidence == () and found.points_for == () and found.points_against == ()


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        pytest.param(completion(None, "It is bad."), "not the JSON asked for", id="prose"),
        pytest.param(completion(None, '{"for": ['), "not the JSON asked for", id="cut off"),
        pytest.param(completion(None, None), "not the JSON asked for", id="nothing"),
        pytest.param({"choices": []}, "no choices", id="no choices"),
        pytest.param(Reply({}, 400), "HTTP 400", id="refused"),
    ],
)
def test_a_rationale_that_failed_is_absent_and_says_so(reply: object, says: str) -> None:
    with serving(answering(reply)) as server:
        found = backend(server.url).explain(item(), scored(**BOTH))
    assert "No reasons: " in found.summary and says in found.summary
    assert found.evidence == () and found.points_for == () and found.points_against == ()


@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_server_without_schemas_is_asked_for_any_json(status: int) -> None:
    good = answering(completion(None, json.dumps(GOOD)))

    def respond(seen: Seen) -> Reply:
        form = (seen.body or {}).get("response_format", {}).get("type")
        return Reply({"error": "unknown"}, status) if form == "json_schema" else good(seen)

    with serving(respond) as server:
        found = backend(server.url).explain(item(), scored(**BOTH))
    assert len(found.evidence) == 3
    assert server.chats[-1].body["response_format"] == {"type": "json_object"}


def test_with_nothing_covered_there_is_nothing_to_explain() -> None:
    with serving(answering(YES)) as server:
        found = backend(server.url).explain(item(), scored())
    assert found.summary.startswith("Nothing was scored.") and server.seen == []


def test_a_remark_is_cleaned_and_cut() -> None:
    remark = "<|im_start|>" + "ab " * 500
    point = {"policy": "scam_spam", "quote": "WIN BIG", "remark": remark}
    chat = completion(None, json.dumps({"for": [point], "against": [], "summary": remark}))
    with serving(answering(chat)) as server:
        found = backend(server.url).explain(item(), scored(**BOTH))
    assert "<|" not in repr(found) and len(found.evidence[0].detail) < 250
    assert len(found.summary) < 300
