"""How a site is treated beyond what Scrapy does itself: robots.txt's Crawl-delay, Retry-After."""

import asyncio
import logging
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Self

from scrapy import Request, Spider, signals
from scrapy.crawler import Crawler
from scrapy.downloadermiddlewares.robotstxt import RobotsTxtMiddleware
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Response
from scrapy.logformatter import LogFormatter, LogFormatterResult
from scrapy.robotstxt import RobotParser
from scrapy.utils.httpobj import urlparse_cached

from crawler.middlewares import NO_ROBOTS, reason_of
from pipelines.document import Reason

#: Statuses that ask for patience.
_WAIT = (429, 503)
#: Seconds after the first such answer without Retry-After, twice as long after each further one.
_FIRST_WAIT = 1.0
#: No robots.txt can stop a crawl for longer between two requests.
_LONGEST_DELAY = 3600.0


class Robots(RobotsTxtMiddleware):
    """Scrapy's own, asked one request at a time, and heard as RFC 9309 says.

    Of several requests that wait for one robots.txt, Scrapy 2.19 gives it to the first alone; the
    others find None, which means that all is allowed. So it is, to Scrapy, where a server fails
    or does not answer: what the site forbids is not known then, and nothing is asked for.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._silent: dict[str, str] = {}  # host -> why its robots.txt can't be had

    async def robot_parser(self, request: Request) -> RobotParser | None:
        async with self._asking[urlparse_cached(request).netloc]:
            return await super().robot_parser(request)

    def process_request_2(self, rp: RobotParser | None, request: Request) -> None:
        if why := self._silent.get(urlparse_cached(request).netloc):
            raise IgnoreRequest(f"{NO_ROBOTS}: {why}")
        super().process_request_2(rp, request)

    async def _parse_robots(self, response: Response, netloc: str, request: Request) -> None:
        if response.status >= 500:
            self._silent[netloc] = f"HTTP status {response.status}"
        await super()._parse_robots(response, netloc, request)

    def _robots_error(self, exc: Exception, netloc: str) -> None:
        reason, said = reason_of(exc)
        # Where redirects have no end there is none; what may not be reached is told by the guard.
        if reason not in (Reason.TOO_MANY, Reason.BLOCKED_ADDRESS):
            self._silent[netloc] = said
        super()._robots_error(exc, netloc)


class CrawlDelay:
    """Never asks a host more often than its robots.txt allows, whatever AutoThrottle finds."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._delays: dict[str, float] = {}
        crawler.signals.connect(self._robots_parsed, signals.robots_parsed)
        # AutoThrottle has connected before: what it sets is raised again.
        crawler.signals.connect(self._downloaded, signals.response_downloaded)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler)

    def _robots_parsed(self, robotparser: Any, request: Request) -> None:
        agent = self._crawler.settings["ROBOTSTXT_USER_AGENT"]
        delay = getattr(robotparser.rp, "crawl_delay", lambda _: None)(agent)
        if not delay:
            return
        downloader = self._crawler.engine.downloader
        key = urlparse_cached(request).hostname or ""
        self._delays[key] = delay = min(float(delay), _LONGEST_DELAY)
        delay = max(delay, self._crawler.settings.getfloat("DOWNLOAD_DELAY"))
        # For the slot that is there, and for the next, after this one was idle.
        downloader.per_slot_settings[key] = {"delay": delay, "concurrency": 1}
        if slot := downloader.slots.get(key):
            slot.delay, slot.concurrency = max(slot.delay, delay), 1

    def _downloaded(self, request: Request) -> None:
        key = request.meta.get("download_slot", "")
        slot = self._crawler.engine.downloader.slots.get(key)
        if slot and key in self._delays:
            slot.delay = max(slot.delay, self._delays[key])


class BackOff:
    """After 429 and 503 nothing is asked of the host for as long as it says, or longer and longer.

    Where it asks for more than WARRAQ_LONGEST_WAIT seconds, the answer goes to the spider, which
    leaves the site alone.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._longest = crawler.settings.getfloat("WARRAQ_LONGEST_WAIT")
        self._until: dict[str, float] = {}
        self._refused: dict[str, int] = {}  # such answers in a row

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        host = urlparse_cached(request).netloc
        while (left := self._until.get(host, 0.0) - time.monotonic()) > 0:
            await asyncio.sleep(left)

    def process_response(self, request: Request, response: Response) -> Response:
        host = urlparse_cached(request).netloc
        if response.status not in _WAIT:
            self._refused.pop(host, None)
            return response
        self._refused[host] = refused = self._refused.get(host, 0) + 1
        asked = retry_after(response)
        if asked is not None and asked.total_seconds() > self._longest:
            request.meta["dont_retry"] = True
            return response
        wait = asked.total_seconds() if asked is not None else _FIRST_WAIT * 2 ** (refused - 1)
        self._until[host] = time.monotonic() + min(wait, self._longest)
        return response


def retry_after(response: Response) -> timedelta | None:
    """How long the site asks to be left alone: seconds, or a date."""
    stated = (response.headers.get("Retry-After") or b"").decode("latin-1").strip()
    if stated.isascii() and stated.isdecimal() and len(stated) < 9:
        return timedelta(seconds=int(stated))
    try:
        at = parsedate_to_datetime(stated)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(at - datetime.now(UTC), timedelta(0))


class QuietLog(LogFormatter):
    """Says nothing of each item, and of one that fails no more than where: it holds a page."""

    def item_error(
        self, item: Any, exception: BaseException, response: Any, spider: Spider
    ) -> LogFormatterResult:
        url = getattr(response, "url", None)
        said = {"url": url, "why": " ".join(str(exception).split())[:500]}
        return {"level": logging.ERROR, "msg": "%(url)s: %(why)s", "args": said}

    def scraped(  # type: ignore[override]  # None is documented: it means no message
        self, item: Any, response: Any, spider: Spider
    ) -> LogFormatterResult | None:
        return None
