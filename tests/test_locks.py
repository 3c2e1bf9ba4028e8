"""One crawl a source at a time: the lock that keeps a second one out, and outlives none."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from pipelines.db.engine import read, write
from pipelines.db.locks import crawl_lock, dead_after, host_of_crawl
from pipelines.errors import LockedError, UsageError


def held(engine: Engine) -> list[str]:
    with read(engine) as connection:
        return list(connection.execute(text("SELECT source FROM crawl_locks")).scalars())


def set_owner(engine: Engine, **facts: object) -> None:
    values = ", ".join(f"{name} = :{name}" for name in facts)
    with write(engine) as connection:
        connection.execute(text(f"UPDATE crawl_locks SET {values}"), facts)


def test_second_crawl_waits_outside(engine: Engine) -> None:
    with crawl_lock(engine, "a"):
        with (
            pytest.raises(LockedError, match=r"^a: another crawl .* runs since"),
            crawl_lock(engine, "a"),
        ):
            pass
        with crawl_lock(engine, "b"):
            assert sorted(held(engine)) == ["a", "b"]
    assert held(engine) == []
    with crawl_lock(engine, "a"):
        pass


def test_lock_is_given_up_when_the_crawl_fails(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError), crawl_lock(engine, "a"):
        raise ZeroDivisionError
    assert held(engine) == []


def test_dead_owner_s_lock_is_taken_over(engine: Engine) -> None:
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    with crawl_lock(engine, "a") as first:
        set_owner(engine, pid=gone.pid)
        with crawl_lock(engine, "a") as second:
            assert first.token != second.token
        assert held(engine) == []  # the first one's end leaves the second's alone, and had none


def test_owner_without_a_sign_of_life_is_taken_for_dead(engine: Engine) -> None:
    with crawl_lock(engine, "a"):
        set_owner(engine, host="another-machine", token="x")  # noqa: S106 - tells owners apart
        with pytest.raises(LockedError, match="another-machine"), crawl_lock(engine, "a"):
            pass
        assert host_of_crawl(engine, "a") == "another-machine"
        silent = datetime.now(UTC) - dead_after() - timedelta(seconds=1)
        value = silent.replace(tzinfo=None) if engine.dialect.name == "sqlite" else silent
        set_owner(engine, heartbeat_at=str(value))
        assert host_of_crawl(engine, "a") is None
        with crawl_lock(engine, "a"):
            pass


def test_owner_hears_that_it_lost_its_lock(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARRAQ_DEAD_AFTER", "0.3")
    with crawl_lock(engine, "a") as first:
        assert not first.lost.wait(0.3)
        set_owner(engine, token="x")  # noqa: S106
        assert first.lost.wait(5)


@pytest.mark.parametrize("stated", ["soon", "-1", "0", "1e9", "nan"])
def test_a_wrong_time_is_told(stated: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARRAQ_DEAD_AFTER", stated)
    with pytest.raises(UsageError, match=f"WARRAQ_DEAD_AFTER {stated}: state seconds"):
        dead_after()
