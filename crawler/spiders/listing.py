"""`scrapy crawl listing -a source=KEY`: a source by its listings alone."""

from crawler.spiders.site import SiteSpider
from pipelines.db.addresses import Kind


class ListingSpider(SiteSpider):
    """Reads the source's listings, and asks for all pages that are due."""

    name = "listing"
    kinds = (Kind.LISTING,)
