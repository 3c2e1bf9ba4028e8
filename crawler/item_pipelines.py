"""Scrapy's way from an answer to the database: two adapters around `crawler.crawl`."""

from typing import Self

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.exceptions import DropItem

from crawler.crawl import Answer, Read
from crawler.spiders.site import SiteSpider
from pipelines.errors import UserError


class _Adapter:
    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler)

    @property
    def _spider(self) -> SiteSpider:
        spider = self._crawler.spider
        assert isinstance(spider, SiteSpider), "only these pipelines' own spiders have answers"  # noqa: S101
        return spider


class Process(_Adapter):
    """Answer -> what was read in it."""

    async def open_spider(self) -> None:
        await self._spider.begin()

    async def process_item(self, item: Answer) -> Read:
        site = self._spider.site
        try:
            return await site.crawl.process(site, item)
        except UserError as error:
            raise _dropped(error) from error


class Store(_Adapter):
    """What was read -> the database."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        for signal in (signals.item_scraped, signals.item_error, signals.item_dropped):
            crawler.signals.connect(self._landed, signal)

    async def process_item(self, item: Read) -> Read:
        site = self._spider.site
        try:
            await site.crawl.store(site, item)
        except UserError as error:
            raise _dropped(error) from error
        return item

    def _landed(self, item: Answer | Read) -> None:
        """Whatever became of an answer, another one may be asked for."""
        self._spider.site.crawl.let_go(item.number)
        self._spider.site.landed()


def _dropped(error: UserError) -> DropItem:
    """The crawl ends, and says why: not each of its answers as well, with a page of stack."""
    return DropItem(str(error), log_level="DEBUG")
