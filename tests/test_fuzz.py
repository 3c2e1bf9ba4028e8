"""What fuzzing found once is tried again, and each target runs for a moment."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.fuzz.__main__ import FINDINGS
from tests.fuzz.targets import TARGETS

DAMAGED = 60
TOKENS = (
    b"&#0;",
    b"\xed\xa0\x80",
    "\u202e\u0640".encode(),
    b"<table>",
    b"\x00",
    b"]]>",
    b"{}",
    b"- ",
)
FOUND = sorted(file for file in FINDINGS.rglob("*") if file.is_file())


@pytest.mark.parametrize("file", FOUND, ids=lambda file: f"{file.parent.name}/{file.name[:14]}")
def test_what_was_found_is_mended(file: Path) -> None:
    target, _ = TARGETS[file.parent.name]
    target(file.read_bytes())


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_target_takes_damaged_inputs(name: str) -> None:
    target, inputs = TARGETS[name]
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    for data in inputs():
        target(data)
    for number in range(DAMAGED):
        damaged = damage(rng.choice(inputs()), rng)
        try:
            target(damaged)
        except Exception as error:
            (kept := FINDINGS / name).mkdir(parents=True, exist_ok=True)
            (kept / f"seed-{seed}-{number}").write_bytes(damaged)
            raise AssertionError(f"kept as {kept}/seed-{seed}-{number}") from error


def damage(data: bytes, rng: random.Random) -> bytes:
    """The data with pieces taken out, doubled, moved or overwritten."""
    for _ in range(rng.randint(1, 6)):
        at, to = sorted((rng.randint(0, len(data)), rng.randint(0, len(data))))
        piece = data[at : min(to, at + rng.choice((1, 8, 200, 5000)))]
        put = rng.choice((b"", piece * 2, piece[::-1], rng.randbytes(rng.randint(1, 4)), *TOKENS))
        data = data[:at] + put + data[at + len(piece) :]
    return data


def test_fuzzing_itself_runs() -> None:
    pytest.importorskip("atheris", reason="fuzzing needs atheris, which this platform lacks")
    command = [sys.executable, "-m", "tests.fuzz", "dates", "--seconds", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    assert b"number_of_executed_units" in done.stderr
