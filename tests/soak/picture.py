"""`python -m tests.soak.picture data/soak docs/soak.svg`: a soak in one picture, from its CSVs."""

import csv
import re
import sys
from pathlib import Path
from typing import Any

from tests.soak.drawing import charts
from tests.soak.sampling import Sample, TurnSeen

_SHOWN = (
    "Memory of the scheduler (PSS)",
    "Open handles of the scheduler",
    "Memory of its crawls (PSS)",
    "Database",
    "How late each turn began",
    "What was done to it",
)
#: Of so many samples one is drawn.
_EVERY = 5


def picture(folder: Path) -> str:
    """The picture as SVG."""
    import altair as alt
    import vl_convert

    samples = [Sample(**_numbers(row)) for row in _rows(folder / "samples.csv")][::_EVERY]
    turns = [
        TurnSeen(float(row["minutes"]), row["source"], float(row["late"]))
        for row in _rows(folder / "turns.csv")
    ]
    events = [
        (float(row["minutes"]), row["what"], row["detail"]) for row in _rows(folder / "events.csv")
    ]
    drawn = [
        chart.properties(title=title, **({} if title == _SHOWN[-1] else {"height": 70}))
        for title, chart in charts(samples, turns, events)
        if title in _SHOWN
    ]
    specification = alt.vconcat(*drawn, spacing=8).to_dict()
    svg: str = vl_convert.vegalite_to_svg(specification)
    return re.sub(r' (aria|role|pointer)[\w-]*="[^"]*"', "", svg)  # a third of it


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _numbers(row: dict[str, str]) -> dict[str, Any]:
    floats = ("minutes", "late")
    return {k: float(v) if k in floats else int(v) for k, v in row.items()}


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(picture(Path(sys.argv[1])), encoding="utf-8")
