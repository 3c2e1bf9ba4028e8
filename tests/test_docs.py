"""README and --help are run, not believed: a command shown with its output prints just that."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from pipelines.document import REASONS
from tests import fault_table
from tests.conftest import ROOT, run_warraq
from tests.document_tables import FILE, document
from tests.serving import serving

README = (ROOT / "README.md").read_text(encoding="utf-8")
SESSION = re.compile(
    r"^    \$ (warraq .+(?:\n    > .+)*)\n((?:    (?!\$ ).*\n|\n(?=    (?!\$)))*)", re.M
)
QUERIES = re.compile(r"^    -- .+\n((?:    (?!--).+\n)+)", re.M)
COMMANDS = [
    [],
    ["replay"],
    ["cluster"],
    ["extract"],
    ["health"],
    ["schedule"],
    ["worker"],
    ["learn"],
    ["reprocess"],
    ["search"],
    ["sql"],
    ["why"],
    ["diff"],
    ["serve"],
    ["report"],
    ["export"],
    ["db", "upgrade"],
    ["db", "current"],
    ["db", "check"],
    ["db", "dedup"],
    ["db", "reindex"],
    ["sources", "list"],
    ["sources", "check"],
    ["sources", "new"],
]


@pytest.fixture(scope="module")
def samples_db(tmp_path_factory: pytest.TempPathFactory) -> str:
    database = f"sqlite:///{tmp_path_factory.mktemp('docs')}/samples.db"
    assert run_warraq(["replay", "seeds/documents", "--db", database]).returncode == 0
    return database


def sessions() -> list[tuple[str, str]]:
    found = [(m[1].replace("\n    > ", " "), m[2]) for m in SESSION.finditer(README)]
    assert len(found) >= 2
    return found


@pytest.mark.parametrize(("command", "shown"), sessions())
def test_readme_shows_what_is_printed(command: str, shown: str, samples_db: str) -> None:
    done = run_warraq(shlex.split(command)[1:], WARRAQ_DB=samples_db)
    assert done.returncode == 0, done.stderr.decode()
    printed = [line.rstrip() for line in done.stdout.decode().splitlines()]
    assert [line[4:].rstrip() for line in shown.rstrip("\n").splitlines()] == printed


DOCS = sorted((ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize("file", DOCS, ids=lambda file: str(file.relative_to(ROOT)))
def test_sessions_of_the_docs_run_in_their_order(
    file: Path, tmp_path: Path, samples_db: str
) -> None:
    """In a folder of their own that has the samples, from the first to the last. The tutorial
    makes its database; other pages find one."""
    if file.name != "tutorial.md":
        (tmp_path / "data").mkdir()
        shutil.copy(samples_db.removeprefix("sqlite:///"), tmp_path / "data" / "warraq.db")
    (tmp_path / "seeds").symlink_to(ROOT / "seeds")
    (tmp_path / "corpus").mkdir()
    for match in SESSION.finditer(file.read_text(encoding="utf-8")):
        words = shlex.split(match[1].replace("\n    > ", " "))[1:]
        if words[0] == "serve":
            with serving("sqlite:///data/warraq.db", *words[1:], folder=tmp_path) as address:
                assert httpx.get(f"{address}/health").json() == {"status": "ok"}
            continue
        done = subprocess.run(
            [sys.executable, "-m", "crawler.cli", *words],
            cwd=tmp_path,
            capture_output=True,
            timeout=300,
            env={**os.environ, "WARRAQ_DB": "sqlite:///data/warraq.db"},
        )
        assert done.returncode == 0, f"{match[1]}: {done.stderr.decode()}"
        shown = [line[4:].rstrip() for line in match[2].rstrip("\n").splitlines()]
        if shown:
            assert shown == [line.rstrip() for line in done.stdout.decode().splitlines()]


def test_readme_queries_run_on_both_databases(database: str) -> None:
    assert run_warraq(["replay", "seeds/documents", "--db", database]).returncode == 0
    queries = [m[1] for m in QUERIES.finditer(README)]
    assert len(queries) >= 5
    for query in queries:
        done = run_warraq(["sql", query, "--db", database, "--json"])
        assert done.returncode == 0, f"{query}: {done.stderr.decode()}"
        assert done.stdout.startswith(b"[")


def test_readme_explains_every_reason_as_the_code_does() -> None:
    for reason, (outcome, meaning, advice) in REASONS.items():
        assert f"| `{reason}` | {outcome} | {meaning} | {advice} |" in README


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example_that_is_a_command(command: list[str]) -> None:
    done = run_warraq([*command, "--help"], COLUMNS="200")
    assert done.returncode == 0
    if command:
        said = done.stdout.decode()
        assert re.search(rf"Example: warraq {' '.join(command)}\b", said), said


def test_tables_are_documented_as_they_are() -> None:
    assert FILE.read_text(encoding="utf-8") == document(), "run python -m tests.document_tables"


def test_makefile_targets_that_the_docs_name_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for file in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\bmake (\w+)", (ROOT / file).read_text(encoding="utf-8")):
            assert re.search(rf"^{target}:", makefile, re.M), f"{file}: make {target}"


def test_files_that_the_docs_link_exist() -> None:
    for file in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS):
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", file.read_text("utf-8")):
            assert (file.parent / target).exists(), f"{file} links {target}"


def test_every_page_of_the_docs_is_listed() -> None:
    listed = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for file in DOCS:
        name = file.relative_to(ROOT / "docs").as_posix()
        assert name == "README.md" or f"]({name})" in listed, name


def test_installed_command_is_the_module() -> None:
    script = Path(sys.executable).parent / "warraq"
    done = subprocess.run([script, "--version"], capture_output=True, text=True, env=os.environ)
    assert re.fullmatch(r"warraq \d+\.\d+\.\d+\n", done.stdout)


def named_tests(text: str) -> list[tuple[str, str]]:
    return re.findall(r"`tests/(\w+\.py)::(\w+)`", text)


@pytest.mark.parametrize("file", ["SECURITY.md", "docs/promises.md", "docs/faults.md"])
def test_every_promise_names_a_test_that_is_there(file: str) -> None:
    named = named_tests((ROOT / file).read_text("utf-8"))
    assert len(named) > 20
    for module, test in named:
        assert f"def {test}(" in (ROOT / "tests" / module).read_text("utf-8"), f"{module}::{test}"


def test_promises_of_the_readme_are_its_words() -> None:
    said = " ".join(README.split())
    rows = re.findall(r"^\| (.+) \| (`tests/.+) \|$", (ROOT / "docs/promises.md").read_text(), re.M)
    assert len(rows) > 25
    for promise, tests in rows:
        assert promise in said, promise
        assert named_tests(tests), promise


def test_every_part_is_broken_in_every_way_or_it_is_told_why_not() -> None:
    known = fault_table.matrix()
    assert len(known) == 6
    for component, faults in known.items():
        assert set(faults) == set(fault_table.FAULTS), component
        for cell in faults.values():
            assert cell.get("why") or (cell["promise"] and cell["tests"]), (component, cell)
    cells = {f"{component}: {fault}" for component, faults in known.items() for fault in faults}
    assert {row["cell"] for row in fault_table.figures()} <= cells
    table = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    assert table == fault_table.table(), "run python -m tests.fault_table"
