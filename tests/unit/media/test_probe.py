"""Probing good files, odd files and files that cannot be used."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from av.error import FFmpegError

from coefvq.errors import MediaError
from coefvq.media.limits import MediaLimits
from coefvq.media.probe import open_container, probe, sha256_of
from tests import media_factory as factory

TIGHT = MediaLimits(max_decode_s=20.0)


@pytest.mark.parametrize(
    ("name", "container", "codec", "audio", "size"),
    [
        ("plain.mp4", "mov", "h264", "aac", (160, 120)),
        ("plain.mov", "mov", "h264", "aac", (160, 120)),
        ("plain.mkv", "matroska", "h264", None, (160, 120)),
        ("plain.webm", "matroska", "vp9", "opus", (160, 120)),
        ("plain.avi", "avi", "mpeg4", "mp3", (160, 120)),
        ("plain.ts", "mpegts", "h264", "aac", (160, 120)),
        ("plain.flv", "flv", "h264", "aac", (160, 120)),
        ("plain.mpg", "mpeg", "mpeg2video", None, (160, 120)),
        ("plain.wmv", "asf", "wmv2", None, (160, 120)),
        ("plain.gif", "gif", "gif", None, (96, 64)),
        ("av1.mp4", "mov", "av1", None, (160, 120)),
        ("prores.mov", "mov", "prores", None, (160, 120)),
        ("ten_bit.mp4", "mov", "h264", "aac", (160, 120)),
        ("rotated.mp4", "mov", "h264", "aac", (120, 160)),
        ("hidden.txt", "mov", "h264", "aac", (160, 120)),
        ("-dash — ünï🎬.mp4", "mov", "h264", "aac", (160, 120)),
    ],
)
def test_every_container_is_described(good, name, container, codec, audio, size):
    info = probe(good(name), TIGHT)
    assert (info.container, info.video_codec, info.audio_codec) == (container, codec, audio)
    assert (info.width, info.height) == size
    assert info.has_audio is (audio is not None)
    assert info.size_bytes == good(name).stat().st_size


@pytest.mark.parametrize(
    ("name", "duration_s", "tolerance"),
    [
        ("plain.mp4", 2.0, 0.05),
        ("plain.ts", 2.0, 0.05),
        ("one.mp4", 0.04, 0.001),
        ("short.mp4", 0.2, 0.02),
        ("plain.gif", 1.0, 0.02),
        ("tail.mp4", 2.3, 0.5),
        ("boastful.mp4", 2.0, 0.05),
        ("long_sound.mkv", 4.0, 0.1),
    ],
)
def test_duration_is_what_is_in_the_file(good, name, duration_s, tolerance):
    assert probe(good(name)).duration_s == pytest.approx(duration_s, abs=tolerance)


@pytest.mark.parametrize(
    ("name", "warnings"),
    [
        ("plain.mp4", set()),
        ("plain.avi", set()),
        ("long_sound.mkv", set()),
        ("silent.mp4", {"no_audio"}),
        ("one.mp4", {"no_audio", "single_frame"}),
        ("short.mp4", set()),
        ("rotated.mp4", {"rotated"}),
        ("ten_bit.mp4", set()),
        ("vfr.mkv", {"variable_frame_rate"}),
        ("tail.mp4", {"truncated"}),
    ],
)
def test_warnings_name_what_is_odd_and_nothing_else(good, name, warnings):
    assert set(probe(good(name)).warnings) == warnings


@pytest.mark.parametrize("clockwise", [0, 90, 180, 270])
def test_rotation_is_clockwise_and_sizes_are_as_shown(tmp_path, clockwise):
    path = factory.clip(tmp_path / "r.mp4", seconds=0.2, rotation=clockwise)
    info = probe(path)
    assert info.rotation == clockwise
    assert (info.width, info.height) == ((120, 160) if clockwise in (90, 270) else (160, 120))


def test_frame_rate_and_pixel_format_are_reported(good):
    assert probe(good("plain.mp4")).fps == pytest.approx(25.0, abs=0.01)
    assert probe(good("ten_bit.mp4")).pixel_format == "yuv420p10le"


def test_a_picture_under_long_sound_has_a_low_rate(tmp_path):
    """Otherwise its proxy would repeat the picture 25 times a second for hours."""
    info = probe(factory.clip(tmp_path / "song.mp4", seconds=0.04, audio_seconds=20.0))
    assert info.duration_s == pytest.approx(20.0, abs=0.1)
    assert info.fps < 0.1


def test_hash_is_of_the_bytes_and_a_known_one_is_taken(good):
    path = good("plain.mp4")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert probe(path).sha256 == digest == sha256_of(path)
    assert probe(path, sha256="ab" * 32).sha256 == "ab" * 32


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "AB" * 32, "ab" * 31, "ab" * 32 + "\n"])
def test_a_hash_that_could_not_name_a_file_is_refused(good, digest):
    with pytest.raises(ValueError, match="SHA-256"):
        probe(good("plain.mp4"), sha256=digest)


def test_a_link_to_a_file_is_followed(good, tmp_path):
    link = tmp_path / "link.mp4"
    link.symlink_to(good("plain.mp4"))
    assert probe(link).video_codec == "h264"


BAD = {
    "empty": (factory.empty, "empty_file"),
    "text": (factory.text, "unreadable_media"),
    "noise": (factory.noise, "unreadable_media"),
    "zeros": (lambda p: p.write_bytes(bytes(100_000)) and p, "unreadable_media"),
    "one byte": (lambda p: p.write_bytes(b"\0") and p, "unreadable_media"),
    "sound only": (factory.audio_only, "no_video"),
    "header only": (factory.header_only, "no_frames"),
    "no samples": (factory.zero_frames, "no_video"),
    "hours": (lambda p: factory.very_long(p.with_suffix(".mkv")), "too_long"),
    "wide": (factory.wide, "too_many_pixels"),
    "giant canvas": (lambda p: factory.giant_gif(p.with_suffix(".gif")), "too_many_pixels"),
    "playlist": (lambda p: factory.m3u8(p, "other.ts"), "unsupported_media"),
    "concat": (lambda p: factory.ffconcat(p, "other.ts"), "unsupported_media"),
    "dash": (lambda p: factory.dash(p, "other.mp4"), "unsupported_media"),
    "session": (lambda p: factory.sdp(p, "127.0.0.1", 9), "unsupported_media"),
    "picture": (lambda p: _picture(p), "unsupported_media"),
    "subtitles": (
        lambda p: factory.text(p, "1\n00:00:01,000 --> 00:00:02,000\nHello\n\n" * 20),
        "unsupported_media",
    ),
}


def _picture(path: Path) -> Path:
    from PIL import Image

    Image.new("RGB", (64, 64), (200, 10, 10)).save(path, format="PNG")
    return path


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_cannot_be_used_says_so(tmp_path, case):
    build, code = BAD[case]
    path = build(tmp_path / "upload.mp4")
    with pytest.raises(MediaError) as caught:
        probe(path, TIGHT)
    assert caught.value.code == code
    assert path.name in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/no/such/file.mp4", "not_found"),
        ("http://127.0.0.1:9/video.mp4", "not_found"),
        ("concat:a.mp4|b.mp4", "not_found"),
        ("file:/etc/hostname", "not_found"),
        ("data:video/mp4;base64,AAAA", "not_found"),
        ("lavfi:testsrc", "not_found"),
        ("", "not_found"),
        ("a\0b.mp4", "not_found"),
        ("/dev/zero", "unreadable_media"),
        ("/dev/null", "unreadable_media"),
        ("/tmp", "unreadable_media"),
    ],
)
def test_only_local_regular_files_are_opened(path, code):
    with pytest.raises(MediaError) as caught:
        probe(path)
    assert caught.value.code == code


def test_an_address_is_told_to_download(tmp_path):
    with pytest.raises(MediaError, match="never fetched"):
        probe("https://example.org/video.mp4")


def test_a_pipe_does_not_block(tmp_path):
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    with pytest.raises(MediaError, match="not a regular file"):
        probe(pipe)


def test_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s.mp4")
        with pytest.raises(MediaError, match="not a regular file"):
            probe(tmp_path / "s.mp4")


def test_control_characters_of_a_name_stay_out_of_messages(tmp_path):
    with pytest.raises(MediaError) as caught:
        probe(tmp_path / "a\x1b[31m\nb.mp4")
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("limit", "value", "code"),
    [
        ("max_bytes", 1000, "too_large"),
        ("max_duration_s", 1.0, "too_long"),
        ("max_side", 100, "too_many_pixels"),
        ("max_pixels", 160 * 100, "too_many_pixels"),
        ("max_streams", 1, "too_many_streams"),
    ],
)
def test_each_limit_is_kept(good, limit, value, code):
    limits = dataclasses.replace(TIGHT, **{limit: value})
    with pytest.raises(MediaError) as caught:
        probe(good("plain.mp4"), limits)
    assert caught.value.code == code


@pytest.mark.parametrize("name", ["plain.webm", "plain.avi", "plain.mpg", "plain.gif"])
def test_the_pixel_limit_holds_where_the_header_is_silent(good, name):
    with pytest.raises(MediaError) as caught:
        probe(good(name), MediaLimits(max_pixels=4000))
    assert caught.value.code == "too_many_pixels"


def test_pictures_that_grow_beyond_the_limit_are_not_decoded(tmp_path):
    path = factory.growing_size(tmp_path / "grow.ts", (160, 120), (640, 480))
    with open_container(path, MediaLimits(max_pixels=200 * 150)) as container:
        stream = container.streams.video[0]
        sizes = set()
        for packet in container.demux(stream):
            try:
                sizes |= {frame.width for frame in stream.decode(packet)}
            except FFmpegError:
                continue
    assert sizes == {160}


def test_a_large_file_is_measured_at_its_end_only(good, monkeypatch):
    monkeypatch.setattr("coefvq.media.probe.SCAN_BYTES", 0)
    info = probe(good("many_keys.mp4"))
    assert info.duration_s == pytest.approx(12.0, abs=0.1)
    assert "truncated" not in info.warnings


def test_a_large_cut_file_is_found_out_at_its_end(good, monkeypatch):
    monkeypatch.setattr("coefvq.media.probe.SCAN_BYTES", 0)
    info = probe(good("tail.mp4"))
    assert "truncated" in info.warnings
    assert info.duration_s < 3.5


def test_a_large_file_without_a_declared_length_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr("coefvq.media.probe.SCAN_BYTES", 0)
    monkeypatch.setattr("coefvq.media.probe._declared_s", lambda *_: None)
    info = probe(factory.clip(tmp_path / "live.mkv", with_audio=False))
    assert info.duration_s == pytest.approx(2.0, abs=0.05)
    assert "duration_estimated" in info.warnings


def test_a_second_picture_track_is_reported(tmp_path):
    info = probe(factory.two_tracks(tmp_path / "two.mkv"))
    assert "extra_video_tracks" in info.warnings


def test_a_cover_picture_is_no_video(tmp_path):
    with pytest.raises(MediaError) as caught:
        probe(factory.cover_art(tmp_path / "song.mp4"))
    assert caught.value.code == "no_video"


def test_time_that_is_used_up_is_an_error_of_its_own(good):
    with pytest.raises(MediaError) as caught:
        probe(good("plain.mp4"), MediaLimits(max_decode_s=0.0))
    assert caught.value.code in {"decode_timeout", "unreadable_media"}


def test_nothing_is_left_open(good):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        probe(good("plain.mp4"))
        with pytest.raises(MediaError):
            probe("/no/such/file.mp4")
    assert len(os.listdir("/proc/self/fd")) == before


def test_limits_come_from_the_settings():
    from coefvq.settings import Settings

    settings = Settings(max_duration_s=5, max_bytes=6, max_side=7, max_decode_s=8)
    limits = MediaLimits.from_settings(settings)
    assert (limits.max_duration_s, limits.max_bytes) == (5, 6)
    assert (limits.max_side, limits.max_decode_s) == (7, 8)


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="Linux's scheduler")
def test_making_files_leaves_the_process_at_ordinary_priority(good: Callable[[str], Path]) -> None:
    good("av1.mp4")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
