"""Edits of real clips as re-uploaders make them, with the truth about each. Needs ``ffmpeg``.

Fifteen kinds at three strengths, from mild to as strong as the figures ask for.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

LONGEST_S = 30.0
"""Of a longer clip only this much is re-uploaded, from a quarter of it on."""
_LEAD_S = 4.0  # of the other video that a clip is joined into


@dataclass(frozen=True)
class Clip:
    """An original.

    Attributes:
        path: The file.
        duration_s: Seconds.
        width: Pixels as shown.
        height: Pixels as shown.
    """

    path: Path
    duration_s: float
    width: int
    height: int

    @property
    def window(self) -> tuple[float, float]:
        """Start and length in seconds of the part that is re-uploaded."""
        if self.duration_s <= LONGEST_S + 5.0:
            return 0.0, self.duration_s
        return round(self.duration_s / 4.0, 1), LONGEST_S


@dataclass(frozen=True)
class Edit:
    """One edit of one clip and its truth.

    Attributes:
        clip: The original.
        kind: One of the fifteen kinds.
        strength: 1 mild .. 3 as strong as the figures ask for.
        graph: FFmpeg's filter graph from [0:v] (and inputs 1, ..) to [v].
        inputs: Further inputs.
        start_s: Where the original's part starts in the original.
        length_s: Its length in the original.
        lead_s: Seconds of something else before it in the edit.
        speed: Seconds of the original in a second of the edit.
        crf: Of the encoder.
    """

    clip: Clip
    kind: str
    strength: int
    graph: str
    inputs: tuple[str, ...] = ()
    start_s: float = 0.0
    length_s: float = 0.0
    lead_s: float = 0.0
    speed: float = 1.0
    crf: int = 23

    @property
    def name(self) -> str:
        """File name of the edit, another one when anything about it changes."""
        told = f"{self.clip.path}|{self.graph}|{self.start_s}|{self.length_s}|{self.crf}"
        mark = hashlib.sha256(told.encode()).hexdigest()[:8]
        return f"{self.clip.path.stem}-{self.kind}-{self.strength}-{mark}.mp4"

    def reference_time(self, query_s: float) -> float:
        """Seconds in the original that are on the screen at ``query_s`` of the edit."""
        return self.start_s + (query_s - self.lead_s) * self.speed


def read_clip(path: Path) -> Clip:
    """Read size and length; the length is counted where the container does not say."""
    with av.open(str(path)) as media:
        stream = media.streams.video[0]
        length = media.duration / av.time_base if media.duration else 0.0
        return Clip(path, float(length), stream.width, stream.height)


def edits_of(clip: Clip, filler: Path, art: Path, strengths: int = 3) -> Iterator[Edit]:
    """Yield the edits of a clip.

    Args:
        clip: The original.
        filler: Another video to join the clip into and to lay it over.
        art: Folder for the drawn logos and subtitles.
        strengths: How many of the three strengths, the strongest first dropped last.
    """
    start, length = clip.window
    for strength in range(4 - strengths, 4):
        for kind, made in _KINDS.items():
            fields = {"start_s": start, "length_s": length, **made(clip, strength, filler, art)}
            yield Edit(clip=clip, kind=kind, strength=strength, **fields)


def make(edit: Edit, folder: Path) -> Path:
    """Encode the edit unless the folder has it already."""
    target = folder / edit.name
    if target.exists():
        return target
    part = target.with_suffix(".part.mp4")
    cut = ["-ss", str(edit.start_s), "-t", str(edit.length_s), "-i", str(edit.clip.path)]
    more = [word for name in edit.inputs for word in ("-i", name)]
    even = "scale=trunc(iw/2)*2:trunc(ih/2)*2,format=yuv420p"
    command = [
        *("ffmpeg", "-v", "error", "-nostdin", "-y", "-threads", "1", *cut, *more),
        *("-filter_complex", f"{edit.graph},{even}[v]", "-map", "[v]", "-an"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-threads", "1", "-crf", str(edit.crf)),
        str(part),
    ]
    subprocess.run(command, check=True, timeout=300)
    return part.rename(target)


def make_all(edits: list[Edit], folder: Path, jobs: int) -> list[Path]:
    """Encode many, ``jobs`` at a time, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(lambda edit: make(edit, folder), edits))


def _mirror(clip: Clip, strength: int, filler: Path, art: Path) -> dict:
    return {"graph": "[0:v]hflip", "crf": (23, 28, 32)[strength - 1]}


def _crop(clip: Clip, strength: int, filler: Path, art: Path) -> dict:
    keep, x, y = ((0.9, 0.5, 0.5), (0.8, 0.3, 0.6), (0.7, 0.6, 0.4))[strength - 1]
    box = f"iw*{keep}:ih*{keep}:iw*{(1 - keep) * x:.3f}:ih*{(1 - keep) * y:.3f}"
    return {"graph": f"[0:v]crop={box},scale={clip.width}:{clip.height}"}


def _letterbox(clip: Clip, strength: int, filler: Path, art: Path) -> dict:
    bar = (0.1, 0.17, 0.25)[strength - 1]
    return {"graph": f"[0:v]pad=iw:ih*{1 + 2 * bar}:0:(oh-ih)/2"}


def _re_encode(clip: Clip, strength: int, filler: Path, art: Path) -> dict:
    return {"graph": "[0:v]null", "crf": (28, 32, 35)[strength - 1]}


def _resize(clip: Clip, strength: int, filler: Path, art: Path) -> dict:
    return {"graph": f"[0:v]scale=-2:{(360, 300, 240)[strength - 1]}"}


def _speed(clip: Clip, strength: int, filler: Path, art: Path) -> dict:
    speed = (0.8, 1.15, 1.25)[strength - 1]
    return {"graph": f"[0:v]setpts=(PTS-STARTPTS)/{speed}", "speed": speed}


def _grey(clip: Clip, strength: int, filler: Path, art: Path) -> dict:
    contrast = (1.0, 1.2, 1.4)[strength - 1]
    return {"graph": f"[0:v]hue=s=0,eq=contrast={contrast}"}


def _sepia(clip: Clip, strength: int, filler: Path, art: Path) -> dict:
    mix = "colorchannelmixer=.393:.769:.189:0:.349:.686:.168:0:.272:.534:.131"
    return {"graph": f"[0:v]format=rgb24,{mix}", "crf": (23, 28, 32)[strength - 1]}


def _brightness(clip: Clip, strength: int, filler: Path, art: Path) -> dict:
    gain = (1.15, 0.7, 1.3)[strength - 1]
    return {
        "graph": f"[0:v]format=rgb24,lutrgb=r=clip(val*{gain}\\,0\\,255)"
        f":g=clip(val*{gain}\\,0\\,255):b=clip(val*{gain}\\,0\\,255)"
    }


def _logo(clip: Clip, strength: int, filler: Path, art: Path) -> dict:
    share = (0.05, 0.10, 0.15)[strength - 1]
    height, width = clip.height * share**0.5, clip.width * share**0.5
    name = _draw_logo(art, max(8, round(width)), max(8, round(height)))
    place = ("W-w-8:8", "8:8", "W-w-8:H-h-8")[strength - 1]
    return {"graph": f"[0:v][1:v]overlay={place}", "inputs": (str(name),)}


def _subtitles(clip: Clip, strength: int, filler: Path, art: Path) -> dict:
    name = _draw_subtitles(art, clip.width, clip.height, lines=strength)
    return {"graph": "[0:v][1:v]overlay=0:0", "inputs": (str(name),)}


def _border(clip: Clip, strength: int, filler: Path, art: Path) -> dict:
    share = (0.05, 0.10, 0.15)[strength - 1]
    colour = ("black", "white", "0x3355aa")[strength - 1]
    keep = 1 - 2 * share
    inner = f"scale=iw*{keep}:ih*{keep}"
    return {"graph": f"[0:v]{inner},pad=iw/{keep}:ih/{keep}:(ow-iw)/2:(oh-ih)/2:{colour}"}


def _excerpt(clip: Clip, strength: int, filler: Path, art: Path) -> dict:
    start, length = clip.window
    keep = min((12.0, 8.0, 5.0)[strength - 1], length * 0.75)
    first = start + (length - keep) * (0.27, 0.53, 0.77)[strength - 1]
    return {"graph": "[0:v]null", "start_s": round(first, 3), "length_s": round(keep, 3)}


def _picture_in_picture(clip: Clip, strength: int, filler: Path, art: Path) -> dict:
    share = (0.8, 0.7, 0.6)[strength - 1]
    place = ("(W-w)/2:(H-h)/2", "W-w-6:(H-h)/2", "(W-w)/2:H-h-6")[strength - 1]
    back = f"[1:v]scale={clip.width}:{clip.height},setsar=1[b]"
    front = f"[0:v]scale=iw*{share}:ih*{share},setsar=1[f]"
    graph = f"{back};{front};[b][f]overlay={place}:eof_action=endall:shortest=1"
    if clip.duration_s > 20:  # the filler is short: hold its last picture
        graph = (
            f"{back};{front};[b]tpad=stop=-1:stop_mode=clone[c];[c][f]overlay={place}:shortest=1"
        )
    return {"graph": graph, "inputs": (str(filler),)}


def _joined(clip: Clip, strength: int, filler: Path, art: Path) -> dict:
    lead = min((2.0, 4.0, 6.0)[strength - 1], read_clip(filler).duration_s)
    shape = f"scale={clip.width}:{clip.height},setsar=1,fps=25,format=yuv420p"
    other = (
        f"[1:v]{shape},split[p][q];[p]trim=0:{lead}[a];[q]trim=1:{1 + lead},setpts=PTS-STARTPTS[c]"
    )
    graph = f"{other};[0:v]{shape}[b];[a][b][c]concat=n=3:v=1"
    return {"graph": graph, "inputs": (str(filler),), "lead_s": lead}


_KINDS = {
    "mirror": _mirror,
    "crop": _crop,
    "letterbox": _letterbox,
    "re_encode": _re_encode,
    "resize": _resize,
    "speed": _speed,
    "grey": _grey,
    "sepia": _sepia,
    "brightness": _brightness,
    "logo": _logo,
    "subtitles": _subtitles,
    "border": _border,
    "excerpt": _excerpt,
    "picture_in_picture": _picture_in_picture,
    "joined": _joined,
}
KINDS = tuple(_KINDS)


def _draw_logo(folder: Path, width: int, height: int) -> Path:
    target = folder / f"logo-{width}x{height}.png"
    if not target.exists():
        picture = np.full((height, width, 4), (40, 40, 200, 255), np.uint8)
        middle, radius = (width // 2, height // 2), max(2, min(width, height) // 3)
        cv2.circle(picture, middle, radius, (250, 250, 250, 255), -1)
        cv2.line(picture, (0, 0), (width - 1, height - 1), (20, 200, 250, 255), 4)
        _write(target, picture)
    return target


def _draw_subtitles(folder: Path, width: int, height: int, lines: int) -> Path:
    target = folder / f"subtitles-{width}x{height}-{lines}.png"
    if not target.exists():
        picture = np.zeros((height, width, 4), np.uint8)
        scale = width / 640
        words = ("you will not believe this", "watch until the end", "follow for part two")
        for row, text in enumerate(words[:lines]):
            place = (int(width * 0.08), int(height * (0.93 - 0.09 * row)))
            for colour, thick in (((0, 0, 0, 255), 6), ((255, 255, 255, 255), 2)):
                font = cv2.FONT_HERSHEY_SIMPLEX
                cv2.putText(picture, text, place, font, scale, colour, round(thick * scale) or 1)
        _write(target, picture)
    return target


def _write(target: Path, picture: np.ndarray) -> None:
    part = target.with_suffix(".part.png")
    target.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(part), picture)
    part.rename(target)
