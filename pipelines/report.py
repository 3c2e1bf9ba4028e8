"""One HTML page with plots of what a database holds. It needs no network: the code that draws
is in it.

The database counts; what comes here are its sums, some thousand rows at most.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from html import escape
from typing import Any

from sqlalchemy import Connection, Integer, String, case, cast, extract, func, select, text

from pipelines.arabic import has_arabic
from pipelines.db import browse
from pipelines.db.models import ArticleRow, LedgerRow, RemovedLineRow, SourceRow, Story, table
from pipelines.errors import UsageError

_ARTICLES = table(ArticleRow)
_LEDGER = table(LedgerRow)
_REMOVED = table(RemovedLineRow)
_SOURCES = table(SourceRow)
_STORIES = table(Story)

Rows = list[dict[str, Any]]

#: Sources with a colour of their own; the others are one.
_NAMED = 9
_STORIES_SHOWN = 15
_ARTICLES_OF_A_STORY = 100
_BARS = 20


@dataclass(frozen=True, slots=True)
class Figures:
    """What is drawn. Each list has the rows of one plot."""

    totals: dict[str, int]
    first: date | None
    last: date | None
    volume: Rows  # source, day, articles
    hours: Rows  # weekday (0: Sunday), hour on the outlet's clock, articles
    rejections: Rows  # reason, pages
    furniture: Rows  # rule, lines
    dates: Rows  # method, precision, articles
    agencies: Rows  # agency, articles
    stories: Rows  # story, title, source, hours (after its first article)
    spread: Rows  # story, title, articles, sources, hours
    sources: Rows  # see browse.sources
    health: Rows  # see browse.health


def figures(connection: Connection, days: int) -> Figures:
    """The sums of the whole database; volume and hours of the `days` up to the newest article."""
    last = connection.execute(
        # a date to come is a mistake: it must not empty the picture
        select(func.max(_ARTICLES.c.published_on)).where(
            _ARTICLES.c.published_at <= datetime.now().astimezone() + timedelta(days=1)
        )
    ).scalar()
    first = None if last is None else last - timedelta(days=days - 1)
    recent = [] if last is None else [_ARTICLES.c.published_on.between(first, last)]
    stories, spread = _stories(connection)
    return Figures(
        totals=browse.totals(connection),
        first=first,
        last=last,
        volume=_volume(connection, recent) if recent else [],
        hours=_hours(connection, recent) if recent else [],
        rejections=_counted(connection, _LEDGER.c.reason, "reason", "pages", unknown=False),
        furniture=_counted(connection, _REMOVED.c.rule, "rule", "lines"),
        dates=_dates(connection),
        agencies=_agencies(connection),
        stories=stories,
        spread=spread,
        sources=browse.sources(connection, 200),
        health=browse.health(connection, 200),
    )


def _counted(
    connection: Connection, column: Any, name: str, number: str, *, unknown: bool = True
) -> Rows:
    counted = func.count().label(number)
    query = select(column.label(name), counted).group_by(column).order_by(counted.desc(), column)
    if not unknown:
        query = query.where(column.is_not(None))
    return [dict(row) for row in connection.execute(query.limit(_BARS)).mappings()]


def _volume(connection: Connection, recent: list[Any]) -> Rows:
    counted = func.count().label("articles")
    named = connection.execute(
        select(_ARTICLES.c.source_id, counted)
        .where(*recent)
        .group_by(_ARTICLES.c.source_id)
        .order_by(counted.desc(), _ARTICLES.c.source_id)
        .limit(_NAMED)
    ).all()
    ranks = {row.source_id: rank for rank, row in enumerate(named)}
    # The others are added up by the database: there may be thousands of them.
    which = case((_ARTICLES.c.source_id.in_(ranks), _ARTICLES.c.source_id), else_=cast(0, Integer))
    by_day = (
        select(which.label("number"), _ARTICLES.c.published_on.label("day"), counted)
        .where(*recent)
        .group_by(which, _ARTICLES.c.published_on)
        .subquery()
    )
    query = select(
        by_day.c.number, by_day.c.day, by_day.c.articles, _SOURCES.c.key, _SOURCES.c.title
    ).outerjoin(_SOURCES, _SOURCES.c.id == by_day.c.number)
    return [
        {
            "source": row.title or row.key,
            "rank": ranks.get(row.number, _NAMED),
            "day": row.day.isoformat(),
            "articles": row.articles,
        }
        for row in connection.execute(query)
    ]


def _hours(connection: Connection, recent: list[Any]) -> Rows:
    hour = func.substr(_ARTICLES.c.published_iso, 12, 2)
    weekday = extract("dow", _ARTICLES.c.published_on)
    query = (
        select(
            cast(weekday, Integer).label("weekday"),
            cast(hour, String).label("hour"),
            func.count().label("articles"),
        )
        .where(*recent, _ARTICLES.c.published_precision.in_(("hour", "minute", "second")))
        .group_by(weekday, hour)
    )
    return [
        {"weekday": row.weekday, "hour": int(row.hour), "articles": row.articles}
        for row in connection.execute(query)
        if row.hour.isdecimal()
    ]


def _dates(connection: Connection) -> Rows:
    columns = (
        _ARTICLES.c.published_method.label("method"),
        _ARTICLES.c.published_precision.label("precision"),
    )
    query = select(*columns, func.count().label("articles")).group_by(*columns)
    return [dict(row) for row in connection.execute(query).mappings()]


def _agencies(connection: Connection) -> Rows:
    query = select(_ARTICLES.c.agency, func.count().label("articles")).group_by(_ARTICLES.c.agency)
    counts: Counter[str | None] = Counter()
    for row in connection.execute(query):
        for agency in row.agency.split(",") if row.agency else [None]:
            counts[agency] += row.articles
    return [{"agency": name, "articles": n} for name, n in counts.most_common(_BARS)]


def _stories(connection: Connection) -> tuple[Rows, Rows]:
    """The largest stories' articles with their delays, and how each story spread."""
    largest = (
        select(_STORIES.c.id, _STORIES.c.articles, _ARTICLES.c.title)
        .join(_ARTICLES, _ARTICLES.c.id == _STORIES.c.representative_id)
        .where(_STORIES.c.merged_into.is_(None), _STORIES.c.articles > 1)
        .order_by(_STORIES.c.articles.desc(), _STORIES.c.id)
        .limit(_STORIES_SHOWN)
    )
    points: Rows = []
    spread: Rows = []
    for story in connection.execute(largest):
        told = connection.execute(
            text(
                "SELECT source, delay_minutes FROM syndication WHERE story_id = :story "
                "ORDER BY delay_minutes LIMIT :most"
            ),
            {"story": story.id, "most": _ARTICLES_OF_A_STORY},
        ).all()
        title = f"{story.title or story.id}"
        hours = [row.delay_minutes / 60 for row in told if row.delay_minutes is not None]
        points += [
            {
                "story": story.id,
                "title": title,
                "source": row.source,
                "hours": row.delay_minutes / 60,
            }
            for row in told
            if row.delay_minutes is not None
        ]
        spread.append(
            {
                "story": story.id,
                "title": title,
                "articles": story.articles,
                "sources": len({row.source for row in told}),
                "hours": max(hours, default=None),
            }
        )
    return points, spread


# --- drawing ---------------------------------------------------------------------------------

_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "title": "What Warraq holds",
        "articles": "articles",
        "stories": "stories",
        "sources": "sources",
        "from": "from",
        "volume": "Articles a day, by source",
        "hours": "Hours of publication, on the outlets' own clocks",
        "rejections": "Pages refused, by reason",
        "furniture": "Lines taken out, by rule",
        "dates": "Where dates were found, and how precise they are",
        "agencies": "Whose text it is",
        "spread": "The largest stories: hours after the first article",
        "health": "Sources",
        "nothing": "Nothing to draw yet.",
        "others": "all others",
        "none": "none stated",
        "day": "day",
        "hour": "hour",
        "weekday": "day of the week",
        "source": "source",
        "reason": "reason",
        "pages": "pages",
        "rule": "rule",
        "lines": "lines",
        "method": "found in",
        "precision": "precision",
        "agency": "agency",
        "story": "story",
        "after": "hours after the first",
        "last": "last article",
        "dated": "dated",
        "verdict": "verdict",
        "detail": "detail",
        "figures": "The figures",
        "days": "Sunday Monday Tuesday Wednesday Thursday Friday Saturday",
    },
    "ar": {
        "title": "ما عند ورّاق",
        "articles": "المقالات",
        "stories": "القصص",
        "sources": "المصادر",
        "from": "من",
        "volume": "المقالات كل يوم حسب المصدر",
        "hours": "ساعات النشر بتوقيت كل مصدر",
        "rejections": "الصفحات المرفوضة حسب السبب",
        "furniture": "الأسطر التي أزيلت حسب القاعدة",
        "dates": "أين وُجدت التواريخ وما دقتها",
        "agencies": "لمن النصوص؟",
        "spread": "أكبر القصص: كم ساعة بعد أول مقال",
        "health": "المصادر",
        "nothing": "لا شيء يُرسم بعد.",
        "others": "سائر المصادر",
        "none": "غير مذكور",
        "day": "اليوم",
        "hour": "الساعة",
        "weekday": "يوم الأسبوع",
        "source": "المصدر",
        "reason": "السبب",
        "pages": "الصفحات",
        "rule": "القاعدة",
        "lines": "الأسطر",
        "method": "وُجد في",
        "precision": "الدقة",
        "agency": "الوكالة",
        "story": "القصة",
        "after": "ساعات بعد الأول",
        "last": "آخر مقال",
        "dated": "مؤرّخة",
        "verdict": "الحكم",
        "detail": "التفصيل",
        "figures": "الأرقام",
        "days": "الأحد الاثنين الثلاثاء الأربعاء الخميس الجمعة السبت",
    },
}
_PRECISIONS = ("second", "minute", "hour", "day", "month", "year")


def page(found: Figures, language: str, database: str, made: datetime) -> str:
    """The report as one HTML page, in "en" or "ar".

    Raises UsageError where Altair or its renderer is missing.
    """
    try:
        import vl_convert
        from altair import SCHEMA_VERSION
    except ModuleNotFoundError as error:
        raise UsageError(
            f"a report needs the extra: pip install 'warraq[report]' ({error})"
        ) from error
    t = _WORDS[language]
    charts = _charts(found, t)
    parts = []
    for name, columns, rows in _tables(found, t):
        drawn = f'<figure id="{name}" role="img" aria-label="{escape(t[name])}"></figure>'
        parts.append(
            f"<section><h2>{escape(t[name])}</h2>"
            + (drawn if name in charts else "")
            + (_table(columns, rows, t) if rows else f"<p>{escape(t['nothing'])}</p>")
            + "</section>"
        )
    totals = " · ".join(
        f"{escape(t[name])}: <b>{found.totals[name]:,}</b>"
        for name in ("articles", "stories", "sources")
    )
    library = vl_convert.javascript_bundle(
        "window.vegaEmbed = vegaEmbed;",
        vl_version=".".join(SCHEMA_VERSION.lstrip("v").split(".")[:2]),
    )
    library = _ENDING.sub(r"<\\\1", library)
    values = json.dumps(charts, ensure_ascii=False).replace("<", "\\u003c")
    direction = "rtl" if language == "ar" else "ltr"
    return (
        f'<!DOCTYPE html>\n<html lang="{language}" dir="{direction}">\n<head>\n'
        '<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{escape(t['title'])}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(t['title'])}</h1>\n<p>{totals}</p>\n"
        f'<p class="soft"><bdi dir="ltr">{escape(database)}</bdi> · '
        f'<bdi dir="ltr">{made:%Y-%m-%d %H:%M} UTC</bdi></p>\n'
        + "\n".join(parts)
        + f"\n<script>{library}</script>\n<script>\n"
        f"const charts = {values};\n{_DRAW}</script>\n"
        "</body>\n</html>\n"
    )


#: Nothing from elsewhere. Vega compiles its expressions, which is "eval" to a browser.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' 'unsafe-eval'; img-src data: blob:"
)
_STYLE = """
:root { color-scheme: light; }
body { font: 100%/1.7 "Noto Sans Arabic", "Segoe UI", Tahoma, "Noto Sans", sans-serif;
  max-width: 64rem; margin: 0 auto; padding: 1rem; color: #1d1b18; background: #fff; }
h1, h2 { line-height: 1.5; } h2 { margin-block-start: 2.5rem; font-size: 1.2rem; }
figure { margin: 0; overflow-x: auto; direction: ltr; }
.soft, summary { color: #5f5a52; font-size: .9rem; }
summary { cursor: pointer; }
table { border-collapse: collapse; font-size: .85rem; margin-block: .5rem; }
th, td { text-align: start; padding: .2rem .8rem; border-block-end: 1px solid #ddd8ce; }
td.n { font-variant-numeric: tabular-nums; }
section { break-inside: avoid; }
"""
_DRAW = """
for (const [name, chart] of Object.entries(charts)) {
  const place = document.getElementById(name);
  vegaEmbed(place, chart, {renderer: "svg", actions: false}).catch((error) => {
    place.textContent = String(error);
  });
}
"""


#: In strings and patterns of code, what would end its element or open a comment.
_ENDING = re.compile(r"<(/script|!--)", re.IGNORECASE)


def _charts(found: Figures, t: dict[str, str]) -> dict[str, Any]:
    """Vega-Lite specifications by the name of their section; none where there is nothing."""
    import altair as alt

    alt.data_transformers.disable_max_rows()  # the database has added up already
    wide: dict[str, Any] = {"width": 640}
    whole = alt.Axis(tickMinStep=1, format=",d")

    def data(rows: Rows) -> Any:
        return alt.Data(values=rows)  # type: ignore[no-untyped-call]

    drawn: dict[str, Any] = {}

    def bars(name: str, rows: Rows, label: str, number: str) -> None:
        if not rows:
            return
        told = [{**row, label: row[label] or t["none"]} for row in rows]
        drawn[name] = (
            alt.Chart(data(told))
            .mark_bar()
            .encode(
                x=alt.X(f"{number}:Q", title=t[number], axis=whole),
                y=alt.Y(f"{label}:N", title=None, sort=[row[label] for row in told]),
                tooltip=[alt.Tooltip(f"{label}:N"), alt.Tooltip(f"{number}:Q")],
            )
            .properties(width=480)
        )

    if found.volume:
        told = [{**row, "source": row["source"] or t["others"]} for row in found.volume]
        order = {row["source"]: row["rank"] for row in told}
        names = sorted(order, key=lambda name: order[name])
        drawn["volume"] = (
            alt.Chart(data(told))
            .mark_bar()
            .encode(
                x=alt.X("yearmonthdate(day):T", title=None),
                y=alt.Y("sum(articles):Q", title=t["articles"], axis=whole),
                color=alt.Color(
                    "source:N", title=t["source"], sort=names, scale=alt.Scale(scheme="tableau10")
                ),
                order=alt.Order("rank:Q"),
                tooltip=["source:N", "day:T", "articles:Q"],
            )
            .properties(height=260, **wide)
        )
    if found.hours:
        days = t["days"].split()
        told = [{**row, "weekday": days[row["weekday"]]} for row in found.hours]
        drawn["hours"] = (
            alt.Chart(data(told))
            .mark_rect()
            .encode(
                x=alt.X("hour:O", title=t["hour"], scale=alt.Scale(domain=list(range(24)))),
                y=alt.Y("weekday:N", title=None, scale=alt.Scale(domain=days)),
                color=alt.Color(
                    "articles:Q",
                    title=t["articles"],
                    scale=alt.Scale(scheme="teals", domainMin=0),
                    legend=alt.Legend(tickMinStep=1, format=",d"),
                ),
                tooltip=["weekday:N", "hour:O", "articles:Q"],
            )
            .properties(**wide)
        )
    bars("rejections", found.rejections, "reason", "pages")
    bars("furniture", found.furniture, "rule", "lines")
    bars("agencies", found.agencies, "agency", "articles")
    if found.dates:
        told = [
            {
                "method": row["method"] or t["none"],
                "precision": row["precision"] or t["none"],
                "rank": _PRECISIONS.index(row["precision"]) if row["precision"] else 9,
                "articles": row["articles"],
            }
            for row in found.dates
        ]
        drawn["dates"] = (
            alt.Chart(data(told))
            .mark_bar()
            .encode(
                x=alt.X("sum(articles):Q", title=t["articles"], axis=whole),
                y=alt.Y("method:N", title=None, sort="-x"),
                color=alt.Color(
                    "precision:N",
                    title=t["precision"],
                    sort=[*_PRECISIONS, t["none"]],
                    scale=alt.Scale(scheme="tableau10"),
                ),
                order=alt.Order("rank:Q"),
                tooltip=["method:N", "precision:N", "articles:Q"],
            )
            .properties(width=480)
        )
    if found.stories:
        told = [{**r, "title": f"{r['title'][:60]} ({r['story']})"} for r in found.stories]
        order = {row["title"]: None for row in told}
        drawn["spread"] = (
            alt.Chart(data(told))
            .mark_point(filled=True, size=70, opacity=0.7)
            .encode(
                x=alt.X("hours:Q", title=t["after"], scale=alt.Scale(type="symlog")),
                y=alt.Y(
                    "title:N",
                    title=None,
                    sort=list(order),
                    axis=alt.Axis(labelLimit=360, grid=True),
                ),
                color=alt.Color("source:N", title=t["source"], scale=alt.Scale(scheme="tableau10")),
                tooltip=["title:N", "source:N", alt.Tooltip("hours:Q", format=".1f")],
            )
            .properties(width=420)
        )
    font = "Noto Sans Arabic, Noto Sans, Segoe UI, Tahoma, DejaVu Sans, sans-serif"
    return {
        name: chart.configure(font=font, mark=alt.MarkConfig(color="#0b6a5c")).to_dict()
        for name, chart in drawn.items()
    }


def _tables(
    found: Figures, t: dict[str, str]
) -> list[tuple[str, Sequence[str], Sequence[Sequence[Any]]]]:
    """Section, columns and rows of the figures behind each plot."""

    def rows(told: Rows, *names: str) -> list[Sequence[Any]]:
        return [[row[name] for name in names] for row in told]

    volume: Counter[str] = Counter()
    for row in found.volume:
        volume[row["source"] or t["others"]] += row["articles"]
    hours: Counter[int] = Counter()
    for row in found.hours:
        hours[row["hour"]] += row["articles"]
    spread = [
        [row["title"], row["articles"], row["sources"], row["hours"] and f"{row['hours']:.1f}"]
        for row in found.spread
    ]
    verdicts = {row["source"]: row for row in found.health}
    health = []
    for row in found.sources:
        checked = verdicts.get(row["key"], {})
        dated = f"{row['dated'] / row['articles']:.0%}" if row["articles"] else None
        last = f"{row['last']:%Y-%m-%d}" if row["last"] else None
        told = (checked.get("verdict"), checked.get("detail"))
        health.append([row["title"] or row["key"], row["articles"], dated, last, *told])
    return [
        ("volume", ("source", "articles"), list(volume.most_common())),
        ("hours", ("hour", "articles"), sorted(hours.items())),
        ("rejections", ("reason", "pages"), rows(found.rejections, "reason", "pages")),
        ("furniture", ("rule", "lines"), rows(found.furniture, "rule", "lines")),
        (
            "dates",
            ("method", "precision", "articles"),
            rows(found.dates, "method", "precision", "articles"),
        ),
        ("agencies", ("agency", "articles"), rows(found.agencies, "agency", "articles")),
        ("spread", ("story", "articles", "sources", "after"), spread),
        ("health", ("source", "articles", "dated", "last", "verdict", "detail"), health),
    ]


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]], t: dict[str, str]) -> str:
    head = "".join(f"<th>{escape(t[column])}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    opened = " open" if "verdict" in columns else ""
    return (
        f"<details{opened}><summary>{escape(t['figures'])}</summary>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></details>"
    )


def _cell(value: Any) -> str:
    if value is None or value == "":
        return '<td class="soft">—</td>'
    if isinstance(value, int):
        return f'<td class="n">{value:,}</td>'
    said = str(value)
    direction = "rtl" if has_arabic(said) else "ltr"
    return f'<td><bdi dir="{direction}">{escape(said)}</bdi></td>'
