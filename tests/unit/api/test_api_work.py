"""What the worker does for programs: signals are scored, callbacks are delivered."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from coefvq.client import CallbackRefused, CallbackRepeated, verify_callback
from coefvq.domain import CascadeResult
from coefvq.errors import ModelError, SettingsError
from coefvq.settings import Settings
from coefvq.store import api_requests, callbacks, events, jobs
from coefvq.store.tables import (
    ApiRequestRow,
    CaseRow,
    DeliveryRow,
    JobKind,
    JobRow,
    SignalRequestRow,
    VideoRow,
    utcnow,
)
from coefvq.work.alarms.address import resolve
from coefvq.work.callbacks import MOST_ATTEMPTS, check_callback, wait_after
from coefvq.work.worker import Worker
from tests import media_factory
from tests.store_factory import FixedCascade, result
from tests.unit.api.conftest import SECRET, Api

ITEM = {"id": "a", "title": "t", "caption": None,
        "speech": [{"start_s": 0.0, "end_s": 1.5, "text": "hello"}]}  # fmt: skip


class Given(FixedCascade):
    """Answers signals, too."""

    def assess_signals(self, item_id: str, *_: Any) -> CascadeResult:
        if self.fail_with:
            raise self.fail_with.pop(0)
        return replace(result("x"), item_id=item_id, sha256=None, info=None)


class Receiver(HTTPServer):
    """Answers with the statuses that it was given, then with 204."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?token=abc"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        made.shutdown()


def work(api: Api, cascade: FixedCascade | None = None) -> int:
    """Let a worker do what is due."""
    return Worker(api.settings, api.store, lambda _: cascade or Given(), "w").run_once()


def hurry(api: Api) -> None:
    """Let what waits for its time be due now."""
    with api.store.write() as session:
        past = utcnow() - timedelta(seconds=1)
        for row in session.query(DeliveryRow):
            row.next_at = past
        for job in session.query(JobRow).where(JobRow.kind == JobKind.CALLBACK.value):
            job.due_at = past


def test_signals_are_scored_and_are_no_video(api: Api) -> None:
    made = api.post("submit", "/signals", json=ITEM)
    request = made.json()["id"]
    assert api.get("submit", f"/signals/{request}").json()["status"] == "waiting"
    assert work(api) == 1
    found = api.get("submit", f"/signals/{request}").json()
    assert (found["status"], found["error"], found["answer"]["id"]) == ("scored", None, "a")
    assert found["answer"]["tasks"]["icd"]["verdict"] == "needs_human"
    with api.store.read() as session:
        assert session.query(VideoRow).count() == session.query(CaseRow).count() == 0
        assert [job.payload for job in session.query(JobRow)] == [{"request": request}]


def test_signals_that_cannot_be_scored_say_why(api: Api) -> None:
    request = api.post("submit", "/signals", json=ITEM).json()["id"]
    work(api, Given(fail_with=[ModelError("The weights are gone.")] * 3))
    found = api.get("submit", f"/signals/{request}").json()
    assert (found["status"], found["answer"]) == ("failed", None)
    assert found["error"] == {"code": "model_unavailable", "message": "The weights are gone."}


def test_after_a_day_all_of_it_is_forgotten(api: Api) -> None:
    request = api.post("submit", "/signals", key="k", json=ITEM).json()["id"]
    work(api)
    later = utcnow() + timedelta(hours=25)
    with api.store.write() as session:
        with pytest.raises(Exception, match="kept for a day"):
            api_requests.get(session, request, api.keys["submit"].split("_")[1], later)
        api_requests.forget(session, later)
    with api.store.read() as session:
        for table in (SignalRequestRow, ApiRequestRow, JobRow):
            assert session.query(table).count() == 0, table


def test_who_asked_is_told_of_score_and_decision(
    api: Api, receiver: Receiver, tmp_path: Path
) -> None:
    clip = media_factory.clip(tmp_path / "clip.mp4", seconds=1.0).read_bytes()
    video = api.post("submit", "/videos", params={"callback": receiver.url}, content=clip).json()
    work(api)
    case_id = api.get("read", f"/videos/{video['id']}").json()["tasks"]["icd"]["case_id"]
    assert api.post("decide", f"/cases/{case_id}/decision",
                    json={"labels": {}, "action": "keep"}).is_success  # fmt: skip
    work(api)
    seen: set[str] = set()
    told = [verify_callback(SECRET, headers, body, seen) for headers, body in receiver.got]
    assert [each["event"] for each in told] == ["video.scored", "case.decided"]
    assert {each["video_id"] for each in told} == {video["id"]} and len(seen) == 2
    assert told[1]["case_id"] == case_id and told[1]["task"] == "icd"
    assert set(told[0]) == {"id", "event", "at", "video_id"}


def test_who_sent_signals_is_told(api: Api, receiver: Receiver) -> None:
    made = api.post("submit", "/signals", params={"callback": receiver.url}, json=ITEM).json()
    work(api)
    told = verify_callback(SECRET, *receiver.got[0], set())
    assert (told["event"], told["request_id"]) == ("signals.scored", made["id"])


def test_a_video_that_fails_is_told(api: Api, receiver: Receiver) -> None:
    api.post("submit", "/videos", params={"callback": receiver.url}, content=b"no video")
    work(api)
    told = json.loads(receiver.got[0][1])
    assert told["event"] == "video.failed" and told["error"] == "unreadable_media"


def queued(api: Api, *urls: str) -> None:
    """Messages that are due."""
    with api.store.write() as session:
        for url in urls:
            callbacks.send(session, "k", url, "video.scored", {"video_id": "v"})


def test_it_is_tried_again_after_growing_pauses(api: Api, receiver: Receiver) -> None:
    receiver.statuses = [500, 302]
    queued(api, receiver.url)
    tries, waits = [], []
    for _ in range(4):
        work(api)
        tries.append(len(receiver.got))
        with api.store.read() as session:
            row = session.query(DeliveryRow).one()
            waits.append(round((row.next_at - utcnow()).total_seconds(), -1))
        assert work(api) == 0  # not before its time
        hurry(api)
    assert tries == [1, 2, 3, 3] and waits[:2] == [30, 60]
    assert len({json.loads(body)["id"] for _, body in receiver.got}) == 1
    with api.store.read() as session:
        row = session.query(DeliveryRow).one()
        assert (row.state, row.attempts, row.fault) == ("taken", 3, None)


def test_a_dead_receiver_is_given_up_and_holds_nobody_up(api: Api, receiver: Receiver) -> None:
    dead = "http://127.0.0.1:9/x?token=abc"
    queued(api, dead, dead, receiver.url)
    work(api)
    assert len(receiver.got) == 1
    with api.store.read() as session:
        tried = [row.attempts for row in session.query(DeliveryRow).order_by(DeliveryRow.id)]
    assert tried == [1, 0, 1]  # the second waits with the first
    for _ in range(2 * MOST_ATTEMPTS):
        hurry(api)
        work(api)
    with api.store.read() as session:
        rows = list(session.query(DeliveryRow).where(DeliveryRow.url == dead))
        assert {row.state for row in rows} == {"given_up"}
        assert "token" not in str(rows[0].fault)
        assert session.query(JobRow).where(JobRow.state == "queued").count() == 0
        assert events.verify(session) is None


def test_pauses_grow_to_six_hours() -> None:
    minutes = [wait_after(n).total_seconds() / 60 for n in (1, 2, 3, 10, 11, 40)]
    assert minutes == [0.5, 1.0, 2.0, 256.0, 360.0, 360.0]


def test_what_waits_wakes_a_job_once(api: Api) -> None:
    queued(api, "https://a.example/", "https://b.example/")
    with api.store.write() as session:
        (job,) = session.query(JobRow)
        claimed = jobs.claim_next(session, "w", 60.0)
        assert claimed is not None and claimed.id == job.id
        callbacks.send(session, "k", "https://a.example/", "video.scored", {})
        assert session.query(JobRow).count() == 1  # the one that runs looks again
        jobs.finish(session, claimed.lease)
        callbacks.wake(session, utcnow())
        assert [each.state for each in session.query(JobRow)] == ["queued"]


BAD_ADDRESSES = [
    ("ftp://a.example/", "must begin"), ("http://a.example/", "only https"),
    ("https://u:p@a.example/", "user name"), ("https://a.example/ x", "white space"),
    ("https://" + "a" * 2000, "at most 2000"), ("https://[", "no address"), ("x", "must begin"),
]  # fmt: skip


@pytest.mark.parametrize(("url", "says"), BAD_ADDRESSES)
def test_addresses_that_cannot_be_called_are_refused(tmp_path: Path, url: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        check_callback(Settings(home=tmp_path, callback_secret=SECRET), url)


def test_without_a_secret_no_callback_is_taken(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="COEFVQ_CALLBACK_SECRET"):
        check_callback(Settings(home=tmp_path), "https://a.example/")


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/", "https://10.0.0.1/", "https://169.254.169.254/latest", "https://[::1]/",
     "https://[::ffff:10.0.0.1]/", "https://0.0.0.0/", "https://100.64.0.1/", "http://8.8.8.8/"],
)  # fmt: skip
def test_nobody_calls_inside(url: str) -> None:
    with pytest.raises(SettingsError):
        resolve(url, "The callback", False, "COEFVQ_CALLBACK_PRIVATE")


def test_a_refused_callback_takes_no_file_in(api: Api) -> None:
    refused = api.post("submit", "/videos", params={"callback": "ftp://x"}, content=b"x")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_setting")
    with api.store.read() as session:
        assert session.query(VideoRow).count() == 0


def signed(body: bytes, at: int = 1000, secret: str = SECRET) -> dict[str, str]:
    from coefvq.work.alarms.webhook import SIGNATURE, signature

    return {SIGNATURE.lower(): signature(secret, at, body)}


BODY = b'{"id": "m1", "event": "video.scored"}'


@pytest.mark.parametrize(
    ("headers", "body", "now", "error"),
    [
        pytest.param(signed(BODY), BODY, 1300, None, id="good"),
        pytest.param(signed(BODY), BODY, 1301, CallbackRefused, id="too old"),
        pytest.param(signed(BODY), BODY, 699, CallbackRefused, id="from the future"),
        pytest.param(signed(BODY), BODY + b" ", 1000, CallbackRefused, id="changed"),
        pytest.param(signed(BODY, secret="x" * 20), BODY, 1000, CallbackRefused, id="forged"),
        pytest.param({}, BODY, 1000, CallbackRefused, id="unsigned"),
        pytest.param({"x-coefvq-signature": "t=,v1="}, BODY, 1000, CallbackRefused, id="empty"),
        pytest.param({"x-coefvq-signature": "t=1,v1=\u00e9"}, BODY, 1, CallbackRefused, id="odd"),
        pytest.param({"x-coefvq-signature": "t=" + "9" * 99}, BODY, 1, CallbackRefused, id="long"),
    ],
)
def test_only_what_the_server_signed_is_believed(
    headers: dict[str, str], body: bytes, now: float, error: type[Exception] | None
) -> None:
    seen: set[str] = set()
    if error is None:
        assert verify_callback(SECRET, headers, body, seen, now=now)["event"] == "video.scored"
        with pytest.raises(CallbackRepeated):
            verify_callback(SECRET, headers, body, seen, now=now)
        return
    with pytest.raises(error):
        verify_callback(SECRET, headers, body, seen, now=now)
    assert seen == set()
