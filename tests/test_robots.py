"""robots.txt holds for every request, also for those that wait for it together."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from pipelines.db.engine import open_engine, write
from pipelines.db.models import AddressRow, table
from tests.conftest import rows, run_warraq
from tests.site import Site


def crawl(folder: Path, *more: str) -> None:
    arguments: list[str | Path] = [
        *("crawl", "--db", f"sqlite:///{folder}/warraq.db", "--workers", "1"),
        *("--sources", folder / "sources", "--archive", folder / "archive"),
        *more,
    ]
    done = run_warraq(
        arguments,
        WARRAQ_ALLOW_ADDRESSES="127.0.0.0/8",
        WARRAQ_CONTACT="test@site.example",
    )
    assert done.returncode in (0, 1), done.stderr.decode()


def test_requests_that_wait_for_robots_txt_together_obey_it(tmp_path: Path) -> None:
    with Site(articles=3, forbidden=6, latency=0.2) as site:
        site.write_source(tmp_path / "sources", "eg/one", ["/feed.xml"])
        for more in ([], ["--every-page"]):  # known pages are asked for beside robots.txt
            crawl(tmp_path, *more)
        asked = [r.path for r in site.requests]
    assert asked.count("/robots.txt") == 2
    assert {a.path for a in site.articles} < set(asked)
    assert [path for path in asked if path.startswith("/private/")] == []


@pytest.mark.parametrize("how", ["500", "/broken/reset"])
def test_nothing_is_asked_for_while_robots_txt_can_not_be_had(tmp_path: Path, how: str) -> None:
    """Then nobody knows what it forbids. Once it answers, all is taken up."""
    with Site(articles=3, forbidden=2) as site:
        site.write_source(tmp_path / "sources", "eg/one", ["/feed.xml"])
        if how == "500":
            site.script("/robots.txt", 500, times=None)
        else:
            site.script("/robots.txt", 302, headers={"Location": how}, times=None)
        crawl(tmp_path)
        assert {r.path for r in site.requests} - {"/broken/reset"} == {"/robots.txt"}
        database = f"sqlite:///{tmp_path}/warraq.db"
        said = rows(database, "SELECT outcome, reason, detail FROM ledger")
        assert [each[:2] for each in said] == [("failed", "unreachable")]
        assert "robots.txt does not answer: " in said[0][2]
        site.scripted.clear()
        again = open_engine(database)
        with write(again) as connection:  # as a quarter of an hour later
            connection.execute(update(table(AddressRow)).values(due_at=datetime.now(UTC)))
        again.dispose()
        crawl(tmp_path)
        asked = {r.path for r in site.requests}
    assert rows(database, "SELECT count(*) FROM articles") == [(3,)]
    assert not [path for path in asked if path.startswith("/private/")]
