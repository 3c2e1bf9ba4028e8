"""`alembic check` against a throw-away database: no model without its migration."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "WARRAQ_DB": f"sqlite:///{Path(folder, 'check.db')}"}
        for step in (["upgrade", "head"], ["check"]):
            done = subprocess.run(
                [sys.executable, "-m", "alembic", *step],
                env=environment,
                capture_output=True,
                text=True,
            )
            if done.returncode:
                print(done.stdout + done.stderr)
                return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
