"""`make bench`: `warraq replay` beside bare trafilatura over the same HTML pages, in one run.

Each row is a process of its own, start-up included, run in turns; the median is shown. Give
`--pages FOLDER` to use pages of your own instead of generated ones.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from crawler.show import print_table, say
from tests.benchmarks.measure import Measured, measure
from tests.benchmarks.pages import page

_BARE = """
import sys
from pathlib import Path
from trafilatura import bare_extraction
for file in sorted(Path(sys.argv[1]).iterdir()):
    bare_extraction(file.read_bytes(), with_metadata={metadata}, include_comments=False)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=Path, help="folder of .html files")
    parser.add_argument("--count", type=int, default=400, help="pages to generate")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pages = given.pages or Path(folder, "pages")
        if given.pages is None:
            pages.mkdir()
            for number in range(given.count):
                (pages / f"{number:05}.html").write_text(page(number), encoding="utf-8")
        files = [file for file in pages.iterdir() if file.suffix == ".html"]
        say(f"{len(files)} pages, {sum(f.stat().st_size for f in files) / 1e6:.1f} MB")
        print_table(
            ("what", "documents/s", "against bare", "CPU ms a page", "peak MB"),
            _rows(pages, len(files), Path(folder), given.rounds),
        )


def _rows(pages: Path, count: int, folder: Path, rounds: int) -> list[tuple[object, ...]]:
    warraq = [sys.executable, "-m", "crawler.cli"]
    bare = [sys.executable, "-c", _BARE.format(metadata=False), str(pages)]
    full = [sys.executable, "-c", _BARE.format(metadata=True), str(pages)]
    taken: dict[str, list[Measured]] = {}
    for number in range(rounds):
        one, all_ = (f"sqlite:///{folder}/{number}-{name}.db" for name in ("one", "all"))
        replay = [*warraq, "replay", str(pages), "--json", "--db"]
        for name, command in (
            ("trafilatura.bare_extraction", bare),
            ("trafilatura.bare_extraction with metadata", full),
            ("warraq extract, one worker", [*warraq, "extract", str(pages), "--workers", "1"]),
            ("warraq replay, one worker", [*replay, one, "--workers", "1"]),
            ("warraq replay, a worker a processor", [*replay, all_]),
            ("the same again: nothing changes", [*replay, all_]),
        ):
            taken.setdefault(name, []).append(measure(command))
            say(f"round {number + 1}: {name}: {taken[name][-1].wall:.1f} s")
    floor = statistics.median(m.wall for m in taken["trafilatura.bare_extraction"])
    return [
        (
            name,
            f"{count / statistics.median(m.wall for m in runs):.1f}",
            f"{floor / statistics.median(m.wall for m in runs):.2f}",
            f"{1000 * statistics.median(m.cpu for m in runs) / count:.1f}",
            f"{statistics.median(m.peak for m in runs) / 1e6:.0f}",
        )
        for name, runs in taken.items()
    ]


if __name__ == "__main__":
    main()
