"""README and --help are run, not believed: a command shown with its output prints just that."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.document import REASONS
from tests.conftest import ROOT, run_warraq
from tests.document_tables import FILE, document

README = (ROOT / "README.md").read_text(encoding="utf-8")
SESSION = re.compile(r"^    \$ (warraq .+(?:\n    > .+)*)\n((?:    .*\n|\n(?=    (?!\$)))*)", re.M)
QUERIES = re.compile(r"^    -- .+\n((?:    (?!--).+\n)+)", re.M)
COMMANDS = [
    [],
    ["replay"],
    ["extract"],
    ["learn"],
    ["reprocess"],
    ["sql"],
    ["why"],
    ["diff"],
    ["db", "upgrade"],
    ["db", "current"],
    ["db", "check"],
    ["db", "dedup"],
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
    for file in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / file).read_text("utf-8")):
            assert (ROOT / target).exists(), f"{file} links {target}"


def test_installed_command_is_the_module() -> None:
    script = Path(sys.executable).parent / "warraq"
    done = subprocess.run([script, "--version"], capture_output=True, text=True, env=os.environ)
    assert re.fullmatch(r"warraq \d+\.\d+\.\d+\n", done.stdout)
