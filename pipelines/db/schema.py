"""Where a database stands in the migrations' history, and how to bring it forward."""

from dataclasses import dataclass
from importlib.resources import as_file, files

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, inspect, text

from pipelines.db.engine import read, shown, usable, write
from pipelines.db.models import Base
from pipelines.errors import DatabaseError


@dataclass(frozen=True, slots=True)
class Standing:
    """`current` is None for a database without Warraq's tables."""

    current: str | None
    head: str
    empty: bool

    @property
    def behind(self) -> bool:
        return self.current != self.head


def standing(engine: Engine) -> Standing:
    """Where the database stands. Raises DatabaseError if a newer Warraq made it."""
    with usable(engine), read(engine) as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        empty = not set(inspect(connection).get_table_names()) - {"alembic_version"}
    script = ScriptDirectory.from_config(_config())
    head = script.get_current_head()
    assert head is not None, "the project ships migrations"  # noqa: S101
    if current is not None:
        try:
            script.get_revision(current)
        except CommandError:
            raise DatabaseError(
                f"{shown(engine.url)} was made by a newer Warraq (revision {current}); "
                "update Warraq to use it"
            ) from None
    return Standing(current, head, empty)


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Brings the database forward to `revision`, in one transaction."""
    with usable(engine), write(engine) as connection:
        command.upgrade(_config(connection), revision)


def has_reader(engine: Engine) -> bool:
    """Whether the role that only reads (`warraq_reader`) may read these tables; grants that if
    the role was made since. True on SQLite, which has no roles."""
    if engine.dialect.name != "postgresql":
        return True
    role = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'warraq_reader')"
    with usable(engine), write(engine) as connection:
        if not connection.execute(text(role)).scalar_one():
            return False
        connection.execute(text(_GRANT))
    return True


_GRANT = """
DO $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO warraq_reader', current_schema());
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO warraq_reader', current_schema());
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT ON TABLES'
                   ' TO warraq_reader', current_schema());
END $$
"""


def downgrade(engine: Engine, revision: str) -> None:
    """Takes the database back to `revision` ("base": no tables)."""
    with usable(engine), write(engine) as connection:
        command.downgrade(_config(connection), revision)


def require(engine: Engine, *, create: bool = False) -> None:
    """Raises DatabaseError unless the database is up to date; with `create` fills an empty one."""
    state = standing(engine)
    if state.current is None and create and state.empty:
        upgrade(engine)
    elif state.current is None:
        raise DatabaseError(
            f"{shown(engine.url)} holds no articles yet; run `warraq db upgrade` to set it up"
            if state.empty
            else f"{shown(engine.url)} holds tables of another program; name another with --db, "
            "or run `warraq db upgrade` to add Warraq's to it"
        )
    elif state.behind:
        raise DatabaseError(
            f"{shown(engine.url)} is behind this Warraq (revision {state.current}, wanted "
            f"{state.head}); run `warraq db upgrade`"
        )


def is_compared(name: str | None, kind: str, _parents: object) -> bool:
    """Whether models tell of it: they can't of the words of the search index."""
    named = name or ""
    if kind == "table":
        return not named.startswith("search_words")
    return not (kind == "column" and named == "words") and named != "ix_search_entries_words"


def differences(engine: Engine) -> list[str]:
    """What the tables lack or have beyond the models, one line each; empty when they agree."""
    with usable(engine), read(engine) as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "include_name": is_compared,
            },
        )
        return [str(entry) for entry in compare_metadata(context, Base.metadata)]


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    with as_file(files("migrations")) as folder:
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
