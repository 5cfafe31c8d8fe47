"""Files that several tests look at, made once a session."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import media_factory as factory

Build = Callable[[Path], Path]


def av1(path: Path) -> Path:
    """An AV1 clip, written by a process of its own.

    As root, the encoder SVT-AV1 gives the whole process real-time priority for good; with it
    OpenMP's waiting threads starve the working ones, and every model test takes minutes.
    """
    options = {"seconds": 0.4, "codec": "libsvtav1", "with_audio": False}
    spawn = multiprocessing.get_context("spawn")
    child = spawn.Process(target=factory.clip, args=(path,), kwargs=options)
    child.start()
    child.join(timeout=120)
    assert child.exitcode == 0, f"encoding {path.name} ended with {child.exitcode}"
    return path


GOOD: dict[str, Build] = {
    "plain.mp4": lambda p: factory.clip(p),
    "silent.mp4": lambda p: factory.clip(p, with_audio=False),
    "plain.mkv": lambda p: factory.clip(p, with_audio=False),
    "plain.mov": lambda p: factory.clip(p),
    "plain.webm": lambda p: factory.clip(p, codec="libvpx-vp9"),
    "plain.avi": lambda p: factory.clip(p, codec="mpeg4"),
    "plain.ts": lambda p: factory.clip(p),
    "plain.flv": lambda p: factory.clip(p),
    "plain.mpg": lambda p: factory.clip(p, codec="mpeg2video", with_audio=False),
    "plain.wmv": lambda p: factory.clip(p, codec="wmv2", with_audio=False),
    "plain.gif": factory.gif,
    "av1.mp4": av1,
    "prores.mov": lambda p: factory.clip(
        p, seconds=0.4, codec="prores_ks", pixel_format="yuv422p10le", with_audio=False
    ),
    "one.mp4": factory.one_frame,
    "short.mp4": lambda p: factory.clip(p, seconds=0.2),
    "rotated.mp4": lambda p: factory.clip(p, rotation=90, picture=factory.corner),
    "ten_bit.mp4": lambda p: factory.clip(p, pixel_format="yuv420p10le"),
    "vfr.mkv": lambda p: factory.clip(p, vfr=True),
    "tail.mp4": factory.broken_tail,
    "damaged.mp4": factory.damaged_middle,
    "boastful.mp4": factory.boastful_header,
    "long_gop.mp4": lambda p: factory.clip(
        p, seconds=12, size=(320, 240), gop=250, picture=factory.brightness
    ),
    "many_keys.mp4": lambda p: factory.clip(
        p, seconds=12, size=(320, 240), gop=25, picture=factory.brightness
    ),
    "long_sound.mkv": lambda p: factory.clip(p, audio_seconds=4.0),
    "hidden.txt": lambda p: factory.clip(p, container="mp4"),
    "-dash — ünï🎬.mp4": lambda p: factory.clip(p),
}


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the path of a good file by its name in ``GOOD``, made on first use."""
    folder = tmp_path_factory.mktemp("good")

    def build(name: str) -> Path:
        path = folder / name
        return path if path.exists() else GOOD[name](path)

    return build
