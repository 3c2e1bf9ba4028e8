"""A real HTTP server on loopback in front of a newsroom, which notes every request."""

import gzip
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, Literal, Self

from tests.site import hostile
from tests.site.newsroom import ZONE, Answer, Article, Newsroom, etag
from tests.site.pages import NAME

#: Where a source's file sends its crawls, unless told otherwise.
DISCOVERY = ("/feed.xml", "/sitemap.xml", "/latest")


@dataclass
class Request:
    """One request as the server saw it."""

    path: str  # with the query
    agent: str
    conditional: bool  # If-None-Match or If-Modified-Since
    headers: Mapping[str, str]
    host: str
    at: float = field(default_factory=time.monotonic)
    status: int = 0  # 0: the connection was closed without an answer
    bytes: int = 0  # of the body as sent


@dataclass
class Scripted:
    """What a path answers instead of what stands there, `times` times (None: always)."""

    answer: Answer
    times: int | None
    delay: float


class Site:
    """A newsroom that answers on loopback until it is closed.

    `with Site(articles=40) as site:` gives `site.url`, `site.room` (what is true, and what can be
    changed: `room.articles`, `publish`, `change`, `furnish`, `redesign`, `remove`, `move`,
    `reprint`) and `site.requests`. `validators` are those that the server sends and honours.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        articles: int = 40,
        seed: int = 1,
        validators: Literal["both", "etag", "date", "none"] = "both",
        latency: float = 0,
        **facts: Any,
    ) -> None:
        self.validators = validators
        self.latency = latency  # seconds before every answer
        self.requests: list[Request] = []
        self.scripted: dict[str, Scripted] = {}
        self.closing = Event()
        self._open((host, port))
        self.url = f"http://{host}:{self._server.server_port}"
        self.room = Newsroom(self.url, articles, seed, **facts)
        self._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, address: tuple[str, int]) -> None:
        self._server = _Server(address, _Handler)
        self._server.site = self

    def _begin(self) -> None:
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.closing.set()
        self.leave()

    def leave(self) -> None:
        """New connections are refused from now on."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def come_back(self) -> None:
        """Answers again where it did before."""
        self._open(self._server.server_address[:2])  # type: ignore[arg-type]
        self._begin()

    @property
    def articles(self) -> list[Article]:
        """The articles on the site now, the newest first."""
        return list(self.room.articles)

    def script(
        self,
        path: str,
        status: int,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        times: int | None = 1,
        delay: float = 0,
    ) -> None:
        """The next requests of a path (with query; `*`: of any in the newsroom) get this answer.

        `script(path, 503, headers={"Retry-After": "1"}, times=2)`; `delay` is in seconds.
        """
        answer = Answer(status, body, headers=tuple((headers or {}).items()))
        self.scripted[path] = Scripted(answer, times, delay)

    def source(
        self,
        discovery: Sequence[str] = DISCOVERY,
        **fields: str | None,
    ) -> str:
        """The text of a source file for this site: `source(["/atom.xml"], every="5m")`.

        Of the paths, those that name a sitemap or end in .xml say what they are; others are
        listings. A field that is None is left out: two sources can't have one homepage.
        """
        maps = [p for p in discovery if "sitemap" in p]
        found = [p for p in discovery if p.endswith(".xml") and p not in maps]
        lists = [p for p in discovery if p not in maps and p not in found]
        facts: dict[str, str | None] = {
            "title": NAME,
            "homepage": f"{self.url}/",
            "language": "ar",
            "zone": ZONE,
            "pace": "{delay: 0, concurrency: 8}",
            **fields,
        }
        lines = [f"{name}: {value}" for name, value in facts.items() if value is not None]
        for name, paths in (("feeds", found), ("sitemaps", maps)):
            if paths:
                lines += [f"{name}:", *(f"  - {self.url}{path}" for path in paths)]
        if lists:
            lines.append("listings:")
        for path in lists:
            lines += [
                f"  - url: {self.url}{path}",
                "    links: /(news|moved)/|article[.]asp",
                "    next: a.next",
                "    pages: 50",
            ]
        return "\n".join(lines) + "\n"

    def write_source(
        self,
        folder: Path,
        key: str,
        discovery: Sequence[str] = DISCOVERY,
        **fields: str | None,
    ) -> Path:
        """Writes `source(...)` to `folder`/`key`.yml."""
        file = folder / f"{key}.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.source(discovery, **fields), encoding="utf-8")
        return file


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    site: Site

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news; anything else ends a test by its missing answer."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Newsroom"
    sys_version = ""
    timeout = 60
    wbufsize = -1  # headers and body in one packet: else delayed acknowledgements cost 40 ms each
    server: _Server

    def do_GET(self) -> None:
        site = self.server.site
        noted = Request(
            self.path,
            self.headers.get("User-Agent", ""),
            "If-None-Match" in self.headers or "If-Modified-Since" in self.headers,
            dict(self.headers.items()),
            self.headers.get("Host", ""),
        )
        site.requests.append(noted)
        if site.latency:
            site.closing.wait(site.latency)
        scripted = self._scripted(site)
        if scripted is None and hostile.serve(self, noted, site.closing):
            return
        answer = (
            scripted or site.room.answer(self.path) or Answer(404, "<h1>لا شيء هنا</h1>".encode())
        )
        self._send(answer, noted)

    do_HEAD = do_GET  # noqa: N815

    def _scripted(self, site: Site) -> Answer | None:
        script = site.scripted.get(self.path)
        if script is None and not self.path.startswith(hostile.FOLDERS):
            script = site.scripted.get("*")
        if script is None or script.times == 0:
            return None
        if script.times is not None:
            script.times -= 1
        if script.delay:
            site.closing.wait(script.delay)
        return script.answer

    def _send(self, answer: Answer, noted: Request) -> None:
        headers = list(answer.headers)
        body, status = answer.body, answer.status
        if status == 200 and answer.changed:
            tag = etag(body)
            if self.server.site.validators in ("both", "etag"):
                headers.append(("ETag", tag))
            if self.server.site.validators in ("both", "date"):
                stamp = answer.changed.astimezone(UTC)
                headers.append(("Last-Modified", format_datetime(stamp, usegmt=True)))
            if self._is_unchanged(tag, answer.changed):
                status, body = 304, b""
        if "gzip" in self.headers.get("Accept-Encoding", "") and len(body) > 1000:
            if "gzip" not in answer.media_type:
                body = gzip.compress(body, 1, mtime=0)
                headers.append(("Content-Encoding", "gzip"))
            headers.append(("Vary", "Accept-Encoding"))
        if self.command == "HEAD":
            body = b""
        noted.status, noted.bytes = status, len(body)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Type", answer.media_type)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _is_unchanged(self, tag: str, changed: datetime) -> bool:
        """Whether the client has the page; If-None-Match goes before If-Modified-Since."""
        validators = self.server.site.validators
        asked = self.headers.get("If-None-Match")
        if asked and validators in ("both", "etag"):
            return tag in [one.strip().removeprefix("W/") for one in asked.split(",")]
        since = self.headers.get("If-Modified-Since")
        if since and validators in ("both", "date"):
            try:
                return changed.replace(microsecond=0) <= parsedate_to_datetime(since)
            except ValueError:
                return False
        return False

    def log_message(self, *_: object) -> None:
        """Quiet: requests are in `site.requests`."""
