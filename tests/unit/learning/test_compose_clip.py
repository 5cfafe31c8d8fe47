from __future__ import annotations

import os
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from coefvq.learning import compose_clip
from coefvq.learning.compose import encode
from coefvq.learning.compose_clip import render
from coefvq.learning.spoken import PROGRAM
from coefvq.media.probe import probe
from coefvq.media.sound import read_sound
from coefvq.signals import screen_text, speech
from tests import media_factory

needs_espeak = pytest.mark.skipif(
    shutil.which(PROGRAM) is None and "CI" not in os.environ,
    reason="espeak-ng is not installed",
)


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("footage") / "moving.mp4"
    frames = [Image.fromarray(media_factory.moving(i / 20, 320, 240)) for i in range(20)]
    encode(frames, path, "libx264", 20, 24)
    return path


@pytest.fixture
def tone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seconds of a tone in the place of speech."""
    sound = (0.5 * np.sin(np.arange(32_000) * 0.17)).astype(np.float32)
    monkeypatch.setattr(compose_clip, "speak", lambda text, seed: sound)


@needs_espeak
def test_both_texts_come_through(footage: Path, tmp_path: Path) -> None:
    path = render(
        tmp_path / "clip.mp4", footage=footage, seconds=2.0,
        spoken="please subscribe to my channel and win a new phone",
        written="look at this garden", seed=2,
    )  # fmt: skip
    info = probe(path)
    assert (info.video_codec, info.audio_codec) == ("h264", "aac")
    heard = speech.transcribe(read_sound(info), 1)
    assert heard is not None
    assert "channel" in " ".join(line.text for line in heard.lines).lower()
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert (
        "garden"
        in " ".join(line.text for line in screen_text.read(np.asarray(frame, np.uint8), 1)).lower()
    )


@pytest.mark.parametrize(
    ("seconds", "spoken", "written", "length", "audio"),
    [
        (3.0, "x", None, 3.0, True),
        (1.0, "x", None, 2.0, True),
        (1.5, None, "some words", 1.5, False),
        (1.0, None, None, 1.0, False),
    ],
    ids=["sound filled up", "longer for the speech", "only written", "bare"],
)
def test_length_and_tracks(
    tone: None, footage: Path, tmp_path: Path, seconds: float, spoken: str | None,
    written: str | None, length: float, audio: bool,
) -> None:  # fmt: skip
    path = render(
        tmp_path / "clip.mp4", footage=footage, seconds=seconds, spoken=spoken, written=written
    )
    info = probe(path)
    assert info.duration_s == pytest.approx(length, abs=0.2)
    assert info.has_audio is audio
    assert [file.name for file in tmp_path.iterdir()] == ["clip.mp4"]


def test_the_sound_keeps_its_level(tone: None, footage: Path, tmp_path: Path) -> None:
    path = render(tmp_path / "clip.mp4", footage=footage, seconds=3.0, spoken="x")
    sound = read_sound(probe(path))
    assert sound is not None and len(sound) == pytest.approx(48_000, abs=2500)
    assert float(np.sqrt(np.mean(sound[4000:28_000] ** 2))) == pytest.approx(0.354, rel=0.15)
    assert float(np.abs(sound[36_000:]).max()) < 0.05
