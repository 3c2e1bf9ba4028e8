"""A stranger's SELECT, in a process of its own that can be bounded and killed.

The database keeps it from writing (`engine.read_only`), but no database bounds all that a query
may cost: one call of a function on a large value takes minutes without a look at the clock, a
sort fills the disk. The process may use so much memory, time and disk, and ends.
"""

import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any

from pipelines.errors import DatabaseError, QueryError

#: At once; the next one waits, and gives up after _PATIENCE seconds.
_AT_ONCE = 4
_PATIENCE = 5.0
_MEMORY_BYTES = 1 << 30
#: Of temporary files, each.
_DISK_BYTES = 512 << 20
_QUERY_CHARACTERS = 100_000
_UNSENDABLE = re.compile("[\x00\ud800-\udfff]")
_turns = threading.BoundedSemaphore(_AT_ONCE)


class BusyError(DatabaseError):
    """Raised when too many queries are running; the next try may succeed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may take: time, rows and bytes of its answer (as they are written)."""

    seconds: float = 10.0
    rows: int = 200
    size: int = 2_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """A query's answer in a temporary file, to be closed by who reads it: JSON (an object with
    `columns`, `rows`, `cut`) or CSV. `cut`: there were more rows."""

    file: IO[bytes]
    rows: int
    cut: bool

    def parsed(self) -> dict[str, Any]:
        """A JSON answer as it was written; closes the file."""
        with self.file:
            value: dict[str, Any] = json.load(self.file)
        return value


def ask(database: str, query: str, form: str, limits: Limits) -> Answer:
    """The answer of one SELECT as "json" or "csv", at most `limits` of it.

    Raises QueryError if the database refuses the query or it takes too much, DatabaseError if
    the database can't be used, BusyError if too many queries are running.
    """
    if len(query) > _QUERY_CHARACTERS:
        raise QueryError(f"longer than {_QUERY_CHARACTERS} characters")
    if _UNSENDABLE.search(query):
        raise QueryError("holds a character that no text may hold")
    if not _turns.acquire(timeout=_PATIENCE):
        raise BusyError("too many queries are running; try again in a moment")
    try:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the answer's reader closes it
    except OSError as error:
        _turns.release()
        raise DatabaseError(_no_room(error)) from error
    try:
        told = _run(database, query, form, limits, file)
        if "error" in told:
            raise (DatabaseError if told["kind"] == "database" else QueryError)(told["error"])
        file.seek(0)
        return Answer(file, told["rows"], told["cut"])
    except BaseException:
        file.close()
        raise
    finally:
        _turns.release()


def _no_room(error: OSError) -> str:
    return f"the answer can't be kept: {error.strerror}; make room for temporary files"


def _run(database: str, query: str, form: str, limits: Limits, file: IO[bytes]) -> dict[str, Any]:
    request = {
        "database": database,
        "query": query,
        "form": form,
        "seconds": limits.seconds,
        "rows": limits.rows,
        "size": limits.size,
    }
    too_long = {"kind": "query", "error": f"stopped after {limits.seconds:g} s; narrow the query"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pipelines.db.ask"],
            input=json.dumps(request).encode(),
            stdout=file,
            stderr=subprocess.PIPE,
            # The query's own limit comes first; this one is for what does not look at the clock.
            timeout=limits.seconds + 3,
        )
    except subprocess.TimeoutExpired:
        return too_long
    try:
        told: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])
    except (ValueError, IndexError):
        if -done.returncode in _TIME_SIGNALS:
            return too_long
        if done.returncode < 0 or b"MemoryError" in done.stderr:
            return _TOO_LARGE
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        return {"kind": "query", "error": said or "the query's process ended without an answer"}
    return told


# --- in the process --------------------------------------------------------------------------

_TIME_SIGNALS = {14, 24}  # SIGALRM, SIGXCPU
_TOO_LARGE = {"kind": "query", "error": "takes more memory than a query may; narrow it"}


def _main() -> None:
    request = json.load(sys.stdin)
    _bound(request["seconds"])
    from pipelines.db.engine import read_only

    try:
        with read_only(request["database"], request["seconds"], stranger=True) as run:
            found = run(request["query"])
            write = _write_csv if request["form"] == "csv" else _write_json
            told = write(found.columns, _Bounded(found.rows, request["rows"], request["size"]))
    except QueryError as error:
        told = {"kind": "query", "error": str(error)}
    except DatabaseError as error:
        told = {"kind": "database", "error": str(error)}
    except MemoryError:
        told = _TOO_LARGE
    except OSError as error:  # of the file that the answer goes to
        told = {"kind": "database", "error": _no_room(error)}
    sys.stderr.write("\n" + json.dumps(told))
    sys.stderr.flush()
    os._exit(0)  # nothing to tidy up, and large values would take their time


def _bound(seconds: float) -> None:
    import resource
    import signal

    def limit(kind: int, most: int) -> None:
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, hard))

    limit(resource.RLIMIT_AS, _MEMORY_BYTES)
    limit(resource.RLIMIT_FSIZE, _DISK_BYTES)
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_CPU, int(seconds) + 3)
    # The default action ends the process even within a long call, and if nobody else does.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(int(seconds) + 2)


class _Bounded:
    """Rows up to a number and a size (characters as text); `cut` tells whether there were more."""

    def __init__(self, rows: Iterator[tuple[Any, ...]], most: int, size: int) -> None:
        self._rows, self._most, self._left = rows, most, size
        self.count, self.cut = 0, False

    def __iter__(self) -> Iterator[list[Any]]:
        for row in self._rows:
            values = [plain(value) for value in row]
            self._left -= sum(len(str(value)) + 4 for value in values)
            if self.count >= self._most or self._left < 0:
                self.cut = True
                return
            self.count += 1
            yield values


def _write_json(columns: list[str], rows: _Bounded) -> dict[str, Any]:
    write = sys.stdout.write
    write(f'{{"columns": {json.dumps(columns, ensure_ascii=False)}, "rows": [')
    for at, row in enumerate(rows):
        write(("," if at else "") + "\n" + json.dumps(row, ensure_ascii=False, default=str))
    write(f'\n], "cut": {json.dumps(rows.cut)}}}\n')
    sys.stdout.flush()
    return {"rows": rows.count, "cut": rows.cut}


def _write_csv(columns: list[str], rows: _Bounded) -> dict[str, Any]:
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([guard(value) for value in row])
    sys.stdout.flush()
    return {"rows": rows.count, "cut": rows.cut}


def plain(value: Any) -> Any:
    """A value as JSON has it: times as ISO 8601, bytes in hex; a number it lacks as text."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value) if value.is_finite() else str(value)
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value


def guard(value: Any) -> Any:
    """A CSV cell that no spreadsheet takes for a formula: text that begins like one is given an
    apostrophe, which a spreadsheet shows as text. Numbers stay."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return "'" + value
    return value


if __name__ == "__main__":
    _main()
