"""The endpoint backend against llama.cpp's engine behind a real server.

Not part of the ordinary run: building the server takes minutes. ``make test-llamacpp`` builds it
into an environment of its own and names that environment's Python in ``LLAMACPP_PYTHON``.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator

import pytest

from coefvq.domain import MediaInfo
from coefvq.media.probe import probe as probe_media
from coefvq.mllm.base import gguf_path
from coefvq.mllm.endpoint import EndpointMllm
from coefvq.mllm.endpoint.capabilities import probe
from coefvq.mllm.endpoint.client import EndpointClient, Retry
from coefvq.mllm.endpoint.footage import TEXT
from coefvq.mllm.endpoint.scoring import ByLogprobs
from tests import media_factory
from tests.e2e.model_server import ModelServer, serving_model
from tests.unit.mllm.endpoint.server import item

PYTHON = os.environ.get("LLAMACPP_PYTHON", "")
MODEL = "smollm2"
TEXT_RULES = ("hate_harassment", "scam_spam")
pytestmark = [
    pytest.mark.llamacpp,
    pytest.mark.skipif(not PYTHON, reason="LLAMACPP_PYTHON is not set: run make test-llamacpp"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    options = ["--model_alias", MODEL, "--host", "127.0.0.1", "--port", "{port}"]
    sizes = ["--n_ctx", "4096", "--n_threads", "2", "--logits_all", "true"]
    command = [PYTHON, "-m", "llama_cpp.server", "--model", str(gguf_path()), *options, *sizes]
    with serving_model(command, tmp_path_factory.mktemp("server"), "/v1/models") as started:
        yield started


@pytest.fixture(scope="module")
def mllm(server: ModelServer) -> EndpointMllm:
    return EndpointMllm(client(server), MODEL, concurrency=2)


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> MediaInfo:
    return probe_media(media_factory.clip(tmp_path_factory.mktemp("clip") / "a.mp4", 2.0))


def client(server: ModelServer) -> EndpointClient:
    return EndpointClient(server.url, timeout_s=300.0, retry=Retry(attempts=2, base_s=0.1))


def test_it_gives_log_probabilities_and_takes_no_pictures(server: ModelServer) -> None:
    found = probe(client(server), MODEL)
    assert isinstance(found.scorer, ByLogprobs)
    assert list(found.forms(8)) == [TEXT]


def test_texts_are_scored_with_their_label_mass(mllm: EndpointMllm) -> None:
    found = mllm.assess(item())
    for name in TEXT_RULES:
        score = found.scores[name]
        assert score.probability is not None and 0.0 <= score.probability <= 1.0
        assert score.label_mass is not None and 0.0 < score.label_mass <= 1.0
    assert found.tokens_in > 100 and found.tokens_out == len(TEXT_RULES)


def test_a_video_is_scored_by_its_texts_alone(mllm: EndpointMllm, info: MediaInfo) -> None:
    found = mllm.assess(dataclasses.replace(item(), info=info))
    assert found.scores["violence"].why_not == "no_frames"
    assert all(found.scores[name].covered for name in TEXT_RULES)


def test_reasons_are_json_or_told_absent(mllm: EndpointMllm) -> None:
    given = item()
    found = mllm.explain(given, mllm.assess(given))
    assert found.summary.startswith("Scores: ") and "HTTP" not in found.summary
    quoted = [one.quote for one in found.evidence]
    texts = f"{given.posted.title} {given.posted.caption} send me money now WIN BIG"
    assert all(quote in texts for quote in quoted if quote)
