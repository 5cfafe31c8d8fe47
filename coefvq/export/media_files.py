"""The videos and frames of an export: referred to by path, linked, or copied."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from coefvq.errors import MediaError
from coefvq.export.records import Video
from coefvq.export.wanted import COPY, LINK, NONE
from coefvq.media.limits import MediaLimits
from coefvq.settings import Settings

FRAMES = 8
"""Frames of a video, as the endpoint sends them."""


class MediaKeeper:
    """Puts videos and frames into an export's folder. Doing it twice does nothing more."""

    def __init__(self, folder: Path, mode: str, settings: Settings) -> None:
        self.folder, self.mode, self._settings = folder, mode, settings

    def video(self, video: Video, place: str = "videos") -> str:
        """Where a row finds its video: an absolute path, or one relative to the export.

        Raises:
            MediaError: Its file went meanwhile.
        """
        if video.path is None:
            raise MediaError(f"Video {video.video_id}: its file is gone.", code="not_found")
        source = video.path.absolute()
        if self.mode == NONE:
            return str(source)
        target = self.folder / place / source.name
        if not target.exists():
            target.unlink(missing_ok=True)  # a link to what is gone
            _put(source, target, link=self.mode == LINK)
        return f"{place}/{source.name}"

    def frames(self, video: Video, place: str) -> tuple[list[str], list[float]]:
        """Names relative to ``place`` and seconds of a video's frames.

        They are decoded once and kept in the cache folder.

        Raises:
            MediaError: Not one frame can be read.
        """
        found = self._cached(video)
        names = []
        for number in range(len(found)):
            name = f"{video.sha256}-{number}.jpg"
            target = self.folder / place / "frames" / name
            if not target.exists():
                _put(self._cache(video) / f"{number}.jpg", target, link=False)
            names.append(f"frames/{name}")
        return names, found

    def _cache(self, video: Video) -> Path:
        return self._settings.cache_dir / "frames" / f"{video.sha256}-{FRAMES}"

    def _cached(self, video: Video) -> list[float]:
        folder = self._cache(video)
        with contextlib.suppress(OSError, ValueError):
            times = json.loads((folder / "times.json").read_text())
            if all((folder / f"{number}.jpg").is_file() for number in range(len(times))):
                return [float(time) for time in times]
        return self._made(video, folder)

    def _made(self, video: Video, folder: Path) -> list[float]:
        from coefvq.mllm.endpoint.footage import Form, Pictures, footage_of

        limits = MediaLimits.from_settings(self._settings)
        footage = footage_of(video.info, limits, FRAMES, Form(Pictures.STILLS))
        if footage is None or not footage.frames.jpegs:
            raise MediaError(f"Video {video.video_id}: no frame of it can be read.")
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.parent))
        try:
            for number, jpeg in enumerate(footage.frames.jpegs):
                (part / f"{number}.jpg").write_bytes(jpeg)
            times = [round(time, 3) for time in footage.frames.times_s]
            (part / "times.json").write_text(json.dumps(times))
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(part, folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return times


def _put(source: Path, target: Path, *, link: bool) -> None:
    """Link or copy, whole or not at all; where links are not possible, copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if link:
        with contextlib.suppress(OSError, NotImplementedError):
            target.symlink_to(source)
            return
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(source, part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


__all__ = ["COPY", "FRAMES", "LINK", "NONE", "MediaKeeper"]
