"""Sound: one rate, one channel, whole, and robust to damage."""

from __future__ import annotations

import wave

import numpy as np
import pytest

from coefvq.errors import MediaError
from coefvq.media.container import open_media
from coefvq.media.limits import Deadline, MediaLimits
from coefvq.media.probe import probe
from coefvq.media.sound import SAMPLE_RATE, SoundReader, audio_stream, decode_sound, read_sound
from tests import media_factory as factory


@pytest.mark.parametrize(
    "name", ["plain.mp4", "plain.mov", "plain.webm", "plain.avi", "plain.ts", "plain.flv"]
)
def test_sound_is_the_tone_that_was_recorded(good, name):
    samples = read_sound(probe(good(name)))
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert len(samples) / SAMPLE_RATE == pytest.approx(2.0, abs=0.1)
    middle = samples[SAMPLE_RATE // 2 : SAMPLE_RATE // 2 + SAMPLE_RATE]
    loudest = int(np.abs(np.fft.rfft(middle)).argmax())  # one second: the bin is the frequency
    assert loudest == pytest.approx(440, abs=2)
    assert np.abs(middle).max() == pytest.approx(0.3, abs=0.08)


@pytest.mark.parametrize("name", ["silent.mp4", "plain.mkv", "one.mp4", "plain.gif"])
def test_no_track_is_none_and_not_silence(good, name):
    assert read_sound(probe(good(name))) is None


@pytest.mark.parametrize("max_s", [0.1, 0.5, 1.0])
def test_the_length_can_be_limited(good, max_s):
    samples = read_sound(probe(good("plain.mp4")), max_s=max_s)
    assert len(samples) == int(max_s * SAMPLE_RATE)


def test_the_duration_limit_holds_for_sound(good):
    sound = decode_sound(good("plain.mp4"), MediaLimits(max_duration_s=0.5))
    assert len(sound.samples) == SAMPLE_RATE // 2


def test_sound_files_can_be_read_as_well(tmp_path):
    sound = decode_sound(factory.audio_only(tmp_path / "a.mp4", seconds=1.5))
    assert len(sound.samples) / SAMPLE_RATE == pytest.approx(1.5, abs=0.1)
    assert sound.warnings == ()


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (22_050, 2), (48_000, 2), (96_000, 1)])
def test_any_rate_and_channels_become_one(tmp_path, rate, channels):
    path = tmp_path / "tone.wav"
    tone = (8000 * np.sin(2 * np.pi * 300 * np.arange(rate) / rate)).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setparams((channels, 2, rate, rate, "NONE", ""))
        out.writeframes(np.repeat(tone, channels).tobytes())
    samples = decode_sound(path).samples
    assert len(samples) == pytest.approx(SAMPLE_RATE, abs=64)
    assert int(np.abs(np.fft.rfft(samples)).argmax()) == pytest.approx(300, abs=2)


def test_a_broken_tail_gives_the_sound_before_it(good):
    info = probe(good("tail.mp4"))
    samples = read_sound(info)
    assert 1.0 < len(samples) / SAMPLE_RATE < 3.5


def test_damaged_sound_is_a_warning_and_partial(tmp_path):
    path = factory.audio_only(tmp_path / "a.mp4", seconds=3.0)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start + 8000 : start + 14000] = np.random.default_rng(5).bytes(6000)
    path.write_bytes(bytes(data))
    sound = decode_sound(path)
    assert "audio_damaged" in sound.warnings
    assert len(sound.samples) > SAMPLE_RATE
    assert np.isfinite(sound.samples).all()
    assert np.abs(sound.samples).max() <= 1.0


def test_wild_samples_are_bounded(tmp_path):
    path = tmp_path / "wild.wav"
    values = np.array([np.nan, np.inf, -np.inf, 5.0, 0.25] * 4000, "<f4")
    head = b"RIFF\0\0\0\0WAVEfmt " + (16).to_bytes(4, "little")
    head += (3).to_bytes(2, "little") + (1).to_bytes(2, "little")
    head += (16_000).to_bytes(4, "little") + (64_000).to_bytes(4, "little")
    head += (4).to_bytes(2, "little") + (32).to_bytes(2, "little")
    path.write_bytes(head + b"data" + (len(values) * 4).to_bytes(4, "little") + values.tobytes())
    samples = decode_sound(path).samples
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1.0


def test_late_sound_keeps_its_time(tmp_path):
    """A track that starts a second late is preceded by a second of silence."""
    path = _late(tmp_path / "late.mkv", start_s=1.0)
    samples = decode_sound(path).samples
    assert np.abs(samples[: int(0.9 * SAMPLE_RATE)]).max() < 0.01
    assert np.abs(samples[int(1.2 * SAMPLE_RATE) :]).max() > 0.1


def _late(path, start_s: float):
    import av

    plain = factory.clip(path.with_name("plain.mkv"), seconds=2.0)
    with av.open(str(plain)) as source, av.open(str(path), "w") as output:
        streams = {s.index: output.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "audio":
                shift = int(start_s / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
            packet.stream = streams[packet.stream_index]
            output.mux(packet)
    return path


def test_stereo_blocks_have_two_channels(good):
    with open_media(good("plain.mp4"), MediaLimits()) as media:
        reader = SoundReader(media, audio_stream(media), 48_000, "stereo")
        blocks = list(reader.blocks())
    assert {block.shape[0] for block in blocks} == {2}
    assert reader.length == sum(block.shape[1] for block in blocks)
    assert reader.length / 48_000 == pytest.approx(2.0, abs=0.1)


def test_time_that_runs_out_leaves_what_there_is(tmp_path, monkeypatch):
    path = factory.audio_only(tmp_path / "a.mp4", seconds=3.0)
    looks = iter(range(10_000))
    monkeypatch.setattr(Deadline, "passed", property(lambda self: next(looks) > 40))
    sound = decode_sound(path)
    assert "audio_incomplete" in sound.warnings
    assert 0 < len(sound.samples) < 2.9 * SAMPLE_RATE


def test_a_file_that_vanished_is_named(tmp_path):
    with pytest.raises(MediaError) as caught:
        decode_sound(tmp_path / "gone.mp4")
    assert caught.value.code == "not_found"
