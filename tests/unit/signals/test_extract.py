"""Both extractors on real files: what is absent stays absent, odd files get their warnings."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from coefvq.errors import MediaError, ModelError
from coefvq.media.probe import probe
from coefvq.signals import extract, speech
from coefvq.signals.action import ACTION_NAMES
from coefvq.signals.audio import SOUND_NAMES
from coefvq.signals.extract import CheapExtractor, ExpensiveExtractor
from coefvq.signals.motion import MOTION_NAMES
from coefvq.signals.serialise import dump, load
from coefvq.signals.visual import VISUAL_NAMES
from tests import media_factory as make

VIDEOS = Path(find_spec("gradio").origin).parent / "media_assets" / "videos"


@pytest.fixture(scope="module")
def cheap() -> CheapExtractor:
    return CheapExtractor()


@pytest.fixture(scope="module")
def expensive() -> ExpensiveExtractor:
    return ExpensiveExtractor()


@pytest.mark.parametrize(
    ("name", "sound"), [("a.mp4", True), ("b.avi", True), ("muted_b.mp4", False)]
)
def test_real_clips(cheap, name, sound):
    signals = cheap.extract(probe(VIDEOS / name))
    count = len(signals.frame_times_s)
    assert 1 <= count <= 8
    assert signals.frame_embeddings.shape == (count, 1280)
    assert (np.diff(signals.frame_times_s) > 0).all()
    assert signals.visual.shape == (len(VISUAL_NAMES),)
    assert signals.motion.shape == (len(MOTION_NAMES),)
    assert (signals.sound is not None) is sound
    assert sound is False or signals.sound.shape == (len(SOUND_NAMES),)
    assert signals.extractor == cheap.version


@pytest.mark.parametrize(
    "options",
    [
        {"seconds": 0.2},
        {"rotation": 90},
        {"vfr": True},
        {"pixel_format": "yuv420p10le"},
        {"with_audio": False},
        {"size": (16, 16)},
        {"picture": make.black},
        {"picture": make.slides, "seconds": 4.0},
    ],
    ids=["0.2 s", "rotated", "variable rate", "10-bit", "no sound", "tiny", "black", "slides"],
)
def test_odd_clips_have_finite_signals(cheap, tmp_path, options):
    signals = cheap.extract(probe(make.clip(tmp_path / "clip.mp4", **options)))
    parts = (signals.frame_embeddings, signals.visual, signals.motion, signals.sound)
    for part in parts:
        assert part is None or np.isfinite(part).all()
    assert (signals.sound is None) is (options.get("with_audio") is False)


def test_one_frame_has_no_motion(cheap, tmp_path):
    signals = cheap.extract(probe(make.one_frame(tmp_path / "one.mp4")))
    assert signals.motion is None
    assert signals.frame_embeddings.shape == (1, 1280)
    assert signals.visual is not None


def test_broken_tail_is_described_as_far_as_it_goes(cheap, tmp_path):
    info = probe(make.broken_tail(tmp_path / "cut.mkv"))
    assert len(cheap.extract(info).frame_embeddings) >= 1


def test_slides_look_still_and_moving_pictures_do_not(cheap, tmp_path):
    still = cheap.extract(probe(make.clip(tmp_path / "s.mp4", picture=make.still)))
    moving = cheap.extract(probe(make.clip(tmp_path / "m.mp4", picture=make.moving)))
    share = MOTION_NAMES.index("still_share")
    assert still.motion[share] == 1.0 > moving.motion[share]


def test_same_file_same_numbers(cheap):
    info = probe(VIDEOS / "b.mp4")
    assert dump(cheap.extract(info)) == dump(cheap.extract(info))


def test_signals_survive_the_cache(cheap):
    signals = cheap.extract(probe(VIDEOS / "b.mp4"))
    assert dump(load(dump(signals))) == dump(signals)


def test_every_frame_is_hashed_and_the_hashes_survive_the_cache(cheap):
    signals = load(dump(cheap.extract(probe(VIDEOS / "b.mp4"))))
    frames = len(signals.frame_times_s)
    assert (signals.frame_hashes.shape, signals.frame_hashes.dtype) == ((frames, 32), np.uint8)
    assert (signals.frame_quality.shape, signals.frame_quality.dtype) == ((frames,), np.uint8)
    assert signals.frame_quality.max() > 50 and signals.frame_hashes.any()
    before = load(dump(replace(signals, frame_hashes=None, frame_quality=None)))
    assert before.frame_hashes is None and before.frame_quality is None


def test_threads_agree(cheap):
    info = probe(VIDEOS / "b.mp4")
    with ThreadPoolExecutor(4) as pool:
        found = [dump(signals) for signals in pool.map(cheap.extract, [info] * 4)]
    assert len(set(found)) == 1


def test_versions_are_stable_and_follow_the_revision(cheap, expensive, monkeypatch):
    assert cheap.version.startswith("cheap-1-")
    assert expensive.version.startswith("expensive-2-")
    assert CheapExtractor().version == cheap.version
    monkeypatch.setattr(extract, "VISUAL_NAMES", (*VISUAL_NAMES, "new"))
    assert CheapExtractor().version != cheap.version


def test_a_file_that_has_gone_is_an_error(cheap, expensive, tmp_path):
    path = make.clip(tmp_path / "clip.mp4")
    info = probe(path)
    path.unlink()
    for extractor in (cheap, expensive):
        with pytest.raises(MediaError):
            extractor.extract(info)


def test_a_sound_track_that_fails_is_absent_with_a_warning(cheap, tmp_path, monkeypatch):
    monkeypatch.setattr(extract, "decode_sound", lambda *_: None)
    signals = cheap.extract(probe(make.clip(tmp_path / "clip.mp4")))
    assert signals.sound is None
    assert "sound_failed" in signals.warnings


@pytest.mark.parametrize(
    ("with_audio", "speech_found"), [(True, ()), (False, None)], ids=["a tone", "no sound"]
)
def test_expensive_signals_of_a_clip_without_words(expensive, tmp_path, with_audio, speech_found):
    info = probe(make.clip(tmp_path / "clip.mp4", with_audio=with_audio))
    signals = expensive.extract(info)
    assert signals.speech == speech_found
    assert signals.speech_understood is None
    assert signals.screen_text == ()
    assert (signals.sound_states is not None) is with_audio
    assert 1 <= len(signals.frame_times_s) <= 16
    assert signals.extractor == expensive.version


def test_expensive_signals_survive_the_cache_and_are_the_same_every_time(expensive):
    info = probe(VIDEOS / "b.mp4")
    signals = expensive.extract(info)
    assert signals.sound_states.shape == (10, 384)
    assert signals.motion.shape == (len(ACTION_NAMES),)
    assert np.isfinite(signals.motion).all()
    assert dump(load(dump(signals))) == dump(signals) == dump(expensive.extract(info))


def test_long_sound_is_heard_in_part_and_says_so(expensive, tmp_path, monkeypatch):
    monkeypatch.setattr(speech, "MAX_SECONDS", 1.0)
    signals = expensive.extract(probe(make.clip(tmp_path / "clip.mp4", seconds=3.0)))
    assert "speech_partial" in signals.warnings


def test_pictures_that_no_longer_decode_leave_the_speech(expensive, tmp_path, monkeypatch):
    def fail(*_args, **_options):
        raise MediaError("no frame", code="no_frames")

    monkeypatch.setattr(extract, "sample", fail)
    monkeypatch.setattr(extract, "read_action", fail)
    signals = expensive.extract(probe(make.clip(tmp_path / "clip.mp4")))
    assert signals.screen_text is None
    assert signals.motion is None
    assert signals.speech == ()
    assert signals.sound_states is not None
    assert "screen_text_failed" in signals.warnings


def test_a_failure_while_listening_is_not_swallowed(expensive, tmp_path, monkeypatch):
    def fail(*_args):
        raise ModelError("no weights")

    monkeypatch.setattr(speech, "transcribe", fail)
    with pytest.raises(ModelError, match="no weights"):
        expensive.extract(probe(make.clip(tmp_path / "clip.mp4")))


def test_recognisers_load_only_when_needed():
    code = (
        "import sys, coefvq.signals.extract as e; e.CheapExtractor(); e.ExpensiveExtractor();"
        "assert not {'faster_whisper', 'rapidocr', 'ctranslate2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
