"""Pictures and sound on the wire, in each server's documented shape, and stepping down."""

from __future__ import annotations

import base64
import dataclasses
import io
import wave
from pathlib import Path
from typing import Any

import av
import pytest

from coefvq.domain import MediaInfo
from coefvq.media.limits import MediaLimits
from coefvq.media.probe import probe as probe_media
from coefvq.mllm.backend import MllmInput
from coefvq.mllm.endpoint import EndpointMllm, footage
from coefvq.mllm.endpoint.capabilities import TRIAL
from coefvq.mllm.endpoint.client import EndpointClient, EndpointError
from coefvq.mllm.endpoint.footage import TEXT, Form, Pictures, Sound, footage_of, sample_footage
from tests import media_factory as make
from tests.unit.mllm.endpoint.server import (
    MODEL,
    Reply,
    Respond,
    Seen,
    answering,
    completion,
    item,
    kinds_in,
    models,
    question,
    serving,
)

YES = completion({"Yes": 0.6, "No": 0.2, "I": 0.1})
LIMITS = MediaLimits()


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> MediaInfo:
    return probe_media(make.clip(tmp_path_factory.mktemp("clips") / "a.mp4", 3.0))


@pytest.fixture(scope="module")
def video(info: MediaInfo) -> MllmInput:
    return dataclasses.replace(item(), info=info)


def backend(url: str, frames: int = 3) -> EndpointMllm:
    client = EndpointClient(url, timeout_s=10.0, sleep=lambda _: None)
    return EndpointMllm(client, MODEL, frames=frames)


def first_question(video: MllmInput, respond: Respond) -> dict[str, Any]:
    with serving(respond) as server:
        backend(server.url).assess(video)
    return server.chats[0].body


def body_of(video: MllmInput, name: str, *refused: str) -> dict[str, Any]:
    return first_question(video, answering(YES, models(name), refused=refused))


def parts_of(body: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [part for part in body["messages"][-1]["content"] if part["type"] == kind]


def decoded(url: str) -> tuple[str, list[bytes]]:
    head, _, rows = url.partition(";base64,")
    return head, [base64.b64decode(row, validate=True) for row in rows.split(",")]


def test_vllm_gets_the_file_with_its_sound(video: MllmInput, info: MediaInfo) -> None:
    body = body_of(video, "vllm")
    (part,) = parts_of(body, "video_url")
    kind, (content,) = decoded(part["video_url"]["url"])
    assert kind == "data:video/mp4" and content == Path(info.path).read_bytes()
    assert part["uuid"] == info.sha256
    assert body["media_io_kwargs"] == {"video": {"num_frames": 3}}
    assert body["mm_processor_kwargs"] == {"use_audio_in_video": True}
    assert kinds_in(body) == ["video_url", "text", "text"]
    assert "The video itself comes first with its sound." in str(body["messages"])


def without_files(seen: Seen) -> Reply:
    """A vLLM whose decoder takes no files."""
    if isinstance(seen.body, dict) and "data:video/mp4" in str(seen.body):
        return Reply({"error": "no decoder"}, 400)
    return answering(YES, models("vllm"))(seen)


def test_vllm_gets_frames_as_one_video_where_it_takes_no_file(
    video: MllmInput, info: MediaInfo
) -> None:
    body = first_question(video, without_files)
    (part,) = parts_of(body, "video_url")
    kind, frames = decoded(part["video_url"]["url"])
    assert kind == "data:video/jpeg" and len(frames) == 3
    assert all(frame.startswith(b"\xff\xd8") for frame in frames)
    told = body["media_io_kwargs"]["video"]
    assert told["fps"] == info.fps and told["duration"] == info.duration_s
    assert told["do_sample_frames"] is False
    indices = told["frames_indices"]
    assert indices == sorted(set(indices)) and len(indices) == 3
    assert indices[-1] < told["total_num_frames"] == pytest.approx(75, abs=2)
    assert "mm_processor_kwargs" not in body and len(parts_of(body, "input_audio")) == 1


def test_sglang_gets_the_file_with_its_frames_bounded(video: MllmInput) -> None:
    body = body_of(video, "sglang")
    (part,) = parts_of(body, "video_url")
    assert set(part) == {"type", "video_url"}
    assert part["video_url"]["max_frames"] == 3
    assert part["video_url"]["url"].startswith("data:video/mp4;base64,")
    assert kinds_in(body) == ["video_url", "input_audio", "text", "text"]
    assert not {"media_io_kwargs", "mm_processor_kwargs"} & set(body)


def test_llamacpp_gets_an_input_video(video: MllmInput, info: MediaInfo) -> None:
    body = body_of(video, "llamacpp")
    (part,) = parts_of(body, "input_video")
    assert base64.b64decode(part["input_video"]["data"]) == Path(info.path).read_bytes()
    assert set(part["input_video"]) == {"data"}
    assert kinds_in(body) == ["input_video", "input_audio", "text", "text"]


@pytest.mark.parametrize(
    ("name", "refused"),
    [("vllm", "video_url"), ("sglang", "video_url"), ("llamacpp", "input_video"), ("openai", "-")],
)
def test_every_server_gets_pictures_and_sound_at_last(
    video: MllmInput, name: str, refused: str
) -> None:
    body = body_of(video, name, refused)
    assert kinds_in(body) == ["image_url"] * 3 + ["input_audio", "text", "text"]
    for part in parts_of(body, "image_url"):
        kind, (jpeg,) = decoded(part["image_url"]["url"])
        assert set(part) == {"type", "image_url"} and set(part["image_url"]) == {"url"}
        assert kind == "data:image/jpeg" and jpeg.startswith(b"\xff\xd8")
    (part,) = parts_of(body, "input_audio")
    assert set(part["input_audio"]) == {"data", "format"}
    assert part["input_audio"]["format"] == "wav"
    with wave.open(io.BytesIO(base64.b64decode(part["input_audio"]["data"]))) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16000, 1, 2)
        assert sound.getnframes() == pytest.approx(3 * 16000, rel=0.05)
    assert "The sound is that of the video." in str(body["messages"])
    assert not {"media_io_kwargs", "mm_processor_kwargs"} & set(body)


def test_without_sound_none_is_sent(tmp_path: Path) -> None:
    silent = probe_media(make.clip(tmp_path / "a.mp4", 2.0, with_audio=False))
    body = body_of(dataclasses.replace(item(), info=silent), "vllm")
    assert kinds_in(body) == ["video_url", "text", "text"] and "mm_processor_kwargs" not in body


def test_the_transcript_stays_beside_the_sound(video: MllmInput) -> None:
    assert "send me money now" in str(body_of(video, "openai")["messages"])


def refusing(*kinds: str, status: int = 400) -> Respond:
    """Take everything on trial, and refuse some kinds in earnest."""

    def respond(seen: Seen) -> Reply:
        earnest = seen.path.endswith("/chat/completions") and question(seen) != TRIAL
        if earnest and set(kinds) & set(kinds_in(seen.body)):
            return Reply({"error": "this one not"}, status)
        return answering(YES, models("sglang"))(seen)

    return respond


@pytest.mark.parametrize("status", [400, 413, 415, 422])
@pytest.mark.parametrize(
    ("kinds", "sent"),
    [
        (("input_audio",), ["video_url", "text", "text"]),
        (("video_url",), ["image_url"] * 3 + ["input_audio", "text", "text"]),
        (("video_url", "input_audio"), ["image_url"] * 3 + ["text", "text"]),
        (("video_url", "image_url"), ["input_audio", "text", "text"]),
        (("video_url", "image_url", "input_audio"), ["text"]),
    ],
    ids=str,
)
def test_one_video_that_is_refused_is_sent_in_the_next_form(
    video: MllmInput, kinds: tuple[str, ...], sent: list[str], status: int
) -> None:
    with serving(refusing(*kinds, status=status)) as server:
        found = backend(server.url).assess(video)
    assert kinds_in(server.chats[-1].body) == sent
    assert found.scores["scam_spam"].probability == pytest.approx(0.75)
    seen = {"video_url", "image_url"} & set(sent)
    assert found.scores["violence"].why_not == (None if seen else "no_frames")


def test_a_refusal_of_the_text_alone_is_an_error(video: MllmInput) -> None:
    with serving(refusing("text")) as server, pytest.raises(EndpointError, match="HTTP 400"):
        backend(server.url).assess(video)


def test_other_failures_do_not_step_down(video: MllmInput) -> None:
    with serving(refusing("video_url", status=404)) as server, pytest.raises(EndpointError):
        backend(server.url).assess(video)
    assert len(server.chats) == 1


def test_the_second_video_costs_no_trials(video: MllmInput) -> None:
    with serving(answering(YES, models("sglang"), refused=("video_url",))) as server:
        mllm = backend(server.url)
        mllm.assess(video)
        trials = len(server.trials)
        mllm.assess(video)
    assert len(server.trials) == trials
    assert all("image_url" in kinds_in(seen.body) for seen in server.chats)


@pytest.mark.parametrize(
    ("change", "form", "there"),
    [
        ({}, Form(Pictures.FILE, Sound.IN_FILE), True),
        ({}, TEXT, True),
        ({"container": "avi"}, Form(Pictures.FILE), False),
        ({"container": "avi"}, Form(Pictures.STILLS), True),
        ({"has_audio": False}, Form(Pictures.FILE, Sound.IN_FILE), False),
        ({"has_audio": False}, Form(Pictures.NONE, Sound.WAV), False),
        ({"path": "/nowhere/a.mp4"}, Form(Pictures.FILE), False),
        ({"path": "/nowhere/a.mp4"}, Form(Pictures.SEQUENCE), False),
        ({"path": "/nowhere/a.mp4"}, Form(Pictures.NONE, Sound.WAV), False),
    ],
    ids=str,
)
def test_what_a_video_can_be_sent_as(
    info: MediaInfo, change: dict, form: Form, there: bool
) -> None:
    found = footage_of(dataclasses.replace(info, **change), LIMITS, 2, form)
    assert (found is not None) is there


def test_a_large_file_is_not_sent_whole(info: MediaInfo, monkeypatch) -> None:
    monkeypatch.setattr(footage, "MAX_FILE_BYTES", 100)
    assert footage_of(info, LIMITS, 2, Form(Pictures.FILE)) is None


def test_long_sound_is_cut(info: MediaInfo, monkeypatch) -> None:
    monkeypatch.setattr(footage, "MAX_SOUND_S", 1.0)
    found = footage_of(info, LIMITS, 2, Form(Pictures.NONE, Sound.WAV))
    assert found is not None and len(found.wav) == pytest.approx(2 * 16000, abs=100)


def test_the_made_up_video_is_a_real_one() -> None:
    made = sample_footage(Form(Pictures.FILE, Sound.IN_FILE), 8)
    with av.open(io.BytesIO(made.file)) as opened:
        assert len(list(opened.decode(video=0))) == 8
    with av.open(io.BytesIO(made.file)) as opened:
        assert sum(frame.samples for frame in opened.decode(audio=0)) >= 15_000
