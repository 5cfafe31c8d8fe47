"""Make the demo clips: deterministic, resumable, a few seconds each at most."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from coefvq.demo.catalogue import CLIPS, DemoClip, clip_by_id
from coefvq.demo.edits import apply
from coefvq.demo.footage import open_picture
from coefvq.demo.recipe import CopyOf, Recipe
from coefvq.demo.sound import lay, length, open_sound

if TYPE_CHECKING:
    from moviepy import VideoClip

Progress = Callable[[int, int, str], None]

FPS = 24
_VIDEO = ("-crf", "26", "-g", "48", "-movflags", "+faststart", "-map_metadata", "-1")
# Encoder names and times would make two builds of the same clip differ.
_SAME_BYTES = ("-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact")


def build_demo(out_dir: Path, progress: Progress | None = None) -> list[DemoClip]:
    """Make every clip of the catalogue that is not in ``out_dir`` yet.

    Args:
        progress: Called before each clip with its number (0-based), how many there are and
            its title, and once more at the end.

    Returns:
        The clips that were made now, in the order of the catalogue; ``[]`` if all were there.

    Raises:
        MediaError: If the installed gradio package lacks a file that a clip is made from.
    """
    made = []
    for number, clip in enumerate(CLIPS):
        if progress is not None:
            progress(number, len(CLIPS), clip.title)
        if not clip.path(out_dir).exists():
            build_clip(clip, out_dir)
            made.append(clip)
    if progress is not None:
        progress(len(CLIPS), len(CLIPS), "")
    return made


def build_clip(clip: DemoClip, out_dir: Path) -> Path:
    """Make one clip unless it is there, and return its file. A file is whole or not there."""
    path = clip.path(out_dir)
    if path.exists():
        return path
    out_dir.mkdir(parents=True, exist_ok=True)
    part = out_dir / f".{os.getpid()}-{clip.id}.part.mp4"
    try:
        if isinstance(clip.made, CopyOf):
            shutil.copyfile(build_clip(clip_by_id(clip.made.clip), out_dir), part)
        else:
            _render(clip.made, part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _render(recipe: Recipe, path: Path) -> None:
    with ExitStack() as opened:
        sound = None
        if recipe.sound is not None:
            sound = opened.enter_context(open_sound(recipe.sound))
        seconds = length(recipe, sound)
        source = opened.enter_context(open_picture(recipe.picture, recipe.size, seconds))
        clip = source
        for edit in recipe.edits:
            clip = apply(edit, clip)
        if sound is not None:
            clip = clip.with_audio(lay(recipe, sound, seconds))
        _encode(clip, path)
    if recipe.keep < 1.0:
        os.truncate(path, int(path.stat().st_size * recipe.keep))


def _encode(clip: VideoClip, path: Path) -> None:
    clip.write_videofile(
        str(path),
        fps=FPS,
        codec="libx264",
        preset="veryfast",
        pixel_format="yuv420p",
        threads=1,  # with two, a busy machine can give other bytes
        audio=clip.audio is not None,
        audio_fps=44_100,
        audio_codec="aac",
        audio_bitrate="96k",
        temp_audiofile=str(path.with_suffix(".m4a")),
        ffmpeg_params=[*_VIDEO, *_SAME_BYTES],
        logger=None,
    )
