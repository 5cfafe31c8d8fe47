"""People and sign-ins, queues and notes, words and vectors to search by.

Revision: 0003. After: 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_WHEN = sa.DateTime(timezone=True)
_CASE_COLUMNS = (
    sa.Column("queue", sa.String(length=64)),
    sa.Column("top_policy", sa.String(length=64)),
    sa.Column("rule", sa.String(length=32)),
    sa.Column("due_at", _WHEN),
    sa.Column("assigned_to", sa.String(length=200)),
)
_QUEUE_INDEXES = (
    ("ix_cases_state_queue_priority", "cases", ["state", "queue", "priority"]),
    ("ix_cases_state_priority", "cases", ["state", "priority"]),
    ("ix_cases_waiting", "cases", ["state", "queue", "task", "queued_at", "due_at"]),
    ("ix_cases_state_assigned_to_priority", "cases", ["state", "assigned_to", "priority"]),
    ("ix_cases_second_look_by", "cases", ["second_look_by"]),
    ("ix_cases_video_id_state_route", "cases", ["video_id", "state", "route"]),
    ("ix_skips_reviewer", "skips", ["reviewer"]),
    ("ix_leases_kind_holder", "leases", ["kind", "holder"]),
    ("ix_leases_kind_expires_at", "leases", ["kind", "expires_at"]),
)


def _people() -> None:
    op.create_table(
        "users",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("queues", sa.JSON()),
        sa.Column("disabled", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", _WHEN),
        sa.Column("exposure_limit_s", sa.Double()),
        sa.Column("created_at", _WHEN, nullable=False),
        sa.Column("last_seen_at", _WHEN),
        sa.PrimaryKeyConstraint("name", name="pk_users"),
    )
    op.create_table(
        "sign_ins",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=64), nullable=False),
        sa.Column("created_at", _WHEN, nullable=False),
        sa.Column("last_seen_at", _WHEN, nullable=False),
        sa.Column("expires_at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_sign_ins"),
        sa.ForeignKeyConstraint(["user"], ["users.name"], name="fk_sign_ins_user"),
    )
    op.create_index("ix_sign_ins_user", "sign_ins", ["user"])
    op.create_table(
        "exposures",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("reviewer", sa.String(length=200), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_exposures"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_exposures_case_id"),
    )
    op.create_index("ix_exposures_reviewer_at", "exposures", ["reviewer", "at"])
    op.create_table(
        "preferences",
        sa.Column("reviewer", sa.String(length=200), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("saved_at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("reviewer", name="pk_preferences"),
    )
    op.create_table(
        "saved_filters",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("page", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("query", sa.String(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("created_at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_saved_filters"),
    )
    op.create_index("ix_saved_filters_owner_page", "saved_filters", ["owner", "page"])


def _queues() -> None:
    op.create_table(
        "queues",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("task", sa.String(length=64)),
        sa.Column("policies", sa.JSON(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("promised_age_s", sa.Double()),
        sa.Column("restricted", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_queues"),
    )
    op.create_table(
        "notes",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notes"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_notes_case_id"),
    )
    op.create_index("ix_notes_case_id", "notes", ["case_id"])
    for column in _CASE_COLUMNS:
        op.add_column("cases", column.copy())
    for name, table, columns in _QUEUE_INDEXES:
        op.create_index(name, table, columns)
    op.add_column("decisions", sa.Column("notice", sa.String(), nullable=False, server_default=""))
    op.add_column("decisions", sa.Column("batch_id", sa.String(length=32)))
    op.create_index("ix_decisions_batch_id", "decisions", ["batch_id"])
    op.add_column(
        "skips", sa.Column("reason", sa.String(length=200), nullable=False, server_default="")
    )


def _age(sign: int) -> None:
    """Priorities hold the age from now on: a point a day since 2026; see ``store.ageing``."""
    days = "(julianday(queued_at) - julianday('2026-01-01'))"
    if op.get_bind().dialect.name == "postgresql":
        days = "(extract(epoch FROM queued_at - timestamptz '2026-01-01 00:00:00+00') / 86400)"
    op.execute(
        f"UPDATE cases SET priority = priority - {sign} * {days} WHERE queued_at IS NOT NULL"
    )


def _search() -> None:
    op.create_table(
        "embeddings",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("sha256", "version", name="pk_embeddings"),
        sa.ForeignKeyConstraint(["sha256"], ["media.sha256"], name="fk_embeddings_sha256"),
    )
    op.create_index("ix_embeddings_version_created_at", "embeddings", ["version", "created_at"])
    op.create_table(
        "video_texts",
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=True),
        sa.Column("video_id", sa.String(length=32), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("updated_at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_video_texts"),
        sa.UniqueConstraint("video_id", name="uq_video_texts_video_id"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name="fk_video_texts_video_id"),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE INDEX ix_video_texts_words ON video_texts USING gin "
            "(to_tsvector('simple', translate(words, '._-/@+~<>&', '          ')))"
        )
        return
    op.execute(
        "CREATE VIRTUAL TABLE video_words USING fts5(words, content='video_texts', "
        "content_rowid='number', "
        "tokenize='unicode61 remove_diacritics 2', prefix='2 3')"
    )
    old = (
        "INSERT INTO video_words(video_words, rowid, words) VALUES('delete', old.number, old.words)"
    )
    new = "INSERT INTO video_words(rowid, words) VALUES (new.number, new.words)"
    for verb, steps in (("INSERT", (new,)), ("DELETE", (old,)), ("UPDATE", (old, new))):
        body = "; ".join(steps)
        op.execute(
            f"CREATE TRIGGER video_words_{verb.lower()} AFTER {verb} ON video_texts "
            f"BEGIN {body}; END"
        )


def _fill_words() -> None:
    """Titles, captions and names are searchable at once; speech and screen text come as videos
    are scored again. In the order of uploads: it is the order in which they are found."""
    words = "coalesce(title, '') || '\x1f' || coalesce(caption, '') || '\x1f' || original_name"
    op.execute(
        f"INSERT INTO video_texts (video_id, words, updated_at) "
        f"SELECT id, {words}, uploaded_at FROM videos WHERE status <> 'kept' ORDER BY id"
    )


def upgrade() -> None:
    """Add the tables and columns, and make known titles searchable."""
    _people()
    _queues()
    _age(1)
    _search()
    _fill_words()


def downgrade() -> None:
    """Forget all of it."""
    if op.get_bind().dialect.name != "postgresql":
        op.execute("DROP TABLE video_words")
    for table in ("video_texts", "embeddings", "notes", "queues", "saved_filters", "preferences",
                  "exposures", "sign_ins", "users"):  # fmt: skip
        op.drop_table(table)
    op.drop_column("skips", "reason")
    op.drop_index("ix_decisions_batch_id", "decisions")
    op.drop_column("decisions", "batch_id")
    op.drop_column("decisions", "notice")
    _age(-1)
    for index, table, _ in _QUEUE_INDEXES:
        op.drop_index(index, table)
    for column in reversed(_CASE_COLUMNS):
        op.drop_column("cases", column.name)
