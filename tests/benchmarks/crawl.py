"""`python -m tests.benchmarks.crawl`: a crawl of a newsroom on loopback, everything on, beside a
spider that only fetches.

The site's articles are generated pages as large as real ones. Each line is a process of its own,
start-up included; the server shares the processors with it. What a first crawl of some pages
learned is known to the measured one. A 10 ms ticker in its event loop tells how late it is woken:
that is how long extraction and storage hold the loop up.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar, Self

from scrapy import Request, Spider, signals
from scrapy.crawler import Crawler

from crawler.show import print_table, say
from tests.benchmarks.measure import COLUMNS, Measured, Row, measure, row_of
from tests.benchmarks.pages import page
from tests.site import Site

_TICK = 0.01

#: Fetches the pages as a crawl does (same settings, same middlewares) and looks at none.
_NULL = """
import sys
from scrapy.crawler import AsyncCrawlerProcess
from crawler.crawling import project_settings
from tests.benchmarks.crawl import NullSpider
process = AsyncCrawlerProcess(project_settings({**NullSpider.facts, "LOG_LEVEL": "WARNING"}))
process.crawl(NullSpider, urls=sys.argv[1])
process.start()
"""

#: What `warraq crawl` does, with the ticker beside it.
_CRAWL = """
import sys
from pathlib import Path
from crawler.forking import start_forking
start_forking()
from crawler.crawl import NICE, Crawl, Wishes
from crawler.crawling import project_settings, run_crawl
from crawler.work import Limits
from pipelines.db.engine import open_engine
from pipelines.db.schema import require
from pipelines.source import load_sources
folder, archive, db, lag, limit = sys.argv[1:]
sources = load_sources(Path(folder))
engine = open_engine(db, create=True)
require(engine, create=True)
more = {"LOG_LEVEL": "WARNING", "BENCH_LAG": lag}
settings = project_settings(more)
settings.set("EXTENSIONS", {**settings["EXTENSIONS"].copy_to_dict(),
    "tests.benchmarks.crawl.Ticker": 900} , priority="cmdline")
wishes = Wishes(Limits(nice=NICE), Path(archive), int(limit) or None)
crawl = Crawl(engine, sources, wishes, "benchmark")
run_crawl(crawl, sources.values(), settings)
"""


class Ticker:
    """Notes how late the event loop wakes a task that sleeps 10 ms (milliseconds, as JSON)."""

    def __init__(self, crawler: Crawler) -> None:
        self._file = Path(crawler.settings["BENCH_LAG"])
        self._late: list[float] = []
        crawler.signals.connect(self._start, signals.spider_opened)
        crawler.signals.connect(self._stop, signals.spider_closed)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler)

    def _start(self) -> None:
        self._task = asyncio.ensure_future(self._tick())

    async def _tick(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(_TICK)
            self._late.append(1000 * (time.perf_counter() - began - _TICK))

    def _stop(self) -> None:
        self._task.cancel()
        self._file.write_text(json.dumps(self._late))


class NullSpider(Spider):
    name = "null"
    facts: ClassVar[dict[str, Any]] = {
        "ITEM_PIPELINES": {},
        "CONCURRENT_REQUESTS": 18,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 8,
        "AUTOTHROTTLE_TARGET_CONCURRENCY": 8,
    }

    def __init__(self, urls: str) -> None:
        super().__init__()
        self._urls = Path(urls).read_text().split()

    async def start(self) -> Any:
        for url in self._urls:
            yield Request(url, self.parse)

    def parse(self, response: Any) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--articles", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print_table(COLUMNS, [r.cells() for r in rows(Path(folder), given.articles, given.rounds)])


#: Pages of the first crawl.
_TEACHING = 40
_NULL_NAME = "a spider that only fetches, loopback site"


def rows(folder: Path, count: int, rounds: int) -> list[Row]:
    with Site(articles=count + _TEACHING) as site:
        for number, article in enumerate(site.articles):
            body = page(number, article.url).encode()
            path = article.url.removeprefix(site.url)
            site.script(path, 200, body, headers={"Content-Type": "text/html"}, times=None)
        return _rows(site, folder, count, rounds)


def _rows(site: Site, folder: Path, count: int, rounds: int) -> list[Row]:
    sources, urls, lag = folder / "sources", folder / "urls.txt", folder / "lag.json"
    site.write_source(sources, "xx/bench", ["/sitemap.xml"])
    urls.write_text("\n".join(article.url for article in site.articles[:count]))
    taken: dict[str, list[Measured]] = {}
    late: dict[str, list[float]] = {}

    def run(name: str, *command: object) -> None:
        lag.write_text("[]")
        done = measure(
            [sys.executable, "-c", *map(str, command)], WARRAQ_ALLOW_ADDRESSES="127.0.0.0/8"
        )
        taken.setdefault(name, []).append(done)
        late.setdefault(name, []).extend(json.loads(lag.read_text()))
        own = 1000 * done.own / count
        say(f"{name}: {done.wall:.1f} s, of the event loop's process {own:.1f} ms CPU a page")

    for number in range(rounds):
        db, archive = f"sqlite:///{folder}/{number}.db", folder / f"{number}"
        run(_NULL_NAME, _NULL, urls)
        run("teaching", _CRAWL, sources, archive, db, lag, _TEACHING)
        run("crawl", _CRAWL, sources, archive, db, lag, 0)
    null = row_of(_NULL_NAME, taken[_NULL_NAME], count)
    name = "crawl of it, everything on, templates known"
    latest = _late(late["crawl"], 0.99)
    return [
        null,
        row_of(name, taken["crawl"], count, null.rate, least=0.35),
        Row("its event loop is late, 99th percentile, ms", latest, most=200),
    ]


def _late(late: list[float], share: float) -> float:
    ordered = sorted(late) or [0.0]
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


if __name__ == "__main__":
    main()
