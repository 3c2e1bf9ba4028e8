"""One crawl a source at a time, on however many machines: a lock that outlives no crawl.

A row says who crawls a source. It is given up when the crawl ends, and taken over when its
process is gone, or has shown no sign of life for a while.
"""

import os
import platform
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Any

from sqlalchemy import Engine, Row, delete, insert, select, update

from pipelines.db.engine import read, usable, write
from pipelines.db.models import CrawlLock, table
from pipelines.db.processes import is_alive
from pipelines.errors import DatabaseError, LockedError, UsageError

_LOCKS = table(CrawlLock)
#: A beat waits as other writers do, for a minute at most: less would take the living for dead.
_DEAD = timedelta(minutes=2)


def dead_after() -> timedelta:
    """Who gave no sign of life for so long is taken for dead: a crawl on a closed laptop loses
    its lock, a worker its jobs. Signs are given six times as often."""
    stated = os.environ.get("WARRAQ_DEAD_AFTER")
    if not stated:
        return _DEAD
    if not re.fullmatch(r"\d{1,6}(\.\d+)?", stated) or not float(stated):
        raise UsageError(f"WARRAQ_DEAD_AFTER {stated}: state seconds, such as 120")
    return timedelta(seconds=float(stated))


@dataclass
class Held:
    """A lock that is held. `lost` is set when another crawl took it over."""

    source: str
    token: str
    lost: Event = field(default_factory=Event)


#: Tokens of the locks that this very process holds.
_own: set[str] = set()


@contextmanager
def crawl_lock(engine: Engine, source: str) -> Iterator[Held]:
    """Holds the lock of a source. Raises LockedError if a living crawl has it."""
    held = Held(source, uuid.uuid4().hex)
    _take(engine, held)
    _own.add(held.token)
    ended = Event()
    beating = Thread(target=_beat, args=(engine, held, ended, dead_after() / 6), daemon=True)
    beating.start()
    try:
        yield held
    finally:
        ended.set()
        beating.join()
        _own.discard(held.token)
        with suppress(DatabaseError):  # then it goes stale by itself
            _give_up(engine, held)


def _take(engine: Engine, held: Held) -> None:
    now = datetime.now(UTC)
    values = {
        "token": held.token,
        "host": platform.node(),
        "pid": os.getpid(),
        "started_at": now,
        "heartbeat_at": now,
    }
    with usable(engine), write(engine) as connection:
        row = connection.execute(select(_LOCKS).where(_LOCKS.c.source == held.source)).one_or_none()
        if row is None:
            connection.execute(insert(_LOCKS).values(source=held.source, **values))
            return
        if _is_held(row, now):
            raise LockedError(
                f"{held.source}: another crawl of it runs since "
                f"{row.started_at.isoformat(timespec='seconds')} "
                f"(process {row.pid} on {row.host}); wait until it has ended"
            )
        connection.execute(update(_LOCKS).where(_LOCKS.c.source == held.source).values(**values))


def host_of_crawl(engine: Engine, source: str) -> str | None:
    """The machine on which a crawl of the source lives, as far as can be told from here."""
    with usable(engine), read(engine) as connection:
        row = connection.execute(select(_LOCKS).where(_LOCKS.c.source == source)).one_or_none()
    return row.host if row is not None and _is_held(row, datetime.now(UTC)) else None


def _is_held(row: Row[Any], now: datetime) -> bool:
    return row.heartbeat_at > now - dead_after() and _lives(row.host, row.pid, row.token)


def _lives(host: str, pid: int, token: str) -> bool:
    if host != platform.node():
        return True  # as far as can be told from here
    if pid == os.getpid():
        return token in _own
    return is_alive(pid)


def _beat(engine: Engine, held: Held, ended: Event, every: timedelta) -> None:
    while not ended.wait(every.total_seconds()):
        # A database that is away for a moment is the crawl's own trouble; the next beat may come.
        with suppress(DatabaseError), usable(engine), write(engine) as connection:
            own = (_LOCKS.c.source == held.source) & (_LOCKS.c.token == held.token)
            done = connection.execute(
                update(_LOCKS).where(own).values(heartbeat_at=datetime.now(UTC))
            )
            if done.rowcount == 0:
                held.lost.set()


def _give_up(engine: Engine, held: Held) -> None:
    with usable(engine), write(engine) as connection:
        own = (_LOCKS.c.source == held.source) & (_LOCKS.c.token == held.token)
        connection.execute(delete(_LOCKS).where(own))
