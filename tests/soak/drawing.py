"""What a soak was like, in words and in one page that needs no network."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from html import escape
from statistics import linear_regression, median, quantiles
from typing import Any

from tests.soak.ending import Check
from tests.soak.faults import Newsrooms
from tests.soak.processes import Schedule
from tests.soak.sampling import Sample, Sampler, TurnSeen

_MB = 1 << 20
#: Events that are no faults.
_CAME_OF_IT = ("the end", "scheduler ended", "no sample")


def summary(sampler: Sampler, schedule: Schedule, rooms: Newsrooms, checks: Sequence[Check]) -> str:
    """All figures, a line each."""
    samples, late = sampler.samples, sorted(turn.late for turn in sampler.turns.values())
    last = samples[-1]
    faults = Counter(what.partition(":")[0] for _, what, _ in sampler.events)
    for what in _CAME_OF_IT:
        faults.pop(what, None)
    lines = [
        f"{last.minutes:.1f} minutes, {len(samples)} samples",
        f"turns: {len(late)}, schedulers begun: {schedule.begun}, requests: {last.requests}",
        f"newsrooms: {dict(sorted(rooms.done.items()))}; articles stored: {last.articles}",
        f"faults: {faults.total()}: "
        + ", ".join(f"{count} x {what}" for what, count in sorted(faults.items())),
    ]
    if len(late) > 1:
        cuts = quantiles(late, n=100, method="inclusive")
        lines.append(
            f"turns late, seconds: median {median(late):.1f}, 90 % {cuts[89]:.1f}, "
            f"99 % {cuts[98]:.1f}, most {late[-1]:.1f}"
        )
    lines += [
        f"database: {samples[0].database / _MB:.1f} MB to {last.database / _MB:.1f} MB; archive: "
        f"{last.archive / _MB:.1f} MB in {last.archive_files} files",
        *_slopes(samples),
        *(
            f"{'kept' if each.kept else 'BROKEN'}: {each.promise} ({each.detail})"
            for each in checks
        ),
    ]
    return "\n".join(lines) + "\n"


#: What must be flat: column, its name, what one unit of it is, and how that is called.
_FLAT = (
    ("scheduler_memory", "scheduler memory", _MB, "MB"),
    ("scheduler_handles", "scheduler handles", 1, ""),
    ("scheduler_threads", "scheduler threads", 1, ""),
)


def _slopes(samples: Sequence[Sample]) -> list[str]:
    """The second half of the scheduler's life, in which it is one process: a line through it."""
    half = [s for s in samples if s.minutes > samples[-1].minutes / 2 and s.scheduler_memory]
    half = [s for s in half if s.scheduler == half[-1].scheduler]
    if len(half) < 3:
        return ["too few samples for slopes"]
    lines = []
    for column, name, unit, called in _FLAT:
        values = [getattr(s, column) / unit for s in half]
        slope, _ = linear_regression([s.minutes / 60 for s in half], values)
        lines.append(
            f"{name}, second half: {values[0]:.1f} to {values[-1]:.1f} {called}, least "
            f"{min(values):.1f}, most {max(values):.1f}, slope {slope:+.3f} {called} an hour "
            f"({len(half)} samples)"
        )
    return lines


def charts(
    samples: Sequence[Sample], seen: Iterable[TurnSeen], events: Iterable[tuple[float, str, str]]
) -> list[tuple[str, Any]]:
    """Altair charts with their titles."""
    import altair as alt

    alt.data_transformers.disable_max_rows()
    rows = [asdict(sample) for sample in samples]
    for row in rows:
        for name in ("scheduler_memory", "children_memory", "database", "journal", "archive"):
            row[name] = round(row[name] / _MB, 2)
    x = alt.X("minutes:Q", title="minutes")
    wide: dict[str, Any] = {"width": 640, "height": 140}

    def data(values: list[dict[str, Any]]) -> Any:
        return alt.Data(values=values)  # type: ignore[no-untyped-call]

    def line(column: str, title: str) -> Any:
        shown = [{"minutes": r["minutes"], column: r[column]} for r in rows]
        if column.startswith("scheduler"):
            shown = [r for r in shown if r[column]]
        return (
            alt.Chart(data(shown))
            .mark_line(strokeWidth=1)
            .encode(x=x, y=alt.Y(f"{column}:Q", title=title))
            .properties(**wide)
        )

    turns = [asdict(turn) for turn in seen]
    late = (
        alt.Chart(data(turns))
        .mark_point(size=12)
        .encode(
            x=x,
            y=alt.Y("late:Q", title="seconds"),
            color=alt.Color("source:N", title="source"),
        )
        .properties(**wide)
    )
    told = [
        {"minutes": at, "what": what.partition(":")[0], "detail": detail}
        for at, what, detail in events
        if what not in _CAME_OF_IT
    ]
    faults = (
        alt.Chart(data(told))
        .mark_tick(thickness=2)
        .encode(x=x, y=alt.Y("what:N", title=None), tooltip=["what:N", "detail:N", "minutes:Q"])
        .properties(width=640)
    )
    return [
        ("Memory of the scheduler (PSS)", line("scheduler_memory", "MB")),
        ("Open handles of the scheduler", line("scheduler_handles", "handles")),
        ("Threads of the scheduler", line("scheduler_threads", "threads")),
        ("Memory of its crawls (PSS)", line("children_memory", "MB")),
        ("Open handles of its crawls", line("children_handles", "handles")),
        ("Database", line("database", "MB")),
        ("Journal of the database (SQLite)", line("journal", "MB")),
        ("Archive", line("archive", "MB")),
        ("Articles", line("articles", "articles")),
        ("Requests", line("requests", "requests")),
        ("How late each turn began", late),
        ("What was done to it", faults),
    ]


def draw(sampler: Sampler, told: str) -> str:
    """The page."""
    import vl_convert
    from altair import SCHEMA_VERSION

    drawn = charts(sampler.samples, sampler.turns.values(), sampler.events)
    version = ".".join(SCHEMA_VERSION.lstrip("v").split(".")[:2])
    library = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=version)
    library = re.sub(r"<(/script|!--)", r"<\\\1", library, flags=re.IGNORECASE)
    values = json.dumps([chart.to_dict() for _, chart in drawn]).replace("<", "\\u003c")
    figures = "".join(
        f"<h2>{escape(title)}</h2><figure id='f{n}'></figure>" for n, (title, _) in enumerate(drawn)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>Soak</title>\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'; img-src data: "
        'blob:">\n<style>body{font:1rem sans-serif;max-width:60rem;margin:1rem auto}'
        "pre{white-space:pre-wrap}h2{font-size:1rem}</style></head>\n"
        f"<body><h1>Soak</h1><pre>{escape(told)}</pre>{figures}\n"
        f"<script>{library}</script>\n<script>\n{values}.forEach((chart, n) => vegaEmbed("
        "document.getElementById('f' + n), chart, {renderer: 'svg', actions: false}));\n"
        "</script></body></html>\n"
    )
