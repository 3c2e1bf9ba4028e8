"""What is printed to somebody who has left ends nothing that is under way."""

import os
import subprocess
import sys

from tests.conftest import ROOT

SAYS = "from crawler.show import say; say('one'); say('two'); print('done')"


def closed_pipe() -> int:
    """The writing end of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def test_messages_that_nobody_reads_are_lost() -> None:
    writer = closed_pipe()
    done = subprocess.run([sys.executable, "-c", SAYS], cwd=ROOT, stdout=-1, stderr=writer)
    os.close(writer)
    assert (done.returncode, done.stdout) == (0, b"done\n")


def test_table_that_nobody_reads_is_no_error() -> None:
    writer = closed_pipe()
    command = [sys.executable, "-m", "crawler.cli", "sources", "list"]
    done = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=-1)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")
