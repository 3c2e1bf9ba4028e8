"""`make demo`: two newsrooms on loopback are crawled twice, with a day's life in between.

python -m tests.site.demo --db sqlite:///data/demo.db
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.site import Site

QUERIES = (
    (
        "the newest articles, each once",
        "SELECT a.published_iso AS published, s.key AS source, a.title FROM articles a "
        "JOIN sources s ON s.id = a.source_id ORDER BY a.published_at DESC LIMIT 6",
    ),
    (
        "what the correction said before, and says now",
        "SELECT a.title, v.number AS version, length(v.text) AS letters_then, "
        "length(a.text) AS letters_now FROM article_versions v JOIN articles a "
        "ON a.id = v.article_id",
    ),
    (
        "stories that ran in both papers",
        "SELECT s.story_id AS story, s.source, s.kind, round(CAST(s.containment AS NUMERIC), 2) "
        "AS containment, a.title FROM syndication s JOIN articles a ON a.id = s.article_id "
        "ORDER BY s.story_id, a.published_at",
    ),
    (
        "what the second crawl got",
        "SELECT l.outcome, coalesce(l.reason, '') AS reason, count(*) AS pages FROM ledger l "
        "WHERE l.run_id = 2 GROUP BY l.outcome, l.reason ORDER BY 3 DESC",
    ),
    (
        "furniture taken out, by rule",
        "SELECT rule, count(*) AS lines FROM removed_lines GROUP BY rule ORDER BY 2 DESC LIMIT 6",
    ),
)


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.site.demo", description=__doc__)
    options.add_argument("--db", default="sqlite:///data/demo.db")
    options.add_argument("--articles", type=int, default=40)
    given = options.parse_args()
    if given.db.startswith("sqlite:///"):  # from the start again
        for end in ("", "-wal", "-shm"):
            Path(f"{given.db.removeprefix('sqlite:///')}{end}").unlink(missing_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="warraq-demo-"))
    try:
        with (
            Site(articles=given.articles, seed=1, forbidden=1) as one,
            Site(articles=given.articles // 2, seed=2, host="127.0.0.2") as two,
        ):
            _crawl_twice(given.db, folder, one, two)
    finally:
        shutil.rmtree(folder)


def _crawl_twice(db: str, folder: Path, one: Site, two: Site) -> None:
    one.write_source(folder, "demo/marfa", ["/feed.xml", "/sitemap.xml"])
    two.write_source(folder, "demo/sahil", ["/latest"], title="بريد الساحل")
    archive = folder / "archive"
    _tell(f"two newsrooms answer at {one.url}/ and {two.url}/; the first crawl takes everything")
    crawl = ["crawl", "--db", db, "--sources", str(folder), "--archive", str(archive)]
    _warraq(*crawl)
    changed = one.room.change(one.articles[2])
    fresh = one.room.publish(3)
    two.room.reprint(fresh[0])
    one.room.remove(one.articles[10])
    seen = [len(site.requests) for site in (one, two)]
    _tell(
        f"in «{changed.title}» a paragraph is corrected; three articles are new, the other paper "
        "reprints one of them, one is withdrawn. The second crawl asks for all pages again"
    )
    _warraq(*crawl, "--every-page")
    answers = Counter(
        r.status for site, at in zip((one, two), seen, strict=True) for r in site.requests[at:]
    )
    said = ", ".join(f"{count} x {status}" for status, count in sorted(answers.items()))
    _tell(f"what the sites answered in the second crawl: {said} (304: not sent again)")
    for title, query in QUERIES:
        _tell(title)
        _warraq("sql", "--db", db, query)
    _tell(f"ask on: .venv/bin/warraq sql --db {db} 'SELECT ...'")


def _tell(what: str) -> None:
    print(f"\n== {what}\n", flush=True)


def _warraq(*arguments: str) -> None:
    """The real command. Loopback is refused to crawls unless it is allowed, as it is here."""
    environment = {
        **os.environ,
        "WARRAQ_ALLOW_ADDRESSES": "127.0.0.0/8",
        "WARRAQ_CONTACT": "demo@warraq.example",
    }
    command = [sys.executable, "-m", "crawler.cli", *arguments]
    done = subprocess.run(command, env=environment)
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
