"""What keeps the store whole: the head of the event chain, files that are still to be removed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from coefvq.store.tables.base import Base, utcnow


class EventHeadRow(Base):
    """The newest event, once more: without it nobody could tell that the last ones are missing."""

    __tablename__ = "event_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64))


class FileRemovalRow(Base):
    """A file of a deleted video, relative to the data folder; the row goes with the file."""

    __tablename__ = "file_removals"

    path: Mapped[str] = mapped_column(String(1024), primary_key=True)
    asked_at: Mapped[datetime] = mapped_column(default=utcnow)
