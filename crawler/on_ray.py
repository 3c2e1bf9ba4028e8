"""Ray as the `Cluster` of `crawler.cluster`: all that is Ray's stands here."""

import os
import signal
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from crawler.cluster import Cluster, Job, Lost, Shard
from pipelines.errors import UsageError, UserError

#: The address that starts Ray on this machine, for this command alone.
LOCAL = "local"
#: Shards that wait or are worked on, for each processor: enough to keep it busy.
_AHEAD = 2
#: A worker that was killed is replaced so often, for a shard.
_RETRIES = 3
#: Ray waits half a minute for its own start, which a busy machine may not keep.
_STARTS = 3
#: What workers bring is held here until it is stored, the rest of it on disk.
_STORE_BYTES = 200_000_000


@contextmanager
def on_ray(address: str, processors: int) -> Iterator[Cluster]:
    """The cluster at an address, or one of `processors` workers on this machine (`local`).

    Raises UsageError if it can't be had.
    """
    # Nothing is told to Ray's makers, and it keeps its own remarks to itself.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address == LOCAL:
        # Whatever its name says: with 0 Ray listens on 127.0.0.1 and nowhere else.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    try:
        import ray
    except ModuleNotFoundError as error:
        raise UsageError(
            f"`warraq cluster` needs the extra: pip install 'warraq[cluster]' ({error})"
        ) from error
    if address not in (LOCAL, "auto"):
        _require_answer(address)
    quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    in_main = threading.current_thread() is threading.main_thread()
    stop = signal.getsignal(signal.SIGTERM) if in_main else None
    for attempt in range(_STARTS):
        try:
            if address == LOCAL:
                ray.init(
                    num_cpus=processors,
                    object_store_memory=_STORE_BYTES,
                    include_dashboard=False,
                    **quiet,
                )
            else:
                ray.init(address=address, **quiet)
            break
        except Exception as error:  # it raises that very class
            ray.shutdown()
            if address != LOCAL or attempt == _STARTS - 1:
                raise _no_cluster(address, error) from error
    if in_main and stop is not None:
        signal.signal(signal.SIGTERM, stop)  # Ray puts its own in the place of ours
    try:
        yield _in_order
    finally:
        ray.shutdown()


def _require_answer(address: str) -> None:
    """Raises UsageError where nobody listens: Ray itself would wait for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, ValueError, OverflowError) as error:
        raise _no_cluster(address, error) from error


def _no_cluster(address: str, error: Exception) -> UsageError:
    said = " ".join(str(error).split())[:300]
    return UsageError(
        f"--address {address}: {said}; start Ray there (`ray start --head`), or use "
        f"--address {LOCAL}"
    )


def _in_order(
    function: Callable[[Job, Shard], Any], tasks: Iterable[tuple[Job, Shard]]
) -> Iterator[tuple[Shard, Any]]:
    import ray

    remote = ray.remote(_in_worker).options(
        name=function.__name__, num_cpus=1, max_retries=_RETRIES
    )
    waiting: deque[tuple[Shard, Any]] = deque()
    sent: tuple[Job, Any] | None = None
    for job, shard in tasks:
        if sent is None or sent[0] is not job:
            sent = job, ray.put(job)
        waiting.append((shard, remote.remote(function, sent[1], shard)))
        # Asked each time: machines come and go.
        while len(waiting) >= _AHEAD * max(1, _processors()):
            yield _got(*waiting.popleft())
    while waiting:
        yield _got(*waiting.popleft())


def _in_worker(function: Callable[[Job, Shard], Any], job: Job, shard: Shard) -> Any:
    # Else each process for pages would load Ray, as the main module of a Ray worker does.
    vars(sys.modules["__main__"]).pop("__file__", None)
    return function(job, shard)


def _processors() -> int:
    import ray

    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return int(resources.get("CPU", 1))


def _got(shard: Shard, reference: Any) -> tuple[Shard, Any]:
    import ray

    try:
        return shard, ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, UserError):
            raise error.cause from None
        return shard, Lost(f"{type(error.cause).__name__}: {error.cause}"[:500])
    except ray.exceptions.RayError as error:
        said = " ".join(str(error).split())[:300]
        return shard, Lost(f"its worker died {_RETRIES + 1} times: {said}")
