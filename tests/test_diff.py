"""What changed between two texts: words, sentences, and `warraq diff`."""

import json
import time

import pytest
from sqlalchemy import Engine

from pipelines.db.engine import read
from pipelines.db.history import history
from pipelines.difference import Change, SentenceChanges, sentence_changes, word_changes
from tests.conftest import run_warraq
from tests.test_store import DAYS, arrival, write

OLD = (
    "وصل القطار الأول إلى المحطة الجديدة ظهرا.\nواستقبله أهل القرية بالورود.\nوقال السائق إنه متعب."
)
NEW = "وصل القطار الأول إلى المحطة الجديدة مساء.\nوقال السائق إنه متعب.\nوسيعود القطار غدا."


def marked(old: str, new: str, *, folded: bool = False) -> str:
    signs = {Change.EQUAL: "{}", Change.DELETE: "[{}]", Change.INSERT: "<{}>"}
    return "|".join(
        signs[piece.change].format(piece.text.strip("\n"))
        for piece in word_changes(old, new, folded=folded)
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("", "", ""),
        ("كما هو", "كما هو", "كما هو"),
        ("", "جديد", "<جديد>"),
        ("ذهب كله", "", "[ذهب كله]"),
        ("بيت كبير هنا", "بيت صغير هنا", "بيت|[كبير]|<صغير>|هنا"),
        ("سطر أول\nسطر ثان", "سطر أول\nسطر ثان\nسطر ثالث", "سطر أول\nسطر ثان|<سطر ثالث>"),
    ],
)
def test_words(old: str, new: str, told: str) -> None:
    assert marked(old, new) == told


def test_all_words_are_told_once_and_in_order() -> None:
    pieces = word_changes(OLD, NEW)
    for text, gone in ((OLD, Change.INSERT), (NEW, Change.DELETE)):
        told = " ".join(piece.text for piece in pieces if piece.change is not gone)
        assert told.split() == text.split()


def test_folded_leaves_spelling_out() -> None:
    old, new = "قال أحمد: جاء ١٥ ضيفًا إلى المدينة", "قال احمد جاء 15 ضيفا الى المدينه ليلا"
    assert marked(old, new, folded=True) == "قال احمد جاء 15 ضيفا الى المدينه|<ليلا>"
    assert "[" in marked(old, new)


def test_sentences() -> None:
    assert sentence_changes(OLD, NEW) == SentenceChanges(added=1, removed=1, altered=1)
    assert sentence_changes(OLD, OLD.replace("أ", "ا")) == SentenceChanges(0, 0, 0)
    assert sentence_changes("", OLD) == SentenceChanges(3, 0, 0)


@pytest.mark.parametrize("unit", ["كلمة ", "سطر\n", "أ ب\n", "جملة. "])
def test_hostile_texts_take_bounded_time(unit: str) -> None:
    began = time.monotonic()
    word_changes(unit * 50_000, f"{unit * 25_000} آخر {unit * 25_000}")
    sentence_changes(unit * 50_000, f"آخر {unit * 40_000}")
    assert time.monotonic() - began < 20


PAGE = "https://daily.example/train"


def test_command_shows_what_changed_since_the_last_version(engine: Engine, database: str) -> None:
    for day, said in enumerate((OLD, NEW, NEW + "\nومعه بريد.")):
        page = arrival(said, canonical_url=PAGE, fetched_at=DAYS[day], title=f"نسخة {day}")
        write(engine, page)
    done = run_warraq(["diff", PAGE, "--db", database])
    assert done.returncode == 0, done.stderr.decode()
    shown = done.stdout.decode().splitlines()
    assert shown[:2] == ["- article 1 version 2: نسخة 1", "+ article 1: نسخة 2"]
    assert "{+ومعه بريد.+}" in shown
    first = run_warraq(["diff", "1", "--version", "1", "--db", database, "--json"])
    told = json.loads(first.stdout)
    assert (told["old"]["version"], told["new"]["version"]) == (1, None)
    changed = {c["text"].strip(): c["change"] for c in told["changes"]}
    assert changed["ظهرا."] == "delete" and changed["مساء."] == "insert"


def test_command_compares_two_articles_and_tells_what_is_missing(
    engine: Engine, database: str
) -> None:
    write(engine, arrival(OLD, "a.txt", source="a"), arrival(NEW, "b.txt", source="b"))
    done = run_warraq(["diff", "1", "2", "--db", database])
    assert done.returncode == 0 and "[-ظهرا.-]" in done.stdout.decode()
    alone = run_warraq(["diff", "1", "--db", database])
    assert alone.returncode == 1 and b"no earlier version" in alone.stderr
    unknown = run_warraq(["diff", "7", "2", "--db", database])
    assert unknown.returncode == 1 and b"no such article" in unknown.stderr


def test_why_tells_the_copies(engine: Engine, database: str) -> None:
    body = [
        f"{OLD} وبعد ذلك سارت القافلة نحو الوادي ومعها الماء والتمر والخيام.",
        "وفي الليل حكى الشيخ قصة الجسر الذي بناه جده من حجارة النهر قبل أن تأتي السكة الحديد.",
    ]
    write(
        engine,
        arrival("\n".join(body), "whole.txt", source="first"),
        arrival(f"{body[0]}\nجملة أضافها المحرر.", "other.txt", source="second"),
    )
    with read(engine) as connection:
        (article,) = history(connection, "other.txt")["articles"]
    (copy,) = article["copies"]
    assert (copy["source"], copy["representative"]) == ("first", True)
    assert copy["sentences_removed"] == 1 and copy["sentences_added"] == 1
    done = run_warraq(["why", "other.txt", "--db", database])
    assert done.returncode == 0 and "copies of article 2" in done.stdout.decode()
