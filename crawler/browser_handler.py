"""Where scrapy-playwright is loaded: for sources with `scripts: true` alone."""

from scrapy_playwright.handler import ScrapyPlaywrightDownloadHandler

from crawler.middlewares import BoundedHandler


class BrowserHandler(ScrapyPlaywrightDownloadHandler, BoundedHandler):  # type: ignore[misc]  # no types
    """Pages come from the browser; feeds, sitemaps and robots.txt as in every crawl."""
