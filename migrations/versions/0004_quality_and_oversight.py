"""Independent looks, golden cases, appeals, holds; taxonomies, figures, alarms, trials.

Revision: 0004. After: 0003.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_WHEN = sa.DateTime(timezone=True)
_FINAL = {"taxonomies": ("UPDATE", "DELETE"), "notes": ("UPDATE",)}
"""What is never changed. Notes go when a video is deleted."""


def _golden() -> None:
    op.create_table(
        "golden",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("start_s", sa.Double()),
        sa.Column("end_s", sa.Double()),
        sa.Column("note", sa.String(), nullable=False, server_default=""),
        sa.Column("added_by", sa.String(length=200), nullable=False),
        sa.Column("added_at", _WHEN, nullable=False),
        sa.Column("retired_at", _WHEN),
        sa.PrimaryKeyConstraint("id", name="pk_golden"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_golden_case_id"),
    )
    op.create_index("ix_golden_case_id", "golden", ["case_id"])


def _looks() -> None:
    op.create_table(
        "looks",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("task", sa.String(length=64), nullable=False),
        sa.Column("golden_id", sa.String(length=32)),
        sa.Column("decision_id", sa.String(length=32)),
        sa.Column("decided_by", sa.String(length=200)),
        sa.Column("reviewer", sa.String(length=200)),
        sa.Column("labels", sa.JSON()),
        sa.Column("reasons", sa.JSON()),
        sa.Column("action", sa.String(length=32), nullable=False, server_default=""),
        sa.Column("comment", sa.String(), nullable=False, server_default=""),
        sa.Column("start_s", sa.Double()),
        sa.Column("end_s", sa.Double()),
        sa.Column("draft", sa.JSON()),
        sa.Column("asked_at", _WHEN, nullable=False),
        sa.Column("answered_at", _WHEN),
        sa.Column("settled_at", _WHEN),
        sa.Column("settled_by", sa.String(length=200)),
        sa.PrimaryKeyConstraint("id", name="pk_looks"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_looks_case_id"),
        sa.ForeignKeyConstraint(["golden_id"], ["golden.id"], name="fk_looks_golden_id"),
        sa.ForeignKeyConstraint(["decision_id"], ["decisions.id"], name="fk_looks_decision_id"),
    )
    op.create_index("ix_looks_case_id", "looks", ["case_id"])
    op.create_index("ix_looks_golden_id", "looks", ["golden_id"])
    op.create_index("ix_looks_waiting", "looks", ["kind", "state", "asked_at", "decided_by"])
    op.create_index("ix_looks_reviewer_answered_at", "looks", ["reviewer", "answered_at"])


def _first_answers() -> None:
    op.create_table(
        "first_answers",
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("reviewer", sa.String(length=200), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("verdict_id", sa.String(length=32)),
        sa.Column("at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("case_id", "reviewer", name="pk_first_answers"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_first_answers_case_id"),
    )


def _appeals() -> None:
    op.create_table(
        "appeals",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("decision_id", sa.String(length=32), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("filed_by", sa.String(length=200), nullable=False),
        sa.Column("filed_at", _WHEN, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(), nullable=False, server_default=""),
        sa.Column("resolved_by", sa.String(length=200)),
        sa.Column("resolved_at", _WHEN),
        sa.Column("new_decision_id", sa.String(length=32)),
        sa.PrimaryKeyConstraint("id", name="pk_appeals"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_appeals_case_id"),
        sa.ForeignKeyConstraint(["decision_id"], ["decisions.id"], name="fk_appeals_decision_id"),
    )
    op.create_index("ix_appeals_case_id", "appeals", ["case_id"])
    op.create_index("ix_appeals_state_filed_at", "appeals", ["state", "filed_at"])


def _holds() -> None:
    op.create_table(
        "holds",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("video_id", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("placed_by", sa.String(length=200), nullable=False),
        sa.Column("placed_at", _WHEN, nullable=False),
        sa.Column("released_by", sa.String(length=200)),
        sa.Column("released_at", _WHEN),
        sa.PrimaryKeyConstraint("id", name="pk_holds"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name="fk_holds_video_id"),
    )
    op.create_index("ix_holds_video_id", "holds", ["video_id"])


def _taxonomies() -> None:
    op.create_table(
        "taxonomies",
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("published_by", sa.String(length=200), nullable=False),
        sa.Column("published_at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_taxonomies"),
        sa.UniqueConstraint("version", name="uq_taxonomies_version"),
    )


def _figures() -> None:
    op.create_table(
        "figures",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("task", sa.String(length=64), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("computed_at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("name", "task", name="pk_figures"),
    )


def _alarms() -> None:
    op.create_table(
        "alarms",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("raised_at", _WHEN, nullable=False),
        sa.Column("seen_at", _WHEN, nullable=False),
        sa.Column("cleared_at", _WHEN),
        sa.Column("acknowledged_by", sa.String(length=200)),
        sa.Column("acknowledged_at", _WHEN),
        sa.Column("sent_at", _WHEN),
        sa.PrimaryKeyConstraint("id", name="pk_alarms"),
    )
    op.create_index("ix_alarms_cleared_at", "alarms", ["cleared_at"])


def _trials() -> None:
    op.create_table(
        "trials",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("task", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("against", sa.String(length=64), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("started_by", sa.String(length=200), nullable=False),
        sa.Column("started_at", _WHEN, nullable=False),
        sa.Column("ended_by", sa.String(length=200)),
        sa.Column("ended_at", _WHEN),
        sa.PrimaryKeyConstraint("id", name="pk_trials"),
        sa.ForeignKeyConstraint(
            ["version"], ["routing_policies.version"], name="fk_trials_version"
        ),
    )
    op.create_index("ix_trials_task_ended_at", "trials", ["task", "ended_at"])


def _shadow_routes() -> None:
    op.create_table(
        "shadow_routes",
        sa.Column("verdict_id", sa.String(length=32), nullable=False),
        sa.Column("trial_id", sa.String(length=32), nullable=False),
        sa.Column("route", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("verdict_id", "trial_id", name="pk_shadow_routes"),
        sa.ForeignKeyConstraint(
            ["verdict_id"], ["verdicts.id"], name="fk_shadow_routes_verdict_id"
        ),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.id"], name="fk_shadow_routes_trial_id"),
    )
    op.create_index("ix_shadow_routes_trial_id", "shadow_routes", ["trial_id"])


def _views() -> None:
    op.create_table(
        "views",
        sa.Column("video_id", sa.String(length=32), nullable=False),
        sa.Column("views", sa.BigInteger(), nullable=False),
        sa.Column("reported_at", _WHEN, nullable=False),
        sa.PrimaryKeyConstraint("video_id", name="pk_views"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name="fk_views_video_id"),
    )


_TABLES = (
    _golden,
    _looks,
    _first_answers,
    _appeals,
    _holds,
    _taxonomies,
    _figures,
    _alarms,
    _trials,
    _shadow_routes,
    _views,
)


def _guard(table: str, verb: str) -> None:
    name = f"{table}_no_{verb.lower()}"
    if op.get_bind().dialect.name == "postgresql":
        body = "FOR EACH STATEMENT EXECUTE FUNCTION coefvq_refuse()"
    else:
        body = f"BEGIN SELECT RAISE(ABORT, '{table}: {verb} refused, rows are final'); END"
    op.execute(f"CREATE TRIGGER {name} BEFORE {verb} ON {table} {body}")


def _drop_guard(table: str, verb: str) -> None:
    on = f" ON {table}" if op.get_bind().dialect.name == "postgresql" else ""
    op.execute(f"DROP TRIGGER {table}_no_{verb.lower()}{on}")


def upgrade() -> None:
    """Add the tables, what decisions say of themselves, and the guards."""
    for create in _TABLES:
        create()
    kind = sa.Column("kind", sa.String(length=16), nullable=False, server_default="review")
    op.add_column("decisions", kind)
    op.add_column("decisions", sa.Column("taxonomy_version", sa.String(length=64)))
    op.create_index("ix_decisions_decided_at", "decisions", ["decided_at"])
    for table, verbs in _FINAL.items():
        for verb in verbs:
            _guard(table, verb)


def downgrade() -> None:
    """Forget all of it."""
    for verb in _FINAL["notes"]:
        _drop_guard("notes", verb)
    op.drop_index("ix_decisions_decided_at", "decisions")
    op.drop_column("decisions", "taxonomy_version")
    op.drop_column("decisions", "kind")
    for create in reversed(_TABLES):
        op.drop_table(create.__name__.removeprefix("_"))
