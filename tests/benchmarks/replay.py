"""`python -m tests.benchmarks.replay`: `warraq replay` beside bare trafilatura over the same pages.

Each line is a process of its own, start-up included, run in turns; the median is shown. "Nothing
learned" are pages of many sources, too few of each to learn from; "known" are the same pages of
one source, other pages of which taught its template. `--pages FOLDER` takes pages of your own: a
first replay learns from them what the measured one knows.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from crawler.show import print_table, say
from tests.benchmarks.measure import COLUMNS, Measured, Row, measure, row_of
from tests.benchmarks.pages import page

_BARE = """
import sys
from pathlib import Path
from trafilatura import bare_extraction
for file in sorted(Path(sys.argv[1]).glob("*.html")):
    bare_extraction(file.read_bytes(), with_metadata=True, include_comments=False)
"""
#: Pages that teach a template, and pages of a source that are too few to.
_TEACHING = 240
_TOO_FEW = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=Path, help="folder of .html files")
    parser.add_argument("--count", type=int, default=1200, help="pages to generate")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", type=Path, default=Path(".venv-evaluate/bin/python"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = rows(folder, given.pages, given.count, given.rounds)
        found += peer_rows(folder, given.pages, given.peers, found[0].rate)
    print_table(COLUMNS, [row.cells() for row in found])


def rows(folder: Path, own: Path | None, count: int, rounds: int) -> list[Row]:
    pages = own or generate(folder / "pages", 0, count)
    scattered = own or generate(folder / "scattered", 0, count, sources=count // _TOO_FEW)
    # Other pages of the same source and month, which teach where its articles live.
    others = own or generate(folder / "others", count, _TEACHING)
    sizes = [file.stat().st_size for file in pages.glob("*.html")]
    count = len(sizes)
    say(f"{count} pages, {sum(sizes) / 1e6:.1f} MB")
    warraq = [sys.executable, "-m", "crawler.cli"]
    taught = folder / "taught.db"
    measure([*warraq, "replay", str(others), "--json", "--db", f"sqlite:///{taught}"])
    bare = [sys.executable, "-c", _BARE, str(pages)]
    taken: dict[str, list[Measured]] = {}
    for number in range(rounds):
        new, known = folder / f"{number}.db", folder / f"{number}-known.db"
        shutil.copy(taught, known)
        for name, command in (
            (_FLOOR, bare),
            (_NEW, [*warraq, "replay", str(scattered), "--json", "--db", f"sqlite:///{new}"]),
            (_KNOWN, [*warraq, "replay", str(pages), "--json", "--db", f"sqlite:///{known}"]),
            (_AGAIN, [*warraq, "replay", str(pages), "--json", "--db", f"sqlite:///{known}"]),
        ):
            taken.setdefault(name, []).append(done := measure(command))
            own_ms = 1000 * done.own / count
            say(f"round {number + 1}: {name}: {done.wall:.1f} s, the parent {own_ms:.1f} ms a page")
    floor = row_of(_FLOOR, taken[_FLOOR], count)
    return [
        floor,
        row_of(_NEW, taken[_NEW], count, floor.rate, least=1.7),
        row_of(_KNOWN, taken[_KNOWN], count, floor.rate, least=7),
        row_of(_AGAIN, taken[_AGAIN], count, floor.rate),
    ]


_FLOOR = "trafilatura.bare_extraction with metadata, one process"
_NEW = "replay, all processors, stored; nothing learned"
_KNOWN = "replay, all processors, stored; templates known"
_AGAIN = "the same again: nothing changes"


def peer_rows(folder: Path, own: Path | None, python: Path, floor: float | None) -> list[Row]:
    """Other extractors over the first of the pages, from the environment that has them."""
    if not python.exists():
        say(f"news-please and newspaper4k are left out: {python} is missing; `make {PEERS}`")
        return []
    pages = own or generate(folder / "peers", 0, _FOR_PEERS)
    files = sorted(pages.glob("*.html"))[:_FOR_PEERS]
    listed = folder / "peers.json"
    listed.write_text(json.dumps([[str(f), f"https://bench.example/{f.stem}"] for f in files]))
    found = []
    for tool in ("news-please", "newspaper4k"):
        script = Path(__file__).with_name("peers.py")
        command = [str(python), str(script), tool, str(listed), str(folder / "peers.jsonl"), "60"]
        found.append(row_of(f"{tool}, one process", [measure(command)], len(files), floor))
    return found


#: Pages for those, which take long; their environment.
_FOR_PEERS = 60
PEERS = ".venv-evaluate/.ready"


def generate(folder: Path, first: int, count: int, sources: int = 1) -> Path:
    """A folder of generated pages, with the URLs of so many sources."""
    folder.mkdir()
    manifest = []
    for number in range(first, first + count):
        host = "bench.example" if sources == 1 else f"bench-{number % sources}.example"
        name, url = f"{number:05}.html", f"https://{host}/news/{number}"
        (folder / name).write_text(page(number, url), encoding="utf-8")
        manifest.append(json.dumps({"path": name, "url": url}))
    (folder / "manifest.jsonl").write_text("\n".join(manifest) + "\n", encoding="utf-8")
    return folder


if __name__ == "__main__":
    main()
