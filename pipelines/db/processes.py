"""Who else is at work on this machine: rows name processes that may have been killed since."""

import os


def is_alive(pid: int | None) -> bool:
    """Whether another process of that number runs on this machine."""
    if pid is None or pid == os.getpid():
        return False  # an earlier process of our number
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # there, and not ours to ask
    return True
