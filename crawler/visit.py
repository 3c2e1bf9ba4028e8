"""A few addresses fetched one after the other, as a crawl would fetch them.

Scrapy's downloader does it, under the project's settings: robots.txt, the guard of addresses and
all limits hold here too.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from crawler.archive import Headers

T = TypeVar("T")
_DETAIL = 200


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of asking for `asked`: an answer from `url`, where redirects led, or `trouble`."""

    asked: str
    url: str
    status: int | None = None
    body: bytes = b""
    headers: Headers = ()
    trouble: str | None = None

    @property
    def content_type(self) -> str:
        stated = (value for name, value in self.headers if name.lower() == b"content-type")
        return next(stated, b"").decode("latin-1")


Fetch = Callable[[str], Awaitable[Visit]]


def visiting(work: Callable[[Fetch], Awaitable[T]]) -> T:
    """Runs `work` with a function that fetches an address. Once a process: Twisted's loop ends
    with it."""
    from scrapy import Spider
    from scrapy.crawler import AsyncCrawlerProcess
    from scrapy.settings import Settings

    class Visitor(Spider):
        name = "visitor"

        async def start(self) -> AsyncIterator[Any]:
            try:
                results.append(await work(self._fetch))
            except Exception as error:  # Scrapy would log it and end as if all were well
                errors.append(error)
            nothing: tuple[Any, ...] = ()
            for request in nothing:  # what makes this the generator that Scrapy expects
                yield request

        async def _fetch(self, url: str) -> Visit:
            return await _visit(self.crawler, url)

    settings = Settings()
    settings.setmodule("crawler.settings")
    # Nothing is stored or judged, and `paced` does what AutoThrottle would.
    own = {
        "ITEM_PIPELINES": {},
        "LOG_ENABLED": False,
        "AUTOTHROTTLE_ENABLED": False,
        "SPIDERMON_ENABLED": False,
    }
    settings.setdict(own, priority="cmdline")
    results: list[T] = []
    errors: list[Exception] = []
    process = AsyncCrawlerProcess(settings)
    process.crawl(Visitor)
    process.start()
    if errors:
        raise errors[0]
    if not results:
        raise KeyboardInterrupt  # a signal ended the loop
    return results[0]


async def _visit(crawler: Any, url: str) -> Visit:
    from scrapy import Request

    from crawler.middlewares import reason_of

    try:
        request = Request(url, meta={"dont_obey_robotstxt": url.endswith("/robots.txt")})
        answer = await crawler.engine.download_async(request)
    except asyncio.CancelledError:
        raise
    except Exception as error:
        reason, detail = reason_of(error)
        return Visit(url, url, trouble=f"{reason}: {' '.join(detail.split())}"[:_DETAIL])
    headers = [(name, value) for name, values in answer.headers.items() for value in values]
    trouble = None if 200 <= answer.status < 300 else f"HTTP status {answer.status}"
    return Visit(url, answer.url, answer.status, answer.body, headers, trouble)


def paced(fetch: Fetch, delay: float) -> Fetch:
    """`fetch` that waits `delay` seconds after each answer before it asks again."""
    lock = asyncio.Lock()
    answered: list[float] = []

    async def fetch_slowly(url: str) -> Visit:
        async with lock:
            now = asyncio.get_running_loop().time
            if answered:
                await asyncio.sleep(max(0.0, answered[-1] + delay - now()))
            try:
                return await fetch(url)
            finally:
                answered[:] = [now()]

    return fetch_slowly
