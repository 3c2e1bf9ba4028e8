"""What may happen to a worker process, and that it concerns its own task alone."""

import os
import random
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any

import psutil
import pytest

from crawler.forking import worker_context
from crawler.pool import DiedError, Pool, TimeUpError


def nothing() -> None:
    pass


def length(data: bytes) -> int:
    return len(data)


def pid(_: int) -> int:
    return os.getpid()


def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def hold_the_interpreter(letters: int) -> bool:
    return bool(re.match(r"(a+)+$", "a" * letters + "b"))


def die(code: int) -> None:
    os._exit(code)


class OddError(Exception):
    """Can be sent, but not received."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def fail(kind: str) -> Any:
    if kind == "odd":
        raise OddError("this", "that")
    if kind == "result":
        return threading.Lock()
    raise ValueError("no such thing")


Start = Callable[..., Pool]


@pytest.fixture
def start() -> Iterator[Start]:
    pools = []

    def begin(processes: int = 2, tasks: int = 1_000) -> Pool:
        pools.append(Pool(processes, worker_context(), nothing, [], tasks))
        return pools[-1]

    yield begin
    for pool in pools:
        pool.stop()


def test_workers_killed_at_any_point_stop_no_other(start: Start) -> None:
    """Also while they take a task or send what came of it."""
    pool, rng, stopping = start(), random.Random(5), threading.Event()
    killed: list[int] = []

    def kill() -> None:
        while not stopping.wait(rng.uniform(0, 0.2)):
            with suppress(psutil.Error, IndexError):
                # Children of what forks them; what forks them is a child of this process.
                found = [p for p in psutil.Process().children(recursive=True) if p.ppid() != me]
                victim = rng.choice(found)
                victim.kill()
                victim.wait(60)
                killed.append(victim.pid)

    me = os.getpid()
    killer = threading.Thread(target=kill)
    killer.start()
    told = []
    try:
        while len(killed) < 40:
            future = pool.submit(60, length, bytes(300_000))
            try:
                told.append(future.result(timeout=60))
            except DiedError as error:
                assert error.code is None or error.code < 0 or error.code == 255
                told.append(0)
    finally:
        stopping.set()
        killer.join()
    assert killed and 0 in told and 300_000 in told
    assert [pool.submit(60, length, b"abc").result(60) for _ in range(9)] == [3] * 9


def test_time_is_up_for_code_that_holds_the_interpreter(start: Start) -> None:
    pool = start(1)
    assert pool.submit(60, length, b"ab").result(60) == 2  # it is warm
    began = time.monotonic()
    stopped = pool.submit(0.5, hold_the_interpreter, 60)
    after = pool.submit(60, length, b"abc")
    with pytest.raises(TimeUpError, match=r"stopped after 0\.5 s"):
        stopped.result(60)
    assert time.monotonic() - began < 30
    assert after.result(60) == 3


def test_dying_is_told_with_its_code(start: Start) -> None:
    pool = start(1)
    dying = pool.submit(60, die, 7)
    after = pool.submit(60, length, b"abc")
    with pytest.raises(DiedError, match=r"code 7"):
        dying.result(60)
    assert after.result(60) == 3


def test_what_is_raised_comes_over(start: Start) -> None:
    pool = start(1)
    with pytest.raises(ValueError, match="no such thing"):
        pool.submit(60, fail, "").result(60)
    with pytest.raises(RuntimeError, match="OddError: this and that"):
        pool.submit(60, fail, "odd").result(60)
    with pytest.raises(TypeError, match="pickle"):
        pool.submit(60, fail, "result").result(60)
    with pytest.raises(TypeError, match="pickle"):
        pool.submit(60, length, threading.Lock())
    assert len({pool.submit(60, pid, n).result(60) for n in range(5)}) == 1  # none was lost


def test_a_worker_is_replaced_after_its_tasks(start: Start) -> None:
    pool = start(1, tasks=3)
    pids = [pool.submit(60, pid, n).result(60) for n in range(7)]
    assert [pids.count(one) for one in dict.fromkeys(pids)] == [3, 3, 1]
    assert not psutil.pid_exists(pids[0])


def test_stopping_ends_all_of_it(start: Start) -> None:
    pool = start(1)
    own = pool.submit(60, pid, 0).result(60)
    begun, waiting = pool.submit(600, nap, 600.0), pool.submit(60, length, b"abc")
    while not begun.running():
        time.sleep(0.01)
    pool.stop()
    with pytest.raises(DiedError):
        begun.result(0)
    with pytest.raises(CancelledError):
        waiting.result(0)
    with pytest.raises(RuntimeError):
        pool.submit(60, length, b"abc")
    assert not psutil.pid_exists(own)


def test_what_forks_workers_may_be_killed(start: Start) -> None:
    pool = start(1)
    worker = psutil.Process(pool.submit(60, pid, 0).result(60))
    os.kill(worker.ppid(), signal.SIGKILL)
    worker.kill()
    with suppress(DiedError):
        pool.submit(60, pid, 1).result(60)
    assert pool.submit(60, length, b"abc").result(60) == 3
