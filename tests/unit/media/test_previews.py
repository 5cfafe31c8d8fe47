"""What reviewers look at: it plays everywhere, is upright, and appears whole or not at all."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

from coefvq.errors import MediaError
from coefvq.media.container import open_container
from coefvq.media.limits import MediaLimits
from coefvq.media.previews import make_previews, preview_paths
from coefvq.media.probe import probe
from coefvq.media.proxy import is_playable, proxy_size, write_proxy
from coefvq.media.sampling import sample
from coefvq.media.sheet import clock, telling
from coefvq.media.sound import decode_sound
from tests import media_factory as factory

NAMES = [
    "plain.mp4",
    "silent.mp4",
    "plain.webm",
    "plain.avi",
    "plain.ts",
    "plain.gif",
    "av1.mp4",
    "prores.mov",
    "one.mp4",
    "short.mp4",
    "rotated.mp4",
    "ten_bit.mp4",
    "vfr.mkv",
    "tail.mp4",
    "damaged.mp4",
    "long_gop.mp4",
    "-dash — ünï🎬.mp4",
]


@pytest.mark.parametrize("name", NAMES)
def test_every_usable_file_gets_a_proxy_that_browsers_play(good, name, tmp_path):
    info = probe(good(name))
    made = make_previews(info, tmp_path)
    proxy = probe(made.proxy)
    assert (proxy.container, proxy.video_codec) == ("mov", "h264")
    assert proxy.pixel_format == "yuv420p"
    assert proxy.audio_codec == ("aac" if info.has_audio else None)
    assert proxy.rotation == 0
    assert proxy.duration_s == pytest.approx(info.duration_s, abs=0.1)
    assert (proxy.width > proxy.height) == (info.width > info.height)
    assert made.complete


@pytest.mark.parametrize("name", ["plain.mp4", "plain.webm", "rotated.mp4"])
def test_the_header_stands_in_front(good, name, tmp_path):
    data = make_previews(probe(good(name)), tmp_path).proxy.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("name", ["long_gop.mp4", "plain.webm"])
def test_an_encoded_proxy_has_a_keyframe_every_second(good, name, tmp_path):
    with open_container(make_previews(probe(good(name)), tmp_path).proxy) as container:
        stream = container.streams.video[0]
        keys = [
            float(packet.pts * stream.time_base)
            for packet in container.demux(stream)
            if packet.is_keyframe and packet.pts is not None
        ]
    assert len(keys) >= 2
    assert max(np.diff(keys)) <= 1.05


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("plain.mp4", "remux"),
        ("silent.mp4", "remux"),
        ("plain.ts", "remux"),
        ("many_keys.mp4", "remux"),
        ("plain.mkv", "remux"),
        ("long_gop.mp4", "encode"),
        ("rotated.mp4", "encode"),
        ("ten_bit.mp4", "encode"),
        ("tail.mp4", "encode"),
        ("plain.webm", "encode"),
        ("plain.avi", "encode"),
    ],
)
def test_what_already_plays_is_copied(good, name, way, tmp_path):
    info = probe(good(name))
    assert write_proxy(info, tmp_path / "p.mp4", MediaLimits()) == way
    assert probe(tmp_path / "p.mp4").video_codec == "h264"


@pytest.mark.parametrize(
    ("change", "playable"),
    [
        ({}, True),
        ({"video_codec": "hevc"}, False),
        ({"pixel_format": "yuv422p"}, False),
        ({"pixel_format": "yuv420p10le"}, False),
        ({"audio_codec": "mp3"}, False),
        ({"width": 1920, "height": 1080}, False),
        ({"width": 161}, False),
        ({"warnings": ("truncated",)}, False),
        ({"warnings": ("variable_frame_rate",)}, True),
    ],
)
def test_only_what_browsers_play_may_be_copied(good, change, playable):
    assert is_playable(dataclasses.replace(probe(good("plain.mp4")), **change)) is playable


@pytest.mark.parametrize("name", ["long_gop.mp4", "many_keys.mp4"])
def test_pictures_keep_their_time(good, name, tmp_path):
    """The clip's grey level tells the time; evidence times must fit the proxy."""
    made = make_previews(probe(good(name)), tmp_path)
    taken = sample(probe(made.proxy), share=1.0)
    levels = taken.frames.mean(axis=(1, 2, 3))
    assert np.allclose((levels - 20) / 10, taken.times_s, atol=0.35)


def test_a_transport_stream_starts_at_zero(good, tmp_path):
    with open_container(make_previews(probe(good("plain.ts")), tmp_path).proxy) as container:
        first = next(container.decode(video=0))
    assert first.time == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("name", ["plain.webm", "plain.mp4", "rotated.mp4"])
def test_sound_is_the_tone_that_was_recorded(good, name, tmp_path):
    samples = decode_sound(make_previews(probe(good(name)), tmp_path).proxy).samples
    middle = samples[8000:24000]
    assert int(np.abs(np.fft.rfft(middle)).argmax()) == pytest.approx(440, abs=2)


def test_a_rotated_video_is_upright_in_every_preview(good, tmp_path):
    made = make_previews(probe(good("rotated.mp4")), tmp_path)
    frame = sample(probe(made.proxy)).frames[0]
    poster = np.asarray(Image.open(made.poster))
    for picture in (frame, poster):
        height, width, _ = picture.shape
        assert height > width
        assert picture[: height // 2, width // 2 :, 0].mean() > 150
        assert picture[height // 2 :, :, 0].mean() < 80


def test_a_large_video_is_made_small(tmp_path):
    path = factory.clip(tmp_path / "hd.mp4", seconds=0.2, size=(1920, 1080), with_audio=False)
    made = make_previews(probe(path), tmp_path / "out")
    proxy = probe(made.proxy)
    assert (proxy.width, proxy.height) == (1280, 720)
    assert Image.open(made.poster).size == (480, 270)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((160, 120), (160, 120)),
        ((161, 121), (160, 120)),
        ((1920, 1080), (1280, 720)),
        ((1080, 1920), (720, 1280)),
        ((4000, 1000), (1280, 320)),
        ((1000, 1000), (720, 720)),
        ((8192, 2), (1280, 2)),
        ((1, 1), (2, 2)),
    ],
)
def test_proxy_sizes_are_even_and_bounded(size, expected):
    assert proxy_size(*size) == expected


def test_the_poster_is_not_the_black_beginning(tmp_path):
    path = factory.clip(tmp_path / "f.mp4", seconds=3.0, picture=factory.fade_in)
    made = make_previews(probe(path), tmp_path / "out")
    assert np.asarray(Image.open(made.poster)).mean() > 40


def test_the_most_telling_frame_is_neither_black_nor_white_nor_flat():
    black, white = np.zeros((48, 64, 3), np.uint8), np.full((48, 64, 3), 255, np.uint8)
    flat, shown = np.full((48, 64, 3), 128, np.uint8), factory.moving(0.3, 64, 48)
    assert telling(np.stack([black, flat, shown, white])) == 2
    assert telling(np.stack([black])) == 0


@pytest.mark.parametrize(
    ("name", "columns", "rows"), [("one.mp4", 1, 1), ("short.mp4", 4, 2), ("plain.mp4", 4, 2)]
)
def test_the_contact_sheet_has_a_cell_a_frame(good, name, columns, rows, tmp_path):
    made = make_previews(probe(good(name)), tmp_path)
    width, height = Image.open(made.contact_sheet).size
    assert width == pytest.approx(columns * 164, abs=4)
    assert height == pytest.approx(rows * 145, abs=20)


def test_the_contact_sheet_covers_a_clip_with_few_keyframes(good, tmp_path):
    """Cells must follow the clip's rising brightness to its end, not stop at a quarter."""
    sheet = np.asarray(
        Image.open(make_previews(probe(good("long_gop.mp4")), tmp_path).contact_sheet)
    )
    last_cell = sheet[-150:-40, -200:-40]
    assert last_cell.mean() > 115


@pytest.mark.parametrize(
    ("time_s", "text"),
    [
        (0.0, "0:00.0"),
        (7.06, "0:07.1"),
        (61.5, "1:01.5"),
        (599.96, "10:00.0"),
        (3723.4, "1:02:03.4"),
    ],
)
def test_times_are_written_for_people(time_s, text):
    assert clock(time_s) == text


def test_files_are_named_by_the_hash(good, tmp_path):
    info = probe(good("plain.mp4"))
    made = make_previews(info, tmp_path / "deep" / "folder")
    assert made == preview_paths(info.sha256, tmp_path / "deep" / "folder")
    names = {path.name for path in (tmp_path / "deep" / "folder").iterdir()}
    digest = info.sha256
    assert names == {f"{digest}.mp4", f"{digest}.jpg", f"{digest}-sheet.jpg"}


@pytest.mark.parametrize("digest", ["", "x", "../" + "a" * 61, "A" * 64, "a" * 63 + "/"])
def test_a_name_that_is_no_hash_is_refused(tmp_path, digest):
    with pytest.raises(ValueError, match="SHA-256"):
        preview_paths(digest, tmp_path)


def test_what_is_there_is_not_made_again(good, tmp_path):
    info = probe(good("plain.mp4"))
    made = make_previews(info, tmp_path)
    before = [path.stat().st_mtime_ns for path in (made.proxy, made.poster, made.contact_sheet)]
    gone = dataclasses.replace(info, path=str(tmp_path / "gone.mp4"))
    again = make_previews(gone, tmp_path)
    after = [path.stat().st_mtime_ns for path in (again.proxy, again.poster, again.contact_sheet)]
    assert after == before


def test_what_is_missing_is_made(good, tmp_path):
    info = probe(good("plain.mp4"))
    made = make_previews(info, tmp_path)
    made.poster.unlink()
    assert not made.complete
    assert make_previews(info, tmp_path).complete


def test_damage_is_never_copied_because_browsers_stop_at_it(good, tmp_path):
    made = make_previews(probe(good("damaged.mp4")), tmp_path)
    with open_container(made.proxy) as container:
        stream = container.streams.video[0]
        assert sum(len(stream.decode(packet)) for packet in container.demux(stream)) == 100


def test_a_copy_keeps_every_frame(good, tmp_path):
    for name in ("plain.mp4", "plain.mkv", "plain.ts"):
        proxy = make_previews(probe(good(name)), tmp_path).proxy
        with open_container(proxy) as container:
            times = np.array([frame.time for frame in container.decode(video=0)])
        assert np.allclose(times - times[0], np.arange(50) / 25, atol=0.003), name


def test_a_failure_leaves_nothing_half_done(good, tmp_path, monkeypatch):
    def fail(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("coefvq.media.previews.write_proxy", fail)
    with pytest.raises(OSError, match="No space"):
        make_previews(probe(good("plain.mp4")), tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".mp4"]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_file_that_vanished_is_named(good, tmp_path):
    info = dataclasses.replace(probe(good("plain.mp4")), path=str(tmp_path / "gone.mp4"))
    with pytest.raises(MediaError) as caught:
        make_previews(info, tmp_path)
    assert caught.value.code == "not_found"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["plain.mp4", "rotated.mp4"])
def test_progress_rises_to_one(good, name, tmp_path):
    seen: list[float] = []
    make_previews(probe(good(name)), tmp_path, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert all(0.0 <= share <= 1.0 for share in seen)
