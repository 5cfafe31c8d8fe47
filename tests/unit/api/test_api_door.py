"""Who is let in, how often, with what: keys, pace, repeated requests, sizes, hostile input."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as runs
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from coefvq.api.app import PREFIX
from coefvq.api.pace import Buckets
from coefvq.api.receive import receive_bytes, receive_file
from coefvq.errors import MediaError
from coefvq.review import api_keys
from coefvq.settings import Settings
from coefvq.store.session import Store, open_store
from coefvq.store.tables import (
    ApiKeyRow,
    JobRow,
    VideoRow,
    utcnow,
)
from tests.unit.api.conftest import ADA, Api, serve

SIGNALS = {"id": "a", "title": "t", "speech": [{"start_s": 0, "end_s": 1.5, "text": "hello"}]}


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that is made once; what is tested here is before the database."""
    path = tmp_path_factory.mktemp("migrated") / "coefvq.sqlite3"
    open_store(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def database_url(migrated: Path, settings: Settings) -> str:
    """A copy of it."""
    settings.home.mkdir()
    shutil.copyfile(migrated, settings.home / "coefvq.sqlite3")
    return settings.url


KEEP = {"labels": {}, "action": "keep"}
ROUTES = ("/videos", "/videos/x", "/signals/x", "/cases", "/cases/x", "/verdicts", "/openapi.json")


def spoilt(api: Api, how: str) -> dict[str, str]:
    """An Authorization header that is none."""
    good = api.keys["read"]
    if how == "revoked":
        api_keys.revoke(api.store, ADA, "read")
    if how == "expired":
        with api.store.write() as session:
            row = session.get_one(ApiKeyRow, good.split("_")[1])
            row.expires_at = utcnow() - timedelta(seconds=1)
    values = {
        "nothing": None, "empty": "", "no scheme": good, "basic": f"Basic {good}",
        "another secret": f"Bearer {good[:-3]}xyz", "two": f"Bearer {good} {good}",
        "revoked": f"Bearer {good}", "expired": f"Bearer {good}",
    }  # fmt: skip
    value = values[how]
    return {} if value is None else {"authorization": value}


@pytest.mark.parametrize(
    "how",
    ["nothing", "empty", "no scheme", "basic", "another secret", "two", "revoked", "expired"],
)
def test_only_a_valid_key_is_let_in(api: Api, how: str) -> None:
    headers = spoilt(api, how)
    for path in ROUTES:
        answer = api.http.get(PREFIX + path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "signed_out"), path
        assert answer.headers["www-authenticate"] == "Bearer"
    for path in ("/videos", "/signals", "/cases/x/decision"):
        assert api.http.post(PREFIX + path, headers=headers, content=b"{}").status_code == 401


def test_a_cookie_and_a_key_in_the_address_count_for_nothing(api: Api) -> None:
    key = api.keys["decide"]
    for how in (
        {"cookies": {"coefvq_sign_in": key}},
        {"params": {"key": key, "access_token": key}},
    ):
        assert api.http.get(PREFIX + "/videos", **how).status_code == 401  # type: ignore[arg-type]


def test_without_users_this_machine_is_local_but_a_wrong_key_is_not(api: Api) -> None:
    api.local = True
    assert api.http.get(PREFIX + "/cases").status_code == 200
    wrong = {"authorization": "Bearer cvq_x_y"}
    assert api.http.get(PREFIX + "/cases", headers=wrong).status_code == 401
    for _ in range(2):
        made = api.post(None, "/videos", key="k", content=b"x")
        assert made.status_code == 202, made.text
    with api.store.read() as session:
        assert [row.uploader for row in session.query(VideoRow)] == ["local"]


def test_no_key_is_in_any_log(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for scope in api.keys:
            api.get(scope, "/videos")
            api.post(scope, "/signals", json={"id": 1})
        api.http.get(PREFIX + "/videos", headers=spoilt(api, "another secret"))
    said = caplog.text + "".join(repr(vars(each)) for each in caplog.records)
    assert not [key for key in api.keys.values() if key.split("_", 2)[2][:-3] in said]


def test_a_page_elsewhere_cannot_call(api: Api) -> None:
    api.local = True
    evil = {"origin": "https://evil.example"}
    refused = api.post(None, "/signals", headers=evil, json=SIGNALS)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "refused")
    rebound = api.http.get(PREFIX + "/videos", headers={"host": "evil.example"})
    assert rebound.status_code == 403


def test_a_bucket_fills_again() -> None:
    now = [0.0]
    buckets = Buckets(60.0, lambda: now[0])
    assert [buckets.take("a") for _ in range(60)] == [0.0] * 60
    assert buckets.take("a") == pytest.approx(1.0)
    assert buckets.take("b") == 0.0  # each key has its own
    now[0] += 2.0
    assert [buckets.take("a") > 0 for _ in range(3)] == [False, False, True]
    now[0] += 1e6
    assert [buckets.take("a") > 0 for _ in range(61)] == [False] * 60 + [True]
    assert all(Buckets(0).take("a") == 0.0 for _ in range(1000))


def test_who_calls_too_often_is_told_when_to_come_again(store: Store, settings: Any) -> None:
    few = settings.model_copy(update={"api_requests_per_minute": 3.0})
    with serve(store, few) as api:
        codes = [api.get("read", "/videos").status_code for _ in range(5)]
        assert codes == [200] * 3 + [429] * 2
        refused = api.get("read", "/videos")
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        assert refused.json()["error"]["code"] == "too_many_requests"
        assert api.get("submit", "/videos").status_code == 200


def test_another_keys_requests_are_another_matter(api: Api) -> None:
    one = api.post("submit", "/signals", key="same", json=SIGNALS).json()
    two = api.post("decide", "/signals", key="same", json=SIGNALS | {"id": "b"}).json()
    assert one["id"] != two["id"]
    assert api.get("submit", f"/signals/{two['id']}").status_code == 404  # nor their answers


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 129, "\x7f"])
def test_a_key_of_a_request_that_is_none_is_refused(api: Api, key: str) -> None:
    answer = api.post("submit", "/signals", key=key, json=SIGNALS)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    ("path", "how", "status", "code"),
    [
        pytest.param("/videos", {"content": b"x" * 50_001}, 413, "too_large", id="file"),
        pytest.param("/videos", {"content": iter([b"x" * 30_000] * 2)}, 413, "too_large",
                     id="file of unknown length"),
        pytest.param("/videos", {"content": b""}, 400, "unreadable_media", id="no file"),
        pytest.param("/signals", {"content": b" " * 1_100_000}, 413, "too_large", id="signals"),
        pytest.param("/signals", {"content": iter([b"{}"])}, 411, "length_required",
                     id="signals of unknown length"),
        pytest.param("/signals", {"content": b"{"}, 400, "bad_request", id="no JSON"),
        pytest.param("/signals", {"content": b"[" * 60_000}, 400, "bad_request", id="deep"),
        pytest.param("/signals", {"content": b"\xff\xfe"}, 400, "bad_request", id="no text"),
        pytest.param("/signals", {"json": {"id": 1}}, 400, "bad_request", id="id no text"),
        pytest.param("/signals", {"json": {"title": "x"}}, 400, "bad_request", id="no id"),
        pytest.param("/signals", {"json": SIGNALS | {"x": 1}}, 400, "bad_request", id="unknown"),
        pytest.param("/signals", {"json": {"id": "a", "speech": [{"text": "x"}]}}, 400,
                     "bad_signals", id="line without times"),
        pytest.param("/signals", {"content": b'{"id": "a", "speech": [{"start_s": NaN}]}'}, 400,
                     "bad_signals", id="NaN"),
        pytest.param("/signals?stage=all", {"json": SIGNALS}, 400, "bad_request", id="stage"),
        pytest.param("/signals?rationale=7", {"json": SIGNALS}, 400, "bad_request", id="truth"),
    ],
)  # fmt: skip
def test_bodies_that_do_not_fit(
    api: Api, path: str, how: dict[str, Any], status: int, code: str
) -> None:
    answer = api.post("submit", path, **how)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    with api.store.read() as session:
        assert session.query(VideoRow).count() == session.query(JobRow).count() == 0


HOSTILE = ["..", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "x%00", "'; DROP TABLE videos",
           "x" * 5000, "%0d%0aSet-Cookie:%20a=b", "<script>", "%", "{id}"]  # fmt: skip


@pytest.mark.parametrize("bad", HOSTILE)
def test_ids_that_are_none_find_nothing(api: Api, bad: str) -> None:
    for path in ("/videos/", "/cases/", "/signals/"):
        answer = api.get("decide", path + bad)
        assert answer.status_code == 404 and set(answer.json()) == {"error"}, (path, answer.text)
        assert "set-cookie" not in answer.headers
    assert api.post("decide", f"/cases/{bad}/decision", json=KEEP).status_code == 404


@pytest.mark.parametrize(
    ("path", "query"),
    [
        pytest.param("/videos", {"limit": 0}, id="no items"),
        pytest.param("/videos", {"limit": 201}, id="too many"),
        pytest.param("/videos", {"limit": "all"}, id="no number"),
        pytest.param("/videos", {"cursor": "../x"}, id="cursor"),
        pytest.param("/videos", {"status": "lost"}, id="status"),
        pytest.param("/videos", {"task": "x\x00"}, id="NUL"),
        pytest.param("/videos", {"uploader": "x" * 201}, id="long"),
        pytest.param("/videos", {"policy": "nothing"}, id="policy"),
        pytest.param("/cases", {"state": "lost"}, id="state"),
        pytest.param("/cases", {"queue": "a\nb"}, id="line break"),
        pytest.param("/verdicts", {"since": "yesterday"}, id="no time"),
        pytest.param("/verdicts", {"since": "2026-01-01"}, id="no zone"),
    ],
)
def test_filters_that_do_not_fit(api: Api, path: str, query: dict[str, Any]) -> None:
    answer = api.get("read", path, **query)
    assert answer.status_code == 400 and answer.json()["error"]["message"], answer.text


@runs(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.text(max_size=30), query=st.dictionaries(st.text(max_size=9), st.text(max_size=9)))
def test_no_address_breaks_it(api: Api, path: str, query: dict[str, str]) -> None:
    from urllib.parse import quote

    for start in ("/videos", "/cases", "/verdicts", ""):
        safe = {name.encode("utf-8", "replace"): value.encode("utf-8", "replace")
                for name, value in query.items()}  # fmt: skip
        answer = api.get("read", f"{start}/{quote(path, safe='', errors='replace')}", **{})
        again = api.call("read", "GET", PREFIX + start, params=safe)
        assert answer.status_code < 500 and again.status_code < 500


def test_a_database_that_is_away_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from coefvq.api import lookup

    def away(*_: object, **__: object) -> None:
        raise OperationalError("SELECT secret_title", {}, Exception("gone"))

    monkeypatch.setattr(lookup, "list_videos", away)
    answer = api.get("read", "/videos")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "secret" not in answer.text
    monkeypatch.setattr(lookup, "list_videos", lambda *_, **__: 1 / 0)
    broken = api.get("read", "/videos")
    assert (broken.status_code, broken.json()["error"]["code"]) == (500, "internal_error")


async def dripping(chunks: int, pause_s: float) -> AsyncIterator[bytes]:
    for _ in range(chunks):
        await asyncio.sleep(pause_s)
        yield b"x"


@pytest.mark.parametrize(
    ("chunks", "pause_s", "idle_s", "whole_s", "says"),
    [
        pytest.param(2, 60.0, 0.02, 5.0, "UPLOAD_IDLE_S", id="says nothing"),
        pytest.param(10**6, 0.005, 5.0, 0.05, "UPLOAD_MAX_S", id="trickles for ever"),
    ],
)
def test_a_slow_upload_is_broken_off(
    tmp_path: Path, chunks: int, pause_s: float, idle_s: float, whole_s: float, says: str
) -> None:
    sending = receive_file(dripping(chunks, pause_s), tmp_path, 10**9, idle_s, whole_s)
    with pytest.raises(MediaError, match=says) as caught:
        asyncio.run(sending)
    assert caught.value.code == "too_slow" and not any(tmp_path.iterdir())
    with pytest.raises(MediaError):
        asyncio.run(receive_bytes(dripping(10**6, 0.005), 0.05, 10**9))


def test_the_scopes_of_a_key_add_up(api: Api) -> None:
    both = api_keys.create(api.store, ADA, "both", ["metrics", "submit"])
    made = replace(api, keys={**api.keys, "both": both})
    assert made.post("both", "/signals", json=SIGNALS).status_code == 202
    assert made.post("metrics", "/signals", json=SIGNALS).status_code == 403
