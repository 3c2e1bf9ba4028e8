"""`scrapy crawl sitemap -a source=KEY`: a source by its sitemaps alone."""

from crawler.spiders.site import SiteSpider
from pipelines.db.addresses import ANNOUNCING, Kind


class SitemapSpider(SiteSpider):
    """Reads the source's sitemaps, and asks for all pages that are due."""

    name = "sitemap"
    kinds = (Kind.SITEMAP, *ANNOUNCING)
