"""What is fuzzed: each target takes any bytes and raises where Warraq breaks a promise.

What it finds is kept below `findings/` and runs in every test.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import cache
from pathlib import Path

from sqlalchemy import Engine

from crawler.discovery import Document, discover
from crawler.readers import ManifestError, ReadOptions, read
from crawler.readers.manifest import load_manifest
from crawler.readers.remote import is_url
from pipelines.db import engine as db
from pipelines.db import schema
from pipelines.db.addresses import Kind
from pipelines.db.search import Query, search
from pipelines.db.search_match import for_tsquery
from pipelines.document import Article, Block, BlockKind, RawPage, Rejected, Unreadable
from pipelines.errors import QueryError, SourceError
from pipelines.process import process
from pipelines.rejection import Reject
from pipelines.search_query import parse
from pipelines.source import Source, load_source
from pipelines.stages.agency import read_agency
from pipelines.stages.dates import read_date
from pipelines.stages.decode import decode
from pipelines.stages.extract import extract
from pipelines.stages.furniture import judge_line, remove_furniture
from pipelines.urls import url_key
from tests.conftest import ROOT, SAMPLES
from tests.site.newsroom import Newsroom
from tests.test_store import arrival, write

#: A sound record, of a page at _LAST.
_LAST = "https://sahifa.example/last"
_PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>\xd9\x86\xd8\xb5</p>"
_RECORD = (
    b"WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http; msgtype=response\r\n"
    b"WARC-Target-URI: %s\r\nWARC-Date: 2024-06-01T09:00:00Z\r\nContent-Length: %d\r\n\r\n"
    b"%s\r\n\r\n" % (_LAST.encode(), len(_PAGE), _PAGE)
)
_NOW = datetime.fromisoformat("2024-06-01T12:00:00+03:00")


def page(data: bytes) -> None:
    """decode, extract and all stages after them, on HTML."""
    _whole(process(RawPage(data, url="https://sahifa.example/a/1", fetched_at=_NOW), None))


def text(data: bytes) -> None:
    """The same on plain text, in a character set that the first byte chooses."""
    charset = ("utf-8", "windows-1256", "utf-16", "iso-8859-6", None)[data[0] % 5 if data else 0]
    raw = RawPage(data[1:], path="a.txt", media_type="text/plain", charset=charset)
    _whole(process(raw, None))


def _whole(result: Article | Rejected) -> None:
    """An article is text that every database and reader can hold; a rejection has its reason."""
    if isinstance(result, Rejected):
        assert result.stage and result.detail
        return
    assert result.blocks
    for block in result.blocks:
        assert block.text.strip() and "\n" not in block.text
    for shown in (result.title, result.deck, result.author, result.text):
        assert shown is None or not {"\0", "\u202e", "\u2066"} & set(shown)
        (shown or "").encode()  # no lone surrogates
    if result.published:
        datetime.fromisoformat(_full(result.published.iso))


def dates(data: bytes) -> None:
    """read_date: a date that ISO 8601 knows, or none."""
    for zone in (None, "Asia/Tehran"):
        if found := read_date(_text(data), _NOW, zone):
            datetime.fromisoformat(_full(found.iso))


def _full(iso: str) -> str:
    return iso + "-01-01"[3 * (iso.count("-")) :] if len(iso) < 10 else iso


def decoded(data: bytes) -> None:
    """decode alone: text without NULs and lone surrogates, or a reason."""
    label, _, body = data.partition(b"\n")
    raw = RawPage(
        body,
        url="https://sahifa.example/a/1",
        charset=label.decode("latin-1") or None,
        media_type="text/plain" if data[-1:] == b"t" else "text/html",
    )
    try:
        found = decode(raw)
    except Reject as reject:
        assert reject.detail
        return
    assert found.text and "\0" not in found.text
    found.text.encode()


def extracted(data: bytes) -> None:
    """extract alone, on a page that is decoded already: blocks, or a reason."""
    try:
        found = extract(data.decode("utf-8", "replace"), "text/html", "https://sahifa.example/a/1")
    except Reject as reject:
        assert reject.detail
        return
    assert all(block.text for block in found.blocks)


def furniture(data: bytes) -> None:
    """judge_line and remove_furniture: a verdict on any line, and no line goes without one."""
    said = _text(data)
    for position in ("top", "any", "bottom"):
        verdict = judge_line(said, position)
        assert verdict.action == "keep" or verdict.rule
    # As in extracted blocks: none is empty, none has two lines.
    texts = [" ".join(line.split()) for line in said.splitlines()]
    blocks = [Block(BlockKind.PARAGRAPH, text) for text in texts if text]
    cleaned = remove_furniture(blocks)
    assert len(cleaned.blocks) + len(cleaned.removed) == len(blocks)
    assert all(line.rule for line in cleaned.removed)


def datelines(data: bytes) -> None:
    """read_agency: an agency or none in any line, wherever it stands."""
    line = _text(data)
    for where in ("start", "body", "end", "author"):
        if found := read_agency(line, where):
            assert found.kind != "none"
            for part in (found.raw, found.place, found.byline):
                assert part is None or part.strip()


def jsonl(data: bytes) -> None:
    _read(data, ".jsonl")


def warc(data: bytes) -> None:
    _read(data, ".warc")


def gzip(data: bytes) -> None:
    _read(data, ".warc.gz")


def warc_headers(data: bytes) -> None:
    """A record of a right length with any headers of WARC and HTTP; the one behind it is read."""
    head, _, block = data.partition(b"\0")
    lines = [line for line in head.replace(b"\r", b"\n").split(b"\n") if line]
    named = b"".join(line + b"\r\n" for line in lines if b"length" not in line.lower())
    length = b"Content-Length: %d\r\n\r\n" % len(block)
    # First the length: of two, no reader can know which one is meant.
    record = b"WARC/1.0\r\n" + named + length + block + b"\r\n\r\n"
    with _file(record + _RECORD, ".warc") as file:
        found = list(read([str(file)], ReadOptions(max_bytes=100_000)))
    assert any(isinstance(each, RawPage) and each.url == _LAST for each in found)


def feed(data: bytes) -> None:
    _discover(Kind.FEED, data)


def sitemap(data: bytes) -> None:
    _discover(Kind.SITEMAP, data)


def listing(data: bytes) -> None:
    _discover(Kind.LISTING, data)


def front(data: bytes) -> None:
    """A front page, and the same as a robots.txt."""
    _discover(Kind.FRONT, data)
    _discover(Kind.ROBOTS, data)


def _discover(kind: Kind, data: bytes) -> None:
    """Addresses that a crawl can ask for and a database can hold, or what was wrong."""
    url = "https://sahifa.example/a"
    found = discover(Document(kind, url, url, 0, data), _sahifa())
    for each in found.found:
        assert each.url.startswith(("http://", "https://")) and len(each.url) <= 4_000
        for said in (each.url, each.stated.title, each.stated.author, each.stated.published_at):
            assert said is None or "\0" not in said
            (said or "").encode()
        url_key(each.url)


def query(data: bytes) -> None:
    """A search: what it finds, or what to do about the query. Never an error of SQL."""
    asked = _text(data)
    fact = (asked[:20],)
    for what in (Query(asked), Query(sources=fact), Query(agencies=fact, languages=fact)):
        with db.read(_library()) as connection:
            try:
                search(connection, what)
            except QueryError as error:
                assert str(error)
    with suppress(QueryError):
        for_tsquery(parse(asked).root, None, dated=False)


@cache
def _library() -> Engine:
    """A database with an article, for searches."""
    engine = db.open_engine(f"sqlite:///{_folder(of='query')}/a.db", create=True)
    schema.upgrade(engine)
    write(engine, arrival("قالت الحكومة إن مجلس الأمن يجتمع غدا في بغداد", "0", source="eg/a"))
    return engine


@cache
def _sahifa() -> Source:
    with _file(_SOURCE.encode(), ".yml") as file:
        return load_source(file, "eg/fuzzed")


def manifest(data: bytes) -> None:
    """A manifest beside a page: facts, or an error that names the file."""
    with _file(data, ".csv") as folder_file:
        (folder_file.parent / "a.txt").write_text("نص", encoding="utf-8")
        options = ReadOptions(manifest=str(folder_file))
        try:
            listed = load_manifest(str(folder_file)).lines
            if not any(map(is_url, listed)):  # a network is asked for those
                list(read([str(folder_file.parent / "a.txt")], options))
        except ManifestError as error:
            assert folder_file.name in str(error)


def source(data: bytes) -> None:
    """A source's YAML: facts, or an error that names file and line."""
    with _file(data, ".yml") as file:
        try:
            load_source(file, "eg/fuzzed")
        except SourceError as error:
            assert str(error).startswith(str(file))


def _read(data: bytes, ending: str) -> None:
    """A reader: pages, and named troubles; never more than the file can hold."""
    with _file(data, ending) as file:
        for number, found in enumerate(read([str(file)], ReadOptions(max_bytes=100_000))):
            assert isinstance(found, RawPage | Unreadable)
            assert number <= 1 + len(data)
            if isinstance(found, RawPage):
                assert len(found.body) <= 100_000


class _file:  # noqa: N801  reads like the open() that it wraps
    """A file with these bytes, in a folder of its own that is emptied afterwards."""

    def __init__(self, data: bytes, ending: str) -> None:
        self._folder = _folder()
        self._path = self._folder / f"fuzzed{ending}"
        self._path.write_bytes(data)

    def __enter__(self) -> Path:
        return self._path

    def __exit__(self, *_: object) -> None:
        for file in self._folder.iterdir():
            file.unlink()


@cache
def _folder(of: str = "") -> Path:
    return Path(tempfile.mkdtemp(prefix="warraq-fuzz-", dir=_memory()))


def _memory() -> str | None:
    """Where files cost no disk, if there is such a place."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8", "surrogatepass")  # JSON can hold lone surrogates
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


def _samples(*endings: str) -> Iterator[bytes]:
    for file in sorted(SAMPLES.iterdir()):
        if file.name.endswith(endings):
            yield file.read_bytes()


def _golden() -> Iterator[bytes]:
    for file in sorted((ROOT / "tests" / "pages").glob("*/page.html")):
        yield file.read_bytes()


def _lines() -> Iterator[bytes]:
    for data in _samples(".txt"):
        for line in data.splitlines()[:20]:
            yield line[:300]


_DATES = """2020/09/27 - 20:36
الأحد 27 أيلول 2020 الساعة 8:36 مساء بتوقيت دمشق
١٤٤١/٢/١٠ هـ الموافق 9 أكتوبر 2019
منذ ثلاث ساعات
2024-03-31T02:30:00+02:00
نشر في: 5 جويلية 2019 آخر تحديث: 6 جويلية 2019 على 13:05
شنبه ۲۴ آبان ۱۳۹۹"""

_SOURCE = """title: صحيفة
homepage: https://sahifa.example/
zone: Africa/Cairo
feeds: [https://sahifa.example/feed]
listings:
  - {url: 'https://sahifa.example/a', links: '/a/[0-9]+', pages: 3}
pace: {delay: 1.5}
every: 15m
"""

_QUERIES = """الحكومة وبالحكومة
"مجلس الأمن" -اليمن title:بغداد
(لبنان أو سوريا) since:2024-01 until:2024-02-15
source:eg agency:reuters lang:ar story:3
NOT حكو* ="الحكومة" OR #بغداد"""

_HEADERS = (
    b"WARC-Type: response\nWARC-Target-URI: <https://sahifa.example/a>\n"
    b"WARC-Date: 2024-06-01T09:00:00.123Z\nContent-Type: application/http; msgtype=response\n"
    b"WARC-Block-Digest: sha1:AAAA\nWARC-Payload-Digest: sha256:00\nWARC-Truncated: length\n\0"
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Encoding: gzip\r\n"
    b"Transfer-Encoding: chunked\r\nDate: Sat, 01 Jun 2024 09:00:00 GMT\r\n\r\n"
    b"5\r\n<p>a\n\r\n0\r\n\r\n"
)


def _served(path: str) -> bytes:
    """What a newsroom serves there; its addresses are of the fuzzed source."""
    room = Newsroom("https://sahifa.example", count=3, until=_NOW)
    answer = room.answer(path)
    assert answer is not None
    return answer.body


#: Name -> (the target, inputs to begin with).
TARGETS: Mapping[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "page": (page, lambda: [*_samples(".html"), *_golden()]),
    "text": (text, lambda: [b"\0" + data for data in _samples(".txt")]),
    "dates": (dates, lambda: [line.encode() for line in _DATES.splitlines()]),
    "decode": (decoded, lambda: [b"windows-1256\n" + d for d in [*_samples(".txt"), *_golden()]]),
    "extract": (extracted, lambda: [*_samples(".html"), *_golden()]),
    "furniture": (furniture, lambda: [*_lines(), *_samples(".txt")]),
    "datelines": (datelines, lambda: list(_lines())),
    "jsonl": (jsonl, lambda: list(_samples(".jsonl"))),
    "warc": (warc, lambda: [_unpacked(data) for data in _samples("crawl.warc.gz")]),
    "warc_headers": (warc_headers, lambda: [_HEADERS, _HEADERS.replace(b"0\r\n", b"identity")]),
    "gzip": (gzip, lambda: list(_samples(".warc.gz"))),
    "manifest": (manifest, lambda: list(_samples(".csv"))),
    "source": (source, lambda: [_SOURCE.encode()]),
    "feed": (feed, lambda: [_served(path) for path in ("/feed.xml", "/atom.xml", "/rdf.xml")]),
    "sitemap": (
        sitemap,
        lambda: [
            _served(path) for path in ("/sitemap.xml", "/sitemap-1.xml", "/sitemap-news.xml.gz")
        ],
    ),
    "listing": (listing, lambda: [_served("/latest")]),
    "front": (front, lambda: [_served("/"), _served("/robots.txt"), *_golden()]),
    "query": (query, lambda: [line.encode() for line in _QUERIES.splitlines()]),
}


def _unpacked(data: bytes) -> bytes:
    import gzip as gzip_format

    return gzip_format.decompress(data)
