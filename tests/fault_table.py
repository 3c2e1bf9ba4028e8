"""`python -m tests.fault_table`: docs/faults.md from tests/faults.toml, the matrix, and
tests/fault_figures.json, what was seen. `make faults` sees it anew."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

MATRIX = ROOT / "tests" / "faults.toml"
FIGURES = ROOT / "tests" / "fault_figures.json"
FILE = ROOT / "docs" / "faults.md"

FAULTS = (
    *("killed", "out of memory", "disk full", "slow", "clock jumping", "database restarted"),
    *("connection cut mid-commit", "two writers", "read-only file system", "WARC half-written"),
)

HEAD = """# What breaks, and what then

Each part of Warraq is broken in each way that makes sense, by a test with real processes, a real
PostgreSQL server that it starts and kills, real file systems and real connections. A test runs,
breaks, runs again, and compares with a run that nothing disturbed. In every cell the documents that
went in are the sum of what became of them; the test fails otherwise.

What happened was seen by the tests that `make faults` runs, which writes this page; kills and cuts
fall at random, so that its figures differ from run to run, and each row tells its own. Cells
without figures are held by tests that do not count documents. `make test` makes 20 kills of each
kind (a replay, a crawl, a scheduler), half of them on each database; `make nightly` 200
(`WARRAQ_KILLS=200`). [What the README promises, and the test that holds it](promises.md) is a page
of its own.
"""


def matrix() -> dict[str, dict[str, dict[str, Any]]]:
    """Component -> fault -> `promise` and `tests`, or `why` there is none."""
    return tomllib.loads(MATRIX.read_text(encoding="utf-8"))


def figures() -> list[dict[str, Any]]:
    """What was seen, a row a time that a cell was tried."""
    found: list[dict[str, Any]] = json.loads(FIGURES.read_text(encoding="utf-8"))
    return found


def table() -> str:
    seen: dict[str, list[dict[str, Any]]] = {}
    for row in figures():
        seen.setdefault(row["cell"], []).append(row)
    parts = [HEAD]
    for component, faults in matrix().items():
        parts.append(f"\n## {component.capitalize()}\n\n")
        parts.append("| fault | promise | what happened | documents | test |\n")
        parts.append("| --- | --- | --- | --- | --- |\n")
        for fault in FAULTS:
            cell = faults[fault]
            if "why" in cell:
                parts.append(f"| {fault} | none: {cell['why']} | | | |\n")
                continue
            rows = seen.get(f"{component}: {fault}", [])
            happened = "<br>".join(row["happened"] for row in rows)
            sums = "<br>".join(dict.fromkeys(map(_sum, rows)))
            tests = "<br>".join(f"`tests/{name}`" for name in cell["tests"])
            parts.append(f"| {fault} | {cell['promise']} | {happened} | {sums} | {tests} |\n")
    return "".join(parts)


def _sum(row: dict[str, Any]) -> str:
    parts = " + ".join(f"{count} {name}" for name, count in sorted(row["outcomes"].items()))
    return f"{row['documents']} = {parts}"


def main() -> None:
    if len(sys.argv) > 1:  # JSON lines, as the tests wrote them
        lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
        order = [f"{component}: {fault}" for component in matrix() for fault in FAULTS]
        rows = sorted(map(json.loads, lines), key=lambda r: (order.index(r["cell"]), r["happened"]))
        said = json.dumps(rows, ensure_ascii=False, indent=1)
        FIGURES.write_text(said + "\n", encoding="utf-8")
    FILE.write_text(table(), encoding="utf-8")


if __name__ == "__main__":
    main()
