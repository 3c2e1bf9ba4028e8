"""The soak in its short form (python -m tests.soak): the same faults and checks, some seconds."""

import csv
from pathlib import Path

from tests.soak.__main__ import soak


def test_a_schedule_that_everything_happens_to(tmp_path: Path) -> None:
    checks = soak(
        tmp_path / "soak",
        f"sqlite:///{tmp_path}/warraq.db",
        minutes=0.25,
        seed=2,
        sample=1,
        fault=1.5,
        news=1,
        articles=5,
        scale=0.1,
        sources=2,
    )
    assert [each for each in checks if not each.kept] == []
    with (tmp_path / "soak/samples.csv").open() as file:
        samples = list(csv.DictReader(file))
    assert samples
    assert all(int(row["scheduler_threads"]) < 20 for row in samples)
    with (tmp_path / "soak/events.csv").open() as file:
        assert len({row["what"] for row in csv.DictReader(file)}) > 3
    page = (tmp_path / "soak/soak.html").read_text(encoding="utf-8")
    assert page.count("<figure") == 12
    assert "https://" not in page.split("<script>")[0]
