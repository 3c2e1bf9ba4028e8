"""The text that people read stays as printed; the match key makes spellings equal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.arabic import clean, clean_line, has_arabic, match_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("أحمد", "احمد"),
        ("إلى المدرسةِ", "الى المدرسه"),
        ("مستشفى", "مستشفي"),
        ("مسؤول شؤون البيئة", "مسوول شوون البييه"),
        ("السُّبُلُ", "السبل"),
        ("كـــتـــاب", "كتاب"),
        ("عام ٢٠٢٤", "عام 2024"),
        ("سال ۱۴۰۲", "سال 1402"),
        ("می‌خواهد", "ميخواهد"),
        ("پاکستان", "باكستان"),
        ("ﷲ أكبر"[2:], "اكبر"),
        ("ﻣﺼﺮ", "مصر"),
        ("«الخبر»: نعم!", "الخبر نعم"),
        ("BBC عربي", "bbc عربي"),
        ("a\u200fb", "ab"),
        ("سطر\nآخر", "سطر اخر"),
    ],
)
def test_spellings_share_a_key(one: str, other: str) -> None:
    assert match_key(one) == match_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("على", "علي"),
        ("وعلى الطريق", "وعلي الطريق"),
        ("علماء", "علما"),
        ("كتب", "كتاب"),
        ("12", "21"),
    ],
)
def test_words_that_differ_keep_their_keys(one: str, other: str) -> None:
    assert match_key(one) != match_key(other)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("هـ 1445", "هـ 1445"),
        ("السُبُل تعدّ", "السُبُل تعدّ"),
        ("می‌خواهد", "می‌خواهد"),
        ("كلمة\u200c word\u200d", "كلمة word"),
        ("a\u00a0b\u2003c\t d", "a b c d"),
        ("\ufeffأول\r\n\r\n\u2028ثان ", "أول\nثان"),
        ("\u202bنص\u202c", "نص"),
        ("ﻣﺼﺮ", "مصر"),
        ("ﷺ", "ﷺ"),
        ("½ ²", "½ ²"),
        ("ا\u0653", "آ"),
        ("ناقص \ufffd", "ناقص \ufffd"),
        ("a\x00\x07b\x85c", "ab\nc"),
    ],
)
def test_display_removes_only_what_is_not_seen(raw: str, shown: str) -> None:
    assert clean(raw) == shown


@given(st.text())
def test_clean_is_stable_and_safe(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    assert "\0" not in cleaned and "\n\n" not in cleaned and "  " not in cleaned
    assert "\n" not in clean_line(text)


@given(st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x6FF)))
def test_key_is_stable_and_sees_no_more_than_people_do(text: str) -> None:
    assert match_key(match_key(text)) == match_key(text)
    assert match_key(clean(text)) == match_key(text)


def test_script() -> None:
    assert has_arabic("abc ش") and not has_arabic("abc ؟ 123 ـ")
