"""Worker processes, each with a pipe of its own: what happens to one concerns its task alone.

Pools that feed all workers from one queue have them share its locks: one that is killed while it
holds a lock stops the others for good (pebble 5.2, loky, mpire and multiprocessing's own do);
concurrent.futures gives up all that is under way, and deadpool-executor stops a task from within
its process, which code that holds the interpreter prevents. So these lines are ours: they share
nothing, and time is kept outside.
"""

import queue
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, TypeVar, cast

_T = TypeVar("_T")

#: Seconds that a process may take to end by itself before it is killed.
_ENDING = 5.0


class DiedError(Exception):
    """The process ended before its task did; `code` as `multiprocessing.Process.exitcode`."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"the worker process died (code {code})")
        self.code = code


class TimeUpError(Exception):
    """The task took longer than it may, and was ended with its process."""


@dataclass(slots=True)
class _Task:
    message: bytes
    seconds: float
    future: Future[Any] = field(default_factory=Future)


class Pool:
    """`processes` workers, started as tasks need them and replaced when they end.

    Each runs `initializer(*initargs)` first, and serves `tasks` tasks before another takes its
    place. A context manager: on leaving it, workers are killed with what they do.
    """

    def __init__(
        self,
        processes: int,
        context: BaseContext,
        initializer: Callable[..., None],
        initargs: Sequence[Any],
        tasks: int,
    ) -> None:
        self._context, self._initializer, self._initargs = context, initializer, initargs
        self._most_tasks = tasks
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._stopped = False
        self._living: set[BaseProcess] = set()
        self._threads = [
            threading.Thread(target=self._serve, name=f"worker-{n}", daemon=True)
            for n in range(processes)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def submit(self, seconds: float, work: Callable[..., _T], *args: Any) -> Future[_T]:
        """`work(*args)` in a worker that is free, for so many seconds at most.

        The future ends with its result, with what it raised, with DiedError or TimeUpError.
        """
        task = _Task(bytes(ForkingPickler.dumps((work, args))), seconds)
        with self._lock:
            if self._stopped:
                raise RuntimeError("the pool is stopped")
            self._tasks.put(task)
        return cast("Future[_T]", task.future)

    def stop(self) -> None:
        """Ends the workers; tasks under way end with DiedError, those that wait are cancelled."""
        with self._lock:
            self._stopped = True
            for process in self._living:
                process.kill()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        """One thread for each worker: it hands out a task and waits for its end."""
        worker: _Worker | None = None
        while (task := self._tasks.get()) is not None:
            if self._stopped or not task.future.set_running_or_notify_cancel():
                task.future.cancel()
                continue
            if worker and worker.is_gone():  # while it waited: not this task's doing
                self._end(worker)
                worker = None
            try:
                worker = worker or self._start()
                task.future.set_result(worker.run(task))
            except Exception as error:
                task.future.set_exception(error)
            if worker and (worker.is_lost or worker.served >= self._most_tasks):
                self._end(worker)
                worker = None
        if worker:
            self._end(worker)

    def _start(self) -> "_Worker":
        with self._lock:  # a process is not begun while `stop` ends them
            if self._stopped:
                raise DiedError(None)
            try:
                worker = _Worker(self._context, self._initializer, self._initargs)
            except EOFError:  # what forks them was killed; the next try starts it anew
                worker = _Worker(self._context, self._initializer, self._initargs)
            self._living.add(worker.process)
        return worker

    def _end(self, worker: "_Worker") -> None:
        worker.end()
        with self._lock:
            self._living.discard(worker.process)


class _Worker:
    """A process and this side of its pipe."""

    def __init__(
        self, context: BaseContext, initializer: Callable[..., None], initargs: Sequence[Any]
    ) -> None:
        self._connection, theirs = Pipe()
        self.process: BaseProcess = context.Process(  # type: ignore[attr-defined]
            target=_work, args=(theirs, initializer, initargs), daemon=True
        )
        self.process.start()
        theirs.close()  # now the pipe ends where the process does
        self.served = 0
        self.is_lost = False

    def is_gone(self) -> bool:
        """Whether it ended; without a task it has nothing else to tell."""
        return self._connection.poll(0)

    def run(self, task: _Task) -> Any:
        self.served += 1
        try:
            self._connection.send_bytes(task.message)
            answered = self._connection.poll(task.seconds)
            answer = self._connection.recv_bytes() if answered else b""
        except (EOFError, OSError):
            self.end()
            raise DiedError(self.process.exitcode) from None
        if not answered:
            self.process.kill()
            self.end()
            raise TimeUpError(f"stopped after {task.seconds:g} s")
        done, value = ForkingPickler.loads(answer)
        if not done:
            raise value
        return value

    def end(self) -> None:
        self.is_lost = True
        self._connection.close()  # a process that waits for a task ends with this
        self.process.join(_ENDING)
        self.process.kill()
        self.process.join()


# --- inside a worker ---------------------------------------------------------------------------


def _work(
    connection: Connection, initializer: Callable[..., None], initargs: Sequence[Any]
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for who gives the tasks
    initializer(*initargs)
    while True:
        try:
            message = connection.recv_bytes()
        except (EOFError, OSError):
            return  # who gave the tasks is gone
        try:
            work, args = ForkingPickler.loads(message)
            answer = ForkingPickler.dumps((True, work(*args)))
        except Exception as error:
            answer = _failed(error)
        try:
            connection.send_bytes(answer)
        except OSError:
            return


def _failed(error: Exception) -> Any:
    try:
        message = ForkingPickler.dumps((False, error))
        ForkingPickler.loads(message)  # some can be sent, but not received
    except Exception:
        message = ForkingPickler.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
    return message
