"""Broken and hostile input, through the real command line: each has its own outcome, and the
run goes on."""

import gzip
import json
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crawler.archive import Archive, Fetched
from crawler.discovery import Document, discover
from pipelines.db.addresses import Kind
from pipelines.source import Source, Sources, find_source
from tests.conftest import ROOT, rows, run_warraq
from tests.faulty import Relay, until
from tests.site import Site

GOOD = (
    "افتتاح جسر جديد فوق النهر بعد عامين من العمل\n\n"
    "افتتحت بلدية المدينة صباح الخميس جسرا جديدا للمشاة يربط ضفتي النهر، بعد عامين من الأعمال "
    "التي تأخرت مرتين بسبب الفيضانات.\n\n"
    "وقال مهندس المشروع إن الجسر صمم ليحمل ثلاثة آلاف شخص في وقت واحد، وإن إنارته تعمل بالطاقة "
    "الشمسية وحدها طوال العام.\n"
)


def warc(*bodies: str) -> bytes:
    """A WARC file of one response for each body, gzip by record."""
    records = []
    for number, body in enumerate(bodies):
        page = f"<html><head><title>t</title></head><body><article>{body}</article></body></html>"
        http = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{page}".encode()
        head = (
            "WARC/1.1\r\nWARC-Type: response\r\n"
            f"WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-{number:012}>\r\n"
            f"WARC-Target-URI: https://warc.example/{number}\r\n"
            "WARC-Date: 2024-05-31T09:30:00Z\r\n"
            "Content-Type: application/http; msgtype=response\r\n"
            f"Content-Length: {len(http)}\r\n\r\n"
        )
        records.append(gzip.compress(head.encode() + http + b"\r\n\r\n"))
    return b"".join(records)


PARAGRAPHS = "".join(f"<p>{line}</p>" for line in GOOD.split("\n\n")[1:])


def make_empty(folder: Path) -> str:
    (folder / "case.txt").write_bytes(b"")
    return "case.txt"


def make_blank(folder: Path) -> str:
    (folder / "case.txt").write_text(" \n\u200f\n\t")
    return "case.txt"


def make_binary(folder: Path) -> str:
    (folder / "case.html").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    return "case.html"


def make_truncated_gzip(folder: Path) -> str:
    whole = gzip.compress(GOOD.encode() * 50)
    (folder / "case.txt.gz").write_bytes(whole[: len(whole) // 2])
    return "case.txt.gz"


def make_truncated_warc(folder: Path) -> str:
    whole = warc(PARAGRAPHS, PARAGRAPHS.replace("جسر", "نفق"))
    (folder / "case.warc.gz").write_bytes(whole[:-60])
    return "case.warc.gz"


def make_false_length(folder: Path) -> str:
    plain = gzip.decompress(warc(PARAGRAPHS, PARAGRAPHS.replace("جسر", "نفق")))
    at = plain.index(b"Content-Length: ") + len(b"Content-Length: ")
    end = plain.index(b"\r\n", at)
    wrong = str(int(plain[at:end]) + 37).encode()
    (folder / "case.warc").write_bytes(plain[:at] + wrong + plain[end:])
    return "case.warc"


def make_bad_line(folder: Path) -> str:
    good = json.dumps({"text": GOOD, "url": "https://a.example/1"})
    (folder / "case.jsonl").write_text(f"{good}\n{{not json\n", encoding="utf-8")
    return "case.jsonl"


def make_nested(folder: Path) -> str:
    deep = "<div>" * 100_000 + PARAGRAPHS + "</div>" * 100_000
    (folder / "case.html").write_text(f"<html><body>{deep}</body></html>", encoding="utf-8")
    return "case.html"


def make_long_line(folder: Path) -> str:
    with (folder / "case.txt").open("wb") as out:
        for _ in range(200):
            out.write("كلمة ".encode() * 111_111)
    assert (folder / "case.txt").stat().st_size > 199_000_000
    return "case.txt"


def make_long_json_line(folder: Path) -> str:
    with (folder / "case.jsonl").open("wb") as out:
        out.write(b'{"text": "')
        for _ in range(200):
            out.write(b"word " * 200_000)
        out.write(b'"}\n')
    return "case.jsonl"


def make_unknown(folder: Path) -> str:
    (folder / "case.docx").write_bytes(b"PK\x03\x04")
    return "case.docx"


def make_home(folder: Path) -> str:
    cards = "".join(f"<div><h3><a href='/{n}'>عنوان خبر {n}</a></h3></div>" for n in range(40))
    (folder / "case.html").write_text(f"<html><body>{cards}</body></html>", encoding="utf-8")
    return "case.html"


@pytest.mark.parametrize(
    ("make", "outcome", "reason"),
    [
        (make_empty, "rejected", "empty"),
        (make_blank, "rejected", "empty"),
        (make_binary, "rejected", "binary"),
        (make_truncated_gzip, "failed", "truncated"),
        (make_truncated_warc, "failed", "truncated"),
        (make_false_length, "failed", "bad_record"),
        (make_bad_line, "failed", "bad_line"),
        (make_nested, "rejected", "too_deep"),
        (make_long_line, "rejected", "too_large"),
        (make_long_json_line, "rejected", "too_large"),
        (make_unknown, "rejected", "unknown_format"),
        (lambda folder: "nowhere.txt", "failed", "missing"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_case(tmp_path: Path, make: Any, outcome: str, reason: str) -> None:
    name = str(tmp_path / make(tmp_path))
    (tmp_path / "good.txt").write_text(GOOD, encoding="utf-8")
    command = ["replay", name, str(tmp_path / "good.txt"), "--db", f"sqlite:///{tmp_path}/w.db"]
    done = run_warraq([*command, "--json"])
    assert done.returncode == 0, done.stderr.decode()
    summary = json.loads(done.stdout)
    told = [p for p in summary["problems"] if (p["outcome"], p["reason"]) == (outcome, reason)]
    assert len(told) == 1, summary["problems"]
    assert told[0]["document"].startswith(name)
    assert told[0]["detail"] and told[0]["advice"]
    assert summary["outcomes"]["stored"] >= 1  # the good file at least
    assert run_warraq([*command, "--strict"]).returncode == (reason != "unknown_format")


def test_readable_damage_is_flagged_not_refused(tmp_path: Path) -> None:
    (tmp_path / "utf8.txt").write_bytes(GOOD.encode().replace("صباح".encode(), b"\xd8\xff\xb5"))
    (tmp_path / "nul.txt").write_bytes(GOOD.encode().replace(b" ", b" \x00", 3))
    done = run_warraq(["extract", tmp_path])
    rows = {Path(r["path"]).name: r for r in map(json.loads, done.stdout.splitlines())}
    assert "replacement_characters" in rows["utf8.txt"]["flags"]
    assert "\ufffd" in rows["utf8.txt"]["text"]
    assert "nul_bytes_removed" in rows["nul.txt"]["flags"]
    assert "\0" not in rows["nul.txt"]["text"]
    assert rows["nul.txt"]["outcome"] == "stored"


def test_memory_does_not_grow_with_a_warc(tmp_path: Path) -> None:
    record = warc(PARAGRAPHS)
    peaks = []
    for count in (50, 2000):
        file = tmp_path / f"{count}.warc.gz"
        with file.open("wb") as out:
            for _ in range(count):
                out.write(record)
        code = (
            "import resource, sys\n"
            "from crawler.readers import read, ReadOptions\n"
            "n = sum(1 for _ in read([sys.argv[1]], ReadOptions()))\n"
            "print(n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(file)], cwd=ROOT, capture_output=True, check=True
        )
        read, peak = map(int, done.stdout.split())
        assert read == count
        peaks.append(peak)
    assert peaks[1] < peaks[0] * 1.2


def test_full_disk(tmp_path: Path) -> None:
    """A real file system without room: exit 3, the way out named, what was stored whole."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root can make a small file system")
    try:
        rows = [json.dumps({"text": GOOD + f"فقرة رقم {n}. " * 200}) for n in range(400)]
        (tmp_path / "many.jsonl").write_text("\n".join(rows), encoding="utf-8")
        command = ["replay", str(tmp_path / "many.jsonl"), "--db", f"sqlite:///{disk}/w.db"]
        done = run_warraq([*command, "--batch", "20"])
        assert done.returncode == 3
        assert b"make room" in done.stderr
        count = "SELECT count(*) AS n, count(DISTINCT content_hash) AS d FROM articles"
        run_warraq(["sql", count, "--db", f"sqlite:///{disk}/w.db", "--json"])
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        done = run_warraq([*command, "--json"])
        assert done.returncode == 0, done.stderr.decode()
        told = run_warraq(["sql", count, "--db", f"sqlite:///{disk}/w.db", "--json"])
        assert json.loads(told.stdout) == [{"n": 400, "d": 400}]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_output_that_is_full_or_gone() -> None:
    command = [sys.executable, "-m", "crawler.cli", "extract", "seeds/documents"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == 3 and b"No space left" in done.stderr
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=120) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_entities_unfold_and_fetch_nothing() -> None:
    source = Source(key="a")
    with Site(articles=1) as site:
        for name in ("xml-bomb", "xml-square", "xxe"):
            url = f"{site.url}/hostile/{name}.xml"
            body = urllib.request.urlopen(url).read()  # noqa: S310 - the site of this test
            for kind in (Kind.FEED, Kind.SITEMAP):
                found = discover(Document(kind, url, url, 0, body, "text/xml"), source)
                assert len(repr(found)) < 10_000 and "root:" not in repr(found)
        assert not [r for r in site.requests if "reached" in r.path]


def test_direction_controls_turn_nothing_round(tmp_path: Path) -> None:
    """In a title they go. In an address they would show exe.gpj as jpg.exe: they are encoded."""
    turned = "\u202egpj.exe"
    row = {"text": GOOD, "title": f"صورة {turned}", "url": f"https://a.example/{turned}"}
    (tmp_path / "a.jsonl").write_text(json.dumps(row), encoding="utf-8")
    database = f"sqlite:///{tmp_path}/w.db"
    assert run_warraq(["replay", tmp_path / "a.jsonl", "--db", database]).returncode == 0
    (stored,) = rows(database, "SELECT title, url, canonical_url FROM articles")
    assert not any("\u202e" in said for said in stored), stored
    assert "%E2%80%AEgpj.exe" in stored[2]


@pytest.mark.parametrize(
    "url",
    [
        "https://www.s\u0430hifa.example/1",  # Cyrillic
        "https://www.xn--shifa-3ve.example/1",
        "https://sahifa.example.evil.example/1",
        "https://sahifa.example@evil.example/1",
        "https://evil.example/?https://www.sahifa.example/1",
        "https://evil.example\\@sahifa.example/1",
    ],
)
def test_look_alike_hosts_are_no_source_of_ours(url: str) -> None:
    known = Sources(
        {"a": Source.model_validate({"key": "a", "homepage": "https://sahifa.example"})}
    )
    assert find_source(known, None, "https://www.sahifa.example/1") is known["a"]
    assert find_source(known, None, url) is None


@pytest.mark.parametrize("name", ["../../out", "/etc/out", "a/../../out", "..", "\0out", "C:\\out"])
def test_no_name_leads_out_of_the_archive(tmp_path: Path, name: str) -> None:
    archive = Archive(tmp_path / "a" / "b", name)
    where, _ = archive.add(Fetched(f"https://a.example/{name}", 200, [], b"<p>", datetime.now(UTC)))
    archive.close()
    assert (tmp_path / "a" / "b" / where).resolve().is_relative_to(tmp_path / "a" / "b")
    assert [file.parent.parent.name for file in tmp_path.rglob("*.warc.gz")] == ["b"]


@pytest.mark.postgres
def test_database_that_goes_away(new_postgres: str, tmp_path: Path) -> None:
    import psycopg

    with psycopg.connect(new_postgres) as connection:
        info = connection.info
        relay = Relay(info.host, info.port)
        url = f"postgresql://{info.user}@127.0.0.1:{relay.port}/{info.dbname}"
    rows = [json.dumps({"text": f"{GOOD}\nفقرة رقم {n} من التقرير."}) for n in range(3000)]
    (tmp_path / "many.jsonl").write_text("\n".join(rows), encoding="utf-8")
    command = ["replay", str(tmp_path / "many.jsonl"), "--batch", "20", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "crawler.cli", *command, "--db", url],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    count = "SELECT count(*) FROM articles"
    with psycopg.connect(new_postgres, autocommit=True) as watching:

        def begun() -> bool:
            there = watching.execute("SELECT to_regclass('articles') IS NOT NULL").fetchone()
            return there == (True,) and watching.execute(count.encode()).fetchone() != (0,)

        until(begun)
        relay.cut()
        _, said = process.communicate(timeout=120)
        assert process.returncode == 3, said.decode()
        assert b"error: postgresql://" in said and b"Traceback" not in said
        (stored,) = watching.execute(count.encode()).fetchone() or (0,)
        noted = watching.execute(b"SELECT count(*) FROM ledger").fetchone()
        assert noted == (stored,) and stored < 3000  # of a batch, all or nothing
        done = run_warraq([*command, "--db", new_postgres])
        assert done.returncode == 0
        assert watching.execute(count.encode()).fetchone() == (3000,)
