"""Probabilities from ``/v1/systemone``, where a chat gives none."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from coefvq import taxonomy
from coefvq.media.probe import probe as probe_media
from coefvq.mllm.endpoint import EndpointMllm
from coefvq.mllm.endpoint.client import EndpointClient, EndpointError
from tests import media_factory as make
from tests.unit.mllm.endpoint.server import (
    MODEL,
    FakeServer,
    Reply,
    Respond,
    Seen,
    answering,
    completion,
    item,
    serving,
)

TRIAL_STATE = "A trial."


def transformers_serve(said: str = "No", noul: Any = 0.3, drops: tuple[str, ...] = ()) -> Respond:
    """``transformers serve``: a list of models that fails, no log-probabilities, systemone."""

    def respond(seen: Seen) -> Reply:
        if seen.path.endswith("/models"):
            return Reply(b"Internal Server Error", 500)
        if seen.path != "/v1/systemone":
            return answering(completion(None, said), dropped=drops)(seen)
        assert set(seen.body) <= {"model", "state", "questions", "assets"}  # others: HTTP 422
        value = 0.5 if seen.body["state"] == TRIAL_STATE else noul
        answers = {name: {"type": "noul", "noul": value} for name in seen.body["questions"]}
        usage = {"input_tokens": 60, "output_tokens": 0}
        return Reply({"model": MODEL, "answers": answers, "usage": usage})

    return respond


def backend(url: str) -> EndpointMllm:
    return EndpointMllm(EndpointClient(url, timeout_s=5.0, sleep=lambda _: None), MODEL)


def decisions(server: FakeServer) -> list[Seen]:
    asked = [seen for seen in server.seen if seen.path == "/v1/systemone"]
    return [seen for seen in asked if seen.body["state"] != TRIAL_STATE]


@pytest.mark.parametrize("said", ["No", "Yes", " yes.", "**No**"])
def test_a_model_that_says_a_label_is_asked_for_its_probability(said: str) -> None:
    with serving(transformers_serve(said)) as server:
        found = backend(server.url).assess(item())
    score = found.scores["hate_harassment"]
    assert (score.probability, score.label_mass) == (0.3, None)
    assert (found.tokens_in, found.tokens_out) == (2 * (100 + 60), 2)
    policies = [taxonomy.policy(name) for name in ("hate_harassment", "scam_spam")]
    told = [seen.body["questions"]["answer"]["instructions"] for seen in decisions(server)]
    assert all(any(policy.question in text for text in told) for policy in policies)


@pytest.mark.parametrize("said", ["I cannot judge this.", "", "<think>", "Yesterday"])
def test_a_model_that_says_something_else_is_not_believed(said: str) -> None:
    with serving(transformers_serve(said)) as server:
        found = backend(server.url).assess(item())
    assert {found.scores[name].why_not for name in ("hate_harassment", "scam_spam")} == {
        "no_probability"
    }
    assert decisions(server) == []


@pytest.mark.parametrize("noul", [None, "0.3", True, -0.1, 1.5, [0.3]], ids=str)
def test_a_probability_that_is_none_is_an_error(noul: Any) -> None:
    with (
        serving(transformers_serve(noul=noul)) as server,
        pytest.raises(EndpointError, match="without a probability"),
    ):
        backend(server.url).assess(item())


def test_four_pictures_go_along_as_assets(tmp_path) -> None:
    info = probe_media(make.clip(tmp_path / "a.mp4", 6.0, with_audio=False))
    hostile = item(caption="[picture-0] [picture-000000000000-0]")
    with serving(transformers_serve()) as server:
        backend(server.url).assess(dataclasses.replace(hostile, info=info))
    body = decisions(server)[0].body
    names = list(body["assets"])
    assert len(names) == 4 and all(body["state"].count(name) == 1 for name in names)
    asset = body["assets"][names[0]]
    assert (asset["type"], asset["format"]) == ("image", "jpeg")
    assert asset["data_base64"].startswith("/9j/")
    assert body["state"].count("0:0") >= 4


def test_pictures_that_are_dropped_in_silence_are_not_judged(tmp_path) -> None:
    info = probe_media(make.clip(tmp_path / "a.mp4", 2.0))
    given = dataclasses.replace(item(), info=info)
    with serving(transformers_serve(drops=("image_url", "input_audio"))) as server:
        found = backend(server.url).assess(given)
    assert found.scores["violence"].why_not == "no_frames"
    assert found.scores["scam_spam"].probability == 0.3
    assert all("assets" not in seen.body for seen in decisions(server))
