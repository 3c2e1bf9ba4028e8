"""Files become pages: every format, every way in which a file can be broken."""

import base64
import gzip
import hashlib
import io
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from crawler.readers import ManifestError, ReadOptions, read, read_record, size_of
from pipelines.document import Origin, RawPage, Reason, Unreadable

TEXT = "افتتح الوزير المعرض صباح اليوم.\nوقال إنه الأول من نوعه في المدينة.\n"
HTML = f"<!doctype html><html><head><meta charset=utf-8></head><body><p>{TEXT}</p></body></html>"


def all_of(
    *paths: str | Path, progress: Callable[[int], None] | None = None, **options: Any
) -> list[RawPage | Unreadable]:
    return list(read([str(path) for path in paths], ReadOptions(**options), progress))


def outcomes(found: Sequence[RawPage | Unreadable], top: Path) -> list[tuple[str, str]]:
    """Path below `top` and "page" or the reason."""
    return [
        (
            (one.path or "").replace(f"{top}/", ""),
            "page" if isinstance(one, RawPage) else one.reason.value,
        )
        for one in found
    ]


def page(found: Sequence[RawPage | Unreadable]) -> RawPage:
    assert len(found) == 1
    assert isinstance(found[0], RawPage), found
    return found[0]


def bad(found: Sequence[RawPage | Unreadable]) -> Unreadable:
    assert len(found) == 1
    assert isinstance(found[0], Unreadable), found
    return found[0]


# --- files, folders, patterns, pipes ---------------------------------------------------------


def test_a_text_file_is_one_page_and_so_is_its_gzip(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    (tmp_path / "c.txt").write_bytes(gzip.compress(TEXT.encode()))  # packed, but not called so
    (tmp_path / "d.txt.gz").write_text(TEXT, encoding="utf-8")  # called so, but not packed
    (tmp_path / "e.html.gz").write_bytes(gzip.compress(b"<p>") + gzip.compress(b"two</p>"))
    found = all_of(tmp_path, source="desk")
    assert [p.body for p in found if isinstance(p, RawPage)] == [
        *[TEXT.encode()] * 4,
        b"<p>two</p>",
    ]
    for one in found:
        assert isinstance(one, RawPage)
        assert (one.source, one.origin, one.charset, one.url) == ("desk", Origin.FILE, None, None)
    assert page(all_of(tmp_path / "a.txt")).path == str(tmp_path / "a.txt")
    assert page(all_of(tmp_path / "a.txt")).media_type == "text/plain"
    assert page(all_of(tmp_path / "e.html.gz")).media_type == "text/html"


def test_a_folder_is_walked_sorted_and_what_is_left_alone_is_counted(tmp_path: Path) -> None:
    for name in ("b.html", "a.txt", "z/c.htm", "m/n/d.xhtml", ".hidden.txt", ".git/x.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    for name in ("s.css", "t.css", "i.png", "noending"):
        (tmp_path / "z" / name).write_text("x")
    found = all_of(tmp_path)
    assert outcomes(found, tmp_path) == [
        ("a.txt", "page"),
        ("b.html", "page"),
        ("m/n/d.xhtml", "page"),
        ("z/c.htm", "page"),
        (str(tmp_path), "unknown_format"),
    ]
    last = found[-1]
    assert isinstance(last, Unreadable)
    assert "4 files" in last.detail
    assert ".css 2" in last.detail
    assert ".png 1" in last.detail


def test_an_empty_folder_and_an_unknown_file_are_said(tmp_path: Path) -> None:
    assert bad(all_of(tmp_path)).reason is Reason.EMPTY
    (tmp_path / "report.docx").write_text("x")
    one = bad(all_of(tmp_path / "report.docx"))
    assert one.reason is Reason.UNKNOWN_FORMAT
    assert ".docx" in one.detail
    assert ".jsonl" in one.detail


def test_an_empty_file_is_a_page_that_decode_will_judge(tmp_path: Path) -> None:
    (tmp_path / "e.txt").touch()
    assert page(all_of(tmp_path / "e.txt")).body == b""


def test_a_missing_file_and_a_pattern_without_match(tmp_path: Path) -> None:
    assert bad(all_of(tmp_path / "no.txt")).reason is Reason.MISSING
    assert bad(all_of(tmp_path / "*.html")).reason is Reason.MISSING
    (tmp_path / "a.txt").touch()
    assert bad(all_of(tmp_path / "a.txt" / "b.txt")).reason is Reason.MISSING
    (tmp_path / "broken.txt").symlink_to(tmp_path / "gone.txt")
    one = bad(all_of(tmp_path / "broken.txt"))
    assert one.reason is Reason.MISSING
    assert "link" in one.detail
    assert bad(all_of("a\0b.txt")).reason is Reason.UNREADABLE
    assert bad(all_of("x" * 5000 + ".txt")).reason is Reason.UNREADABLE


def test_a_quoted_pattern_is_expanded_sorted_but_a_file_called_so_wins(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "c.html"):
        (tmp_path / name).write_text(name)
    assert outcomes(all_of(tmp_path / "*.txt"), tmp_path) == [("a.txt", "page"), ("b.txt", "page")]
    (tmp_path / "*.txt").write_text("starred")
    assert page(all_of(tmp_path / "*.txt")).body == b"starred"


def test_loops_of_links_end_and_each_folder_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "x.txt").write_text("x")
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "self.txt").symlink_to(tmp_path / "self.txt")
    found = outcomes(all_of(tmp_path), tmp_path)
    assert found == [("self.txt", "unreadable"), ("a/x.txt", "page")]


def test_special_files_do_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.txt"))
        found = outcomes(all_of(tmp_path), tmp_path)
    assert found == [("pipe.txt", "unreadable"), ("s.txt", "unreadable")]
    assert bad(all_of("/dev/null")).reason is Reason.UNREADABLE


def test_a_pipe_that_is_named_is_read_and_its_format_seen(tmp_path: Path) -> None:
    for data, media_type in (
        (TEXT.encode(), "text/plain"),
        (HTML.encode(), "text/html"),
        (gzip.compress(HTML.encode()), "text/html"),
    ):
        pipe = tmp_path / f"p{len(data)}"
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_bytes, args=(data,))
        writer.start()
        one = page(all_of(pipe))
        writer.join()
        assert one.media_type == media_type
        assert one.body in (TEXT.encode(), HTML.encode())
    assert size_of([str(tmp_path / "a.txt"), "-"]) is None


SCRIPT = """
import json, sys
from crawler.readers import ReadOptions, read
from pipelines.document import RawPage
for one in read(sys.argv[1:], ReadOptions()):
    page = isinstance(one, RawPage)
    print(json.dumps([one.path, "page" if page else one.reason, page and one.media_type]))
"""


def run(*args: str, **more: Any) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *args], capture_output=True, check=True, timeout=60, **more
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_standard_input_in_every_format() -> None:
    rows = b'{"text": "x"}\n\n{"text": "y"}\n'
    for data, expected in (
        (TEXT.encode(), [["-", "page", "text/plain"]]),
        (b"\xef\xbb\xbf  " + HTML.encode(), [["-", "page", "text/html"]]),
        (rows, [["-#1", "page", "text/plain"], ["-#3", "page", "text/plain"]]),
        (gzip.compress(rows), [["-#1", "page", "text/plain"], ["-#3", "page", "text/plain"]]),
        (warc(response(b"<p>a</p>")), [["-#0", "page", "text/html"]]),
        (packed(response(b"<p>a</p>")), [["-#0", "page", "text/html"]]),
        (b"", [["-", "page", "text/plain"]]),
    ):
        assert run("-", input=data) == expected


def test_no_permission_for_a_file_or_a_folder() -> None:
    # Not in tmp_path, whose parents shut out the user without rights.
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        top.chmod(0o755)
        (top / "shut").mkdir()
        (top / "shut" / "a.txt").touch()
        (top / "b.txt").touch()
        (top / "b.txt").chmod(0)
        (top / "shut").chmod(0)
        # Root reads everything: let a user do it who has no rights.
        found = _as_nobody(lambda: all_of(top)) if os.geteuid() == 0 else all_of(top)
        (top / "shut").chmod(0o700)
        assert sorted(outcomes(found, top)) == [
            ("b.txt", "no_permission"),
            ("shut", "no_permission"),
        ]


def _as_nobody(task: Callable[[], list[Any]]) -> list[Any]:
    """The task's answer in a child process without any rights."""
    inner, outer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(54321, 54321, 54321)
            rows = [(one.path, one.reason.value, one.detail) for one in task()]
            os.write(outer, json.dumps(rows).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(outer)
    with os.fdopen(inner, "rb") as answer:
        rows = json.loads(answer.read() or b"[]")
    assert os.waitpid(child, 0)[1] == 0
    return [Unreadable(path, Reason(reason), detail) for path, reason, detail in rows]


def test_a_file_that_goes_away_while_reading(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text(name)
    reading = read([str(tmp_path)], ReadOptions())
    first = next(reading)
    (tmp_path / "b.txt").unlink()
    assert outcomes([first, *reading], tmp_path) == [
        ("a.txt", "page"),
        ("b.txt", "missing"),
        ("c.txt", "page"),
    ]


def test_progress_adds_up_to_the_size_on_disk_whatever_happens(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "big.txt").write_bytes(b"x" * 300_000)
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(b'{"text": "x"}\n' * 9000))
    (tmp_path / "d.warc.gz").write_bytes(packed(*[response(os.urandom(9000))] * 9)[:-10])
    (tmp_path / "e.warc").write_bytes(warc(*[response(b"<p>x</p>")] * 9, response(b"y" * 400_000)))
    (tmp_path / "f.css").write_text("ignored")
    steps: list[int] = []
    all_of(tmp_path, progress=steps.append, max_bytes=200_000)
    total = sum(p.stat().st_size for p in tmp_path.iterdir()) - len("ignored")
    assert size_of([str(tmp_path)]) == total
    assert sum(steps) == total
    assert min(steps) > 0


# --- too large, damaged -----------------------------------------------------------------------


def test_larger_than_a_page_may_be(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * 1001)
    (tmp_path / "b.txt").write_bytes(b"x" * 1000)
    (tmp_path / "c.html.gz").write_bytes(gzip.compress(b"x" * 1001))
    assert outcomes(all_of(tmp_path, max_bytes=1000), tmp_path) == [
        ("a.txt", "too_large"),
        ("b.txt", "page"),
        ("c.html.gz", "too_large"),
    ]


MEMORY = """
import resource, sys
from crawler.readers import ReadOptions, read
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for one in read(sys.argv[1:], ReadOptions(max_bytes=1_000_000)):
    print(getattr(one, "reason", "page"))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_huge_input_costs_no_memory(tmp_path: Path) -> None:
    """200 MB in one line, as text, JSON line, WARC record and gzip bomb."""
    size = 200_000_000
    with (tmp_path / "a.txt").open("wb") as file:
        file.truncate(size)
    with (tmp_path / "b.jsonl").open("wb") as file:
        file.write(b'{"text": "one"}\n')
        file.truncate(size)
        file.seek(size)
        file.write(b'\n{"text": "last"}\n')
    bomb = gzip.compress(bytes(size), 1)
    (tmp_path / "c.txt.gz").write_bytes(bomb)
    (tmp_path / "d.jsonl.gz").write_bytes(bomb)
    with (tmp_path / "e.warc").open("wb") as file:
        head = response(b"", pad=size)
        file.write(head[:-4])
        file.seek(len(head) - 4 + size)
        file.write(b"\r\n\r\n" + response(b"<p>after</p>"))
    inner = response(bomb, "Content-Encoding: gzip")
    assert len(inner) < 1_000_000
    (tmp_path / "f.warc").write_bytes(inner)
    with gzip.open(tmp_path / "g.warc.gz", "wb", 1) as packed_file:
        packed_file.write(head[:-4])
        for _ in range(200):
            packed_file.write(bytes(size // 200))
        packed_file.write(b"\r\n\r\n" + response(b"<p>after</p>"))
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path)], capture_output=True, check=True, timeout=60
    )
    *found, grown = done.stdout.decode().split()
    assert found == [
        "too_large",
        *("page", "too_large", "page"),
        "too_large",
        "too_large",
        *("too_large", "page"),
        "too_large",
        *("too_large", "page"),
    ]
    assert int(grown) < 40


def test_gzip_that_is_cut_or_damaged(tmp_path: Path) -> None:
    data = gzip.compress(random.Random(1).randbytes(5000))
    (tmp_path / "a.txt.gz").write_bytes(data[:-1])
    (tmp_path / "b.txt.gz").write_bytes(data[:2000])
    (tmp_path / "c.txt.gz").write_bytes(data[:3])
    (tmp_path / "d.txt.gz").write_bytes(data[:2500] + b"!!" + data[2502:])
    assert outcomes(all_of(tmp_path), tmp_path) == [
        ("a.txt.gz", "truncated"),
        ("b.txt.gz", "truncated"),
        ("c.txt.gz", "truncated"),
        ("d.txt.gz", "unreadable"),
    ]


# --- HTML -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "url"),
    [
        (
            "<!-- saved from url=(0035)https://news.example/2024/05/a-b?c=d -->",
            "https://news.example/2024/05/a-b?c=d",
        ),
        ("<!-- saved from url=(0014)about:internet -->", None),
        ("<!-- saved from url=(0020)file:///C:/a.html -->", None),
        ("<!--\n Page saved with SingleFile \n url: https://news.example/x \n saved date: Mon -->",
         "https://news.example/x"),
        ("", None),
    ],
)  # fmt: skip
def test_the_address_that_a_browser_wrote_into_a_saved_page(
    tmp_path: Path, head: str, url: str | None
) -> None:
    (tmp_path / "a.html").write_text(f"<!DOCTYPE html>\n{head}\n<html><p>x</p></html>")
    assert page(all_of(tmp_path / "a.html")).url == url
    (tmp_path / "manifest.csv").write_text("path,url\na.html,https://stated.example/\n")
    assert page(all_of(tmp_path / "a.html")).url == "https://stated.example/"


# --- JSON lines -------------------------------------------------------------------------------


def lines(path: Path, *rows: object) -> Path:
    path.write_bytes(
        b"".join(
            (row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows
        )
    )
    return path


def test_json_lines_in_full(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "a.jsonl",
        {
            "url": "https://news.example/1",
            "source": "example",
            "title": "عنوان",
            "text": TEXT,
            "published_at": "31 أيار 2024",
            "author": "سامي",
            "fetched_at": "2024-06-01T10:00:00+03:00",
            "id": 17,
        },
        {"html": HTML, "author": ["ليلى", "سامي"], "url": None},
    )
    first, second = all_of(path, source="default")
    assert isinstance(first, RawPage)
    assert isinstance(second, RawPage)
    assert first.body.decode() == TEXT
    assert first.path == f"{path}#1"
    assert (first.url, first.source) == ("https://news.example/1", "example")
    assert (first.media_type, first.charset, first.origin) == ("text/plain", "utf-8", Origin.JSONL)
    assert first.fetched_at == datetime(2024, 6, 1, 10, tzinfo=timezone(timedelta(hours=3)))
    assert (first.stated.title, first.stated.author) == ("عنوان", "سامي")
    assert first.stated.published_at == "31 أيار 2024"
    assert second.body.decode() == HTML
    assert (second.media_type, second.charset, second.source) == ("text/html", "utf-8", "default")
    assert (second.path, second.stated.author) == (f"{path}#2", "ليلى, سامي")


def test_fields_are_mapped_also_into_objects_and_lists(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "a.ndjson",
        {
            "article": {"body": TEXT, "by": [{"name": "سامي"}]},
            "link": "https://n.example/",
            "a.b": "T",
        },
    )
    one = page(
        all_of(
            path,
            fields={
                "text": "article.body",
                "author": "article.by.0.name",
                "url": "link",
                "title": "a.b",
            },
        )
    )
    assert one.body.decode() == TEXT
    assert (one.stated.author, one.url, one.stated.title) == ("سامي", "https://n.example/", "T")
    with pytest.raises(ValueError, match="body"):
        ReadOptions(fields={"body": "text"})


@pytest.mark.parametrize(
    ("row", "word"),
    [
        (b"{not json}", "JSON"),
        (b'{"text": "cut', "JSON"),
        (b"[1, 2]", "a list"),
        (b'"text"', "a string"),
        (b"null", "null"),
        (b"{}", "neither"),
        (b'{"body": "x"}', "'body'"),
        (b'{"text": 5}', "text: a number"),
        (b'{"text": ["x"]}', "text: a list"),
        (b'{"text": "x", "title": {}}', "title: an object"),
        (b'{"text": "x", "published_at": 1717141800}', "published_at: a number"),
        (b'{"text": "x", "author": [1]}', "author: a list"),
        (b'{"text": "x", "url": "n.example/a"}', "url"),
        (b'{"text": "x", "url": "javascript://x"}', "url"),
        (b'{"text": "x", "url": "https://[::1/a"}', "url"),
        (b'{"text": "x", "fetched_at": "yesterday"}', "fetched_at"),
        (b'{"text": "x", "fetched_at": "2024-13-01"}', "fetched_at"),
        (b'{"text": "\xc7\xe1"}', "UTF-8"),
        (b'{"text": "\\ud800"}', "surrogate"),
        (b'{"text": "x", "title": "\\udfff"}', "surrogate"),
        (b"[" * 100_000, "deep"),
        (b'{"text": "x", "n": ' + b"9" * 10_000 + b"}", "number"),
    ],
)
def test_a_bad_line_is_named_and_the_reading_goes_on(tmp_path: Path, row: bytes, word: str) -> None:
    path = lines(tmp_path / "a.jsonl", {"text": "before"}, b"", row, b"  \r", {"text": "after"})
    first, wrong, last = all_of(path)
    assert isinstance(first, RawPage)
    assert isinstance(last, RawPage)
    assert isinstance(wrong, Unreadable)
    assert (wrong.path, wrong.reason) == (f"{path}#3", Reason.BAD_LINE)
    assert word in wrong.detail
    assert "\n" not in wrong.detail
    assert last.path == f"{path}#5"


def test_long_lines_and_large_pages_of_json_lines(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "a.jsonl",
        {"text": "x" * 100_001},
        {"text": "ب" * 50_000},  # six bytes a letter in the file, two in the page
        {"text": "x" * 500_000, "url": "https://n.example/"},
        {"text": "last"},
    )
    found = all_of(path, max_bytes=100_000)
    assert [result for _, result in outcomes(found, tmp_path)] == [
        "too_large",
        "page",
        "too_large",
        "page",
    ]


def test_json_lines_with_a_mark_windows_breaks_and_no_last_break(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "a"}\r\n{"text": "b"}')
    assert [p.body for p in all_of(tmp_path) if isinstance(p, RawPage)] == [b"a", b"b"]


def test_json_lines_in_gzip_that_is_cut(tmp_path: Path) -> None:
    rows = [{"text": random.Random(n).randbytes(300).hex()} for n in range(500)]
    data = gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    (tmp_path / "a.jsonl.gz").write_bytes(data[: len(data) // 2])
    *pages, last = all_of(tmp_path)
    assert isinstance(last, Unreadable)
    assert last.reason is Reason.TRUNCATED
    assert 200 < len(pages) < 300
    for n, one in enumerate(pages):
        assert isinstance(one, RawPage)
        assert one.body.decode() == rows[n]["text"]
    assert f"line {len(pages)}" in last.detail


def test_an_empty_container_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").touch()
    (tmp_path / "b.warc").touch()
    (tmp_path / "c.warc.gz").write_bytes(gzip.compress(b""))
    assert outcomes(all_of(tmp_path), tmp_path) == [
        ("a.jsonl", "empty"),
        ("b.warc", "empty"),
        ("c.warc.gz", "empty"),
    ]


# --- manifests --------------------------------------------------------------------------------


def test_a_manifest_tells_of_the_files_beside_and_below_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.txt", "sub/b.html", "c.txt"):
        (tmp_path / name).write_text("x")
    lines(tmp_path / "d.jsonl", {"text": "x"}, {"text": "y", "source": "own"})
    (tmp_path / "manifest.csv").write_text(
        "\ufeffpath,source,url,fetched_at,charset,title,author,published_at\r\n"
        "a.txt,desk,https://n.example/a,2024-05-31T09:30:00Z,windows-1256,عنوان,سامي,"
        "٣١ أيار ٢٠٢٤\r\n"
        '\r\nsub/b.html,,,,,"ت, ع",,\r\nd.jsonl,wire,,,,,,\r\n',
        encoding="utf-8",
        newline="",
    )
    a, c, first, second, b = all_of(tmp_path, source="default")
    assert isinstance(a, RawPage)
    assert (a.source, a.url, a.charset) == ("desk", "https://n.example/a", "windows-1256")
    assert a.fetched_at == datetime(2024, 5, 31, 9, 30, tzinfo=UTC)
    assert (a.stated.title, a.stated.author) == ("عنوان", "سامي")
    assert a.stated.published_at == "٣١ أيار ٢٠٢٤"
    assert isinstance(b, RawPage)
    assert (b.source, b.stated.title) == ("default", "ت, ع")
    assert (c.source, first.source, second.source) == ("default", "wire", "own")
    assert page(all_of(tmp_path / "a.txt")).source == "desk"  # named by itself as well


def test_a_manifest_in_json_lines_given_by_path_replaces_those_beside(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "manifest.csv").write_text("file;source\na.txt;beside\n")
    assert page(all_of(tmp_path / "a.txt")).source == "beside"
    given_path = lines(tmp_path / "meta.jsonl", {"path": "a.txt", "source": "given"})
    one = page(all_of(tmp_path / "a.txt", manifest=str(given_path)))
    assert one.source == "given"


def test_a_manifest_holds_however_the_path_is_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "other.txt").write_text("x")
    (tmp_path / "in" / "sub" / "a.txt").write_text("x")
    (tmp_path / "in" / "link.txt").symlink_to(tmp_path / "other.txt")
    (tmp_path / "in" / "manifest.csv").write_text("path,source\nsub/a.txt,s\nlink.txt,t\n")
    (tmp_path / "door").symlink_to(tmp_path / "in", target_is_directory=True)
    monkeypatch.chdir(tmp_path / "in")
    for start in (".", "../in", "../door", str(tmp_path / "in/sub/..")):
        assert [one.source for one in all_of(start)] == ["t", "s"]
    assert page(all_of("link.txt")).source == "t"


def test_a_listed_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "manifest.csv").write_text("path,source\na.txt,s\ngone.txt,s\n")
    missing, there = all_of(tmp_path)
    assert isinstance(missing, Unreadable)
    assert (missing.path, missing.reason) == (str(tmp_path / "gone.txt"), Reason.MISSING)
    assert "line 3" in missing.detail
    assert isinstance(there, RawPage)


def test_a_listed_url_that_can_not_be_asked_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "manifest.csv").write_text("path\nhttps://127.0.0.1:9/a::b\na.txt\n")
    missing, there = all_of(tmp_path)
    assert isinstance(missing, Unreadable) and missing.reason is Reason.MISSING
    assert "line 2" in missing.detail and "can't be reached" in missing.detail
    assert isinstance(there, RawPage)


@pytest.mark.parametrize(
    ("name", "content", "line", "word"),
    [
        ("manifest.csv", "path,sourec\na.txt,s\n", 1, "'sourec'"),
        ("manifest.csv", "source\ns\n", 1, "path"),
        ("manifest.csv", "path,file\na,a\n", 1, "path"),
        ("manifest.csv", "path,url,url\n", 1, "twice"),
        ("manifest.csv", "", 0, "empty"),
        ("manifest.csv", "path,source\na.txt,s\n./a.txt,t\n", 3, "line 2"),
        ("manifest.csv", "path,fetched_at\na.txt,31/05/2024\n", 2, "fetched_at"),
        ("manifest.csv", "path,published_at\na.txt,soon\n", 2, "published_at"),
        ("manifest.csv", "path,url\na.txt,www.n.example\n", 2, "url"),
        ("manifest.csv", "path,url\na.txt-https://n.example/a\n", 2, "a.txt-https"),
        ("manifest.csv", "path,charset\na.txt,arabic-2\n", 2, "charset"),
        ("manifest.csv", "path,source\n,s\n", 2, "path"),
        ("manifest.csv", "path,source\na.txt,s,t\n", 2, "3 cells"),
        ("manifest.csv", 'path,title\na.txt,"open\n', 2, "CSV"),
        ("manifest.csv", "path,title\nd.jsonl,x\n", 2, "title"),
        ("manifest.jsonl", '{"path": "a.txt"}\n{"path"', 2, "JSON"),
        ("manifest.jsonl", "[]", 1, "object"),
        ("manifest.jsonl", '{"path": "a.txt", "title": 5}', 1, "title"),
        ("manifest.jsonl", '{"path": "a.txt", "tilte": "x"}', 1, "'tilte'"),
    ],
)
def test_a_wrong_manifest_is_named_by_file_line_and_field(
    tmp_path: Path, name: str, content: str, line: int, word: str
) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / name).write_text(content)
    with pytest.raises(ManifestError) as caught:
        read([str(tmp_path)], ReadOptions())  # before any page
    assert caught.value.path == str(tmp_path / name)
    assert caught.value.line == line
    assert word in caught.value.message


def test_other_faults_of_manifests(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_bytes("path,title\na.txt,خبر\n".encode("cp1256"))
    with pytest.raises(ManifestError, match=r"line 2.*UTF-8"):
        read([str(tmp_path)], ReadOptions())
    (tmp_path / "manifest.csv").write_text("path\n")
    (tmp_path / "manifest.jsonl").write_text("")
    with pytest.raises(ManifestError, match="keep one"):
        read([str(tmp_path)], ReadOptions())
    with pytest.raises(ManifestError, match="can't be read"):
        read([str(tmp_path)], ReadOptions(manifest=str(tmp_path / "no.csv")))


# --- WARC -------------------------------------------------------------------------------------


def response(
    body: bytes,
    *http: str,
    url: str = "https://n.example/1",
    status: str = "200 OK",
    kind: str = "text/html; charset=windows-1256",
    warc: Sequence[str] = (),
    wrong_by: int = 0,
    pad: int = 0,
) -> bytes:
    """One record by hand; `wrong_by` falsifies its length, `pad` announces bytes to be added."""
    head = "\r\n".join(
        [f"HTTP/1.1 {status}", f"Content-Type: {kind}", *http, f"Content-Length: {len(body) + pad}"]
    )
    block = head.encode() + b"\r\n\r\n" + body
    fields = [
        "WARC/1.0",
        "WARC-Type: response",
        f"WARC-Target-URI: {url}",
        "WARC-Date: 2024-05-31T09:30:00Z",
        "WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-000000000000>",
        "Content-Type: application/http; msgtype=response",
        *warc,
        f"Content-Length: {len(block) + wrong_by + pad}",
    ]
    return "\r\n".join(fields).encode() + b"\r\n\r\n" + block + b"\r\n\r\n"


def warc(*records: bytes) -> bytes:
    return b"".join(records)


def packed(*records: bytes) -> bytes:
    return b"".join(map(gzip.compress, records))


def packed_whole(*records: bytes) -> bytes:
    return gzip.compress(b"".join(records))


FORMS = pytest.mark.parametrize("form", [warc, packed, packed_whole])


def warc_of(tmp_path: Path, data: bytes, **options: Any) -> list[RawPage | Unreadable]:
    (tmp_path / "a.warc.gz").write_bytes(data)
    return all_of(tmp_path / "a.warc.gz", **options)


def addresses(found: Sequence[RawPage | Unreadable]) -> list[tuple[str | None, str]]:
    return [(one.url, "page" if isinstance(one, RawPage) else one.reason.value) for one in found]


@FORMS
def test_a_response_in_full(tmp_path: Path, form: Callable[..., bytes]) -> None:
    body = "<p>خبر</p>".encode("cp1256")
    one = page(warc_of(tmp_path, form(response(body, "ETag: x", "X-A: 1", "x-a: 2")), source="s"))
    assert one.body == body
    assert (one.url, one.source) == ("https://n.example/1", "s")
    assert one.fetched_at == datetime(2024, 5, 31, 9, 30, tzinfo=UTC)
    assert (one.media_type, one.charset, one.origin) == ("text/html", "windows-1256", Origin.WARC)
    assert one.headers["etag"] == "x"
    assert one.headers["x-a"] == "1, 2"
    archive = str(tmp_path / "a.warc.gz")
    assert (one.path, one.archive, one.offset) == (f"{archive}#0", archive, 0)


@FORMS
def test_every_page_can_be_read_again_by_its_offset(
    tmp_path: Path, form: Callable[..., bytes]
) -> None:
    bodies = [f"<p>{n}</p>".encode() * 50 * n for n in range(1, 6)]
    found = warc_of(tmp_path, form(*map(response, bodies)))
    assert len({one.path for one in found}) == 5
    for one in found:
        assert isinstance(one, RawPage)
        assert one.archive is not None
        assert one.offset is not None
        assert read_record(one.archive, one.offset, ReadOptions()) == one
    again = read_record(str(tmp_path / "a.warc.gz"), 7, ReadOptions())
    assert isinstance(again, Unreadable)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("zipped", [True, False])
def test_what_warcio_writes(tmp_path: Path, version: str, zipped: bool) -> None:
    buffer = io.BytesIO()
    writer = WARCWriter(buffer, gzip=zipped, warc_version=version)
    writer.write_record(writer.create_warcinfo_record("a.warc", {"software": "x"}))
    for n in range(3):
        headers = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.1")
        record = writer.create_warc_record(
            f"https://n.example/{n}",
            "response",
            io.BytesIO(b"<p>%d</p>" % n),
            length=8,  # unstated, warcio leaves temporary files open
            http_headers=headers,
        )
        request = StatusAndHeaders("GET / HTTP/1.1", [("Host", "n.example")], is_http_request=True)
        writer.write_request_response_pair(
            writer.create_warc_record(
                f"https://n.example/{n}", "request", http_headers=request, length=0
            ),
            record,
        )
    found = warc_of(tmp_path, buffer.getvalue())
    assert addresses(found) == [(f"https://n.example/{n}", "page") for n in range(3)]
    assert all(isinstance(one, RawPage) and one.fetched_at for one in found)


def chunked(body: bytes, size: int = 7) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x;x=y\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


ENCODINGS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("br", brotli.compress),
    ("zstd", zstandard.compress),
    ("gzip, br", lambda body: brotli.compress(gzip.compress(body))),
    ("identity", lambda body: body),
    ("utf-8", lambda body: body),
]


@pytest.mark.parametrize(("name", "pack"), ENCODINGS)
def test_packed_and_chunked_bodies(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    body = HTML.encode() * 5
    encoding, transfer = f"Content-Encoding: {name}", "Transfer-Encoding: chunked"
    records = [
        response(pack(body), encoding),
        response(chunked(pack(body)), encoding, transfer),
        response(body, encoding, transfer),  # unpacked when it was stored, as many crawlers do
    ]
    found = warc_of(tmp_path, packed(*records))
    assert [one.body for one in found if isinstance(one, RawPage)] == [body] * 3
    if not name.startswith(("identity", "utf")):
        bombs = packed(response(pack(bytes(3_000_000)), encoding), response(b"<p>after</p>"))
        found = warc_of(tmp_path, bombs, max_bytes=2_000_000)
        assert [result for _, result in outcomes(found, tmp_path)] == ["too_large", "page"]
        whole = pack(random.Random(5).randbytes(3000))
        found = warc_of(tmp_path, packed(response(whole[:2000], encoding)))
        assert bad(found).reason is Reason.BAD_RECORD


@FORMS
def test_what_is_no_page_is_counted_and_other_answers_are_named(
    tmp_path: Path, form: Callable[..., bytes]
) -> None:
    found = warc_of(
        tmp_path,
        form(
            response(b"x", kind="image/png"),
            response(b"x", kind="image/png"),
            response(b"<rss/>", kind="application/rss+xml"),
            response(b"User-agent: *", kind="text/plain", url="https://n.example/robots.txt"),
            response(b"gone", status="404 Not Found", url="https://n.example/gone"),
            response(b"", "Location: /x", status="301 Moved", url="https://n.example/old"),
            response(b"<html>x</html>", kind=""),
            response(b"plain", kind="text/plain"),
            response(b"1.2.3.4", url="dns:n.example").replace(b"HTTP/1.1", b"20240531", 1),
            response(b"").replace(b"Type: response", b"Type: revisit", 1),
        ),
    )
    assert addresses(found) == [
        ("https://n.example/gone", "http_status"),
        ("https://n.example/old", "http_status"),
        ("https://n.example/1", "page"),
        ("https://n.example/1", "page"),
        (None, "unknown_format"),
    ]
    gone, last = found[0], found[-1]
    assert isinstance(gone, Unreadable)
    assert "404 Not Found" in gone.detail
    assert isinstance(last, Unreadable)
    for words in ("6 records", "2 image/png", "1 application/rss+xml", "1 robots.txt", "1 revisit"):
        assert words in last.detail


def test_a_resource_record_is_a_page(tmp_path: Path) -> None:
    body = HTML.encode()
    head = (
        "WARC/1.1\r\nWARC-Type: resource\r\nWARC-Target-URI: <https://n.example/r>\r\n"
        "WARC-Date: 2024-05-31T09:30:00.123456789Z\r\nContent-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    one = page(warc_of(tmp_path, head.encode() + body + b"\r\n\r\n"))
    assert (one.body, one.url, one.charset) == (body, "https://n.example/r", "utf-8")
    assert one.fetched_at == datetime(2024, 5, 31, 9, 30, 0, 123456, tzinfo=UTC)


@FORMS
@pytest.mark.parametrize("wrong_by", [-900, -10, -1, 1, 3, 10, 400, 1500, 40_000])
def test_a_false_length_costs_one_record(
    tmp_path: Path, form: Callable[..., bytes], wrong_by: int
) -> None:
    body = b"<p>" + b"x" * 1000 + b"</p>"
    good = [response(body, url=f"https://n.example/{n}") for n in range(4)]
    false = response(body, url="https://n.example/false", wrong_by=wrong_by)
    found = warc_of(tmp_path, form(*good[:2], false, *good[2:]))
    assert addresses(found) == [
        ("https://n.example/0", "page"),
        ("https://n.example/1", "page"),
        ("https://n.example/false", "bad_record"),
        ("https://n.example/2", "page"),
        ("https://n.example/3", "page"),
    ]


@pytest.mark.parametrize("wrong_by", [-150_000, 100_000])
@pytest.mark.parametrize("form", [warc, packed])
def test_a_false_length_of_a_record_that_is_too_large(
    tmp_path: Path, form: Callable[..., bytes], wrong_by: int
) -> None:
    good = [response(b"<p>x</p>", url=f"https://n.example/{n}") for n in range(3)]
    false = response(bytes(200_000), url="https://n.example/false", wrong_by=wrong_by)
    found = warc_of(tmp_path, form(good[0], false, *good[1:]), max_bytes=10_000)
    assert [result for _, result in addresses(found)] == ["page", "bad_record", "page", "page"]


def test_a_page_can_not_pass_for_a_record(tmp_path: Path) -> None:
    """Text of a page that looks like a record must not become one, whatever is wrong around it."""
    forged = response(b"<p>forged</p>", url="https://bank.example/")
    for form in (warc, packed, packed_whole):
        found = warc_of(tmp_path, form(response(b"<p>x</p>\r\n\r\n" + forged), response(b"y")))
        assert addresses(found) == [("https://n.example/1", "page")] * 2
        found = warc_of(tmp_path, form(response(b"z" * 99_999 + forged)), max_bytes=1000)
        assert addresses(found) == [("https://n.example/1", "too_large")]
    false = response(b"<p>x</p>\r\n\r\n" + forged, wrong_by=-500)
    found = warc_of(tmp_path, packed(response(b"x"), false, response(b"y")))
    assert [result for _, result in addresses(found)] == ["page", "bad_record", "page"]


def test_digests_are_checked(tmp_path: Path) -> None:
    body = b"<p>x</p>"
    block = response(body).partition(b"\r\n\r\n")[2][:-4]
    sha1 = base64.b32encode(hashlib.sha1(block, usedforsecurity=False).digest()).decode()
    payload = hashlib.sha256(body).hexdigest()
    for fields, result in (
        ([f"WARC-Block-Digest: sha1:{sha1}"], "page"),
        ([f"WARC-Block-Digest: sha1:{sha1[::-1]}"], "bad_record"),
        ([f"WARC-Payload-Digest: sha256:{payload}"], "page"),
        ([f"WARC-Payload-Digest: sha-256:{payload.upper()}"], "page"),
        ([f"WARC-Payload-Digest: sha256:{payload[::-1]}"], "bad_record"),
        (["WARC-Payload-Digest: crc9:abc"], "page"),
    ):
        found = warc_of(tmp_path, packed(response(body, warc=fields), response(body)))
        assert [result for _, result in addresses(found)] == [result, "page"], fields


def test_a_status_line_without_its_protocol(tmp_path: Path) -> None:
    plain = response(b"<p>x</p>").replace(b"HTTP/1.1 200 OK", b"200 OK         ")
    assert page(warc_of(tmp_path, plain)).body == b"<p>x</p>"


def test_http_that_contradicts_its_record(tmp_path: Path) -> None:
    short = response(b"<p>x</p>").replace(b"Content-Length: 8", b"Content-Length: 9")
    assert bad(warc_of(tmp_path, packed(short))).reason is Reason.BAD_RECORD
    cut = response(b"<p>x</p>", warc=["WARC-Truncated: time"])
    cut = cut.replace(b"Content-Length: 8\r", b"Content-Length: 9\r")
    assert page(warc_of(tmp_path, cut)).headers["warc-truncated"] == "time"
    broken = response(chunked(HTML.encode())[:-30], "Transfer-Encoding: chunked")
    assert bad(warc_of(tmp_path, broken)).reason is Reason.BAD_RECORD
    undated = response(b"x").replace(b"2024-05-31T09:30:00Z", b"last week")
    assert "WARC-Date" in bad(warc_of(tmp_path, undated)).detail
    headless = response(b"x").replace(b"HTTP/1.1 200 OK", b"hello, reader  ")
    assert bad(warc_of(tmp_path, headless)).reason is Reason.BAD_RECORD


@FORMS
def test_a_cut_anywhere_keeps_what_came_before_and_is_seen(
    tmp_path: Path, form: Callable[..., bytes]
) -> None:
    records = [
        response(random.Random(n).randbytes(300).hex().encode(), url=f"https://n.example/{n}")
        for n in range(3)
    ]
    data = form(*records)
    ends = [0, *(len(form(*records[:n])) for n in (1, 2, 3))] if form is not packed_whole else []
    for cut in range(2, len(data), 7):
        found = warc_of(tmp_path, data[:cut])
        if cut in ends:
            assert all(isinstance(one, RawPage) for one in found)
            continue
        *pages, last = found
        assert isinstance(last, Unreadable), cut
        assert last.reason is Reason.TRUNCATED, (cut, last)
        whole = sum(end <= cut for end in ends[1:])
        assert len(pages) >= whole
        assert [one.url for one in pages] == [f"https://n.example/{n}" for n in range(len(pages))]
        assert all(isinstance(one, RawPage) and len(one.body) == 600 for one in pages)


def test_damage_in_the_middle_costs_what_it_hit(tmp_path: Path) -> None:
    records = [
        gzip.compress(response(random.Random(n).randbytes(9000), url=f"https://n.example/{n}"))
        for n in range(4)
    ]
    hurt = bytearray(records[1])
    hurt[5000:5004] = b"\xff\0\xff\0"
    for second in (
        bytes(hurt),
        records[1][:4000],  # the crawler died and went on behind it
        b"no gzip at all",
        b"\0" * 99 + gzip.compress(b"junk in gzip\r\n\r\n"),
    ):
        found = warc_of(tmp_path, b"".join([records[0], second, *records[2:]]))
        pages = [one.url for one in found if isinstance(one, RawPage)]
        wrong = [one.reason for one in found if isinstance(one, Unreadable)]
        assert pages == [f"https://n.example/{n}" for n in (0, 2, 3)]
        assert wrong == [Reason.BAD_RECORD]


def test_what_is_no_warc_at_all(tmp_path: Path) -> None:
    for data in (b"hello\r\n\r\n" * 5000, gzip.compress(b"hello"), b"WARC/1.0\r\n" * 20_000):
        assert {one.reason for one in warc_of(tmp_path, data) if isinstance(one, Unreadable)} <= {
            Reason.BAD_RECORD
        }


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), form=st.sampled_from([warc, packed, packed_whole]))
def test_no_damage_raises_or_alters_a_page(
    tmp_path: Path, data: st.DataObject, form: Callable[..., bytes]
) -> None:
    """Whatever bytes are changed, cut or put in: no exception, and no page is a false one.

    Checksums and digests see to that, where they are not hit as well: a file packed as a whole has
    but one checksum, at its end.
    """
    bodies = [b"<p>%d</p>" % n * 40 for n in range(4)]
    records = []
    for n, body in enumerate(bodies):
        digest = hashlib.sha256(body).hexdigest()
        field = f"WARC-Payload-Digest: sha256:{digest}"
        records.append(response(body, url=f"https://n.example/{n}", warc=[field]))
    raw = bytearray(form(*records))
    for _ in range(changes := data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw)))
        end = at + data.draw(st.integers(0, 40))
        raw[at:end] = data.draw(st.binary(max_size=40))
    for one in warc_of(tmp_path, bytes(raw)):
        if isinstance(one, RawPage) and (form is packed or (form is warc and changes == 1)):
            assert one.body in bodies


def test_hostile_lengths_take_linear_time(tmp_path: Path) -> None:
    """Each of many small records claims to reach far: none is read more than a few times."""
    one = response(b"<p>x</p>", wrong_by=15_000_000)
    found = warc_of(tmp_path, one * 8_000)
    assert len(found) == 8_000
