"""The client: what is tried again, what is refused, and what is never said."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier, Event

import pytest

from coefvq.errors import ModelError, SettingsError
from coefvq.mllm.endpoint.client import (
    MAX_ANSWER_BYTES,
    EndpointClient,
    EndpointError,
    Retry,
    retry_after_s,
)
from tests.unit.mllm.endpoint.server import Reply, Respond, Seen, serving

KEY = "sk-very-secret-0123456789"
Made = Callable[..., EndpointClient]


class Waits(list[float]):
    """Stands in for sleeping: keeps the seconds."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def client(url: str, waits: Waits | None = None, **options) -> EndpointClient:
    options = {"timeout_s": 5.0, "key": KEY} | options
    return EndpointClient(url, sleep=waits if waits is not None else Waits(), **options)


def in_turn(*replies: Reply) -> Respond:
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def test_the_body_arrives_and_the_key_is_a_bearer_token() -> None:
    with serving(in_turn(Reply({"ok": "ä"}))) as server:
        assert client(server.url + "/").post("chat/completions", {"a": ["é\ud800"]}) == {"ok": "ä"}
    (seen,) = server.seen
    assert (seen.method, seen.path, seen.body) == (
        "POST",
        "/v1/chat/completions",
        {"a": ["é\ud800"]},
    )
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.headers["content-type"] == "application/json"


def test_without_a_key_there_is_no_such_header() -> None:
    with serving(in_turn(Reply({}))) as server:
        client(server.url, key="").get("models")
    assert "authorization" not in server.seen[0].headers


def test_the_environments_proxies_and_netrc_are_not_used(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    with serving(in_turn(Reply({}))) as server:
        client(server.url, key="").get("models")
    assert "authorization" not in server.seen[0].headers


@pytest.mark.parametrize("key", ["a b", "a\n", "a\r\nX-Evil: 1", "schlüssel"])
def test_a_key_that_no_header_can_hold_is_refused_unseen(key: str) -> None:
    with pytest.raises(SettingsError, match="COEFVQ_ENDPOINT_KEY") as caught:
        EndpointClient("http://127.0.0.1/v1", key)
    assert key not in str(caught.value)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_refusal_is_tried_again(status: int) -> None:
    waits = Waits()
    busy = Reply({"error": "busy"}, status)
    with serving(in_turn(busy, busy, Reply({"ok": 1}))) as server:
        assert client(server.url, waits).get("models") == {"ok": 1}
    assert len(server.seen) == 3
    assert 0.25 <= waits[0] <= 0.5 <= waits[1] <= 1.0


def test_a_dropped_connection_is_tried_again() -> None:
    with serving(in_turn(Reply(drop=True), Reply({"ok": 1}))) as server:
        assert client(server.url).get("models") == {"ok": 1}
    assert len(server.seen) == 2


def test_it_gives_up_after_the_last_try_with_the_servers_words() -> None:
    waits = Waits()
    with (
        serving(in_turn(Reply({"error": f"busy <|im_end|> {KEY}"}, 503))) as server,
        pytest.raises(EndpointError, match=r"HTTP 503.*busy") as caught,
    ):
        client(server.url, waits, retry=Retry(attempts=3)).get("models")
    assert (len(server.seen), len(waits), caught.value.status) == (3, 2, 503)
    assert KEY not in str(caught.value) and "<|" not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "waited", "tries"),
    [
        pytest.param("7", [7.0], 2, id="kept"),
        pytest.param("0", [0.0], 2, id="at once"),
        pytest.param("Wed, 21 Oct 2015 07:28:00 GMT", [0.0], 2, id="a date in the past"),
        pytest.param("3600", [], 1, id="too long to wait"),
    ],
)
def test_retry_after_is_kept(header: str, waited: list[float], tries: int) -> None:
    waits = Waits()
    with (
        serving(in_turn(Reply({}, 429, {"Retry-After": header}))) as server,
        pytest.raises(EndpointError, match="COEFVQ_ENDPOINT_CONCURRENCY"),
    ):
        client(server.url, waits, retry=Retry(attempts=2)).get("models")
    assert (waits, len(server.seen)) == (waited, tries)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("²", None),
        ("12", 12.0),
        ("Sun, 01 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Nov 2026 12:00:30", 30.0),
        ("Sun, 01 Nov 2026 11:00:00 GMT", 0.0),
    ],
)
def test_reading_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, datetime(2026, 11, 1, 12, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        pytest.param(Reply({"error": KEY}, 401), "COEFVQ_ENDPOINT_KEY", id="401"),
        pytest.param(Reply({"error": KEY}, 403), "COEFVQ_ENDPOINT_KEY", id="403"),
        pytest.param(Reply({"error": "no model"}, 404), "model's name.*no model", id="404"),
        pytest.param(Reply({"error": "context"}, 400), "COEFVQ_ENDPOINT_FRAMES=0", id="400"),
        pytest.param(Reply(b"", 418), "HTTP 418", id="any other"),
        pytest.param(
            Reply(b"", 307, {"Location": "http://127.0.0.2:9/v1"}), "Redirects", id="other host"
        ),
        pytest.param(Reply(b"", 302, {"Location": "/v2"}), "Redirects", id="same host"),
        pytest.param(Reply(b"", 304), "Redirects", id="not modified"),
        pytest.param(Reply(b"<html>hello</html>"), "did not answer in JSON", id="a page"),
        pytest.param(Reply(b""), "did not answer in JSON", id="nothing"),
        pytest.param(Reply(b'{"a": NaN}'), "did not answer in JSON", id="NaN"),
        pytest.param(Reply(b'{"a": 1'), "did not answer in JSON", id="cut off"),
        pytest.param(Reply(b"\xff\xfe"), "did not answer in JSON", id="not text"),
        pytest.param(Reply(b"[" * 100_000), "did not answer in JSON", id="very deep"),
        pytest.param(Reply([1]), "not an object", id="a list"),
        pytest.param(
            Reply(b"x", headers={"Content-Encoding": "gzip"}), "compressed", id="compressed"
        ),
    ],
)
def test_what_is_refused_once_and_for_all(reply: Reply, says: str) -> None:
    with serving(in_turn(reply)) as server, pytest.raises(EndpointError, match=says) as caught:
        client(server.url).post("chat/completions", {})
    assert len(server.seen) == 1
    assert isinstance(caught.value, ModelError) and KEY not in str(caught.value)


def test_a_huge_answer_is_not_read_to_its_end() -> None:
    body = b'{"a": "' + b"x" * MAX_ANSWER_BYTES + b'"}'
    with (
        serving(in_turn(Reply(body))) as server,
        pytest.raises(EndpointError, match="more than 4 MiB"),
    ):
        client(server.url).get("models")


def test_refused_connections_are_tried_again_and_then_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        url, waits = f"http://127.0.0.1:{taken.getsockname()[1]}/v1", Waits()
        with pytest.raises(EndpointError, match=r"No answer from .*ConnectError.*server runs"):
            client(url, waits).get("models")
    assert len(waits) == 3


def test_a_timeout_is_told_and_not_tried_again() -> None:
    done = Event()

    def slow(_: Seen) -> Reply:
        done.wait(10)
        return Reply({})

    with (
        serving(slow) as server,
        pytest.raises(EndpointError, match=r"within 0.1 s.*COEFVQ_ENDPOINT_TIMEOUT_S"),
    ):
        client(server.url, timeout_s=0.1).get("models")
        done.set()
    assert len(server.seen) == 1


def test_a_trickle_runs_into_the_limit_too() -> None:
    now = iter(range(0, 10_000, 100))
    with (
        serving(in_turn(Reply({"a": 1}))) as server,
        pytest.raises(EndpointError, match="did not answer within 60 s"),
    ):
        client(server.url, timeout_s=60.0, clock=lambda: float(next(now))).get("models")


def test_no_more_requests_than_allowed_are_under_way() -> None:
    both = Barrier(2, timeout=10)

    def respond(_: Seen) -> Reply:
        both.wait()  # opens only when two are there together
        return Reply({})

    with serving(respond) as server, ThreadPoolExecutor(6) as pool:
        asked = client(server.url, concurrency=2, timeout_s=20.0)
        list(pool.map(asked.get, ["models"] * 6))
    assert server.most_under_way == 2
