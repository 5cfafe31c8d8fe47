"""What is found out about a server, and that each thing is asked once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from coefvq.mllm.endpoint.capabilities import TRIAL, Capabilities, probe
from coefvq.mllm.endpoint.client import EndpointClient, EndpointError
from coefvq.mllm.endpoint.footage import TEXT, Form, Pictures, Sound
from coefvq.mllm.endpoint.scoring import ByLogprobs, BySystemOne
from tests.unit.mllm.endpoint.server import (
    MODEL,
    FakeServer,
    Reply,
    Respond,
    Seen,
    answering,
    completion,
    kinds_in,
    models,
    serving,
)

YES = completion({"Yes": 0.9, "No": 0.1})
SILENT = completion(None, "Yes")
FILE, SEQUENCE, STILLS = Pictures.FILE, Pictures.SEQUENCE, Pictures.STILLS


def client(server: FakeServer) -> EndpointClient:
    return EndpointClient(server.url, timeout_s=10.0, sleep=lambda _: None)


def probed(respond: Respond) -> Capabilities:
    with serving(respond) as server:
        return probe(client(server), MODEL)


def forms(respond: Respond, count: int = 2) -> list[Form]:
    with serving(respond) as server:
        return list(probe(client(server), MODEL).forms(count))


def with_tokenizer(words: dict[str, list[int]], chat: Respond) -> Respond:
    """A server with vLLM's ``POST /tokenize``."""

    def respond(seen: Seen) -> Reply:
        if seen.path == "/tokenize":
            assert seen.body["add_special_tokens"] is False and seen.body["model"] == MODEL
            tokens = words.get(seen.body["prompt"], [1, 2])
            return Reply({"count": len(tokens), "tokens": tokens, "max_model_len": 4096})
        return chat(seen)

    return respond


@pytest.mark.parametrize(
    ("listed", "dialect"),
    [
        pytest.param(models("vllm", max_model_len=32768), "vllm", id="vllm"),
        pytest.param(models("sglang", root=MODEL), "sglang", id="sglang"),
        pytest.param(models("llamacpp", id="m.gguf"), "llamacpp", id="llama.cpp, another name"),
        pytest.param(models("openai-internal"), "openai", id="openai"),
        pytest.param({"data": []}, "openai", id="no models"),
        pytest.param({"data": [7, {"id": 1}]}, "openai", id="odd rows"),
        pytest.param({"models": 1}, "openai", id="no list"),
        pytest.param(Reply({}, 404), "openai", id="no such route"),
        pytest.param(Reply({}, 405), "openai", id="not that method"),
        pytest.param(Reply(b"Internal Server Error", 500), "openai", id="a list that fails"),
        pytest.param(
            {"data": [{"id": "other", "owned_by": "sglang"}, {"id": MODEL, "owned_by": "vllm"}]},
            "vllm",
            id="the named model counts",
        ),
    ],
)
def test_which_server_it_is(listed: Any, dialect: str) -> None:
    found = probed(answering(YES, listed))
    assert found.dialect.name == dialect
    assert isinstance(found.scorer, ByLogprobs)


@pytest.mark.parametrize("status", [401, 403, 429, 503])
def test_a_refused_probe_is_an_error(status: int) -> None:
    with pytest.raises(EndpointError, match=str(status)):
        probed(lambda _: Reply({}, status))


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_refused_first_question_is_an_error_with_the_remedy(status: int) -> None:
    with pytest.raises(EndpointError, match=r"COEFVQ_MLLM|COEFVQ_ENDPOINT_FRAMES"):
        probed(answering(Reply({}, status)))


IDS = {"Yes": [9], " Yes": [7], "No": [4], "yes": [1, 2]}


def test_the_tokens_of_the_labels_are_asked_for_where_the_server_takes_them() -> None:
    with serving(with_tokenizer(IDS, answering(YES, models("vllm")))) as server:
        found = probe(client(server), MODEL)
    assert isinstance(found.scorer, ByLogprobs) and found.scorer.label_ids == (4, 7, 9)
    (trial,) = server.trials
    assert trial.body["logprob_token_ids"] == [4, 7, 9]
    assert (trial.body["logprobs"], trial.body["top_logprobs"]) == (True, 20)


def refusing_ids(seen: Seen) -> Reply:
    named = isinstance(seen.body, dict) and "logprob_token_ids" in seen.body
    return Reply({}, 400) if named else answering(YES, models("vllm"))(seen)


@pytest.mark.parametrize(
    "respond",
    [
        pytest.param(answering(YES, models("vllm")), id="no tokenizer route"),
        pytest.param(
            with_tokenizer({"Yes": [9]}, answering(YES, models("vllm"))), id="No is two tokens"
        ),
        pytest.param(with_tokenizer(IDS, refusing_ids), id="an older server"),
        pytest.param(with_tokenizer(IDS, answering(YES)), id="not vLLM"),
    ],
)
def test_else_the_likeliest_tokens_are_asked_for(respond: Respond) -> None:
    found = probed(respond)
    assert isinstance(found.scorer, ByLogprobs) and found.scorer.label_ids == ()


def systemone(reply: Reply) -> Respond:
    def respond(seen: Seen) -> Reply:
        return reply if seen.path == "/v1/systemone" else answering(SILENT)(seen)

    return respond


def test_without_log_probabilities_systemone_is_tried() -> None:
    good = Reply({"answers": {"answer": {"type": "noul", "noul": 0.4}}})
    assert isinstance(probed(systemone(good)).scorer, BySystemOne)


@pytest.mark.parametrize("status", [400, 404, 405, 422, 500, 501])
def test_without_either_there_is_no_probability(status: int) -> None:
    found = probed(systemone(Reply({}, status)))
    assert found.scorer is None and list(found.forms(8)) == [TEXT]


@pytest.mark.parametrize("answer", [{}, {"answers": {"answer": {"noul": "0.4"}}}], ids=str)
def test_a_systemone_of_another_kind_is_an_error(answer: dict) -> None:
    with pytest.raises(EndpointError, match="systemone"):
        probed(systemone(Reply(answer)))


BEST = {
    "vllm": [Form(FILE, Sound.IN_FILE), Form(FILE), Form(SEQUENCE, Sound.WAV), Form(SEQUENCE)],
    "sglang": [Form(FILE, Sound.WAV), Form(FILE)],
    "llamacpp": [Form(FILE, Sound.WAV), Form(FILE)],
    "openai": [],
}
LAST = [Form(STILLS, Sound.WAV), Form(STILLS), Form(Pictures.NONE, Sound.WAV), TEXT]


@pytest.mark.parametrize("name", sorted(BEST))
def test_a_model_that_takes_everything(name: str) -> None:
    assert forms(answering(YES, models(name))) == BEST[name] + LAST


@pytest.mark.parametrize(
    ("name", "refused", "best"),
    [
        ("vllm", ("video_url",), Form(STILLS, Sound.WAV)),
        ("vllm", ("video_url", "image_url"), Form(Pictures.NONE, Sound.WAV)),
        ("vllm", ("video_url", "image_url", "input_audio"), TEXT),
        ("sglang", ("video_url",), Form(STILLS, Sound.WAV)),
        ("sglang", ("input_audio",), Form(FILE)),
        ("llamacpp", ("input_video",), Form(STILLS, Sound.WAV)),
        ("openai", ("input_audio",), Form(STILLS)),
        ("openai", ("image_url", "input_audio"), TEXT),
    ],
)
@pytest.mark.parametrize("how", ["refused", "dropped"])
def test_what_is_refused_or_dropped_in_silence_is_not_sent(
    name: str, refused: tuple[str, ...], best: Form, how: str
) -> None:
    respond = answering(YES, models(name), **{how: refused})  # type: ignore[arg-type]
    assert forms(respond)[0] == best


def test_sound_in_the_file_that_is_not_heard_is_sent_beside_it() -> None:
    def respond(seen: Seen) -> Reply:
        if isinstance(seen.body, dict):
            seen.body.pop("mm_processor_kwargs", None)
        return answering(YES, models("vllm"))(seen)

    assert forms(respond)[0] == Form(FILE, Sound.WAV)


@pytest.mark.parametrize("status", [400, 413, 415, 422, 500, 501])
def test_every_way_of_refusing_a_kind_steps_down(status: int) -> None:
    def respond(seen: Seen) -> Reply:
        pictures = isinstance(seen.body, dict) and "image_url" in str(seen.body)
        return Reply({}, status) if pictures else answering(YES)(seen)

    assert forms(respond)[0] == Form(Pictures.NONE, Sound.WAV)


def test_a_server_that_takes_no_parts_is_not_tried_further() -> None:
    """As llama-cpp-python's server with a text model, which answers 500 to any list of parts."""

    def respond(seen: Seen) -> Reply:
        parts = isinstance(seen.body, dict) and isinstance(
            seen.body["messages"][-1]["content"], list
        )
        return Reply({"error": "can only concatenate str"}, 500) if parts else answering(YES)(seen)

    with serving(respond) as server:
        assert list(probe(client(server), MODEL).forms(8)) == [TEXT]
    assert [kinds_in(seen.body) for seen in server.trials] == [["text"]] * 5  # one, four times


def test_a_server_that_counts_no_tokens_gets_text_only() -> None:
    uncounted = {key: value for key, value in YES.items() if key != "usage"}
    respond = answering(Reply(uncounted))
    assert forms(respond) == [TEXT]


@pytest.mark.parametrize(
    ("kinds", "best", "tried"),
    [
        (["text"], TEXT, set()),
        (["text", "image"], Form(STILLS), {"image_url"}),
        (["text", "image", "audio"], Form(STILLS, Sound.WAV), {"image_url", "input_audio"}),
        (["text", "image", "video"], Form(FILE), {"input_video", "image_url"}),
    ],
    ids=["text", "stills", "stills and sound", "the file"],
)
def test_what_llamacpp_says_it_takes_is_all_that_is_tried(
    kinds: list[str], best: Form, tried: set[str]
) -> None:
    row = models("llamacpp", architecture={"input_modalities": kinds})
    with serving(answering(YES, row)) as server:
        found = list(probe(client(server), MODEL).forms(2))
    assert found[0] == best
    assert _kinds(server.trials) - {"text"} == tried


def test_each_form_is_tried_once() -> None:
    with serving(answering(YES, models("vllm"))) as server:
        found = probe(client(server), MODEL)
        first = list(found.forms(2))
        asked = len(server.seen)
        assert list(found.forms(2)) == first
    assert len(server.seen) == asked


def test_the_best_form_costs_few_trials() -> None:
    with serving(answering(YES, models("vllm"))) as server:
        next(probe(client(server), MODEL).forms(8))
    assert len(server.trials) == 4  # log-probabilities; text; file; its sound


def test_as_many_pictures_are_tried_as_will_be_sent() -> None:
    with serving(answering(YES)) as server:
        list(probe(client(server), MODEL).forms(5))
    assert max(kinds_in(seen.body).count("image_url") for seen in server.trials) == 5


def test_no_frames_mean_text_only() -> None:
    assert forms(answering(YES, models("vllm")), count=0) == [TEXT]


def test_a_server_that_fails_while_it_is_tried_is_tried_again() -> None:
    busy = [True]

    def respond(seen: Seen) -> Reply:
        pictures = isinstance(seen.body, dict) and "image_url" in str(seen.body)
        return Reply({}, 503) if pictures and busy else answering(YES)(seen)

    with serving(respond) as server:
        found = probe(client(server), MODEL)
        with pytest.raises(EndpointError, match="503"):
            list(found.forms(1))
        busy.clear()
        assert Form(STILLS) in list(found.forms(1))


def _kinds(trials: Iterable[Seen]) -> set[str]:
    parts: list[dict[str, Any]] = []
    for seen in trials:
        content = seen.body["messages"][0]["content"]
        parts += content if isinstance(content, list) else [{"type": "text", "text": content}]
    assert all(part["text"] == TRIAL for part in parts if part["type"] == "text")
    return {part["type"] for part in parts}
