"""Turns: which source is to be crawled when, and which scheduler does it.

A source has one row in `schedule`. A scheduler that finds it due takes the turn in one
transaction, so that of several only one has it, and gives it back when the crawl has ended.
Until then the row stays due: whatever kills a scheduler, its turn is found again.

A worker of the queue (`crawler/queue.py`) takes turns as a scheduler does. Its token names the job
and the try, `17-2`: the queue runs a job again when it knows that its worker is dead, and that
try takes the turn over at once.
"""

import os
import platform
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Select, and_, delete, insert, select, update

from pipelines.db.engine import read, usable, write
from pipelines.db.models import ArticleRow, Run, ScheduleRow, SourceRow, table
from pipelines.db.processes import is_alive

_ARTICLES = table(ArticleRow)
_RUNS = table(Run)
_SCHEDULE = table(ScheduleRow)
_SOURCES = table(SourceRow)

#: Articles that a source's rhythm is told from, and the fewest that tell one.
_RECENT = 20
_FEWEST = 5
#: So many sources are asked for by name.
_FEW = 100
#: What a turn is without a scheduler.
_NOBODY = {"token": None, "host": None, "pid": None, "child": None, "until": None}


@dataclass(frozen=True, slots=True)
class Planned:
    """What sets a source's times, and when it is due if that is news."""

    rule: str
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class Turn:
    """A source whose turn a scheduler has taken.

    `child` is the crawl that an earlier scheduler, killed since, had begun at `started_at` on
    `host`; None if there was none.
    """

    source: str
    due: datetime
    failures: int
    started_at: datetime
    child: int | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a turn ended. `next_at`: when the source is due again."""

    result: str
    detail: str | None
    ended_at: datetime
    next_at: datetime | None
    failures: int


def plan(engine: Engine, planned: Mapping[str, Planned]) -> None:
    """Brings the schedule in line with the sources: new ones, those whose rule changed, and
    those that are gone, unless a crawl of one is under way."""
    query = select(_SCHEDULE.c.source, _SCHEDULE.c.rule, _SCHEDULE.c.token)
    with usable(engine):
        with read(engine) as connection:
            known = {row.source: row for row in connection.execute(query)}
        if {key: p.rule for key, p in planned.items()} == {k: r.rule for k, r in known.items()}:
            return
        with write(engine) as connection:
            known = {row.source: row for row in connection.execute(query)}
            for key, wanted in planned.items():
                values = {"rule": wanted.rule, "next_at": wanted.next_at}
                if key not in known:
                    new = insert(_SCHEDULE).values(source=key, failures=0, **values)
                    connection.execute(new)
                elif known[key].rule != wanted.rule:
                    one = _SCHEDULE.c.source == key
                    connection.execute(update(_SCHEDULE).where(one).values(**values))
            gone = [k for k, row in known.items() if k not in planned and row.token is None]
            for key in gone:
                connection.execute(delete(_SCHEDULE).where(_SCHEDULE.c.source == key))


def take(
    engine: Engine,
    token: str,
    sources: Collection[str],
    now: datetime,
    due: datetime,
    count: int,
    length: timedelta,
) -> list[Turn]:
    """Takes the turns of at most `count` of these sources that were due at `due`, for `length`
    at most: those first that have waited longest."""
    query = _due(due)
    if len(sources) < _FEW:  # a worker's one source need not wait for thousands that are due
        query = query.where(_SCHEDULE.c.source.in_(sources))
    with usable(engine):
        with read(engine) as connection:  # most looks find nothing: they keep no writer waiting
            rows = connection.execute(query).all()
            if not any(row.source in sources and _is_free(row, now, token) for row in rows):
                return []
        with write(engine) as connection:
            rows = [
                row
                for row in connection.execute(query).all()
                if row.source in sources and _is_free(row, now, token)
            ][:count]
            for row in rows:
                began = row.started_at if row.child else now
                connection.execute(
                    update(_SCHEDULE)
                    .where(_SCHEDULE.c.source == row.source)
                    .values(
                        token=token,
                        host=platform.node(),
                        pid=os.getpid(),
                        child=row.child,
                        until=now + length,
                        started_at=began,
                        ended_at=None,
                        result=None,
                        detail=None,
                    )
                )
    return [
        Turn(
            row.source,
            row.next_at,
            row.failures,
            row.started_at if row.child else now,
            row.child,
            row.host,
        )
        for row in rows
    ]


def due(engine: Engine, now: datetime) -> list[str]:
    """The sources that are due and nobody's, those first that have waited longest."""
    with usable(engine), read(engine) as connection:
        return [row.source for row in connection.execute(_due(now)) if _is_free(row, now)]


def begin(engine: Engine, token: str, source: str, child: int, now: datetime) -> bool:
    """Notes the crawl of a turn. False if the turn is not ours any more."""
    with usable(engine), write(engine) as connection:
        done = connection.execute(
            update(_SCHEDULE)
            .where(_SCHEDULE.c.source == source, _SCHEDULE.c.token == token)
            .values(child=child, started_at=now)
        )
        return bool(done.rowcount)


def end(engine: Engine, token: str, source: str, ended: Ended) -> None:
    """Gives a turn back. What another scheduler has taken over is left alone."""
    with usable(engine), write(engine) as connection:
        connection.execute(
            update(_SCHEDULE)
            .where(_SCHEDULE.c.source == source, _SCHEDULE.c.token == token)
            .values(
                result=ended.result,
                detail=ended.detail,
                ended_at=ended.ended_at,
                next_at=ended.next_at,
                failures=ended.failures,
                **_NOBODY,
            )
        )


def give_back(engine: Engine, token: str, source: str) -> None:
    """Gives a turn back as it was: due, its crawl to be made."""
    with usable(engine), write(engine) as connection:
        own = and_(_SCHEDULE.c.source == source, _SCHEDULE.c.token == token)
        connection.execute(update(_SCHEDULE).where(own).values(**_NOBODY))


def run_of(engine: Engine, host: str, pid: int, since: datetime) -> tuple[str, dict[str, int]]:
    """Status and counts of the run that a process made; `none` if it made none."""
    query = (
        select(_RUNS.c.status, _RUNS.c.counts)
        .where(
            _RUNS.c.host == host,
            _RUNS.c.pid == pid,
            _RUNS.c.started_at >= since - timedelta(seconds=1),
        )
        .order_by(_RUNS.c.id.desc())
        .limit(1)
    )
    with usable(engine), read(engine) as connection:
        row = connection.execute(query).one_or_none()
        return (row.status, row.counts) if row else ("none", {})


def mean_gap(engine: Engine, source: str, now: datetime) -> timedelta | None:
    """How often a source publishes: the mean gap between its newest articles, until now. None if
    too few are known."""
    query = (
        select(_ARTICLES.c.published_at)
        .join(_SOURCES, _SOURCES.c.id == _ARTICLES.c.source_id)
        .where(_SOURCES.c.key == source, _ARTICLES.c.published_at <= now)
        .order_by(_ARTICLES.c.published_at.desc())
        .limit(_RECENT)
    )
    with usable(engine), read(engine) as connection:
        dates: list[datetime] = list(connection.execute(query).scalars())
    if len(dates) < _FEWEST:
        return None
    return (now - dates[-1]) / len(dates)


def overview(connection: Connection) -> list[Any]:
    """All rows of the schedule, those first that are due first."""
    order = (_SCHEDULE.c.next_at.is_(None), _SCHEDULE.c.next_at, _SCHEDULE.c.source)
    return list(connection.execute(select(_SCHEDULE).order_by(*order)))


def _due(at: datetime) -> Select[Any]:
    order = (_SCHEDULE.c.next_at, _SCHEDULE.c.source)
    return select(_SCHEDULE).where(_SCHEDULE.c.next_at <= at).order_by(*order)


def _is_free(row: Any, now: datetime, token: str = "") -> bool:
    """Whether a turn is nobody's, or that of a scheduler that is gone, or of an earlier try of
    the same job."""
    if row.token is None or row.until is None or row.until < now:
        return True
    if "-" in token and row.token.partition("-")[0] == token.partition("-")[0]:
        return True
    return row.host == platform.node() and not is_alive(row.pid)
