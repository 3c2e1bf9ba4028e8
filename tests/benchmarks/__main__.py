"""`make bench`: all measurements of speed in one run, one table.

`ratio` compares a line with the one that it is measured beside: rates where more is wanted,
processor time where less is. Each part can be run alone: `python -m tests.benchmarks.replay`,
`floor`, `store`, `crawl`. `--pages FOLDER` takes HTML pages of your own, `--small` a few generated
ones for a first look, where start-up weighs more than it should.
"""

import argparse
import tempfile
from pathlib import Path

from crawler.show import print_table, say
from tests.benchmarks import crawl, floor, replay, store
from tests.benchmarks.measure import COLUMNS
from tests.conftest import POSTGRES, postgres_trouble


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=Path, help="folder of .html files of one source")
    parser.add_argument("--small", action="store_true", help="few pages, one round")
    parser.add_argument("--peers", type=Path, default=Path(".venv-evaluate/bin/python"))
    given = parser.parse_args()
    # Starting takes a second or two: it must not weigh more than it does in a day's work.
    count, rounds = (60, 1) if given.small else (1200, 3)
    trouble = postgres_trouble()
    if trouble:
        say(f"PostgreSQL is left out: {trouble}; WARRAQ_TEST_POSTGRES names a server")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = replay.rows(folder, given.pages, count, rounds)
        found += replay.peer_rows(folder, given.pages, given.peers, found[0].rate)
        found += floor.rows(given.pages, 60, 5)
        found += store.rows(folder, 4 * count, None if trouble else POSTGRES)
        found += crawl.rows(folder, min(count, 600), 1)
    print_table(COLUMNS, [row.cells() for row in found])


if __name__ == "__main__":
    main()
