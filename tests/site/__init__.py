"""A generated newsroom on loopback: `with Site(articles=40) as site:`.

`python -m tests.site` serves it until Ctrl-C.
"""

from tests.site.newsroom import Answer, Article, Newsroom
from tests.site.server import Request, Site

__all__ = ["Answer", "Article", "Newsroom", "Request", "Site"]
