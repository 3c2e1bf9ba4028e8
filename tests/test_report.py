"""`warraq report`: the right sums, drawn in a browser that has no network."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from pipelines.db.engine import open_engine, read
from pipelines.report import Figures, figures
from tests.conftest import run_warraq
from tests.serving import SCRIPT, fill
from tests.test_serve_browser import chromium

DRAWN = {"volume", "hours", "furniture", "dates", "agencies", "spread"}


def sums(database: str, days: int = 90) -> Figures:
    engine = open_engine(database)
    with read(engine) as connection:
        found = figures(connection, days)
    engine.dispose()
    return found


def test_sums_are_those_of_the_articles(database: str) -> None:
    fill(database)
    found = sums(database)
    assert found.totals == {"articles": 6, "stories": 4, "sources": 6}
    assert {(row["source"], row["day"], row["articles"]) for row in found.volume} == {
        ("marfa", "2024-05-07", 1),
        ("qandil", "2024-05-07", 1),
        ("alrasif", "2024-05-08", 1),
    }
    # 7 May 2024 was a Tuesday, 2 days after Sunday
    assert {(r["weekday"], r["hour"], r["articles"]) for r in found.hours} == {(2, 6, 2), (3, 6, 1)}
    assert {row["rule"]: row["lines"] for row in found.furniture} == {
        "live.header": 2,
        "share.call": 1,
        "see.also": 1,
    }
    methods = {(row["method"], row["precision"]): row["articles"] for row in found.dates}
    assert methods["json_ld", "minute"] == 3 and methods[None, None] == 2
    assert {row["agency"]: row["articles"] for row in found.agencies}[None] == 4
    assert sorted(row["hours"] for row in found.stories) == [0, 20 / 60, 24]
    (spread,) = found.spread
    assert (spread["articles"], spread["sources"], spread["hours"]) == (3, 3, 24)
    # fewer days, counted back from the newest article
    assert {row["day"] for row in sums(database, 1).volume} == {"2024-05-08"}


def test_many_sources_become_one_other(engine: Engine, database: str) -> None:
    from pipelines.document import ArticleDate, Precision
    from tests.test_store import arrival, write

    date = ArticleDate("2024-05-07", Precision.DAY, "meta", "2024-05-07", 0.9)
    write(
        engine,
        *(
            arrival(f"نص {n} {m}", f"{n}-{m}.txt", source=f"s{n:02}", published=date)
            for n in range(12)
            for m in range(12 - n)
        ),
    )
    volume = {row["source"]: row["articles"] for row in sums(database).volume}
    assert volume["s00"] == 12 and volume[None] == 3 + 2 + 1 and len(volume) == 10


def test_empty_database_is_told(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/warraq.db"
    assert run_warraq(["db", "upgrade", "--db", database]).returncode == 0
    page = tmp_path / "report.html"
    done = run_warraq(["report", "--db", database, "-o", page])
    assert done.returncode == 0, done.stderr.decode()
    assert "Nothing to draw yet." in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["ar", "en"])
def test_plots_are_drawn_without_a_network(tmp_path: Path, language: str) -> None:
    database = f"sqlite:///{tmp_path}/warraq.db"
    fill(database)
    file = tmp_path / "report.html"
    done = run_warraq(["report", "--db", database, "-o", file, "--language", language])
    assert done.returncode == 0, done.stderr.decode()
    with chromium() as browser:
        page = browser.new_context(offline=True, viewport={"width": 1100, "height": 800}).new_page()
        page.set_default_timeout(60_000)
        told: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda dialog: told.append(f"dialog {dialog.message}"))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        for name in DRAWN:
            page.wait_for_selector(f"#{name} svg")
            marks = page.locator(f"#{name} svg .mark-rect path, #{name} svg .mark-symbol path")
            assert marks.count() >= 1, name
        assert page.locator("html").get_attribute("dir") == {"ar": "rtl", "en": "ltr"}[language]
        assert SCRIPT in page.locator("body").inner_text()  # a source's name, as text
        assert told == []
        assert asked == [file.as_uri()]
