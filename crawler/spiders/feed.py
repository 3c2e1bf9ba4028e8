"""`scrapy crawl feed -a source=KEY`: a source by its feeds alone."""

from crawler.spiders.site import SiteSpider
from pipelines.db.addresses import Kind


class FeedSpider(SiteSpider):
    """Reads the source's feeds, and asks for all pages that are due."""

    name = "feed"
    kinds = (Kind.FEED, Kind.FRONT)
