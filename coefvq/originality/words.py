"""A match in plain words. Names of originals come from outside: whoever shows them escapes them."""

from __future__ import annotations

from pathlib import PureWindowsPath

from coefvq.domain import CopyMatch
from coefvq.originality.edits import in_order

EDIT_WORDS = {
    "mirror": "mirrored",
    "rotate": "turned",
    "crop": "cropped",
    "letterbox": "with bars",
    "border": "with a border",
    "speed": "at another speed",
    "recolour": "recoloured",
    "brightness": "lighter or darker",
    "overlay": "with something laid over",
    "picture_in_picture": "as a picture in a picture",
    "re_encode": "encoded again",
    "excerpt": "an excerpt",
    "sound_replaced": "with another sound",
    "picture_replaced": "its sound under another picture",
}
_LONGEST_NAME = 80


def same_footage(match: CopyMatch) -> str:
    """One line: which original, which of its seconds, what was done to it.

    A video of the library is named by its id, since its title is not for everybody to see.
    """
    what = "same footage as" if "picture" in match.by else "same sound as"
    times = f"{clock(match.reference_start_s)}–{clock(match.reference_end_s)}"
    parts = [f"{what} {name_of(match)} {times}", *edit_words(match)]
    return ", ".join(parts) + (" (confirmed by a person)" if match.confirmed else "")


def edit_words(match: CopyMatch) -> list[str]:
    """What was done to the footage; a change of speed with its factor."""
    words = []
    for kind in in_order(match.transform):
        at = f"at {match.speed:.2f} × the speed" if match.speed > 0 else EDIT_WORDS[kind]
        words.append(at if kind == "speed" else EDIT_WORDS[kind])
    return words


def name_of(match: CopyMatch) -> str:
    """The original's id in the library, else the last part of the name it was added under."""
    if match.video_id:
        return f"video {match.video_id}"
    name = PureWindowsPath(match.reference).name or match.reference  # knows both separators
    short = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    return f"“{short}” of {match.bank}"


def clock(seconds: float) -> str:
    """Minutes and seconds, ``m:ss``, rounded down."""
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    return f"{minutes}:{rest:02d}"
