"""What must hold when a soak is over, whatever was done to it."""

import gzip
import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select, text, update

from crawler.readers import ReadOptions
from crawler.readers import read as read_files
from pipelines.db.engine import read, usable, write
from pipelines.db.models import (
    AddressRow,
    ArticleRow,
    CrawlLock,
    LedgerRow,
    Run,
    ScheduleRow,
    SourceRow,
    table,
)
from pipelines.document import RawPage, Unreadable
from tests.conftest import ROOT
from tests.site import Article, Site
from tests.soak.faults import Newsrooms
from tests.soak.processes import Schedule, marked

_ADDRESSES, _ARTICLES, _LEDGER = table(AddressRow), table(ArticleRow), table(LedgerRow)
_LOCKS, _RUNS, _SCHEDULE = table(CrawlLock), table(Run), table(ScheduleRow)
_SOURCES = table(SourceRow)


@dataclass(frozen=True)
class Check:
    """A promise, and whether it was kept."""

    promise: str
    kept: bool
    detail: str = ""


@dataclass
class Ended:
    """All that a soak leaves behind."""

    folder: Path
    database: str
    engine: Engine
    schedule: Schedule
    sites: list[Site]
    rooms: Newsrooms


def crawl_all(ended: Ended) -> Check:
    """One last crawl that asks for everything, now that nothing is broken. The waits after
    failures, of hours up to a week, are cut short."""
    lists = (_ADDRESSES.c.kind != "page") & ~_ADDRESSES.c.gone
    with usable(ended.engine), write(ended.engine) as connection:
        connection.execute(update(_ADDRESSES).where(lists).values(due_at=datetime.now(UTC)))
    command = [
        *(sys.executable, "-m", "crawler.cli", "crawl", "--every-page", "--json"),
        *("--db", ended.database, "--sources", str(ended.folder / "sources"), "--workers", "1"),
        *("--archive", str(ended.folder / "archive")),
    ]
    done = subprocess.run(
        command, cwd=ROOT, env=ended.schedule.environment, capture_output=True, check=False
    )
    said = done.stderr.decode(errors="replace").strip()
    outcomes = json.loads(done.stdout or "{}").get("outcomes")
    (ended.folder / "last-crawl.json").write_bytes(done.stdout)
    return Check(
        "the last crawl goes well",
        done.returncode == 0,
        f"exit code {done.returncode}, {outcomes}{'' if done.returncode == 0 else said[-2000:]}",
    )


def check(ended: Ended) -> list[Check]:
    return [each(ended) for each in _CHECKS]


def _nothing_runs(ended: Ended) -> Check:
    left = marked(ended.schedule.mark)
    return Check("no process is left", not left, f"{len(left)} {left[:10]}")


def _stored_once(ended: Ended) -> Check:
    """Each article that was ever told of is there, and is there once."""
    query = select(_ARTICLES.c.canonical_url, _ARTICLES.c.url)
    stored: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
    strange = []
    for row in _rows(ended, query):
        known = ended.rooms.known.get(row.canonical_url)
        if known is None:
            strange.append(row.canonical_url)
        else:
            stored[known].append(row.canonical_url)
    told = set(ended.rooms.known.values())
    missing = [str(each) for each in sorted(told - stored.keys())]
    double = [urls for urls in stored.values() if len(urls) > 1]
    return Check(
        "every article is stored once",
        not missing and not double and not strange,
        f"{len(told)} told of, {len(stored)} stored; missing {len(missing)} {missing[:5]}, "
        f"double {len(double)} {double[:5]}, strange {len(strange)} {strange[:5]}",
    )


def _says_what_the_site_says(ended: Ended) -> Check:
    """The newest title and text of each, corrections and all."""
    query = select(_ARTICLES.c.canonical_url, _ARTICLES.c.title, _ARTICLES.c.text)
    stored = {row.canonical_url: row for row in _rows(ended, query)}
    old = []
    articles: list[Article] = [a for site in ended.sites for a in site.articles]
    for article in articles:
        row = stored.get(article.url)
        if row is None:
            continue  # told as missing
        if row.title != article.title or any(p not in row.text for p in article.paragraphs):
            old.append(article.url)
    return Check(
        "each says what its page says now",
        not old,
        f"{len(articles)} compared, {len(old)} differ {old[:5]}",
    )


def _ledger_adds_up(ended: Ended) -> Check:
    """The counts of each run that ended are those of its ledger; each article was stored once,
    and all others that were stored were joined with one."""
    counted = func.count().label("documents")
    query = select(_LEDGER.c.run_id, _LEDGER.c.outcome, counted).group_by(
        _LEDGER.c.run_id, _LEDGER.c.outcome
    )
    noted: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for row in _rows(ended, query):
        noted[row.run_id][row.outcome] += row.documents
    wrong = []
    runs = _rows(ended, select(_RUNS))
    for run in runs:
        if (
            run.status in ("done", "interrupted")
            and Counter(run.counts) - Counter() != noted[run.id]
        ):
            wrong.append((run.id, run.status, run.counts, dict(noted[run.id])))
    states = Counter(run.status for run in runs)
    total = sum((each for each in noted.values()), Counter[str]())
    return Check(
        "the ledger adds up",
        not wrong and not states["running"],
        f"{len(runs)} runs {dict(states)}, {total.total()} entries {dict(total)}; "
        f"{len(wrong)} wrong {wrong[:3]}",
    )


def _crawls_of_a_source_never_overlap(ended: Ended) -> Check:
    runs = _rows(ended, select(_RUNS).order_by(_RUNS.c.started_at))
    over = []
    last: dict[str, Any] = {}
    for run in runs:
        key = run.command.split("crawl ")[-1].split(" ")[0]
        before = last.get(key)
        if before is not None and before.ended_at and before.ended_at > run.started_at:
            over.append((before.id, run.id))
        last[key] = run
    return Check("crawls of a source never overlap", not over, f"{over[:5]}")


def _nobody_holds_anything(ended: Ended) -> Check:
    locks = _rows(ended, select(_LOCKS.c.source))
    kept = _rows(ended, select(_SCHEDULE.c.source).where(_SCHEDULE.c.token.is_not(None)))
    return Check(
        "no lock and no turn is held", not locks and not kept, f"locks {locks}, turns {kept}"
    )


def _archive_is_whole(ended: Ended) -> Check:
    """No file is open, each record can be read, and each entry of the ledger finds its record."""
    folder = ended.folder / "archive"
    left = [file.name for file in folder.rglob("*.open")]
    pages, broken = 0, []
    for found in read_files([str(folder)], ReadOptions(), lambda _: None):
        pages += isinstance(found, RawPage)
        # Answers that hold no page are archived as they came.
        if isinstance(found, Unreadable) and found.reason.value in ("truncated", "bad_record"):
            broken.append(f"{found.path}: {found.reason} {found.detail}")
    lost = []
    query = select(_LEDGER.c.archive, _LEDGER.c.archive_offset).where(
        _LEDGER.c.archive.is_not(None)
    )
    entries = _rows(ended, query)
    for row in entries:
        if not _has_record(Path(row.archive), row.archive_offset):
            lost.append((row.archive, row.archive_offset))
    return Check(
        "the archive is whole",
        not left and not broken and not lost,
        f"{pages} pages; open {left[:5]}, broken {len(broken)} {broken[:5]}, "
        f"{len(entries)} entries point into it, {len(lost)} at nothing {lost[:5]}",
    )


def _has_record(file: Path, offset: int) -> bool:
    try:
        with file.open("rb") as stream:
            stream.seek(offset)
            with gzip.open(stream) as member:
                return member.read(5) == b"WARC/"
    except (OSError, EOFError):
        return False


def _database_is_sound(ended: Ended) -> Check:
    if ended.engine.dialect.name != "sqlite":
        return Check("the database is sound", True, "PostgreSQL says so by itself")
    said = [str(tuple(row)) for row in _rows(ended, text("PRAGMA integrity_check"))]
    said += [str(tuple(row)) for row in _rows(ended, text("PRAGMA foreign_key_check"))]
    return Check("the database is sound", said == ["('ok',)"], " ".join(said[:5]))


def _robots_txt_is_obeyed(ended: Ended) -> Check:
    asked = [r.path for site in ended.sites for r in site.requests if "/private/" in r.path]
    return Check("robots.txt is obeyed", not asked, f"{len(asked)} forbidden requests {asked[:5]}")


_CHECKS: list[Callable[[Ended], Check]] = [
    _nothing_runs,
    _stored_once,
    _says_what_the_site_says,
    _ledger_adds_up,
    _crawls_of_a_source_never_overlap,
    _nobody_holds_anything,
    _archive_is_whole,
    _database_is_sound,
    _robots_txt_is_obeyed,
]


def _rows(ended: Ended, query: Any) -> list[Any]:
    with usable(ended.engine), read(ended.engine) as connection:
        return list(connection.execute(query).all())
