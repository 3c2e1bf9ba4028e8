"""Runs a command and measures it from outside, with all the processes that it starts."""

import os
import statistics
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Measured:
    """Wall-clock and processor seconds, of which its own process took `own`; peak memory (bytes)
    of all its processes together."""

    wall: float
    cpu: float
    peak: int
    own: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: what was measured, its `ratio` to the line that it is compared with, and
    what is wanted of that: at `least`, or at `most`, so much."""

    what: str
    ratio: float | None = None
    least: float | None = None
    most: float | None = None
    cpu_ms: float | None = None
    rate: float | None = None
    peak: float | None = None

    def cells(self) -> tuple[str, ...]:
        wanted = ""
        if self.ratio is not None and self.least is not None:
            wanted = f"{self.least:g} or more: {'yes' if self.ratio >= self.least else 'no'}"
        if self.ratio is not None and self.most is not None:
            wanted = f"{self.most:g} or less: {'yes' if self.ratio <= self.most else 'no'}"
        return (
            self.what,
            "" if self.ratio is None else f"{self.ratio:.2f}",
            wanted,
            "" if self.cpu_ms is None else f"{self.cpu_ms:.2f}",
            "" if self.rate is None else f"{self.rate:.1f}",
            "" if self.peak is None else f"{self.peak / 1e6:.0f}",
        )


COLUMNS = ("what", "ratio", "wanted", "CPU ms a page", "pages/s", "peak MB")


def row_of(
    what: str, runs: Sequence[Measured], count: int, beside: float | None = None, **wanted: float
) -> Row:
    """The median of runs over so many pages; `beside` is the rate that theirs is compared with."""
    rate = count / statistics.median(run.wall for run in runs)
    return Row(
        what,
        None if beside is None else rate / beside,
        cpu_ms=1000 * statistics.median(run.cpu for run in runs) / count,
        rate=rate,
        peak=statistics.median(run.peak for run in runs),
        **wanted,
    )


def measure(command: Sequence[str], *, seconds: float = 1800, **environment: str) -> Measured:
    """Raises CalledProcessError with the command's own words if it fails, TimeoutExpired after so
    many seconds."""
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )
    peak, cpu = [0], [0.0, 0.0]
    watcher = threading.Thread(target=_watch, args=(process.pid, peak, cpu))
    watcher.start()
    _, errors = process.communicate(timeout=seconds)
    wall = time.monotonic() - began
    watcher.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=errors)
    return Measured(wall, cpu[0], peak[0], cpu[1])


#: Seconds between two looks at memory: the kernel walks through all of it, and takes a processor.
_EVERY = 0.25


def _watch(pid: int, peak: list[int], cpu: list[float]) -> None:
    """Shared pages count once (PSS), so that forked workers are not charged for their parent."""
    spent: dict[int, float] = {}
    try:
        root = psutil.Process(pid)
        while root.is_running() and root.status() != psutil.STATUS_ZOMBIE:
            total = 0
            for process in [root, *root.children(recursive=True)]:
                try:
                    total += process.memory_full_info().pss
                    times = process.cpu_times()
                    spent[process.pid] = times.user + times.system
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue
            peak[0] = max(peak[0], total)
            cpu[:] = sum(spent.values()), spent.get(pid, 0.0)
            time.sleep(_EVERY)
    except psutil.NoSuchProcess:
        pass
