"""The application: routes for people (pages) and for programs (`/api`), thin over the queries.

Routes are plain functions: FastAPI runs them in threads, where the database may be waited for.
"""

import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from importlib.metadata import version
from importlib.resources import files
from itertools import groupby
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, FastAPI, HTTPException, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import (
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import BeforeValidator
from sqlalchemy import Engine
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.exceptions import HTTPException as StarletteError

from crawler.web import api
from crawler.web import words as w
from crawler.web.guard import Guard
from pipelines.db import ask as asking
from pipelines.db import browse
from pipelines.db import search as searching
from pipelines.db.engine import explain, open_reader, read
from pipelines.errors import DatabaseError, QueryError, UserError

log = logging.getLogger("warraq.web")

#: Hits on a page, and in an answer of the API.
PAGE = 20
_AT_MOST = 100
#: The search reaches no further.
_LAST = searching.MOST - _AT_MOST
#: A text is shown up to so many characters; the API gives all of it.
_SHOWN = 200_000
#: SQL on the page, and in downloads and the API.
_SQL_PAGE = asking.Limits(rows=200, size=1_000_000)
_SQL_API = asking.Limits(rows=1_000, size=5_000_000)
_SQL_FILE = asking.Limits(seconds=20.0, rows=100_000, size=50_000_000)
_LARGEST_ID = 2**63 - 1
_YEAR = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server is set up. `sql` is the database that the SQL page asks, None: it has none."""

    database: str
    sql: str | None
    token: str | None = None
    hosts: frozenset[str] | None = None
    seconds: float = 10.0


def make_app(settings: Settings) -> Guard:
    """The whole application behind its guard.

    Raises DatabaseError if the database can't be used.
    """
    engine = open_reader(settings.database, settings.seconds)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        engine.dispose()

    app = FastAPI(
        title="Warraq",
        version=version("warraq"),
        summary="Search and read articles, stories and their evidence; ask in SQL.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.mount("/static", StaticFiles(directory=str(files("crawler.web") / "static")), "static")
    _add_api(app, engine, settings)
    _add_pages(app, engine, settings)
    _add_errors(app, engine)
    return Guard(app, token=settings.token, hosts=settings.hosts)


def _iso_day(said: str) -> str:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", said):
        raise ValueError("a day is written as 2024-05-03")
    return said


Day = Annotated[date, BeforeValidator(_iso_day)]  # not a number of seconds either
Number = Annotated[int, Path(ge=1, le=_LARGEST_ID)]
Words = Annotated[str, Query(max_length=1000)]
Choices = Annotated[list[str], Query(max_length=20)]


# --- for programs ----------------------------------------------------------------------------


def _add_api(app: FastAPI, engine: Engine, settings: Settings) -> None:
    refusals: dict[int | str, dict[str, Any]] = {
        400: {"model": api.Problem, "description": "The request can't be understood"},
        404: {"model": api.Problem, "description": "There is no such thing"},
        503: {"model": api.Problem, "description": "The database does not answer in time"},
    }

    @app.get("/health", tags=["server"])
    def health() -> api.Alive:
        """Whether the server and its database answer."""
        with read(engine) as connection:
            connection.exec_driver_sql("SELECT 1")
        return api.Alive(status="ok")

    @app.get("/api/search", tags=["articles"], responses=refusals)
    def search(
        q: Words = "",
        source: Choices = [],  # noqa: B006 - FastAPI copies it
        agency: Choices = [],  # noqa: B006
        language: Choices = [],  # noqa: B006
        since: Day | None = None,
        until: Day | None = None,
        story: Annotated[int | None, Query(ge=1, le=_LARGEST_ID)] = None,
        sort: searching.Sort = searching.Sort.RELEVANCE,
        one_a_story: bool = False,
        limit: Annotated[int, Query(ge=1, le=_AT_MOST)] = PAGE,
        offset: Annotated[int, Query(ge=0, le=_LAST)] = 0,
    ) -> api.Found:
        """Articles that have the words, with counts by source, agency and language."""
        asked = searching.Query(
            text=q,
            sources=tuple(source),
            agencies=tuple(agency),
            languages=tuple(language),
            since=since,
            until=until,
            story=story,
            sort=sort,
            one_a_story=one_a_story,
            limit=limit,
            offset=offset,
        )
        with read(engine) as connection:
            return api.found(searching.search(connection, asked, seconds=settings.seconds))

    @app.get("/api/articles/{number}", tags=["articles"], responses=refusals)
    def article(number: Number) -> api.Article:
        """An article with its evidence, removed lines, earlier versions and copies."""
        with read(engine) as connection:
            one = browse.article(connection, number)
        if one is None:
            raise HTTPException(404, f"there is no article {number}")
        return api.Article.model_validate(one)

    @app.get("/api/stories/{number}", tags=["stories"], responses=refusals)
    def story(number: Number) -> api.Story:
        """A story: the articles that tell it, the earliest first, and how each differs."""
        with read(engine) as connection:
            one = browse.story(connection, number)
        if one is None:
            raise HTTPException(404, f"there is no story {number}")
        return api.Story.model_validate(one)

    @app.get("/api/sources", tags=["sources"], responses=refusals)
    def sources() -> list[api.Source]:
        """All sources with counts and dates."""
        with read(engine) as connection:
            return [api.Source.model_validate(one) for one in browse.sources(connection)]

    @app.post(
        "/api/sql",
        tags=["sql"],
        responses={**refusals, 403: {"model": api.Problem, "description": "Switched off"}},
        response_model=api.Rows,
    )
    def sql(question: api.Question) -> Response:
        """The rows of one SELECT; `cut` tells that there were more."""
        limits = replace(_SQL_API, rows=question.limit)
        answer = asking.ask(_sql_database(settings), question.query, "json", limits)
        with answer.file:
            return Response(answer.file.read(), media_type="application/json")


def _sql_database(settings: Settings) -> str:
    if settings.sql is None:
        raise HTTPException(403, "this server's SQL page is switched off")
    return settings.sql


# --- for people ------------------------------------------------------------------------------


def _add_pages(app: FastAPI, engine: Engine, settings: Settings) -> None:
    def page(path: str) -> Callable[..., Any]:
        return app.get(path, response_class=HTMLResponse, include_in_schema=False)

    @page("/")
    def home(request: Request) -> HTMLResponse:
        filters = Filters.of(request.query_params)
        found = totals = None
        try:
            asked = filters.query()
            with read(engine) as connection:
                found = searching.search(connection, asked, seconds=settings.seconds)
                if filters.is_empty:
                    totals = browse.totals(connection)
        except QueryError as error:
            problem = str(error)
            return _page(request, "search.html", 400, filters=filters, found=None, problem=problem)
        last = min(-(-found.total // PAGE), searching.MOST // PAGE)
        return _page(
            request,
            "search.html",
            filters=filters,
            found=found,
            totals=totals,
            last=last,
            problem=None,
        )

    @page("/articles/{number}")
    def article(request: Request, number: Number) -> HTMLResponse:
        compared = _number(request, "other"), _number(request, "version")
        with read(engine) as connection:
            one = browse.article(connection, number)
            if one is None:
                raise HTTPException(404)
            changes = None
            if compared[1] is not None:
                changes = browse.changes_since(connection, number, compared[1])
            elif compared[0] is not None:
                changes = browse.changes_between(connection, compared[0], number)
            if compared != (None, None) and changes is None:
                raise HTTPException(404)
        blocks, cut = _shown(one["blocks"])
        return _page(
            request,
            "article.html",
            article=one,
            blocks=blocks,
            cut=cut,
            changes=changes,
            compared_to=compared[0],
            since_version=compared[1],
        )

    @page("/stories")
    def stories(request: Request) -> HTMLResponse:
        at = min(_number(request, "page") or 1, 500)
        with read(engine) as connection:
            found = browse.stories(connection, PAGE + 1, (at - 1) * PAGE)
        return _page(request, "stories.html", stories=found[:PAGE], at=at, more=len(found) > PAGE)

    @page("/stories/{number}")
    def story(request: Request, number: Number) -> HTMLResponse:
        with read(engine) as connection:
            one = browse.story(connection, number)
        if one is None:
            raise HTTPException(404)
        return _page(request, "story.html", story=one)

    @page("/sources")
    def sources(request: Request) -> HTMLResponse:
        with read(engine) as connection:
            return _page(
                request,
                "sources.html",
                sources=browse.sources(connection),
                health=browse.health(connection),
            )

    def sql_page(request: Request, query: str, status: int = 200, **told: Any) -> HTMLResponse:
        with read(engine) as connection:
            tables = browse.schema(connection)
        told = {"answer": None, "problem": None} | told
        off = settings.sql is None
        return _page(request, "sql.html", status, query=query, tables=tables, off=off, **told)

    @page("/sql")
    def sql(request: Request) -> HTMLResponse:
        # A query in the address is shown, not run: a link elsewhere must not make us work.
        return sql_page(request, request.query_params.get("q", "")[:10_000])

    @app.post("/sql", response_class=HTMLResponse, include_in_schema=False)
    def run_sql(request: Request, fields: Annotated[dict[str, str], Depends(_form)]) -> Response:
        database = _sql_database(settings)
        query, form = fields.get("query", ""), fields.get("form", "page")
        try:
            if form in ("csv", "json"):
                return _download(database, query, form)
            answer = asking.ask(database, query, "json", _SQL_PAGE).parsed()
            return sql_page(request, query, answer=answer)
        except UserError as error:
            status = 400 if isinstance(error, QueryError) else 503
            return sql_page(request, query, status, problem=str(error))

    @page("/language/{language}")
    def language(request: Request, language: str) -> Response:
        """Keeps the choice in a cookie and goes back to where it was made."""
        if language not in w.LANGUAGES:
            raise HTTPException(404)
        back = request.query_params.get("back", "/")
        # A path of ours: "//" or a backslash would lead elsewhere.
        if not back.startswith("/") or back.startswith("//") or "\\" in back:
            back = "/"
        answer = RedirectResponse(back, 303)
        answer.set_cookie("language", language, max_age=_YEAR, samesite="lax", httponly=True)
        return answer


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form that was sent, the last of each name."""
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return dict(parse_qsl(body, keep_blank_values=True, max_num_fields=20))
    except ValueError:
        raise HTTPException(400) from None


def _download(database: str, query: str, form: str) -> Response:
    answer = asking.ask(database, query, form, _SQL_FILE)
    name = f"answer-first-{answer.rows}-rows" if answer.cut else "answer"

    def chunks() -> Iterator[bytes]:
        with answer.file:
            while chunk := answer.file.read(1 << 16):
                yield chunk

    return StreamingResponse(
        chunks(),
        media_type="text/csv" if form == "csv" else "application/json",
        headers={
            "content-disposition": f'attachment; filename="{name}.{form}"',
            "warraq-cut": json.dumps(answer.cut),
        },
    )


@dataclass(frozen=True, slots=True)
class Filters:
    """What the search form holds, as typed; `query` reads it."""

    q: str = ""
    source: tuple[str, ...] = ()
    agency: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    story: str = ""
    sort: str = ""
    one: bool = False
    page: int = 1

    @classmethod
    def of(cls, params: Any) -> "Filters":
        def many(name: str) -> tuple[str, ...]:
            return tuple(dict.fromkeys(v[:255] for v in params.getlist(name) if v.strip()))[:20]

        def one(name: str) -> str:
            return str(params.get(name, ""))[:1000].strip()

        at = one("page")
        last = searching.MOST // PAGE
        return cls(
            q=one("q"),
            source=many("source"),
            agency=many("agency"),
            language=many("language"),
            since=one("since"),
            until=one("until"),
            story=one("story"),
            sort=one("sort"),
            one=one("one") == "1",
            page=min(max(1, int(at)), last) if at.isascii() and at.isdecimal() else 1,
        )

    @property
    def is_empty(self) -> bool:
        return replace(self, page=1, sort="") == Filters()

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """As the pairs of an address, without the page."""
        found = [("q", self.q)] if self.q else []
        for name in ("source", "agency", "language"):
            found += [(name, value) for value in getattr(self, name)]
        for name in ("since", "until", "story", "sort"):
            found += [(name, getattr(self, name))] if getattr(self, name) else []
        return found + ([("one", "1")] if self.one else [])

    @property
    def days(self) -> list[tuple[str, str]]:
        return [pair for pair in self.pairs if pair[0] in ("since", "until")]

    @property
    def chosen(self) -> list[tuple[str, str]]:
        """Those that narrow the answer."""
        return [pair for pair in self.pairs if pair[0] not in ("q", "sort")]

    def address(self, *, page: int = 1, add: Any = (), drop: Any = ()) -> str:
        pairs = [pair for pair in self.pairs if pair not in drop]
        pairs += [tuple(pair) for pair in add if tuple(pair) not in pairs]
        if page > 1:
            pairs.append(("page", str(page)))
        return "/?" + urlencode(pairs)

    def query(self) -> searching.Query:
        """Raises QueryError for a date, number or order that is none."""
        return searching.Query(
            text=self.q,
            sources=self.source,
            agencies=self.agency,
            languages=self.language,
            since=_day(self.since),
            until=_day(self.until),
            story=_story(self.story),
            sort=_sort(self.sort, searching.Sort.RELEVANCE if self.q else searching.Sort.NEWEST),
            one_a_story=self.one,
            limit=PAGE,
            offset=(self.page - 1) * PAGE,
        )


def _day(said: str) -> date | None:
    try:
        return date.fromisoformat(said) if said else None
    except ValueError:
        raise QueryError(f"{said!r} is no day; write it as 2024-05-03") from None


def _story(said: str) -> int | None:
    if not said:
        return None
    if said.isascii() and said.isdecimal() and len(said) < 19:
        return int(said)
    raise QueryError(f"{said!r} is no number of a story")


def _sort(said: str, otherwise: searching.Sort) -> searching.Sort:
    try:
        return searching.Sort(said) if said else otherwise
    except ValueError:
        raise QueryError(f"{said!r} is no order; use {', '.join(searching.Sort)}") from None


def _number(request: Request, name: str) -> int | None:
    said = request.query_params.get(name)
    if said is None:
        return None
    if not (said.isascii() and said.isdecimal() and 0 < len(said) < 19):
        raise HTTPException(404)
    return int(said)


def _shown(blocks: list[list[str]]) -> tuple[list[list[str]], bool]:
    """Blocks up to _SHOWN characters, and whether there are more."""
    left = _SHOWN
    shown: list[list[str]] = []
    for kind, said in blocks:
        if left <= 0:
            return shown, True
        shown.append([kind, said[:left]])
        left -= len(said)
    return shown, left < 0


def _groups(blocks: list[list[str]]) -> list[tuple[str, list[str]]]:
    """Blocks of one kind in a row: list items and table rows belong together."""
    return [
        (kind, [said for _, said in group]) for kind, group in groupby(blocks, key=lambda b: b[0])
    ]


def _cell(value: Any) -> str:
    """A value of a table, not longer than one can read there."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    said = w.moment(value) if isinstance(value, datetime) else str(value)
    return said if len(said) <= _CELL else said[:_CELL] + "…"


def _days_of(month: str) -> list[tuple[str, str]]:
    """The filters that leave a month, given as 2024-05; none for what is no month."""
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        return []
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    return [("since", first.isoformat()), ("until", last.isoformat())]


_CELL = 500
_EXAMPLES = (
    (
        "example_newest",
        "SELECT a.id, a.title, a.published_iso, s.key AS source\n"
        "FROM articles a JOIN sources s ON s.id = a.source_id\n"
        "ORDER BY a.published_at IS NULL, a.published_at DESC LIMIT 50",
    ),
    (
        "example_agencies",
        "SELECT agency, count(*) AS articles FROM articles\n"
        "WHERE agency IS NOT NULL GROUP BY agency ORDER BY articles DESC",
    ),
    (
        "example_spread",
        "SELECT story_id, source, agency, delay_minutes, kind, title FROM syndication\n"
        "ORDER BY story_id, published_at LIMIT 100",
    ),
    (
        "example_rules",
        "SELECT rule, count(*) AS lines, min(text) AS example FROM removed_lines\n"
        "GROUP BY rule ORDER BY lines DESC",
    ),
)


def _templates() -> Environment:
    env = Environment(
        loader=PackageLoader("crawler.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(moment=w.moment, span=w.span, web=w.web_address, cell=_cell, groups=_groups)
    env.globals.update(
        direction=w.direction, version=version("warraq"), days_of=_days_of, examples=_EXAMPLES
    )
    return env


_ENV = _templates()


def _page(request: Request, template: str, status: int = 200, **told: Any) -> HTMLResponse:
    language = w.choose_language(
        request.query_params.get("lang"),
        request.cookies.get("language"),
        request.headers.get("accept-language"),
    )
    said = w.words(language)
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method != "GET":
        back = request.url.path
    other = "en" if language == "ar" else "ar"
    html = _ENV.get_template(template).render(
        t=said,
        say=lambda key, otherwise=None: said.get(key, otherwise or key),
        ui=language,
        other=other,
        switch=f"/language/{other}?" + urlencode({"back": back}),
        agency_name=_agency_namer(language),
        path=request.url.path,
        **told,
    )
    return HTMLResponse(html, status, headers={"content-language": language, "vary": "cookie"})


def _agency_namer(language: str) -> Callable[[str], str]:
    names: Mapping[str, str] = w.agency_names() if language == "ar" else {}
    return lambda ids: "، ".join(names.get(one, one) for one in ids.split(","))


# --- errors ----------------------------------------------------------------------------------


def _add_errors(app: FastAPI, engine: Engine) -> None:
    def answer(request: Request, status: int, detail: str) -> Response:
        if request.url.path.startswith("/api/") or request.url.path == "/health":
            return JSONResponse({"detail": detail}, status)
        return _page(request, "error.html", status, number=status, detail=detail)

    @app.exception_handler(StarletteError)
    def http_error(request: Request, error: StarletteError) -> Response:
        told = error.detail if isinstance(error, HTTPException) and error.detail else ""
        answered = answer(request, error.status_code, str(told))
        for name, value in (error.headers or {}).items():
            answered.headers[name] = value
        return answered

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        if not request.url.path.startswith("/api/"):
            return answer(request, 404, "")
        told = [{k: e[k] for k in ("type", "loc", "msg")} for e in error.errors()]
        return JSONResponse({"detail": told}, 422)

    @app.exception_handler(UserError)
    def user_error(request: Request, error: UserError) -> Response:
        return answer(request, 503 if isinstance(error, DatabaseError) else 400, str(error))

    @app.exception_handler(SQLAlchemyError)
    def database_error(request: Request, error: SQLAlchemyError) -> Response:
        if isinstance(error, DataError):  # a NUL, a number beyond all: nothing can be stored so
            return answer(request, 400, "holds a value that no database can hold")
        said = explain(error, engine.url)
        log.warning("%s: %s", request.url.path, said)
        return answer(request, 503, "the database did not answer in time")

    @app.exception_handler(Exception)
    def defect(request: Request, error: Exception) -> Response:
        # Starlette prints it with its traceback and raises it on.
        return answer(request, 500, "")
