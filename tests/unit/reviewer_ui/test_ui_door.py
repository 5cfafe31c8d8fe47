"""Who is asking, what the door refuses, how calls are read, where the app may be bound."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace

import gradio as gr
import pytest
from starlette.datastructures import Headers

from coefvq.errors import MediaError, SettingsError, StoreError
from coefvq.review.access import LOCAL
from reviewer_ui import calls
from reviewer_ui.calls import BadCall, server_function
from reviewer_ui.guard import BODY_LIMIT, Guard, host_name, refusal
from reviewer_ui.serve import address, check_port, run_app
from reviewer_ui.upload_route import receive
from reviewer_ui.who import actor_of, is_loopback, refuse_beyond_loopback


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.0.1", True), ("localhost", True), ("LOCALHOST", True),
     ("::1", True), ("[::1]", True), ("0.0.0.0", False), ("192.168.1.5", False), ("", False),
     ("localhost.evil.example", False), ("127.0.0.1.evil.example", False)],
)  # fmt: skip
def test_is_loopback(host, expected):
    assert is_loopback(host) is expected


def test_on_loopback_everyone_is_local():
    assert actor_of(SimpleNamespace(headers={})) is LOCAL


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "review.example"])
def test_beyond_loopback_is_refused_with_the_remedy(host):
    with pytest.raises(SettingsError, match=r"not available in this version.*ssh -L"):
        refuse_beyond_loopback(host)
    with pytest.raises(SettingsError):
        run_app(None, None, host, 7860)  # type: ignore[arg-type]


def test_a_taken_port_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SettingsError, match="running already at"):
            check_port("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize(
    ("host", "port", "text"),
    [("127.0.0.1", 80, "http://127.0.0.1:80"), ("::1", 7860, "http://[::1]:7860")],
)
def test_address(host, port, text):
    assert address(host, port) == text


@pytest.mark.parametrize(
    ("host", "name"),
    [("127.0.0.1:7860", "127.0.0.1"), ("[::1]:7860", "::1"), ("a.b", "a.b"), ("", "")],
)
def test_host_name(host, name):
    assert host_name(host) == name


OWN = {"host": "127.0.0.1:7860"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", {}, None),
        ("GET", "/", {"host": "evil.example"}, 403),
        ("POST", "/x", {"origin": "http://127.0.0.1:7860", "content-length": "2"}, None),
        ("POST", "/x", {"origin": "http://127.0.0.1:9999", "content-length": "2"}, 403),
        ("POST", "/x", {"origin": "https://evil.example", "content-length": "2"}, 403),
        ("POST", "/x", {"sec-fetch-site": "cross-site", "content-length": "2"}, 403),
        ("POST", "/x", {"sec-fetch-site": "same-origin", "content-length": "2"}, None),
        ("POST", "/x", {}, 411),
        ("POST", "/x", {"content-length": str(BODY_LIMIT + 1)}, 413),
        ("POST", "/x", {"content-length": "many"}, 413),
        ("POST", "/upload", {"content-length": str(BODY_LIMIT + 1)}, None),
        ("GET", "/gradio_api/file=/etc/passwd", {}, 404),
        ("GET", "/gradio_api/file/x", {}, 404),
        ("GET", "/gradio_api/mcp/", {}, 404),
        ("POST", "/gradio_api/run/predict", {"content-length": "2"}, 404),
        ("GET", "/gradio_api/info", {}, None),
        ("GET", "/static/file.js", {}, None),
    ],
)
def test_refusal(method, path, headers, status):
    found = refusal(method, path, Headers(OWN | headers))
    assert (found and found[0]) == status


def test_web_sockets_are_closed():
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(Guard(None)({"type": "websocket"}, None, send))  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]


REQUEST = gr.Request()


def test_a_call_gets_the_actor_and_answers():
    call = server_function("name", lambda actor, args: {"who": actor.name, **args})
    assert call({"a": 1}, REQUEST) == {"who": "local", "a": 1}
    assert call.__name__ == "name"


def test_an_error_of_a_service_becomes_an_answer():
    def refuse(actor, args):
        raise StoreError("gone")

    assert server_function("x", refuse)({}, REQUEST) == {"error": "gone", "code": "store"}


def test_arguments_that_are_no_object_are_refused():
    assert server_function("x", dict)([1], REQUEST)["code"] == "bad_call"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("read", "args", "expected"),
    [
        (lambda a: calls.text(a, "x"), {}, ""),
        (lambda a: calls.text(a, "x"), {"x": "a"}, "a"),
        (lambda a: calls.number(a, "x"), {"x": None}, None),
        (lambda a: calls.number(a, "x"), {"x": 2}, 2.0),
        (lambda a: calls.whole(a, "x"), {"x": 3.0}, 3),
        (lambda a: calls.whole(a, "x", 5), {}, 5),
        (lambda a: calls.texts(a, "x"), {"x": ["a"]}, ["a"]),
        (lambda a: calls.table(a, "x", bool), {"x": {"p": True}}, {"p": True}),
    ],
)
def test_arguments_are_read(read, args, expected):
    assert read(args) == expected


@pytest.mark.parametrize(
    ("read", "args"),
    [
        (lambda a: calls.text(a, "x"), {"x": 1}),
        (lambda a: calls.text(a, "x", limit=2), {"x": "abc"}),
        (lambda a: calls.needed(a, "x"), {"x": ""}),
        (lambda a: calls.number(a, "x"), {"x": "1"}),
        (lambda a: calls.number(a, "x"), {"x": True}),
        (lambda a: calls.number(a, "x"), {"x": float("nan")}),
        (lambda a: calls.whole(a, "x"), {"x": 1.5}),
        (lambda a: calls.texts(a, "x"), {"x": "abc"}),
        (lambda a: calls.texts(a, "x"), {"x": [1]}),
        (lambda a: calls.texts(a, "x", most=1), {"x": ["a", "b"]}),
        (lambda a: calls.table(a, "x", bool), {"x": {"p": "yes"}}),
        (lambda a: calls.table(a, "x", str), {"x": ["p"]}),
    ],
)
def test_wrong_arguments_are_refused(read, args):
    with pytest.raises(BadCall):
        read(args)


async def _stream(*parts: bytes):
    for part in parts:
        yield part


def test_a_body_is_written_to_a_new_file(tmp_path):
    path = asyncio.run(receive(_stream(b"ab", b"", b"cd"), tmp_path / "new", 4))
    assert path.read_bytes() == b"abcd"


@pytest.mark.parametrize(
    ("parts", "code"),
    [((b"abc", b"de"), "too_large"), ((), "unreadable_media"), ((b"",), "unreadable_media")],
    ids=["over the limit", "nothing", "empty"],
)
def test_a_refused_body_leaves_no_file(tmp_path, parts, code):
    with pytest.raises(MediaError) as caught:
        asyncio.run(receive(_stream(*parts), tmp_path, 4))
    assert caught.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_a_broken_connection_leaves_no_file(tmp_path):
    async def broken():
        yield b"ab"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        asyncio.run(receive(broken(), tmp_path, 4))
    assert list(tmp_path.iterdir()) == []
