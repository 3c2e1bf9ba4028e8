"""What the worst sites do: /hostile/, /broken/ and /slow/. Nothing of the newsroom links there.

`PATHS` lists what there is. Addresses that no crawl may reach are below /hostile/to/<name>
(redirects), in /hostile/feed.xml and in /hostile/sitemap.xml; `?host=127.0.0.9&port=8000` makes
the loopback ones lead to another site, whose requests then tell whether a guard held.
"""

import gzip
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler
from ipaddress import IPv4Address
from threading import Event
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import brotli  # type: ignore[import-untyped]
import zstandard

if TYPE_CHECKING:
    from tests.site.server import Request

#: Where all of it stands.
FOLDERS = ("/hostile/", "/broken/", "/slow/")
PATHS = {
    "/hostile/gzip-bomb": "10 GB of zeros in 10 MB of gzip",
    "/hostile/br-bomb": "200 MB of zeros in 36 kB of brotli",
    "/hostile/zstd-bomb": "200 MB of zeros in 6 kB of zstd",
    "/hostile/bomb.xml.gz": "a sitemap as a gzip file of 10 GB",
    "/hostile/xml-bomb.xml": "a feed whose entities unfold to 10^9 words",
    "/hostile/xml-square.xml": "a feed with one long entity, many times",
    "/hostile/xxe.xml": "a feed that asks for /etc/passwd and /hostile/reached?by=xxe",
    "/hostile/endless": "a page without an end",
    "/hostile/endless.xml": "a feed without an end",
    "/hostile/huge": "a page of 10 GB, as it says",
    "/hostile/drip": "a byte a fifth of a second, for ever",
    "/hostile/drip-headers": "headers, a byte a fifth of a second",
    "/hostile/headers": "100,000 headers",
    "/hostile/header-line": "one header of 20 MB",
    "/hostile/status-line": "a status line of 20 MB",
    "/hostile/calendar/2024/01": "links to the months before and after, without an end",
    "/hostile/pages": "a listing with a next page, always",
    "/hostile/index.xml": "a sitemap index that lists itself and deeper ones, without an end",
    "/hostile/many.xml": "a sitemap of 60,000 URLs",
    "/hostile/long.xml": "a feed with a URL of 100 kB",
    "/hostile/deep": "elements in elements, 200,000 deep",
    "/hostile/redirect/0": "redirects without an end",
    "/hostile/loop/a": "two redirects to each other",
    "/hostile/retry": "503, to be tried again in 30 years",
    "/broken/cut": "ends before its Content-Length",
    "/broken/chunks": "chunks of a wrong length",
    "/broken/reset": "the connection is reset in the body",
    "/broken/nothing": "the connection is closed without an answer",
    "/broken/no-http": "an answer that is no HTTP",
    "/broken/no-gzip": "says gzip, is none",
    "/broken/half-gzip": "gzip that ends in its middle",
    "/broken/charset": "a character set that nobody knows",
    "/broken/empty": "200 without a body",
    "/broken/500": "an error of the server",
    "/broken/feed.xml": "a feed with an unescaped & and without its end",
}
_STEP = 0.2  # seconds between two bytes of a drip
_HTML = "text/html; charset=utf-8"
_XML = "application/xml"


def targets(host: str, port: int) -> dict[str, str]:
    """Addresses that no crawl may reach. Loopback ones in all spellings lead to `host:port`."""
    number = int(IPv4Address(host))
    octets = [int(part) for part in host.split(".")]
    end = f":{port}/hostile/reached?by="
    return {
        "plain": f"http://{host}{end}plain",
        "localhost": f"http://localhost{end}localhost",
        "decimal": f"http://{number}{end}decimal",
        "hex": f"http://{number:#x}{end}hex",
        "octal": f"http://{'.'.join(f'0{octet:o}' for octet in octets)}{end}octal",
        "short": f"http://{octets[0]}.{octets[3]}{end}short",
        "mapped": f"http://[::ffff:{host}]{end}mapped",
        "nat64": f"http://[64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}]{end}nat64",
        "sixtofour": f"http://[2002:{number >> 16:x}:{number & 0xFFFF:x}::1]{end}sixtofour",
        "user": f"http://public.example@{host}{end}user",
        "ipv6": f"http://[::1]{end}ipv6",
        "zero": f"http://0.0.0.0{end}zero",
        "metadata": "http://169.254.169.254/latest/meta-data/",
        "private": "http://10.0.0.1/",
        "router": "http://192.168.1.1/",
        "shared": "http://100.64.0.1/",
        "multicast": "http://224.0.0.1/",
        "broadcast": "http://255.255.255.255/",
        "file": "file:///etc/passwd",
        "gopher": f"gopher://{host}:6379/_INFO",
        "ftp": f"ftp://{host}/",
        "data": "data:text/html,<p>x</p>",
        "ssh": f"http://{host}:22/",
    }


def serve(handler: BaseHTTPRequestHandler, noted: "Request", closing: Event) -> bool:
    """Answers a path of this module; False if it is none."""
    parts = urlsplit(handler.path)
    first, _, rest = parts.path.lstrip("/").partition("/")
    if f"/{first}/" not in FOLDERS:
        return False
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    handler.close_connection = True
    _Corner(handler, noted, closing, query).serve(first, rest)
    return True


class _Corner:
    """One hostile answer."""

    def __init__(
        self,
        handler: BaseHTTPRequestHandler,
        noted: "Request",
        closing: Event,
        query: dict[str, str],
    ) -> None:
        self.handler, self.noted, self.closing, self.query = handler, noted, closing, query
        host, port = handler.connection.getsockname()[:2]
        self.origin = f"http://{host}:{port}"
        self.targets = targets(query.get("host", host), int(query.get("port", port)))

    def serve(self, first: str, rest: str) -> None:
        name, _, argument = rest.partition("/")
        plain = name.replace("-", "_").replace(".", "_")
        answer: Callable[[str], None] | None = getattr(self, f"{first}_{plain}", None)
        if first == "slow":
            self.closing.wait(float(name or "1"))
            self._say(b"<p>slow</p>")
        elif answer is None:
            self._say(b"<h1>404</h1>", status=404)
        else:
            answer(argument)

    # --- what they all use -------------------------------------------------------------------

    def _say(
        self, body: bytes, kind: str = _HTML, status: int = 200, length: int = -1, **headers: str
    ) -> None:
        """An answer; `length`: what it says of its length, if that is not so."""
        stated = {name.replace("_", "-"): value for name, value in headers.items()}
        self._head(status, kind, **stated, Content_Length=str(len(body) if length < 0 else length))
        self._write(body)

    def _head(self, status: int, kind: str, **headers: str) -> None:
        self.noted.status = status
        self.handler.send_response(status)
        self.handler.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.send_header("Connection", "close")
        self.handler.end_headers()

    def _write(self, data: bytes) -> None:
        self.handler.wfile.write(data)
        self.handler.wfile.flush()
        self.noted.bytes += len(data)

    def _stream(self, parts: Iterator[bytes]) -> None:
        """Writes until the client hangs up or the site closes."""
        for part in parts:
            if self.closing.is_set():
                return
            self._write(part)

    def _drip(self, data: Iterator[bytes]) -> None:
        for part in data:
            self._write(part)
            if self.closing.wait(_STEP):
                return

    def _redirect(self, to: str) -> None:
        self._say(b"", status=302, Location=to)

    # --- bombs -------------------------------------------------------------------------------

    def hostile_gzip_bomb(self, _: str) -> None:
        self._say(_zeros_as_gzip(b"<p>"), Content_Encoding="gzip")

    def hostile_br_bomb(self, _: str) -> None:
        self._say(_zeros_as_brotli(), Content_Encoding="br")

    def hostile_zstd_bomb(self, _: str) -> None:
        self._say(_zeros_as_zstd(), Content_Encoding="zstd")

    def hostile_bomb_xml_gz(self, _: str) -> None:
        start = b'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        self._say(_zeros_as_gzip(start, b" "), "application/x-gzip")

    def hostile_xml_bomb_xml(self, _: str) -> None:
        levels = "".join(
            f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' if n else '<!ENTITY l0 "lol">'
            for n in range(10)
        )
        self._say(_rss("<item><title>&l9;</title></item>", f"<!DOCTYPE rss [{levels}]>"), _XML)

    def hostile_xml_square_xml(self, _: str) -> None:
        entity = f'<!DOCTYPE rss [<!ENTITY a "{"x" * 100_000}">]>'
        self._say(_rss(f"<item><title>{'&a;' * 30_000}</title></item>", entity), _XML)

    def hostile_xxe_xml(self, _: str) -> None:
        asked = (
            '<!DOCTYPE rss [<!ENTITY p SYSTEM "file:///etc/passwd">'
            f'<!ENTITY r SYSTEM "{self.origin}/hostile/reached?by=xxe">]>'
        )
        link = f"{self.origin}/news/xxe"
        self._say(_rss(f"<item><title>&p;&r;</title><link>{link}</link></item>", asked), _XML)

    # --- without an end ----------------------------------------------------------------------

    def hostile_endless(self, _: str) -> None:
        self._head(200, _HTML)
        self._write(b"<html><body>")
        self._stream(iter(lambda: "<p>سطر آخر ثم سطر آخر</p>\n".encode() * 500, b""))

    def hostile_endless_xml(self, _: str) -> None:
        self._head(200, _XML)
        self._write(b'<?xml version="1.0"?><rss version="2.0"><channel>')
        self._stream(
            f"<item><link>{self.origin}/news/e{n}</link></item>\n".encode() * 50
            for n in range(10**12)
        )

    def hostile_huge(self, _: str) -> None:
        self._head(200, _HTML, Content_Length=str(10**10))
        self._stream(iter(lambda: bytes(65_536), b""))

    def hostile_drip(self, _: str) -> None:
        self._head(200, _HTML)
        self._drip(iter(lambda: b"x", b""))

    def hostile_drip_headers(self, _: str) -> None:
        self._write(b"HTTP/1.1 200 OK\r\nX-Drip: ")
        self._drip(iter(lambda: b"x", b""))

    def hostile_headers(self, _: str) -> None:
        self._write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n")
        for n in range(100):
            lines = "".join(f"X-Flood-{n}-{m}: {'y' * 60}\r\n" for m in range(1000))
            self._write(lines.encode())
        self._write(b"Content-Length: 0\r\n\r\n")

    def hostile_header_line(self, _: str) -> None:
        self._write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Long: ")
        for _part in range(200):
            self._write(b"y" * 100_000)
        self._write(b"\r\nContent-Length: 0\r\n\r\n")

    def hostile_status_line(self, _: str) -> None:
        self._write(b"HTTP/1.1 200 ")
        for _part in range(200):
            self._write(b"y" * 100_000)
        self._write(b"\r\nContent-Length: 0\r\n\r\n")

    def hostile_calendar(self, argument: str) -> None:
        year, month = (int(part) for part in argument.split("/")[:2])
        days = "".join(
            f'<a href="/hostile/calendar/{year}/{month:02}/{day}">{day}</a>' for day in range(1, 29)
        )
        later = f"{year + month // 12}/{month % 12 + 1:02}"
        earlier = f"{year - (month == 1)}/{(month - 2) % 12 + 1:02}"
        said = (
            f'<h1>{year}/{month}</h1>{days}<a class="next" href="/hostile/calendar/{later}">></a>'
            f'<a href="/hostile/calendar/{earlier}">&lt;</a>'
        )
        self._say(said.encode())

    def hostile_pages(self, _: str) -> None:
        page = int(self.query.get("page", "1"))
        links = "".join(f'<h2><a href="/news/p{page}-{n}">خبر {n}</a></h2>' for n in range(10))
        way = f'<a class="next" rel="next" href="/hostile/pages?page={page + 1}">التالي</a>'
        self._say(f"<html><body>{links}{way}</body></html>".encode())

    def hostile_index_xml(self, argument: str) -> None:
        deeper = self.query.get("n", "0")
        locs = "".join(
            f"<sitemap><loc>{self.origin}/hostile/index.xml?n={deeper}{n}</loc></sitemap>"
            for n in range(10)
        )
        own = f"<sitemap><loc>{self.origin}{escape(self.handler.path)}</loc></sitemap>"
        said = f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{own}{locs}'
        self._say(f"{said}</sitemapindex>".encode(), _XML)

    def hostile_many_xml(self, _: str) -> None:
        locs = "".join(f"<url><loc>{self.origin}/news/m{n}</loc></url>" for n in range(60_000))
        said = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{locs}</urlset>'
        self._say(said.encode(), _XML)

    def hostile_long_xml(self, _: str) -> None:
        link = f"{self.origin}/news/{'x' * 100_000}"
        self._say(_rss(f"<item><title>طويل</title><link>{link}</link></item>"), _XML)

    def hostile_deep(self, _: str) -> None:
        self._say(b"<html><body>" + b"<div>" * 200_000 + b"x")

    # --- redirects and addresses -------------------------------------------------------------

    def hostile_redirect(self, argument: str) -> None:
        self._redirect(f"/hostile/redirect/{int(argument or 0) + 1}")

    def hostile_loop(self, argument: str) -> None:
        self._redirect(f"/hostile/loop/{'b' if argument == 'a' else 'a'}")

    def hostile_chain(self, argument: str) -> None:
        """/hostile/chain/3?to=/path: three redirects, then the path."""
        left, to = int(argument or 1), self.query.get("to", "/")
        self._redirect(f"/hostile/chain/{left - 1}?to={to}" if left > 1 else to)

    def hostile_to(self, argument: str) -> None:
        if argument in self.targets:
            self._redirect(self.targets[argument])
        else:
            self._say(b"<h1>404</h1>", status=404)

    def hostile_feed_xml(self, _: str) -> None:
        self._say(
            _rss(
                "".join(
                    f"<item><title>{name}</title><link>{escape(url)}</link></item>"
                    for name, url in self.targets.items()
                )
            ),
            _XML,
        )

    def hostile_sitemap_xml(self, _: str) -> None:
        locs = "".join(f"<url><loc>{escape(url)}</loc></url>" for url in self.targets.values())
        said = f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{locs}</urlset>'
        self._say(said.encode(), _XML)

    def hostile_reached(self, _: str) -> None:
        self._say(b"<h1>reached</h1>")

    def hostile_retry(self, _: str) -> None:
        self._say(b"", status=503, Retry_After=str(30 * 366 * 86_400))

    # --- broken ------------------------------------------------------------------------------

    def broken_cut(self, _: str) -> None:
        self._say("<p>بداية خبر".encode(), length=5000)

    def broken_chunks(self, _: str) -> None:
        self._head(200, _HTML, Transfer_Encoding="chunked")
        self._write(b"10\r\n<p>short</p>\r\nzz\r\n")

    def broken_reset(self, _: str) -> None:
        self._say(b"<p>", length=5000)
        time.sleep(0.05)  # the client has the head
        hang_up = struct.pack("ii", 1, 0)
        self.handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, hang_up)
        self.handler.connection.close()

    def broken_nothing(self, _: str) -> None:
        """Closes without a word."""

    def broken_no_http(self, _: str) -> None:
        self._write(b"220 mail.example ESMTP ready\r\n")

    def broken_no_gzip(self, _: str) -> None:
        self._say(b"<p>plain</p>", Content_Encoding="gzip")

    def broken_half_gzip(self, _: str) -> None:
        body = gzip.compress(bytes(range(256)) * 400, mtime=0)
        self._say(body[: len(body) // 2], Content_Encoding="gzip")

    def broken_charset(self, _: str) -> None:
        self._say("<p>نص</p>".encode(), "text/html; charset=klingon-8")

    def broken_empty(self, _: str) -> None:
        self._say(b"")

    def broken_500(self, _: str) -> None:
        self._say("<h1>خطأ في الخادم</h1>".encode(), status=500)

    def broken_feed_xml(self, _: str) -> None:
        good = f"<item><title>أول</title><link>{self.origin}/news/broken-1</link></item>"
        self._say(_rss(f"{good}<item><title>ثان & ثالث</title><link>")[:-25], _XML)


def _rss(items: str, doctype: str = "") -> bytes:
    return (
        f'<?xml version="1.0"?>{doctype}<rss version="2.0"><channel><title>x</title>'
        f"{items}</channel></rss>"
    ).encode()


@cache
def _zeros_as_gzip(start: bytes, fill: bytes = b"\0") -> bytes:
    """10 GB in 10 MB: one flushed block of 10 MB, a thousand times. Its check sum is wrong, which
    shows at the end alone."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(fill * 10_000_000) + packer.flush(zlib.Z_FULL_FLUSH)
    return gzip.compress(b"", mtime=0)[:10] + first + block * 1000 + packer.flush() + bytes(8)


@cache
def _zeros_as_brotli() -> bytes:
    return bytes(brotli.compress(b"<p>" + bytes(200_000_000), quality=1))


@cache
def _zeros_as_zstd() -> bytes:
    return zstandard.compress(b"<p>" + bytes(200_000_000))
