"""`python -m tests.upgrade URL FILE`."""

import sys
from pathlib import Path

from pipelines.db.engine import open_engine
from tests.upgrade import keep

keep(open_engine(sys.argv[1]), Path(sys.argv[2]))
