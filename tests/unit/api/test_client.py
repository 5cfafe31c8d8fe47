"""The client's patience: what it tries again, and what it says where that does not help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from coefvq import client
from coefvq.client import ApiError, Client

Step = int | Exception
GONE = httpx.ConnectError("gone")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it would have slept."""
    slept: list[float] = []
    monkeypatch.setattr(client.time, "sleep", slept.append)
    return slept


def server(steps: list[Step], seen: list[httpx.Request]) -> Callable[[httpx.Request], object]:
    """Answers step by step, then with 200."""

    def answer(request: httpx.Request) -> httpx.Response:
        request.read()
        seen.append(request)
        step = steps.pop(0) if steps else 200
        if isinstance(step, Exception):
            raise step
        if step == 200:
            return httpx.Response(200, json={"id": "v", "status": "waiting"})
        content = {"error": {"code": f"c{step}", "message": "no"}}
        return httpx.Response(step, json=content, headers={"retry-after": "7"})

    return answer


@pytest.mark.parametrize(
    ("steps", "requests", "slept", "code"),
    [
        pytest.param([], 1, [], None, id="well"),
        pytest.param([429, 429], 3, [7.0, 7.0], None, id="too often"),
        pytest.param([503], 2, [7.0], None, id="busy"),
        pytest.param([GONE, GONE], 3, [0.5, 1.0], None, id="away for a moment"),
        pytest.param([GONE] * 9, 4, [0.5, 1.0, 2.0], "no_answer", id="away"),
        pytest.param([429] * 9, 4, [7.0] * 3, "c429", id="always too often"),
        pytest.param([409], 1, [], "c409", id="refused"),
        pytest.param([500], 1, [], "c500", id="failed"),
    ],
)
def test_what_is_tried_again(
    tmp_path: Path,
    pauses: list[float],
    steps: list[Step],
    requests: int,
    slept: list[float],
    code: str | None,
) -> None:
    file, seen = tmp_path / "a.mp4", list[httpx.Request]()
    file.write_bytes(b"bytes")
    transport = httpx.MockTransport(server(list(steps), seen))  # type: ignore[arg-type]
    with Client("http://h", "cvq_k", transport=transport) as api:
        if code is None:
            assert api.submit(file, title="t")["id"] == "v"
        else:
            with pytest.raises(ApiError) as refused:
                api.submit(file, title="t")
            assert refused.value.code == code
    assert (len(seen), pauses) == (requests, slept)
    assert len({request.headers["idempotency-key"] for request in seen}) == 1
    assert {request.content for request in seen} == {b"bytes"}  # whole at each try
    assert {request.headers["authorization"] for request in seen} == {"Bearer cvq_k"}


def test_ids_stay_in_their_place(pauses: list[float]) -> None:
    seen: list[httpx.Request] = []
    transport = httpx.MockTransport(server([], seen))  # type: ignore[arg-type]
    with Client("http://h", transport=transport) as api:
        api.video("../../login?x=1#y")
    assert seen[0].url.raw_path == b"/api/v1/videos/..%2F..%2Flogin%3Fx%3D1%23y"


def test_an_answer_that_is_none_of_the_api_is_told() -> None:
    page = httpx.MockTransport(lambda _: httpx.Response(404, text="<html>"))
    with Client("http://h", transport=page) as api, pytest.raises(ApiError, match="no_api"):
        api.case("x")


def test_waiting_ends(pauses: list[float]) -> None:
    transport = httpx.MockTransport(server([], []))  # type: ignore[arg-type]
    with Client("http://h", transport=transport) as api, pytest.raises(TimeoutError):
        api.wait("v", timeout_s=0.0)
