"""Templates read a source's pages as the full extraction does, or leave them to it."""

import random
from collections import Counter
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest
from lxml import html

from crawler.readers import ReadOptions
from crawler.readers import read as read_pages
from crawler.replay import replay
from crawler.reprocess import reprocess
from crawler.work import Limits
from pipelines.db import schema
from pipelines.db.engine import open_engine
from pipelines.document import Article, Block, BlockKind, Learned, Outline, RawPage, Template
from pipelines.process import process
from pipelines.stages.templates import (
    agreement,
    apply,
    learn,
    likeness,
    outline,
    outline_json,
    outline_of,
    template_json,
    template_of,
)
from tests.benchmarks.pages import headline, paragraphs
from tests.conftest import rows, run_warraq

#: One outlet before and after a redesign: what is around an article's paragraphs.
_DESIGNS = {
    "old": (
        '<div class="wrapper"><div class="story-text">{}'
        '<div class="tools">حجم الخط كبير أو صغير</div></div>'
        '<aside class="news"><p>{}</p></aside></div>'
    ),
    "new": (
        '<main class="layout"><section class="article-content"><div class="inner">{}</div>'
        '<footer class="notes"><p>{}</p></footer></section></main>'
    ),
}


def page(number: int, design: str = "old", month: int = 3) -> str:
    rng = random.Random(f"{number} {design}")
    title = f"{headline(rng)} {number}"
    url = f"https://ufuq.example/news/{design}/{number}"
    body = "".join(f"<p>{escape(p)}</p>" for p in paragraphs(rng)[:6])
    shell = _DESIGNS[design].format(body, escape(headline(rng)))
    return (
        f'<!DOCTYPE html><html lang="ar"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta property="og:type" content="article"><link rel="canonical" href="{url}"><meta '
        f'property="article:published_time" content="2024-{month:02}-{1 + number % 28:02}T09:00Z">'
        f"</head><body><h1>{title}</h1>{shell}</body></html>"
    )


def read_page(content: str, learned: Learned | None = None) -> Article:
    found = process(RawPage(content.encode()), None, learned)
    assert isinstance(found, Article), found
    return found


def outlines(design: str, count: int) -> list[Outline]:
    articles = [read_page(page(n, design), Learned(sample={})) for n in range(count)]
    return [a.outline for a in articles if a.outline is not None]


@pytest.fixture(scope="module")
def old() -> Template:
    found = learn(outlines("old", 5))
    assert found is not None
    return found


def test_a_template_reads_a_page_as_the_full_extraction_does(old: Template) -> None:
    for number in range(10, 14):
        full = read_page(page(number))
        short = read_page(page(number), Learned(templates=(old,)))
        assert (full.extractor, short.extractor) == ("trafilatura", "template")
        assert full.flags == short.flags == ()
        assert (short.title, short.text) == (full.title, full.text)
        assert short.published == full.published


@pytest.mark.parametrize(
    "content",
    [
        page(1, "new"),
        page(1).replace("story-text", "other-text"),
        page(1).replace("<p>", '<p class="quiz-item">'),  # all its text on paths never seen
        page(1).replace("</body>", page(2)[page(2).index("<body>") + 6 :]),  # two articles
    ],
)
def test_a_page_that_is_not_alike_goes_the_long_way(old: Template, content: str) -> None:
    found = read_page(content, Learned(templates=(old,)))
    assert found.extractor == "trafilatura"
    assert "fallback" in found.flags


def test_text_beside_the_paragraphs_counts_though_it_was_never_seen(old: Template) -> None:
    added = "<h3>ماذا بعد القرار</h3><ul><li>تبدأ الأشغال في الميناء مطلع الشهر المقبل</li></ul>"
    content = page(7).replace('<div class="tools">', f'{added}<div class="tools">')
    found = read_page(content, Learned(templates=(old,)))
    assert found.extractor == "template"
    kinds = [block.kind for block in found.blocks]
    assert kinds[-2:] == [BlockKind.HEADING, BlockKind.LIST]


def test_too_few_pages_teach_nothing() -> None:
    assert learn(outlines("old", 3)) is None


def test_order_does_not_matter_and_json_keeps_all(old: Template) -> None:
    found = outlines("old", 5)
    assert learn(found[::-1]) == old
    assert template_of(template_json(old)) == old
    assert [outline_of(outline_json(one)) for one in found] == found


def test_agreement_tells_pages_that_are_not_alike() -> None:
    same, fits = agreement(outlines("old", 6))
    assert (round(same, 3), fits) == (1.0, 6)
    _, fits = agreement([*outlines("old", 5), *outlines("new", 1)])
    assert fits == 5


def test_likeness() -> None:
    one = [
        Block(BlockKind.PARAGRAPH, "أعلن المجلس الخطة"),
        Block(BlockKind.PARAGRAPH, "وبدأ العمل"),
    ]
    assert likeness(one, one) == 1.0
    assert 0 < likeness(one, one[:1]) < 1
    assert likeness(one, []) == 0.0


def test_hostile_markup_is_bounded(old: Template) -> None:
    deep = "<div class='story-text'>" + "<span>" * 200 + "ن" * 1000 + "</span>" * 200 + "</div>"
    wide = "<div class='wrapper'><div class='story-text'>" + "<p>ن</p>" * 50_000 + "</div></div>"
    for content in (deep, wide, "<p>"):
        tree = html.document_fromstring(f"<html><body>{content}</body></html>")
        apply(tree, old)
        outline(tree, [Block(BlockKind.PARAGRAPH, "ن")])


# --- through the database ----------------------------------------------------------------------


def replay_files(database: str, files: list[Path], batch: int) -> None:
    engine = open_engine(database, create=True)
    schema.require(engine, create=True)
    # Where a page was fetched from tells its source before it is read.
    pages = [
        replace(found, url="https://ufuq.example/") if isinstance(found, RawPage) else found
        for found in read_pages([str(file) for file in files], ReadOptions())
    ]
    replay(engine, pages, {}, Limits(workers=1), "test", batch_size=batch)
    engine.dispose()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """24 pages of March in the old design, 12 of April in the new one."""
    folder = tmp_path_factory.mktemp("pages")
    pages = [page(n) for n in range(24)] + [page(n, "new", 4) for n in range(12)]
    found = [folder / f"{number:02}.html" for number in range(len(pages))]
    for file, content in zip(found, pages, strict=True):
        file.write_text(content, encoding="utf-8")
    return found


_EXTRACTORS = "SELECT path, extractor FROM articles ORDER BY path"


def test_templates_are_learned_applied_and_learned_anew(database: str, files: list[Path]) -> None:
    for start, end in ((0, 8), (8, 24), (24, 32), (32, 36)):
        replay_files(database, files[start:end], 8)
    by_template = [extractor.startswith("template") for _, extractor in rows(database, _EXTRACTORS)]
    assert by_template[:8] == [False] * 8  # nothing was known of the source
    assert all(by_template[8:24])
    assert not any(by_template[24:32])  # the redesign, until it was learned
    assert all(by_template[32:])
    query = "SELECT month, state, learned_from, fits FROM templates ORDER BY month"
    assert rows(database, query) == [("2024-03", "applied", 8, 8), ("2024-04", "applied", 8, 8)]

    listed = run_warraq(["learn", "--templates", "--db", database]).stdout.decode()
    assert "2024-04" in listed
    key = ["--source", "ufuq.example", "--db", database]
    assert run_warraq(["learn", "--refuse-template", "2024-03", *key]).returncode == 0
    assert rows(database, query)[0][1] == "refused"
    assert run_warraq(["learn", "--refuse-template", "1999-01", *key]).returncode == 2


def test_the_order_of_pages_changes_nothing_that_reprocess_stores(
    tmp_path: Path, files: list[Path]
) -> None:
    said = []
    for seed in (1, 2):
        database = f"sqlite:///{tmp_path}/{seed}.db"
        replay_files(database, random.Random(seed).sample(files, len(files)), 5)
        engine = open_engine(database)
        reprocess(engine, {}, Limits(workers=1), ReadOptions(), "test")
        engine.dispose()
        articles = rows(database, "SELECT path, text, title, extractor FROM articles ORDER BY path")
        learned = rows(database, "SELECT month, template, agreement FROM templates ORDER BY month")
        said.append((articles, learned))
    assert said[0] == said[1]
    assert Counter(extractor.split(",")[0] for *_, extractor in said[0][0]) == {"template": 36}
