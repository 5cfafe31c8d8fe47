"""Our own routes and the door, over HTTP without a browser."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from coefvq.store import cases, videos
from coefvq.store.tables import QueueRow
from tests.ui.world import World, make_clip


@pytest.fixture
def http(app: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=app, timeout=20) as client:
        yield client


def proxy(world: World, name: str = "argument") -> tuple[str, bytes]:
    data = (world.settings.previews_dir / f"{name}.mp4").read_bytes()
    return f"/media/{world.ids[name]}/proxy", data


def test_a_whole_preview(http, world):
    url, data = proxy(world)
    answer = http.get(url)
    assert (answer.status_code, answer.content) == (200, data)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("asked", "status"),
    [("{}", 304), ("W/{}", 304), ('"other", {}', 304), ("*", 304), ('"other"', 200), ("", 200)],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("ranged", [{}, {"range": "bytes=0-9"}], ids=["whole", "range"])
def test_a_copy_that_still_holds_is_not_sent_again(http, world, asked, status, method, ranged):
    url, _ = proxy(world)
    etag = http.head(url).headers["etag"]
    headers = {"if-none-match": asked.format(etag)} | ranged
    answer = http.request(method, url, headers=headers)
    assert answer.status_code == (206 if ranged and status == 200 else status)
    assert (answer.headers["etag"], answer.headers["cache-control"]) == (etag, "private, no-cache")
    assert status == 200 or answer.content == b""


@pytest.fixture
def restricted(world: World) -> World:
    """The argument's case stands in a restricted queue."""
    with world.store.write() as session:
        session.add(QueueRow(id="legal", name="Legal", policies=[], rules=[], restricted=True,
                             position=0))  # fmt: skip
        cases.get(session, world.case("argument")).queue = "legal"
    return world


@pytest.mark.parametrize("kind", ["proxy", "poster"])
def test_a_browser_keeps_nothing_of_a_restricted_queue(http, restricted, kind):
    address = f"/media/{restricted.ids['argument']}/{kind}"
    answer = http.get(address)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.headers["content-disposition"] == "inline"
    again = http.get(address, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (200, answer.content)
    part = http.get(address, headers={"range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, answer.content[5:10])
    assert part.headers["cache-control"] == "no-store"
    other = http.get(f"/media/{restricted.ids['plain']}/{kind}")
    assert other.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-99", 0, 100), ("bytes=100-", 100, None), ("bytes=-50", -50, None)],
)
def test_byte_ranges(http, world, asked, start, stop):
    url, data = proxy(world)
    answer = http.get(url, headers={"range": asked})
    assert (answer.status_code, answer.content) == (206, data[start:stop])
    assert answer.headers["content-range"].endswith(f"/{len(data)}")


def test_a_range_beyond_the_end_is_416(http, world):
    url, data = proxy(world)
    assert http.get(url, headers={"range": f"bytes={len(data)}-"}).status_code == 416


def test_if_range(http, world):
    url, data = proxy(world)
    etag = http.head(url).headers["etag"]
    same = http.get(url, headers={"range": "bytes=0-9", "if-range": etag})
    other = http.get(url, headers={"range": "bytes=0-9", "if-range": '"other"'})
    assert (same.status_code, len(same.content)) == (206, 10)
    assert (other.status_code, len(other.content)) == (200, len(data))


def test_head(http, world):
    url, data = proxy(world)
    answer = http.head(url)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(data))


def test_a_poster(http, world):
    answer = http.get(f"/media/{world.ids['argument']}/poster")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.content[:2] == b"\xff\xd8"


@pytest.mark.parametrize(
    "path",
    [
        "/media/{id}/original",
        "/media/{id}/sheet",
        "/media/nothing/proxy",
        "/media/{id}/..%2f..%2fcoefvq.sqlite3",
        "/media/..%2f..%2fetc/passwd",
        "/media/{id}/%00",
        "/ui/../build.py",
        "/ui/%2e%2e/build.py",
        "/gradio_api/file=/etc/passwd",
        "/file=/etc/passwd",
        "/gradio_api/upload",
        "/gradio_api/mcp/schema",
        "/gradio_api/info/../run/x",
        "/monitoring",
        "/docs",
        "/openapi.json",
    ],
)
def test_what_is_not_there(http, world, path):
    answer = http.get(path.format(id=world.ids["argument"]))
    assert answer.status_code == 404, answer.text[:200]


def test_a_preview_outside_the_folder_is_never_sent(http, world):
    secret = world.settings.home / "secret.mp4"
    secret.write_bytes(b"secret")
    with world.store.write() as session:
        videos.get(session, world.ids["argument"]).media.proxy = "../secret.mp4"
    assert http.get(f"/media/{world.ids['argument']}/proxy").status_code == 404


ELSEWHERE = {"origin": "http://evil.example"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", {"host": "evil.example"}, 403),
        ("GET", "/", {"host": "127.0.0.1.evil.example"}, 403),
        ("GET", "/", {"host": "localhost:7860"}, 200),
        ("GET", "/library", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 200),
        ("GET", "/", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
        ("POST", "/upload?name=a.mp4", ELSEWHERE, 403),
        ("POST", "/upload?name=a.mp4", {"origin": "null"}, 403),
        ("POST", "/upload?name=a.mp4", {"sec-fetch-site": "same-site"}, 403),
        ("POST", "/gradio_api/component_server", ELSEWHERE, 403),
        ("POST", "/gradio_api/upload", {}, 404),
    ],
)
def test_the_door(http, method, path, headers, status):
    assert http.request(method, path, headers=headers).status_code == status


def test_every_answer_carries_the_headers(http):
    for path in ("/", "/library", "/nothing-here", "/ui/base.css"):
        headers = http.get(path).headers
        assert "script-src-attr 'none'" in headers["content-security-policy"], path
        assert headers["x-frame-options"] == "DENY"
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_a_large_body_is_refused_outside_the_upload_route(http):
    answer = http.post("/gradio_api/component_server", content=b"x" * (2 * 2**20))
    assert answer.status_code == 413


def test_an_upload(http, world, tmp_path):
    data = make_clip(tmp_path / "clip.mp4", 0.5).read_bytes()
    query = {"name": "..\\..\\dir/my clip.mp4", "title": "T", "caption": ""}
    answer = http.post("/upload", params=query, content=data)
    assert answer.status_code == 200
    with world.store.read() as session:
        row = videos.get(session, answer.json()["video_id"])
        assert (row.original_name, row.title, row.caption) == ("my clip.mp4", "T", None)
        assert (world.settings.media_dir / row.media.file_name).read_bytes() == data


def chunks(total: int) -> Iterator[bytes]:
    for _ in range(total // 2**16):
        yield b"x" * 2**16


@pytest.mark.parametrize("stated", [True, False], ids=["stated length", "chunked"])
def test_an_upload_over_the_limit_is_cut_off(http, world, stated):
    body = b"x" * (6 * 2**20) if stated else chunks(6 * 2**20)
    try:
        answer = http.post("/upload?name=big.mp4", content=body)
    except httpx.WriteError:  # the server closed before all was sent
        pass
    else:
        assert answer.status_code == 413
        assert "COEFVQ_MAX_BYTES" in answer.json()["error"]
    folder = world.settings.home / "uploads"
    assert not folder.exists() or list(folder.iterdir()) == []


def test_an_empty_upload_is_refused(http):
    answer = http.post("/upload?name=a.mp4", content=b"")
    assert answer.status_code == 400
    assert "empty" in answer.json()["error"]


def component(http, name: str) -> int:
    config = http.get("/config").json()
    return next(c["id"] for c in config["components"] if c["props"].get("elem_id") == name)


@pytest.mark.parametrize(
    ("function", "args", "words"),
    [
        ("submit", {"case": "x", "token": "1"}, "a number is expected"),
        ("submit", {"case": 5}, "a text"),
        ("submit", {}, "case is missing"),
        ("submit", {"case": "x", "labels": ["a"]}, "do not hold"),
        ("submit", {"case": "x", "token": 1, "labels": {"a": "yes"}}, "bool values"),
        ("submit", {"case": "x", "token": 1.5}, "whole number"),
        ("submit", {"case": "{case}", "token": 99, "labels": {}, "action": "keep"}, "case"),
        ("save_draft", {"case": "nothing", "labels": {}}, "no case nothing"),
        ("explain", {"case": "nothing"}, "no case nothing"),
        ("poll", "text", "not an object"),
    ],
)
def test_calls_with_arguments_no_page_sends_answer_with_an_error(
    http, world, function, args, words
):
    if isinstance(args, dict) and args.get("case") == "{case}":
        args = args | {"case": world.case("argument")}
    body = {"component_id": component(http, "review-page"), "fn_name": function,
            "session_hash": "s", "data": args}  # fmt: skip
    answer = http.post("/gradio_api/component_server", json=body)
    assert answer.status_code == 200
    assert words in answer.json()["error"]


def test_only_the_named_functions_can_be_called(http):
    body = {"component_id": component(http, "review-page"), "fn_name": "show",
            "session_hash": "s", "data": {}}  # fmt: skip
    assert http.post("/gradio_api/component_server", json=body).status_code == 404
