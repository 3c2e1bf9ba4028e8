"""A real `warraq serve` on loopback, and a database with hostile articles for it to show."""

import os
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines.db import schema
from pipelines.db.engine import open_engine
from pipelines.document import ArticleDate, Block, BlockKind, Precision, RemovedLine
from tests.conftest import ROOT
from tests.test_store import arrival, write

#: What must come out as text wherever it stands.
SCRIPT = "<script>alert('x')</script>"
ATTRIBUTE = '"\' onmouseover=alert(1) x="'
TEMPLATE = "{{ 7 * 191 }}"
FIRE = (
    "باريس (رويترز) - سيطرت فرق الإطفاء يوم الثلاثاء على حريق اندلع في مستودع للكتب القديمة شمال "
    "المدينة، وقال مسؤولون إن التحقيق جار لمعرفة أسبابه.\n"
    "وذكر شهود أن ألسنة اللهب ارتفعت عشرات الأمتار قبل أن يصل ثلاثون رجل إطفاء إلى المكان.\n"
    "وقالت مديرة المستودع إن سبعمئة مجلد ضاعت، لكن المجموعة الأندلسية كلها سليمة.\n"
    "وكانت البلدية قد حذرت قبل شهرين من ضعف أنظمة الإنذار في المباني التاريخية."
)
SAVED = "وأضافت أن متطوعين من ثلاث جامعات سيشاركون في ترميم المخطوطات."
MORNING = datetime(2024, 5, 7, 6, 15, tzinfo=UTC)


def _date(at: datetime, **known: Any) -> ArticleDate:
    iso = at.isoformat(timespec="minutes")
    return ArticleDate(iso, Precision.MINUTE, "json_ld", iso, 0.9, **known)


def fill(database: str) -> None:
    """A story of three articles with an earlier version, and articles that attack the page.

    Article 1 was revised (version 1 is kept) and lost three lines; 2 and 3 are its copies, 20
    minutes and a day later; 4 has markup in every field; 5 has nothing but a text, 6 is English.
    """
    engine = open_engine(database, create=True)
    schema.upgrade(engine)
    fire: dict[str, Any] = {
        "source": "marfa",
        "canonical_url": "https://marfa.example/1",
        "title_method": "h1",
        "published": _date(MORNING),
        "agency": "reuters",
        "agency_method": "dateline",
        "place": "باريس",
        "removed": (
            RemovedLine(0, "البث المباشر", "live.header"),
            RemovedLine(7, "شاركوا هذا الخبر مع أصدقائكم", "share.call"),
            RemovedLine(8, f"اقرأ أيضا {SCRIPT}", "see.also"),
        ),
        "date_candidates": (("json_ld", "published", "2024-05-07T09:15+03:00"),),
    }
    hostile = {
        name: f"{name} {SCRIPT} {ATTRIBUTE} {TEMPLATE}"
        for name in ("title", "deck", "author", "place", "section", "site_name", "agency")
    }
    write(
        engine,
        arrival(FIRE, title="حريق في مستودع الكتب", fetched_at=MORNING, **fire),
        arrival(
            f"{FIRE}\n{SAVED}",
            title="السيطرة على حريق مستودع الكتب",
            fetched_at=MORNING + timedelta(hours=2),
            **fire,
        ),
        arrival(
            FIRE.replace("سبعمئة", "ثمانمئة"),
            source="qandil",
            canonical_url="https://qandil.example/2",
            title="حريق يلتهم كتبا نادرة",
            published=_date(MORNING + timedelta(minutes=20), conflicts=("line says 8 May",)),
        ),
        arrival(
            FIRE,
            source="alrasif",
            canonical_url="https://alrasif.example/3",
            title="نجاة المخطوطات",
            published=_date(MORNING + timedelta(days=1)),
        ),
        arrival(
            f"نص فيه {SCRIPT} و{ATTRIBUTE} و{TEMPLATE} عن الحصاد",
            source=f"bad{SCRIPT}",
            url="javascript:alert(document.cookie)",
            path=f"evil/{SCRIPT}.html",
            tags=(SCRIPT, ATTRIBUTE),
            flags=(SCRIPT,),
            removed=(RemovedLine(0, SCRIPT, "live.header"),),
            blocks=tuple(
                Block(kind, f"نص {kind} فيه {SCRIPT} و{ATTRIBUTE} | {TEMPLATE} عن الحصاد")
                for kind in BlockKind
            ),
            date_candidates=((SCRIPT, SCRIPT, SCRIPT),),
            published=ArticleDate("2023", Precision.YEAR, SCRIPT[:32], SCRIPT, 0.5),
            **hostile,
        ),
        arrival("نص بلا عنوان ولا تاريخ عن زراعة الزيتون في التلال", "bare.txt", language=None),
        arrival(
            "Volunteers rebuilt the harbour library after the storm, the mayor said.",
            source="daily-en",
            canonical_url="https://daily.example/6",
            title="Library opens again",
            language="en",
        ),
    )
    engine.dispose()


@contextmanager
def serving(database: str, *options: str, folder: Path = ROOT, **environment: str) -> Iterator[str]:
    """The address of a server on the database, without a slash at its end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "crawler.cli", "serve", "--db", database, "--port", "0", *options],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stderr is not None
    try:
        ready, _, _ = select.select([process.stderr], [], [], 180)
        said = process.stderr.readline() if ready else "(nothing in 180 s)"
        found = re.search(r"http://\S+", said)
        assert found, said
        yield found[0].rstrip("/")
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stderr.close()


@contextmanager
def reader(postgres: str) -> Iterator[str]:
    """A PostgreSQL user who may only read tables; dropped afterwards."""
    import psycopg

    name = f"warraq_test_reader_{os.getpid()}_{os.urandom(4).hex()}"
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute(f'CREATE ROLE "{name}" LOGIN IN ROLE pg_read_all_data'.encode())
        try:
            yield name
        finally:
            server.execute(f'DROP ROLE "{name}"'.encode())
