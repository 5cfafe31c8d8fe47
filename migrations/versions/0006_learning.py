"""Data snapshots, training runs, the registry of models, gates and publications.

Revision: 0006. After: 0005.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_WHEN = sa.DateTime(timezone=True)
_FINAL = ("trained_models", "gate_reports")
"""What is never changed."""


def _dataset_snapshots() -> None:
    op.create_table(
        "dataset_snapshots",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("videos", sa.Integer(), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(), nullable=False, server_default=""),
        sa.Column("made_by", sa.String(length=200), nullable=False),
        sa.Column("made_at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dataset_snapshots"),
        sa.UniqueConstraint("number", name="uq_dataset_snapshots_number"),
    )


def _snapshot_videos() -> None:
    op.create_table(
        "snapshot_videos",
        sa.Column("snapshot_id", sa.String(length=64), nullable=False),
        sa.Column("video_id", sa.String(length=32), nullable=False),
        sa.Column("split", sa.String(length=16), nullable=False),
        sa.Column("removed_at", _WHEN),
        sa.PrimaryKeyConstraint("snapshot_id", "video_id", name="pk_snapshot_videos"),
        sa.ForeignKeyConstraint(
            ["snapshot_id"], ["dataset_snapshots.id"], name="fk_snapshot_videos_snapshot_id"
        ),
    )
    op.create_index("ix_snapshot_videos_video_id", "snapshot_videos", ["video_id"])


def _training_runs() -> None:
    op.create_table(
        "training_runs",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("snapshot_id", sa.String(length=64), nullable=False),
        sa.Column("parent", sa.String(length=200), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("cancel", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("eta_s", sa.Double()),
        sa.Column("losses", sa.JSON(), nullable=False),
        sa.Column("version", sa.String(length=200)),
        sa.Column("error_code", sa.String(length=64)),
        sa.Column("error", sa.String()),
        sa.Column("started_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", _WHEN, nullable=False),
        sa.Column("started_at", _WHEN),
        sa.Column("finished_at", _WHEN),
        sa.PrimaryKeyConstraint("id", name="pk_training_runs"),
        sa.ForeignKeyConstraint(
            ["snapshot_id"], ["dataset_snapshots.id"], name="fk_training_runs_snapshot_id"
        ),
    )
    op.create_index("ix_training_runs_stage_state", "training_runs", ["stage", "state"])


def _trained_models() -> None:
    op.create_table(
        "trained_models",
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("parent", sa.String(length=200), nullable=False),
        sa.Column("snapshot_id", sa.String(length=64)),
        sa.Column("run_id", sa.String(length=32)),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("covers", sa.JSON(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("made_by", sa.String(length=200), nullable=False),
        sa.Column("made_at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_trained_models"),
        sa.ForeignKeyConstraint(
            ["snapshot_id"], ["dataset_snapshots.id"], name="fk_trained_models_snapshot_id"
        ),
        sa.ForeignKeyConstraint(["run_id"], ["training_runs.id"], name="fk_trained_models_run_id"),
    )
    op.create_index("ix_trained_models_stage", "trained_models", ["stage"])


def _gate_reports() -> None:
    op.create_table(
        "gate_reports",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("against", sa.String(length=200), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("made_at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_gate_reports"),
        sa.ForeignKeyConstraint(
            ["version"], ["trained_models.version"], name="fk_gate_reports_version"
        ),
    )
    op.create_index("ix_gate_reports_version", "gate_reports", ["version", "id"])


def _model_publications() -> None:
    op.create_table(
        "model_publications",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("gate_id", sa.String(length=32)),
        sa.Column("routing", sa.JSON(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("published_by", sa.String(length=200), nullable=False),
        sa.Column("published_at", _WHEN, nullable=False),
        sa.Column("rollback", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("ended_at", _WHEN),
        sa.PrimaryKeyConstraint("id", name="pk_model_publications"),
        sa.ForeignKeyConstraint(
            ["gate_id"], ["gate_reports.id"], name="fk_model_publications_gate_id"
        ),
    )
    op.create_index(
        "ix_model_publications_stage_kind", "model_publications", ["stage", "kind", "id"]
    )


def _shadow_scores() -> None:
    op.create_table(
        "shadow_scores",
        sa.Column("video_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.Column("milliseconds", sa.Double(), nullable=False),
        sa.Column("at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("video_id", "version", name="pk_shadow_scores"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name="fk_shadow_scores_video_id"),
    )


_TABLES = (
    _dataset_snapshots, _snapshot_videos, _training_runs, _trained_models, _gate_reports,
    _model_publications, _shadow_scores,
)  # fmt: skip


def upgrade() -> None:
    """Add the tables."""
    for create in _TABLES:
        create()
    for table in _FINAL:
        _guard(table, "UPDATE")


def downgrade() -> None:
    """Forget all of it."""
    for create in reversed(_TABLES):
        op.drop_table(create.__name__.removeprefix("_"))


def _guard(table: str, verb: str) -> None:
    name = f"{table}_no_{verb.lower()}"
    if op.get_bind().dialect.name == "postgresql":
        body = "FOR EACH STATEMENT EXECUTE FUNCTION coefvq_refuse()"
    else:
        body = f"BEGIN SELECT RAISE(ABORT, '{table}: {verb} refused, rows are final'); END"
    op.execute(f"CREATE TRIGGER {name} BEFORE {verb} ON {table} {body}")
