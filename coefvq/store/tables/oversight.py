"""What leads watch and change: taxonomies, figures, alarms, trials of routing, views."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from coefvq.store.tables.base import Base, new_id, utcnow


class TaxonomyRow(Base):
    """A version of tasks, policies and actions. The highest number is in force; append-only.

    ``document``: ``{"tasks": [...], "actions": [...]}`` in the form of the packaged YAML files.
    """

    __tablename__ = "taxonomies"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[str] = mapped_column(String(64), unique=True)
    document: Mapped[dict[str, Any]]
    note: Mapped[str]
    published_by: Mapped[str] = mapped_column(String(200))
    published_at: Mapped[datetime] = mapped_column(default=utcnow)


class FigureRow(Base):
    """A figure that was computed ahead, as JSON; one a name and task (``""``: over all)."""

    __tablename__ = "figures"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    task: Mapped[str] = mapped_column(String(64), primary_key=True)
    document: Mapped[dict[str, Any]]
    computed_at: Mapped[datetime] = mapped_column(default=utcnow)


class AlarmRow(Base):
    """Something a lead should know. One row from the moment it holds until it is over.

    ``kind`` and ``subject`` name it (``drift``/``icd``, ``queue_age``/``urgent``); ``data`` holds
    the measured value and its limit.
    """

    __tablename__ = "alarms"
    __table_args__ = (Index("ix_alarms_cleared_at", "cleared_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(200))
    severity: Mapped[str] = mapped_column(String(16))
    message: Mapped[str]
    data: Mapped[dict[str, Any]]
    raised_at: Mapped[datetime] = mapped_column(default=utcnow)
    seen_at: Mapped[datetime] = mapped_column(default=utcnow)
    cleared_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None] = mapped_column(String(200))
    acknowledged_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]


class TrialRow(Base):
    """A second routing policy beside the one in force: in its shadow, or on a share of uploads.

    ``kind``: ``shadow`` (it decides nothing, what it would have done is kept) or ``split`` (it
    decides for ``share`` of the uploaders). At most one of each kind runs for a task.
    """

    __tablename__ = "trials"
    __table_args__ = (Index("ix_trials_task_ended_at", "task", "ended_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(16))
    task: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(ForeignKey("routing_policies.version"))
    against: Mapped[str] = mapped_column(String(64))
    share: Mapped[float]
    note: Mapped[str]
    started_by: Mapped[str] = mapped_column(String(200))
    started_at: Mapped[datetime] = mapped_column(default=utcnow)
    ended_by: Mapped[str | None] = mapped_column(String(200))
    ended_at: Mapped[datetime | None]


class ShadowRouteRow(Base):
    """Where the shadow of a trial would have sent a case."""

    __tablename__ = "shadow_routes"

    verdict_id: Mapped[str] = mapped_column(ForeignKey("verdicts.id"), primary_key=True)
    trial_id: Mapped[str] = mapped_column(ForeignKey("trials.id"), primary_key=True, index=True)
    route: Mapped[dict[str, Any]]


class ViewsRow(Base):
    """How often a video was seen on the platform, as it last told us."""

    __tablename__ = "views"

    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id"), primary_key=True)
    views: Mapped[int] = mapped_column(BigInteger)
    reported_at: Mapped[datetime] = mapped_column(default=utcnow)
