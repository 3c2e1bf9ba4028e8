"""Runs a command and measures it from outside, with all the processes that it starts."""

import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Measured:
    """Wall-clock and processor seconds; peak memory (bytes) of all its processes together."""

    wall: float
    cpu: float
    peak: int


def measure(command: Sequence[str], **environment: str) -> Measured:
    """Raises CalledProcessError with the command's own words if it fails."""
    import os

    began = time.monotonic()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )
    peak, cpu = [0], [0.0]
    watcher = threading.Thread(target=_watch, args=(process.pid, peak, cpu))
    watcher.start()
    _, errors = process.communicate(timeout=1800)
    wall = time.monotonic() - began
    watcher.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=errors)
    return Measured(wall, cpu[0], peak[0])


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
            cpu[0] = sum(spent.values())
            time.sleep(0.05)
    except psutil.NoSuchProcess:
        pass
