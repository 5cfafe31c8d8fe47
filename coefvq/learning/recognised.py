"""What the recognisers make of a text that is spoken or written on the screen, kept as files.

Training reads these lines in the place of transcripts and screen text, so that the model meets
the recognisers' own errors. The files are found by text, seed and recipe, so a run that was
stopped goes on where it was, and a second run costs nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import zipfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from coefvq.domain import TimedText
from coefvq.errors import MediaError, SettingsError
from coefvq.learning import spoken, written
from coefvq.learning.clip_corpora import ClipItem
from coefvq.learning.clock import Clock, Progress
from coefvq.learning.compose import read_frames
from coefvq.media.sound import SAMPLE_RATE
from coefvq.signals import screen_text, sound_states, speech

HEAR, HEAR_CLEARLY, SEE = "hear", "hear_clearly", "see"
RECIPES = {HEAR: "hear-1", HEAR_CLEARLY: "hear_clearly-1", SEE: "see-1"}
_LEAD_S, _TAIL_S = (0.0, 4.0), (0.0, 2.0)
_SAMPLED = 8  # frames of a video that are read

FrameOf = Callable[[int], NDArray[np.uint8]]
"""A real frame, RGB uint8 (H, W, 3), for a seed."""


@dataclass(frozen=True)
class Recognised:
    """What a recogniser gave for one text.

    Attributes:
        lines: With times, as ``ExpensiveSignals`` has them; empty if nothing was recognised.
        duration_s: Seconds of the clip that the times belong to.
        sound_states: float16 (T, 384), two a second; ``None`` for screen text.
    """

    lines: tuple[TimedText, ...]
    duration_s: float
    sound_states: NDArray[np.float16] | None = None

    @property
    def text(self) -> str:
        """All lines as one string."""
        return " ".join(line.text for line in self.lines)


def hear(text: str, seed: int, threads: int = 1, *, clear: bool = False) -> Recognised:
    """Say a text and listen to it.

    Args:
        text: As posted; what nobody would say is dropped first (``spoken.clean``).
        seed: Voice, background and the second of the first word depend on it.
        threads: CPU threads of the recogniser; 0: all cores.
        clear: Speak with voices that the recogniser follows well.

    Raises:
        SettingsError: If eSpeak NG is not installed.
    """
    rng = random.Random(f"hear/{seed}")
    lead_s, tail_s = rng.uniform(*_LEAD_S), rng.uniform(*_TAIL_S)
    words = spoken.clean(text)
    sound = spoken.speak(words, seed, lead_s=lead_s, tail_s=tail_s, clear=clear)
    heard = speech.transcribe(sound, threads)
    states = sound_states.encode_states(sound, threads)
    duration_s = round(len(sound) / SAMPLE_RATE, 2)
    return Recognised(heard.lines if heard else (), duration_s, states)


def see(text: str, seed: int, frame: NDArray[np.uint8], threads: int = 1) -> Recognised:
    """Write a text on a frame and read it.

    Args:
        text: As posted; what no screen shows is dropped first (``written.tidy``).
        seed: Style, size, compression, the clip's length and the text's times depend on it.
        frame: RGB uint8 (H, W, 3).
        threads: CPU threads of the recogniser; 0: all cores.
    """
    lines = screen_text.read(written.write(text, seed, frame), threads)
    rng = random.Random(f"see/{seed}")
    duration_s = round(rng.uniform(3.0, 30.0), 2)
    first = rng.choice((0, 0, 0, rng.randrange(_SAMPLED)))
    last = rng.choice((_SAMPLED, rng.randint(first + 1, _SAMPLED)))
    start_s, end_s = (round(duration_s * at / _SAMPLED, 2) for at in (first, last))
    timed = [TimedText(start_s, end_s, line.text, line.score, line.box) for line in lines]
    return Recognised(tuple(timed), duration_s)


def footage_frames(items: Sequence[ClipItem]) -> FrameOf:
    """Draw real frames by seed: a group of footage, one of its clips, one of its key frames.

    Args:
        items: Clips without overlays, e.g. ``clip_corpora.footage(data_dir)``.

    Raises:
        SettingsError: If there are none.
    """
    groups: dict[str, list[Path]] = defaultdict(list)
    for item in items:
        groups[item.group].append(item.path)
    if not groups:
        raise SettingsError("There is no footage to write on: give clips without overlays.")
    names = sorted(groups)

    def frame_of(seed: int) -> NDArray[np.uint8]:
        rng = random.Random(f"frame/{seed}")
        path = rng.choice(sorted(groups[rng.choice(names)]))
        frames = read_frames(path, 1, rng)
        if not frames:
            raise MediaError(f"{path} yields no frame to write on; leave it out of the footage.")
        return np.asarray(frames[0], np.uint8)

    return frame_of


class Recogniser:
    """Hears and sees many texts; every result becomes a file and is never made twice.

    Args:
        folder: Where the files are; it is made.
        threads: CPU threads of the recognisers; 0: all cores.
        frame_of: Frames to write on, needed by ``see_all`` for texts without a file.
    """

    def __init__(self, folder: Path, threads: int = 1, frame_of: FrameOf | None = None):
        self._folder = Path(folder)
        self._threads = threads
        self._frame_of = frame_of

    def hear_all(
        self,
        texts: Sequence[tuple[str, int]],
        progress: Progress | None = None,
        *,
        clear: bool = False,
    ) -> list[Recognised]:
        """Hear texts, each with its seed, in order.

        A text that fails gives empty lines, is reported to ``progress`` and has no file.

        Raises:
            SettingsError: If eSpeak NG is not installed.
        """
        return self._all(HEAR, texts, lambda text, seed: hear(text, seed, self._threads), progress)

    def see_all(
        self, texts: Sequence[tuple[str, int]], progress: Progress | None = None
    ) -> list[Recognised]:
        """Write and read texts, each with its seed, in order; see ``hear_all``.

        Raises:
            SettingsError: If there is no file for a text and no frames to write it on.
        """
        return self._all(SEE, texts, self._see, progress)

    def cached(self, kind: str, text: str, seed: int) -> Recognised | None:
        """What is on file for a text, or ``None``; a damaged file counts as none."""
        return _load(self._path(kind, text, seed))

    def _see(self, text: str, seed: int) -> Recognised:
        if self._frame_of is None:
            raise SettingsError("Seeing new texts needs frames: give Recogniser a frame_of.")
        return see(text, seed, self._frame_of(seed), self._threads)

    def _all(
        self,
        kind: str,
        texts: Sequence[tuple[str, int]],
        make: Callable[[str, int], Recognised],
        progress: Progress | None,
    ) -> list[Recognised]:
        say = progress or (lambda line: None)
        clock = Clock(len(texts), kind, say)
        found = []
        for text, seed in texts:
            found.append(self.cached(kind, text, seed) or self._made(kind, text, seed, make, say))
            clock.tick()
        return found

    def _made(
        self,
        kind: str,
        text: str,
        seed: int,
        make: Callable[[str, int], Recognised],
        say: Progress,
    ) -> Recognised:
        """Make and keep one result; trouble with one text never ends the run."""
        try:
            result = make(text, seed)
        except (MediaError, av.FFmpegError, cv2.error, RuntimeError, ValueError) as error:
            say(f"{kind}: a text with seed {seed} gave nothing ({type(error).__name__})")
            return Recognised((), 1.0)
        _save(result, self._path(kind, text, seed))
        return result

    def _path(self, kind: str, text: str, seed: int) -> Path:
        key = json.dumps([kind, text, seed, RECIPES[kind]])
        name = hashlib.sha256(key.encode()).hexdigest()
        return self._folder / name[:2] / f"{name}.npz"


def _save(result: Recognised, path: Path) -> None:
    """The file appears under its name only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = {"lines": [asdict(line) for line in result.lines], "duration_s": result.duration_s}
    arrays = {"meta": np.frombuffer(json.dumps(meta).encode(), np.uint8)}
    if result.sound_states is not None:
        arrays["states"] = np.asarray(result.sound_states)
    partial = path.with_name(f"_{os.getpid()}_{path.name}")
    with partial.open("wb") as handle:
        np.savez(handle, **arrays)  # type: ignore[arg-type]
    partial.rename(path)


def _load(path: Path) -> Recognised | None:
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            meta = json.loads(arrays["meta"].tobytes())
            states = np.asarray(arrays["states"], np.float16) if "states" in arrays else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return Recognised(tuple(map(_line, meta["lines"])), meta["duration_s"], states)


def _line(row: dict[str, object]) -> TimedText:
    box = row.pop("box")
    return TimedText(**row, box=tuple(box) if isinstance(box, list) else None)  # type: ignore
