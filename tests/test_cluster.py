"""Replays on a Ray cluster, a real one on loopback: the rows are those of one process, whatever
dies meanwhile."""

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine

from crawler.cluster import Cluster, Job, Lost, Shard, read_shard, replay_into, replay_on
from crawler.on_ray import LOCAL, on_ray
from crawler.readers import ReadOptions
from crawler.readers import read as read_pages
from crawler.replay import Summary, replay
from crawler.reprocess import reprocess
from crawler.work import Limits
from pipelines.db import schema
from pipelines.db.engine import open_engine
from pipelines.errors import UsageError
from tests import repeating
from tests.benchmarks.pages import headline, paragraphs
from tests.conftest import ROOT, SAMPLES, rows, run_warraq, temporary_postgres
from tests.test_crawl_kill import without_way
from tests.test_kill import contents

#: A Ray that was too slow to start is started again; what it left ends with this process.
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
LIMITS = Limits(2)
#: So small that a file of lines is a shard of its own; of pages a few are.
APART = 12_000
FILES, DOCUMENTS, PAGES = 6, 24, 8
ALL = FILES + 1 + PAGES
#: A line of the page that no lexicon knows: it is learned on the way, over several files.
_FURNITURE = "صوتك يصل إلينا كل صباح"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with on_ray(LOCAL, 2) as machines:
        yield machines


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files whose articles are copies and versions of those in others, in several formats."""
    rng = random.Random(7)
    folder = tmp_path_factory.mktemp("cluster") / "documents"
    (folder / "pages").mkdir(parents=True)
    for number in range(FILES):
        lines = [json.dumps(row(rng, number * DOCUMENTS + n)) for n in range(DOCUMENTS)]
        lines.insert(7, "{broken")
        file = folder / f"{number}.jsonl.gz"
        file.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    told = [row(rng, 10 * n) for n in range(DOCUMENTS)]
    pq.write_table(pa.Table.from_pylist(told), folder / "7.parquet")
    for number in range(PAGES):
        (folder / "pages" / f"{number}.html").write_text(repeating.page(number), "utf-8")
    (folder / "pages" / "noise.bin").write_bytes(b"\0")
    return folder


def row(rng: random.Random, number: int) -> dict[str, Any]:
    told: dict[str, Any] = {"title": headline(rng), "text": "\n".join(paragraphs(rng)[:2])}
    told |= {"url": None, "fetched_at": None, "source": "daily" if number % 7 else "weekly"}
    if number % 3:
        told["url"] = f"https://daily.example/n/{number % 100}"
        told["fetched_at"] = f"2024-05-{1 + number % 28:02}T10:00:00Z" if number % 2 else None
    elif number % 2:
        told["text"] = "\n".join(paragraphs(random.Random(number % 20))[:2])
    told["text"] += f"\n{_FURNITURE}"
    return told


@pytest.fixture(scope="module")
def by_one(documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """What one process makes of the documents."""
    engine = new(f"sqlite:///{tmp_path_factory.mktemp('one')}/one.db")
    replay(engine, read_pages([str(documents)], ReadOptions()), {}, LIMITS, "test")
    yield engine
    engine.dispose()


def new(database: str) -> Engine:
    engine = open_engine(database, create=True)
    schema.upgrade(engine)
    return engine


def told(engine: Engine) -> dict[str, list[tuple[str, ...]]]:
    """All that is stored; of articles not whether a template read them, which is a matter of time
    in one process as well."""
    found = contents(engine)
    return {part: sorted(without_way(part, found)) for part in found}


def on_cluster(cluster: Cluster, engine: Engine, *paths: str | Path, **how: Any) -> Summary:
    named = [str(path) for path in paths]
    how = {"shard_bytes": APART} | how
    return replay_on(cluster, engine, named, ReadOptions(), {}, LIMITS, "test", **how)


@pytest.mark.postgres
def test_two_workers_store_the_rows_of_one_process(
    cluster: Cluster, documents: Path, by_one: Engine, postgres: str, tmp_path: Path
) -> None:
    with temporary_postgres(postgres) as url:
        engine = new(url)
        done = on_cluster(cluster, engine, documents)
        assert told(engine) == told(by_one)
        ledger = "SELECT path, outcome, reason, stage, raw_hash FROM ledger ORDER BY path, outcome"
        assert rows(url, ledger) == rows(str(by_one.url), ledger)
        assert rows(url, "SELECT count(*) FROM ledger") == [(done.documents,)]
        assert rows(url, "SELECT count(*) FROM removed_lines WHERE rule = 'learned'")[0][0] > 99
        assert rows(url, "SELECT status, counts FROM runs") == [("done", dict(done.counts))]
        read = rows(url, "SELECT path, counts FROM read_files ORDER BY path")
        assert len(read) == ALL
        assert read[0] == (str(documents / "0.jsonl.gz"), dict(read[0][1]))
        assert sum(read[0][1].values()) == DOCUMENTS + 1 and read[0][1]["failed"] == 1
        # Once all pages are read by one set of templates, every column is the same.
        by_one.dispose()
        shutil.copy(str(by_one.url.database), tmp_path / "whole.db")
        whole = open_engine(f"sqlite:///{tmp_path}/whole.db")
        for each in (engine, whole):
            reprocess(each, {}, LIMITS, ReadOptions(), "test")
        ours, theirs = contents(engine), contents(whole)
        assert hashes(ours) == hashes(theirs) and len(hashes(ours)) > 100
        assert told(engine) == told(whole)
        whole.dispose()
        engine.dispose()


def hashes(found: dict[str, list[tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
    """Identities with the hash of all that an article says, and how it was read."""
    return [(article[0], article[6]) for article in found["articles"]]


@pytest.mark.postgres
def test_a_killed_worker_changes_nothing(
    cluster: Cluster, documents: Path, by_one: Engine, postgres: str
) -> None:
    killed: list[int] = []

    def kill(so_far: Summary, _: int) -> None:
        """Once something is stored: workers are ahead of what is stored then."""
        for process in [] if killed else workers_at(read_shard.__name__):
            family = process.children(recursive=True)
            process.send_signal(signal.SIGKILL)
            killed.append(process.pid)
            _, alive = psutil.wait_procs([process, *family], timeout=10)
            assert not alive, "what works on pages outlives its worker"

    with temporary_postgres(postgres) as url:
        engine = new(url)
        # Pages of HTML, one a shard, take long enough to be killed at work.
        summary = on_cluster(cluster, engine, documents, notice=kill)
        assert killed, "no worker was at work when one was to be killed: the test shows nothing"
        assert told(engine) == told(by_one)
        assert rows(url, "SELECT count(*) FROM ledger") == [(summary.documents,)]
        assert rows(url, "SELECT count(*) FROM read_files") == [(ALL,)]
        engine.dispose()


def workers_at(task: str) -> list[psutil.Process]:
    """Ray's workers, children of this process, that are at a task."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.name() == f"ray::{task}":
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def test_a_killed_job_goes_on_where_it_was(
    cluster: Cluster, documents: Path, by_one: Engine, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path}/killed.db"
    engine = new(database)
    import ray  # not above: its settings must be there before it is loaded

    address = ray.get_runtime_context().gcs_address
    command = ["cluster", str(documents), "--db", database, "--address", address]
    command += ["--shard", str(APART), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "crawler.cli", *command],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and not rows(database, "SELECT path FROM read_files"):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    done = len(rows(database, "SELECT path FROM read_files"))
    assert 0 < done < ALL, "no kill fell between the files: the test shows nothing"

    again = run_warraq(command)
    assert again.returncode == 0, again.stderr.decode()
    assert json.loads(again.stdout)["files_passed_by"] == done
    assert told(engine) == told(by_one)
    assert rows(database, "SELECT status FROM runs ORDER BY id") == [("lost",), ("done",)]
    engine.dispose()


def test_files_are_read_again_when_they_changed(cluster: Cluster, tmp_path: Path) -> None:
    engine = new(f"sqlite:///{tmp_path}/again.db")
    files = [tmp_path / f"{n}.jsonl" for n in range(3)]
    for number, file in enumerate(files):
        file.write_text(json.dumps(row(random.Random(number), 3 * number)), "utf-8")
    assert on_cluster(cluster, engine, *files, shard_bytes=10**6).counts == {"stored": 3}
    summary = on_cluster(cluster, engine, *files)
    assert (summary.counts, summary.passed) == ({}, 3)
    files[1].write_text(json.dumps(row(random.Random(9), 30)), "utf-8")
    summary = on_cluster(cluster, engine, *files, tmp_path / "none.jsonl")
    assert (summary.counts, summary.passed) == ({"stored": 1, "failed": 1}, 2)
    summary = on_cluster(cluster, engine, *files, anew=True)
    assert (summary.counts, summary.passed) == ({"unchanged": 3}, 0)
    engine.dispose()


def test_parquet_has_the_rows_of_extract(cluster: Cluster, documents: Path, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    paths = [str(SAMPLES), str(documents / "0.jsonl.gz"), str(documents / "7.parquet")]

    def write(**how: Any) -> Summary:
        return replay_into(cluster, str(folder), paths, ReadOptions(), {}, LIMITS, **how)

    summary = write(shard_bytes=30_000)
    printed = run_warraq(["extract", *paths]).stdout.decode().splitlines()
    assert sorted_rows(pq.read_table(folder).to_pylist()) == sorted_rows(map(json.loads, printed))
    assert summary.documents == len(printed)
    parts = {part.name: part.stat().st_mtime_ns for part in folder.iterdir()}
    assert len(parts) > 4 and all(name.endswith(".parquet") for name in parts)
    # What is there is left alone; a part that is gone is made again, whatever the shards are now.
    (gone, *_) = (name for name in parts if name != "unread.parquet")
    (folder / gone).unlink()
    assert write(shard_bytes=10**7).passed > 0
    assert sorted_rows(pq.read_table(folder).to_pylist()) == sorted_rows(map(json.loads, printed))
    kept = {
        part.name for part in folder.iterdir() if parts.get(part.name) == part.stat().st_mtime_ns
    }
    assert kept == parts.keys() - {gone, "unread.parquet"}


def sorted_rows(found: Iterable[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, ensure_ascii=False, sort_keys=True) for row in found)


class Bucket(BaseHTTPRequestHandler):
    """A folder by HTTP, in ranges, as object storage gives it."""

    folder: Path

    def do_HEAD(self) -> None:
        self.do_GET(body=False)

    def do_GET(self, *, body: bool = True) -> None:
        file = self.folder / self.path.lstrip("/")
        if not file.is_file():
            self.send_error(404)
            return
        data = file.read_bytes()
        wanted = self.headers.get("Range", "").removeprefix("bytes=")
        first, _, last = wanted.partition("-")
        part = data[int(first) : int(last) + 1] if wanted else data
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{len(data)}"')
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.end_headers()
        if body:
            self.wfile.write(part)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def bucket(documents: Path) -> Iterator[str]:
    """The documents behind an address."""
    handler = type("OfDocuments", (Bucket,), {"folder": documents})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_files_behind_urls(cluster: Cluster, documents: Path, bucket: str, tmp_path: Path) -> None:
    texts = "SELECT title, text, canonical_url, fetched_at FROM articles ORDER BY identity"
    names: tuple[str, ...] = ("0.jsonl.gz", "7.parquet", "pages/3.html")
    near = new(f"sqlite:///{tmp_path}/near.db")
    on_cluster(cluster, near, *(documents / name for name in names))
    far = new(f"sqlite:///{tmp_path}/far.db")
    summary = on_cluster(cluster, far, *(f"{bucket}/{name}" for name in (*names, "none.html")))
    assert rows(str(far.url), texts) == rows(str(near.url), texts)
    assert [(p.name, p.reason) for p in summary.problems if p.reason != "bad_line"] == [
        (f"{bucket}/none.html", "missing")
    ]
    assert on_cluster(cluster, far, *(f"{bucket}/{name}" for name in names)).passed == 3
    # They are read again from there, and a folder's URL stands for what is in it.
    assert set(reprocess(far, {}, LIMITS, ReadOptions(), "test").counts) <= {
        "unchanged",
        "corrected",
    }
    pages = [page.path for page in read_pages([f"file://{documents}"], ReadOptions())]
    plain = [page.path for page in read_pages([str(documents)], ReadOptions())]
    assert pages == [f"file://{path}" for path in plain]
    near.dispose()
    far.dispose()


def test_a_file_that_kills_its_workers_is_named_and_the_rest_stored(
    documents: Path, tmp_path: Path
) -> None:
    evil = str(documents / "1.jsonl.gz")

    def losing(function: Any, tasks: Iterable[tuple[Job, Shard]]) -> Iterator[tuple[Shard, Any]]:
        """A cluster of one machine, on which a file is deadly."""
        for job, shard in tasks:
            dies = any(file.path == evil for file in shard)
            yield shard, Lost("its worker died 4 times") if dies else function(job, shard)

    engine = new(f"sqlite:///{tmp_path}/evil.db")
    paths: list[str | Path] = [documents / "0.jsonl.gz", evil, documents / "2.jsonl.gz"]
    summary = on_cluster(losing, engine, *paths, shard_bytes=10**9)
    database = str(engine.url)
    crashed = "SELECT path, outcome, detail FROM ledger WHERE reason = 'crashed'"
    assert rows(database, crashed) == [(evil, "failed", "its worker died 4 times")]
    assert summary.documents == 2 * (DOCUMENTS + 1) + 1
    assert rows(database, "SELECT path FROM read_files ORDER BY path") == [
        (str(paths[0]),),
        (str(paths[2]),),
    ]
    engine.dispose()


def die(job: Job, shard: Shard) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_ray_tells_of_workers_that_always_die(cluster: Cluster, tmp_path: Path) -> None:
    ((shard, lost),) = cluster(die, [(None, ())])  # type: ignore[list-item]
    assert shard == () and isinstance(lost, Lost) and "died 4 times" in lost.detail


def test_local_ray_listens_on_loopback_alone(cluster: Cluster) -> None:
    heard: set[str] = set()
    for process in psutil.Process().children(recursive=True):
        try:
            found = process.net_connections("inet")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        heard |= {each.laddr.ip for each in found if each.status == psutil.CONN_LISTEN}
    assert heard and heard <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}


@pytest.mark.parametrize(
    ("missing", "arguments", "said"),
    [
        ("ray", ["cluster", "seeds/documents"], "needs the extra: pip install 'warraq["),
        ("fsspec", ["extract", "s3://bucket/a.html"], "need the extra: pip install 'warraq["),
        ("pyarrow", ["extract", "FILE.parquet"], "Parquet needs the extra: pip install 'warraq["),
        ("", ["extract", "s3://bucket/a.html"], "Install s3fs"),
        ("", ["extract", "far://bucket/a.html"], "Protocol not known"),
        ("", ["extract", "sftp://me:hidden@host/a.html"], "leave the password out"),
        ("", ["cluster", "x", "--address", "nobody"], "start Ray there"),
        ("", ["cluster", "x", "--address", "127.0.0.1:1"], "start Ray there"),
    ],
)
def test_what_is_missing_is_told_with_the_way_out(
    missing: str, arguments: Sequence[str], said: str, tmp_path: Path
) -> None:
    if missing:
        gone = f"raise ModuleNotFoundError('No module named {missing}')\n"
        (tmp_path / f"{missing}.py").write_text(gone)
    (tmp_path / "FILE.parquet").write_bytes(b"")
    words = [word.replace("FILE", f"{tmp_path}/FILE") for word in arguments]
    if words[0] == "cluster":
        words += ["--db", f"sqlite:///{tmp_path}/x.db"]
    done = run_warraq(words, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2, done.stderr.decode()
    assert said in done.stderr.decode().replace("\n", " ") and b"hidden" not in done.stderr


def test_a_pipe_is_for_one_process(tmp_path: Path) -> None:
    engine = new(f"sqlite:///{tmp_path}/pipe.db")
    with pytest.raises(UsageError, match="a pipe can't be sent to other machines"):
        on_cluster(lambda *_: iter(()), engine, "-")
    engine.dispose()


def test_parquet_as_it_may_come(tmp_path: Path) -> None:
    def read(name: str, **fields: str) -> list[Any]:
        return list(read_pages([str(tmp_path / name)], ReadOptions(fields=fields)))

    page = "<p>نص</p>"
    pq.write_table(
        pa.table({"html": [page.encode("windows-1256")], "n": [1]}), tmp_path / "a.parquet"
    )
    pq.write_table(pa.table({"article": [{"body": page}], "n": [1]}), tmp_path / "b.parquet")
    pq.write_table(pa.table({"n": [1]}), tmp_path / "c.parquet")
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "d.parquet")
    (tmp_path / "e.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:-5])
    (plain,) = read("a.parquet")
    assert (plain.body, plain.charset) == (page.encode("windows-1256"), None)
    (mapped,) = read("b.parquet", html="article.body")
    assert (mapped.body, mapped.path) == (page.encode(), f"{tmp_path}/b.parquet#1")
    reasons = [read(name)[0].reason for name in ("c.parquet", "d.parquet", "e.parquet")]
    assert reasons == ["bad_line", "empty", "unreadable"]
