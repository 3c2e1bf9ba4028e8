"""Hostile answers against the real downloader: each ends, in bounded time and memory, by name."""

import gzip
import socket
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from pipelines.document import REASONS
from tests.fetching import fetch
from tests.site import Site

#: What each corner of the site (tests/site/hostile.py) must end in: a reason, or a status.
ENDS = {
    "/hostile/gzip-bomb": "too_large",
    "/hostile/br-bomb": "too_large",
    "/hostile/zstd-bomb": "too_large",
    "/hostile/endless": "too_large",
    "/hostile/endless.xml": "too_large",
    "/hostile/huge": "too_large",
    "/hostile/headers": "too_large",
    "/hostile/header-line": "too_large",
    "/hostile/status-line": "too_large",
    "/hostile/drip": "timeout",
    "/hostile/drip-headers": "timeout",
    "/hostile/redirect/0": "too_many",
    "/hostile/loop/a": "too_many",
    "/hostile/retry": 503,
    "/hostile/bomb.xml.gz": 200,  # its reader unpacks it
    "/broken/cut": "truncated",
    "/broken/chunks": "truncated",
    "/broken/reset": "truncated",
    "/broken/half-gzip": "truncated",
    "/broken/nothing": "unreachable",
    "/broken/no-http": "unreachable",
    "/broken/no-gzip": 200,  # it is readable all the same
    "/broken/charset": 200,
    "/broken/empty": 200,
    "/broken/500": 500,
}
TIMEOUT = 2.0


@pytest.fixture(scope="module")
def rows() -> Iterator[dict[str, dict[str, Any]]]:
    """All corners at once, in one process: what became of each, by path."""
    with Site(articles=2) as site:
        told = fetch(
            [site.url + path for path in ENDS],
            # On a busy machine a bomb takes its time.
            patience=[site.url + path for path, end in ENDS.items() if end != "timeout"],
            WARRAQ_ALLOW_ADDRESSES="127.0.0.1/32",
            DOWNLOAD_TIMEOUT=TIMEOUT,
            CONCURRENT_REQUESTS=8,
            CONCURRENT_REQUESTS_PER_DOMAIN=8,
        )
        yield dict(zip(ENDS, told, strict=True))


@pytest.mark.parametrize("path", ENDS)
def test_each_ends_by_name(path: str, rows: dict[str, dict[str, Any]]) -> None:
    row = rows[path]
    assert row.get("reason", row.get("status")) == ENDS[path], row
    if "reason" in row:
        assert row["reason"] in REASONS and row["detail"]
    if ENDS[path] == "timeout":
        assert row["seconds"] < TIMEOUT + 40  # with the time it waited for its turn


def test_memory_is_bounded(rows: dict[str, dict[str, Any]]) -> None:
    """Twenty gigabytes are offered; a few answers of DOWNLOAD_MAXSIZE may be held at a time."""
    assert max(row["peak"] for row in rows.values()) < 1_000_000_000


def test_readable_pages_come_out_of_every_encoding() -> None:
    page = ("<p>خبر من الميناء</p>" * 2000).encode()
    bodies = {
        b"gzip": gzip.compress(page),
        b"x-gzip": gzip.compress(page[:500]) + gzip.compress(page[500:]),
        b"deflate": zlib.compress(page),
        b"DEFLATE": zlib.compress(page, wbits=-15),
        b"br": brotli.compress(page),
        b"zstd": zstandard.compress(page),
        b"gzip, br": brotli.compress(gzip.compress(page)),
        b"identity": page,
        b"klingon": page,
    }
    bombs = {
        b"gzip, gzip, gzip": gzip.compress(gzip.compress(gzip.compress(page))),
        b"gzip, zstd": zstandard.compress(gzip.compress(bytes(30_000_000))),
        b"br": brotli.compress(page)[:-9],
        b"zstd": zstandard.compress(page)[:-9],
        b"deflate": zlib.compress(page)[:-9],
    }
    answers = [*bodies.items(), *bombs.items()]
    with _Raw([_answer(body, encoding) for encoding, body in answers]) as urls:
        told = fetch(urls, WARRAQ_ALLOW_ADDRESSES="127.0.0.1/32", CONCURRENT_REQUESTS=1)
    assert [row.get("size") for row in told[: len(bodies)]] == [len(page)] * len(bodies), told
    ends = ["too_large", "too_large", "truncated", "truncated", "truncated"]
    assert [row.get("reason") for row in told[len(bodies) :]] == ends, told


def test_answers_that_never_come_to_their_body() -> None:
    """1xx answers without an end are headers as well."""
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
    with _Raw([interim * 200_000, interim * 3 + _answer(b"<p>x</p>")]) as urls:
        told = fetch(urls, WARRAQ_ALLOW_ADDRESSES="127.0.0.1/32", CONCURRENT_REQUESTS=1)
    assert told[0]["reason"] == "too_large", told[0]
    assert told[1]["size"] == 8, told[1]


def test_a_redirect_to_a_url_without_an_end() -> None:
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /"
    with _Raw([head + b"x" * 15_000 + b"\r\n\r\n", _answer(b"<p>x</p>")]) as urls:
        told = fetch(urls, WARRAQ_ALLOW_ADDRESSES="127.0.0.1/32", CONCURRENT_REQUESTS=1)
    assert told[0]["reason"] == "too_large" and "URL" in told[0]["detail"], told[0]
    assert told[1]["size"] == 8


def _answer(body: bytes, encoding: bytes = b"") -> bytes:
    packed = b"Content-Encoding: " + encoding + b"\r\n" if encoding else b""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n" + packed
    return head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body


class _Raw:
    """A server that answers /0, /1, ... with these bytes; as a context it gives their URLs."""

    def __init__(self, answers: list[bytes]) -> None:
        self._answers = answers
        self._server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> list[str]:
        port = self._server.getsockname()[1]
        return [f"http://127.0.0.1:{port}/{number}" for number in range(len(self._answers))]

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with client:
                client.settimeout(10)
                try:
                    path = client.recv(65_536).split(b" ")[1].lstrip(b"/")
                    client.sendall(self._answers[int(path)] if path.isdigit() else _answer(b"far"))
                except OSError:
                    continue
