"""Where a database stands in the migrations' history, and how to bring it forward."""

from dataclasses import dataclass
from importlib.resources import as_file, files

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, inspect

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


def differences(engine: Engine) -> list[str]:
    """What the tables lack or have beyond the models, one line each; empty when they agree."""
    with usable(engine), read(engine) as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        return [str(entry) for entry in compare_metadata(context, Base.metadata)]


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    with as_file(files("migrations")) as folder:
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
