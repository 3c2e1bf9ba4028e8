"""Passwords of databases: in no message, whatever goes wrong, and in no row."""

from pathlib import Path

import pytest
from sqlalchemy import MetaData, make_url, select

from pipelines.db.engine import open_engine, read, without_passwords
from tests.conftest import SAMPLES, run_warraq

PASSWORD = "Ghazal:77/q"  # noqa: S105  of nobody
QUOTED = "Ghazal%3A77%2Fq"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("warraq sql --db postgresql://u:geheim@h/n 1", "warraq sql --db postgresql://u:***@h/n 1"),
        ("postgresql://u:ge@heim@h/n", "postgresql://u:***@h/n"),
        ("postgresql://:geheim@h/n", "postgresql://:***@h/n"),
        ("postgresql:/u:geheim@h", "postgresql:/u:***@h"),
        ("postgresql://h/n?user=u&password=geheim&x=1", "postgresql://h/n?user=u&password=***&x=1"),
        ("postgresql://u@h/n", "postgresql://u@h/n"),
        ("sqlite:///data/a.db", "sqlite:///data/a.db"),
        ("replay https://host:80/a", "replay https://host:80/a"),
    ],
)
def test_passwords_are_hidden_and_nothing_else(text: str, shown: str) -> None:
    assert without_passwords(text) == shown


@pytest.mark.postgres
def test_password_is_shown_nowhere(new_postgres: str, tmp_path: Path) -> None:
    url = make_url(new_postgres).set(password=PASSWORD)
    secret = url.render_as_string(hide_password=False)
    assert QUOTED in secret
    told = [
        run_warraq(["db", "upgrade", "--db", secret]),
        run_warraq(["db", "current", "--db", secret]),
        run_warraq(["db", "check"], WARRAQ_DB=secret),
        run_warraq(["replay", SAMPLES / "agency-dateline.txt", "--db", secret, "--json"]),
        run_warraq(["sql", "SELECT wrong", "--db", secret]),
        run_warraq(["sql", "SELECT command FROM runs"], WARRAQ_DB=secret),
        run_warraq(["db", "check", "--db", secret.replace(str(url.port), "9")]),
        run_warraq(["db", "check", "--db", secret.replace(str(url.database), "not_there")]),
        run_warraq(["db", "check", "--db", secret.replace("://", ":/")]),
        run_warraq(["db", "check", "--db", secret.replace("postgresql", "oracle")]),
        run_warraq(["db", "check", "--db", f"{new_postgres}?password={QUOTED}"]),
    ]
    said = b"".join(done.stdout + done.stderr for done in told).decode()
    assert said.count("***") >= 8
    assert PASSWORD not in said and QUOTED not in said and "Ghazal" not in said

    engine = open_engine(secret)
    schema = MetaData()
    schema.reflect(engine)
    with read(engine) as connection:
        rows = [
            str(row) for table in schema.sorted_tables for row in connection.execute(select(table))
        ]
    engine.dispose()
    assert any("***" in row for row in rows)
    assert not any("Ghazal" in row for row in rows)
