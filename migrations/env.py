"""Run by Alembic. The connection comes from ``coefvq.store.migrate``; there is no ini file."""

from __future__ import annotations

from alembic import context

from coefvq.store.tables import Base

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("Migrations run when the store is opened; use `coefvq doctor`.")

context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    transactional_ddl=True,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
