"""Crawls over many machines: a queue on PostgreSQL that hands out whose turn it is.

    warraq schedule --queue:  sources that are due -> a job each
    warraq worker:            a job -> the source's turn -> its crawl, a process with limits

The queue is Procrastinate's. All that matters is in the table `schedule`, as without a queue
(crawler/schedule.py): a job that finds its source not due does nothing, so that a job too many
costs nothing, and a job that was lost is made again. A source's job never waits twice (its
queueing lock), and of one site never two run (their lock), so that its pace holds however many
workers there are.

Of Procrastinate's periodic tasks no use is made. They know cron expressions alone, from the start
of a worker on: not the time since a crawl, a source's own rhythm, ever longer waits after failures,
clocks that are set back, or files that change. And a sweep that is itself a job waits while all
workers are at work.
"""

import asyncio
import logging
import platform
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Job
from procrastinate.schema import SchemaManager
from sqlalchemy import Engine, text

from crawler.schedule import Limits, Plan, Scheduler, Trouble, is_crawled, sites
from pipelines.db import turns
from pipelines.db.engine import shown, usable, without_passwords, write
from pipelines.db.locks import dead_after, host_of_crawl
from pipelines.errors import DatabaseError, UserError
from pipelines.source import Source, Sources

QUEUE = "crawls"
TASK = "crawl"
#: The schema of Procrastinate's tables: apart from Warraq's, which have a history of their own.
SCHEMA = "warraq_queue"
#: Any number that no other program on the same PostgreSQL database uses for its own lock.
_SCHEDULERS = 0x7761727262
_TICK = 1.0  # seconds between two looks at the schedule
#: Jobs that wait. A worker that looks for its next one compares those that wait with each other:
#: what else is due waits in the schedule, which costs nothing.
WAITING = 1000
_AGAIN = timedelta(seconds=30)  # until a job is tried again that went wrong
#: What a database that can't be used makes Procrastinate and its driver raise.
_GONE = (ConnectorException, psycopg.Error)


# --- the queue's tables and connections --------------------------------------------------------


def require_queue(engine: Engine) -> None:
    """Makes the queue's tables where they are missing. Raises DatabaseError where they are those
    of another Procrastinate."""
    newest = max(file.name for file in Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    missing = text(f"SELECT to_regnamespace('{SCHEMA}') IS NULL")
    comment = text(f"SELECT obj_description(to_regnamespace('{SCHEMA}'), 'pg_namespace')")
    with usable(engine), write(engine) as connection:
        if connection.execute(missing).scalar_one():
            connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
            connection.execute(text(f"COMMENT ON SCHEMA {SCHEMA} IS '{newest}'"))
            connection.execute(text(f"SET LOCAL search_path TO {SCHEMA}"))
            # Many statements at once, which only the driver itself takes.
            driver: Any = connection.connection.driver_connection
            driver.execute(SchemaManager.get_schema())
            return
        found = connection.execute(comment).scalar_one()
    if found != newest:
        raise DatabaseError(
            f"{shown(engine.url)}: the schema {SCHEMA} is at {found}, the installed Procrastinate "
            f"at {newest}; stop all workers, DROP SCHEMA {SCHEMA} CASCADE, and start them again: "
            "no turn is lost"
        )


def queue_of(engine: Engine) -> App:
    """The queue, to be opened within an event loop."""
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)  # what matters is told here
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    return App(
        connector=PsycopgConnector(
            conninfo=url,
            kwargs={"connect_timeout": 10},
            configure=_in_schema,
            min_size=1,
            max_size=4,
            # A database that is restarted is waited for.
            timeout=60,
        )
    )


async def _in_schema(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.execute(f"SET search_path TO {SCHEMA}".encode())
    await connection.commit()


def _said(error: Exception) -> str:
    """An error of the queue's as one line."""
    return without_passwords(" ".join(str(error.__cause__ or error).split()))


# --- warraq schedule --queue -------------------------------------------------------------------


async def queue_due(
    engine: Engine,
    load: Callable[[], Sources | None],
    tell: Callable[[str], None],
    stop: asyncio.Event,
    *,
    once: bool = False,
) -> None:
    """Makes a job of each source that falls due, and has stalled jobs run again, until `stop`;
    with `once` what is due now.

    What goes wrong after the start (a database that is away, a wrong source file) is told, and
    tried again. Raises UserError or OSError for it at the start.
    """
    dead_after()  # a wrong setting is told now
    plan, trouble = Plan(engine, load, tell), Trouble(tell)
    sources = plan.renewed()
    own = sites(sources.values())
    while not stop.is_set():
        app = queue_of(engine)
        try:
            async with app.open_async():
                while not stop.is_set():
                    known, sources = sources, await asyncio.to_thread(plan.renewed)
                    if sources is not known:
                        own = sites(sources.values())
                    await _look(engine, app, own, tell)
                    trouble.over()
                    if once:
                        return
                    await _pause(stop, _TICK)
        except (UserError, OSError, *_GONE) as error:
            if not isinstance(error, UserError | OSError):
                error = DatabaseError(f"{shown(engine.url)}: {_said(error)}")
            if once:
                raise error from None
            trouble.now(str(error))
            await _pause(stop, _TICK)


async def _look(
    engine: Engine, app: App, own: Mapping[str, str], tell: Callable[[str], None]
) -> None:
    """Queues what is due and what has stalled. Of several schedulers one does: two that find the
    same stalled job would have it run twice."""
    with usable(engine), engine.begin() as connection:
        alone = "SELECT pg_try_advisory_xact_lock(:key)"
        if connection.execute(text(alone), {"key": _SCHEDULERS}).scalar_one():
            for key in await _queue_stalled(app):
                tell(f"{key}: its worker gave no sign of life; queued again")
            due = await asyncio.to_thread(turns.due, engine, datetime.now(UTC))
            for key in await queue_sources(app, due, own):
                tell(f"{key}: queued")


async def queue_sources(app: App, keys: Iterable[str], own: Mapping[str, str]) -> list[str]:
    """Makes a job of each source whose site has none, in that order, as long as few wait; the
    sources."""
    # All in one statement: jobs change while we look. Those that have ended are deleted.
    listed = list(await app.job_manager.list_jobs_async(queue=QUEUE))
    taken = {job.lock for job in listed} | {own.get(str(job.queueing_lock)) for job in listed}
    room = WAITING - sum(job.status == "todo" for job in listed)
    made: list[Job] = []
    for key in keys:
        if len(made) >= room:
            break
        if key in own and own[key] not in taken:
            taken.add(own[key])
            made.append(job_of(key, own[key]))
    if not made:
        return []
    # Refused as a whole if somebody else has queued one of them: the next look makes the rest.
    with suppress(AlreadyEnqueued):
        await app.job_manager.batch_defer_jobs_async(made)
        return [str(job.queueing_lock) for job in made]
    return []


def job_of(key: str, site: str) -> Job:
    """The job of a source, which is not queued yet."""
    return Job(
        id=None,
        queue=QUEUE,
        lock=site,
        queueing_lock=key,
        task_name=TASK,
        task_kwargs={"source": key},
    )


async def _queue_stalled(app: App) -> list[str]:
    """Queues again the jobs of workers that gave no sign of life; the sources."""
    queued = []
    seconds = dead_after().total_seconds()
    for job in await app.job_manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=seconds):
        try:
            await app.job_manager.retry_job(job)
        except ConnectorException as error:
            if isinstance(error.__cause__, psycopg.errors.RaiseException):
                continue  # it has ended meanwhile
            raise
        queued.append(str(job.task_kwargs["source"]))
    return queued


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


# --- warraq worker -----------------------------------------------------------------------------


class HandBack(Exception):  # noqa: N818  no error: the job is somebody else's, or ours later
    """Raised by a job that is to be done again `after` some time."""

    def __init__(self, after: timedelta = timedelta()) -> None:
        self.after = after


class _Again(BaseRetryStrategy):
    """Every job that was not done is done again: the schedule says for how long, not the queue."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if not isinstance(exception, Exception):
            return None  # somebody had the job aborted
        after = exception.after if isinstance(exception, HandBack) else _AGAIN
        return RetryDecision(retry_at=datetime.now(UTC) + after)


@dataclass
class Worker:
    """Crawls what the queue hands out, `limits.at_once` sources at the same time, until `end`.

    `load` gives the sources, or None if they are as they were; `command` the command line of a
    source's crawl. `tell` hears what happens, a line each.
    """

    engine: Engine
    load: Callable[[], Sources | None]
    command: Callable[[str], Sequence[str]]
    environment: Mapping[str, str]
    logs: Path
    limits: Limits
    tell: Callable[[str], None]

    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _working: asyncio.Task[None] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._known = Sources()
        self._reading = threading.Lock()
        self._trouble, self._wrong = Trouble(self.tell), Trouble(self.tell)

    def end(self) -> None:
        """Ends crawls kindly, hands their jobs back, and ends. To be called on the event loop."""
        if self._working and not self._stop.is_set():
            self._working.cancel()  # once: a second time would leave its jobs behind
        self._stop.set()

    async def run(self) -> None:
        """Works until `end`. A database that is away is told, and waited for."""
        silent = dead_after().total_seconds()
        with ThreadPoolExecutor(self.limits.at_once, "job") as pool:
            while not self._stop.is_set():
                app = queue_of(self.engine)
                self._register(app, pool)
                try:
                    async with app.open_async():
                        if self._stop.is_set():
                            return
                        self._working = asyncio.ensure_future(
                            app.run_worker_async(
                                queues=[QUEUE],
                                concurrency=self.limits.at_once,
                                # Jobs that are queued again, or wait for their site, are not
                                # announced.
                                fetch_job_polling_interval=min(5, silent / 6),
                                install_signal_handlers=False,
                                delete_jobs="always",
                                update_heartbeat_interval=silent / 6,
                                stalled_worker_timeout=silent,
                            )
                        )
                        self._trouble.over()
                        with suppress(asyncio.CancelledError):
                            await self._working
                            raise ConnectorException("the queue was lost")
                except _GONE as error:
                    self._trouble.now(f"{shown(self.engine.url)}: {_said(error)}")
                    await asyncio.sleep(_TICK)

    def _register(self, app: App, pool: ThreadPoolExecutor) -> None:
        @app.task(name=TASK, queue=QUEUE, pass_context=True, retry=_Again())
        async def crawl(context: JobContext, source: str) -> None:
            token = f"{context.job.id}-{context.job.attempts}"
            try:
                await asyncio.get_running_loop().run_in_executor(pool, self._crawl, token, source)
            except HandBack:
                raise
            except Exception as error:
                what = without_passwords(f"{type(error).__name__}: {error}")
                self.tell(f"{source}: {what}; tried again in {_AGAIN.seconds} s")
                raise

    def _crawl(self, token: str, key: str) -> None:
        """A job: crawls a source if it is due. Raises HandBack if that is not over."""
        if self._stop.is_set():
            raise HandBack
        source = self._source(key)
        host = host_of_crawl(self.engine, key)
        if host is not None and host != platform.node():
            # Left behind by a worker that is gone, or begun by hand.
            self.tell(f"{key}: a crawl of it runs on {host}; it is waited for")
            raise HandBack(dead_after() / 6)
        turn = Scheduler(
            self.engine,
            lambda: None,
            self.command,
            self.environment,
            self.logs,
            self.limits,
            self.tell,
            self._stop,
            token,
        )
        if not turn.crawl(source):
            raise HandBack

    def _source(self, key: str) -> Source:
        """A source by its file. Raises HandBack if that is missing here, or a file is wrong."""
        with self._reading:
            try:
                loaded = self.load()
                self._known = self._known if loaded is None else loaded
                self._wrong.over()
            except (UserError, OSError) as error:
                self._wrong.now(str(error))
                raise HandBack(_AGAIN) from None
            if key not in self._known or not is_crawled(self._known[key]):
                self._wrong.now(f"{key}: queued, but the source files here don't have it")
                raise HandBack(_AGAIN)
            return self._known[key]
