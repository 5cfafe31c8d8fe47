"""What the learning loop keeps: data snapshots, training runs, models, gates, publications."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, false
from sqlalchemy.orm import Mapped, mapped_column

from coefvq.store.tables.base import Base, new_id, utcnow


class SnapshotRow(Base):
    """A frozen set of labelled videos; its items lie in a file in the data folder.

    ``id`` is the SHA-256 of the items, so the same decisions give the same id. ``document``: the
    counts, the filter it was made with, seed, and versions of taxonomy and extractors.
    """

    __tablename__ = "dataset_snapshots"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)
    document: Mapped[dict[str, Any]]
    videos: Mapped[int]
    labels: Mapped[int]
    note: Mapped[str] = mapped_column(default="", server_default="")
    made_by: Mapped[str] = mapped_column(String(200))
    made_at: Mapped[datetime] = mapped_column(default=utcnow)


class SnapshotVideoRow(Base):
    """That a video is in a snapshot. ``removed_at``: it was deleted since, and is read no more."""

    __tablename__ = "snapshot_videos"

    snapshot_id: Mapped[str] = mapped_column(ForeignKey("dataset_snapshots.id"), primary_key=True)
    video_id: Mapped[str] = mapped_column(String(32), primary_key=True, index=True)
    split: Mapped[str] = mapped_column(String(16))
    removed_at: Mapped[datetime | None]


class TrainingRunRow(Base):
    """One training of one stage from a snapshot.

    ``state``: ``queued``, ``running``, ``done``, ``cancelled`` or ``failed``; a cancelled or
    failed run can be resumed. ``losses``: ``[[step, name, value], ...]``, thinned. ``eta_s``:
    seconds that remain. ``version``: the candidate that it made.
    """

    __tablename__ = "training_runs"
    __table_args__ = (Index("ix_training_runs_stage_state", "stage", "state"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    stage: Mapped[str] = mapped_column(String(16))
    snapshot_id: Mapped[str] = mapped_column(ForeignKey("dataset_snapshots.id"))
    parent: Mapped[str] = mapped_column(String(200))
    options: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(16), default="queued")
    cancel: Mapped[bool] = mapped_column(default=False, server_default=false())
    progress: Mapped[float] = mapped_column(default=0.0)
    note: Mapped[str] = mapped_column(default="")
    eta_s: Mapped[float | None]
    losses: Mapped[list[Any]]
    version: Mapped[str | None] = mapped_column(String(200))
    error_code: Mapped[str | None] = mapped_column(String(64))
    error: Mapped[str | None]
    started_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=utcnow)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class TrainedModelRow(Base):
    """A model in the registry: files by hash, and where it comes from. Never changed.

    ``files``: name to SHA-256, in ``models/<version>`` of the data folder. ``document``: metrics,
    options, code version, card.
    """

    __tablename__ = "trained_models"

    version: Mapped[str] = mapped_column(String(200), primary_key=True)
    stage: Mapped[str] = mapped_column(String(16), index=True)
    parent: Mapped[str] = mapped_column(String(200))
    snapshot_id: Mapped[str | None] = mapped_column(ForeignKey("dataset_snapshots.id"))
    run_id: Mapped[str | None] = mapped_column(ForeignKey("training_runs.id"))
    files: Mapped[dict[str, Any]]
    covers: Mapped[list[Any]]
    document: Mapped[dict[str, Any]]
    made_by: Mapped[str] = mapped_column(String(200))
    made_at: Mapped[datetime] = mapped_column(default=utcnow)


class GateReportRow(Base):
    """A candidate compared with the model in force. Never changed; the newest one counts."""

    __tablename__ = "gate_reports"
    __table_args__ = (Index("ix_gate_reports_version", "version", "id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    version: Mapped[str] = mapped_column(ForeignKey("trained_models.version"))
    against: Mapped[str] = mapped_column(String(200))
    passed: Mapped[bool]
    document: Mapped[dict[str, Any]]
    made_at: Mapped[datetime] = mapped_column(default=utcnow)


class ModelPublicationRow(Base):
    """When a model came into force for a stage, or into its shadow; the newest of a kind counts.

    ``kind``: ``live`` or ``shadow``; a shadow ends at ``ended_at``. ``routing``: by task, the
    routing policy that was published in the same step. ``before``: what was in force, by stage
    and task, so that one step back restores all of it.
    """

    __tablename__ = "model_publications"
    __table_args__ = (Index("ix_model_publications_stage_kind", "stage", "kind", "id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    stage: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(16))
    version: Mapped[str] = mapped_column(String(200))
    gate_id: Mapped[str | None] = mapped_column(ForeignKey("gate_reports.id"))
    routing: Mapped[dict[str, Any]]
    before: Mapped[dict[str, Any]]
    note: Mapped[str]
    published_by: Mapped[str] = mapped_column(String(200))
    published_at: Mapped[datetime] = mapped_column(default=utcnow)
    rollback: Mapped[bool] = mapped_column(default=False, server_default=false())
    ended_at: Mapped[datetime | None]


class ShadowScoreRow(Base):
    """What a model in the shadow said of a video, beside the one in force."""

    __tablename__ = "shadow_scores"

    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id"), primary_key=True)
    version: Mapped[str] = mapped_column(String(200), primary_key=True)
    scores: Mapped[dict[str, Any]]
    milliseconds: Mapped[float]
    at: Mapped[datetime] = mapped_column(default=utcnow)
