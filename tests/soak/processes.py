"""The scheduler of a soak, and every process that came of it: all carry a mark in their
environment, so that none is missed, whoever its parent is now."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.conftest import ROOT

_MARK = "WARRAQ_SOAK"


class Schedule:
    """`warraq schedule`, begun and ended again and again."""

    def __init__(self, folder: Path, database: str, mark: str) -> None:
        self.mark, self._folder = mark, folder
        self._command = [
            *(sys.executable, "-m", "crawler.cli", "schedule", "--db", database),
            *("--sources", str(folder / "sources"), "--archive", str(folder / "archive")),
            *("--logs", str(folder / "logs")),
        ]
        self.environment = {
            **os.environ,
            "WARRAQ_ALLOW_ADDRESSES": "127.0.0.0/8",
            "WARRAQ_CONTACT": "soak@site.example",
            _MARK: mark,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.begun = 0

    @property
    def pid(self) -> int | None:
        """Its process number while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def begin(self) -> None:
        with (self._folder / "scheduler.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )
        self.begun += 1

    def end(self, number: int) -> int | None:
        """Its exit code after a signal. One that does not end in two minutes is killed."""
        if self._process is None:
            return None
        self._process.send_signal(number)
        try:
            return self._process.wait(120)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return None

    def kill_all(self) -> None:
        """Nothing of it outlives the soak."""
        for pid in marked(self.mark):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()


def marked(mark: str) -> list[int]:
    """All living processes with the mark."""
    wanted = f"{_MARK}={mark}".encode()
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with suppress(OSError):
            environment = Path(f"/proc/{name}/environ").read_bytes().split(b"\0")
            if wanted in environment:
                found.append(int(name))
    return found


def crawls(mark: str) -> list[int]:
    """Those of them that lead a session: the crawls."""
    return [pid for pid in marked(mark) if _session(pid) == pid]


def workers(mark: str) -> list[int]:
    """Those that a crawl has started."""
    leaders = set(crawls(mark))
    return [pid for pid in marked(mark) if _session(pid) in leaders - {pid}]


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def used(pid: int) -> tuple[int, int, int]:
    """Memory (PSS, bytes), open handles and threads of a process; zeros if it is gone."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                memory = int(line.split()[1]) * 1024
        handles = len(os.listdir(f"/proc/{pid}/fd"))
        return memory, handles, len(os.listdir(f"/proc/{pid}/task"))
    except (OSError, UnboundLocalError):
        return 0, 0, 0
