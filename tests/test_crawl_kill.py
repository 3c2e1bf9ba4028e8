"""A crawl can be killed at any point, again and again: nothing is lost, nothing is double."""

import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import psutil
from sqlalchemy import Engine

from crawler.archive import Archive
from crawler.readers import ReadOptions
from crawler.readers import read as read_files
from pipelines.db import schema
from pipelines.db.engine import open_engine, read
from pipelines.document import RawPage
from tests.conftest import run_warraq
from tests.faulty import KILLS, noted
from tests.site import Site
from tests.test_crawl import Desk, start
from tests.test_kill import contents

ARTICLES = 40


def count(engine: Engine, table: str) -> int:
    from sqlalchemy import text

    with read(engine) as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def kill_at(process: subprocess.Popen[bytes], engine: Engine, pages: int, pause: float) -> bool:
    """Kills a crawl so many seconds after so many pages are written; False if it had ended."""
    while process.poll() is None and count(engine, "ledger") < pages:
        time.sleep(0.02)
    time.sleep(pause)
    is_running = process.poll() is None
    family = psutil.Process(process.pid).children(recursive=True) if is_running else []
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive, "workers outlive a killed crawl"
    return is_running


def test_kill_at_random_points(database: str, tmp_path: Path) -> None:
    rng = random.Random(os.urandom(8))
    with Site(articles=ARTICLES, latency=0.08) as site:
        whole = Desk(tmp_path / "whole", f"sqlite:///{tmp_path}/whole.db")
        site.write_source(whole.sources, "a/site", pace="{delay: 0, concurrency: 1}")
        assert whole.crawl()["outcomes"] == {"stored": ARTICLES}
        asked = Counter(request.path for request in site.requests)
        site.requests.clear()

        desk = Desk(tmp_path / "killed", database)
        site.write_source(desk.sources, "a/site", pace="{delay: 0, concurrency: 1}")
        engine = open_engine(database, create=True)
        schema.upgrade(engine)
        killed = 0
        for point in sorted(rng.randrange(ARTICLES) for _ in range(KILLS // 2)):
            process = start(desk)
            # A batch is written every 0.3 s: the kills fall on all that happens meanwhile.
            killed += kill_at(process, engine, point, rng.uniform(0, 0.6))
        desk.crawl()
        undisturbed = open_engine(whole.database)
        ours, theirs = contents(engine), contents(undisturbed)
        undisturbed.dispose()
        # What depends on whether a page was read by a template, known sooner or later, is not told
        for part in ("articles", "versions", "links", "stories", "sources"):
            assert without_way(part, ours) == without_way(part, theirs), part
        # until all pages are read by one set of rules, lines and templates.
        for each in (desk, whole):
            run_warraq(["reprocess", "--sources", each.sources, "--db", each.database])
        undisturbed = open_engine(whole.database)
        ours, theirs = contents(engine), contents(undisturbed)
        undisturbed.dispose()
        for part, rows in theirs.items():
            assert without_times(ours[part]) == without_times(rows), part
        # At most the pages under way at each kill were asked for twice.
        again = Counter(request.path for request in site.requests) - asked
        pages = sum(times for path, times in again.items() if "/news/" in path or "/old/" in path)
        assert pages <= killed * 80
        # A page is in the ledger once: what was not committed was never there.
        assert count(engine, "ledger") == ARTICLES
        assert count(engine, "articles") == ARTICLES
        happened = f"{engine.dialect.name}: {killed} kills of a crawl, no page twice in the ledger"
        noted("archive write: killed", happened, ARTICLES, {"stored": count(engine, "ledger")})
        engine.dispose()
        assert killed >= KILLS // 4, "most crawls had ended before they were killed"
        Archive(desk.archive, "after")  # cuts what the last one left unfinished
        archived = list(read_files([str(desk.archive)], ReadOptions(), lambda _: None))
        assert len({page.url for page in archived if isinstance(page, RawPage)}) == ARTICLES


def without_way(part: str, told: dict[str, list[tuple[object, ...]]]) -> list[tuple[str, ...]]:
    """The rows of a part, articles without their `record_hash`, the seventh column."""
    rows = told[part]
    return without_times([r[:6] + r[7:] for r in rows] if part == "articles" else rows)


def without_times(rows: list[tuple[object, ...]]) -> list[tuple[str, ...]]:
    """The crawls took place at different times: all but the instants of their fetches. As text:
    databases give dates and truth in several types."""
    plain = {"True": "1", "False": "0"}
    return [tuple(plain.get(str(v), str(v)) for v in row if not is_instant(v)) for row in rows]


def is_instant(value: object) -> bool:
    text = str(value)
    return len(text) >= 19 and text[4:5] == "-" and text[13:14] == ":" and text[16:17] == ":"
