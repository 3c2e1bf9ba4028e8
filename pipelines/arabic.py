"""Letters and digits of the Arabic script: what people read, and the key that machines match.

`clean` prepares text for people: it removes only what cannot be seen. `match_key` folds
spellings for hashing, near-duplicates and phrase tables, `search_key` some more for search; keys
are never shown.
"""

import re
import unicodedata
from functools import lru_cache

#: Stored beside every key. A change of `match_key` is a new version; stored keys are rebuilt.
KEY_VERSION = 1
#: The same for `search_key`: a change of either makes `warraq db reindex` rebuild the search index.
SEARCH_KEY_VERSION = 100 * 1 + KEY_VERSION

_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_UNSEEN = _BIDI + "\ufeff\u00ad\u200b\u2060"
_LINE_BREAKS = "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_CONTROLS = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
_SPACES = "\u00a0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))

_CLEAN = {
    **dict.fromkeys(map(ord, _CONTROLS + _UNSEEN), None),
    **dict.fromkeys(map(ord, _LINE_BREAKS), "\n"),
    **dict.fromkeys(map(ord, _SPACES + "\t"), " "),
}
#: Letters stored as shapes (from PDFs and old systems), but not ligatures that are words or signs.
_SHAPES = re.compile("[\ufb50-\ufd3d\ufd50-\ufdef\ufdf0\ufdf1\ufdf3-\ufdf9\ufe70-\ufefc]+")
_JOINER = re.compile("[\u200c\u200d]+")
_BLANKS = re.compile(" {2,}")
_LINES = re.compile(" ?\n[ \n]*")
_ARABIC_LETTER = re.compile(
    "[\u0620-\u063f\u0641-\u064a\u066e-\u06d3\u06d5\u06fa-\u06ff\u0750-\u077f\u08a0-\u08c9]"
)

_DIGITS = {0x0660 + n: str(n) for n in range(10)} | {0x06F0 + n: str(n) for n in range(10)}

_MARKS = [
    *range(0x0610, 0x061B),
    *range(0x064B, 0x0660),
    0x0670,
    *range(0x06D6, 0x06EE),
    *range(0x08D3, 0x0900),
]
_DROP = _CLEAN | dict.fromkeys([*_MARKS, *map(ord, "\u0640\u200c\u200d\ufffd\ue000")])
_FOLD = {
    **_DIGITS,
    **{ord(a): "ا" for a in "آأإٱ"},
    **{ord(a): "ي" for a in "ىئیۍېے"},
    **{ord(a): "ه" for a in "ةھہەۀۂۃ"},
    ord("ؤ"): "و",
    **{ord(a): "ك" for a in "کڪگڭ"},
    **{ord(a): b for a, b in zip("پچژڤڨٹڈڑں", "بجزفقتدرن", strict=True)},
}
#: Translating a text letter by letter is slow: common letters are replaced, the rest looked for.
_COMMON = tuple((letter, _FOLD[ord(letter)]) for letter in "أإآىةؤئیک")
_RARE = re.compile(f"[{''.join(chr(point) for point in _FOLD if chr(point) not in dict(_COMMON))}]")
_ODD = re.compile(f"[{re.escape(''.join(map(chr, _CLEAN)))}]")
#: What `clean` has to look at more closely, and most lines have not: shapes, joiners, odd ones.
_UNCLEAN = re.compile(
    f"[\ufb50-\ufdf9\ufe70-\ufefc\u200c\u200d{re.escape(''.join(map(chr, _CLEAN)))}]"
)
_DROPPED = re.compile(f"[{re.escape(''.join(map(chr, _DROP)))}]")
#: The same for text that has nothing but ASCII: words in small letters, the rest as spaces.
_ASCII = {n: chr(n).lower() if chr(n).isalnum() else _CLEAN.get(n, " ") for n in range(0x80)}
#: Mostly all else that a line of English has.
_SIGNS = "’“”‘–—…\u00a0"
#: A longer run of letters is no word and not worth remembering.
_LONG_WORD = 40
#: A page's stages ask for the key of one line many times. Longer texts are not remembered.
_LONG_LINE = 2_000
_NOT_WORD = re.compile(r"[\W_]+")
#: على (on) and علي (the name) must not become one word: على keeps its last letter.
_ALA = re.compile(r"(?<!\w)([وفأ]?)على(?!\w)")
_HELD, _ALEF_MAKSURA = "\ue000", "\u0649"
#: One sound, three ways to write it: مسؤول and مسئول, جاؤوا and جاءوا.
_HAMZA_BEFORE_WAW = re.compile("[ؤئء]و")
_ACCENTED = re.compile("[\u00c0-\u024f\u0300-\u036f\u1e00-\u1eff]")
#: What `search_key` folds and `match_key` does not, as it may be printed.
_SEARCHED_OTHERWISE = re.compile(
    f"[ئء][{re.escape(''.join(map(chr, _DROP)))}]*و|[\u00c0-\u024f\u0300-\u036f\u0653-\u0655]"
    "|[\u0675-\u0678\u1e00-\u1fff\u2100-\U0010ffff]"
)
_ACCENTS = dict.fromkeys(range(0x0300, 0x0370)) | {
    ord(a): b for a, b in zip("ıøłđØŁĐ", "ioldOLD", strict=True)
}


def clean(text: str) -> str:
    """Text as people read it: NFC, line breaks as "\\n", single spaces, nothing unseen.

    Joiners stay between two Arabic-script letters (Persian needs them); tatweel, harakat, hamza
    forms and digits stay as printed. Runs of blank lines become one line break.
    """
    if not _UNCLEAN.search(text) and "  " not in text:
        return unicodedata.normalize("NFC", text).strip()
    text = _SHAPES.sub(lambda m: unicodedata.normalize("NFKC", m.group()), text)
    text = unicodedata.normalize("NFC", text)
    text = _ODD.sub(lambda m: _CLEAN[ord(m.group())] or "", text)
    if "\u200c" in text or "\u200d" in text:
        text = _JOINER.sub(lambda m: m.group()[0] if _between_letters(m) else "", text)
    return _LINES.sub("\n", _BLANKS.sub(" ", text)).strip()


def clean_line(text: str) -> str:
    """`clean`, with line breaks as spaces."""
    return clean(text).replace("\n", " ")


def match_key(text: str) -> str:
    """The key that equal wordings share: words of folded letters, single spaces between.

    Folded: case, compatibility forms, marks, tatweel, joiners, hamza on its seat, alef maksura
    (but not in على), ta marbuta, Persian, Urdu and Kurdish letters, digits. Punctuation parts
    words. A lone hamza stays: dropping it makes different words equal.
    """
    return _line_key(text) if len(text) <= _LONG_LINE else _match_key(text)


def _match_key(text: str) -> str:
    if not text.isascii():
        for sign in _SIGNS:
            text = text.replace(sign, " ")
    if text.isascii():
        return " ".join(text.translate(_ASCII).split())
    return _folded(unmarked(text))


def search_key(text: str) -> str:
    """The key that search compares: `match_key`, and two spellings more.

    Folded too: the three seats of a hamza before waw (مسؤول, مسئول), accents of Latin letters.
    """
    text = _HAMZA_BEFORE_WAW.sub("وو", unmarked(text))
    if _ACCENTED.search(text):
        text = unicodedata.normalize(
            "NFKC", unicodedata.normalize("NFKD", text).translate(_ACCENTS)
        )
    return _folded(text)


def search_line_key(line: str) -> str:
    """`search_key` of a text's line, whose `match_key` was asked for before: most lines have
    nothing in which the two differ."""
    return search_key(line) if _SEARCHED_OTHERWISE.search(line) else match_key(line)


def unmarked(text: str) -> str:
    """Text in compatibility form without marks, tatweel, joiners and what is not seen."""
    text = unicodedata.normalize("NFKC", text)
    return _DROPPED.sub(lambda m: _DROP[ord(m.group())] or "", text)


def _folded(text: str) -> str:
    if "على" in text:
        text = _ALA.sub(rf"\1عل{_HELD}", text)
    for letter, folded in _COMMON:
        text = text.replace(letter, folded)
    text = _RARE.sub(lambda m: _FOLD[ord(m.group())], text)
    text = text.replace(_HELD, _ALEF_MAKSURA)
    return _NOT_WORD.sub(" ", text.casefold()).strip()


def word_key(word: str) -> str:
    """`match_key` of one word of a sentence: pages repeat words, so answers are remembered."""
    return _word_key(word) if len(word) <= _LONG_WORD else _match_key(word)


@lru_cache(maxsize=1 << 15)
def _word_key(word: str) -> str:
    return _match_key(word)


@lru_cache(maxsize=1 << 12)
def _line_key(text: str) -> str:
    return _match_key(text)


def has_arabic(text: str) -> bool:
    """Whether a letter of the Arabic script stands in it."""
    return _ARABIC_LETTER.search(text) is not None


def _between_letters(match: re.Match[str]) -> bool:
    text, start, end = match.string, match.start(), match.end()
    return (
        start > 0
        and end < len(text)
        and _ARABIC_LETTER.match(text[start - 1]) is not None
        and _ARABIC_LETTER.match(text[end]) is not None
    )
