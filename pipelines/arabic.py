"""Letters and digits of the Arabic script: what people read, and the key that machines match.

`clean` prepares text for people: it removes only what cannot be seen. `match_key` folds
spellings for hashing, near-duplicates, search and phrase tables, and is never shown.
"""

import re
import unicodedata
from functools import lru_cache

#: Stored beside every key. A change of `match_key` is a new version; stored keys are rebuilt.
KEY_VERSION = 1

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
_ODD = re.compile(f"[{re.escape(''.join(map(chr, _CLEAN)))}]")
_DROPPED = re.compile(f"[{re.escape(''.join(map(chr, _DROP)))}]")
#: A longer run of letters is no word and not worth remembering.
_LONG_WORD = 40
_NOT_WORD = re.compile(r"[\W_]+")
#: على (on) and علي (the name) must not become one word: على keeps its last letter.
_ALA = re.compile(r"(?<!\w)([وفأ]?)على(?!\w)")
_HELD, _ALEF_MAKSURA = "\ue000", "\u0649"


def clean(text: str) -> str:
    """Text as people read it: NFC, line breaks as "\\n", single spaces, nothing unseen.

    Joiners stay between two Arabic-script letters (Persian needs them); tatweel, harakat, hamza
    forms and digits stay as printed. Runs of blank lines become one line break.
    """
    text = _SHAPES.sub(lambda m: unicodedata.normalize("NFKC", m.group()), text)
    text = unicodedata.normalize("NFC", text)
    if _ODD.search(text):  # most lines have nothing to clean: looking is faster than translating
        text = text.translate(_CLEAN)
    if "\u200c" in text or "\u200d" in text:
        text = _JOINER.sub(lambda m: m.group()[0] if _between_letters(m) else "", text)
    return _LINES.sub("\n", _BLANKS.sub(" ", text)).strip()


def clean_line(text: str) -> str:
    """`clean`, with line breaks as spaces."""
    return clean(text).replace("\n", " ")


def western_digits(text: str) -> str:
    """Arabic-Indic and Persian digits as 0-9."""
    return text.translate(_DIGITS)


def match_key(text: str) -> str:
    """The key that equal wordings share: words of folded letters, single spaces between.

    Folded: case, compatibility forms, marks, tatweel, joiners, hamza on its seat, alef maksura
    (but not in على), ta marbuta, Persian, Urdu and Kurdish letters, digits. Punctuation parts
    words. A lone hamza stays: dropping it makes different words equal.
    """
    text = unicodedata.normalize("NFKC", text)
    if _DROPPED.search(text):
        text = text.translate(_DROP)
    if "على" in text:
        text = _ALA.sub(rf"\1عل{_HELD}", text)
    text = text.translate(_FOLD).replace(_HELD, _ALEF_MAKSURA)
    return _NOT_WORD.sub(" ", text.casefold()).strip()


def word_key(word: str) -> str:
    """`match_key` of one word of a sentence: pages repeat words, so answers are remembered."""
    return _word_key(word) if len(word) <= _LONG_WORD else match_key(word)


@lru_cache(maxsize=1 << 15)
def _word_key(word: str) -> str:
    return match_key(word)


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
