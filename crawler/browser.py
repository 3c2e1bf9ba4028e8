"""A browser for sources whose pages are made by scripts: scrapy-playwright, behind a guard.

All that the browser asks for, redirects and what scripts load included, goes through a proxy of
this process, which connects to the very address that it has checked: no page leads the browser
where no crawl may go, whatever a name server answers.
"""

import asyncio
import importlib.util
import ipaddress
import os
import socket
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from scrapy.settings import BaseSettings

from crawler.address_guard import Guard, read_networks
from pipelines.errors import UsageError

#: What an article's text needs nothing of.
_HEAVY = ("image", "media", "font", "stylesheet")
_HEAD = 64_000  # bytes of a request's head
_SECONDS = 60  # for a connection to begin
_CHUNK = 65_536
#: Nothing but pages: no updates, no reports, no first-run pages.
_ARGUMENTS = [
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-component-update",
    "--disable-background-networking",
    "--proxy-bypass-list=<-loopback>",  # loopback, too, goes through the proxy, which refuses it
]


def require_browser(key: str) -> None:
    """Raises UsageError if the extra is missing that a source with `scripts` needs."""
    if importlib.util.find_spec("scrapy_playwright") is None:
        raise UsageError(
            f"{key}: `scripts: true` needs a browser: pip install 'warraq[browser]', then "
            "`playwright install chromium`, or WARRAQ_CHROMIUM=/path/to/chromium"
        )


def browser_settings(settings: BaseSettings, proxy: str) -> dict[str, Any]:
    """Scrapy's settings for a source whose pages a browser fetches."""
    options: dict[str, Any] = {"args": list(_ARGUMENTS), "proxy": {"server": proxy}}
    if settings["WARRAQ_CHROMIUM"]:
        options["executable_path"] = settings["WARRAQ_CHROMIUM"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options["chromium_sandbox"] = False  # Chromium starts as root without its sandbox only
    handler = "crawler.browser_handler.BrowserHandler"
    return {
        "DOWNLOAD_HANDLERS": {
            **settings.getdict("DOWNLOAD_HANDLERS"),
            "http": handler,
            "https": handler,
        },
        "PLAYWRIGHT_BROWSER_TYPE": "chromium",
        "PLAYWRIGHT_LAUNCH_OPTIONS": options,
        "PLAYWRIGHT_CONTEXTS": {"default": {"user_agent": settings["USER_AGENT"]}},
        "PLAYWRIGHT_ABORT_REQUEST": is_heavy,
        "PLAYWRIGHT_DEFAULT_NAVIGATION_TIMEOUT": 1000 * settings.getfloat("DOWNLOAD_TIMEOUT"),
        "PLAYWRIGHT_MAX_PAGES_PER_CONTEXT": 4,
    }


def is_heavy(request: Any) -> bool:
    """Whether the browser need not fetch it."""
    return request.resource_type in _HEAVY


class GuardedProxy:
    """A proxy on loopback for one browser. Refuses what `Guard` refuses, by the address itself."""

    def __init__(self, settings: BaseSettings) -> None:
        self._guard = Guard(read_networks(settings["WARRAQ_ALLOW_ADDRESSES"]))
        # Bound at once: the browser's settings must name the port before the proxy serves.
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, sock=self._socket, limit=_HEAD)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._socket.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                first, _, rest = head.partition(b"\r\n")
                method, target, _ = first.split(b" ", 2)
                tunnel = method == b"CONNECT"
                url = target.decode("ascii")
                parts = urlsplit(f"https://{url}" if tunnel else url)
                port = parts.port or 80
                out = await self._connect(f"{parts.scheme}://{parts.netloc}/", parts.hostname, port)
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError):
            writer.write(
                b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            await _end(writer)
            return
        except asyncio.LimitOverrunError:
            await _end(writer)
            return
        if tunnel:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = parts._replace(scheme="", netloc="").geturl() or "/"
            # One request a connection: the next may be for another host.
            lines = [line for line in rest.split(b"\r\n") if not _is_hop(line)]
            kept = b"\r\n".join([*lines[:-2], b"Connection: close", b"", b""])
            out[1].write(b" ".join((method, path.encode(), b"HTTP/1.1")) + b"\r\n" + kept)
        await asyncio.gather(_pipe(reader, out[1]), _pipe(out[0], writer), return_exceptions=True)

    async def _connect(
        self, url: str, host: str | None, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Raises OSError for what may not be reached."""
        why_not = self._guard.refusal(url)
        if why_not or not host:
            raise OSError(why_not)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        address = ipaddress.ip_address(str(found[0][4][0]).partition("%")[0])
        if refused := self._guard.why_not(address, port):
            raise OSError(refused)
        return await asyncio.open_connection(str(address), port)


def _is_hop(line: bytes) -> bool:
    name = line.partition(b":")[0].strip().lower()
    return name in (b"connection", b"proxy-connection", b"keep-alive")


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    finally:
        await _end(writer)


async def _end(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.close()
        await writer.wait_closed()
