"""Which video of the library a row means: by id, by the hash of its bytes, or by file name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath, PureWindowsPath

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from coefvq.errors import StoreError
from coefvq.store.tables import MediaRow, VideoRow
from coefvq.store.videos import KEPT

_SHOWN = 80


class Finder:
    """Looks the videos of some rows up at once.

    Args:
        wanted: What each row says: ``video_id``, ``video_sha256``, ``path``; one of them will do.
    """

    def __init__(self, session: Session, wanted: Iterable[Mapping[str, str]]) -> None:
        rows = list(wanted)
        ids = {row["video_id"] for row in rows if row.get("video_id")}
        digests = {row["video_sha256"].lower() for row in rows if row.get("video_sha256")}
        names = {file_name(row["path"]) for row in rows if row.get("path")}
        self._digest: dict[str, str] = {}
        self._by_digest: dict[str, set[str]] = defaultdict(set)
        self._by_file: dict[str, set[str]] = defaultdict(set)
        self._by_name: dict[str, set[str]] = defaultdict(set)
        query = (
            select(VideoRow.id, VideoRow.sha256, MediaRow.file_name, VideoRow.original_name)
            .join(MediaRow, MediaRow.sha256 == VideoRow.sha256)
            .where(
                VideoRow.status != KEPT,
                or_(
                    VideoRow.id.in_(ids),
                    VideoRow.sha256.in_(digests),
                    MediaRow.file_name.in_(names),
                    VideoRow.original_name.in_(names),
                ),
            )
        )
        for video_id, sha256, file, name in session.execute(query):
            self._digest[video_id] = sha256
            self._by_digest[sha256].add(video_id)
            self._by_file[file].add(video_id)
            self._by_name[name].add(video_id)

    def video(self, row: Mapping[str, str]) -> str:
        """The id of the video that a row means.

        Raises:
            StoreError: There is none, several fit, or what the row says does not fit together.
        """
        video_id, digest = row.get("video_id", ""), row.get("video_sha256", "").lower()
        if video_id:
            if video_id not in self._digest:
                raise StoreError(f"There is no video {video_id[:_SHOWN]}.")
            if digest and self._digest[video_id] != digest:
                raise StoreError(f"Video {video_id} has other bytes than video_sha256 says.")
            return video_id
        if digest:
            return _one(self._by_digest.get(digest), f"with the bytes {digest[:_SHOWN]}")
        name = file_name(row.get("path", ""))
        found = self._by_file.get(name) or self._by_name.get(name)
        return _one(found, f"of the file '{name[:_SHOWN]}'")


def file_name(path: str) -> str:
    """The last part of a path of any system."""
    return PureWindowsPath(PurePosixPath(path).name).name


def _one(found: set[str] | None, what: str) -> str:
    if not found:
        raise StoreError(f"There is no video {what}.")
    if len(found) > 1:
        raise StoreError(f"{len(found)} videos are {what}: give the video_id.")
    return next(iter(found))
