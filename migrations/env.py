"""How alembic reaches the database and the models."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import JSON, Connection

from pipelines.db.engine import open_engine
from pipelines.db.models import Base, UtcDateTime
from pipelines.db.schema import is_compared


def render_item(kind: str, item: Any, autogen: Any) -> str | Literal[False]:
    """Migrations spell types out: our own may change, an old step must not."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, JSON):
        autogen.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_server_default=True,
        include_name=is_compared,
        render_item=render_item,
        # SQLite can't alter a table: alembic copies it to a new one instead.
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("migrations run against a database: set WARRAQ_DB and leave --sql out")

given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:  # the `alembic` command itself
    with open_engine(None, create=True).connect() as own:
        run(own)
