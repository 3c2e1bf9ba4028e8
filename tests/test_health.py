"""Each illness of a source is found against its own past, and a healthy source stays quiet."""

import json
import os
import random
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, text

from crawler.webhook import post
from pipelines.db import schema
from pipelines.db.engine import open_engine, read, write
from pipelines.db.health import Health, Illness, check
from pipelines.db.models import (
    AddressRow,
    ArticleRow,
    Base,
    LedgerRow,
    RemovedLineRow,
    Run,
    SourceRow,
    table,
)
from pipelines.errors import UsageError, WebhookError
from pipelines.source import Expected, Source
from tests.conftest import ROOT, run_warraq

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LINE = "قال مدير المرفأ إن السفن الثلاث أفرغت حمولتها قبل الفجر وإن العمل يجري كالمعتاد. "


class History:
    """What crawls of one source left in the database."""

    def __init__(self, key: str, seed: int = 1) -> None:
        self.key = key
        self.articles: list[dict[str, Any]] = []
        self.fetches: list[tuple[datetime, str | None]] = []
        self.lists = [("feed", 0, False)]  # kind, failures, gone
        self.first_crawl = NOW - 100 * DAY
        self.last_crawl = NOW - HOUR
        self._rng = random.Random(seed)

    def publish(
        self,
        begin: datetime,
        end: datetime,
        a_day: float,
        *,
        dated: float = 0.95,
        letters: int = 2500,
        removed: int = 1,
        fallback: float = 0.0,
        refused: float = 0.1,
        weekdays: str = "0123456",
    ) -> "History":
        """Articles at random times between seven and eleven, and the fetches of their pages."""
        rng = self._rng
        day = begin
        while day < end:
            for _ in range(int(a_day) + (rng.random() < a_day % 1)):
                at = day.replace(hour=0) + (7 + 16 * rng.random()) * HOUR
                if str(day.weekday()) not in weekdays or not begin <= at < end:
                    continue
                length = int(letters * rng.uniform(0.6, 1.4))
                self.articles.append(
                    {
                        "first_seen": at,
                        "text": "\n".join((LINE * 99)[:length][n : n + 300]
                                          for n in range(0, length, 300)),
                        "published_at": at if rng.random() < dated else None,
                        "flags": ["fallback"] if rng.random() < fallback else [],
                        "removed": rng.randint(0, 2 * removed),
                    }
                )  # fmt: skip
                for _ in range(2):
                    self.fetches.append((at, "timeout" if rng.random() < refused else None))
            day = (day + DAY).replace(hour=0)
        return self

    def write(self, engine: Engine) -> "History":
        with write(engine) as connection:

            def number(name: str) -> int:
                return int(
                    connection.execute(text(f"SELECT count(*) + 1 FROM {name}")).scalar_one()
                )

            def add(model: type[Base], rows: list[dict[str, Any]]) -> None:
                if rows:
                    connection.execute(insert(table(model)), rows)

            run, source, first = number("runs"), number("sources"), number("articles")
            add(Run, [{"id": run, "command": "test", "status": "done", "started_at": NOW,
                       "counts": {}, "host": "h", "pid": 1, "version": "0"}])  # fmt: skip
            add(SourceRow, [{"id": source, "key": self.key, "ad_hoc": False}])
            add(AddressRow, [
                {"source_id": source, "key": f"{self.key}{n}", "kind": kind, "depth": 0,
                 "url": f"https://{self.key}.example/{kind}", "found_at": self.first_crawl,
                 "fetched_at": self.last_crawl, "failures": failures, "gone": gone}
                for n, (kind, failures, gone) in enumerate(self.lists)
            ])  # fmt: skip
            lines = [
                {"article_id": n, "position": place, "text": "x", "rule": "x"}
                for n, facts in enumerate(self.articles, first)
                for place in range(facts.pop("removed"))
            ]
            add(ArticleRow, [
                {"id": n, "source_id": source, "identity": f"{self.key}/{n}", "blocks": [],
                 "tags": [], "published_conflicts": [], "date_candidates": [],
                 "content_hash": f"{n}", "key_version": 1, "raw_hash": f"{n}", "record_hash": "",
                 "extractor": "test", "last_seen": facts["first_seen"], **facts}
                for n, facts in enumerate(self.articles, first)
            ])  # fmt: skip
            add(RemovedLineRow, lines)
            add(LedgerRow, [
                {"run_id": run, "seen_at": at, "source_id": source, "origin": "crawl",
                 "outcome": "failed" if reason else "stored", "reason": reason}
                for at, reason in self.fetches
            ])  # fmt: skip
        return self


def month(key: str, **facts: Any) -> History:
    """Thirty-five days as they should be, up to ten days ago."""
    return History(key).publish(NOW - 45 * DAY, NOW - 10 * DAY, 12, **facts)


def of(engine: Engine, history: History, **expected: Any) -> Health:
    history.write(engine)
    source = Source(key=history.key, **expected)
    (health,) = check(engine, {history.key: source}, {history.key}, NOW)
    return health


LATELY = (NOW - 10 * DAY, NOW - HOUR, 12)


def healthy() -> dict[str, History]:
    """Sources with habits of their own, none of them ill."""
    return {
        "busy": month("busy").publish(*LATELY),
        "huge": History("huge").publish(NOW - 36 * DAY, NOW - HOUR, 60),
        # Nobody works on Thursday and Friday; it is Friday, noon.
        "weekend": month("weekend", weekdays="56012").publish(*LATELY, weekdays="56012"),
        "weekly": History("weekly").publish(NOW - 400 * DAY, NOW - HOUR, 1, weekdays="1"),
        "undated": month("undated", dated=0.0).publish(*LATELY, dated=0.0),
        "half dated": month("half", dated=0.5).publish(*LATELY, dated=0.45),
        "briefs": month("briefs", letters=300).publish(*LATELY, letters=260),
        "cluttered": month("cluttered", removed=8).publish(*LATELY, removed=9),
        "shaky": month("shaky", refused=0.5).publish(*LATELY, refused=0.55),
        "slower": month("slower").publish(NOW - 10 * DAY, NOW - HOUR, 5),
        # One outage of ours, weeks ago, makes it neither silent nor patient.
        "outage": History("outage")
        .publish(NOW - 45 * DAY, NOW - 40 * DAY, 12)
        .publish(NOW - 34 * DAY, NOW - HOUR, 12),
    }


@pytest.mark.parametrize("habit", healthy())
def test_a_healthy_source_stays_quiet(engine: Engine, habit: str) -> None:
    health = of(engine, healthy()[habit])
    assert (health.verdict, dict(health.illnesses)) == ("healthy", {})


def ill() -> dict[Illness, History]:
    """A source for each illness, ill since yesterday or so."""
    return {
        Illness.SILENT: month("silent").publish(NOW - 10 * DAY, NOW - 2 * DAY, 12),
        Illness.QUIET: month("quiet").publish(NOW - 10 * DAY, NOW - 7 * DAY, 12)
        .publish(NOW - 7 * DAY, NOW - HOUR, 2),
        Illness.DATES_LOST: month("dates").publish(NOW - 10 * DAY, NOW - 2 * DAY, 12)
        .publish(NOW - 2 * DAY, NOW - HOUR, 12, dated=0.1),
        Illness.TEXTS_SHRUNK: month("texts").publish(NOW - 10 * DAY, NOW - 2 * DAY, 12)
        .publish(NOW - 2 * DAY, NOW - HOUR, 12, letters=700),
        Illness.FURNITURE_UP: month("furniture").publish(NOW - 10 * DAY, NOW - 2 * DAY, 12)
        .publish(NOW - 2 * DAY, NOW - HOUR, 12, removed=6),
        Illness.FALLBACK_UP: month("fallback").publish(NOW - 10 * DAY, NOW - 2 * DAY, 12)
        .publish(NOW - 2 * DAY, NOW - HOUR, 12, fallback=0.8),
        Illness.REFUSED_UP: month("refused").publish(NOW - 10 * DAY, NOW - DAY, 12)
        .publish(NOW - DAY, NOW - HOUR, 24, refused=0.8),
    }  # fmt: skip


@pytest.mark.parametrize("illness", ill(), ids=str)
def test_each_illness_is_found_and_no_other(engine: Engine, illness: Illness) -> None:
    health = of(engine, ill()[illness])
    assert (health.verdict, list(health.illnesses)) == ("ill", [illness]), health
    assert re.search(r"\d", health.detail or "")
    # What was found is kept in the table, in words and figures.
    with read(engine) as connection:
        query = "SELECT h.*, s.key FROM source_health h JOIN sources s ON s.id = h.source_id"
        (row,) = connection.execute(text(query)).mappings().all()
    assert (row["key"], row["verdict"], row["detail"]) == (health.source, "ill", health.detail)
    kept = row["illnesses"]
    assert (json.loads(kept) if isinstance(kept, str) else kept) == [illness]
    assert row["articles_week"] == health.articles_week


def test_the_expected_volume_of_its_file(engine: Engine) -> None:
    history = month("expected").publish(*LATELY)
    health = of(engine, history, expected=Expected(articles_a_day=20))
    assert list(health.illnesses) == [Illness.BELOW_EXPECTED]
    assert "20 a day" in health.illnesses[Illness.BELOW_EXPECTED]
    sources = {"expected": Source(key="expected", expected=Expected(articles_a_day=9))}
    (health,) = check(engine, sources, None, NOW)
    assert health.verdict == "healthy"


def test_lists_that_cannot_be_read(engine: Engine) -> None:
    history = month("lost").publish(*LATELY)
    history.lists = [("feed", 5, False), ("sitemap", 0, True)]
    health = of(engine, history)
    assert list(health.illnesses) == [Illness.UNREACHABLE]
    assert "https://lost.example/feed" in str(health.detail)
    history = month("one-lost").publish(*LATELY)
    history.lists = [("feed", 5, False), ("sitemap", 0, False)]
    assert of(engine, history).verdict == "healthy"


def test_silence_is_the_sources_and_not_the_crawls(engine: Engine) -> None:
    """Where nobody crawled, no article is missed; after a week that itself is told."""
    paused = month("paused")
    paused.last_crawl = NOW - 6 * DAY
    paused.publish(NOW - 10 * DAY, paused.last_crawl - HOUR, 12)
    assert of(engine, paused).verdict == "healthy"
    forgotten = month("forgotten")
    forgotten.last_crawl = NOW - 10 * DAY
    health = of(engine, forgotten)
    assert list(health.illnesses) == [Illness.UNCRAWLED] and "10 days" in str(health.detail)


@pytest.mark.parametrize("days", [3, 40, 85, 89, 120, 400])
def test_silence_is_told_however_long_it_is(engine: Engine, days: int) -> None:
    end = NOW - days * DAY
    history = History("silent").publish(end - 60 * DAY, end, 3)
    assert list(of(engine, history).illnesses) == [Illness.SILENT]


def test_an_outage_of_ours_makes_nobody_patient(engine: Engine) -> None:
    history = History("outage").publish(NOW - 45 * DAY, NOW - 40 * DAY, 12)
    history.publish(NOW - 32 * DAY, NOW - 3 * DAY, 6)
    assert list(of(engine, history).illnesses) == [Illness.SILENT]


def test_a_new_source_is_not_judged(engine: Engine) -> None:
    """Its first crawls bring what had gathered; that is no measure of anything."""
    fresh = History("fresh")
    fresh.first_crawl = NOW - 5 * HOUR
    fresh.publish(NOW - 5 * HOUR, NOW - 4 * HOUR, 200, letters=200, dated=0.1, refused=0.9)
    del fresh.articles[18:]
    health = of(engine, fresh, expected=Expected(articles_a_day=500))
    assert (health.verdict, dict(health.illnesses)) == ("new", {})
    # Articles never came, and that for days: this is told of a new one as well.
    empty = History("empty")
    empty.first_crawl = NOW - HOUR
    assert of(engine, empty).verdict == "new"
    barren = History("barren")
    barren.first_crawl = NOW - 3 * DAY
    assert list(of(engine, barren).illnesses) == [Illness.SILENT]


def test_who_is_not_checked(engine: Engine) -> None:
    month("closed").publish(NOW - 10 * DAY, NOW - 5 * DAY, 12).write(engine)
    replayed = month("replayed")
    replayed.lists, replayed.fetches = [], []
    replayed.write(engine)
    sources = {"closed": Source(key="closed", disabled="it was closed")}
    assert check(engine, sources, None, NOW) == []
    assert [health.source for health in check(engine, {}, None, NOW)] == ["closed"]
    # Once it is disabled, the table forgets it.
    assert check(engine, sources, None, NOW) == []
    with read(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM source_health")).scalar() == 0


def test_every_illness_is_explained() -> None:
    documented = (ROOT / "docs" / "health.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", documented, re.M)) == set(Illness)


# --- commands and webhook ------------------------------------------------------------------------


class Desk:
    """A web server that takes reports. `answers` are statuses to give, the last one for good."""

    def __init__(self, *answers: int) -> None:
        self.told: list[dict[str, Any]] = []
        self.asked = 0
        desk, waiting = self, list(answers)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                desk.asked += 1
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = waiting.pop(0) if len(waiting) > 1 else waiting[0]
                if status == 200:
                    assert self.headers["Content-Type"].startswith("application/json")
                    desk.told.append(json.loads(body))
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk(200)
    yield desk
    desk.close()


def of_today(history: History) -> History:
    """The same history, as if it had been until now."""
    late = datetime.now(UTC) - NOW
    history.first_crawl += late
    history.last_crawl += late
    history.fetches = [(at + late, reason) for at, reason in history.fetches]
    for article in history.articles:
        article["first_seen"] += late
    return history


def test_command_tells_by_table_exit_code_and_webhook(
    database: str, desk: Desk, tmp_path: Path
) -> None:
    engine = open_engine(database, create=True)
    schema.upgrade(engine)
    of_today(ill()[Illness.SILENT]).write(engine)
    of_today(healthy()["busy"]).write(engine)
    engine.dispose()
    command = ["health", "--db", database, "--sources", str(tmp_path)]
    done = run_warraq([*command, "--json", "--strict", "--webhook", desk.url])
    assert done.returncode == 1, done.stderr.decode()
    rows = {row["source"]: row for row in json.loads(done.stdout)}
    assert (rows["silent"]["verdict"], rows["busy"]["verdict"]) == ("ill", "healthy")
    assert "no new article for" in rows["silent"]["illnesses"]["silent"]
    (told,) = desk.told
    assert told["sources"] == [rows["silent"]] and "silent (silent)" in told["text"]
    done = run_warraq(command)
    assert done.returncode == 0
    assert b"no new article for" in done.stdout and b"2 sources, 1 ill" in done.stdout
    # All are well: nobody is told, and --strict has nothing to say.
    done = run_warraq([*command, "busy", "--strict", "--webhook", desk.url])
    assert (done.returncode, len(desk.told)) == (0, 1)


def test_command_without_crawls(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'w.db'}"
    engine = open_engine(database, create=True)
    schema.upgrade(engine)
    engine.dispose()
    done = run_warraq(["health", "--db", database, "--strict"])
    assert done.returncode == 0 and b"warraq crawl" in done.stderr
    assert run_warraq(["health", "nobody", "--db", database]).returncode == 2


def test_webhook_tries_again_and_gives_up() -> None:
    quick = (0.0, 0.01, 0.01)
    for answers, asked, told in (
        ((200,), 1, 1),
        ((503, 500, 200), 3, 1),
        ((503,), 3, 0),
        ((404, 200), 1, 0),  # it will not come to like it
        ((302,), 1, 0),  # a redirect would make it a GET
    ):
        desk = Desk(*answers)
        try:
            if told:
                post(desk.url, {"text": "نص"}, quick)
            else:
                with pytest.raises(WebhookError, match="HTTP status"):
                    post(desk.url, {"text": "نص"}, quick)
        finally:
            desk.close()
        assert (desk.asked, len(desk.told)) == (asked, told)
        assert desk.told == [{"text": "نص"}] * told
    with pytest.raises(WebhookError, match="refused") as caught:
        post(desk.url, {}, quick)
    assert caught.value.exit_code == 3
    with pytest.raises(UsageError, match="http"):
        post("file:///etc/passwd", {})


def test_crawls_tell_at_their_end(desk: Desk, tmp_path: Path) -> None:
    """`warraq crawl` and `scrapy crawl`, which has Spidermon: exit code, log and webhook."""
    from tests.site import Site

    database = f"sqlite:///{tmp_path / 'w.db'}"
    engine = open_engine(database, create=True)
    schema.upgrade(engine)
    history = month("port").publish(NOW - 10 * DAY, NOW - 2 * DAY, 12)
    of_today(history.publish(NOW - 2 * DAY, NOW - HOUR, 12, dated=0.0)).write(engine)
    engine.dispose()
    sources = tmp_path / "sources"
    sources.mkdir()
    known = {
        "WARRAQ_DB": database,
        "WARRAQ_SOURCES": str(sources),
        "WARRAQ_ARCHIVE": str(tmp_path / "archive"),
        "WARRAQ_WEBHOOK": desk.url,
    }
    with Site(articles=3) as site:
        (sources / "port.yml").write_text(site.source(["/feed.xml"]), encoding="utf-8")
        where = ["--sources", str(sources), "--archive", str(tmp_path / "archive")]
        done = run_warraq(["crawl", *where, "--json", "--strict"], None, **known)
        assert done.returncode == 1, done.stderr.decode()
        assert b"ill: port:" in done.stderr and b"have a date" in done.stderr
        summary = json.loads(done.stdout)
        assert summary["outcomes"] == {"stored": 3}
        assert list(summary["ill"][0]["illnesses"]) == ["dates_lost"]
        scrapy = [sys.executable, "-m", "scrapy", "crawl", "feed", "-a", "source=port"]
        for strict, code in (([], 0), (["-s", "WARRAQ_STRICT=1"], 1)):
            told = subprocess.run(
                [*scrapy, *strict], cwd=ROOT, capture_output=True, env={**os.environ, **known}
            )
            assert told.returncode == code, told.stderr.decode()
            assert b"have a date" in told.stderr and b"Spidermon" in told.stderr
    assert [[each["source"] for each in row["sources"]] for row in desk.told] == [["port"]] * 3
