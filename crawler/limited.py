"""A process with a time limit and a memory limit: begun, watched, ended.

Memory is that of the process and all it has started, as `/proc` tells it: pages that several of
them share count once. Limits of the kernel's (RLIMIT_AS) count addresses, of which a browser or a
process with many threads takes far more than memory.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Literal

_LOOK = 0.5  # seconds between two looks at a process
_PROC = Path("/proc")
#: The shell waits for a word before it becomes the command: if we are killed in between, its
#: input ends and so does it.
_WAIT = 'read -r word && exec "$@" </dev/null'


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended: its exit code, negative for a signal, None if nobody knows (it was
    not our child). `cut`: what we ended it for."""

    code: int | None
    cut: Literal["time", "memory", "stop"] | None = None


class Limited:
    """A process, in a session of its own. It does nothing before `go`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603
                ["/bin/sh", "-c", _WAIT, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,
            )
        self.pid = self._process.pid

    def go(self) -> None:
        """Lets it begin."""
        if self._process.stdin:
            with suppress(BrokenPipeError):
                self._process.stdin.write(b"go\n")
                self._process.stdin.close()

    def forget(self) -> None:
        """Ends it before it has begun."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()

    def poll(self) -> int | None:
        return self._process.poll()


class Adopted:
    """A process that somebody else began, in a session of its own."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        return None if leads_session(self.pid) else 0


def watch(
    process: Limited | Adopted, until: datetime, memory: int, stop: Event, grace: float
) -> Ending:
    """Returns when a process has ended: by itself, or by us because its time is over, it has more
    than `memory` bytes, or we are to stop. It has `grace` seconds to end kindly, then it is killed
    with all it has started."""
    cut: Literal["time", "memory", "stop"] | None = None
    # The wall clock is asked once: it may be set while the process runs.
    last = time.monotonic() + (until - datetime.now(UTC)).total_seconds()
    while (code := process.poll()) is None:
        if time.monotonic() >= last:
            cut = "time"
        elif used(process.pid) > memory:
            cut = "memory"
        elif stop.wait(_LOOK):
            cut = "stop"
        if cut:
            # Memory must be given back now; time can wait for a batch to be written.
            code = _end(process, 0 if cut == "memory" else grace)
            break
    _kill(process.pid)  # workers that a killed crawl has left
    return Ending(None if isinstance(process, Adopted) else code, cut)


def _end(process: Limited | Adopted, grace: float) -> int | None:
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGTERM)
    last = time.monotonic() + grace
    while process.poll() is None and time.monotonic() < last:
        time.sleep(0.05)
    _kill(process.pid)
    last = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < last:
        time.sleep(0.05)
    return process.poll()


def _kill(leader: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def leads_session(pid: int) -> bool:
    """Whether a process of that number runs that leads its own session, as our crawls do."""
    try:
        if os.getsid(pid) != pid:
            return False
    except OSError:
        return False
    stat = _stat(pid)
    return not stat or stat[0] != "Z"


def used(session: int) -> int:
    """Bytes of memory that the processes of a session have; 0 where there is no /proc."""
    total = 0
    if not _PROC.is_dir():
        return 0
    for name in os.listdir(_PROC):
        if name.isdigit() and (stat := _stat(int(name))) and int(stat[3]) == session:
            total += _memory(int(name))
    return total


def _stat(pid: int) -> list[str]:
    """State, parent, group, session, ... of a process; empty if there is none."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(") ")[2].split()
    except (OSError, ValueError):
        return []


def _memory(pid: int) -> int:
    try:
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return 0
