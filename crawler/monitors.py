"""`scrapy crawl` tells of ill sources as `warraq crawl` does, through Spidermon.

The judgement is `pipelines.db.health.check`, which needs no Spidermon; what Spidermon gives is the
place where Scrapy's users look for it. It runs when the engine has stopped: the crawl is in the
database by then, and nothing waits for the event loop. A failed monitor changes no exit code: the
command `crawl` in `crawler/scrapy_commands` does, by `ill`.
"""

import logging
from pathlib import Path
from typing import Any, ClassVar
from unittest import SkipTest

from spidermon import Action, Monitor, MonitorSuite

from crawler.webhook import post
from pipelines.db.engine import open_engine
from pipelines.db.health import Health, check, report
from pipelines.errors import UserError
from pipelines.source import load_sources

_log = logging.getLogger(__name__)

#: What this process's crawls found ill.
ill: list[Health] = []


class SourceMonitor(Monitor):  # type: ignore[misc]  # spidermon has no types
    """The source that was crawled, against its own past."""

    def test_source_is_as_it_was(self) -> None:
        crawler: Any = self.data.crawler
        settings = crawler.settings
        key = getattr(crawler.spider, "source_key", None)
        if key is None:
            raise SkipTest("this spider crawls no source")
        engine = open_engine(settings["WARRAQ_DB"])
        try:
            sources = load_sources(Path(settings["WARRAQ_SOURCES"]))
            found = check(engine, sources, {key})
        finally:
            engine.dispose()
        now = [each for each in found if each.illnesses]
        ill.extend(now)
        if now:
            self.fail("\n".join(f"{each.source}: {each.detail}" for each in now))


class TellWebhook(Action):  # type: ignore[misc]  # see above
    """POSTs what is wrong to WARRAQ_WEBHOOK."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    @classmethod
    def from_crawler_kwargs(cls, crawler: Any) -> dict[str, Any]:
        return {"url": crawler.settings.get("WARRAQ_WEBHOOK") or ""}

    def run_action(self) -> None:
        if not (self._url and ill):
            return
        try:
            post(self._url, report(ill))
        except UserError as error:
            _log.error("%s", error)


class SourceSuite(MonitorSuite):  # type: ignore[misc]  # see above
    """All that is checked at the end of a crawl."""

    monitors: ClassVar = [SourceMonitor]
    monitors_failed_actions: ClassVar = [TellWebhook]
