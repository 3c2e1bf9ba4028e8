"""Words in a short text that count from a reference, weekdays, and numbers that are no date."""

from dataclasses import dataclass

from pipelines.stages.date_days import read_which
from pipelines.stages.date_tokens import Tokens

UNIT_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}


@dataclass(slots=True)
class Relative:
    first: int
    last: int
    unit: str
    amount: int  # of units before the reference; days after it for "day_word"
    vague: bool = False


_AGO = frozenset(("ago_before", "ago_after", "ago_moment", "ago_soon", "ago_vague"))


def use_counters(tokens: Tokens) -> None:
    """ "العدد : 6816", "مدة القراءة: 3 دقائق": numbers that are no part of a date."""
    for index, token in enumerate(tokens if "counter" in tokens.kinds else ()):
        if not token.has("counter"):
            continue
        at = index + 1
        while tokens.is_sign(at, ":", ".", "-", "#", "(") and at < index + 3:
            at += 1
        number = tokens.at(at)
        if number is not None and number.number >= 0 and not tokens.is_sign(at + 1, ":", "/"):
            unit = tokens.at(at + 1)
            last = at + 1 if unit is not None and unit.has("unit") else at
            tokens.use(index, last)


def read_ago(tokens: Tokens) -> list[Relative]:
    found: list[Relative] = []
    if tokens.kinds.isdisjoint(_AGO):
        return found
    index = 0
    while index < len(tokens):
        relative = None if tokens[index].used else _ago_at(tokens, index)
        if relative is None:
            index += 1
            continue
        tokens.use(relative.first, relative.last)
        found.append(relative)
        index = relative.last + 1
    return found


def _ago_at(tokens: Tokens, index: int) -> Relative | None:
    token = tokens[index]
    for kind, unit in (("ago_moment", "minute"), ("ago_soon", "hour")):
        if token.has(kind):
            return Relative(index, index, unit, 0)
    if token.has("ago_vague"):
        return Relative(index, index, "hour", 0, vague=True)
    before = token.has("ago_before")
    span = _span(tokens, index + before)
    if span is None:
        return None
    last, unit, amount = span
    after = tokens.at(last + 1)
    if after is not None and after.has("ago_after") and not after.used:
        return Relative(index, last + 1, unit, amount)
    return Relative(index, last, unit, amount) if before else None


def _span(tokens: Tokens, index: int, below: int = 10**9) -> tuple[int, str, int] | None:
    """A length of time in its finest unit: "3 ساعات", "ساعتين", "ساعة و20 دقيقة".

    Only a unit of less than `below` seconds: so it calls itself three times at most.
    """
    token = tokens.at(index)
    if token is None or token.used:
        return None
    if (minutes := token.integer("fraction")) is not None:
        return index, "minute", minutes
    if (unit := token.string("two")) is not None:
        last, amount = index, 2
    else:
        number, last = 1, index
        if 1 <= token.digits <= 4:
            number, last = token.number, index + 1
        elif (word := token.integer("number")) is not None:
            number, last = word, index + 1
        following = tokens.at(last)
        if following is None or following.used:
            return None
        unit, amount = following.string("unit"), number
        if unit is None:
            return None
        one = tokens.at(last + 1)
        if last == index and one is not None and one.integer("number") == 1:
            last += 1  # "دقيقة واحدة"
    size = UNIT_SECONDS.get(unit, 10**8)
    if size >= below:
        return None
    at = last + 2 if tokens.is_sign(last + 1, "و", "and", ",") else last + 1
    if unit in ("hour", "day") and tokens.is_number(at):
        finer = _span(tokens, at, below=size)
        if finer is not None:
            return finer[0], finer[1], finer[2] + size * amount // UNIT_SECONDS[finer[1]]
    return last, unit, amount


def read_day_words(tokens: Tokens) -> list[Relative]:
    found = []
    for index, token in enumerate(tokens if "day_word" in tokens.kinds else ()):
        days = token.integer("day_word")
        if days is not None and not token.used:
            token.used = True
            found.append(Relative(index, index, "day_word", days))
    return found


def read_weekdays(tokens: Tokens) -> list[tuple[int, int]]:
    found = []
    for index, token in enumerate(tokens if "weekday" in tokens.kinds else ()):
        weekday = token.integer("weekday")
        if weekday is not None and not token.used:
            tokens.use(index, read_which(tokens, index)[1])
            found.append((index, weekday))
    return found
