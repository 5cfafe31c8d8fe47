"""What is known of copies: originals with their fingerprints, matches found, people's answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from coefvq.store.tables.base import Base, new_id, utcnow


class OriginalRow(Base):
    """A video that copies are looked for of: its fingerprint, in a named bank.

    ``id`` only grows, so an index knows what it lacks. ``reference`` is the name it was added
    under: a path, or for a video of the library its id. A removed row keeps its name, not its
    fingerprint.
    """

    __tablename__ = "originals"
    __table_args__ = (
        Index("ix_originals_bank_reference", "bank", "reference"),
        Index("ix_originals_sha256", "sha256"),
        Index("ix_originals_video_id", "video_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    bank: Mapped[str] = mapped_column(String(64))
    reference: Mapped[str] = mapped_column(String(1024))
    sha256: Mapped[str] = mapped_column(String(64))
    video_id: Mapped[str | None] = mapped_column(ForeignKey("videos.id"))
    version: Mapped[str] = mapped_column(String(64))
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    frames: Mapped[int]
    duration_s: Mapped[float]
    added_by: Mapped[str] = mapped_column(String(200))
    added_at: Mapped[datetime] = mapped_column(default=utcnow)
    removed_at: Mapped[datetime | None]


class CopyMatchRow(Base):
    """A video of the library that shows the same footage as an original, with the seconds.

    ``spans``: ``[[query_start_s, query_end_s, reference_start_s, reference_end_s], ...]``.
    ``detail``: speed, found by picture or sound, how many frames. A later search replaces it by a
    newer row; ``replaced_at`` then says when.
    """

    __tablename__ = "copy_matches"
    __table_args__ = (Index("ix_copy_matches_video_id", "video_id", "replaced_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id"))
    original_id: Mapped[int] = mapped_column(ForeignKey("originals.id"), index=True)
    score: Mapped[float]
    spans: Mapped[list[Any]]
    transform: Mapped[list[Any]]
    detail: Mapped[dict[str, Any]]
    version: Mapped[str] = mapped_column(String(64))
    found_at: Mapped[datetime] = mapped_column(default=utcnow)
    replaced_at: Mapped[datetime | None]


class CopyAnswerRow(Base):
    """What a person said of a match: ``confirmed`` or ``rejected``. Append-only; the newest counts.

    It names the two files, so that it holds for every later match of the same pair.
    """

    __tablename__ = "copy_answers"
    __table_args__ = (Index("ix_copy_answers_pair", "query_sha256", "reference_sha256"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    match_id: Mapped[str] = mapped_column(ForeignKey("copy_matches.id"), index=True)
    query_sha256: Mapped[str] = mapped_column(String(64))
    reference_sha256: Mapped[str] = mapped_column(String(64))
    answer: Mapped[str] = mapped_column(String(16))
    note: Mapped[str] = mapped_column(default="", server_default="")
    reviewer: Mapped[str] = mapped_column(String(200))
    answered_at: Mapped[datetime] = mapped_column(default=utcnow)


class CopySearchRow(Base):
    """That a video was looked at for copies, newest time only; no row: nobody looked.

    ``failed``: the code of why no fingerprint could be made of it.
    """

    __tablename__ = "copy_searches"

    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id"), primary_key=True)
    version: Mapped[str] = mapped_column(String(64))
    failed: Mapped[str | None] = mapped_column(String(64))
    searched_at: Mapped[datetime] = mapped_column(default=utcnow)
