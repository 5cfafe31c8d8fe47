"""Real media files for tests, good and bad, made with PyAV in milliseconds.

Every function writes one file at the path it is given and returns that path. Pictures are
synthetic but really encoded, so what is tested is what a decoder does.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
SOUND_RATE = 44_100
_TICKS = 90_000


def moving(second: float, width: int, height: int) -> Picture:
    """Return a grey gradient with a bright square that crosses it once every two seconds."""
    ramp = np.linspace(40, 120, width, dtype=np.uint8)
    picture = np.repeat(np.tile(ramp, (height, 1))[:, :, None], 3, axis=2)
    side = max(2, min(width, height) // 3)
    left = int((second / 2.0 % 1.0) * max(1, width - side))
    picture[height // 3 : height // 3 + side, left : left + side] = (230, 200, 40)
    return picture


def still(second: float, width: int, height: int) -> Picture:
    """Return the same picture at any time."""
    return moving(0.5, width, height)


def black(second: float, width: int, height: int) -> Picture:
    """Return black, whatever the time."""
    return np.zeros((height, width, 3), np.uint8)


def fade_in(second: float, width: int, height: int) -> Picture:
    """Return black for the first second, then the moving square."""
    return black(second, width, height) if second < 1.0 else moving(second, width, height)


def slides(second: float, width: int, height: int) -> Picture:
    """Return another flat colour every second."""
    colour = [(200, 40, 40), (40, 200, 40), (40, 40, 200), (200, 200, 40)][int(second) % 4]
    return np.full((height, width, 3), colour, np.uint8)


def corner(second: float, width: int, height: int) -> Picture:
    """Return dark grey with a red upper left quarter, to see which way is up."""
    picture = np.full((height, width, 3), 40, np.uint8)
    picture[: height // 2, : width // 2] = (220, 20, 20)
    return picture


def brightness(second: float, width: int, height: int) -> Picture:
    """Return grey that tells the time: 10 levels a second from 20 on, up to 23 s."""
    return np.full((height, width, 3), min(250, 20 + int(second * 10)), np.uint8)


def clip(
    path: Path,
    seconds: float = 2.0,
    size: tuple[int, int] = (160, 120),
    fps: int | Fraction = 25,
    gop: int = 12,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    with_audio: bool = True,
    rotation: int = 0,
    vfr: bool = False,
    picture: Callable[[float, int, int], Picture] = moving,
    container: str | None = None,
    bframes: int = 2,
    faststart: bool = False,
    audio_seconds: float | None = None,
) -> Path:
    """Write a video.

    Args:
        path: Where; the suffix picks the container unless ``container`` names one.
        seconds: Length of the pictures.
        size: Coded width and height, before rotation.
        fps: Frames per second (the average where ``vfr``).
        gop: Frames from one keyframe to the next (exactly: scene cuts add none).
        codec: Encoder.
        pixel_format: ``yuv420p10le`` makes it 10-bit.
        with_audio: Whether there is a sound track (a 440 Hz tone).
        rotation: Degrees clockwise that a player must turn the pictures.
        vfr: Whether the steps between frames vary (every third frame is late).
        picture: What to see at a second.
        container: Muxer, where the suffix must not decide.
        bframes: Most B-frames in a row (libx264).
        faststart: Whether MP4's header stands in front.
        audio_seconds: Length of the sound, where it differs.
    """
    options = {"movflags": "faststart"} if faststart else {}
    with av.open(str(path.absolute()), "w", format=container, options=options) as output:
        video = _video_stream(output, codec, size, fps, gop, pixel_format, bframes)
        if rotation:
            video.set_display_rotation(-rotation)
        sound = _sound_stream(output) if with_audio else None
        for frame in _pictures(seconds, size, Fraction(fps), vfr, picture):
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        if sound is not None:
            _write_tone(output, sound, seconds if audio_seconds is None else audio_seconds)
    return path


def _video_stream(output, codec, size, fps, gop, pixel_format, bframes):
    stream = output.add_stream(codec, rate=fps)
    stream.width, stream.height = size
    stream.pix_fmt = pixel_format
    stream.codec_context.gop_size = gop
    exact = codec == "libx264"
    stream.codec_context.time_base = Fraction(1, _TICKS) if exact else 1 / Fraction(fps)
    if codec == "libx264":
        keys = f"keyint={gop}:min-keyint={gop}:scenecut=0:bframes={bframes}"
        stream.options = {"preset": "ultrafast", "crf": "28", "x264-params": keys}
    return stream


def _pictures(seconds, size, fps, vfr, picture) -> Iterator[av.VideoFrame]:
    for number in range(max(1, round(seconds * fps))):
        time = number / fps
        if vfr and number % 3 == 2:
            time += Fraction(4, 5) / fps
        frame = av.VideoFrame.from_ndarray(picture(float(time), *size), format="rgb24")
        frame.pts, frame.time_base = int(time * _TICKS), Fraction(1, _TICKS)
        yield frame


def _sound_stream(output):
    name = "libopus" if output.format.name == "webm" else "aac"
    if output.format.name == "avi":
        name = "libmp3lame"
    rate = 48_000 if name == "libopus" else SOUND_RATE
    return output.add_stream(name, rate=rate, layout="mono")


def _write_tone(output, stream, seconds: float) -> None:
    rate = stream.codec_context.sample_rate
    phase = 2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate
    wave = (0.3 * np.sin(phase)).astype(np.float32)
    for start in range(0, len(wave), 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def one_frame(path: Path) -> Path:
    """Write a video of a single frame."""
    return clip(path, seconds=0.04, with_audio=False)


def audio_only(path: Path, seconds: float = 1.0) -> Path:
    """Write a container with a sound track and nothing else."""
    with av.open(str(path.absolute()), "w") as output:
        _write_tone(output, _sound_stream(output), seconds)
    return path


def cover_art(path: Path) -> Path:
    """Write a song: a sound track beside a still cover picture."""
    with av.open(str(path.absolute()), "w") as output:
        picture = output.add_stream("mjpeg", rate=1)
        picture.width, picture.height, picture.pix_fmt = 64, 64, "yuvj420p"
        picture.disposition = Disposition.attached_pic
        sound = _sound_stream(output)
        frame = av.VideoFrame.from_ndarray(still(0, 64, 64), format="rgb24")
        output.mux(picture.encode(frame.reformat(format="yuvj420p")))
        output.mux(picture.encode(None))
        _write_tone(output, sound, 1.0)
    return path


def two_tracks(path: Path) -> Path:
    """Write a container with two video tracks, of which players show the first."""
    with av.open(str(path.absolute()), "w") as output:
        streams = [_video_stream(output, "libx264", (160, 120), 25, 12, "yuv420p", 0) for _ in "ab"]
        for stream, picture in zip(streams, (moving, slides), strict=True):
            for frame in _pictures(1.0, (160, 120), Fraction(25), False, picture):
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    return path


def gif(path: Path, seconds: float = 1.0, size: tuple[int, int] = (96, 64)) -> Path:
    """Write an animated GIF."""
    return clip(path, seconds, size, 10, codec="gif", pixel_format="rgb8", with_audio=False)


def text(path: Path, content: str = "This is a text file, not a video.\n" * 40) -> Path:
    """Write text, whatever the name says."""
    path.write_text(content, encoding="utf-8")
    return path


def empty(path: Path) -> Path:
    """Write a file of no bytes."""
    path.write_bytes(b"")
    return path


def noise(path: Path, size: int = 50_000) -> Path:
    """Write random bytes."""
    path.write_bytes(np.random.default_rng(7).bytes(size))
    return path


def broken_tail(path: Path, keep: float = 0.6, seconds: float = 4.0) -> Path:
    """Write an MP4 whose header promises more than the file holds."""
    clip(path, seconds, faststart=True, size=(320, 240))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def header_only(path: Path) -> Path:
    """Write an MP4 that ends where its first frame would begin."""
    clip(path, faststart=True)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"mdat") + 4])
    return path


def zero_frames(path: Path) -> Path:
    """Write an MP4 with a video track that has no samples."""
    with av.open(str(path.absolute()), "w") as output:
        _video_stream(output, "libx264", (160, 120), 25, 12, "yuv420p", 0)
        output.start_encoding()
    return path


def damaged_middle(path: Path) -> Path:
    """Write an MP4 with a stretch of noise in the middle of its pictures."""
    clip(path, seconds=4.0, size=(320, 240), faststart=True, with_audio=False)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat")
    middle = (start + len(data)) // 2
    data[middle : middle + 2000] = np.random.default_rng(3).bytes(2000)
    path.write_bytes(bytes(data))
    return path


def boastful_header(path: Path, declared_s: float = 10_000_000.0) -> Path:
    """Write an MP4 of two seconds that claims to last for months."""
    clip(path, with_audio=False, faststart=True)
    data = bytearray(path.read_bytes())
    for box in (b"mvhd", b"mdhd"):
        at = data.index(box) + 4
        scale = struct.unpack_from(">I", data, at + 12)[0]
        struct.pack_into(">I", data, at + 16, min(0xFFFFFFFE, int(declared_s * scale)))
    path.write_bytes(bytes(data))
    return path


def very_long(path: Path, hours: int = 6) -> Path:
    """Write an MKV that really lasts for hours, at one frame an hour."""
    return clip(path, hours * 3600, fps=Fraction(1, 3600), with_audio=False)


def wide(path: Path, width: int = 8208) -> Path:
    """Write a video with one very long side."""
    return clip(path, seconds=0.08, size=(width, 16), with_audio=False)


def giant_gif(path: Path, side: int = 20_000) -> Path:
    """Write a GIF that declares a giant canvas in a few bytes."""
    gif(path)
    data = bytearray(path.read_bytes())
    struct.pack_into("<HH", data, 6, side, side)
    path.write_bytes(bytes(data))
    return path


def m3u8(path: Path, target: str) -> Path:
    """Write a playlist that names ``target``."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:5", "#EXT-X-MEDIA-SEQUENCE:0"]
    return text(path, "\n".join([*lines, "#EXTINF:4.0,", target, "#EXT-X-ENDLIST", ""]))


def ffconcat(path: Path, target: str) -> Path:
    """Write a concatenation script that names ``target``."""
    return text(path, f"ffconcat version 1.0\nfile '{target}'\n")


def dash(path: Path, target: str) -> Path:
    """Write a DASH description that names ``target``."""
    return text(
        path,
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT4S"><Period><AdaptationSet mimeType="video/mp4">'
        f'<Representation id="1" bandwidth="1"><BaseURL>{target}</BaseURL></Representation>'
        "</AdaptationSet></Period></MPD>",
    )


def sdp(path: Path, host: str, port: int) -> Path:
    """Write a session description that would listen to or call ``host``."""
    return text(
        path,
        f"v=0\no=- 0 0 IN IP4 {host}\ns=x\nc=IN IP4 {host}\nt=0 0\n"
        f"m=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    )


def external_reference(path: Path, target: str) -> Path:
    """Write an MP4 whose data lies, by its reference, in another file (a Mac alias).

    A relative ``target`` is found from the folder of the MP4, an absolute one anywhere.
    """
    clip(path, with_audio=False, container="mp4")
    return _with_reference(path, _alias(target))


def external_url(path: Path, target: str) -> Path:
    """Write an MP4 whose data lies, by its reference, at an address."""
    clip(path, with_audio=False, container="mp4")
    body = b"url " + struct.pack(">I", 0) + target.encode() + b"\0"
    return _with_reference(path, struct.pack(">I", len(body) + 4) + body)


def _alias(target: str) -> bytes:
    """Build an ``alis`` entry as QuickTime wrote it, with the path as record 2."""
    absolute = target.startswith("/")
    levels = (0, 0) if absolute else (1, len(Path(target).parts))
    name = Path(target).name.encode()[:63]
    body = b"alis" + struct.pack(">I", 0) + bytes(10)
    body += bytes([2]) + b"HD".ljust(27, b"\0") + bytes(12)
    body += bytes([len(name)]) + name.ljust(63, b"\0") + bytes(16)
    body += struct.pack(">HH", *levels) + bytes(16)
    raw = target.encode() if absolute else b"/" + target.encode()
    body += struct.pack(">HH", 2, len(raw)) + raw + bytes(len(raw) % 2)
    body += struct.pack(">HH", 0xFFFF, 0)
    body = body.ljust(160, b"\0")
    return struct.pack(">I", len(body) + 4) + body


def _with_reference(path: Path, entry: bytes) -> Path:
    """Exchange the data reference; the header is last in the file, so no offset moves."""
    data = bytearray(path.read_bytes())
    old = bytes.fromhex("0000000c") + b"url " + bytes.fromhex("00000001")
    at = data.index(old)
    data[at : at + len(old)] = entry
    for box in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        start = data.rindex(box, 0, at) - 4
        size = struct.unpack_from(">I", data, start)[0]
        struct.pack_into(">I", data, start, size + len(entry) - len(old))
    path.write_bytes(bytes(data))
    return path


def growing_size(path: Path, small: tuple[int, int], large: tuple[int, int]) -> Path:
    """Write a transport stream whose pictures become larger halfway."""
    first = clip(path.with_suffix(".a.ts"), 1.0, small, with_audio=False)
    second = clip(path.with_suffix(".b.ts"), 1.0, large, with_audio=False)
    path.write_bytes(first.read_bytes() + second.read_bytes())
    return path
