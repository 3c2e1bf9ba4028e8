"""The spider of all sources: asks for what is due, and hands on what comes."""

import json
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from scrapy import Request, Spider, signals
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from crawler.archive import Fetched
from crawler.crawl import TROUBLED, Answer, Crawl, SourceCrawl, Wishes
from crawler.manners import retry_after
from crawler.middlewares import reason_of
from pipelines.db.addresses import DISCOVERY, Address, Kind
from pipelines.errors import UsageError, UserError
from pipelines.source import Source, load_sources

if TYPE_CHECKING:  # loaded for sources with `scripts` alone
    from crawler.browser import GuardedProxy


class SiteSpider(Spider):
    """One source, by all its feeds, sitemaps and listings.

    `scrapy crawl site -a source=KEY`; `warraq crawl` runs one for each source, and gives it the
    `site` that it has begun with.
    """

    name = "site"
    kinds: ClassVar[tuple[Kind, ...]] = DISCOVERY
    site: SourceCrawl
    _source: Source

    def __init__(self, source: str = "", site: SourceCrawl | None = None, **_: Any) -> None:
        super().__init__()
        if site is not None:
            self.site = site
        self._key = source
        self._own: Crawl | None = None
        self._proxy: GuardedProxy | None = None  # for the browser, if the source needs one

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        spider = super().from_crawler(crawler, *args, **kwargs)
        if hasattr(spider, "site"):
            spider._source = spider.site.source
        else:
            spider._source, spider._own = _own_crawl(spider._key, crawler.settings)
        spider._set_pace(crawler.settings)
        if spider._source.scripts:
            spider._use_browser(crawler.settings)
        crawler.signals.connect(spider._closed, signals.spider_closed)
        crawler.signals.connect(spider._broke, signals.spider_error)
        return spider

    @property
    def source_key(self) -> str:
        return self._source.key

    def _set_pace(self, settings: BaseSettings) -> None:
        pace = self._source.pace
        facts = {
            "DOWNLOAD_DELAY": pace.delay,
            "AUTOTHROTTLE_START_DELAY": pace.delay,
            "AUTOTHROTTLE_TARGET_CONCURRENCY": pace.concurrency,
            "CONCURRENT_REQUESTS_PER_DOMAIN": pace.concurrency,
            "CONCURRENT_REQUESTS": 2 * pace.concurrency + 2,  # as many as `SourceCrawl` gives
        }
        for name, value in facts.items():
            settings.set(name, value, priority="spider")

    def _use_browser(self, settings: BaseSettings) -> None:
        from crawler.browser import GuardedProxy, browser_settings, require_browser

        require_browser(self._source.key)
        self._proxy = GuardedProxy(settings)
        for name, value in browser_settings(settings, self._proxy.url).items():
            settings.set(name, value, priority="spider")

    async def begin(self) -> None:
        """Called before anything is asked for. Raises UserError if the crawl can't begin."""
        if self._proxy is not None:
            await self._proxy.start()
        if self._own is not None:
            await self._own.open()
            try:
                self.site = await self._own.source(self._source, self.kinds)
            except BaseException:
                await self._own.close("failed")
                raise

    async def _closed(self, reason: str) -> None:
        if self._proxy is not None:
            self._proxy.close()
        if not hasattr(self, "site"):
            return
        summary = self.site.summary
        summary.requests += self.crawler.stats.get_value("downloader/request_count", 0)
        summary.bytes_fetched += self.crawler.stats.get_value("downloader/response_bytes", 0)
        if reason != "finished":
            summary.stopped = summary.stopped or reason
        await self.site.end()
        if self._own is not None:
            await self._own.close("done" if reason == "finished" else "interrupted")
            self.logger.info("%s", json.dumps(self._own.summary.as_json(), ensure_ascii=False))

    def _broke(self) -> None:
        self.site.landed()  # a defect in a callback costs one address

    async def start(self) -> AsyncIterator[Request]:
        try:
            async for address in self.site.due():
                yield self._request(address)
        except UserError as error:  # the database can't be used: the crawl ends, and says why
            self.site.crawl.fail(error)

    def _request(self, address: Address) -> Request:
        by_browser = self._proxy is not None and address.kind is Kind.PAGE
        return Request(
            address.url,
            self._answered,
            # What a browser makes of a page is no version that the server knows.
            headers={} if by_browser else address.validators,
            meta={"playwright": True} if by_browser else {},
            errback=self._failed,
            dont_filter=True,
            cb_kwargs={"address": address},
        )

    def _answered(self, response: Response, address: Address) -> Iterator[Answer]:
        self.site.answered()
        request = response.request
        assert request is not None  # noqa: S101
        wait = detail = None
        if response.status in TROUBLED:
            detail, wait = f"HTTP status {response.status}", retry_after(response)
            if wait is not None and request.meta.get("dont_retry"):
                self.site.stop(f"the site asks to be left alone for {int(wait.total_seconds())} s")
        at = datetime.now(UTC)
        fetched = Fetched(
            url=response.url,
            status=response.status,
            headers=_pairs(response),
            body=response.body,
            fetched_at=at,
            kind=str(address.kind),
            source=self._source.key,
            stated=address.stated,
            moved_from=address.url if _is_for_good(request) else None,
            request_headers=_pairs(request),
        )
        number = self.site.crawl.number()
        yield Answer(number, address, at, fetched, detail=detail or "", wait=wait)

    def _failed(self, failure: Failure) -> Iterator[Answer]:
        address = failure.request.cb_kwargs["address"]  # type: ignore[attr-defined]
        self.site.answered()
        reason, detail = reason_of(failure.value or Exception("no reason given"))
        number = self.site.crawl.number()
        yield Answer(number, address, datetime.now(UTC), None, reason, detail)


def _is_for_good(request: Request) -> bool:
    """Whether redirects led here that are all permanent."""
    reasons = set(request.meta.get("redirect_reasons", ()))
    return bool(reasons) and reasons <= {301, 308}


def _pairs(message: Request | Response) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, values in message.headers.items() for value in values]


def _own_crawl(key: str, settings: BaseSettings) -> tuple[Source, Crawl]:
    """For `scrapy crawl`: database, sources and archive as the settings name them."""
    from crawler.forking import start_forking
    from pipelines.db.engine import open_engine
    from pipelines.db.schema import require

    sources = load_sources(Path(settings["WARRAQ_SOURCES"]))
    if key not in sources:
        raise UsageError(
            f"-a source={key}: {settings['WARRAQ_SOURCES']} has no such source; "
            "its key is the path of its file there, such as eg/sahifa"
        )
    start_forking()
    engine = open_engine(settings["WARRAQ_DB"], create=True)
    require(engine, create=True)
    archive = settings["WARRAQ_ARCHIVE"]
    wishes = Wishes(archive=Path(archive) if archive else None)
    return sources[key], Crawl(engine, sources, wishes, " ".join(sys.argv))
