"""What is to be done: cases for people, jobs for workers, and leases on both."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from coefvq.store.tables.base import Base, new_id, utcnow


class CaseState(StrEnum):
    """Where a case is. ``AUTO``: the machine decided; it can still be opened."""

    PENDING = "pending"
    QUEUED = "queued"
    AUTO = "auto"
    DECIDED = "decided"
    SET_ASIDE = "set_aside"


class JobState(StrEnum):
    """Where a job is. ``SET_ASIDE``: it failed for good and says why."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    SET_ASIDE = "set_aside"


class JobKind(StrEnum):
    """What a worker can do."""

    INGEST = "ingest"
    SCORE = "score"
    EXPLAIN = "explain"
    FINGERPRINT = "fingerprint"
    FIGURES = "figures"
    EXPORT = "export"
    IMPORT = "import"
    TRAIN = "train"
    GATE = "gate"
    SIGNALS = "signals"
    CALLBACK = "callback"


class CaseRow(Base):
    """A video under review for one task.

    ``verdict`` to ``audit`` repeat the newest verdict, so that lists need no join. ``queue``,
    ``due_at``, ``rule`` and ``priority`` (see ``store.ageing``) are stamped when the case is
    enqueued; ``top_policy`` is the likeliest one.
    """

    __tablename__ = "cases"
    __table_args__ = (
        UniqueConstraint("video_id", "task"),
        Index("ix_cases_state_task_priority", "state", "task", "priority"),
        Index("ix_cases_state_queue_priority", "state", "queue", "priority"),
        Index("ix_cases_video_id_state_route", "video_id", "state", "route"),
        Index("ix_cases_state_assigned_to_priority", "state", "assigned_to", "priority"),
        Index("ix_cases_state_priority", "state", "priority"),
        Index("ix_cases_waiting", "state", "queue", "task", "queued_at", "due_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id"))
    task: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), default=CaseState.PENDING.value)
    verdict_id: Mapped[str | None] = mapped_column(String(32))
    verdict: Mapped[str | None] = mapped_column(String(16))
    probability: Mapped[float | None]
    route: Mapped[str | None] = mapped_column(String(16))
    routing_version: Mapped[str | None]
    audit: Mapped[bool] = mapped_column(default=False)
    priority: Mapped[float] = mapped_column(default=0.0)
    queue: Mapped[str | None] = mapped_column(String(64))
    top_policy: Mapped[str | None] = mapped_column(String(64))
    rule: Mapped[str | None] = mapped_column(String(32))
    due_at: Mapped[datetime | None]
    assigned_to: Mapped[str | None] = mapped_column(String(200))
    second_look: Mapped[bool] = mapped_column(default=False)
    second_look_by: Mapped[str | None] = mapped_column(index=True)
    decision_id: Mapped[str | None] = mapped_column(String(32))
    queued_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    updated_at: Mapped[datetime] = mapped_column(default=utcnow)


class JobRow(Base):
    """Work for a worker. ``progress`` is 0..1, ``note`` one line for people.

    ``due_at``: nobody takes it before; ``None``: at once.
    """

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_state_priority_id", "state", "priority", "id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(32))
    video_id: Mapped[str | None] = mapped_column(ForeignKey("videos.id"), index=True)
    case_id: Mapped[str | None] = mapped_column(ForeignKey("cases.id"), index=True)
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(16), default=JobState.QUEUED.value)
    priority: Mapped[int] = mapped_column(default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    error_code: Mapped[str | None]
    error: Mapped[str | None]
    progress: Mapped[float] = mapped_column(default=0.0)
    note: Mapped[str] = mapped_column(default="")
    due_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class LeaseRow(Base):
    """The right to work on one case or job until a time.

    The row stays when the lease ends, because ``token`` may only grow.
    """

    __tablename__ = "leases"
    __table_args__ = (
        Index("ix_leases_kind_holder", "kind", "holder"),
        Index("ix_leases_kind_expires_at", "kind", "expires_at"),
    )

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    subject_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    holder: Mapped[str | None]
    token: Mapped[int]
    expires_at: Mapped[datetime | None]
