"""A saved web page is one page, and may say where it came from."""

import re
from collections.abc import Iterator
from dataclasses import replace

from crawler.readers.manifest import Listed, is_web_address
from crawler.readers.options import ReadOptions
from crawler.readers.stream import Source
from crawler.readers.text import read_text
from pipelines.document import RawPage, Unreadable

_HEAD = 8192
#: Browsers write the first, the SingleFile extension the second.
_SAVED_FROM = re.compile(
    rb"<!--\s{0,9}(?:saved from url=\(\d{1,6}\)|Page saved with SingleFile\s{1,9}url:\s{0,9})"
    rb"(https?://[^\s<>\"]{1,4000})",
    re.IGNORECASE,
)


def read_html(
    source: Source, path: str, options: ReadOptions, listed: Listed
) -> Iterator[RawPage | Unreadable]:
    """The one page of an HTML file (also .gz), or why there is none."""
    for page in read_text(source, path, options, listed):
        if isinstance(page, RawPage):
            yield replace(page, media_type="text/html", url=page.url or saved_from(page.body))
        else:
            yield page


def saved_from(body: bytes) -> str | None:
    """The address in the comment that a browser writes into a page when it saves it."""
    found = _SAVED_FROM.search(body[:_HEAD])
    if found is None:
        return None
    url = found[1].decode("utf-8", "replace").removesuffix("--")
    return url if is_web_address(url) and "\ufffd" not in url else None
