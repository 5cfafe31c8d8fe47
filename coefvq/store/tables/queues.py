"""Queues of cases, and what people write to each other about a case."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, false
from sqlalchemy.orm import Mapped, mapped_column

from coefvq.store.tables.base import Base, new_id, utcnow


class QueueRow(Base):
    """A queue: cases of a task, of some policies, or that came by some rules.

    A case enters the first queue, by ``position``, whose conditions all hold. ``policies`` and
    ``rules`` are lists; empty ones hold for every case. ``promised_age_s``: a case older than that
    breaks the promise. ``restricted``: only people who have it in their list are given its cases.
    """

    __tablename__ = "queues"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    task: Mapped[str | None] = mapped_column(String(64))
    policies: Mapped[list[Any]]
    rules: Mapped[list[Any]]
    promised_age_s: Mapped[float | None]
    restricted: Mapped[bool] = mapped_column(default=False, server_default=false())
    position: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class NoteRow(Base):
    """An internal note on a case. Never shown outside; append-only."""

    __tablename__ = "notes"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), index=True)
    author: Mapped[str] = mapped_column(String(200))
    text: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=utcnow)
