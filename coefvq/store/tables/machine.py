"""What machines said: assessments, verdicts, and the versions that made them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, false
from sqlalchemy.orm import Mapped, mapped_column

from coefvq.store.tables.base import Base, new_id, utcnow


class AssessmentRow(Base):
    """One stage's answer on one video. Never changed: a new answer is a new row."""

    __tablename__ = "assessments"
    __table_args__ = (Index("ix_assessments_video_id_stage", "video_id", "stage"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id"))
    stage: Mapped[str] = mapped_column(String(16))
    model_version: Mapped[str]
    scores: Mapped[dict[str, Any]]
    evidence: Mapped[list[Any]]
    rationale: Mapped[dict[str, Any] | None]
    contributions: Mapped[dict[str, Any]]
    milliseconds: Mapped[float]
    tokens_in: Mapped[int]
    tokens_out: Mapped[int]
    cost: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class VerdictRow(Base):
    """The machine's answer on a case and the route it led to. Never changed.

    Its id names everything a reviewer sees: both assessments, thresholds and versions.
    """

    __tablename__ = "verdicts"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), index=True)
    prefilter_id: Mapped[str] = mapped_column(ForeignKey("assessments.id"))
    mllm_id: Mapped[str | None] = mapped_column(ForeignKey("assessments.id"))
    expensive_extractor: Mapped[str | None]
    verdict: Mapped[str] = mapped_column(String(16))
    probability: Mapped[float | None]
    policies: Mapped[dict[str, Any]]
    route: Mapped[dict[str, Any]]
    first_route: Mapped[dict[str, Any] | None]
    models: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class RoutingPolicyRow(Base):
    """A versioned, immutable set of rule, thresholds and budget."""

    __tablename__ = "routing_policies"

    version: Mapped[str] = mapped_column(String(64), primary_key=True)
    rule: Mapped[str] = mapped_column(String(32))
    document: Mapped[dict[str, Any]]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class RoutingPublicationRow(Base):
    """When a routing policy came into force for a task; the last one counts.

    ``rollback`` marks the ways back: such a row takes the version before it out of force.
    """

    __tablename__ = "routing_publications"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    task: Mapped[str] = mapped_column(String(64), index=True)
    version: Mapped[str] = mapped_column(ForeignKey("routing_policies.version"))
    note: Mapped[str]
    published_by: Mapped[str]
    published_at: Mapped[datetime] = mapped_column(default=utcnow)
    rollback: Mapped[bool] = mapped_column(default=False, server_default=false())


class RoutingStateRow(Base):
    """What routing remembers between videos: one JSON object a subject; see ``routing_state``."""

    __tablename__ = "routing_state"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    subject: Mapped[str] = mapped_column(String(160), primary_key=True)
    state: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime] = mapped_column(default=utcnow)


class ModelVersionRow(Base):
    """A model that has answered at least once."""

    __tablename__ = "model_versions"

    version: Mapped[str] = mapped_column(String(200), primary_key=True)
    stage: Mapped[str] = mapped_column(String(16))
    covers: Mapped[list[Any]]
    first_used_at: Mapped[datetime] = mapped_column(default=utcnow)
