"""Who is asking, what the door refuses, how calls are read, where the app may be bound."""

from __future__ import annotations

import asyncio
import socket
from types import SimpleNamespace

import gradio as gr
import pytest
from starlette.datastructures import Headers
from starlette.requests import Request

from coefvq.errors import MediaError, NotAllowed, SettingsError, StoreError
from coefvq.review import users
from coefvq.review.access import LOCAL
from coefvq.settings import Settings
from coefvq.store.session import open_store
from reviewer_ui import calls, who
from reviewer_ui.calls import BadCall, server_function
from reviewer_ui.guard import BODY_LIMIT, Guard, names_of, refusal
from reviewer_ui.serve import address, check_port, run_app
from reviewer_ui.upload_route import receive
from reviewer_ui.who import (
    actor_of,
    from_here,
    host_name,
    is_loopback,
    is_open,
    require_users,
)
from tests.people_fixtures import PASSWORD


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.0.1", True), ("localhost", True), ("LOCALHOST", True),
     ("::1", True), ("[::1]", True), ("0.0.0.0", False), ("192.168.1.5", False), ("", False),
     ("localhost.evil.example", False), ("127.0.0.1.evil.example", False)],
)  # fmt: skip
def test_is_loopback(host, expected):
    assert is_loopback(host) is expected


def asked_by(actor=LOCAL) -> gr.Request:
    """A request as it comes through the door."""
    scope = {"type": "http", "headers": [], "path": "/", "state": {who._KEY: actor}}
    return gr.Request(Request(scope))


def test_the_actor_comes_with_the_request_of_either_kind():
    request = asked_by()
    assert actor_of(request) is LOCAL
    assert actor_of(request.request) is LOCAL


@pytest.mark.parametrize(
    "request_",
    [
        gr.Request(),
        gr.Request(headers={"cookie": "coefvq_sign_in=x"}),
        SimpleNamespace(headers={}),
        Request({"type": "http", "headers": []}),
        asked_by("local"),  # a name is no actor
    ],
    ids=["empty", "headers", "a double", "no state", "a name"],
)
def test_who_did_not_come_through_the_door_is_nobody(request_):
    with pytest.raises(NotAllowed, match="Nobody is signed in"):
        actor_of(request_)
    call = server_function("x", lambda actor, args: {"who": actor.name})
    assert call({}, request_)["code"] == "not_allowed"


@pytest.mark.parametrize(
    ("host", "names", "says"),
    [
        ("0.0.0.0", "", "--host 0.0.0.0: the page would be open"),
        ("10.0.0.1", "", "--host 10.0.0.1"),
        ("::", "", "--host ::"),
        ("review.example", "", "--host review.example"),
        ("127.0.0.1", "review.example", "COEFVQ_ALLOWED_HOSTS=review.example: the page"),
    ],
)
def test_beyond_loopback_is_refused_until_somebody_is_set_up(tmp_path, host, names, says):
    settings = Settings(home=tmp_path, allowed_hosts=names)
    with open_store(settings.url) as store:
        with pytest.raises(SettingsError, match=f"{says}.*coefvq user add NAME --role admin"):
            run_app(settings, store, host, 7860)
        users.add(store, users.OPERATOR, "mara", PASSWORD, ["admin"])
        require_users(settings, store, host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_on_loopback_nobody_needs_to_be_set_up(tmp_path, host):
    settings = Settings(home=tmp_path)
    with open_store(settings.url) as store:
        require_users(settings, store, host)


@pytest.mark.parametrize(
    ("bound", "client", "header", "expected"),
    [
        ("127.0.0.1", "127.0.0.1", "localhost:7860", True),
        ("::1", "::1", "[::1]:7860", True),
        ("0.0.0.0", "127.0.0.1", "localhost", False),
        ("127.0.0.1", "10.0.0.9", "localhost", False),
        ("127.0.0.1", "127.0.0.1", "review.example", False),
        ("127.0.0.1", "127.0.0.1", "", False),
        ("127.0.0.1", "127.0.0.1", "[", False),
        ("127.0.0.1", None, "localhost", False),
    ],
)
def test_only_what_stays_on_this_machine_is_local(bound, client, header, expected):
    scope = {"type": "http", "client": client and (client, 5), "path": "/",
             "headers": [(b"host", header.encode())]}  # fmt: skip
    assert from_here(scope, bound) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/login", True), ("/ui/base.css", True), ("/health", True), ("/", False), ("/ui", False),
     ("/login/", False), ("/loginx", False), ("/media/ui/", False), ("", False)],
)  # fmt: skip
def test_what_is_open(path, expected):
    assert is_open(path) is expected


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
    [("127.0.0.1:7860", "127.0.0.1"), ("[::1]:7860", "::1"), ("a.b", "a.b"), ("", ""), ("[", "")],
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


@pytest.mark.parametrize(
    ("host", "names", "reached", "status"),
    [
        ("review.example", "review.example", None, None),
        ("Review.Example:443", "review.example", None, None),
        ("evil.example", "review.example", None, 403),
        ("xreview.example", "review.example", None, 403),
        ("10.0.0.5:7860", "", "10.0.0.5", None),
        ("10.0.0.6", "", "10.0.0.5", 403),
        ("evil.example", "", "10.0.0.5", 403),
        ("10.0.0.5", "", None, 403),
        ("localhost", "", "10.0.0.5", None),
    ],
)
def test_names_beyond_loopback(tmp_path, host, names, reached, status):
    known = names_of(Settings(home=tmp_path, allowed_hosts=names), "127.0.0.1")
    found = refusal("GET", "/", Headers({"host": host}), known, reached)
    assert (found and found[0]) == status


@pytest.mark.parametrize(
    ("host", "names", "expected"),
    [
        ("0.0.0.0", "", set()),
        ("::", "", set()),
        ("10.0.0.5", "", {"10.0.0.5"}),
        ("[FE80::1]", " A.example ,, b.example", {"fe80::1", "a.example", "b.example"}),
    ],
)
def test_what_the_server_is_bound_to_is_a_name_of_it(tmp_path, host, names, expected):
    assert names_of(Settings(home=tmp_path, allowed_hosts=names), host) == expected


def test_web_sockets_are_closed():
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(Guard(None)({"type": "websocket"}, None, send))  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]


REQUEST = asked_by()


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
