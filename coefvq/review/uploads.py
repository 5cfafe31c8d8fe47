"""Take a file in: its bytes, its upload, its cases and its job."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.orm import Session

from coefvq import taxonomy
from coefvq.errors import MediaError
from coefvq.review.access import Actor, Permission, require
from coefvq.settings import Settings
from coefvq.store import cases, events, jobs, videos
from coefvq.store.session import Store
from coefvq.store.tables import JobKind, MediaRow, VideoRow, new_id

_CHUNK = 1 << 20
_SAFE_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")


def register(
    store: Store,
    settings: Settings,
    actor: Actor,
    path: Path | str,
    *,
    title: str | None = None,
    caption: str | None = None,
    original_name: str | None = None,
    uploader: str | None = None,
    move: bool = True,
    queue: bool = True,
    inside: Path | None = None,
    also: Callable[[Session, str], None] | None = None,
) -> str:
    """Store a file as a new video and queue its scoring; return the video id.

    The bytes are in the media folder, named by their hash, before anything is committed. The
    same bytes are stored once, however often they come.

    Args:
        path: The file. Its name is used for nothing but display and, if harmless, the suffix.
        original_name: The name to show, where the file itself is a temporary one.
        uploader: Who posted it, where that is not the actor.
        move: Take the file away from where it is; False leaves it there.
        queue: False opens no case and queues no job.
        inside: Refuse a file that, links resolved, lies outside this folder.
        also: Called with the video's id in the same transaction, last; what it raises undoes it.

    Raises:
        MediaError: ``not_found``, ``not_a_file`` or ``too_large``; nothing is stored.
        NotAllowed: The actor may not upload.
    """
    require(actor, Permission.UPLOAD)
    source = Path(path)
    size = _check_file(source, settings.max_bytes, inside)
    shown = original_name or source.name
    taken = _take(source, settings.media_dir, move)
    try:
        sha256 = _sha256(taken)
        name = _file_name(store, sha256, shown)
        os.replace(taken, settings.media_dir / name)
    except BaseException:
        taken.unlink(missing_ok=True)
        raise
    with store.write() as session:
        if not (settings.media_dir / name).is_file():
            raise MediaError(f"{shown}: deleted at this moment. Upload it again.", code="not_found")
        media = videos.ensure_media(session, sha256, name, size)
        video = videos.add_video(
            session,
            media,
            uploader=uploader or actor.name,
            original_name=shown,
            title=title,
            caption=caption,
        )
        _follow_up(session, actor, video, media, queue)
        if also is not None:
            also(session, video.id)
        return video.id


def _follow_up(
    session: Session, actor: Actor, video: VideoRow, media: MediaRow, queue: bool
) -> None:
    data = {"sha256": media.sha256, "bytes": media.size_bytes}
    events.append(session, actor.name, "video.uploaded", "video", video.id, data)
    if queue:
        cases.open_pending(session, video.id, taxonomy.tasks())
        jobs.enqueue(session, JobKind.INGEST, video_id=video.id)


def _check_file(path: Path, max_bytes: int, inside: Path | None) -> int:
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        raise MediaError(f"{path}: there is no such file.", code="not_found") from error
    if not stat.S_ISREG(found.st_mode):
        raise MediaError(f"{path}: not a file.", code="not_a_file")
    if inside is not None and not path.resolve().is_relative_to(inside.resolve()):
        raise MediaError(f"{path}: not an uploaded file.", code="not_found")
    if found.st_size > max_bytes:
        raise MediaError(
            f"{path}: {found.st_size} bytes are over the limit of {max_bytes} (COEFVQ_MAX_BYTES).",
            code="too_large",
        )
    return found.st_size


def _take(source: Path, media_dir: Path, move: bool) -> Path:
    """Bring the bytes into the media folder first, so that nobody changes them after hashing."""
    media_dir.mkdir(parents=True, exist_ok=True)
    target = media_dir / f".incoming-{new_id()}"
    if move and not source.is_symlink():
        shutil.move(source, target)
    else:
        shutil.copyfile(source, target)
    return target


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _file_name(store: Store, sha256: str, shown: str) -> str:
    """The name under which these bytes are stored already, or a new one."""
    with store.read() as session:
        known = session.get(MediaRow, sha256)
    if known is not None and known.file_name:
        return known.file_name
    suffix = Path(shown.replace("\x00", "")).suffix.lower()
    return sha256 + (suffix if _SAFE_SUFFIX.fullmatch(suffix) else ".bin")
