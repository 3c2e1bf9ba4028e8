"""The archive: what was fetched comes back as it was, whatever happens to who wrote it."""

import gzip
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from warcio.archiveiterator import ArchiveIterator

from crawler.archive import Archive, Fetched, crawled_page
from crawler.readers import ReadOptions, read, read_record
from crawler.replay import replay
from crawler.reprocess import reprocess
from crawler.work import Limits
from pipelines.db.engine import write
from pipelines.document import Origin, RawPage, Reason, Stated, Unreadable
from pipelines.errors import ArchiveError
from tests.conftest import ROOT

PARAGRAPHS = (
    "افتتحت البلدية صباح الخميس حديقة عامة على ضفة النهر بعد ثلاث سنوات من العمل المتواصل.",
    "وقالت المهندسة المشرفة إن الأشجار نقلت من مشاتل الوادي وإن الري يجري بمياه معالجة.",
    "وأضافت أن الدخول مجاني طوال أيام الأسبوع وأن المقاعد صنعت من خشب أعيد استعماله.",
)
AT = datetime(2026, 3, 14, 9, 26, 53, 589793, UTC)
HTML = (b"Content-Type", b"text/html; charset=UTF-8")


def html(number: int, charset: str = "utf-8") -> bytes:
    lines = "".join(f"<p>{line} ({number})</p>" for line in PARAGRAPHS)
    page = f"<html><head><title>حديقة رقم {number}</title></head><body><article><h1>حديقة رقم "
    return f"{page}{number}</h1>{lines}</article></body></html>".encode(charset)


def fetched(number: int = 1, **changes: Any) -> Fetched:
    page = Fetched(f"https://nahr.example/n/{number}", 200, [HTML], html(number), AT)
    return replace(page, **changes)


def replayed(folder: Path) -> list[RawPage | Unreadable]:
    return list(read([str(folder)], ReadOptions()))


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


CASES = {
    "plain": fetched(),
    "stated": fetched(
        source="eg/nahr",
        stated=Stated("عنوان\nمن الموجز \u2028 \\ \" '", "كاتب", "Sat, 14 Mar 2026 09:00:00 +0200"),
    ),
    "windows-1256": fetched(
        headers=[(b"content-type", b'text/html;charset="Windows-1256"')],
        body=html(1, "windows-1256"),
    ),
    "no charset": fetched(headers=[(b"Content-Type", b"text/html")]),
    "no type": fetched(headers=[]),
    "plain text": fetched(
        headers=[(b"Content-Type", b"text/plain; charset=utf-8")], body="نص\r\n\r\n".encode()
    ),
    "empty": fetched(body=b""),
    "any bytes": fetched(body=bytes(range(256)) * 300 + b"\r\n\r\nWARC/1.1\r\n"),
    "many headers": fetched(
        headers=[
            HTML,
            (b"ETag", b'W/"\xe9t\xc3\xa9"'),
            (b"Set-Cookie", b"a=1"),
            (b"Set-Cookie", b"b=2"),
            (b"Content-Encoding", b"gzip"),
            (b"Transfer-Encoding", b"chunked"),
            (b"Content-Length", b"7"),
            (b"X-Evil", b"a\r\nContent-Type: image/png\r\n\r\nbody"),
        ]
    ),
    "header flood": fetched(headers=[(b"X-%d" % n, b"x" * 900) for n in range(500)] + [HTML]),
    "zone": fetched(fetched_at=AT.astimezone(timezone(timedelta(hours=3)))),
    "arabic url": fetched(url="https://nahr.example/أخبار عاجلة?ق=1#جزء"),
    "404": fetched(status=404),
    "odd status": fetched(status=599),
    "pdf": fetched(headers=[(b"Content-Type", b"application/pdf")], body=b"%PDF-1.7"),
    "too large": fetched(body=b"<html>" + b"x" * 20_000_001),
    "request": fetched(
        request_headers=[(b"User-Agent", b"Warraq/1"), (b"Authorization", b"Basic c2VjcmV0")]
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_a_crawl_sees_is_what_a_replay_reads(tmp_path: Path, case: Fetched) -> None:
    archive = Archive(tmp_path / "archive", "eg/nahr")
    archive.add(fetched(7))  # offsets count from the file's start, not from the record's
    name, offset = archive.add(case)
    archive.close()
    others = (Reason.UNKNOWN_FORMAT,)  # reported once a file, not for each
    seen = next(
        (
            one
            for one in replayed(tmp_path / "archive")
            if not (one.url or "").endswith("/7")
            and not (isinstance(one, Unreadable) and one.reason in others)
        ),
        None,
    )
    place = str(archive.folder / name)
    page = crawled_page(case, place, offset)
    alone = read_record(place, offset, ReadOptions())
    if isinstance(page, RawPage):
        assert page.body == case.body
        assert (page.path, page.origin) == (None, Origin.CRAWL)
        assert seen == alone == replace(page, path=f"{place}#{offset}", origin=Origin.WARC)
        assert page.fetched_at == AT
        assert (page.source, page.stated) == (case.source, case.stated)
        assert page.headers[":status"] == str(case.status)
    else:
        assert isinstance(alone, Unreadable) and alone.reason is page.reason
        assert seen == alone or (seen is None and page.reason is Reason.UNKNOWN_FORMAT)
        assert (page.path, page.source) == (case.url, case.source)


def test_the_facts_that_pages_are_read_with(tmp_path: Path) -> None:
    def page(name: str) -> RawPage:
        found = crawled_page(CASES[name], None, None)
        assert isinstance(found, RawPage)
        return found

    assert page("plain").charset == "utf-8"
    assert page("windows-1256").charset == "windows-1256"
    assert (page("no type").media_type, page("plain text").media_type) == (
        "text/html",
        "text/plain",
    )
    assert page("many headers").media_type == "text/html"
    assert page("many headers").headers["set-cookie"] == "a=1, b=2"
    assert page("header flood").media_type == "text/html"
    assert page("arabic url").url == "https://nahr.example/أخبار%20عاجلة?ق=1#جزء"


def test_others_can_read_it_and_no_secret_is_in_it(tmp_path: Path) -> None:
    archive = Archive(tmp_path, "eg/nahr")
    for case in CASES.values():
        archive.add(case)
    archive.add(fetched(304, status=304, body=b"", headers=[(b"ETag", b'"1"')]))
    name, _ = archive.add(fetched(9, kind="feed"))
    archive.close()
    kinds = []
    with (tmp_path / name).open("rb") as file:
        records = ArchiveIterator(file, check_digests="raise")
        for record in records:
            kinds.append(record.rec_type)
            content = record.content_stream().read()
            if record.rec_type == "response":
                http = record.http_headers
                assert int(http.get_header("Content-Length")) == len(content)
                assert http.get_header("Content-Encoding") is None
            if record.rec_type == "request":
                assert record.http_headers.get_header("User-Agent") == "Warraq/1"
                assert record.http_headers.get_header("Authorization") is None
    assert kinds.count("response") == len(CASES) + 1
    assert (kinds[0], kinds.count("request"), kinds.count("revisit")) == ("warcinfo", 1, 1)


def test_a_replay_leaves_alone_what_was_no_page_to_the_crawl(tmp_path: Path) -> None:
    archive = Archive(tmp_path, "eg/nahr")
    for number, kind in enumerate(("page", "feed", "sitemap", "listing", "robots", "page")):
        archive.add(fetched(number, kind=kind))
    archive.add(fetched(9, status=304, body=b""))
    archive.close()
    found = replayed(tmp_path)
    assert [p.url for p in found if isinstance(p, RawPage)] == [
        "https://nahr.example/n/0",
        "https://nahr.example/n/5",
    ]
    (left,) = [p for p in found if isinstance(p, Unreadable)]
    assert "1 feed" in left.detail and "1 revisit" in left.detail and "1 listing" in left.detail


def test_what_other_programs_write_beside_a_page_is_not_believed(tmp_path: Path) -> None:
    for number, said in enumerate(
        (
            "not json",
            "[1]",
            '{"warraq": 1}',
            '{"warraq": {"source": "a b", "stated": [1], "kind": "x"}}',
            '{"warraq": {"source": 5, "stated": {"title": 5, "author": ""}, "kind": ["feed"]}}',
            "[" * 30_000,
        )
    ):
        block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"
        head = (
            f"WARC/1.1\r\nWARC-Type: response\r\nWARC-Target-URI: https://nahr.example/{number}\r\n"
            f"WARC-JSON-Metadata: {said}\r\nContent-Length: {len(block)}\r\n\r\n"
        )
        (tmp_path / f"{number}.warc").write_bytes(head.encode() + block + b"\r\n\r\n")
    found = replayed(tmp_path)
    assert len(found) == 6
    for page in found:
        assert isinstance(page, RawPage)
        assert (page.source, page.stated) == (None, Stated())


def test_files_are_rotated_and_lie_by_day(tmp_path: Path) -> None:
    rng = random.Random(1)
    archive = Archive(tmp_path, "eg/nahr", max_bytes=40_000)
    places = []
    for number in range(12):
        body = b"<html>" + rng.randbytes(15_000).hex().encode()
        places.append((number, body, *archive.add(fetched(number, body=body))))
    beside = files(tmp_path)
    assert sum(name.endswith(".open") for name in beside) == 1
    # What was stored is found while its file is still being written.
    for _, body, name, offset in places:
        page = read_record(str(tmp_path / name), offset, ReadOptions())
        assert isinstance(page, RawPage) and page.body == body
    archive.close()
    archive.close()
    assert files(tmp_path) == sorted({name for _, _, name, _ in places})
    assert len(files(tmp_path)) > 3
    for path in tmp_path.rglob("*.warc.gz"):
        assert path.stat().st_size <= 40_000
        assert path.parent.name == f"{datetime.now(UTC):%Y-%m-%d}"
        assert path.name.startswith("eg-nahr-")


def test_nothing_fetched_leaves_no_file(tmp_path: Path) -> None:
    archive = Archive(tmp_path, "eg/nahr")
    archive.sync()
    archive.close()
    assert files(tmp_path) == []


# --- killed, full, shared ------------------------------------------------------------------------

WRITER = """
import random, sys
from datetime import UTC, datetime
from pathlib import Path
from crawler.archive import Archive, Fetched
rng = random.Random(int(sys.argv[2]))
archive = Archive(Path(sys.argv[1]), "eg/nahr", int(sys.argv[3]))
for number in range(int(sys.argv[4])):
    body = b"<html>" + rng.randbytes(rng.randrange(2_000_000)).hex().encode()
    at = datetime.now(UTC)
    url = f"https://nahr.example/{sys.argv[2]}/{number}"
    archive.add(Fetched(url, 200, [(b"Content-Type", b"text/html")], body, at))
    print(number, flush=True)
archive.close()
"""


def start(folder: Path, seed: int, max_bytes: int, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(seed), str(max_bytes), str(count)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_killed_in_mid_record(tmp_path: Path) -> None:
    """Whole records stay, the tail is cut, and a replay has nothing to refuse."""
    rng = random.Random(11)
    for seed in range(20):
        process = start(tmp_path, seed, 4_000_000, 10_000)
        assert process.stdout is not None and process.stderr is not None
        for _ in range(rng.randrange(2, 8)):
            process.stdout.readline()
        time.sleep(rng.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        told, _ = process.communicate(timeout=30)
        # A kill may fall between two files, or before a file's first record: nothing is left then.
        if seed >= 3 and any(file.stat().st_size for file in tmp_path.glob("*.open")):
            break
    (left,) = tmp_path.glob("*.open")
    # A kill seldom falls into a write: this one does.
    with left.open("ab") as file:
        file.write(
            gzip.compress(b"WARC/1.1\r\nWARC-Type: response\r\n" + rng.randbytes(9000))[:1000]
        )
    size = left.stat().st_size
    Archive(tmp_path, "eg/nahr").close()
    found = replayed(tmp_path)
    assert not list(tmp_path.glob("*.open"))
    assert all(isinstance(page, RawPage) for page in found), found
    (closed,) = tmp_path.rglob(left.name.removesuffix(".open"))
    assert closed.stat().st_size == size - 1000
    # All that the last writer said it had stored is there, in order, from the first on.
    numbers = [p.url.split("/")[-1] for p in found if p.url and f"/{seed}/" in p.url]
    assert numbers == [str(n) for n in range(len(numbers))]
    said = told.split()
    assert len(numbers) >= (int(said[-1]) + 1 if said else 1)


@pytest.mark.parametrize("tail", [b"", b"\x1f\x8b\x08", b"\0" * 5000], ids=["no", "begun", "zeros"])
def test_what_a_dead_process_left_is_cut(tmp_path: Path, tail: bytes) -> None:
    archive = Archive(tmp_path / "a", "p")
    name, _ = archive.add(fetched())
    archive.close()
    whole = (tmp_path / "a" / name).read_bytes()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / f"{Path(name).name}.open").write_bytes(whole + tail)
    Archive(tmp_path / "b", "p").close()
    assert files(tmp_path / "b") == [name]
    assert (tmp_path / "b" / name).read_bytes() == whole


def test_damage_in_the_middle_costs_no_record_behind_it(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "a", "p")
    places = [archive.add(fetched(number)) for number in range(3)]
    archive.close()
    broken = bytearray((tmp_path / "a" / places[0][0]).read_bytes())
    broken[places[1][1] + 60] ^= 0xFF
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / f"{Path(places[0][0]).name}.open").write_bytes(broken)
    Archive(tmp_path / "b", "p").close()
    assert [p.url for p in replayed(tmp_path / "b") if isinstance(p, RawPage)] == [
        "https://nahr.example/n/0",
        "https://nahr.example/n/2",
    ]


def test_an_empty_leftover_is_removed_and_other_files_are_not(tmp_path: Path) -> None:
    (tmp_path / "p-20260314092653589793-1-h-00001.warc.gz.open").write_bytes(b"")
    (tmp_path / "notes.open").write_bytes(b"mine")
    Archive(tmp_path, "p").close()
    assert files(tmp_path) == ["notes.open"]


def test_two_processes_never_write_one_file(tmp_path: Path) -> None:
    """Started together, rotating often, each recovering what it takes for dead: all is there."""
    processes = [start(tmp_path, seed, 2_000_000, 12) for seed in (1, 2, 3)]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
    found = replayed(tmp_path)
    assert all(isinstance(page, RawPage) for page in found), found
    urls = [page.url for page in found]
    assert sorted(str(u) for u in urls) == sorted(
        f"https://nahr.example/{seed}/{number}" for seed in (1, 2, 3) for number in range(12)
    )
    for file in tmp_path.rglob("*.warc.gz"):
        seeds = {str(p.url).split("/")[3] for p in replayed(file)}
        assert len(seeds) == 1


def test_a_file_in_use_is_left_to_its_writer(tmp_path: Path) -> None:
    one = Archive(tmp_path, "p")
    first, _ = one.add(fetched(1))
    two = Archive(tmp_path, "p")
    other, _ = two.add(fetched(2))
    assert first != other
    one.add(fetched(3))
    one.close()
    two.close()
    assert [p.url[-1] for p in replayed(tmp_path) if p.url] == ["1", "3", "2"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)], capture_output=True
    )
    if made.returncode:
        pytest.skip("only root can make a small file system")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_full_disk(small_disk: Path) -> None:
    """A clear error; what was stored stays whole, and it goes on when there is room."""
    rng = random.Random(5)
    archive = Archive(small_disk, "p")
    stored = 0
    with pytest.raises(ArchiveError) as caught:
        for _ in range(50):
            archive.add(fetched(stored, body=b"<html>" + rng.randbytes(30_000).hex().encode()))
            stored += 1
    assert "No space left" in str(caught.value) and "make room" in str(caught.value)
    assert str(small_disk) in str(caught.value) and caught.value.exit_code == 3
    assert stored > 3
    archive.add(fetched(stored))  # a small one fits: nothing half-written is in its way
    archive.close()
    found = replayed(small_disk)
    assert [p.url for p in found] == [f"https://nahr.example/n/{n}" for n in range(stored + 1)]
    assert all(isinstance(page, RawPage) for page in found)


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ArchiveError, match=r"the archive .*file/archive"):
        Archive(tmp_path / "file" / "archive", "p")


# --- with a database -----------------------------------------------------------------------------


def test_reprocess_finds_pages_with_what_a_feed_said(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    archive = Archive(folder, "eg/nahr")
    stated = Stated("عنوان الموجز", "سعاد الكاتبة", "2026-03-13T10:00:00+02:00")
    for number in range(3):
        archive.add(fetched(number, source="eg/nahr", stated=stated))
    query = (
        "SELECT a.title, a.author, a.published_iso, s.key FROM articles a "
        "JOIN sources s ON s.id = a.source_id ORDER BY a.url"
    )
    archive.close()
    limits = Limits(workers=1)
    counts = replay(engine, iter(replayed(folder)), {}, limits, "test").counts
    assert counts == {"stored": 3}
    with write(engine) as connection:
        before = connection.execute(text(query)).all()
        assert {row[1:] for row in before} == {
            ("سعاد الكاتبة", "2026-03-13T10:00:00+02:00", "eg/nahr")
        }
        statuses = connection.execute(text("SELECT DISTINCT http_status FROM ledger")).all()
        assert statuses == [(200,)]
        connection.execute(text("UPDATE articles SET author = 'x', record_hash = 'y'"))
    assert reprocess(engine, {}, limits, ReadOptions(), "test").counts == {"corrected": 3}
    with write(engine) as connection:
        assert connection.execute(text(query)).all() == before


def test_warc_metadata_is_ascii(tmp_path: Path) -> None:
    """No letter of a headline can break a header, and a very long one is cut."""
    long = fetched(stated=Stated("ع" * 100_000))
    page = crawled_page(long, None, None)
    assert isinstance(page, RawPage) and page.stated.title == "ع" * 4_000
    archive = Archive(tmp_path, "p")
    name, offset = archive.add(long)
    archive.close()
    again = read_record(str(tmp_path / name), offset, ReadOptions())
    assert isinstance(again, RawPage) and again.stated == page.stated
    plain = gzip.decompress((tmp_path / name).read_bytes())
    (line,) = [part for part in plain.split(b"\r\n") if part.startswith(b"WARC-JSON-Metadata")]
    assert line.isascii() and json.loads(line.partition(b": ")[2])["warraq"]["kind"] == "page"
