"""Datelines, credits, self-references and citations, with sentences of our own."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.document import Block, BlockKind
from pipelines.stages.agency import find_agency, read_agency

DATELINES = [
    # text, agencies, place
    ("موسكو (رويترز) - قال مسؤول كبير إن المحادثات تأجلت", ["reuters"], "موسكو"),
    ("بيروت 12 أيلول (رويترز) - انخفضت الليرة", ["reuters"], "بيروت"),
    ("دمشق/بيروت (رويترز) - دوت انفجارات", ["reuters"], "دمشق/بيروت"),
    ("الخرطوم (ا ف ب) - وصل وفد", ["afp"], "الخرطوم"),
    ("باريس (أف ب) – استقبل الوزير نظيره", ["afp"], "باريس"),
    ("باريس - أ.ف.ب: استقبل الوزير نظيره", ["afp"], "باريس"),
    ("واشنطن ـ أ ف ب ـ تراجعت الأسهم", ["afp"], "واشنطن"),
    ("واشنطن ــ «أ.ف.ب»: تراجعت الأسهم", ["afp"], "واشنطن"),
    ("(أ ف ب) - أعلنت السلطات حالة الطوارئ", ["afp"], None),
    ("(اف ب) أعلنت السلطات حالة الطوارئ", ["afp"], None),
    ("أ ف ب: أعلنت السلطات حالة الطوارئ", ["afp"], None),
    ("القدس (أ. ب) - اقتحمت قوة", ["ap"], "القدس"),
    ("برلين (د ب أ)- كشفت دراسة", ["dpa"], "برلين"),
    ("برلين – (د.ب.أ): كشفت دراسة", ["dpa"], "برلين"),
    ("القاهرة - أش أ: افتتح المحافظ", ["mena"], "القاهرة"),
    ("القاهرة في 3 مارس /أ ش أ/ افتتح المحافظ", ["mena"], "القاهرة"),
    ("أبوظبي في 5 مايو / وام / بحث سمو الشيخ", ["wam"], "أبوظبي"),
    ("الدوحة في 05 مايو /قنا/ بحث سعادة الوزير", ["qna"], "الدوحة"),
    ("المنامة في 5 مايو / بنا / أكد الوزير", ["bna"], "المنامة"),
    ("الرياض 7 ربيع الآخر 1443 هـ الموافق 12 نوفمبر 2021 م واس رعى", ["spa"], "الرياض"),
    ("جدة - واس", ["spa"], "جدة"),
    ("جدة: واس", ["spa"], "جدة"),
    ("الكويت - 9 - 3 (كونا) -- بحث وزير", ["kuna"], "الكويت"),
    ("عمان 3 آب (بترا)- عقد المجلس", ["petra"], "عمان"),
    ("بغداد / واع / عقد المجلس", ["ina"], "بغداد"),
    ("بغداد - واع - عقد المجلس", ["ina"], "بغداد"),
    ("رام الله 3-8-2022 وفا- أدانت الوزارة", ["wafa"], "رام الله"),
    ("بيت لحم- معا- أصيب شاب", ["maan"], "بيت لحم"),
    ("صنعاء - سبأ: عقد الاجتماع", ["saba"], "صنعاء"),
    ("طرابلس (وال) - عقد الاجتماع", ["lana"], "طرابلس"),
    ("تونس (وات) - انطلقت الدورة", ["tap"], "تونس"),
    ("الجزائر - (واج) - انطلقت الدورة", ["aps"], "الجزائر"),
    ("الخرطوم (سونا)- انطلقت الدورة", ["suna"], "الخرطوم"),
    ("حلب-سانا", ["sana"], "حلب"),
    ("حلب-سانا\nأعلنت المحافظة", ["sana"], "حلب"),
    ("موسكو، 4 مايو - تاس. صرح المتحدث", ["tass"], "موسكو"),
    ("مسقط - العمانية: انطلقت الدورة", ["ona"], "مسقط"),
    ("بكين (شينخوا) ارتفعت صادرات البلاد", ["xinhua"], "بكين"),
    ("بكين 4 يوليو 2022 (شينخوا) ارتفعت صادرات البلاد", ["xinhua"], "بكين"),
    ("موسكو - سبوتنيك. أعلن الكرملين", ["sputnik"], "موسكو"),
    ("إسطنبول/ أحمد كامل/ الأناضول", ["aa"], "إسطنبول"),
    ("القدس / الأناضول\nقال مسؤول", ["aa"], "القدس"),
    ("غازيونتوس/الأناضول", ["aa"], "غازيونتوس"),
    ("طهران - إرنا - استقبل الرئيس", ["irna"], "طهران"),
    ("طهران (فارس) - استقبل الرئيس", ["fars"], "طهران"),
    ("تهران- ایرنا- رئیس جمهور گفت", ["irna"], "تهران"),
    ("دبي – وكالات", ["agencies"], "دبي"),
    ("عواصم ـ وكالات: تواصلت ردود الفعل", ["agencies"], None),
    ("العواصم - الوكالات - تواصلت ردود الفعل", ["agencies"], None),
    ("وكالات - تواصلت ردود الفعل", ["agencies"], None),
    ("لندن (رويترز، أ ف ب) - تواصلت ردود الفعل", ["reuters", "afp"], "لندن"),
    ("لندن - رويترز، أ ف ب - تواصلت ردود الفعل", ["reuters", "afp"], "لندن"),
    ("دمشق، سوريا (CNN) -- قالت الأمم المتحدة", ["cnn"], "دمشق، سوريا"),
    ("أتلانتا، الولايات المتحدة (CNN)— قالت الأمم المتحدة", ["cnn"], "أتلانتا، الولايات المتحدة"),
    ("رويترز - موسكو: ارتفع سعر النفط", ["reuters"], "موسكو"),
    ("LONDON, Sept 27 (Reuters) - Oil prices rose", ["reuters"], "LONDON"),
    ("WASHINGTON (AP) — The president said", ["ap"], "WASHINGTON"),
    ("الأمم المتحدة (رويترز) - قال الأمين العام", ["reuters"], "الأمم المتحدة"),
    ("سول (يونهاب) -- أعلنت الرئاسة", ["yonhap"], "سول"),
    ("طوكيو - كيودو: أعلنت الرئاسة", ["kyodo"], "طوكيو"),
    ("روما (آكي) - أعلنت الرئاسة", ["aki"], "روما"),
    ("مدريد - إفي: أعلنت الرئاسة", ["efe"], "مدريد"),
    ("مُوسكو (رُويترز) - قال", ["reuters"], "مُوسكو"),
    ("كراستوفيل (رويترز) - شب حريق", ["reuters"], "كراستوفيل"),
    ("اسلام آباد (اے پی پی) - وزیر اعظم نے کہا", ["app"], "اسلام آباد"),
]

CREDITS = [
    ("المصدر: رويترز", "start", ["reuters"]),
    ("المصدر : الميادين نت + وكالات", "end", ["agencies"]),
    ("المصدر: (أ ف ب) + رويترز", "end", ["afp", "reuters"]),
    ("المصدر: وكالة الأنباء السعودية", "end", ["spa"]),
    ("المصدر: وكالة سبوتنيك", "end", ["sputnik"]),
    ("نقلا عن رويترز", "end", ["reuters"]),
    ("Source: AFP", "end", ["afp"]),
    ("وبهذا ينتهي البيان. (أ ف ب)", "end", ["afp"]),
    ("وتوقفت المحادثات منذ أشهر (رويترز).", "end", ["reuters"]),
    ("(رويترز، د ب أ)", "end", ["reuters", "dpa"]),
    ("س.م/ ن.ع (أ ف ب، رويترز)", "end", ["afp", "reuters"]),
    ("(إعداد هند سالم للنشرة العربية - تحرير سامي منصور)", "end", ["reuters"]),
    ("رويترز", "author", ["reuters"]),
    ("Reuters", "author", ["reuters"]),
    ("By AFP", "author", ["afp"]),
    ("وكالات", "author", ["agencies"]),
    ("أ.ف.ب / القدس العربي", "author", ["afp"]),
    ("سامي منصور - رويترز", "author", ["reuters"]),
    ("سكاي نيوز عربية - وكالات", "start", ["agencies"]),
]

SELF = [
    ("ولم يتسن لرويترز التحقق من الرواية.", ["reuters"]),
    ("ولم تتمكن رويترز من التحقق من ذلك بشكل مستقل.", ["reuters"]),
    ("ولم يتسنّ لوكالة فرانس برس التأكد من التسجيل.", ["afp"]),
    ("وشاهد مراسلو فرانس برس دخانا كثيفا.", ["afp"]),
    ("وقال شهود من رويترز إن الطريق مغلق.", ["reuters"]),
    ("بحسب ما أفاد مصور في وكالة فرانس برس.", ["afp"]),
    ("وتعذر على رويترز التحقق من التسجيل.", ["reuters"]),
    ("وأفاد مراسل الأناضول بأن المتظاهرين تفرقوا.", ["aa"]),
]

TOLD = [
    ("وقال مصدر دبلوماسي لرويترز إن الاتفاق قريب.", ["reuters"]),
    ("وصرح المتحدث لوكالة فرانس برس بأن اللقاء ألغي.", ["afp"]),
    ("وقال في مقابلة مع رويترز إن الموسم جيد.", ["reuters"]),
]

CITATIONS = [
    ("ونقلت رويترز عن مسؤول قوله", ["reuters"]),
    ("وذكرت وكالة تاس أن الرئيس", ["tass"]),
    ("وكانت رويترز قد ذكرت أن المصنع أغلق", ["reuters"]),
    ("وفق ما أوردته وكالة إرنا", ["irna"]),
    ("وفق وكالة الأناضول فإن الطريق مفتوح", ["aa"]),
    ("وفقا لوكالة الأنباء السعودية (واس)", ["spa"]),
    ("نقلا عن وكالة رويترز، قال الوزير", ["reuters"]),
    ("وأفادت وكالة فارس بأن الحريق أخمد", ["fars"]),
    ("بحسب فرانس برس فإن الاجتماع تأجل", ["afp"]),
    ("قالت وكالة الأنباء الكورية الجنوبية يونهاب إن", ["yonhap"]),
]

NONE = [
    ("start", "موسكو - بكين: شراكة بلا حدود"),
    ("start", "فارس يفوز بسباق الخيل السنوي"),
    ("start", "وفا النيل بوعده هذا العام"),
    ("start", "سبأ - حضارة لا تنسى"),
    ("start", "بترا السياحية تستقبل مليون زائر"),
    ("start", "واع أنت لما يحدث من حولك"),
    ("start", "المدير العام للوكالة (مقرها فيينا) يصل غدا"),
    ("start", "القوائم (أ) و(ب) و(ج) معروضة على الباب"),
    ("start", "وكالات السفر - أعباء جديدة بعد الجائحة"),
    ("start", "أعلنت شركات السفر (وكالات) إلغاء رحلاتها"),
    ("start", "لقاح سبوتنيك الروسي يصل إلى المدينة"),
    ("start", "مايكل بلومبرغ ينسحب من السباق"),
    ("start", "نفت وكالة الأنباء القطرية (قنا) اليوم ما تردد"),
    ("start", "استطلاع رويترز/إبسوس: تقدم طفيف للمرشح"),
    ("start", "رويترز/إبسوس: تقدم طفيف للمرشح"),
    ("body", "وتقع القرية في هضبة الأناضول."),
    ("body", "والتقى بنا ومع الوفد وال المدينة."),
    ("body", "وكان فارس ومهر وتسنيم أصدقاء منذ الطفولة."),
    ("end", "وحلت المجموعتان (أ) و(ب) في الصدارة."),
    ("end", "وشكر الوزير الحضور على صبرهم."),
    ("author", "فارس"),
    ("author", "أحمد منصور"),
    ("author", "معا"),
]


@pytest.mark.parametrize(("text", "agencies", "place"), DATELINES)
def test_dateline(text: str, agencies: list[str], place: str | None) -> None:
    found = read_agency(text, "start")
    assert found is not None
    assert (found.kind, list(found.agencies), found.place) == ("dateline", agencies, place)
    assert found.raw is not None
    assert text.startswith(found.raw)


@pytest.mark.parametrize(("text", "where", "agencies"), CREDITS)
def test_credit(text: str, where: str, agencies: list[str]) -> None:
    found = read_agency(text, where)
    assert found is not None
    assert (found.kind, list(found.agencies)) == ("credit", agencies)


@pytest.mark.parametrize("where", ["start", "body"])
@pytest.mark.parametrize(
    ("text", "agencies", "kind", "method"),
    [
        *((t, a, "self_reference", "self_reference") for t, a in SELF),
        *((t, a, "self_reference", "said_to") for t, a in TOLD),
        *((t, a, "citation", "citation") for t, a in CITATIONS),
    ],
)
def test_mention(text: str, agencies: list[str], kind: str, method: str, where: str) -> None:
    found = read_agency(text, where)
    assert found is not None
    assert (found.kind, list(found.agencies), found.method) == (kind, agencies, method)


def test_a_headline_cites() -> None:
    found = read_agency("رويترز: المصنع يغلق أبوابه", "start")
    assert found is not None
    assert (found.kind, found.agencies) == ("citation", ("reuters",))


@pytest.mark.parametrize(("where", "text"), NONE)
def test_no_agency(where: str, text: str) -> None:
    assert read_agency(text, where) is None


def test_byline_stands_before_the_place() -> None:
    found = read_agency("من سامر الخطيب بيروت (رويترز) - أغلقت المصارف", "start")
    assert found is not None
    assert (found.place, found.byline) == ("بيروت", "سامر الخطيب")
    found = read_agency("غزة/ سامر الخطيب/ الأناضول- أغلقت المعابر", "start")
    assert found is not None
    assert (found.place, found.byline) == ("غزة", "سامر الخطيب")


def test_place_and_agency_in_the_author_are_a_dateline() -> None:
    found = read_agency("بيروت - أ ف ب", "author")
    assert found is not None
    assert (found.kind, found.place, found.agencies) == ("dateline", "بيروت", ("afp",))


def test_unknown_where_is_an_error() -> None:
    with pytest.raises(ValueError, match="where"):
        read_agency("رويترز", "title")


def _blocks(*texts: str) -> list[Block]:
    return [Block(BlockKind.PARAGRAPH, text) for text in texts]


LEAD = "أغلقت السلطات المحلية الطريق الساحلي بعد انهيار جزئي في الجسر القديم."
CITING = "ونقلت وكالة فرانس برس عن شهود قولهم إن الجسر كان متصدعا."
TOLD_TO = "وقال مهندس لرويترز إن الإصلاح يحتاج أسابيع."
OWN = "ولم يتسن لرويترز الحصول على تعليق من البلدية."
DATED = "صور (أ ف ب) - " + LEAD
CREDIT = "وتستمر أعمال الإصلاح حتى الربيع. (د ب أ)"


@pytest.mark.parametrize(
    ("texts", "author", "kind", "agencies"),
    [
        ((DATED, OWN, CREDIT), "رويترز", "dateline", ("afp",)),
        ((LEAD, OWN, CREDIT), "رويترز", "credit", ("dpa",)),
        ((LEAD, CITING, OWN), "وكالات", "credit", ("agencies",)),
        ((LEAD, CITING, OWN), "هند سالم", "self_reference", ("reuters",)),
        ((LEAD, CITING, TOLD_TO), None, None, None),
        ((LEAD, OWN, "وقال مراسل فرانس برس إن الشارع خال."), None, None, None),
        ((), None, None, None),
    ],
)
def test_what_an_article_comes_from(
    texts: tuple[str, ...], author: str | None, kind: str | None, agencies: tuple[str, ...] | None
) -> None:
    found = find_agency(_blocks(*texts), author)
    assert (found and found.kind, found and found.agencies) == (kind, agencies)


@given(st.text(max_size=300), st.sampled_from(["start", "body", "end", "author"]))
@settings(max_examples=150, deadline=None)
def test_never_raises(text: str, where: str) -> None:
    found = read_agency(text, where)
    assert found is None or found.agencies


PIECES = [
    "موسكو",
    "(",
    ")",
    "-",
    "/",
    "رويترز",
    "أ",
    "ف",
    "ب",
    ".",
    "وكالة",
    "لـ",
    "من",
    "2021",
    "،",
]


@given(st.lists(st.sampled_from(PIECES), max_size=40), st.sampled_from(["start", "end", "author"]))
@settings(max_examples=300, deadline=None)
def test_never_raises_on_pieces_of_datelines(pieces: list[str], where: str) -> None:
    read_agency(" ".join(pieces), where)


@pytest.mark.parametrize("piece", ["أ ", "(", "رويترز ", "وكالة ", "- ", "ل", "\n", "من "])
def test_a_huge_line_is_quick(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    started = time.perf_counter()
    for where in ("start", "body", "end", "author"):
        read_agency(text, where)
    assert time.perf_counter() - started < 4
