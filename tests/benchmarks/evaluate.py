"""`make evaluate`: Warraq beside other extractors on pages with the right answers.

`make evaluate GOLD=folder/file.jsonl` takes your own pages: a JSON object a line with `file`
(beside the JSON lines, may end in .gz), `url`, and what `tests/benchmarks/score.py` names.
Without GOLD the golden pages of `tests/pages` are used. Each tool runs in a process of its own; a
page that it fails on, or takes too long for, counts as nothing found.
"""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from crawler.show import print_table, say
from tests.benchmarks.peers import TOOLS
from tests.benchmarks.score import VERDICTS, Score, Scores, is_date, score

ROOT = Path(__file__).parent.parent.parent
OWN_PAGES = ROOT / "tests" / "pages"
Row = Mapping[str, Any]


def _share(verdict: str) -> Callable[[Score], float | None]:
    return lambda page: is_date(page, verdict)


#: Heading -> value of a page; "furniture" is per 100 pages, where less is better.
COLUMNS: dict[str, Callable[[Score], float | None]] = {
    "precision": lambda page: page.precision,
    "recall": lambda page: page.recall,
    "F1": lambda page: page.f1,
    "furniture": lambda page: 100.0 * page.furniture,
    "title": lambda page: None if page.title is None else float(page.title),
    **{f"date {verdict}": _share(verdict) for verdict in VERDICTS},
}
_LESS_IS_BETTER = ("furniture", "date coarse", "date wrong", "date none")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gold", type=Path, help="JSON lines; default: tests/pages")
    parser.add_argument("--peers", type=Path, default=ROOT / ".venv-evaluate/bin/python")
    parser.add_argument("--timeout", type=float, default=30, help="seconds a page")
    parser.add_argument("--out", type=Path, default=ROOT / "data/evaluation.html")
    parser.add_argument("--json", action="store_true", help="the figures as JSON on stdout")
    given = parser.parse_args()
    rows = read_gold(given.gold) if given.gold else own_pages()
    if not rows:
        sys.exit(f"{given.gold or OWN_PAGES}: no page with a right answer")
    with tempfile.TemporaryDirectory() as folder:
        pages = lay_out(rows, given.gold.parent if given.gold else OWN_PAGES, Path(folder))
        results = {"warraq": _judge(rows, pages, _warraq(pages, rows, given.timeout))}
        for tool in TOOLS:
            found = _peer(tool, pages, rows, given.peers, given.timeout)
            if found is not None:
                name, predicted = found
                results[name] = _judge(rows, pages, predicted)
    what = str(given.gold) if given.gold else "the golden pages of tests/pages"
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(page_of(results, what, len(rows)), encoding="utf-8")
    if given.json:
        print(json.dumps({tool: _figures(scores) for tool, scores in results.items()}, indent=1))
    else:
        print_table(
            ("tool", *COLUMNS),
            [(tool, *map(_cell, _figures(s).values())) for tool, s in results.items()],
        )
    say(f"{len(rows)} pages; intervals and plots: {given.out}")


def read_gold(file: Path) -> list[Row]:
    """Rows of the JSON lines. Raises SystemExit that names a line that is none."""
    rows: list[Row] = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row["file"], str) or not (row.get("paragraphs") or row.get("body")):
                raise KeyError("paragraphs")
        except (ValueError, KeyError, TypeError) as error:
            sys.exit(f"{file}:{number}: not a row with file and paragraphs ({error})")
        rows.append(row)
    return rows


def own_pages() -> list[Row]:
    told = [json.loads(f.read_text("utf-8")) for f in sorted(OWN_PAGES.glob("*/expected.json"))]
    return [row for row in told if row["outcome"] == "article"]


def lay_out(rows: Sequence[Row], beside: Path, folder: Path) -> list[Path]:
    """Copies of the pages, unpacked, under names that tell nothing."""
    pages = []
    for number, row in enumerate(rows):
        content = (beside / row["file"]).read_bytes()
        if row["file"].endswith(".gz"):
            content = gzip.decompress(content)
        pages.append(folder / f"{number:05}.html")
        pages[-1].write_bytes(content)
    return pages


def _judge(rows: Sequence[Row], pages: Sequence[Path], found: Mapping[str, Row]) -> Scores:
    return Scores([score(row, found.get(p.name, {})) for row, p in zip(rows, pages, strict=True)])


def _warraq(pages: Sequence[Path], rows: Sequence[Row], timeout: float) -> dict[str, Row]:
    manifest = pages[0].parent / "manifest.jsonl"
    lines = [
        json.dumps({"path": p.name, **({"url": row["url"]} if row.get("url") else {})})
        for p, row in zip(pages, rows, strict=True)
    ]
    manifest.write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "crawler.cli", "extract", str(pages[0].parent)]
    done = subprocess.run(
        [*command, "--timeout", str(timeout)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        timeout=60 + timeout * len(pages),
        check=True,
    )
    return _by_name(done.stdout.decode().splitlines())


def _peer(
    tool: str, pages: Sequence[Path], rows: Sequence[Row], python: Path, timeout: float
) -> tuple[str, dict[str, Row]] | None:
    """Name with version, and what it found; None, with a word about it, if it is not there."""
    todo, out = pages[0].parent / "todo.json", pages[0].parent / f"{tool}.jsonl.out"
    pairs = [[str(p), row.get("url")] for p, row in zip(pages, rows, strict=True)]
    todo.write_text(json.dumps(pairs), encoding="utf-8")
    command = [str(python), str(Path(__file__).with_name("peers.py")), tool, str(todo), str(out)]
    try:
        done = subprocess.run(
            [*command, str(timeout)],
            capture_output=True,
            text=True,
            timeout=60 + timeout * len(pages),
        )
        version, trouble = done.stdout.strip(), done.stderr.strip().splitlines()
    except (OSError, subprocess.TimeoutExpired) as error:
        version, trouble = "", [str(error)]
    if not out.exists():
        say(f"{tool} is left out: {trouble[-1] if trouble else 'it said nothing'}")
        return None
    found = _by_name(out.read_text(encoding="utf-8").splitlines())
    failed = [row["error"] for row in found.values() if "error" in row]
    if failed or len(found) < len(pages):
        first = failed[0] if failed else "stopped"
        say(f"{tool}: nothing from {len(failed) + len(pages) - len(found)} pages ({first})")
    return f"{tool} {version}", found


def _by_name(lines: Sequence[str]) -> dict[str, Row]:
    rows = [json.loads(line) for line in lines if line.endswith("}")]
    return {Path(row["path"]).name: row for row in rows if row.get("path")}


Figure = tuple[float, float, float] | None  # mean, lower and upper bound


def _figures(scores: Scores) -> dict[str, Figure]:
    found: dict[str, Figure] = {}
    for name, value in COLUMNS.items():
        mean, between = scores.mean(value), scores.interval(value)
        found[name] = None if mean is None or between is None else (mean, *between)
    return found


def _cell(figure: Figure) -> str:
    if figure is None:
        return ""
    return f"{figure[0]:.1f}" if figure[0] > 1 else f"{figure[0]:.3f}"


# --- one page of HTML ------------------------------------------------------------------------

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem}
table{border-collapse:collapse}td,th{padding:.25rem .6rem;text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}tr+tr{border-top:1px solid #ddd}
small{color:#666;display:block}section{display:grid;gap:1rem;
grid-template-columns:repeat(auto-fill,minmax(27rem,1fr))}h2{font-size:1rem;margin:.5rem 0}
svg{width:100%;height:auto}text{font:12px system-ui,sans-serif}
"""


def page_of(results: Mapping[str, Scores], what: str, pages: int) -> str:
    """The whole leaderboard as one file without scripts or anything to load."""
    figures = {tool: _figures(scores) for tool, scores in results.items()}
    shown = [name for name in COLUMNS if any(row[name] for row in figures.values())]
    head = "".join(f"<th>{escape(name)}</th>" for name in shown)
    body = "".join(
        f"<tr><td>{escape(tool)}</td>{''.join(_td(row[name]) for name in shown)}</tr>"
        for tool, row in figures.items()
    )
    plots = "".join(_plot(name, {t: row[name] for t, row in figures.items()}) for name in shown)
    return (
        "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>"
        f"<title>Extraction, measured</title><style>{_STYLE}</style></head><body>"
        f"<h1>Extraction, measured</h1><p>{pages} pages: {escape(what)}. Text by ROUGE-L over "
        "words; furniture: strings that should not be there, per 100 pages; small figures and "
        "thin lines: 95 % intervals, from drawing the pages again.</p>"
        f"<table><tr><th>tool</th>{head}</tr>{body}</table><section>{plots}</section></body></html>"
    )


def _td(figure: Figure) -> str:
    if figure is None:
        return "<td></td>"
    mean, low, high = (_cell((v, v, v)) for v in figure)
    return f"<td>{mean}<small>{low} to {high}</small></td>"


def _plot(name: str, figures: Mapping[str, Figure]) -> str:
    """Bars with their intervals as SVG."""
    most = max(1.0, *(figure[2] for figure in figures.values() if figure))
    left, wide, row = 160, 260, 24
    parts = []
    for number, (tool, figure) in enumerate(figures.items()):
        y = number * row + 16
        parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{escape(tool)}</text>')
        if figure is None:
            continue
        mean, low, high = (left + wide * v / most for v in figure)
        colour = "#0a7d5a" if tool == "warraq" else "#8aa0b5"
        parts.append(
            f'<rect x="{left}" y="{y - 8}" width="{mean - left:.1f}" height="16" fill="{colour}"/>'
            f'<path d="M{low:.1f} {y}H{high:.1f}" stroke="#222"/>'
            f'<text x="{left + wide + 8}" y="{y + 4}">{_cell(figure)}</text>'
        )
    note = " (less is better)" if name in _LESS_IS_BETTER else ""
    size = f"0 0 {left + wide + 60} {len(figures) * row + 8}"
    return (
        f'<div><h2>{escape(name)}{note}</h2><svg viewBox="{size}" role="img" '
        f'aria-label="{escape(name)}">{"".join(parts)}</svg></div>'
    )


if __name__ == "__main__":
    main()
