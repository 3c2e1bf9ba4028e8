"""`warraq db`."""

from pathlib import Path
from typing import Annotated

import typer

from crawler.commands import options as o
from crawler.commands.guard import guarded

app = typer.Typer(help="Set up the database and keep it up to date.", no_args_is_help=True)


@app.command()
@guarded
def upgrade(db: o.Db = None) -> None:
    """Create the tables, or bring them up to this Warraq's version.

    Example: warraq db upgrade --db postgresql://localhost/warraq
    """
    from crawler.show import say
    from pipelines.db import schema, search_index
    from pipelines.db.dedup import is_behind
    from pipelines.db.engine import open_engine, read, shown

    engine = open_engine(db, create=True)
    before = schema.standing(engine)
    if before.behind:
        schema.upgrade(engine)
        say(f"{shown(engine.url)}: from {before.current or 'nothing'} to {before.head}")
    else:
        say(f"{shown(engine.url)}: already at {before.head}")
    with read(engine) as connection:
        if is_behind(connection):
            say("some articles have no story of this version yet: run `warraq db dedup`")
        if search_index.is_behind(connection):
            say("not all articles are in the search index yet: run `warraq db reindex`")
    if not schema.has_reader(engine):
        say(
            "this user may not create the role warraq_reader, to which reading alone is granted; "
            "let an administrator run `CREATE ROLE warraq_reader NOLOGIN`, and then "
            "`warraq db upgrade` again"
        )


@app.command()
@guarded
def current(db: o.Db = None, json: o.AsJson = False) -> None:
    """Tell the database's revision, and the one that this Warraq wants.

    Example: warraq db current
    """
    from crawler.show import print_json, print_table
    from pipelines.db import schema
    from pipelines.db.engine import open_engine, shown

    engine = open_engine(db)
    state = schema.standing(engine)
    told = {"database": shown(engine.url), "revision": state.current, "wanted": state.head}
    if json:
        print_json(told)
    else:
        print_table(list(told), [list(told.values())])


@app.command()
@guarded
def check(db: o.Db = None) -> None:
    """Check that the tables are what this Warraq expects; exit with 3 if not.

    Tells as well when articles wait for `warraq db dedup` or `warraq db reindex`.

    Example: warraq db check
    """
    from crawler.show import say
    from pipelines.db import dedup, schema, search_index
    from pipelines.db.engine import open_engine, read, shown
    from pipelines.errors import DatabaseError

    engine = open_engine(db)
    schema.require(engine)
    differences = schema.differences(engine)
    if differences:
        raise DatabaseError(
            f"{shown(engine.url)} differs from what this Warraq expects: "
            + "; ".join(differences[:5])
        )
    say(f"{shown(engine.url)}: up to date, all tables as expected")
    with read(engine) as connection:
        if dedup.is_behind(connection):
            say("some articles have no story of this version yet: run `warraq db dedup`")
        if search_index.is_behind(connection):
            say("not all articles are in the search index yet: run `warraq db reindex`")


@app.command()
@guarded
def dedup(
    db: o.Db = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Make all anew, not only what is missing or outdated.")
    ] = False,
) -> None:
    """Link copies and make stories of articles that were stored by an earlier Warraq.

    Keys and fingerprints of another version are made anew from the stored texts. Killed, it goes
    on where it was.

    Example: warraq db dedup
    """
    from crawler.show import counter, say
    from pipelines.db import schema
    from pipelines.db.dedup import rebuild
    from pipelines.db.engine import open_engine, shown
    from pipelines.db.store import renew_keys

    engine = open_engine(db)
    schema.require(engine)
    with counter("keys") as progress:
        renewed = renew_keys(engine, progress)
    if renewed:
        say(f"{shown(engine.url)}: {renewed} articles have keys of this version now")
    with counter("articles") as progress:
        done = rebuild(engine, progress, everything=everything)
    say(f"{shown(engine.url)}: {done} articles compared")


@app.command()
@guarded
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy; it must not exist yet.")],
    db: o.Db = None,
) -> None:
    """Copy a SQLite database to FILE while it is in use.

    For PostgreSQL it names the command of PostgreSQL that does it. The archive's closed files
    never change: copy them with any tool.

    Example: warraq db backup backups/monday.db
    """
    from crawler.show import say
    from pipelines.db.backup import back_up
    from pipelines.db.engine import open_engine, shown

    engine = open_engine(db)
    size = back_up(engine, file)
    say(f"{shown(engine.url)}: {size:,} bytes copied to {file}")


@app.command()
@guarded
def reindex(
    db: o.Db = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Make all anew, not only what is missing or outdated.")
    ] = False,
) -> None:
    """Put articles into the search index that an earlier Warraq stored.

    Example: warraq db reindex
    """
    from crawler.show import counter, say
    from pipelines.db import schema
    from pipelines.db.engine import open_engine, shown
    from pipelines.db.search_index import rebuild

    engine = open_engine(db)
    schema.require(engine)
    with counter("articles") as progress:
        done = rebuild(engine, progress, everything=everything)
    say(f"{shown(engine.url)}: {done} articles indexed")
