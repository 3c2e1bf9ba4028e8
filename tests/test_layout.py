"""The rules of the house that a machine can check."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from pipelines.document import REASONS, Reason
from tests.conftest import ROOT


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def top_levels(folder: str) -> set[str]:
    found = {name.split(".")[0] for f in (ROOT / folder).rglob("*.py") for name in imports(f)}
    assert found, folder
    return found


def test_pipelines_import_no_crawler() -> None:
    assert top_levels("pipelines").isdisjoint({"crawler", "scrapy", "twisted", "typer", "rich"})
    assert top_levels("migrations").isdisjoint({"crawler", "scrapy", "twisted"})


def test_stages_touch_no_database_network_or_clock() -> None:
    # time and zones may be read from data; the clock, sockets and files of users may not
    forbidden = {"sqlalchemy", "alembic", "socket", "urllib.request", "requests", "time"}
    for file in [*(ROOT / "pipelines/stages").glob("*.py"), ROOT / "pipelines/process.py"]:
        assert forbidden.isdisjoint(imports(file)), file
        assert not re.search(r"\b(datetime\.now|utcnow|date\.today)\(", file.read_text()), file


def test_migrations_import_no_models() -> None:
    for file in (ROOT / "migrations/versions").glob("*.py"):
        assert not any(name.startswith("pipelines") for name in imports(file)), file


def test_every_reason_is_explained_in_code_and_readme() -> None:
    assert set(REASONS) == set(Reason)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for reason, (outcome, meaning, advice) in REASONS.items():
        assert outcome in ("rejected", "failed")
        assert meaning and advice
        assert f"`{reason}`" in readme, f"README does not explain {reason}"


def test_lock_holds_hashes_and_no_addresses() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock and "--index" not in lock and "--find-links" not in lock
    pins = re.split(r"\n(?=[a-z0-9])", lock.strip())
    assert len(pins) > 30
    for pin in pins:
        assert re.match(r"[a-z0-9.-]+==\S+", pin) and "--hash=sha256:" in pin, pin
