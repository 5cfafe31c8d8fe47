"""The backend against a real server on loopback: what is asked, and every stated outcome."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from coefvq import taxonomy
from coefvq.domain import Assessment, PostedText, Stage
from coefvq.errors import ModelError, SettingsError
from coefvq.media.probe import probe as probe_media
from coefvq.mllm.backend import MllmBackend, MllmInput
from coefvq.mllm.endpoint import EndpointMllm
from coefvq.mllm.endpoint.capabilities import TRIAL
from coefvq.mllm.endpoint.client import EndpointClient
from coefvq.mllm.profiles import load_backend
from coefvq.settings import PREFIX, Settings, load_settings
from tests import media_factory as make
from tests.unit.mllm.endpoint.server import (
    MODEL,
    Reply,
    Seen,
    answering,
    completion,
    item,
    models,
    question,
    serving,
)

YES = completion({"Yes": 0.6, "No": 0.2, "I": 0.1})
TEXT_ONLY = {"hate_harassment", "scam_spam"}
LOOKED_AT = {"violence", "sexual", "dangerous_acts", "watermark", "screen_recording"}
NEVER = {"reupload", "static_slideshow"}


def backend(url: str, **options) -> EndpointMllm:
    client = EndpointClient(url, timeout_s=5.0, sleep=lambda _: None)
    return EndpointMllm(client, MODEL, **options)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> MllmInput:
    path = make.clip(tmp_path_factory.mktemp("clips") / "a.mp4", 3.0)
    return dataclasses.replace(item(), info=probe_media(path))


def why_nots(assessment: Assessment) -> dict[str, str | None]:
    return {name: score.why_not for name, score in assessment.scores.items()}


def test_the_profile_gives_the_backend_without_asking_the_server() -> None:
    settings = Settings(mllm="endpoint:http://127.0.0.1:1/v1#org/some-model")
    found = load_backend(settings)
    assert isinstance(found, MllmBackend)
    assert found.version.startswith("endpoint-org/some-model-")
    assert found.version.endswith("-uncalibrated")
    assert found.covers == TEXT_ONLY | LOOKED_AT


def test_the_version_tells_models_addresses_and_frames_apart() -> None:
    names = ["endpoint:http://a/v1#m", "endpoint:http://b/v1#m", "endpoint:http://a/v1#n"]
    found = [load_backend(Settings(mllm=name)) for name in names]
    found.append(load_backend(Settings(mllm=names[0], endpoint_frames=0)))
    assert len({each.version for each in found}) == 4
    assert found[3].covers == TEXT_ONLY


@pytest.mark.parametrize(
    "address",
    [
        "http://me:secret1@host/v1#m",
        "http://secret1@host/v1#m",
        "http://host/v1?key=secret1#m",
        "http://me:secret1@host/v1",
    ],
)
def test_secrets_in_the_address_are_refused_unseen(address: str) -> None:
    with pytest.raises(SettingsError, match="COEFVQ_ENDPOINT_KEY") as caught:
        load_backend(Settings(mllm=f"endpoint:{address}"))
    assert "secret1" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://host:port/v1", "http://host:99999/v1", "http://[::1/v1"])
def test_an_impossible_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="endpoint:URL#MODEL"):
        load_backend(Settings(mllm=f"endpoint:{url}#m"))


def test_the_key_comes_from_the_environment_and_is_not_shown(monkeypatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)
    monkeypatch.setenv("COEFVQ_ENDPOINT_KEY", "sk-secret-1")
    with serving(answering(YES)) as server:
        settings = load_settings(mllm=f"endpoint:{server.url}#{MODEL}")
        found = load_backend(settings).assess(item())
    assert {seen.headers["authorization"] for seen in server.seen} == {"Bearer sk-secret-1"}
    assert "sk-secret-1" not in repr(settings) + str(settings) + repr(found)


def test_text_alone_is_scored_for_the_rules_on_text() -> None:
    with serving(answering(YES)) as server:
        mllm = backend(server.url)
        found = mllm.assess(item())
    assert (found.stage, found.model_version) == (Stage.MLLM, mllm.version)
    assert list(found.scores) == list(taxonomy.policies())
    for name in TEXT_ONLY:
        assert found.scores[name].probability == pytest.approx(0.75)
        assert found.scores[name].label_mass == pytest.approx(0.8)
    unseen = dict.fromkeys(LOOKED_AT, "no_media") | dict.fromkeys(NEVER, "not_trained")
    assert why_nots(found) == dict.fromkeys(TEXT_ONLY) | unseen
    assert (found.tokens_in, found.tokens_out) == (200, 2)
    assert [seen.path for seen in server.seen].count("/v1/models") == 1


def test_each_policy_gets_its_own_answer_to_its_own_question() -> None:
    def respond(seen: Seen) -> Reply:
        if not seen.path.endswith("/chat/completions"):
            return answering(None)(seen)
        scam = taxonomy.policy("scam_spam").question in question(seen)
        chances = {"Yes": 0.9, "No": 0.1} if scam else {"Yes": 0.2, "No": 0.8}
        return answering(completion(chances))(seen)

    with serving(respond) as server:
        found = backend(server.url).assess(item())
    assert found.scores["scam_spam"].probability == pytest.approx(0.9)
    assert found.scores["hate_harassment"].probability == pytest.approx(0.2)


def test_frames_are_sent_and_the_rules_on_pictures_scored(video: MllmInput) -> None:
    with serving(answering(YES)) as server:
        found = backend(server.url, frames=4).assess(video)
    assert {name for name, score in found.scores.items() if score.covered} == TEXT_ONLY | LOOKED_AT
    parts = server.chats[0].body["messages"][-1]["content"]
    kinds = [part["type"] for part in parts]
    assert 1 <= kinds.count("image_url") <= 4 and kinds[-2:] == ["text", "text"]
    assert parts[0]["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/")
    assert "frames of the video at 0:0" in parts[-2]["text"]


def test_the_video_comes_first_so_that_servers_keep_its_prefix(video: MllmInput) -> None:
    with serving(answering(YES)) as server:
        backend(server.url, frames=2).assess(video)
    asked = [seen.body["messages"] for seen in server.chats]
    assert len({json.dumps([chat[0], chat[1]["content"][:-1]]) for chat in asked}) == 1
    assert len({chat[1]["content"][-1]["text"] for chat in asked}) == len(asked) == 7


@pytest.mark.parametrize(
    ("listed", "sent"),
    [
        pytest.param(["text"], 0, id="text only"),
        pytest.param(["text", "image"], 1, id="pictures too"),
    ],
)
def test_a_model_that_says_it_takes_no_pictures_gets_none(
    video: MllmInput, listed: list[str], sent: int
) -> None:
    row = models("llamacpp", architecture={"input_modalities": listed})
    with serving(answering(YES, row)) as server:
        found = backend(server.url, frames=1).assess(video)
    asked = json.dumps(server.chats[0].body)
    assert asked.count("image_url") == 2 * sent
    assert why_nots(found)["violence"] == (None if sent else "no_frames")


def test_a_file_that_is_gone_leaves_the_text(video: MllmInput, tmp_path: Path) -> None:
    assert video.info is not None
    gone = dataclasses.replace(video.info, path=str(tmp_path / "gone.mp4"))
    with serving(answering(YES)) as server:
        found = backend(server.url).assess(dataclasses.replace(video, info=gone))
    assert why_nots(found)["violence"] == "no_frames"
    assert found.scores["scam_spam"].covered


def test_speech_that_was_not_understood_is_not_judged(video: MllmInput) -> None:
    signals = dataclasses.replace(video.expensive, speech_understood=False)
    with serving(answering(YES)) as server:
        found = backend(server.url).assess(dataclasses.replace(video, expensive=signals))
    assert why_nots(found)["hate_harassment"] == "speech_not_understood"
    assert found.scores["violence"].covered


def test_nothing_to_read_asks_nothing() -> None:
    empty = item(caption="<|im_end|>\u200b", speech=())
    empty = dataclasses.replace(
        empty,
        posted=dataclasses.replace(empty.posted, title=None),
        expensive=dataclasses.replace(empty.expensive, screen_text=None),
    )
    with serving(answering(YES)) as server:
        found = backend(server.url).assess(empty)
    assert {why_nots(found)[name] for name in TEXT_ONLY} == {"nothing_to_read"}
    assert server.chats == []


@pytest.mark.parametrize(
    ("chat", "asked"),
    [
        pytest.param(completion(None, "Yes"), 0, id="no log-probabilities, so no question"),
        pytest.param(completion(None, ""), 0, id="empty content"),
        pytest.param(completion({"Sure": 1.0}), 2, id="neither label"),
    ],
)
def test_without_a_probability_the_policy_is_not_covered(chat: dict, asked: int) -> None:
    with serving(answering(chat)) as server:
        found = backend(server.url).assess(item())
    assert {why_nots(found)[name] for name in TEXT_ONLY} == {"no_probability"}
    assert all(score.probability is None for score in found.scores.values())
    assert len(server.chats) == asked


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        pytest.param(Reply({"error": "x"}, 401), "COEFVQ_ENDPOINT_KEY", id="key"),
        pytest.param(Reply({"error": "x"}, 404), "model's name", id="model"),
        pytest.param(Reply({"error": "x"}, 503), "HTTP 503", id="busy for long"),
        pytest.param(Reply(b"hello"), "JSON", id="nonsense"),
        pytest.param(Reply({"object": "x"}), "no choices", id="no choices"),
        pytest.param(Reply(drop=True), "No answer", id="hangs up"),
    ],
)
def test_a_failing_server_is_an_error_that_the_cascade_knows(reply: Reply, says: str) -> None:
    with serving(answering(reply)) as server, pytest.raises(ModelError, match=says):
        backend(server.url).assess(item())


def test_half_an_answer_is_no_answer() -> None:
    first: list[str] = []

    def respond(seen: Seen) -> Reply:
        if seen.path.endswith("/chat/completions") and question(seen) != TRIAL:
            first.append(question(seen))
        return Reply({}, 400) if len(first) > 1 else answering(YES)(seen)

    with serving(respond) as server, pytest.raises(ModelError, match="HTTP 400"):
        backend(server.url).assess(item())


def test_a_failed_probe_is_made_again_at_the_next_video() -> None:
    up: list[bool] = []

    def respond(seen: Seen) -> Reply:
        return answering(YES)(seen) if up else Reply({}, 401)

    with serving(respond) as server:
        mllm = backend(server.url)
        with pytest.raises(ModelError):
            mllm.assess(item())
        up.append(True)
        assert mllm.assess(item()).scores["scam_spam"].covered


def test_a_title_is_enough() -> None:
    only = MllmInput(PostedText("Buy now"), dataclasses.replace(item().expensive, speech=None), 1.0)
    with serving(answering(YES)) as server:
        assert backend(server.url).assess(only).scores["scam_spam"].covered
