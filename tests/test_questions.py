"""The README's questions have the same answers on PostgreSQL; tests/test_docs.py asks SQLite."""

import shlex

import pytest

from tests.conftest import run_warraq
from tests.test_docs import README, SESSION


@pytest.mark.postgres
def test_answers_are_the_same_on_postgresql(new_postgres: str) -> None:
    assert run_warraq(["replay", "seeds/documents", "--db", new_postgres]).returncode == 0
    part = README.split("## Ask it: ten questions")[1].split("## Copies and stories")[0]
    asked = [(m[1].replace("\n    > ", " "), m[2]) for m in SESSION.finditer(part)]
    assert len(asked) >= 11
    for command, shown in asked:
        done = run_warraq(shlex.split(command)[1:], WARRAQ_DB=new_postgres)
        assert done.returncode == 0, done.stderr.decode()
        printed = [line.rstrip() for line in done.stdout.decode().splitlines()]
        expected = [line[4:].rstrip() for line in shown.rstrip("\n").splitlines()]
        assert printed == expected, command
