"""Where worker processes come from. Loads nothing else, so that a command can begin with it."""

import gc
import multiprocessing
import multiprocessing.forkserver
from multiprocessing.context import BaseContext


def worker_context() -> BaseContext:
    """Workers are forked from a clean server that has loaded once what they need."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["__main__", "crawler.work", "pipelines.process", "pipelines.prepare"]
    )
    return context


def start_forking() -> None:
    """Starts that server now: it loads the stages while this process loads what it needs."""
    if "forkserver" in multiprocessing.get_all_start_methods():
        worker_context()
        multiprocessing.forkserver.ensure_running()


def collect_rarely() -> None:
    """For a process that is about to do what it was started for.

    Python looks for cycles after every 700 new objects, now and then among all that there are. What
    was loaded up to here stays, and pages leave next to no cycles but thousands of objects each: a
    tenth of the processor time of storing went there.
    """
    gc.freeze()
    gc.set_threshold(5_000, 10, 10)
