"""The leaderboard: its measures on cases counted by hand, and the command as it is run."""

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.score import Scores, rouge_l, score
from tests.conftest import ROOT
from tests.pages.build import STORIES

GOLD = {
    "title": "سوق الميناء يعود",
    "paragraphs": ["عاد السوق إلى الحياة.", "وفرح التجار بعودته."],
    "captions": ["السوق صباحا"],
    "must_not": ["اقرأ أيضا"],
    "date": "2024-05-11T09:15:00+03:00",
}
TEXT = "\n".join(GOLD["paragraphs"])


def test_text_counts_words_in_order() -> None:
    assert rouge_l("a b c d".split(), "a x c".split()) == pytest.approx((2 / 3, 2 / 4, 4 / 7))
    assert rouge_l(["a"], []) == (0, 0, 0)
    assert score(GOLD, {"text": TEXT}).f1 == 1
    assert score(GOLD, {"text": f"السوق صباحا\n{TEXT}"}).f1 == 1  # a caption counts neither way
    assert score(GOLD, {"text": GOLD["paragraphs"][0]}).recall == 4 / 7
    assert score(GOLD, {}).f1 == 0


def test_furniture_and_title_are_exact() -> None:
    found = score(GOLD, {"text": f"{TEXT}\nاقرأ أيضا: خبر آخر", "title": "سوق  الميناء يعود"})
    assert (found.furniture, found.title) == (1, True)
    assert score(GOLD, {"title": "سوق الميناء يعود - صحيفة"}).title is False
    assert score({"paragraphs": ["x"]}, {}).title is None


@pytest.mark.parametrize(
    ("published", "verdict"),
    [
        ("2024-05-11T06:15:00+00:00", "right"),
        ("2024-05-11T09:15", "right"),
        ("2024-05-11", "coarse"),
        ("2024-05-11T10:15+03:00", "wrong"),
        ("2024-05-12", "wrong"),
        ("May 2024", "wrong"),
        (None, "none"),
    ],
)
def test_dates_are_right_coarse_wrong_or_none(published: str | None, verdict: str) -> None:
    assert score(GOLD, {"published_at": published}).date == verdict
    by_day = {**GOLD, "date_precision": "day"}
    assert score(by_day, {"published_at": "2024-05-11T23:00"}).date == "right"
    assert score({**GOLD, "date": None}, {"published_at": "2024-05-11"}).date == "wrong"


def test_interval_holds_the_mean_and_repeats() -> None:
    texts = [TEXT, GOLD["paragraphs"][0], "", TEXT, TEXT]
    scores = Scores([score(GOLD, {"text": text}) for text in texts])
    low, high = scores.interval(lambda s: s.f1) or (1, 0)
    mean = scores.mean(lambda s: s.f1)
    assert mean is not None and low < mean < high
    assert scores.interval(lambda s: s.f1) == (low, high)


def evaluate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.benchmarks.evaluate", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_own_pages_are_measured_where_no_other_tool_is(tmp_path: Path) -> None:
    lines = STORIES["bridge"]["lines"]
    page = f"<html lang='ar'><h1>{GOLD['title']}</h1>{''.join(f'<p>{x}</p>' for x in lines)}</html>"
    (tmp_path / "a.html.gz").write_bytes(gzip.compress(page.encode()))
    row = {**GOLD, "file": "a.html.gz", "paragraphs": lines, "date": None}
    (tmp_path / "gold.jsonl").write_text(json.dumps(row), encoding="utf-8")
    out = tmp_path / "page.html"
    done = evaluate(
        "--gold", tmp_path / "gold.jsonl", "--out", out, "--peers", tmp_path / "none", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["warraq"]["F1"] == [1, 1, 1]
    assert "goose3 is left out" in done.stderr
    shown = out.read_text(encoding="utf-8")
    assert "<svg" in shown and not re.search(r"https?://|<script|<link", shown)


def test_wrong_gold_is_named_by_line(tmp_path: Path) -> None:
    (tmp_path / "gold.jsonl").write_text('{"file": "a.html"}\n', encoding="utf-8")
    done = evaluate("--gold", tmp_path / "gold.jsonl")
    assert done.returncode == 1 and "gold.jsonl:1" in done.stderr


def test_lock_of_the_other_tools_has_hashes_and_no_addresses() -> None:
    lock = (ROOT / "requirements-evaluate.lock").read_text(encoding="utf-8")
    assert "://" not in lock and "--index" not in lock
    for pin in re.split(r"\n(?=[a-z0-9])", lock.strip()):
        assert re.match(r"[a-z0-9.-]+==\S+", pin) and "--hash=sha256:" in pin, pin
