"""What breaks things on purpose: a PostgreSQL server to be killed, filled and starved, a relay that
cuts a commit in two, small and read-only file systems, a clock that jumps.

`noted` keeps what came of it for the table in docs/faults.md.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from pipelines.db.engine import read

#: Kills of each kind, half of them on each database.
KILLS = int(os.environ.get("WARRAQ_KILLS", "20"))
#: Where to keep what was seen, a JSON line a cell; nowhere if it is not set.
FIGURES = os.environ.get("WARRAQ_FAULTS")


def noted(cell: str, happened: str, documents: int, outcomes: Mapping[str, int]) -> None:
    """Holds the sum that every cell of the matrix must give, and keeps the cell's figures.

    `cell` is "component: fault"; `outcomes` what became of the documents that went in.
    """
    assert sum(outcomes.values()) == documents, (cell, documents, outcomes)
    if FIGURES:
        told = {"cell": cell, "happened": happened, "documents": documents}
        with Path(FIGURES).open("a", encoding="utf-8") as file:
            file.write(json.dumps(told | {"outcomes": dict(outcomes)}, ensure_ascii=False) + "\n")


def outcomes(engine: Engine) -> dict[str, int]:
    """What the ledger says of the last run. No page stands twice in any run, and where a run noted
    its counts they are the ledger's."""
    with read(engine) as connection:
        twice = "SELECT run_id, path, url FROM ledger GROUP BY 1, 2, 3 HAVING count(*) > 1"
        assert connection.execute(text(twice)).all() == []
        counted = "SELECT run_id, outcome, count(*) FROM ledger GROUP BY 1, 2"
        told: dict[int, dict[str, int]] = {}
        for run, outcome, count in connection.execute(text(counted)):
            told.setdefault(run, {})[outcome] = count
        runs = connection.execute(text("SELECT id, status, counts FROM runs ORDER BY id")).all()
    for run, status, counts in runs:
        noted_counts = json.loads(counts) if isinstance(counts, str) else counts
        assert status != "done" or noted_counts == told.get(run, {}), (run, told.get(run))
    return told.get(runs[-1][0], {})


# --- file systems --------------------------------------------------------------------------------


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own in memory, of that size."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root can make a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    """`ro`, `rw` or `size=...`."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def fill(folder: Path, but: int = 0) -> Path:
    """Fills a file system but for so many bytes; the file that does it."""
    file, left = folder / "filler", shutil.disk_usage(folder).free - but
    with file.open("wb", buffering=0) as out, contextlib.suppress(OSError):
        while left > 0:
            left -= out.write(bytes(min(left, 1 << 16)))
    return file


def nothing_writable_but(folder: Path) -> list[str]:
    """What to put before a command, so that for it the whole file system is read-only but a folder,
    which is a file system of its own."""
    script = 'mount --make-rprivate / && mount -o remount,ro,bind / && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh"]
    if subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("only root can have a read-only view of the file system")
    return ["env", f"TMPDIR={folder}", *command]


# --- the clock -----------------------------------------------------------------------------------

_JUMPS = """
import random, threading, time
from datetime import datetime, timezone
from pathlib import Path
import time_machine

traveller = time_machine.travel(datetime.now(timezone.utc), tick=True).start()
real = time_machine.escape_hatch.time.time

def jump():
    rng = random.Random()
    with Path(__file__).with_name("jumps").open("a") as noted:
        while True:
            time.sleep(0.05)
            traveller.move_to(real() + rng.uniform(-86_400, 86_400))
            noted.write(".")
            noted.flush()

threading.Thread(target=jump, daemon=True).start()
"""


def jumping_clock(folder: Path) -> str:
    """The PYTHONPATH of processes whose clock jumps by up to a day, back and forth, twenty times a
    second. `jumps` tells how often it did."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(_JUMPS, encoding="utf-8")
    return str(folder)


def jumps(folder: Path) -> int:
    """How often that clock has jumped in all processes; fails if it never did."""
    count = (folder / "jumps").stat().st_size
    assert count
    return count


# --- PostgreSQL ----------------------------------------------------------------------------------


class Cluster:
    """A PostgreSQL server of the test's own, on a free port, with its data on a small disk."""

    def __init__(self, folder: Path) -> None:
        self.data, self._folder = folder / "disk" / "data", folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        # The log of transactions lies elsewhere: without room for it the whole server would end.
        options = "-U postgres -A trust -E UTF8 --locale=C --no-sync --wal-segsize=1".split()
        self.run("initdb", "-D", self.data, "--waldir", folder / "wal", *options)
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\n"
                f"unix_socket_directories = '{folder}'\nshared_buffers = 16MB\n"
                "max_wal_size = 32MB\nmin_wal_size = 2MB\nautovacuum = off\n"
            )
        self.start()

    def run(self, program: str, *arguments: object) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
        command = [str(found[-1]) if found else program, *map(str, arguments)]
        if os.geteuid() == 0:  # the server refuses to be root
            command = [
                "setpriv",
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
                *command,
            ]
        done = subprocess.run(command, cwd="/", stdin=subprocess.DEVNULL, capture_output=True)
        assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()

    def start(self) -> None:
        self.run("pg_ctl", "-D", self.data, "-l", self._folder / "log", "-w", "start")

    def stop(self, mode: str = "immediate") -> None:
        """`immediate` is a crash: nothing is written, and the next start recovers."""
        self.run("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop")

    def new(self) -> str:
        """URL of a new empty database."""
        import psycopg

        name = f"warraq_{os.urandom(4).hex()}"
        server = f"postgresql://postgres@127.0.0.1:{self.port}"
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"{server}/{name}"

    def starve(self, more: int | None) -> None:
        """Sessions that begin from now on get so many bytes more than the server itself has; None
        takes that back."""
        process = (self.data / "postmaster.pid").read_text().split()[0]
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[0])
        most = "unlimited" if more is None else pages * os.sysconf("SC_PAGESIZE") + more
        self.run("prlimit", "--pid", process, f"--as={most}:")


@contextmanager
def a_cluster() -> Iterator[Cluster]:
    """A server that is gone afterwards; skips where PostgreSQL's programs or a disk are missing."""
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        pytest.skip("PostgreSQL's own programs are not installed")
    folder = Path(tempfile.mkdtemp(prefix="warraq-cluster-"))
    try:
        with disk(folder / "disk", "100m"):
            if os.geteuid() == 0:
                shutil.chown(folder, "postgres")
                shutil.chown(folder / "disk", "postgres")
            cluster = Cluster(folder)
            try:
                yield cluster
            finally:
                with contextlib.suppress(AssertionError):
                    cluster.stop()
    finally:
        shutil.rmtree(folder)


class Relay:
    """A TCP relay on loopback to a PostgreSQL server: slow, cut off for good (`cut`), or cut at a
    commit, `before` it reaches the server or `after` it did, so that nobody hears of it."""

    def __init__(self, host: str, port: int, delay: float = 0) -> None:
        self._target, self._delay = (host, port), delay
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = [self._listener]
        self._plan: dict[int, str] = {}
        self._lock = threading.Lock()
        self.commits = self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_commits(self, plan: Mapping[int, str]) -> None:
        """Number of a commit, from 1 -> `before` or `after`."""
        self._plan = dict(plan)

    def through(self, url: str) -> str:
        """The URL of a database, by way of this relay."""
        from sqlalchemy import make_url

        there = make_url(url).set(host="127.0.0.1", port=self.port)
        return there.render_as_string(hide_password=False)

    def cut(self) -> None:
        for one in self._open:
            _close(one)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open += [client, server]
            lost = threading.Event()  # what the server says from now on is not told
            for call in (self._ask, self._answer):
                threading.Thread(target=call, args=(client, server, lost), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65_536):
                time.sleep(self._delay)
                when = self._at_commit() if b"COMMIT\0" in data else None
                if when == "after":
                    lost.set()
                if when != "before":
                    server.sendall(data)
                if when == "before":
                    break
        if not lost.is_set():
            _close(client)
            _close(server)

    def _answer(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while (data := server.recv(65_536)) and not lost.is_set():
                time.sleep(self._delay)
                client.sendall(data)
        _close(client)
        _close(server)

    def _at_commit(self) -> str | None:
        with self._lock:
            self.commits += 1
            when = self._plan.get(self.commits)
            self.cuts += when is not None
            return when


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


# --- waiting -------------------------------------------------------------------------------------


def until(true: Any, seconds: float = 180) -> None:
    """Returns when `true()` is; fails if that takes too long."""
    last = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < last, "it does not happen"
        time.sleep(0.02)
