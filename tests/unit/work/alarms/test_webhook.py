"""The webhook: against a real server, its signature, its patience, and where it may go."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from coefvq.errors import SettingsError
from coefvq.settings import Settings, load_settings
from coefvq.store.alarms import AlarmKind, Severity
from coefvq.store.alarms import add as add_row
from coefvq.store.session import Store
from coefvq.store.tables import AlarmRow
from coefvq.work.alarms import check, webhook
from coefvq.work.alarms.address import Target, target_of
from coefvq.work.alarms.post import post
from tests.unit.work.alarms.conftest import NOW, Scene

SECRET = "correct horse battery staple"
MINUTE = timedelta(minutes=1)


class Receiver(HTTPServer):
    """Answers with the statuses it was given, then with 204; keeps what it got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?token=abc"

    @property
    def letters(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        status = self.server.statuses.pop(0) if self.server.statuses else 204
        self.send_response(status)
        if status == 302:
            self.send_header("Location", self.server.url)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield made
        made.shutdown()


@pytest.fixture
def wired(settings: Settings, receiver: Receiver) -> Settings:
    change = {"alarm_webhook": receiver.url, "alarm_webhook_secret": SECRET}
    return settings.model_copy(update=change)


def test_it_is_sent_until_it_is_taken_and_its_end_too(
    scene: Scene, wired: Settings, receiver: Receiver
) -> None:
    """Down twice; each try waits longer; one id throughout; then that it is over."""
    job = scene.job("set_aside", error_code="too_long")
    receiver.statuses = [500, 503]
    tries = []
    for minutes in range(6):
        check(scene.store, wired, NOW + minutes * MINUTE)
        tries.append(len(receiver.got))
    assert tries == [1, 2, 2, 3, 3, 3]  # at once, after 1 minute, after 2 more
    with scene.store.write() as session:
        session.merge(type(job)(id=job.id, kind="score", payload={}, state="done"))
    for minutes in range(6, 8):
        check(scene.store, wired, NOW + minutes * MINUTE)
    assert [each["event"] for each in receiver.letters] == ["raised"] * 3 + ["cleared"]
    assert len({each["id"] for each in receiver.letters}) == 1
    assert receiver.letters[-1]["cleared_at"] is not None
    with scene.store.read() as session:
        assert session.get_one(AlarmRow, receiver.letters[0]["id"]).sent_at == NOW + 3 * MINUTE


def test_the_signature_is_over_time_and_body(
    scene: Scene, wired: Settings, receiver: Receiver
) -> None:
    scene.job("set_aside")
    check(scene.store, wired, NOW)
    headers, body = receiver.got[0]
    stamp, mark = (part.partition("=")[2] for part in headers[webhook.SIGNATURE].split(","))
    made = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(made, mark) and int(stamp) == int(NOW.timestamp())
    assert headers["Content-Type"] == "application/json"
    assert set(receiver.letters[0]) == {
        "id", "event", "kind", "subject", "severity", "message", "data", "raised_at", "cleared_at",
    }  # fmt: skip


def test_no_name_of_a_reviewer_leaves(scene: Scene, wired: Settings, receiver: Receiver) -> None:
    day = timedelta(days=1)
    scene.looks("ann.smith", 8, 17, ago=day)
    scene.looks("ann.smith", 58, 2, ago=20 * day)
    check(scene.store, wired, NOW)
    ((_, body),) = receiver.got
    letter = receiver.letters[0]
    assert b"ann" not in body and letter["subject"].startswith("reviewer-")
    assert letter["message"].startswith(f"{letter['subject']}: agreement")


def test_an_alarm_that_was_over_before_it_was_sent_is_told_once(
    store: Store, wired: Settings, receiver: Receiver
) -> None:
    with store.write() as session:
        row = add_row(session, AlarmKind.BUDGET, "icd", Severity.WARNING, "m", {}, NOW)
        row.cleared_at = NOW + MINUTE
    for minutes in (2, 3):
        webhook.deliver(store, wired, NOW + minutes * MINUTE)
    assert [each["event"] for each in receiver.letters] == ["raised"]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_whatever_is_not_2xx_is_tried_again_and_no_redirect_is_followed(
    scene: Scene, wired: Settings, receiver: Receiver, status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    scene.job("set_aside")
    receiver.statuses = [status]
    with caplog.at_level(logging.DEBUG):
        found = check(scene.store, wired, NOW)
    (note,) = [each for each in found.notes if each.kind == "webhook"]
    assert f"HTTP {status}" in note.why and len(receiver.got) == 1
    assert SECRET not in caplog.text and "token=abc" not in caplog.text + note.why
    assert check(scene.store, wired, NOW + 2 * MINUTE).sent == 1


def test_nobody_listens(scene: Scene, wired: Settings, receiver: Receiver) -> None:
    receiver.shutdown()
    receiver.server_close()
    scene.job("set_aside")
    found = check(scene.store, wired, NOW)
    assert found.sent == 0 and len(found.alarms) == 1
    assert any("No answer from http://127.0.0.1" in note.why for note in found.notes)


def test_without_an_address_nothing_is_sent(scene: Scene, settings: Settings) -> None:
    scene.job("set_aside")
    assert check(scene.store, settings, NOW).notes == check(scene.store, settings, NOW).notes
    assert webhook.deliver(scene.store, settings, NOW) == webhook.Sent()


def test_a_trickle_is_cut_off() -> None:
    """A server that sends a byte now and then holds nobody up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = Target("http", "localhost", "127.0.0.1", server.getsockname()[1], "/")
        stop = threading.Event()

        def drip() -> None:
            taken, _ = server.accept()
            with taken:
                while not stop.is_set():
                    try:
                        taken.sendall(b"H")
                    except OSError:
                        return
                    time.sleep(0.05)

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        with pytest.raises(OSError):
            post(target, b"{}", {}, timeout_s=0.4)
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    ("failures", "minutes"), [(1, 1), (2, 2), (3, 4), (8, 128), (9, 256), (10, 360), (500, 360)]
)
def test_it_waits_longer_each_time(failures: int, minutes: int) -> None:
    assert webhook.wait_after(failures) == minutes * MINUTE


NAMES = {
    "hooks.example": "93.184.216.34",
    "inside.example": "10.1.2.3",
    "both.example": ("93.184.216.34", "192.168.0.9"),
    "metadata.example": "169.254.169.254",
    "mapped.example": "::ffff:10.0.0.1",
    "six.example": "2606:2800:220:1:248:1893:25c8:1946",
    "localhost": "127.0.0.1",
}


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: int, **_: object) -> list[Any]:
        found = NAMES.get(host, host)
        if not any(mark in str(found) for mark in ".:"):
            raise OSError("not known")
        each = found if isinstance(found, tuple) else (found,)
        return [(0, 0, 0, "", (ip, port)) for ip in each]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def given(settings: Settings, url: str, **more: Any) -> Settings:
    change = {"alarm_webhook": url, "alarm_webhook_secret": SECRET} | more
    return settings.model_copy(update=change)


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    ("url", "ip", "shown"),
    [
        ("https://hooks.example/a?b=c", "93.184.216.34", "https://hooks.example:443"),
        ("https://hooks.example:8443", "93.184.216.34", "https://hooks.example:8443"),
        ("http://localhost:9000/x", "127.0.0.1", "http://localhost:9000"),
        ("http://127.0.0.1:9000/x", "127.0.0.1", "http://127.0.0.1:9000"),
        ("https://localhost/", "127.0.0.1", "https://localhost:443"),
        ("https://six.example/", NAMES["six.example"], "https://six.example:443"),
    ],
)
def test_where_it_may_go(settings: Settings, url: str, ip: str, shown: str) -> None:
    found = target_of(given(settings, url))
    assert (found.ip, found.shown) == (ip, shown)


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    ("url", "says"),
    [
        pytest.param("http://hooks.example/", "Use https", id="plain http outside"),
        pytest.param("https://inside.example/", "not public", id="private"),
        pytest.param("https://both.example/", "192.168.0.9, which is not public", id="one of two"),
        pytest.param("https://metadata.example/", "not public", id="link local"),
        pytest.param("https://mapped.example/", "10.0.0.1", id="IPv4 in IPv6"),
        pytest.param("https://0.0.0.0/", "not public", id="every address"),
        pytest.param("https://user:pw@hooks.example/", "password", id="credentials"),
        pytest.param("ftp://hooks.example/", "must begin with https", id="another scheme"),
        pytest.param("https://hooks.example:99999/", "no address", id="bad port"),
        pytest.param("https://hooks.example/a b", "white space", id="white space"),
        pytest.param("https://nowhere/", "not found", id="unknown name"),
        pytest.param("hooks", "must begin with https", id="no address"),
    ],
)
def test_where_it_may_not_go(settings: Settings, url: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        target_of(given(settings, url))


@pytest.mark.usefixtures("names")
def test_an_address_inside_can_be_allowed(settings: Settings) -> None:
    asked = given(settings, "https://inside.example/", alarm_webhook_private=True)
    assert target_of(asked).ip == "10.1.2.3"


def test_without_a_secret_nothing_is_sent(
    scene: Scene, wired: Settings, receiver: Receiver
) -> None:
    scene.job("set_aside")
    short = wired.model_copy(update={"alarm_webhook_secret": "short"})
    found = check(scene.store, short, NOW)
    assert receiver.got == [] and any("SECRET" in note.why for note in found.notes)


def test_the_secret_is_in_no_text_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COEFVQ_ALARM_WEBHOOK_SECRET", SECRET)
    assert SECRET not in repr(load_settings()) and SECRET not in str(load_settings())
