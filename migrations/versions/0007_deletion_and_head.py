"""The head of the event chain; emptying of deleted videos; what the HTTP API needs.

Revision: 0007. After: 0006.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_WHEN = sa.DateTime(timezone=True)

# Of a final row, what may be emptied when its video is deleted: column -> the empty value.
_EMPTIED = {
    "assessments": {"evidence": "[]", "rationale": "null", "contributions": "{}"},
    "decisions": {"comment": "", "notice": ""},
}
_SAME = {
    "assessments": (
        "id", "video_id", "stage", "model_version", "scores", "milliseconds", "tokens_in",
        "tokens_out", "cost", "created_at",
    ),
    "decisions": (
        "id", "case_id", "verdict_id", "task", "reviewer", "role", "action", "labels", "reasons",
        "start_s", "end_s", "batch_id", "kind", "taxonomy_version", "correction", "snapshot",
        "decided_at",
    ),
}  # fmt: skip
_JSON = {
    "evidence",
    "rationale",
    "contributions",
    "scores",
    "cost",
    "labels",
    "reasons",
    "snapshot",
}


def upgrade() -> None:
    """Add the tables; let content go, and nothing else."""
    op.create_table(
        "event_head",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event_head"),
    )
    op.execute(
        "INSERT INTO event_head (id, seq, hash) "
        "SELECT 1, seq, hash FROM events ORDER BY seq DESC LIMIT 1"
    )
    op.create_table(
        "file_removals",
        sa.Column("path", sa.String(length=1024), nullable=False),
        sa.Column("asked_at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("path", name="pk_file_removals"),
    )
    _api_keys()
    _api_requests()
    _callbacks()
    op.add_column("jobs", sa.Column("due_at", _WHEN))
    for table in _EMPTIED:
        _drop_guard(table)
        _guard(table, f"NOT ({_only_emptied(table)})")


def downgrade() -> None:
    """Nothing may change again."""
    for table in _EMPTIED:
        _drop_guard(table)
        _guard(table, None)
    op.drop_column("jobs", "due_at")
    for table in ("signal_requests", "callback_deliveries", "callbacks"):
        op.drop_table(table)
    op.drop_table("api_requests")
    op.drop_table("api_keys")
    op.drop_table("file_removals")
    op.drop_table("event_head")


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("made_by", sa.String(length=200), nullable=False),
        sa.Column("made_at", _WHEN, nullable=False),
        sa.Column("expires_at", _WHEN),
        sa.Column("revoked_at", _WHEN),
        sa.Column("last_used_at", _WHEN),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("name", name="uq_api_keys_name"),
    )


def _api_requests() -> None:
    op.create_table(
        "api_requests",
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("idempotency_key", sa.String(length=128), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("key_id", "idempotency_key", name="pk_api_requests"),
    )


def _callbacks() -> None:
    op.create_table(
        "callbacks",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("video_id", sa.String(length=32), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("made_at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_callbacks"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name="fk_callbacks_video_id"),
    )
    op.create_index("ix_callbacks_video_id", "callbacks", ["video_id"])
    op.create_table(
        "callback_deliveries",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("video_id", sa.String(length=32)),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("fault", sa.String()),
        sa.Column("made_at", _WHEN, nullable=False),
        sa.Column("next_at", _WHEN, nullable=False),
        sa.Column("taken_at", _WHEN),
        sa.PrimaryKeyConstraint("id", name="pk_callback_deliveries"),
        sa.ForeignKeyConstraint(
            ["video_id"], ["videos.id"], name="fk_callback_deliveries_video_id"
        ),
    )
    op.create_index("ix_callback_deliveries_video_id", "callback_deliveries", ["video_id"])
    op.create_index(
        "ix_callback_deliveries_state_next_at", "callback_deliveries", ["state", "next_at"]
    )
    op.create_table(
        "signal_requests",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("item", sa.JSON(), nullable=False),
        sa.Column("answer", sa.JSON()),
        sa.Column("callback", sa.String(length=2000)),
        sa.Column("made_at", _WHEN, nullable=False),
        sa.Column("done_at", _WHEN),
        sa.PrimaryKeyConstraint("id", name="pk_signal_requests"),
    )
    op.create_index("ix_signal_requests_made_at", "signal_requests", ["made_at"])


def _only_emptied(table: str) -> str:
    same = [f"{_text(f'NEW.{name}', name)} {_IS} {_text(f'OLD.{name}', name)}"
            for name in _SAME[table]]  # fmt: skip
    empty = [
        f"coalesce({_text(f'NEW.{name}', name)}, '{value}') = '{value}'"
        for name, value in _EMPTIED[table].items()
    ]
    words = " AND ".join([*same, *empty])
    return words.replace(_IS, "IS NOT DISTINCT FROM" if _postgresql() else "IS")


_IS = "<is>"


def _text(value: str, name: str) -> str:
    return f"{value}::text" if _postgresql() and name in _JSON else value


def _postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _drop_guard(table: str) -> None:
    on = f" ON {table}" if _postgresql() else ""
    op.execute(f"DROP TRIGGER {table}_no_update{on}")


def _guard(table: str, when: str | None) -> None:
    head = f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}"
    condition = f" FOR EACH ROW WHEN ({when})" if when else ""
    if _postgresql():
        body = f"{condition or ' FOR EACH STATEMENT'} EXECUTE FUNCTION coefvq_refuse()"
    else:
        body = (
            f"{condition} BEGIN SELECT RAISE(ABORT, '{table}: UPDATE refused, rows are final'); END"
        )
    op.execute(head + body)
