"""Bytes become text: declared rightly, wrongly or not at all, damaged, or no text."""

import codecs
import json
import random
import time
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.document import RawPage, Reason
from pipelines.rejection import Reject
from pipelines.stages.decode import Decoded, decode, known_charset

#: Letters, marks and punctuation that all the tables of Arabic have.
ARABIC = (
    "أعلنت وزارة التعليم أن الامتحانات ستبدأ في الأسبوع المقبل، وقال المتحدث إن القاعات جاهزة. "
    "وأضاف أن عدد الطلاب هذا العام أكبر من كل الأعوام السابقة؛ فهل تكفي المدارس الجديدة؟ "
    "ولم يذكر المسؤول موعدا لإعلان النتائج على الموقع الإلكتروني.\n"
)
PERSIAN = (
    "رئيس جمهور گفت که اين برنامه از هفته آينده در همه شهرها اجرا مي شود و چند ماه طول مي کشد."
)
FRENCH = "Le ministère a été chargé de préparer une réforme très attendue à l'école où l'été dure."
RUSSIAN = "Министерство сообщило, что новые школы откроются осенью, а старые будут ждать ремонта."


def read(body: bytes, charset: str | None = None, media_type: str = "text/plain") -> Decoded:
    return decode(RawPage(body, charset=charset, media_type=media_type))


def refused(body: bytes, media_type: str = "text/html") -> Reason:
    with pytest.raises(Reject) as caught:
        decode(RawPage(body, media_type=media_type))
    assert caught.value.stage == "decode"
    assert caught.value.detail
    assert "\n" not in caught.value.detail
    return caught.value.reason


# --- which charset ----------------------------------------------------------------------------

DECLARED = [None, "utf-8", "iso-8859-1", "windows-1252", "windows-1256", "iso-8859-6", "nonsense"]


@pytest.mark.parametrize("declared", DECLARED)
@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("cp1256", "windows-1256"),
        ("iso8859_6", "iso-8859-6"),
        ("utf-16", "utf-16le"),
        ("utf-16-le", "utf-16le"),
        ("utf-16-be", "utf-16be"),
        ("utf-32", "utf-32le"),
        ("utf-32-be", "utf-32be"),
    ],
)
def test_arabic_is_read_whatever_was_declared(codec: str, name: str, declared: str | None) -> None:
    decoded = read(ARABIC.encode(codec), declared)
    assert decoded.text == ARABIC
    assert decoded.charset == name
    html = f'<html><head><meta charset="{declared}"></head><body><p>{ARABIC}</p></body></html>'
    decoded = read(html.encode(codec), None, "text/html")
    assert decoded.text == html
    assert decoded.charset == name


def test_a_wrong_declaration_is_flagged_and_a_right_one_is_not() -> None:
    body = ARABIC.encode("cp1256")
    assert read(body, "utf-8").flags == ("charset_corrected",)
    assert read(body, "windows-1256").flags == ()
    assert read(body).flags == ()
    assert read(b"plain ascii text", "windows-1256").flags == ()


@pytest.mark.parametrize(
    ("text", "codec", "name"),
    [
        (PERSIAN, "cp1256", "windows-1256"),
        (FRENCH, "cp1252", "windows-1252"),
        (RUSSIAN, "cp1251", "windows-1251"),
        (RUSSIAN, "koi8_r", "koi8-r"),
        ("Η κυβέρνηση ανακοίνωσε ότι τα νέα σχολεία θα ανοίξουν το φθινόπωρο.",
         "cp1253", "windows-1253"),
        ("Bakanlık yeni okulların sonbaharda açılacağını ve öğrencilerin geldiğini bildirdi.",
         "cp1254", "windows-1254"),
        ("המשרד הודיע כי בתי הספר החדשים ייפתחו בסתיו והישנים ימתינו לתיקון.",
         "cp1255", "windows-1255"),
        ("El año pasado la señora pidió más atención; el niño comió después en el jardín.",
         "cp1252", "windows-1252"),
        ("政府昨天宣布新的学校将在秋天开学，旧的学校还在等待修理。", "gb18030", "gb18030"),
        ("政府は昨日、新しい学校が秋に開校すると発表した。", "cp932", "shift_jis"),
    ],
)  # fmt: skip
def test_other_languages_declared_and_undeclared(text: str, codec: str, name: str) -> None:
    body = (text * 3).encode(codec)
    assert read(body, name).text == text * 3
    assert read(body, name).charset == name
    assert "charset_guessed" not in read(body, name).flags
    undeclared = read(body)
    assert undeclared.text == text * 3
    assert ("charset_guessed" in undeclared.flags) is (text != PERSIAN)
    html = f"<html><meta http-equiv='Content-Type' content='text/html; charset={name}'>{text * 3}"
    assert text in read(html.encode(codec), None, "text/html").text


@pytest.mark.parametrize(
    "head",
    [
        '<meta charset="windows-1256">',
        "<meta charset=windows-1256>",
        "<META HTTP-EQUIV=Content-Type CONTENT='text/html; Charset = Windows-1256 '>",
        '<!-- <meta charset="koi8-r"> --><meta\nname="x" content="y"><meta charset="cp1256"/>',
        '<?xml version="1.0" encoding="windows-1256"?>',
        f"<script>{'x' * 5000}</script><meta charset='windows-1256'>",
    ],
)
def test_declarations_in_the_page_are_found(head: str) -> None:
    # Words that no list of common ones holds: only the declaration can decide.
    body = (head + "<p>درجة ساخنة</p>").encode("cp1256")
    decoded = read(body, None, "text/html")
    assert "درجة ساخنة" in decoded.text
    assert decoded.charset == "windows-1256"


def test_accents_in_latin_words_are_not_arabic() -> None:
    czech = "Příští zářijový týden se vláda sejde a řídící výbor návrh přijme. "
    assert read((czech * 3).encode("cp1250")).charset not in ("windows-1256", "iso-8859-6")
    assert read((czech * 3).encode("cp1250"), "windows-1250").text == czech * 3


def test_transport_goes_before_the_page() -> None:
    text = "<meta charset='windows-1251'><p>Ünal, Göz, Şen</p>"
    assert read(text.encode("cp1254"), "iso-8859-9", "text/html").text == text


def test_labels_are_those_of_the_web() -> None:
    assert known_charset("ISO-8859-1") == "windows-1252"
    assert known_charset(" 'latin1' ") == "windows-1252"
    assert known_charset("gb2312") == "gb18030"
    assert known_charset("arabic") == "iso-8859-6"
    for label in (
        "utf-7",
        "hex",
        "rot13",
        "idna",
        "punycode",
        "unicode_escape",
        "",
        None,
        "x" * 99,
    ):
        assert known_charset(label) is None


def test_every_encoding_that_can_be_declared_exists() -> None:
    for label in ("utf-8", "ibm864", "x-mac-arabic", "cp720", "big5", "euc-kr", "iso-2022-jp"):
        name = known_charset(label)
        assert name is not None
        text = "A plain line of ASCII."
        assert read(text.encode(), name).text == text
    from pipelines.stages import decode as module

    for codec in module._CODECS.values():
        assert codecs.lookup(codec)._is_text_encoding
    for codec in module._OTHERS:
        assert known_charset(codec) or known_charset(codec.replace("_", "-")), codec


@pytest.mark.parametrize("codec", ["cp1256", "iso8859_6"])
def test_a_short_text_in_arabic_bytes(codec: str) -> None:
    for text in ("قال الوزير إن العمل بدأ", "عاجل: وفاة رئيس الوزراء"):
        assert read(text.encode(codec)).text == text


# --- double encoding --------------------------------------------------------------------------


def browser_latin(body: bytes) -> str:
    """windows-1252 as browsers read it: its five holes are control characters."""
    return "".join(bytes([n]).decode("cp1252", "ignore") or chr(n) for n in body)


@pytest.mark.parametrize("as_html", [True, False])
@pytest.mark.parametrize("text", [ARABIC, PERSIAN * 2])
def test_text_that_was_encoded_twice_is_repaired(text: str, as_html: bool) -> None:
    if as_html:
        text = f"<html><head><title>{text}</title></head><body><p>{text}</p></body></html>"
    utf8 = text.encode()
    for twice in (
        utf8.decode("cp1256"),
        utf8.decode("latin-1"),
        browser_latin(utf8),
        text.encode("cp1256").decode("latin-1"),
        browser_latin(text.encode("cp1256")),
    ):
        decoded = read(twice.encode(), "utf-8", "text/html")
        assert decoded.text == text
        assert decoded.flags == ("mojibake_repaired",)
        assert decoded.charset == "utf-8"


def test_what_a_page_adds_of_its_own_does_not_prevent_the_repair() -> None:
    twice = f"<p>{ARABIC}</p>".encode().decode("cp1256") + "<p>© ✓ موقع</p>"
    decoded = read(twice.encode(), None, "text/html")
    assert decoded.text == f"<p>{ARABIC}</p><p>© ✓ موقع</p>"


@pytest.mark.parametrize(
    "text",
    [
        ARABIC,
        FRENCH,
        "ظروف الطقس: ضغط وطقس وحظ وظل وطبيب وطائرة ومطار ونظام",  # rich in the telltale letters
        "ÇA, ÉTÉ, ÀÉÈÊ, ÛÙÜ, ØRSTED: ÆØÅ ÆØÅ ÆØÅ ÐÑÒÓ",
        "Çáí ÇãÉ is not Arabic",
        "Þetta er íslenska með þéttum stöfum: áðúó þæöð ýíéá",
    ],
)
def test_right_text_is_not_repaired(text: str) -> None:
    decoded = read((text * 4).encode())
    assert decoded.text == text * 4
    assert decoded.flags == ()


# --- damage -----------------------------------------------------------------------------------


def test_small_damage_of_utf8_stays_utf8_and_is_flagged() -> None:
    body = bytearray((ARABIC * 20).encode())
    for at in range(100, len(body), 1500):
        body[at] = 0xFF
    for declared in (None, "utf-8", "windows-1256"):
        decoded = read(bytes(body), declared)
        assert decoded.charset == "utf-8"
        assert "replacement_characters" in decoded.flags
        assert 0 < decoded.text.count("\ufffd") < 30
    cut = (ARABIC * 3).encode().rstrip()
    decoded = read(cut[:-30] + cut[-30:-1] if cut[-1] > 127 else cut[:-2])
    assert decoded.charset == "utf-8"


@pytest.mark.parametrize("text", ["مرحبا", ARABIC])
def test_text_that_is_cut_in_a_character(text: str) -> None:
    body = text.strip(" .\n").encode()
    decoded = read(body[:-1])
    assert decoded == Decoded(
        text.strip(" .\n")[:-1] + "\ufffd", "utf-8", ("replacement_characters",)
    )


def test_replacement_characters_of_the_page_are_kept_and_flagged() -> None:
    assert read("نص فيه \ufffd حرف ضائع".encode()).flags == ("replacement_characters",)
    assert refused(("\ufffd" * 50 + "نص").encode()) is Reason.UNDECODABLE


def test_a_few_stray_bytes_in_windows_1256_text() -> None:
    body = (ARABIC * 5).encode("iso8859_6").replace(b".", b".\xff")
    assert "أعلنت وزارة التعليم" in read(body).text


def test_nul_bytes_are_removed_and_flagged() -> None:
    for codec in ("utf-8", "cp1256", "utf-16-le"):
        body = (ARABIC.replace("الأسبوع", "الأس\0بوع")).encode(codec)
        decoded = read(body)
        assert decoded.text == ARABIC
        assert decoded.flags == ("nul_bytes_removed",)
    padded = read(ARABIC.encode() + bytes(100_000))  # a crashed writer's file
    assert padded.text == ARABIC
    assert padded.flags == ("nul_bytes_removed",)


# --- no text ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [b"", b" \r\n\t\n", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, "\ufeff \u200f\u00a0\n".encode(),
     " \n \n".encode("utf-16")],
)  # fmt: skip
def test_nothing_to_be_seen_is_empty(body: bytes) -> None:
    assert refused(body) is Reason.EMPTY


@pytest.mark.parametrize(
    "body",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(range(256)),
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3 text follows",
        b"PK\x03\x04\x14\0\0\0 word/document.xml",
        b"GIF89a hello",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"\x1f\x8b\x08\0 packed",
        b"\0\0\0\x20ftypisom",
        random.Random(1).randbytes(5000),
        zlib.compress(ARABIC.encode() * 50),
        bytes(1000),
        b"ab\0\0cd\0\0\0" * 100,
        bytes(range(32)) * 50,
    ],
)
def test_what_is_no_text_is_binary(body: bytes) -> None:
    assert refused(body) is Reason.BINARY


def test_bytes_that_give_no_readable_text() -> None:
    noise = random.Random(7)
    body = bytes(noise.choice(range(0x80, 0x100)) for _ in range(3000))
    assert refused(body) is Reason.UNDECODABLE


# --- properties -------------------------------------------------------------------------------

_WORDS = ARABIC.replace(".", "").replace("،", "").replace("؛", "").replace("؟", "").split()
_SENTENCES = st.lists(
    st.lists(st.sampled_from(_WORDS), min_size=8, max_size=20).map(" ".join), min_size=2, max_size=6
).map(". ".join)


@settings(max_examples=150, deadline=None)
@given(
    text=_SENTENCES,
    codec=st.sampled_from(["utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1256", "iso8859_6"]),
    declared=st.sampled_from(DECLARED),
    html=st.booleans(),
)
def test_arabic_comes_back(text: str, codec: str, declared: str | None, html: bool) -> None:
    if html:
        text = f"<html><body class='a b'><p>{text}</p></body></html>"
    assert read(text.encode(codec), declared, "text/html" if html else "text/plain").text == text


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs", "Cc"])))
def test_utf8_is_never_altered(text: str) -> None:
    visible = text.replace("\ufffd", "").removeprefix("\ufeff")
    try:
        decoded = read(visible.encode())
    except Reject:
        return
    if "mojibake_repaired" not in decoded.flags:
        assert decoded.text == visible.removeprefix("\ufeff")
        assert decoded.charset in ("utf-8", "utf-16le", "utf-16be")


@settings(max_examples=400, deadline=None)
@given(
    body=st.one_of(
        st.binary(max_size=300),
        st.lists(
            st.one_of(
                st.binary(max_size=40), st.sampled_from([b"<meta charset=", "نص".encode(), b"\0a"])
            )
        ).map(b"".join),
    ),
    charset=st.one_of(st.none(), st.text(max_size=12), st.sampled_from(DECLARED)),
    media_type=st.sampled_from(["text/html", "text/plain"]),
)  # fmt: skip
def test_no_bytes_raise_anything_but_reject(
    body: bytes, charset: str | None, media_type: str
) -> None:
    try:
        decoded = read(body, charset, media_type)
    except Reject as reject:
        assert reject.reason in (Reason.EMPTY, Reason.BINARY, Reason.UNDECODABLE)
    else:
        assert "\0" not in decoded.text
        assert decoded.text.strip()
        decoded.text.encode()  # no lone surrogates
        assert json.dumps(decoded.flags)


@pytest.mark.parametrize(
    "body",
    [
        (ARABIC * 20_000).encode(),
        (ARABIC * 30_000).encode("cp1256"),
        b"<meta " * 2_000_000,
        b"<!--" * 3_000_000,
        b"\xd8\xff" * 5_000_000,
        b"\xc7\xe1 " * 4_000_000,
        ("Ã" * 3_000_000).encode(),
        ("ط§" * 3_000_000 + "\u4e00").encode(),
        ("<ÃØÙ" * 1_000_000).encode(),
    ],
    ids=lambda body: repr(body[:8]),
)
def test_large_input_takes_linear_time(body: bytes) -> None:
    start = time.process_time()
    try:
        read(body, None, "text/html")
    except Reject as reject:
        assert reject.reason is Reason.UNDECODABLE
    # 10 MB/s on the worst input is far below what is usual, and far above what is not linear.
    assert time.process_time() - start < 0.5 + len(body) / 10e6
