"""What people said and did: decisions, drafts, skips, and the event chain."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from coefvq.store.tables.base import Base, new_id, utcnow


class DecisionRow(Base):
    """A reviewer's answer on a case. Append-only: an undo is a later event.

    ``labels`` maps every policy of the task to ``violation`` or ``ok``; ``snapshot`` holds
    what was on the screen; ``notice`` is the message to the uploader; ``batch_id`` joins what was
    decided in bulk. ``kind``: ``review``, ``adjudication`` (between two people who differed) or
    ``appeal`` (overturned). ``taxonomy_version`` is what its policies and reasons come from.
    """

    __tablename__ = "decisions"
    __table_args__ = (
        Index("ix_decisions_reviewer_decided_at", "reviewer", "decided_at"),
        Index("ix_decisions_decided_at", "decided_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), index=True)
    verdict_id: Mapped[str | None] = mapped_column(ForeignKey("verdicts.id"))
    task: Mapped[str] = mapped_column(String(64))
    reviewer: Mapped[str]
    role: Mapped[str]
    action: Mapped[str] = mapped_column(String(32))
    labels: Mapped[dict[str, Any]]
    reasons: Mapped[dict[str, Any]]
    comment: Mapped[str]
    start_s: Mapped[float | None]
    end_s: Mapped[float | None]
    notice: Mapped[str] = mapped_column(default="", server_default="")
    batch_id: Mapped[str | None] = mapped_column(String(32), index=True)
    kind: Mapped[str] = mapped_column(String(16), default="review", server_default="review")
    taxonomy_version: Mapped[str | None] = mapped_column(String(64))
    correction: Mapped[bool]
    snapshot: Mapped[dict[str, Any]]
    decided_at: Mapped[datetime] = mapped_column(default=utcnow)


class DraftRow(Base):
    """A form that one reviewer filled in on one case and has not sent."""

    __tablename__ = "drafts"

    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    reviewer: Mapped[str] = mapped_column(String(200), primary_key=True)
    form: Mapped[dict[str, Any]]
    saved_at: Mapped[datetime] = mapped_column(default=utcnow)


class SkipRow(Base):
    """When a reviewer last passed a case over; it comes back after the others."""

    __tablename__ = "skips"

    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    reviewer: Mapped[str] = mapped_column(String(200), primary_key=True, index=True)
    reason: Mapped[str] = mapped_column(String(200), default="", server_default="")
    skipped_at: Mapped[datetime] = mapped_column(default=utcnow)


class EventRow(Base):
    """One link of the chain of everything that happened. Append-only.

    ``hash`` is SHA-256 over the other fields and ``prev_hash``; see ``store.events``.
    """

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_kind_subject_id", "kind", "subject_id"),)

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    kind: Mapped[str] = mapped_column(String(64))
    subject_kind: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[str] = mapped_column(String(200))
    data: Mapped[dict[str, Any]]
    prev_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), unique=True)
