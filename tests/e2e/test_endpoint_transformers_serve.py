"""The endpoint backend against a real ``transformers serve`` with the embedded text model.

The server gives no log-probabilities in a chat, drops pictures that its model cannot take without
a word, and answers HTTP 500 to ``GET /v1/models`` where there is no cache to list.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from typing import Any

import httpx
import pytest

from coefvq.cascade import Cascade
from coefvq.domain import CascadeResult, MediaInfo, RouteName, Verdict
from coefvq.errors import ModelError
from coefvq.media.limits import MediaLimits
from coefvq.media.probe import probe as probe_media
from coefvq.mllm.base import ensure_base
from coefvq.mllm.endpoint import EndpointMllm
from coefvq.mllm.endpoint.capabilities import TRIAL, probe
from coefvq.mllm.endpoint.client import EndpointClient, Retry
from coefvq.mllm.endpoint.footage import TEXT
from coefvq.mllm.endpoint.scoring import BySystemOne
from coefvq.routing.entropy import EntropyRouting
from tests import media_factory
from tests.e2e.model_server import ModelServer, serving_model
from tests.unit.mllm.endpoint.server import item
from tests.unit.mllm.endpoint.test_endpoint_outcome import UnsurePrefilter

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("openai") is None,
    reason="transformers serve needs the package openai (requirements-dev.txt)",
)
SERVE = "from transformers.cli.transformers import main; main()"
TEXT_RULES = ("hate_harassment", "scam_spam")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_base(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    options = ["--host", "127.0.0.1", "--port", "{port}", "--device", "cpu"]
    command = [sys.executable, "-c", SERVE, "serve", str(folder), *options]
    with serving_model(command, tmp_path_factory.mktemp("server"), "/health") as started:
        yield started


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> MediaInfo:
    return probe_media(media_factory.clip(tmp_path_factory.mktemp("clip") / "a.mp4", 2.0))


@pytest.fixture(scope="module")
def mllm(server: ModelServer, folder: Path) -> EndpointMllm:
    return EndpointMllm(client(server), str(folder), concurrency=2)


def client(server: ModelServer) -> EndpointClient:
    return EndpointClient(server.url, timeout_s=300.0, retry=Retry(attempts=2, base_s=0.1))


def assessed(mllm: EndpointMllm) -> CascadeResult:
    parts = (UnsurePrefilter(), mllm, None, None, EntropyRouting(0.6, 1.0), MediaLimits())
    given = item()
    return Cascade(*parts).assess_signals("a", given.posted, given.expensive)  # type: ignore[arg-type]


def test_a_chat_gives_no_log_probabilities(server: ModelServer, folder: Path) -> None:
    asked = [{"role": "user", "content": "Is fire hot? Answer Yes or No."}]
    body = {"model": str(folder), "messages": asked, "max_completion_tokens": 1}
    wanted = {"logprobs": True, "top_logprobs": 20, "temperature": 0}
    answer = httpx.post(f"{server.url}/chat/completions", json=body | wanted, timeout=100.0)
    (choice,) = answer.json()["choices"]
    assert choice["message"]["content"] and choice.get("logprobs") is None


def test_the_probe_finds_systemone_and_that_pictures_are_dropped(
    server: ModelServer, folder: Path
) -> None:
    found = probe(client(server), str(folder))
    assert isinstance(found.scorer, BySystemOne)
    assert list(found.forms(8)) == [TEXT]


def test_texts_are_scored(mllm: EndpointMllm) -> None:
    found = mllm.assess(item())
    for name in TEXT_RULES:
        score = found.scores[name]
        if score.covered:  # the model's own first word was Yes or No
            assert 0.0 < score.probability < 1.0 and score.label_mass is None
        else:
            assert score.why_not == "no_probability"
    assert any(found.scores[name].covered for name in TEXT_RULES)
    assert found.tokens_in > 100


def test_the_same_question_gets_the_same_answer(mllm: EndpointMllm) -> None:
    first, second = (mllm.assess(item()) for _ in range(2))
    assert first.scores == second.scores


def test_a_video_is_scored_by_its_texts_alone(mllm: EndpointMllm, info: MediaInfo) -> None:
    found = mllm.assess(dataclasses.replace(item(), info=info))
    assert found.scores["violence"].why_not == "no_frames"
    assert any(found.scores[name].covered for name in TEXT_RULES)


def test_without_systemone_a_person_decides(
    server: ModelServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coefvq.mllm.endpoint.capabilities.ROUTE", "no_such_route")
    result = assessed(EndpointMllm(client(server), str(folder)))
    icd = result.tasks["icd"]
    assert (icd.route.name, icd.verdict) == (RouteName.HUMAN, Verdict.NEEDS_HUMAN)
    assert icd.policies["hate_harassment"].why_not == "no_probability"
    assert result.warnings == ()


def test_another_models_name_is_an_error(server: ModelServer) -> None:
    with pytest.raises(ModelError, match=r"HTTP 400.*pinned"):
        EndpointMllm(client(server), "org/other").assess(item())


class DyingServerClient(EndpointClient):
    """Kills its server a moment after the first question in earnest was sent."""

    def __init__(self, server: ModelServer, waits: list[float]):
        retry = Retry(attempts=3, base_s=0.1)
        super().__init__(server.url, timeout_s=300.0, retry=retry, sleep=waits.append)
        self._server = server

    def post(self, path: str, body: dict[str, Any], *, at_root: bool = False) -> dict[str, Any]:
        if path == "chat/completions" and TRIAL not in str(body):
            Timer(0.05, self._server.kill).start()
        return super().post(path, body, at_root=at_root)


def test_a_server_that_dies_in_the_middle_leaves_the_video_waiting(
    server: ModelServer, folder: Path
) -> None:
    """Runs last: it ends the server."""
    waits: list[float] = []
    result = assessed(EndpointMllm(DyingServerClient(server, waits), str(folder)))
    icd = result.tasks["icd"]
    assert (icd.route.name, icd.verdict) == (RouteName.MLLM, Verdict.NEEDS_HUMAN)
    (warning,) = result.warnings
    assert warning.startswith("mllm_failed: No answer from") and "COEFVQ_MLLM" in warning
    assert len(waits) >= 2  # it was tried again
