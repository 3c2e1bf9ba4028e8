"""What people see on the terminal: tables that suit both directions, and progress."""

import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from pipelines.arabic import has_arabic


class _Messages(Console):
    """Where nobody reads them any more they are lost, and what is under way goes on: Rich would
    end the program, which a crawl's event loop does not survive."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class _Data(Console):
    """A reader that leaves (head, less) ends the command, by `guard`, and is no error."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


#: Messages go to stderr, data to stdout.
messages = _Messages(stderr=True, highlight=False, soft_wrap=True)
#: Direction marks and controls in data must not move the terminal's cursor or turn its lines.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]"
)
_PLAIN_SECONDS = 5.0


def say(message: str) -> None:
    """One line to stderr, printed as it is."""
    messages.print(Text(printable(message)))


def printable(value: Any) -> str:
    """A value as one safe line."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    return _UNPRINTABLE.sub("\ufffd", str(value).replace("\n", " ⏎ ").replace("\t", " "))


def print_json(value: Any) -> None:
    """One JSON document on stdout, letters as they are."""
    json.dump(value, sys.stdout, ensure_ascii=False, default=str)
    sys.stdout.write("\n")


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None
) -> None:
    """A table on stdout. Columns of Arabic and of numbers are flush right, where they begin.

    A terminal draws a line of Arabic from right to left within its cell; flush right, all cells
    of a column begin at the same edge.
    """
    body = [[printable(value) for value in row] for row in rows]
    numbers = [bool(body) for _ in columns]
    arabic = [0 for _ in columns]
    for row in body:
        for at, cell in enumerate(row):
            numbers[at] = numbers[at] and _is_number(cell)
            arabic[at] += has_arabic(cell)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for at, column in enumerate(columns):
        right = numbers[at] or arabic[at] * 2 > len(body)
        table.add_column(Text(printable(column)), justify="right" if right else "left")
    for row in body:
        table.add_row(*(Text(cell) for cell in row))
    console = _Data(highlight=False)
    if not console.is_terminal:
        # Piped output keeps every cell whole: no terminal's width cuts it.
        console.width = max(80, table.__rich_measure__(console, _wide(console)).maximum)
    if title:
        console.print(Text(f"\n{title}"))
    console.print(table)


def _wide(console: Console) -> Any:
    return console.options.update(width=100_000)


def _is_number(cell: str) -> bool:
    return not cell or re.fullmatch(r"-?[0-9][0-9,.]*(e[+-]?[0-9]+)?", cell) is not None


class Meter:
    """Progress of a run: bytes read and documents dealt with."""

    def bytes_read(self, count: int) -> None:
        raise NotImplementedError

    def documents(self, count: int) -> None:
        raise NotImplementedError


class _Bar(Meter):
    def __init__(self, bar: Progress, task: Any) -> None:
        self._bar, self._task = bar, task
        self._began = time.monotonic()

    def bytes_read(self, count: int) -> None:
        self._bar.advance(self._task, count)

    def documents(self, count: int) -> None:
        rate = count / max(time.monotonic() - self._began, 0.001)
        self._bar.update(self._task, documents=count, rate=rate)


class _Lines(Meter):
    def __init__(self, total: int | None) -> None:
        self._total, self._read = total, 0
        self._began = self._last = time.monotonic()

    def bytes_read(self, count: int) -> None:
        self._read += count

    def documents(self, count: int) -> None:
        now = time.monotonic()
        if now - self._last < _PLAIN_SECONDS:
            return
        self._last = now
        rate = count / (now - self._began)
        share = f", {self._read / self._total:.0%} read" if self._total else ""
        say(f"{count} documents, {rate:.1f}/s{share}")


@contextmanager
def meter(total: int | None, *, quiet: bool = False) -> Iterator[Meter]:
    """A progress bar with rate and time left on a terminal, a line now and then elsewhere."""
    if quiet or not messages.is_terminal:
        yield _Lines(total)
        return
    columns = (
        SpinnerColumn(),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[documents]} documents, {task.fields[rate]:.1f}/s"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=messages, transient=True) as bar:
        yield _Bar(bar, bar.add_task("", total=total, documents=0, rate=0.0))


@contextmanager
def counter(things: str) -> Iterator[Callable[[int, int], None]]:
    """Progress in things: a function that takes how many of how many are done."""
    if not messages.is_terminal:
        began = last = time.monotonic()

        def lines(done: int, total: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= _PLAIN_SECONDS:
                last = now
                say(f"{done} of {total} {things}, {done / (now - began):.1f}/s")

        yield lines
        return
    columns = (
        SpinnerColumn(),
        BarColumn(),
        TextColumn("{task.completed} of {task.total} " + things),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=messages, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
