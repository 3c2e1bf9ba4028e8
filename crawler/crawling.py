"""Runs a crawl of several sources within Scrapy: one spider a source, several at a time."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from scrapy.crawler import AsyncCrawlerProcess
from scrapy.settings import Settings

from crawler.crawl import Crawl
from crawler.spiders.site import SiteSpider
from pipelines.db.addresses import DISCOVERY, roots
from pipelines.errors import LockedError
from pipelines.source import Source
from pipelines.urls import host_of

#: Sources that are crawled at once. Each is polite to its own site; together they keep the
#: worker processes busy.
AT_ONCE = 16
#: What Scrapy calls a spider's end that a signal brought.
SHUTDOWN = "shutdown"
#: A crawl that is told twice to stop takes no longer than that (seconds).
_LAST_SECONDS = 10


def project_settings(more: Mapping[str, Any]) -> Settings:
    """Those of `crawler/settings.py`, wherever this is called, and `more` on top."""
    settings = Settings()
    settings.setmodule("crawler.settings", priority="project")
    settings.setdict(dict(more), priority="cmdline")
    return settings


def run_crawl(
    crawl: Crawl, sources: Iterable[Source], settings: Settings
) -> tuple[bool, list[LockedError]]:
    """Crawls the sources: those on one host one after the other, others side by side.

    Returns whether it was interrupted, and a LockedError for each source that another crawl
    holds. Takes the process's one Twisted reactor: a process crawls once. Raises what `Crawl`
    raises.
    """
    process = AsyncCrawlerProcess(settings)
    # A robots.txt that does not answer is told with a page of stack; its pages are told after it.
    logging.getLogger("scrapy.downloadermiddlewares.robotstxt").setLevel(logging.CRITICAL)
    from twisted.internet import reactor as installed  # only now: the process installed it

    reactor: Any = installed
    loop = asyncio.get_event_loop()
    locked: list[LockedError] = []
    hosts: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
    places = asyncio.Semaphore(AT_ONCE)
    stopping = False

    async def one(source: Source) -> None:
        async with AsyncExitStack() as held:
            for host in sorted({host_of(url) or "" for url in roots(source, DISCOVERY)}):
                await held.enter_async_context(hosts[host])
            await held.enter_async_context(places)
            if stopping or crawl.trouble:
                return
            try:
                site = await crawl.source(source)
            except LockedError as error:
                locked.append(error)
                return
            await process.crawl(SiteSpider, site=site)
            if site.summary.stopped == SHUTDOWN:
                stop()

    async def everything() -> None:
        await crawl.open()
        status = "interrupted"
        try:
            await asyncio.gather(*(one(source) for source in sources))
            status = "interrupted" if stopping else "done"
        finally:
            await crawl.close(status)

    def stop() -> None:
        nonlocal stopping
        stopping = True

    def ended(_: object) -> None:
        if reactor.running:
            reactor.stop()

    task = loop.create_task(everything())
    task.add_done_callback(ended)
    reactor.addSystemEventTrigger("before", "shutdown", lambda: None if task.done() else stop())
    process.start(stop_after_crawl=False)
    if not task.done():  # told to stop before it was done: what is fetched is still written
        loop.run_until_complete(asyncio.wait({task}, timeout=_LAST_SECONDS))
    if not task.done():
        raise KeyboardInterrupt
    task.result()
    if crawl.trouble:
        raise crawl.trouble
    return stopping, locked
