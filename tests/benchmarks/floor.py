"""`python -m tests.benchmarks.floor`: `process` with a known template beside lxml parsing alone.

In one process, by its processor time, the two in turns over the same pages; of each page the best
of some rounds counts. `--pages FOLDER` takes pages of one source of your own.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lxml import html

from crawler.show import print_table, say
from pipelines.document import Article, Learned, RawPage
from pipelines.prepare import prepare
from pipelines.process import process
from pipelines.stages.templates import learn
from tests.benchmarks.measure import COLUMNS, Row
from tests.benchmarks.pages import page

_TEACHING = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=Path, help="folder of .html files of one source")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    print_table(COLUMNS, [r.cells() for r in rows(given.pages, given.count, given.rounds)])


def rows(own: Path | None, count: int, rounds: int) -> list[Row]:
    if own:
        raws = [RawPage(file.read_bytes(), path=file.name) for file in sorted(own.glob("*.html"))]
    else:
        urls = [f"https://bench.example/news/{number}" for number in range(count + _TEACHING)]
        raws = [RawPage(page(n, url).encode(), url=url) for n, url in enumerate(urls)]
    taught = [process(raw, None, Learned(sample={})) for raw in raws[:_TEACHING]]
    outlines = [a.outline for a in taught if isinstance(a, Article) and a.outline is not None]
    template = learn(outlines)
    learned = Learned(frozenset(), (template,) if template else ())
    pages = raws[_TEACHING:]
    results = [process(raw, None, learned) for raw in pages]
    fits = [isinstance(r, Article) and r.extractor == "template" for r in results]
    say(f"the template fits {sum(fits)} of {len(pages)} pages")
    pages = [raw for raw, fit in zip(pages, fits, strict=True) if fit]
    articles = [r for r in results if isinstance(r, Article) and r.extractor == "template"]
    if not pages:
        return []
    parser = html.HTMLParser(encoding="utf-8")
    parsing, working = _best(
        rounds,
        pages,
        lambda raw: html.document_fromstring(raw.body, parser=parser),
        lambda raw: process(raw, None, learned),
    )
    (full,) = _best(min(rounds, 2), pages, lambda raw: process(raw, None))
    (preparing,) = _best(rounds, articles, lambda article: prepare(article, "sqlite"))
    return [
        Row("lxml parses the page, and no more", cpu_ms=parsing, rate=1000 / parsing),
        Row(
            "process, template known, beside it",
            working / parsing,
            most=2,
            cpu_ms=working,
            rate=1000 / working,
        ),
        Row("process, nothing learned", cpu_ms=full, rate=1000 / full),
        Row("and what the store needs: fingerprint, search words", cpu_ms=preparing),
    ]


def _best(rounds: int, things: Sequence[Any], *calls: Callable[[Any], object]) -> list[float]:
    """Milliseconds a thing that each of the calls takes."""
    best = [[float("inf")] * len(things) for _ in calls]
    for _ in range(rounds):
        for at, thing in enumerate(things):
            for taken, call in zip(best, calls, strict=True):
                began = time.process_time()
                call(thing)
                taken[at] = min(taken[at], time.process_time() - began)
    return [1000 * sum(taken) / len(things) for taken in best]


if __name__ == "__main__":
    main()
