"""Clips composed from real footage for the policies that no labelled set exists for.

Every positive has harmless look-alikes from the same footage (subtitles, big titles, camera
clocks, film cuts, slow motion, letterboxes), and size, frame rate, codec and bitrate are drawn
independently of the label, so that neither the footage nor the container gives the label away.
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.video.stream import VideoStream
from PIL import Image, ImageOps

from coefvq.learning.clip_corpora import ClipItem
from coefvq.learning.compose_draw import (
    Frames,
    clock,
    letterbox,
    paint,
    subtitles,
    title,
    watermark,
)
from coefvq.learning.compose_screens import screen_recording
from coefvq.learning.compose_stills import slideshow
from coefvq.media.container import open_container

WATERMARK, SLIDESHOW, SCREEN = "watermark", "static_slideshow", "screen_recording"
UCC_POLICIES = (WATERMARK, SLIDESHOW, SCREEN)
RECIPE_VERSION = "compose-1"

# Kind -> (clips a source, policies that it violates).
KINDS: dict[str, tuple[int, tuple[str, ...]]] = {
    "plain": (3, ()),
    "subtitled": (2, ()),
    "titled": (2, ()),
    "clocked": (1, ()),
    "cut": (1, ()),
    "slow": (1, ()),
    "marked": (5, (WATERMARK,)),
    "marked_subtitled": (1, (WATERMARK,)),
    "stills": (3, (SLIDESHOW,)),
    "stills_titled": (1, (SLIDESHOW,)),
    "stills_marked": (1, (SLIDESHOW, WATERMARK)),
    "screen": (4, (SCREEN,)),
    "screen_marked": (1, (SCREEN, WATERMARK)),
}
_SIZES = (
    (640, 360), (480, 270), (426, 240), (640, 480), (480, 360), (320, 240),
    (360, 640), (270, 480), (480, 480), (360, 360), (568, 320), (416, 332),
)  # fmt: skip
_CODECS = (("libx264", "mp4"), ("libx264", "mkv"), ("mpeg4", "mp4"), ("libvpx", "webm"))
_RATES = (12, 15, 24, 25, 30)


@dataclass(frozen=True)
class ClipSpec:
    """What one composed clip will be; everything else follows from ``seed``."""

    name: str
    kind: str
    group: str
    sources: tuple[Path, ...]
    seed: int

    @property
    def labels(self) -> dict[str, int]:
        """0 or 1 for each policy of unoriginal content that a picture can show."""
        return {policy: int(policy in KINDS[self.kind][1]) for policy in UCC_POLICIES}


def plan(footage: Iterable[ClipItem], seed: int = 0, scale: float = 1.0) -> list[ClipSpec]:
    """Lay out the clips: every group of footage gives every kind, so groups tell no label.

    Args:
        footage: Real clips without overlays.
        seed: Names and drawings depend on it.
        scale: Multiplies the clips a source; below 1 for a quick trial (at least 1 a kind).
    """
    groups: dict[str, list[Path]] = defaultdict(list)
    for item in footage:
        groups[item.group].append(item.path)
    specs = []
    for group, paths in sorted(groups.items()):
        for kind, (count, _) in KINDS.items():
            for number in range(max(1, round(count * scale))):
                specs.append(_spec(group, kind, number, sorted(paths), seed))
    return specs


def _spec(group: str, kind: str, number: int, paths: list[Path], seed: int) -> ClipSpec:
    key = f"{RECIPE_VERSION}/{seed}/{group}/{kind}/{number}"
    drawn = int.from_bytes(hashlib.sha256(key.encode()).digest()[:6], "big")
    rng = random.Random(drawn)
    sources = tuple(rng.choice(paths) for _ in range(rng.randint(2, 4)))
    name = f"{group.replace('/', '-')}_{kind}_{number}_s{seed}"
    return ClipSpec(name, kind, group, sources, drawn)


def compose(
    specs: list[ClipSpec],
    folder: Path,
    on_clip: Callable[[int, int], None] | None = None,
) -> list[ClipItem]:
    """Render the clips that are not in ``folder`` yet.

    Args:
        on_clip: Called with clips done and clips in all.

    Returns:
        One item a clip, in the order of ``specs``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    items = []
    for number, spec in enumerate(specs):
        path = next(iter(sorted(folder.glob(f"{spec.name}.*"))), None) or render(spec, folder)
        items.append(_item(spec, path))
        if on_clip is not None:
            on_clip(number + 1, len(specs))
    return items


def _item(spec: ClipSpec, path: Path) -> ClipItem:
    tags = (f"kind:{spec.kind}",)
    return ClipItem(f"composed/{spec.name}", spec.group, "composed", path, spec.labels, tags)


def render(spec: ClipSpec, folder: Path) -> Path:
    """Draw and encode one clip.

    Returns:
        The file; it appears under its name only when it is complete.
    """
    rng = random.Random(spec.seed)
    size, rate = rng.choice(_SIZES), rng.choice(_RATES)
    frames = _frames(spec, size, int(rate * rng.uniform(2.0, 5.0)), rng)
    codec, suffix = rng.choice(_CODECS)
    target = folder / f"{spec.name}.{suffix}"
    partial = folder / f"_{spec.name}.{suffix}"
    encode(frames, partial, codec, rate, rng.randint(20, 34))
    return partial.rename(target)


def _frames(spec: ClipSpec, size: tuple[int, int], count: int, rng: random.Random) -> Frames:
    kind = spec.kind
    if kind.startswith("stills"):
        pictures = [_varied(picture, rng) for picture in _pictures(spec, rng)]
        frames = slideshow(pictures, size, count, rng)
    elif kind.startswith("screen"):
        frames = screen_recording(_filmed(spec, size, count, rng), size, count, rng)
    elif kind == "cut":
        frames = _cuts(spec, size, count, rng)
    else:
        frames = _filmed(spec, size, count, rng, slow=kind == "slow")
    return _overlaid(kind, frames, size, rng)


def _overlaid(kind: str, frames: Frames, size: tuple[int, int], rng: random.Random) -> Frames:
    boxed = rng.random()
    if boxed < 0.12 and not kind.startswith("screen"):
        frames = letterbox(frames, rng)
    painters = {"titled": title, "clocked": clock, "subtitled": subtitles, "marked": watermark}
    for word, painter in painters.items():
        if word in kind.split("_"):
            frames = paint(frames, painter(size, rng))
    if 0.12 <= boxed < 0.18:
        frames = letterbox(frames, rng)
    return frames


def _pictures(spec: ClipSpec, rng: random.Random) -> Frames:
    return [
        frame
        for path in spec.sources
        for frame in read_frames(path, 60, rng)[:: rng.choice((20, 40))]
    ]


def _varied(picture: Image.Image, rng: random.Random) -> Image.Image:
    """A crop, a flip, a tint: stills of one source must not look like a film of it."""
    width, height = picture.size
    share = rng.uniform(0.4, 1.0)
    x, y = rng.uniform(0, 1 - share) * width, rng.uniform(0, 1 - share) * height
    picture = picture.crop((int(x), int(y), int(x + share * width), int(y + share * height)))
    if rng.random() < 0.3:
        picture = ImageOps.mirror(picture)
    if rng.random() < 0.15:
        picture = ImageOps.grayscale(picture).convert("RGB")
    return picture


def _filmed(
    spec: ClipSpec, size: tuple[int, int], count: int, rng: random.Random, slow: bool = False
) -> Frames:
    """Real motion of ``count`` frames; played to and fro where the footage is shorter."""
    step = rng.choice((3, 4, 6)) if slow else 1
    frames = read_frames(spec.sources[0], count // step + 1, rng)
    fit = ImageOps.pad if rng.random() < 0.1 else ImageOps.fit
    fitted = [fit(frame, size, Image.Resampling.BILINEAR) for frame in frames]
    if rng.random() < 0.3:
        fitted = [ImageOps.mirror(frame) for frame in fitted]
    there_and_back = fitted + fitted[-2:0:-1]
    return [there_and_back[(i // step) % len(there_and_back)].copy() for i in range(count)]


def _cuts(spec: ClipSpec, size: tuple[int, int], count: int, rng: random.Random) -> Frames:
    """A film that cuts between takes: still filmed motion."""
    each = -(-count // len(spec.sources))
    takes = [
        _filmed(ClipSpec(spec.name, "plain", spec.group, (path,), 0), size, each, rng)
        for path in spec.sources
    ]
    return [frame for take in takes for frame in take][:count]


def read_frames(path: Path, count: int, rng: random.Random) -> Frames:
    """Up to ``count`` consecutive frames from a random place of a clip, at most 640 wide."""
    with open_container(path) as container:
        stream = container.streams.video[0]
        if stream.duration and stream.time_base and stream.average_rate:
            seconds = float(stream.duration * stream.time_base)
            spare = max(0.0, seconds - count / float(stream.average_rate))
            container.seek(int(rng.uniform(0, spare) * 1e6), any_frame=False)
        frames: Frames = []
        for frame in container.decode(stream):
            width = min(640, frame.width)
            height = max(2, round(frame.height * width / frame.width))
            frames.append(frame.reformat(width, height, "rgb24").to_image())
            if len(frames) >= count:
                break
    return frames


def encode(frames: Frames, path: Path, codec: str, rate: int, quality: int) -> None:
    """Write frames as a video.

    Args:
        quality: Constant rate factor of libx264 and libvpx; mpeg4 gets a matching bitrate.
    """
    with av.open(str(path), "w") as container:
        stream = cast(VideoStream, container.add_stream(codec, rate=Fraction(rate)))
        stream.width, stream.height = frames[0].size
        stream.pix_fmt = "yuv420p"
        if codec == "mpeg4":
            stream.bit_rate = 2_000_000 - (quality - 20) * 110_000
        elif codec == "libvpx":
            stream.bit_rate = 3_000_000
            stream.options = {"crf": str(quality), "deadline": "realtime", "cpu-used": "8"}
        else:
            stream.options = {"crf": str(quality), "preset": "veryfast"}
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode())
