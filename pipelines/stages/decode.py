"""Bytes become text: which character set, and what to do where the page is wrong about it.

Bytes that are valid UTF-8 are UTF-8, whatever was declared: no other encoding of real text passes
for it by accident. For the rest the declarations count in the order of the web (byte order mark,
transport, <meta>), but each must agree with the bytes: Arabic pages of the windows-1256 age often
declare UTF-8 or ISO-8859-1, or nothing. Only a bounded sample is ever weighed; the whole page is
decoded at most a few times.
"""

import codecs
import re
import unicodedata
from dataclasses import dataclass

from charset_normalizer import from_bytes

from pipelines.document import RawPage, Reason
from pipelines.rejection import Reject

#: Encoding -> its labels, as the web reads them (WHATWG), and its codec in Python if that differs.
#: Labels that are not here are ignored, and so is UTF-7, which exists on the web to smuggle.
_ENCODINGS: dict[str, tuple[str, str]] = {
    "utf-8": ("unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf8 x-unicode20utf8", ""),
    "utf-16le": ("csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16-le", ""),
    "utf-16be": ("unicodefffe utf-16-be", ""),
    "utf-32le": ("utf-32 utf-32-le", ""),
    "utf-32be": ("utf-32-be", ""),
    "windows-1256": ("cp1256 x-cp1256 windows1256 ms-arab", "cp1256"),
    "iso-8859-6": (
        "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6-e "
        "iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987",
        "",
    ),
    "cp720": ("dos-720 ibm720", ""),
    "ibm864": ("cp864 csibm864", "cp864"),
    "x-mac-arabic": ("mac-arabic macarabic", "mac_arabic"),
    "windows-1252": (
        "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 "
        "iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 latin-1 us-ascii x-cp1252 x-user-defined",
        "cp1252",
    ),
    "windows-1250": ("cp1250 x-cp1250", "cp1250"),
    "windows-1251": ("cp1251 x-cp1251", "cp1251"),
    "windows-1253": ("cp1253 x-cp1253", "cp1253"),
    "windows-1254": (
        "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 "
        "l5 latin5 x-cp1254",
        "cp1254",
    ),
    "windows-1255": ("cp1255 x-cp1255", "cp1255"),
    "windows-1257": ("cp1257 x-cp1257", "cp1257"),
    "windows-1258": ("cp1258 x-cp1258", "cp1258"),
    "windows-874": ("dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 cp874", "cp874"),
    "ibm866": ("866 cp866 csibm866", "cp866"),
    "iso-8859-2": (
        "csisolatin2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2",
        "",
    ),
    "iso-8859-3": ("csisolatin3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 l3 latin3", ""),
    "iso-8859-4": ("csisolatin4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 l4 latin4", ""),
    "iso-8859-5": ("csisolatincyrillic cyrillic iso-ir-144 iso8859-5 iso88595 iso_8859-5", ""),
    "iso-8859-7": (
        "csisolatingreek ecma-118 elot_928 greek greek8 iso-ir-126 iso8859-7 iso88597 iso_8859-7 "
        "sun_eu_greek",
        "",
    ),
    "iso-8859-8": (
        "csiso88598e csisolatinhebrew hebrew iso-8859-8-e iso-ir-138 iso8859-8 iso88598 "
        "iso_8859-8 visual csiso88598i iso-8859-8-i logical",
        "",
    ),
    "iso-8859-10": ("csisolatin6 iso-ir-157 iso8859-10 iso885910 l6 latin6", ""),
    "iso-8859-13": ("iso8859-13 iso885913", ""),
    "iso-8859-14": ("iso8859-14 iso885914", ""),
    "iso-8859-15": ("csisolatin9 iso8859-15 iso885915 iso_8859-15 l9 latin9", ""),
    "iso-8859-16": ("iso8859-16 iso885916", ""),
    "koi8-r": ("cskoi8r koi koi8 koi8_r", ""),
    "koi8-u": ("koi8-ru", ""),
    "macintosh": ("csmacintosh mac x-mac-roman", "mac_roman"),
    "x-mac-cyrillic": ("x-mac-ukrainian", "mac_cyrillic"),
    "gb18030": ("gbk chinese csgb2312 gb2312 gb_2312 gb_2312-80 iso-ir-58 x-gbk", ""),
    "big5": ("big5-hkscs cn-big5 csbig5 x-x-big5", "big5hkscs"),
    "euc-jp": ("cseucpkdfmtjapanese x-euc-jp", ""),
    "iso-2022-jp": ("csiso2022jp", ""),
    "shift_jis": ("csshiftjis ms932 ms_kanji shift-jis sjis windows-31j x-sjis cp932", "cp932"),
    "euc-kr": (
        "cseuckr csksc56011987 iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 "
        "windows-949 cp949",
        "cp949",
    ),
}
_NAMES = {label: name for name, (all_, _) in _ENCODINGS.items() for label in [name, *all_.split()]}
_CODECS = {name: codec or name for name, (_, codec) in _ENCODINGS.items()}

#: Tried on bytes that are not UTF-8, the likely one first.
_ARABIC = ("windows-1256", "iso-8859-6", "cp720")
#: What the general detection may answer: a long list only makes it guess.
_OTHERS = re.findall(
    r"\S+",
    "cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp874 iso8859_2 iso8859_5 iso8859_6 "
    "iso8859_7 iso8859_15 koi8_r cp866 gb18030 big5 cp932 euc_jp cp949",
)

_BOMS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32le"),
    (codecs.BOM_UTF32_BE, "utf-32be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16le"),
    (codecs.BOM_UTF16_BE, "utf-16be"),
)

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF-", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive or an Office document"),
    (0, b"PK\x05\x06", "an empty ZIP archive"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document"),
    (0, b"{\\rtf", "an RTF document"),
    (0, b"%!PS-Adobe", "a PostScript document"),
    (0, b"\x89PNG\r\n", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"GIF87a", "a GIF image"),
    (0, b"GIF89a", "a GIF image"),
    (0, b"II*\x00", "a TIFF image"),
    (0, b"MM\x00*", "a TIFF image"),
    (0, b"\x00\x00\x01\x00", "an icon"),
    (8, b"WEBPVP8", "a WebP image"),
    (4, b"ftyp", "a video or an AVIF image"),
    (8, b"AVI LIST", "a video"),
    (8, b"WAVEfmt ", "a sound"),
    (0, b"ID3\x03", "an MP3 sound"),
    (0, b"ID3\x04", "an MP3 sound"),
    (0, b"OggS\x00", "a sound or a video"),
    (0, b"\x1aE\xdf\xa3", "a video"),
    (0, b"wOFF", "a font"),
    (0, b"wOF2", "a font"),
    (0, b"\x1f\x8b\x08", "gzip data"),
    (0, b"BZh91AY&SY", "bzip2 data"),
    (0, b"\xfd7zXZ\x00", "xz data"),
    (0, b"\x28\xb5\x2f\xfd", "zstd data"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x7fELF", "a program"),
    (0, b"SQLite format 3\x00", "an SQLite database"),
    (0, b"PAR1", "a Parquet file"),
)

_HEAD = 16_384  # bytes in which a page may declare its charset; browsers look at 1,024 and more
_META = re.compile(
    rb"<meta[\s/][^>]{0,600}?\bcharset\s{0,9}=\s{0,9}[\"']?\s{0,9}([\w.:-]{1,40})", re.IGNORECASE
)
_XML = re.compile(rb"<\?xml\s[^>]{0,200}?\bencoding\s{0,9}=\s{0,9}[\"']([\w.:-]{1,40})")

_HIGH = bytes(range(0x80, 0x100))
_ODD_CONTROLS = bytes([*range(1, 9), *range(0x0E, 0x1B), *range(0x1C, 0x20), 0x7F])
#: Bytes of UTF-8 that begin Latin letters with accents, and those that begin tah and zah: text
#: that was encoded twice has many of them.
_LATIN_LEAD, _TAH_LEAD = b"\xc3", b"\xd8"
#: All but those and odd controls: one look at the page finds the few bytes that are left.
_TELLING_NOTHING = bytes(set(range(256)).difference(_ODD_CONTROLS, _LATIN_LEAD, _TAH_LEAD))
_HIGH_RUN = re.compile(rb"[\x80-\xff]+(?: [\x80-\xff]+)*")
_SAMPLE = 16_000  # bytes beyond ASCII that are weighed

_LETTERS = "\u0621-\u063a\u0640-\u0652\u0670\u0679\u067e\u0686\u0688\u0691\u0698\u06a9\u06af"
_LETTERS += "\u06ba\u06be\u06c1\u06cc\u06d2\u200c\u200d"
_PUNCTUATION = "،؛؟«»\u201c\u201d\u2018\u2019\u2013\u2014\u2026\u2022\u00b7\u00a0\u066a\u00ad"
_TOKEN = re.compile(f"[^\\s{_PUNCTUATION}]{{2,}}")
_WORD = re.compile(f"[{_LETTERS}]+")
#: In a token that is no word: a letter, mark, lost byte or control that should not be there.
_FOREIGN = re.compile("[\u0621-\u0652\u067e-\u06d2\ufffd\x80-\x84\x86-\x9f]")
_ARABIC_LETTER = re.compile("[\u0621-\u064a\u067e-\u06d2]")
#: Ta marbuta and alef maksura end words; inside one they betray a wrong table.
_INNER_FINAL = re.compile("[ةى][\u0621-\u0628\u062a-\u063a\u0641-\u0648\u064a]")
_ARTICLE = ("ال", "وال", "بال", "لل", "فال", "كال", "ولل")
#: The commonest words of Arabic, Persian and Urdu as legacy tables spell them. They measure
#: whether a table yields language, and mean nothing else.
_COMMON = frozenset(
    re.findall(
        r"\S+",
        "في من على إلى الى عن أن ان إن مع هذا هذه التي الذي ما لا لم كما بعد قبل كان كانت قال قد "
        "أو او بين ذلك حيث خلال منذ حتى هو هي وقال وفي ومن عام كل يوم غير أي به له لها بها فيها "
        "عليه "
        "به که كه در از اين این را است با براي برای يك یک شد شده ها می مي خود نيز آن هم تا بر "
        "کے کي کی كي كے میں سے کو ہے ہیں نے کا پر اور یہ وہ بھی اس ہو تھا",
    )
)

_WESTERN = "àáâãäåæçèéêëìíîïñòóôõöøùúûüœßÀÁÂÄÅÇÈÉÊËÍÎÑÓÔÖØÚÛÜ«»“”‘’–—…°€ºª¡¿·\u00a0".encode(
    "cp1252"
)

_SUSPECT = 200_000  # characters looked at before a repair of double encoding is tried at all
_LATIN_RUN = re.compile("[\u00c0-\u00ff]{3,}")
_LATIN_RUNS = 4
_LATIN = re.compile("[\u00c0-\u00ff]")
_PIECES = re.compile("([<>\n]+)")
_C1 = re.compile("[\x80-\x84\x86-\x9f]")  # U+0085 is a line break

#: windows-1252 as browsers read it, and ISO-8859-1 beside it: both are met in double encoding.
_LATIN_BYTES = {n: n for n in range(0x100)} | {
    ord(bytes([n]).decode("cp1252")): n
    for n in range(0x80, 0xA0)
    if n not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a page. `charset` is the encoding that its bytes really are in.

    Flags: `replacement_characters` (the text holds U+FFFD), `nul_bytes_removed`,
    `mojibake_repaired` (it was encoded twice), `charset_corrected` (another one was declared),
    `charset_guessed` (the general detection chose it: likely, not certain).
    """

    text: str
    charset: str
    flags: tuple[str, ...] = ()


def decode(raw: RawPage) -> Decoded:
    """Text of a page's bytes; raises `Reject` (EMPTY, BINARY or UNDECODABLE)."""
    body = raw.body
    if not body or body.isspace():
        size = f"{len(body)} bytes, all white space" if body else "0 bytes"
        raise Reject("decode", Reason.EMPTY, size)
    marked, body = _byte_order_mark(body)
    if marked is None or marked == "utf-8":
        _refuse_magic(body)
    flags: list[str] = []
    wide = marked if marked not in (None, "utf-8") else _wide(body)
    if wide is not None:
        text, charset = body.decode(_CODECS[wide], "replace"), wide
        if "\x00" in text:
            text = text.replace("\x00", "")
            flags.append("nul_bytes_removed")
    else:
        body = _without_nuls(body, flags)
        telling = body.translate(None, _TELLING_NOTHING)
        _refuse_controls(body, telling)
        stated = [marked, known_charset(raw.charset)]
        if raw.media_type != "text/plain":
            stated.append(_in_page(body))
        declared = [charset for charset in stated if charset is not None]
        text, charset, guessed = _narrow(body, declared)
        if guessed:
            flags.append("charset_guessed")
        accented = telling.count(_LATIN_LEAD) >= 3 or charset != "utf-8"
        arabic = telling.count(_TAH_LEAD) >= 3 or charset != "utf-8"
        text, repaired = _repair(text, accented) if accented or arabic else (text, False)
        if repaired:
            flags.append("mojibake_repaired")
        if declared and charset != declared[0] and not body.isascii():
            flags.append("charset_corrected")
    if text.startswith("\ufeff"):
        text = text[1:]
    replaced = text.count("\ufffd") if "\ufffd" in text else 0  # looking is quicker
    if replaced:
        flags.append("replacement_characters")
    if not text.strip(" \t\r\n\v\f\u00a0\u200b\u200e\u200f\ufeff\u2028\u2029"):
        raise Reject("decode", Reason.EMPTY, f"{len(raw.body)} bytes, nothing to be seen in them")
    if replaced:
        visible = len(text) - text.count(" ") - text.count("\n")
        if replaced > 0.3 * visible:
            lost = f"{replaced} of {visible} characters are lost"
            raise Reject("decode", Reason.UNDECODABLE, lost)
    return Decoded(text, charset, tuple(sorted(flags)))


def known_charset(label: str | None) -> str | None:
    """The web's name of the encoding with this label ("latin1" is windows-1252), or None."""
    return _NAMES.get(label.strip(" \t\r\n\"'").lower()) if label else None


def _byte_order_mark(body: bytes) -> tuple[str | None, bytes]:
    for mark, charset in _BOMS:
        if body.startswith(mark):
            return charset, body[len(mark) :]
    return None, body


def _refuse_magic(body: bytes) -> None:
    for at, magic, what in _MAGIC:
        if body.startswith(magic, at):
            raise Reject("decode", Reason.BINARY, f"it is {what}")


def _in_page(body: bytes) -> str | None:
    """What the page declares of itself, outside of comments."""
    head = body[:_HEAD]
    xml = _XML.match(head.lstrip())
    kept, at = [], 0
    while (start := head.find(b"<!--", at)) >= 0:
        kept.append(head[at:start])
        end = head.find(b"-->", start + 4)
        at = len(head) if end < 0 else end + 3
    kept.append(head[at:])
    for found in [*_META.finditer(b"".join(kept)), *([xml] if xml else [])]:
        charset = known_charset(found[1].decode("ascii"))
        if charset is not None and charset.startswith("utf-"):
            return "utf-8"  # a page whose declaration reads as ASCII can't be in UTF-16
        if charset is not None:
            return charset
    return None


def _wide(body: bytes) -> str | None:
    """UTF-16 or UTF-32 without its mark, seen by the zero and block bytes in every second place."""
    sample = body[:_HEAD]
    if len(sample) < 4 or not (b"\x00" in sample or b"\x06" in sample):
        return None
    quarters = [sample[n::4] for n in range(4)]
    zeros = [part.count(0) / max(1, len(part)) for part in quarters]
    if zeros[3] > 0.98 and zeros[2] > 0.95 and zeros[0] < 0.2:
        guess = "utf-32le"
    elif zeros[0] > 0.98 and zeros[1] > 0.95 and zeros[3] < 0.2:
        guess = "utf-32be"
    else:
        # Blocks of 256: Latin 00-02, Greek, Cyrillic, Hebrew, Arabic, punctuation, Arabic shapes.
        low, high = sample[0::2], sample[1::2]
        blocks = bytes([*range(8), 0x20, 0xFB, 0xFC, 0xFD, 0xFE])
        controls = bytes(range(8))
        in_low, in_high = _share(low, blocks), _share(high, blocks)
        if in_high > 0.9 and in_low < 0.6 and _share(high, controls) > 0.5:
            guess = "utf-16le"
        elif in_low > 0.9 and in_high < 0.6 and _share(low, controls) > 0.5:
            guess = "utf-16be"
        else:
            return None
    text = sample[: len(sample) // 4 * 4].decode(_CODECS[guess], "replace")[:3000]
    odd = sum(unicodedata.category(c) in ("Cc", "Cn", "Co", "Cs") for c in text)
    odd += text.count("\ufffd") - sum(map(text.count, "\t\r\n\f\x00"))
    return guess if odd <= 0.02 * len(text) else None


def _share(part: bytes, of: bytes) -> float:
    return 1 - len(part.translate(None, of)) / max(1, len(part))


def _without_nuls(body: bytes, flags: list[str]) -> bytes:
    """The body without NUL bytes; BINARY if they are too many."""
    if b"\x00" in body:
        # A crashed writer leaves a tail of zeros: that says nothing of the text before it.
        stripped = body.strip(b"\x00")
        kept = stripped.replace(b"\x00", b"")
        if not kept or len(stripped) - len(kept) > 0.1 * len(stripped):
            raise Reject(
                "decode", Reason.BINARY, f"{len(body) - len(kept)} of {len(body)} bytes are zero"
            )
        body = kept
        flags.append("nul_bytes_removed")
    return body


def _refuse_controls(body: bytes, telling: bytes) -> None:
    controls = len(telling) - telling.count(_LATIN_LEAD) - telling.count(_TAH_LEAD)
    if controls > 0.04 * len(body):
        raise Reject(
            "decode", Reason.BINARY, f"{controls} of {len(body)} bytes are control characters"
        )
    if not body or body.isspace():
        raise Reject("decode", Reason.EMPTY, "only zero bytes and white space")


def _narrow(body: bytes, declared: list[str]) -> tuple[str, str, bool]:
    """Text and charset of bytes that are not in UTF-16 or UTF-32, and whether that is a guess."""
    if "iso-2022-jp" in declared and b"\x1b" in body:
        return body.decode("iso2022_jp", "replace"), "iso-2022-jp", False
    try:
        text = body.decode("utf-8")
        return text, "utf-8", False
    except UnicodeDecodeError as error:
        cut = error.reason == "unexpected end of data" and error.end == len(body)
        if cut and not body[: error.start].isascii():
            return body[: error.start].decode("utf-8") + "\ufffd", "utf-8", False
    # Characters beyond ASCII that are whole against those that are not.
    damaged = body.decode("utf-8", "replace")
    bad = damaged.count("\ufffd") - body.count(b"\xef\xbf\xbd")
    whole = len(damaged) - len(body.translate(None, _HIGH)) - bad
    damage = bad / (bad + whole)
    sample, in_latin = _beyond_ascii(body)
    scores = {} if in_latin else {name: _weigh(sample, name) for name in _ARABIC}
    fitting = {name: weight.language for name, weight in scores.items() if weight.fits}
    if fitting:
        name = next((n for n in declared if n in fitting), max(fitting, key=fitting.__getitem__))
        return body.decode(_CODECS[name], "replace"), name, False
    if damage <= 0.2:
        return damaged, "utf-8", False
    for name in declared:
        if name in scores or name.startswith("utf-"):
            continue  # they had their chance above
        text = body.decode(_CODECS[name], "replace")
        if _fits(text, bad + whole):
            return text, name, False
    for name in [*declared, *scores]:
        # Too short or too odd for common words, but little or nothing contradicts the table.
        weighed = scores.get(name)
        if weighed and (
            (name in declared and weighed.broken <= 0.3)
            or (weighed.broken == 0 and weighed.words >= 3)
        ):
            return body.decode(_CODECS[name], "replace"), name, False
    guess = "windows-1252" if in_latin and _is_western(sample) else _detect(body)
    if guess is not None:
        text = body.decode(_CODECS[guess], "replace")
        if _fits(text, bad + whole):
            return text, guess, True
    if damage <= 0.4:
        return damaged, "utf-8", False
    said = f" (declared: {', '.join(declared)})" if declared else ""
    raise Reject(
        "decode", Reason.UNDECODABLE, f"no character set fits{said}; state it in a manifest"
    )


@dataclass(frozen=True, slots=True)
class _Weight:
    """How much like Arabic script a sample looks in one table."""

    words: int
    language: float  # share of common words and of words with the article, less twice the broken
    broken: float  # share of words that mix scripts, hold symbols or break spelling

    @property
    def fits(self) -> bool:
        return self.language >= 0.12 and self.broken <= 0.1


def _beyond_ascii(body: bytes) -> tuple[bytes, bool]:
    """The first runs of bytes beyond ASCII with a space between, and whether they stand in words.

    No more than `_SAMPLE` bytes. In words: most of them touch a Latin letter, as accents do, and
    as no letter of another script does.
    """
    runs: list[bytes] = []
    size = touching = 0
    for found in _HIGH_RUN.finditer(body):
        run = found.group()[: _SAMPLE - size]
        runs.append(run)
        size += len(run)
        before, after = (
            body[max(0, found.start() - 1) : found.start()],
            body[found.end() : found.end() + 1],
        )
        touching += before.isalpha() or after.isalpha()
        if size >= _SAMPLE:
            break
    return b" ".join(runs), touching > 0.4 * len(runs)


def _is_western(sample: bytes) -> bool:
    """Whether accents are those of western Europe: the general detection mixes up its tables."""
    letters = sample.replace(b" ", b"")
    return len(letters.translate(None, _WESTERN)) <= 0.03 * len(letters)


def _weigh(sample: bytes, charset: str) -> _Weight:
    words = known = broken = 0
    for token in _TOKEN.findall(sample.decode(_CODECS[charset], "replace")):
        if _WORD.fullmatch(token) and _ARABIC_LETTER.search(token):
            words += 1
            if token in _COMMON or (len(token) > 3 and token.startswith(_ARTICLE)):
                known += 1
            if _INNER_FINAL.search(token):
                broken += 1
        elif _FOREIGN.search(token):
            words += 1
            broken += 1
    if not words:
        return _Weight(0, 0.0, 1.0)
    return _Weight(words, (known - 2 * broken) / words, broken / words)


def _fits(text: str, beyond_ascii: int) -> bool:
    """Whether no more than a hundredth of the bytes beyond ASCII came out as nothing readable."""
    return text.count("\ufffd") + len(_C1.findall(text)) <= 0.01 * beyond_ascii


def _detect(body: bytes) -> str | None:
    """The general detection, on a window around the first bytes beyond ASCII."""
    first = _HIGH_RUN.search(body)
    start = max(0, first.start() - 100) if first else 0
    match = from_bytes(
        body[start : start + 12_000], cp_isolation=_OTHERS, enable_fallback=False
    ).best()
    if match is None:
        return None
    name = match.encoding
    return known_charset(name) or known_charset(name.replace("_", "-"))


def _repair(text: str, may_be_accented: bool) -> tuple[str, bool]:
    """Undo double encoding: UTF-8 that was read as another table and written as UTF-8 again."""
    head = text[:_SUSPECT]
    if head.isascii():
        return text, False
    tah = head.count("ط") + head.count("ظ")  # D8 and D9, which begin most Arabic letters in UTF-8
    usual = 0
    for letter in "اليمون" if tah >= 4 else "":  # most letters of a text that is in order
        usual += head.count(letter)
        if tah <= 0.3 * usual:
            break  # one letter mostly settles it
    if tah >= 4 and tah > 0.3 * usual and tah > 0.3 * len(_ARABIC_LETTER.findall(head)):
        return _back_to_bytes(text, "طظ", cp1256=True)
    accented = head.encode("utf-8", "replace").count(_LATIN_LEAD) if may_be_accented else 0
    if accented < 3:
        return text, False
    leads = sum(map(head.count, "ØÙÚÛÃÐÑ"))
    latin = len(_LATIN.findall(head)) if leads >= 3 else 0
    if leads >= 3 and leads > 0.3 * latin:
        repaired = _back_to_bytes(text, "ØÙÚÛÃÐÑ", cp1256=False)
        if repaired[1]:
            return repaired
    if (
        accented >= 3 * _LATIN_RUNS
        and len(_LATIN_RUN.findall(head)) >= _LATIN_RUNS
        and len(_ARABIC_LETTER.findall(head)) < 0.1 * latin + 20
    ):
        return _from_latin(text)
    return text, False


def _back_to_bytes(text: str, signs: str, *, cp1256: bool) -> tuple[str, bool]:
    """UTF-8 out of what one table made of its bytes.

    The whole text if it goes back exactly, else every piece between tags that does: a page often
    adds a sign or two of its own that were encoded once.
    """
    repaired = _reread(text, cp1256=cp1256)
    if repaired is None:
        # The head shows whether the pieces are worth it.
        head = text[:_SUSPECT]
        if not _gone(signs, head, _by_pieces(head, cp1256=cp1256)):
            return text, False
        repaired = _by_pieces(text, cp1256=cp1256)
    return (repaired, True) if _gone(signs, text, repaired) else (text, False)


def _by_pieces(text: str, *, cp1256: bool) -> str:
    return "".join(_reread(piece, cp1256=cp1256) or piece for piece in _PIECES.split(text))


def _gone(signs: str, before: str, after: str) -> bool:
    """Whether the letters that gave double encoding away have all but vanished."""
    return sum(map(after.count, signs)) <= 0.2 * sum(map(before.count, signs))


def _reread(piece: str, *, cp1256: bool) -> str | None:
    if piece.isascii():
        return piece
    try:
        was = piece.encode("cp1256") if cp1256 else _latin_bytes(piece)
        return was.decode("utf-8")
    except UnicodeError:
        return None


def _from_latin(text: str) -> tuple[str, bool]:
    """Arabic out of its single bytes that were read as windows-1252 or ISO-8859-1."""
    try:
        body = _latin_bytes(text)
    except UnicodeError:
        return text, False
    sample, _ = _beyond_ascii(body)
    for name in ("windows-1256", "iso-8859-6"):
        if _weigh(sample, name).fits:
            return body.decode(_CODECS[name], "replace"), True
    return text, False


def _latin_bytes(text: str) -> bytes:
    return codecs.charmap_encode(text, "strict", _LATIN_BYTES)[0]
