"""What a source's other pages teach, in accuracy and processor time: each page is read by what the
rest of its site's pages taught.

    .venv/bin/python -m tests.benchmarks.templates gold/multi.jsonl

A line of the JSON lines has `site`, `file` (beside it, may end in .gz) and `body` or `paragraphs`.
"""

import argparse
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from gzip import decompress
from pathlib import Path

from crawler.show import print_table, say
from pipelines.document import Article, Learned, RawPage, Rejected
from pipelines.process import process
from pipelines.stages.extract import parse
from pipelines.stages.repeats import ACTIVE, Seen, judge
from pipelines.stages.templates import learn, likeness
from tests.benchmarks.evaluate import Row, read_gold
from tests.benchmarks.score import score


@dataclass(frozen=True, slots=True)
class Read:
    """A page of a site with what the full extraction makes of it."""

    row: Row
    raw: RawPage
    article: Article


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("gold", type=Path)
    parser.add_argument("--each", action="store_true", help="a line for each page that differs")
    given = parser.parse_args()
    sites: dict[str, list[Read]] = defaultdict(list)
    for row in read_gold(given.gold):
        body = (given.gold.parent / row["file"]).read_bytes()
        raw = RawPage(decompress(body) if row["file"].endswith(".gz") else body, path=row["file"])
        article = process(raw, None, Learned(sample={}))
        if isinstance(article, Article):
            sites[row["site"]].append(Read(row, raw, article))
    taken: dict[str, list[tuple[float, float, bool]]] = defaultdict(list)
    floors: list[float] = []
    for site in sites.values():
        for page in site:
            others = [other.article for other in site if other is not page]
            lines = _lines(others)
            template = learn([a.outline for a in others if a.outline is not None])
            floors.append(_parse_time(page.raw))
            for name, learned in (
                ("nothing learned", None),
                ("lines", Learned(lines)),
                ("lines and templates", Learned(lines, (template,) if template else ())),
            ):
                result, seconds = _process(page.raw, learned)
                found = {"text": result.text} if isinstance(result, Article) else {}
                fits = isinstance(result, Article) and result.extractor == "template"
                taken[name].append((score(page.row, found).f1, seconds, fits))
                if given.each and name == "lines and templates" and isinstance(result, Article):
                    _tell(page, result, [row[-1] for row in taken.values()])
    print_table(
        ("what", "F1", "by template", "CPU ms a page", "CPU ms of those by template"),
        [
            (
                name,
                f"{statistics.mean(f1 for f1, _, _ in rows):.4f}",
                f"{sum(fits for _, _, fits in rows)} of {len(rows)}",
                f"{1000 * statistics.mean(seconds for _, seconds, _ in rows):.1f}",
                _mean_ms(
                    [
                        seconds
                        for (_, seconds, _), (_, _, fits) in zip(rows, last, strict=True)
                        if fits
                    ]
                ),
            )
            for last in [taken["lines and templates"]]
            for name, rows in taken.items()
        ],
    )
    say(f"lxml alone parses a page in {1000 * statistics.mean(floors):.1f} ms")


def _tell(page: Read, result: Article, rows: Sequence[tuple[float, float, bool]]) -> None:
    alike = likeness(page.article.blocks, result.blocks)
    full, with_template = rows[1][0], rows[2][0]
    if not rows[2][2]:
        say(f"{page.row['file']}: {full:.3f}, no template fits")
    elif abs(full - with_template) > 0.002:
        say(f"{page.row['file']}: {full:.3f}, by template {with_template:.3f}, like {alike:.3f}")


def _lines(articles: Sequence[Article]) -> frozenset[str]:
    places: dict[str, Counter[str]] = defaultdict(Counter)
    texts: dict[str, str] = {}
    for article in articles:
        for candidate in article.candidates:
            places[candidate.key][candidate.place] += 1
            texts[candidate.key] = candidate.text
    found = set()
    for key, seen in places.items():
        verdict = judge(
            texts[key], Seen(seen["top"], seen["between"], seen["bottom"], len(articles))
        )
        if verdict and verdict[0] in ACTIVE:
            found.add(key)
    return frozenset(found)


def _process(raw: RawPage, learned: Learned | None) -> tuple[Article | Rejected, float]:
    began = time.process_time()
    result = process(raw, None, learned)
    return result, time.process_time() - began


def _parse_time(raw: RawPage) -> float:
    text = raw.body.decode("utf-8", "replace")
    began = time.process_time()
    parse(text)
    return time.process_time() - began


def _mean_ms(seconds: Sequence[float]) -> str:
    return f"{1000 * statistics.mean(seconds):.1f}" if seconds else ""


if __name__ == "__main__":
    main()
