"""`python -m tests.fuzz [TARGET...] [--seconds N]`: each target in turn, in a process of its own.

An input that breaks a promise, takes over 10 seconds (`--input-seconds`: more, on a machine with
other things to do) or over 2 GB is kept below `findings/` (mend it, and let the file stay: every
test run tries it again). What reached new code is kept in `.fuzz/` and begins the next run.
"""

import argparse
import hashlib
import subprocess
import sys
from pathlib import Path

FINDINGS = Path(__file__).parent / "findings"
CORPUS = Path(__file__).parent.parent.parent / ".fuzz"
INPUT_SECONDS, MEMORY_MB, LONGEST = 10, 2048, 200_000


def main() -> int:
    from tests.fuzz.targets import TARGETS

    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("target", nargs="*", help=", ".join(TARGETS))
    options.add_argument("--seconds", type=int, default=600, help="for each target")
    options.add_argument("--input-seconds", type=int, default=INPUT_SECONDS, help="for an input")
    given = options.parse_args()
    failed = []
    for name in given.target or TARGETS:
        bounds = [str(given.seconds), str(given.input_seconds)]
        command = [sys.executable, "-m", "tests.fuzz.one", name, *bounds]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    for name in failed:
        print(f"{name}: see {FINDINGS / name}")
    return bool(failed)


def prepare(name: str, inputs: list[bytes]) -> tuple[Path, Path]:
    """The folders of a target: inputs to begin with, and findings."""
    corpus, findings = CORPUS / name, FINDINGS / name
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    for data in inputs:
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    return corpus, findings


if __name__ == "__main__":
    sys.exit(main())
