"""`warraq report`."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from crawler.commands import options as o


class Language(StrEnum):
    ARABIC = "ar"
    ENGLISH = "en"


def report(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="The page.")
    ] = Path("report.html"),
    days: Annotated[
        int, typer.Option("--days", min=1, max=3650, metavar="N", help="Days shown, to the newest.")
    ] = 90,
    language: Annotated[
        Language, typer.Option("--language", help="Language of the page.")
    ] = Language.ENGLISH,
    db: o.Db = None,
) -> None:
    """Draw what the database holds: volume, hours, rejections, dates, agencies, stories, health.

    One HTML file that needs no network: open it in a browser, or send it.

    Example: warraq report -o report.html --language ar
    """
    from crawler.show import say
    from pipelines.db.engine import open_engine, read, shown, usable
    from pipelines.db.export import whole_file
    from pipelines.db.schema import require
    from pipelines.report import figures, page

    engine = open_engine(db)
    require(engine)
    with usable(engine), read(engine) as connection:
        found = figures(connection, days)
    html = page(found, language.value, shown(engine.url), datetime.now(UTC))
    with whole_file(output) as file:
        file.write(html.encode("utf-8", "replace"))
    say(f"{found.totals['articles']:,} articles drawn to {output}")
