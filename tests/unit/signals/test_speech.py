"""Speech recognition on real English recordings, and the verdict on given segments."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from coefvq.errors import ModelError
from coefvq.media.sound import decode_sound
from coefvq.signals import speech

AUDIO = Path(find_spec("gradio").origin).parent / "media_assets" / "audio"


@dataclass
class Heard:
    """A recognised stretch with the attributes of faster-whisper's segments."""

    start: float
    end: float
    text: str = " something"
    avg_logprob: float = -0.4
    compression_ratio: float = 1.2
    no_speech_prob: float = 0.05


GOOD = Heard(0.0, 4.0)
UNSURE, LOOP, VOID = (
    Heard(4.0, 8.0, avg_logprob=-1.2),
    Heard(4.0, 8.0, compression_ratio=7.0),
    Heard(4.0, 8.0, no_speech_prob=0.7),
)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("heath_ledger.mp3", ["good", "never", "free"]),
        ("cate_blanch_2.mp3", ["historic", "evening"]),
        ("cate_blanch.mp3", ["sleep", "dagger"]),
    ],
)
def test_understands_real_english(name, words):
    heard = speech.transcribe(decode_sound(AUDIO / name).samples)
    said = " ".join(line.text.lower() for line in heard.lines)
    assert heard.understood is True
    assert all(word in said for word in words)
    for line in heard.lines:
        assert 0 <= line.start_s < line.end_s <= 9
        assert line.confidence < 0


@pytest.mark.parametrize(
    "name", ["cantina.wav", "sax.wav", "recording1.wav"], ids=["band", "saxophone", "tune"]
)
def test_music_is_no_speech(name):
    assert speech.transcribe(decode_sound(AUDIO / name).samples) == speech.Speech()


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(0, np.float32),
        np.zeros(100, np.float32),
        np.zeros(32_000, np.float32),
        np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32),
    ],
    ids=["empty", "some samples", "silence", "hiss"],
)
def test_sound_without_a_voice_is_empty_and_not_absent(sound):
    assert speech.transcribe(sound) == speech.Speech((), None)


def test_no_sound_is_absent():
    assert speech.transcribe(None) is None


def test_speech_played_backwards_is_not_understood():
    sound = np.tile(decode_sound(AUDIO / "cate_blanch.mp3").samples[::-1], 2)
    assert speech.transcribe(np.ascontiguousarray(sound)).understood is False


@pytest.mark.parametrize(
    ("segments", "voiced_s", "understood", "lines", "warnings"),
    [
        ([GOOD], 4.0, True, 1, ()),
        ([], 0.0, None, 0, ()),
        ([], 5.0, False, 0, ()),
        ([UNSURE], 4.0, False, 1, ()),
        ([LOOP], 4.0, False, 1, ()),
        ([VOID], 4.0, False, 1, ()),
        ([UNSURE], 1.0, None, 0, ()),
        ([GOOD], 1.0, True, 1, ()),
        ([GOOD, UNSURE], 8.0, True, 1, ("speech_partly_understood",)),
        ([GOOD, UNSURE, LOOP], 12.0, False, 3, ()),
    ],
    ids=[
        "followed", "nobody", "voices but no words", "low probability", "repeats itself",
        "looks like silence", "a short cry", "a short word", "half", "a third",
    ],
)  # fmt: skip
def test_verdict(segments, voiced_s, understood, lines, warnings):
    judged = speech.judge(segments, voiced_s)
    assert judged.understood is understood
    assert len(judged.lines) == lines
    assert judged.warnings == warnings


def test_what_was_not_followed_is_not_quoted():
    judged = speech.judge([GOOD, Heard(4.0, 7.0, " nonsense", avg_logprob=-1.5)], 7.0)
    assert [line.text for line in judged.lines] == ["something"]


def test_the_model_is_loaded_once():
    assert speech.model() is speech.model()


def test_damaged_weights_are_named(tmp_path, monkeypatch):
    (tmp_path / "model.bin").write_bytes(b"not a model")
    monkeypatch.setattr(speech, "model_folder", lambda: tmp_path)
    speech._load.cache_clear()
    try:
        with pytest.raises(ModelError, match="Whisper"):
            speech.model()
    finally:
        speech._load.cache_clear()
