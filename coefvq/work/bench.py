"""What handlers of jobs work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from coefvq.domain import Assessment, CascadeResult
from coefvq.errors import MediaError
from coefvq.settings import Settings
from coefvq.store import videos
from coefvq.store.jobs import ClaimedJob
from coefvq.store.session import Store
from coefvq.store.tables import VideoRow
from coefvq.work.assessor import Assessor

if TYPE_CHECKING:
    from coefvq.work.originality import Originals

Apply = Callable[[Session], None]
Report = Callable[[float, str], None]


@dataclass(frozen=True)
class Bench:
    """What handlers work with. ``cascade`` and ``originals`` load at their first call.

    Attributes:
        shadow: What models in the shadow say of a result.
    """

    settings: Settings
    store: Store
    cascade: Callable[[], Assessor]
    originals: Callable[[], Originals]
    name: str
    shadow: Callable[[CascadeResult], list[Assessment]] = lambda result: []


def video_of(bench: Bench, job: ClaimedJob) -> tuple[VideoRow, Path]:
    """A job's video and its file.

    Raises:
        MediaError: The file is gone.
    """
    with bench.store.read() as session:
        video = videos.get(session, str(job.video_id))
    return video, path_of(bench.settings, video)


def path_of(settings: Settings, video: VideoRow) -> Path:
    """A video's file.

    Raises:
        MediaError: It is gone.
    """
    path = settings.media_dir / video.media.file_name
    if not path.is_file():
        raise MediaError(
            f"Video {video.id}: its file {path} is gone. Upload it again.", code="not_found"
        )
    return path


def in_tenths(report: Report, low: float, high: float, note: str) -> Callable[[float], None]:
    """Pass progress on in tenths: each report is a write."""
    last = 0

    def progress(share: float) -> None:
        nonlocal last
        if (step := int(share * 10)) > last:
            last = step
            report(low + (high - low) * step / 10, note)

    return progress
