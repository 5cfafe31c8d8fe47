"""What the Library page shows, as frozen data. Texts are hostile, times are UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from coefvq.review.copy_views import SameFootage
from coefvq.store.search import Snippet as Snippet


@dataclass(frozen=True)
class CaseBadge:
    """A case in the library: enough for a chip and a link."""

    case_id: str
    task: str
    state: str
    verdict: str | None
    route: str | None
    probability: float | None
    decided: str | None
    """``violation`` or ``ok`` where a decision stands."""


@dataclass(frozen=True)
class LibraryItem:
    """One video in the library.

    Attributes:
        status: One of ``library.STATUSES``.
        progress: Of its job, 0..1; ``None`` when no job is due.
        note: What the job does just now, one line.
        error_code: Why its job was set aside.
        job_id: The job to retry where ``status`` is ``failed``.
        found: Where the search was found, unless that is the title.
        similarity: To the video that was asked for, 0..1; 1 for the same bytes.
        footage: The seconds that both show, where a search for copies has found some.
    """

    video_id: str
    title: str
    original_name: str
    uploader: str
    uploaded_at: datetime
    duration_s: float | None
    status: str
    poster: Path | None
    proxy: Path | None
    cases: tuple[CaseBadge, ...]
    warnings: tuple[str, ...] = ()
    progress: float | None = None
    note: str = ""
    error_code: str | None = None
    error: str | None = None
    job_id: str | None = None
    found: Snippet | None = None
    similarity: float | None = None
    footage: SameFootage | None = None


@dataclass(frozen=True)
class LibraryPage:
    """One page of the library.

    Attributes:
        total: How many fit the filter; with ``uncounted``, at least so many.
        following: Whether there are older ones.
    """

    items: tuple[LibraryItem, ...]
    total: int
    offset: int
    uncounted: bool = False
    following: bool = False


@dataclass(frozen=True)
class SimilarPage:
    """The videos that look most like one; first those that show the same footage.

    Attributes:
        copies: How many of them share footage with it.
        title: Of the video that was asked for.
        compared: False where it has no vector: not scored yet, or without a picture.
        unknown: Media that could not be compared, for the same reasons.
    """

    video_id: str
    title: str
    items: tuple[LibraryItem, ...]
    compared: bool
    unknown: int
    copies: int = 0


@dataclass(frozen=True)
class JobView:
    """A job that the pages show: running, or set aside with its error."""

    id: str
    kind: str
    state: str
    video_id: str | None
    title: str
    attempts: int
    progress: float
    note: str
    error_code: str | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class IngestProgress:
    """How far a set of uploads is: ``done + failed`` of ``total``, and 0..1 over all."""

    total: int
    done: int
    failed: int
    fraction: float
    note: str
    items: tuple[LibraryItem, ...] = ()
