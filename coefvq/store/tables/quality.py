"""How well people and the machine decide: independent looks, golden cases, appeals, holds."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from coefvq.store.tables.base import Base, new_id, utcnow


class LookKind(StrEnum):
    """Why somebody is asked for an answer that does not decide the case by itself."""

    GOLDEN = "golden"
    SECOND = "second"


class LookState(StrEnum):
    """Where an independent look stands."""

    WAITING = "waiting"
    AGREED = "agreed"
    DIFFERS = "differs"  # a second answer that waits for adjudication, or a missed golden case
    SETTLED = "settled"  # adjudicated, or no longer wanted


class GoldenRow(Base):
    """A case whose answer is known, mixed in among the others to measure reviewers.

    ``labels`` maps every policy of the task to ``violation`` or ``ok``; the range, where there is
    one, is what a reviewer's marked range should meet. Retired ones are shown no more.
    """

    __tablename__ = "golden"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), index=True)
    labels: Mapped[dict[str, Any]]
    start_s: Mapped[float | None]
    end_s: Mapped[float | None]
    note: Mapped[str] = mapped_column(default="", server_default="")
    added_by: Mapped[str] = mapped_column(String(200))
    added_at: Mapped[datetime] = mapped_column(default=utcnow)
    retired_at: Mapped[datetime | None]


class LookRow(Base):
    """An independent answer on a case: on a golden one, or by a second person.

    It reaches its reviewer as a case like any other, under its own id. ``decision_id`` is the
    answer that a second look is compared with; ``decided_by`` its reviewer, who never gets it.
    A golden look belongs to one reviewer from the start. ``draft`` is a form not yet sent.
    """

    __tablename__ = "looks"
    __table_args__ = (
        Index("ix_looks_waiting", "kind", "state", "asked_at", "decided_by"),
        Index("ix_looks_reviewer_answered_at", "reviewer", "answered_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), default=LookState.WAITING.value)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), index=True)
    task: Mapped[str] = mapped_column(String(64))
    golden_id: Mapped[str | None] = mapped_column(ForeignKey("golden.id"), index=True)
    decision_id: Mapped[str | None] = mapped_column(ForeignKey("decisions.id"))
    decided_by: Mapped[str | None] = mapped_column(String(200))
    reviewer: Mapped[str | None] = mapped_column(String(200))
    labels: Mapped[dict[str, Any] | None]
    reasons: Mapped[dict[str, Any] | None]
    action: Mapped[str] = mapped_column(String(32), default="", server_default="")
    comment: Mapped[str] = mapped_column(default="", server_default="")
    start_s: Mapped[float | None]
    end_s: Mapped[float | None]
    draft: Mapped[dict[str, Any] | None]
    asked_at: Mapped[datetime] = mapped_column(default=utcnow)
    answered_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[str | None] = mapped_column(String(200))


class FirstAnswerRow(Base):
    """What a reviewer answered before the machine's answer was shown to them."""

    __tablename__ = "first_answers"

    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    reviewer: Mapped[str] = mapped_column(String(200), primary_key=True)
    labels: Mapped[dict[str, Any]]
    verdict_id: Mapped[str | None] = mapped_column(String(32))
    at: Mapped[datetime] = mapped_column(default=utcnow)


class AppealRow(Base):
    """Somebody outside disputes a decision. ``state``: open, upheld or overturned."""

    __tablename__ = "appeals"
    __table_args__ = (Index("ix_appeals_state_filed_at", "state", "filed_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), index=True)
    decision_id: Mapped[str] = mapped_column(ForeignKey("decisions.id"))
    text: Mapped[str]
    filed_by: Mapped[str] = mapped_column(String(200))
    filed_at: Mapped[datetime] = mapped_column(default=utcnow)
    state: Mapped[str] = mapped_column(String(16), default="open")
    reason: Mapped[str] = mapped_column(default="", server_default="")
    resolved_by: Mapped[str | None] = mapped_column(String(200))
    resolved_at: Mapped[datetime | None]
    new_decision_id: Mapped[str | None] = mapped_column(String(32))


class HoldRow(Base):
    """A legal hold: while one stands, its video is not deleted, whatever else asks for it."""

    __tablename__ = "holds"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id"), index=True)
    reason: Mapped[str]
    placed_by: Mapped[str] = mapped_column(String(200))
    placed_at: Mapped[datetime] = mapped_column(default=utcnow)
    released_by: Mapped[str | None] = mapped_column(String(200))
    released_at: Mapped[datetime | None]
