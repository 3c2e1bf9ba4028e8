"""`warraq cluster` with two workers beside `warraq replay` over the same files, in one run.

Each row is a process of its own with all that it starts, Ray included; they run in turns, and the
least of the rounds is shown. The last lines tell how much processor time the process that stores
takes for a page beside the workers: it bounds how many of them it can serve.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import psutil

from crawler.cluster import replay_on
from crawler.on_ray import LOCAL, on_ray
from crawler.readers import ReadOptions
from crawler.show import print_table, say
from crawler.work import Limits
from pipelines.db import schema
from pipelines.db.engine import open_engine
from tests.benchmarks.measure import Measured, measure
from tests.benchmarks.pages import page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=12, help="files to generate")
    parser.add_argument("--pages", type=int, default=50, help="pages in each")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    count = given.files * given.pages
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = folder / "files"
        files.mkdir()
        for number in range(given.files):
            _write(files / f"{number:03}.jsonl", range(number, count, given.files))
        say(f"{count} pages of HTML in {given.files} files")
        taken: dict[str, list[Measured]] = {}
        for number in range(given.rounds):
            url = f"sqlite:///{folder}/{number}"
            warraq = [sys.executable, "-m", "crawler.cli"]
            cluster = [*warraq, "cluster", str(files), "--shard", "1", "--workers", "2", "--json"]
            replay = [*warraq, "replay", str(files), "--json"]
            for what, command in (
                ("warraq replay, one worker", [*replay, "--workers", "1", "--db", f"{url}-1.db"]),
                ("warraq replay, two workers", [*replay, "--workers", "2", "--db", f"{url}-2.db"]),
                ("warraq cluster, two workers", [*cluster, "--db", f"{url}-3.db"]),
                ("the same again: all files passed by", [*cluster, "--db", f"{url}-3.db"]),
                ("warraq cluster --into", [*cluster, "--into", f"{folder}/parts-{number}"]),
            ):
                taken.setdefault(what, []).append(measure(command))
                say(f"round {number + 1}: {what}: {taken[what][-1].wall:.1f} s")
        base = min(each.wall for each in taken["warraq replay, one worker"])
        print_table(
            ("what", "seconds", "one worker's / this", "CPU s", "peak MB"),
            [
                (
                    what,
                    f"{min(m.wall for m in runs):.1f}",
                    f"{base / min(m.wall for m in runs):.2f}",
                    f"{min(m.cpu for m in runs):.1f}",
                    f"{max(m.peak for m in runs) / 1e6:.0f}",
                )
                for what, runs in taken.items()
            ],
        )
        own, theirs = _shares(files, f"sqlite:///{folder}/shares.db")
        print_table(
            ("processor time a page", "ms"),
            [
                ("the process that stores", f"{1000 * own / count:.1f}"),
                ("the workers", f"{1000 * theirs / count:.1f}"),
                ("workers that it can serve", f"{theirs / own:.1f}"),
            ],
        )


def _write(file: Path, numbers: range) -> None:
    with file.open("w", encoding="utf-8") as out:
        for number in numbers:
            row = {"url": f"https://bench.example/news/{number}", "html": page(number)}
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def _shares(files: Path, database: str) -> tuple[float, float]:
    """Processor seconds of this process and of its workers, once all of them are warm."""
    limits = Limits(2)
    with on_ray(LOCAL, 2) as cluster:
        engine = open_engine(database, create=True)
        schema.upgrade(engine)

        def run(paths: list[str]) -> None:
            replay_on(cluster, engine, paths, ReadOptions(), {}, limits, "benchmark", shard_bytes=1)

        first, *rest = sorted(str(file) for file in files.iterdir())
        run([first])
        own, theirs = time.process_time(), _of_workers()
        run(rest)
        own, theirs = time.process_time() - own, _of_workers() - theirs
        engine.dispose()
    share = (len(rest) + 1) / len(rest)
    return own * share, theirs * share


def _of_workers() -> float:
    """Seconds of Ray's workers and of the processes that they have started."""
    spent = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            if process.name().startswith("ray::") and "Agent" not in process.name():
                for each in (process, *process.children(recursive=True)):
                    times = each.cpu_times()
                    spent += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return spent


if __name__ == "__main__":
    main()
