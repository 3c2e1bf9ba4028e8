"""What keeps a crawl in bounds: addresses, sizes, times, and a name for each way a fetch can end.

`crawler/settings.py` switches it on, and has Scrapy's own bounds beside it: DOWNLOAD_MAXSIZE,
DOWNLOAD_TIMEOUT, REDIRECT_MAX_TIMES, URLLENGTH_LIMIT. tests/test_limits.py holds each of them to
its word. In an errback, `reason_of(failure.value)` gives the ledger's reason and detail.
"""

from typing import Any, Self

from scrapy import Request
from scrapy.core.downloader.handlers.http11 import (
    HTTP11DownloadHandler,
    _LenientHTTP11ClientFactory,
    _LenientHTTP11ClientProtocol,
    _LenientHTTPClientParser,
)
from scrapy.crawler import Crawler
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadFailedError,
    DownloadTimeoutError,
    IgnoreRequest,
    NotSupported,
    ResponseDataLossError,
    UnsupportedURLSchemeError,
)
from scrapy.http import Response, TextResponse
from scrapy.responsetypes import responsetypes
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.web._newclient import BODY, ParseError
from twisted.web.client import ResponseFailed

from crawler.address_guard import BlockedAddressError, Guard, install, read_networks
from crawler.readers.http_body import BadRecordError, TooLargeError, payload
from pipelines.document import Reason

#: Bytes of an answer up to its body. Browsers and servers take 8,000 to 64,000.
HEAD = 100_000
#: Content encodings one around the other. Each could unpack to DOWNLOAD_MAXSIZE anew.
ENCODINGS = 2


class OversizeError(IgnoreRequest):
    """Raised for an answer that is larger than it may be; the text says in which way."""


class CutShortError(IgnoreRequest):
    """Raised for an answer whose packed bytes end before their end, or are damaged."""


class AddressGuard:
    """Refuses requests by their URL, and all connections by the address they lead to.

    Scrapy itself looks at the length of URLs in pages, not in redirects.
    """

    def __init__(self, guard: Guard, longest: int) -> None:
        from twisted.internet import reactor

        self._guard = guard
        self._longest = longest
        install(reactor, guard)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        allowed = read_networks(crawler.settings.get("WARRAQ_ALLOW_ADDRESSES"))
        return cls(Guard(allowed), crawler.settings.getint("URLLENGTH_LIMIT"))

    def process_request(self, request: Request) -> None:
        if self._longest and len(request.url) > self._longest:
            raise OversizeError(f"a URL of {len(request.url):,} characters")
        why_not = self._guard.refusal(request.url)
        if why_not:
            raise BlockedAddressError(why_not)


class Unpacking:
    """Takes answers out of their content encodings, in the place of HttpCompression.

    That one is bounded by DOWNLOAD_MAXSIZE as well, but gives a page that was cut short for a
    whole one, and unpacks as many layers as an answer claims to have.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler.settings.getint("DOWNLOAD_MAXSIZE"))

    def process_response(self, request: Request, response: Response) -> Response:
        stated = b",".join(response.headers.getlist("Content-Encoding"))
        layers = [name.strip() for name in stated.split(b",") if name.strip()]
        if not layers:
            return response
        if len(layers) > ENCODINGS:
            raise OversizeError(f"packed {len(layers)} times, one around the other")
        said = {"content-encoding": b",".join(layers).decode("latin-1")}
        try:
            body = payload(response.body, said, self._limit, False, [])
        except TooLargeError:
            raise OversizeError(f"unpacked it has more than {self._limit:,} bytes") from None
        except BadRecordError as error:
            raise CutShortError(str(error)) from None
        headers = response.headers.copy()
        del headers["Content-Encoding"]
        kind = responsetypes.from_args(headers=headers, url=response.url, body=body)
        encoding = {"encoding": None} if issubclass(kind, TextResponse) else {}
        return response.replace(cls=kind, body=body, headers=headers, **encoding)


# --- headers ---------------------------------------------------------------------------------


class _BoundedParser(_LenientHTTPClientParser):
    """Twisted bounds each line of the headers, but neither their number nor that of 1xx answers."""

    _head = 0

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        if self.state != BODY:
            self._head += len(data)
            if self._head > HEAD + 65_536:  # the piece in which the body begins may be so large
                raise OversizeError(f"headers of more than {HEAD:,} bytes")
        super().dataReceived(data)  # type: ignore[no-untyped-call]

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: N802 - Twisted's name
        raise OversizeError(f"a header of more than {self.MAX_LENGTH:,} bytes")


class _BoundedProtocol(_LenientHTTP11ClientProtocol):
    def request(self, request: Any) -> Any:
        answered = super().request(request)
        # As Scrapy does it: Twisted makes the parser, and asks nobody which.
        self._parser.__class__ = _BoundedParser
        return answered


class _BoundedFactory(_LenientHTTP11ClientFactory):
    def buildProtocol(self, addr: Any) -> _BoundedProtocol:  # noqa: N802 - Twisted's name
        return _BoundedProtocol(self._quiescentCallback)  # type: ignore[no-untyped-call]


class BoundedHandler(HTTP11DownloadHandler):
    """Scrapy's handler, with a bound on the headers of an answer."""

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._pool._factory = _BoundedFactory


# --- how a fetch ended -----------------------------------------------------------------------


def reason_of(error: BaseException) -> tuple[Reason, str]:
    """Why there is no answer to a request, as the ledger names it, and the same in words."""
    cause = _inner(error)
    said = " ".join(str(cause).split())[:500] or type(cause).__name__
    if isinstance(cause, BlockedAddressError):
        return Reason.BLOCKED_ADDRESS, said
    if isinstance(cause, OversizeError):
        return Reason.TOO_LARGE, said
    if isinstance(cause, CutShortError):
        return Reason.TRUNCATED, said
    if isinstance(cause, HttpError):
        return Reason.HTTP_STATUS, f"HTTP status {cause.response.status}"
    if isinstance(cause, IgnoreRequest):
        for sign, reason in _IGNORED.items():
            if sign in said:
                return reason, said
        return Reason.TOO_MANY, said
    if isinstance(cause, DownloadCancelledError):
        # Scrapy stops an answer for its size alone: at once if it says how large it is, else
        # when it has become too large, and then without a word.
        known = said if "max size" in said else "cut off: it went on beyond DOWNLOAD_MAXSIZE"
        return Reason.TOO_LARGE, known
    for kinds, reason in _ENDED:
        if isinstance(cause, kinds):
            return reason, said
    return Reason.CRASHED, f"{type(cause).__name__}: {said}"


#: How a request is refused whose site has a robots.txt that can't be had (crawler/manners.py).
NO_ROBOTS = "robots.txt does not answer"
#: Scrapy's own middlewares all raise IgnoreRequest; only the words tell which it was.
_IGNORED = {
    NO_ROBOTS: Reason.UNREACHABLE,
    "robots.txt": Reason.ROBOTS,
    "max redirections": Reason.TOO_MANY,
}
_ENDED: tuple[tuple[tuple[type[BaseException], ...], Reason], ...] = (
    ((DownloadTimeoutError,), Reason.TIMEOUT),
    ((ResponseDataLossError, EOFError), Reason.TRUNCATED),
    ((NotSupported, UnsupportedURLSchemeError), Reason.BLOCKED_ADDRESS),
    (
        (
            CannotResolveHostError,
            DownloadConnectionRefusedError,
            DownloadFailedError,
            ConnectError,
            ConnectionClosed,
            ParseError,
            ValueError,  # a host's name that can be none
            OSError,
        ),
        Reason.UNREACHABLE,
    ),
)


def _inner(error: BaseException) -> BaseException:
    """What Twisted and Scrapy wrapped."""
    cause = error.__cause__ if isinstance(error, DownloadFailedError) else error
    if isinstance(cause, ResponseFailed):
        inner = [failure.value for failure in cause.reasons or ()]
        for one in inner:
            if isinstance(one, IgnoreRequest):
                return one
        return inner[0] if inner else error
    return cause or error
