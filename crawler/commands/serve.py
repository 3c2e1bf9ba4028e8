"""`warraq serve`."""

import os
import secrets
import socket
from typing import Annotated

import typer

from crawler.commands import options as o
from pipelines.errors import DatabaseError, UsageError

_SHORTEST_TOKEN = 16


def serve(
    db: o.Db = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, metavar="N", help="Port; 0: any free one.")
    ] = 8077,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            envvar="WARRAQ_TOKEN",
            metavar="TEXT",
            help="What a visitor must bear. Made up and printed if ADDRESS is not this machine's "
            "own loopback and none is given.",
        ),
    ] = None,
    sql: Annotated[
        bool, typer.Option("--sql/--no-sql", help="Whether there is a page for SQL.")
    ] = True,
    sql_db: Annotated[
        str | None,
        typer.Option(
            "--sql-db",
            envvar="WARRAQ_SQL_DB",
            metavar="URL",
            help="The same database under a PostgreSQL user who may only read, for SQL.",
        ),
    ] = None,
) -> None:
    """Show the database in a web page: search, articles with their evidence, stories, SQL.

    Answers on http://127.0.0.1:8077, to this machine alone, until you say otherwise.

    Example: warraq serve --port 8077
    """
    from crawler.show import say
    from pipelines.db.engine import database_url, open_engine, shown
    from pipelines.db.schema import require

    try:
        import uvicorn

        from crawler.web.app import Settings, make_app
        from crawler.web.guard import LOOPBACK_NAMES
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the page needs the extra: pip install 'warraq[web]' ({error})"
        ) from error

    engine = open_engine(db)
    require(engine)
    engine.dispose()
    local = host in LOOPBACK_NAMES
    if token is not None and len(token) < _SHORTEST_TOKEN:
        raise UsageError(f"a token has {_SHORTEST_TOKEN} characters or more")
    if token is None and not local:
        token = secrets.token_urlsafe(24)
    url = database_url(db).render_as_string(hide_password=False)
    settings = Settings(
        database=url,
        sql=(sql_db or url) if sql else None,
        token=token,
        hosts=LOOPBACK_NAMES if local else None,
    )
    app = make_app(settings)
    listening = _listen(host, port)
    bound = listening.getsockname()[1]
    name = f"[{host}]" if ":" in host else host
    say(f"{shown(database_url(db))} on http://{name}:{bound}/{f'?token={token}' if token else ''}")
    say("Ctrl-C ends it")
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # addresses may hold tokens and what people look for
        server_header=False,
        proxy_headers=False,
        limit_concurrency=200,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=5,
    )
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        say("ended")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        said = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise DatabaseError(
            f"{host}:{port} can't be listened on: {said}; choose another with --port"
        ) from error
