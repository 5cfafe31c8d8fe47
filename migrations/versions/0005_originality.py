"""Originals with their fingerprints, matches found, people's answers on them.

Revision: 0005. After: 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_WHEN = sa.DateTime(timezone=True)


def _originals() -> None:
    op.create_table(
        "originals",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=True),
        sa.Column("bank", sa.String(length=64), nullable=False),
        sa.Column("reference", sa.String(length=1024), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("video_id", sa.String(length=32)),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("duration_s", sa.Double(), nullable=False),
        sa.Column("added_by", sa.String(length=200), nullable=False),
        sa.Column("added_at", _WHEN, nullable=False),
        sa.Column("removed_at", _WHEN),
        sa.PrimaryKeyConstraint("id", name="pk_originals"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name="fk_originals_video_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_originals_bank_reference", "originals", ["bank", "reference"])
    op.create_index("ix_originals_sha256", "originals", ["sha256"])
    op.create_index("ix_originals_video_id", "originals", ["video_id"])


def _copy_matches() -> None:
    op.create_table(
        "copy_matches",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("video_id", sa.String(length=32), nullable=False),
        sa.Column("original_id", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("spans", sa.JSON(), nullable=False),
        sa.Column("transform", sa.JSON(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("found_at", _WHEN, nullable=False),
        sa.Column("replaced_at", _WHEN),
        sa.PrimaryKeyConstraint("id", name="pk_copy_matches"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name="fk_copy_matches_video_id"),
        sa.ForeignKeyConstraint(
            ["original_id"], ["originals.id"], name="fk_copy_matches_original_id"
        ),
    )
    op.create_index("ix_copy_matches_video_id", "copy_matches", ["video_id", "replaced_at"])
    op.create_index("ix_copy_matches_original_id", "copy_matches", ["original_id"])


def _copy_answers() -> None:
    op.create_table(
        "copy_answers",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("match_id", sa.String(length=32), nullable=False),
        sa.Column("query_sha256", sa.String(length=64), nullable=False),
        sa.Column("reference_sha256", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.String(length=16), nullable=False),
        sa.Column("note", sa.String(), nullable=False, server_default=""),
        sa.Column("reviewer", sa.String(length=200), nullable=False),
        sa.Column("answered_at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_copy_answers"),
        sa.ForeignKeyConstraint(["match_id"], ["copy_matches.id"], name="fk_copy_answers_match_id"),
    )
    op.create_index("ix_copy_answers_match_id", "copy_answers", ["match_id"])
    op.create_index("ix_copy_answers_pair", "copy_answers", ["query_sha256", "reference_sha256"])


def _copy_searches() -> None:
    op.create_table(
        "copy_searches",
        sa.Column("video_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("failed", sa.String(length=64)),
        sa.Column("searched_at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("video_id", name="pk_copy_searches"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name="fk_copy_searches_video_id"),
    )


_TABLES = (_originals, _copy_matches, _copy_answers, _copy_searches)


def upgrade() -> None:
    """Add the tables."""
    for create in _TABLES:
        create()
    _guard("copy_answers", "UPDATE")


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
