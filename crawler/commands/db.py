"""`warraq db`."""

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
    from pipelines.db import schema
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

    Example: warraq db check
    """
    from crawler.show import say
    from pipelines.db import schema
    from pipelines.db.engine import open_engine, shown
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


@app.command()
@guarded
def dedup(
    db: o.Db = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Make all anew, not only what is missing or outdated.")
    ] = False,
) -> None:
    """Link copies and make stories of articles that were stored by an earlier Warraq.

    Example: warraq db dedup
    """
    from crawler.show import counter, say
    from pipelines.db import schema
    from pipelines.db.dedup import rebuild
    from pipelines.db.engine import open_engine, shown

    engine = open_engine(db)
    schema.require(engine)
    with counter("articles") as progress:
        done = rebuild(engine, progress, everything=everything)
    say(f"{shown(engine.url)}: {done} articles compared")
