"""Scrapy's settings for crawls, each with its reason. `warraq crawl` and `scrapy crawl` share them.

What a source's file says (pace, scripts) comes on top: see `crawler/spiders/site.py`.
"""

import os
from importlib.metadata import version

BOT_NAME = "warraq"
SPIDER_MODULES = ["crawler.spiders"]

# --- manners -------------------------------------------------------------------------------------

#: Where the people who run a site can reach those who run the crawl: a URL or an e-mail address.
WARRAQ_CONTACT = os.environ.get("WARRAQ_CONTACT", "")
#: One honest name on every request.
USER_AGENT = f"Warraq/{version('warraq')}" + (f" (+{WARRAQ_CONTACT})" if WARRAQ_CONTACT else "")
#: What a robots.txt calls us.
ROBOTSTXT_USER_AGENT = "Warraq"
ROBOTSTXT_OBEY = True
#: A site that answers slowly is asked more slowly. It begins with the pace of the source's file,
#: not with Scrapy's 5 seconds.
AUTOTHROTTLE_ENABLED = True
AUTOTHROTTLE_START_DELAY = 0
AUTOTHROTTLE_MAX_DELAY = 60
#: A delay is kept as stated: a random one would undercut what robots.txt asks for.
DOWNLOAD_DELAY_JITTER = 0
#: A page that fails for a moment is asked for twice more, after the wait that the site names.
RETRY_TIMES = 2
#: A site that asks for a longer wait (seconds) is left alone until a later crawl.
WARRAQ_LONGEST_WAIT = 60
#: News sites need no session; a crawl that keeps none is the same each time.
COOKIES_ENABLED = False
#: Arabic first, where a site has editions.
DEFAULT_REQUEST_HEADERS = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.5",
    "Accept-Language": "ar,fa;q=0.8,ur;q=0.8,*;q=0.5",
}

# --- bounds --------------------------------------------------------------------------------------

#: Seconds for one response, from the request to its last byte: a drip of bytes ends as well.
DOWNLOAD_TIMEOUT = 60
#: Bytes of a response, packed and unpacked; what is longer is cut off.
DOWNLOAD_MAXSIZE = 20_000_000
DOWNLOAD_WARNSIZE = 0
REDIRECT_MAX_TIMES = 5
#: A redirect by the page itself is not followed: such a page is dealt with as it is.
METAREFRESH_ENABLED = False
URLLENGTH_LIMIT = 4000
#: Networks that are not public and may be reached all the same: `127.0.0.0/8 10.2.0.0/16`.
WARRAQ_ALLOW_ADDRESSES = os.environ.get("WARRAQ_ALLOW_ADDRESSES", "")
#: `http_proxy` of the environment would lead past the guard, which sees the proxy's address alone.
HTTPPROXY_ENABLED = False
#: Bounds headers as well. No other scheme: a redirect may ask for file:///etc/passwd.
DOWNLOAD_HANDLERS = {
    "http": "crawler.middlewares.BoundedHandler",
    "https": "crawler.middlewares.BoundedHandler",
    "data": None,
    "file": None,
    "ftp": None,
    "s3": None,
}
#: Bytes of responses in memory until they are written. More, and nothing more is fetched.
SCRAPER_SLOT_MAX_ACTIVE_SIZE = 5_000_000

# --- the flow ------------------------------------------------------------------------------------

#: Every status is an answer that ends in the ledger.
HTTPERROR_ALLOW_ALL = True
#: The database knows each address once, and decides when it is asked for again.
DUPEFILTER_CLASS = "scrapy.dupefilters.BaseDupeFilter"
#: In the order found, so that a crawl that was killed goes on where it was.
SCHEDULER_MEMORY_QUEUE = "scrapy.squeues.FifoMemoryQueue"
DOWNLOADER_MIDDLEWARES = {
    # Before robots.txt is asked for (100).
    "crawler.middlewares.AddressGuard": 20,
    "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware": None,
    "crawler.manners.Robots": 100,
    # Leaves Scrapy's HttpCompression (590) nothing to do: see its docstring.
    "crawler.middlewares.Unpacking": 595,
    # Nearer to the site than Scrapy's retries (550), which then wait for as long as it asks.
    "crawler.manners.BackOff": 560,
}
EXTENSIONS = {
    "crawler.manners.CrawlDelay": 100,
    "spidermon.contrib.scrapy.extensions.Spidermon": 500,
}
ITEM_PIPELINES = {
    "crawler.item_pipelines.Process": 300,
    "crawler.item_pipelines.Store": 800,
}
TWISTED_REACTOR = "twisted.internet.asyncioreactor.AsyncioSelectorReactor"

# --- what stays off ------------------------------------------------------------------------------

#: Both run code for whoever reaches their port on this machine.
REMOTE_CONTROL_ENABLED = False
TELNETCONSOLE_ENABLED = False
#: An item holds a whole page: logging it would fill the log.
LOG_FORMATTER = "crawler.manners.QuietLog"
LOG_LEVEL = "INFO"
#: What did not answer is named in the ledger, and in the summary.
RETRY_GIVE_UP_LOG_LEVEL = "INFO"

# --- health: see `crawler/monitors.py` -----------------------------------------------------------

#: `warraq crawl` switches it off, and checks all its sources at once at its end.
SPIDERMON_ENABLED = True
SPIDERMON_ENGINE_STOP_MONITORS = ("crawler.monitors.SourceSuite",)
#: Where to POST what is wrong with a source.
WARRAQ_WEBHOOK = os.environ.get("WARRAQ_WEBHOOK", "")
#: Makes `scrapy crawl` end with 1 where its source is ill: failed monitors alone do not.
WARRAQ_STRICT = False
COMMANDS_MODULE = "crawler.scrapy_commands"

# --- pages that scripts make ---------------------------------------------------------------------

#: A Chromium that is there, instead of the one that `playwright install chromium` fetches.
WARRAQ_CHROMIUM = os.environ.get("WARRAQ_CHROMIUM", "")

# --- for `scrapy crawl`, which has no options of ours --------------------------------------------

WARRAQ_DB = os.environ.get("WARRAQ_DB")
WARRAQ_SOURCES = os.environ.get("WARRAQ_SOURCES", "seeds/sources")
WARRAQ_ARCHIVE = os.environ.get("WARRAQ_ARCHIVE", "data/archive")
