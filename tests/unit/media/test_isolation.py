"""A hostile file must make the process read and fetch nothing but itself.

The trap is real: Linux reports every opening of a secret file, whoever opens it, and a local
HTTP server counts requests. Control tests show that the trap snaps shut when FFmpeg is let loose.
"""

from __future__ import annotations

import ctypes
import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import av
import pytest

from coefvq.domain import MediaInfo
from coefvq.errors import MediaError
from coefvq.media.container import open_container
from coefvq.media.previews import make_previews
from coefvq.media.probe import probe
from coefvq.media.sampling import sample
from coefvq.media.sound import decode_sound
from tests import media_factory as factory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="watches files with inotify")
_IN_ACCESS, _IN_OPEN, _IN_NONBLOCK = 0x1, 0x20, 0o4000


class Watch:
    """Counts openings and readings of one file by anyone."""

    def __init__(self, path: Path):
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(_IN_NONBLOCK)
        watched = self._libc.inotify_add_watch(self._fd, os.fsencode(path), _IN_ACCESS | _IN_OPEN)
        assert self._fd >= 0 and watched >= 0, os.strerror(ctypes.get_errno())

    def touched(self) -> bool:
        """Return whether the file was opened or read since the last call."""
        ready, _, _ = select.select([self._fd], [], [], 0)
        return bool(ready) and bool(os.read(self._fd, 65536))

    def close(self) -> None:
        """Stop watching."""
        os.close(self._fd)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A perfectly good video that nobody may open through another file."""
    folder = tmp_path / "private"
    folder.mkdir()
    return factory.clip(folder / "secret.ts", with_audio=False)


@pytest.fixture
def watch(secret: Path) -> Iterator[Watch]:
    """The trap on the secret, set after it was made."""
    trap = Watch(secret)
    yield trap
    trap.close()


class _Counter(HTTPServer):
    requests = 0


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Count and give nothing."""
        self.server.requests += 1  # type: ignore[attr-defined]
        self.send_error(404)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def server() -> Iterator[_Counter]:
    """A local server that nobody may call."""
    listening = _Counter(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield listening
    listening.shutdown()
    listening.server_close()
    thread.join()


Trap = Callable[[Path, str], Path]
TRAPS: dict[str, Trap] = {
    "m3u8": factory.m3u8,
    "ffconcat": factory.ffconcat,
    "dash": factory.dash,
    "alias reference": factory.external_reference,
    "url reference": factory.external_url,
    "m3u8 behind a byte order mark": lambda p, t: _with_head(factory.m3u8(p, t), b"\xef\xbb\xbf"),
    "ffconcat behind blank lines": lambda p, t: _with_head(factory.ffconcat(p, t), b"\n\n"),
    "smil": lambda p, t: factory.text(p, f'<smil><body><video src="{t}"/></body></smil>'),
    "asx": lambda p, t: factory.text(p, f'<asx><entry><ref href="{t}"/></entry></asx>'),
    "image sequence": lambda p, t: factory.text(p, t),
}
NAMES = ("upload.mp4", "upload.m3u8", "upload.ffconcat", "upload.mpd", "upload.%03d.png")


def _with_head(path: Path, head: bytes) -> Path:
    path.write_bytes(head + path.read_bytes())
    return path


def _everything(path: Path) -> None:
    """Do all that is ever done with a file; usable or not, it may only read itself."""
    try:
        info = probe(path)
        sample(info)
        decode_sound(path)
        make_previews(info, path.parent / "previews")
    except MediaError:
        return


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("trap", TRAPS)
def test_no_other_file_is_opened(tmp_path, secret, watch, trap, name):
    path = TRAPS[trap](tmp_path / name, str(secret))
    _everything(path)
    assert not watch.touched()


@pytest.mark.parametrize("trap", TRAPS)
def test_a_relative_reference_is_not_followed(tmp_path, secret, watch, monkeypatch, trap):
    monkeypatch.chdir(tmp_path)
    _everything(TRAPS[trap](tmp_path / "upload.mp4", "private/secret.ts"))
    assert not watch.touched()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("trap", TRAPS)
def test_no_address_is_fetched(tmp_path, server, trap, name):
    address = f"http://127.0.0.1:{server.server_port}/secret.ts"
    _everything(TRAPS[trap](tmp_path / name, address))
    assert server.requests == 0


def test_previews_of_an_exchanged_file_read_nothing_else(tmp_path, secret, watch):
    """Between probe and previews, someone puts a playlist where the video was."""
    path = factory.clip(tmp_path / "upload.mp4", pixel_format="yuv444p")
    info = probe(path)
    factory.ffconcat(path, str(secret))
    with pytest.raises(MediaError):
        make_previews(info, tmp_path / "previews")
    assert not watch.touched()


@pytest.mark.parametrize("trap", ["m3u8", "ffconcat", "dash"])
def test_playlists_are_refused_by_content(tmp_path, secret, trap):
    with pytest.raises(MediaError) as caught:
        probe(TRAPS[trap](tmp_path / "upload.mp4", str(secret)))
    assert caught.value.code == "unsupported_media"


def test_a_disguised_name_in_the_description_opens_nothing(secret, watch):
    info = MediaInfo(
        path=f"concat:{secret}|{secret}",
        sha256="0" * 64,
        size_bytes=1,
        duration_s=1.0,
        width=1,
        height=1,
        rotation=0,
        fps=25.0,
        video_codec="h264",
        pixel_format="yuv420p",
        container="mov",
        has_audio=False,
    )
    with pytest.raises(MediaError) as caught:
        sample(info)
    assert caught.value.code == "not_found"
    assert not watch.touched()


def test_control_the_watch_sees_python(secret, watch):
    assert not watch.touched()
    secret.read_bytes()
    assert watch.touched()


def test_control_ffmpeg_alone_would_follow_a_script(tmp_path, secret, watch):
    path = factory.ffconcat(tmp_path / "upload.ffconcat", str(secret))
    with av.open(str(path), options={"safe": "0"}) as container:
        assert next(container.decode(video=0)).width == 160
    assert watch.touched()


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("{secret}", {"enable_drefs": "1", "use_absolute_path": "1"}),
        ("private/secret.ts", {"enable_drefs": "1"}),
    ],
    ids=["absolute", "relative"],
)
def test_control_ffmpeg_alone_would_follow_a_reference(tmp_path, secret, watch, target, options):
    target = target.format(secret=secret)
    path = factory.external_reference(tmp_path / "upload.mp4", target)
    with av.open(str(path), options=options) as container:
        list(container.demux(video=0))
    assert watch.touched()


def test_control_ffmpeg_alone_would_call_the_address(tmp_path, server):
    path = factory.m3u8(
        tmp_path / "upload.m3u8", f"http://127.0.0.1:{server.server_port}/secret.ts"
    )
    with pytest.raises((av.error.FFmpegError, OSError)):
        av.open(str(path), options={"protocol_whitelist": "file,http,tcp,crypto,data"})
    assert server.requests > 0


def test_the_opened_container_knows_no_name(good_path):
    with open_container(good_path) as container:
        assert str(good_path) not in container.name


@pytest.fixture
def good_path(tmp_path: Path) -> Path:
    """A plain video."""
    return factory.clip(tmp_path / "plain.mp4", seconds=0.2)
