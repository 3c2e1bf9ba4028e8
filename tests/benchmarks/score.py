"""How near an extracted article is to the right answer: text, furniture, title, date.

A gold row has `paragraphs` (or `body`), and any of `title`, `title_alt`, `optional`, `captions`,
`must_not`, `date` (or `published_at`), `date_precision`, `date_accept`. Text is compared by words
in order (ROUGE-L); a line of `optional` or `captions` counts neither way, a repeated line once.
"""

import random
import re
import statistics
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_UNSEEN = dict.fromkeys(
    [*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF, 0x0640]
)
_ROUNDS = 2_000
VERDICTS = ("right", "coarse", "wrong", "none")


@dataclass(frozen=True, slots=True)
class Score:
    """One page. `furniture` counts strings that should not be there; None: not asked."""

    precision: float
    recall: float
    f1: float
    furniture: int
    title: bool | None
    date: str | None  # right, coarse (the day without its time), wrong, none


@dataclass(frozen=True, slots=True)
class Scores:
    pages: Sequence[Score]

    def mean(self, value: Callable[[Score], float | None]) -> float | None:
        """None if no page was asked for it."""
        found = [v for page in self.pages if (v := value(page)) is not None]
        return statistics.mean(found) if found else None

    def interval(self, value: Callable[[Score], float | None]) -> tuple[float, float] | None:
        """95 % of the mean, by drawing the pages again; the same on every run."""
        found = [v for page in self.pages if (v := value(page)) is not None]
        if not found:
            return None
        rng = random.Random(len(found))
        means = sorted(statistics.fmean(rng.choices(found, k=len(found))) for _ in range(_ROUNDS))
        return means[int(0.025 * _ROUNDS)], means[int(0.975 * _ROUNDS) - 1]

    def floors(self) -> dict[str, float]:
        """What may not get worse."""
        return {
            "pages": len(self.pages),
            "f1": round(self.mean(lambda s: s.f1) or 0, 4),
            "furniture": sum(page.furniture for page in self.pages),
            "titles": round(self.mean(lambda s: s.title) or 0, 4),
            "dates": round(self.mean(lambda s: is_date(s, "right")) or 0, 4),
        }


def is_date(page: Score, verdict: str) -> float | None:
    return None if page.date is None else float(page.date == verdict)


def score(gold: Mapping[str, Any], found: Mapping[str, Any]) -> Score:
    """`found` has `title`, `text` (a block a line), `published_at`, `published_precision`."""
    free = {_norm(x) for name in ("optional", "captions") for x in gold.get(name) or ()}
    wanted = list(dict.fromkeys(map(_norm, gold.get("paragraphs") or gold.get("body") or ())))
    lines = dict.fromkeys(map(_norm, (found.get("text") or "").splitlines()))
    shown = [line for line in lines if line and line not in free]
    precision, recall, f1 = rouge_l(_words(" ".join(wanted)), _words(" ".join(shown)))
    text, right_text = "\n".join(shown), "\n".join(wanted)
    bad = [b for b in map(_norm, gold.get("must_not") or ()) if b in text and b not in right_text]
    titles = {_norm(t) for t in (gold.get("title"), *(gold.get("title_alt") or ())) if t}
    title = _norm(found.get("title") or "") in titles if titles else None
    asked = "date" in gold or "published_at" in gold
    return Score(precision, recall, f1, len(bad), title, _date(gold, found) if asked else None)


def rouge_l(gold: Sequence[str], found: Sequence[str]) -> tuple[float, float, float]:
    """Precision, recall and F1 of the longest common subsequence."""
    from rapidfuzz.distance import LCSseq

    if not gold or not found:
        same = float(not gold and not found)
        return same, same, same
    common = LCSseq.similarity(gold, found)
    if not common:
        return 0.0, 0.0, 0.0
    precision, recall = common / len(found), common / len(gold)
    return precision, recall, 2 * precision * recall / (precision + recall)


def _norm(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).translate(_UNSEEN).split())


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text)


def _date(gold: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    stated = gold.get("date") or gold.get("published_at")
    accepted = [stated, *(gold.get("date_accept") or ())] if stated else []
    try:
        got = _when(found.get("published_at"))
    except ValueError:
        return "wrong"
    if got is None:
        return "none" if accepted else "right"
    day_only = found.get("published_precision") == "day"
    by_day = gold.get("date_precision") == "day"
    verdicts = {_verdict(_when(one), got, by_day=by_day, day_only=day_only) for one in accepted}
    return next((v for v in VERDICTS if v in verdicts), "wrong")


def _when(value: str | None) -> tuple[datetime, bool] | None:
    """The moment, and whether it has a time of day."""
    if not value:
        return None
    timed = len(value) > len("2020-09-27")
    return datetime.fromisoformat(value.replace("Z", "+00:00")), timed


def _verdict(
    wanted: tuple[datetime, bool] | None,
    got: tuple[datetime, bool],
    *,
    by_day: bool,
    day_only: bool,
) -> str:
    assert wanted is not None
    one, other = wanted[0], got[0]
    same_day = one.date() == other.date()
    if by_day or not wanted[1]:
        return "right" if same_day else "wrong"
    if one.tzinfo and other.tzinfo:
        same_day = same_day or one.astimezone(UTC).date() == other.astimezone(UTC).date()
        gap = abs((one - other).total_seconds())
    else:
        gap = abs((one.replace(tzinfo=None) - other.replace(tzinfo=None)).total_seconds())
    coarse = day_only or not got[1]
    if gap < 60 and not coarse:
        return "right"
    return "coarse" if coarse and same_day else "wrong"
