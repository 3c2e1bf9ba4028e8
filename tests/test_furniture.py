"""Furniture by line and by page, with lines and sentences of our own."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.arabic import match_key
from pipelines.document import Block, BlockKind
from pipelines.stages.furniture import Position, judge_line, remove_furniture

FURNITURE = {
    "live": (
        "any",
        "شاهد البث المباشر",
        "بث مباشر | قناة الجزيرة",
        "Live TV",
        "پخش زنده",
        "براہ راست",
    ),
    "live word": ("top", "مباشر"),
    "breaking": ("any", "عاجل", "أخبار عاجلة", "شريط الأخبار", "Breaking News", "بریکنگ نیوز"),
    "share": (
        "any",
        "شارك الخبر",
        "شاركوا هذا المقال مع أصدقائكم",
        "انشر الخبر عبر واتساب",
        "مشاركة على فيسبوك",
        "إرسال إلى صديق",
        "انسخ الرابط",
        "الرابط المختصر: https://example.org/a1",
        "فيسبوك تويتر واتساب",
        "فيسبوك | تويتر | تلغرام",
        "Share on Facebook",
        "اشتراک‌گذاری",
        "شیئر کریں",
        "Partager cet article",
    ),
    "follow": (
        "any",
        "تابعونا على تويتر",
        "تابع آخر الأخبار عبر Google News",
        "انضموا إلى قناتنا على تلغرام",
        "للاشتراك في قناتنا على واتساب اضغط هنا",
        "اشترك في قناتنا على يوتيوب",
        "أين يمكنك متابعتنا",
        "Follow us on Twitter",
    ),
    "read also": (
        "any",
        "اقرأ أيضاً",
        "إقرأ أيضا:",
        "اقرأ أيضاً: حريق يلتهم سوقا شعبية في المدينة القديمة",
        "شاهد أيضا",
        "قد يهمك أيضا",
        "المزيد...",
        "تحميل المزيد",
        "لقراءة المزيد اضغط هنا",
        "بیشتر بخوانید",
        "مزید پڑھیں",
        "Lire aussi",
    ),
    "related": (
        "bottom",
        "مواضيع ذات صلة",
        "أخبار متعلقة",
        "اخترنا لكم",
        "الأكثر قراءة",
        "من نفس القسم",
        "مقالات أخرى للكاتب",
        "Related articles",
        "مطالب مرتبط",
        "متعلقہ خبریں",
    ),
    "copyright": (
        "bottom",
        "جميع الحقوق محفوظة",
        "جميع الحقوق محفوظة © 2022",
        "© 2022 جميع الحقوق محفوظة لموقع الورّاق",
        "كافة الحقوق محفوظة لصحيفة الورّاق",
        "© 2021 All rights reserved.",
        "يمنع نسخ أو إعادة نشر مواد الموقع دون إذن خطي مسبق",
        "برمجة وتصميم شركة الورّاق",
        "کلیه حقوق محفوظ است",
        "جملہ حقوق محفوظ ہیں",
    ),
    "comments": (
        "bottom",
        "التعليقات",
        "ترحب الصحيفة بتعليقاتكم على ما ينشر هنا، ونرجو أن تخلو التعليقات من الإساءة والإعلان.",
        "المشاركات المنشورة أدناه لا تعبر عن موقف الصحيفة وإنما عن كاتبيها وحدهم.",
        "التعليقات (0)",
        "3 تعليقات",
        "أضف تعليقا",
        "لا توجد تعليقات",
        "لن يتم نشر عنوان بريدك الإلكتروني.",
        "شروط التعليق: عدم الإساءة إلى الأشخاص",
        "Leave a comment",
        "نظر شما",
        "تبصرے",
    ),
    "newsletter": (
        "any",
        "النشرة البريدية",
        "اشترك في نشرتنا الإخبارية لتصلك آخر الأخبار",
        "احصل على أهم الأخبار في بريدك",
        "حمل التطبيق",
        "متوفر على جوجل بلاي",
        "فعّل الإشعارات",
        "Subscribe now",
    ),
    "paywall": (
        "any",
        "هذا المحتوى للمشتركين فقط",
        "لمواصلة القراءة سجل الدخول إلى حسابك.",
        "هل أنت مشترك؟ سجل الدخول",
        "اشتراك سنوي يبدأ من عشرة دنانير ويمكنك إلغاؤه في أي وقت.",
        "Subscribe to continue reading",
        "Already a subscriber? Log in",
    ),
    "pager of blogs": ("any", "رسالة أقدم", "الاشتراك في: تعليقات الرسالة (Atom)"),
    "printed": ("bottom", "طبع من موقع الورّاق"),
    "tools in a row": ("any", "طباعة أرسل لصديق"),
    "tools": (
        "any",
        "طباعة",
        "حجم الخط + -",
        "تكبير الخط",
        "استمع إلى المقال",
        "الإبلاغ عن خطأ",
        "0 تعليق ارسل طباعة حفظ",
        "A+ A-",
        "* * *",
        "ــــــــــ",
        "چاپ",
    ),
    "pages": ("any", "الخبر السابق", "التالي »", "الصفحة 2 من 5", "جاري التحميل..."),
    "ads": ("any", "إعلان", "مساحة إعلانية", "Advertisement", "Publicité"),
    "legal": (
        "any",
        "سياسة الخصوصية",
        "من نحن | اتصل بنا | سياسة الخصوصية",
        "نستخدم ملفات تعريف الارتباط لتحسين تجربتك على موقعنا.",
        "هذا الموقع يستخدم ملفات تعريف الارتباط",
        "الرئيسية",
        "English Français",
    ),
    "widgets": ("any", "أسعار العملات", "حالة الطقس", "مواقيت الصلاة", "دولار أمريكي 3.75"),
    "reading time": ("any", "مدة القراءة: 4 دقائق", "دقيقتان للقراءة", "5 min read"),
    "end": ("bottom", "انتهى", "/انتهى/ س.م", "// انتهى //", "(يتبع)", "انتهای پیام"),
    "number": ("top", "1204"),
    "letter": ("top", "ا", "A"),
    "signature": ("bottom", "ن.م", "ع م / أ ح", "(rw/tn)", "/وكالة الضفة/"),
    "calls": (
        "any",
        "للمزيد من الأخبار تابعوا صفحة الورّاق على فيسبوك",
        "لمتابعة أخبار المدينة انضم إلى قناة الورّاق على واتساب",
        "يمكنكم متابعة أخبار الورّاق عبر تلغرام بالضغط هنا",
        "ادعموا صحافتنا باشتراك شهري صغير",
        "حمّل تطبيق الورّاق من غوغل بلاي أو آب ستور",
        "Follow our full coverage of the harbour at https://example.org/harbour",
        "Suivez-nous sur Google News pour ne rien manquer",
        "Puedes seguirnos en Facebook y X",
        "Siga-nos no Facebook",
        "Haberlerimizi Google News'ten takip edin",
        "Ikuti berita terbaru kami di Google News",
        "Seguici su Telegram",
        "Подписывайтесь на наш канал",
    ),
    "labels of many sites": (
        "bottom",
        'لا مانع من الاقتباس وإعادة النشر شريطة ذكر المصدر "الورّاق"',
        "إن الموقع غير مسؤول عن التعليقات",
        "لتصلك آخر الأخبار فور حدوثها اشترك في قناتنا على تلغرام",
        "من فضلك أدخل بريدا إلكترونيا صحيحا",
        "وللمزيد حول هذا الموضوع اقرأ: سباق القوارب يعود",
        "المزيد عن المرفأ القديم",
        "شارك غرد",
        "تم النسخ",
        "الوضع الليلي",
        "للأعلى",
        "الصفحة 1 من أصل 3",
        "يستمر الخبر بعد الإعلان",
        "facebook sharing button",
        "Support independent journalism",
        "Report a correction",
    ),
    "plugins and themes of many sites": (
        "bottom",
        "معجب بهذه:",
        "إعجاب تحميل...",
        "مرتبط",
        "Like Loading...",
        "Click to share on X (Opens in new window)",
        "هذا الموقع يستخدم خدمة أكيسميت للتقليل من الرسائل المزعجة.",
        "زر الذهاب إلى الأعلى",
        "0 105 أقل من دقيقة",
        "التعليق بواسطة الفيسبوك",
        "شارك على فيسبوك شارك على تويتر",
        "بينترست",
        "للاشتراك اضغط هنا",
        "ادعمنا",
        "الخبر من المصدر",
        "المزيد حول",
        "أكمل قراءة المقال",
        "لمزيد من التفاصيل",
        "اقرأ التالي",
        "هل وجدت خطأ؟ أخبرنا",
        "ما رأيك بهذا الخبر؟",
        "شاهد التقرير كاملا في الفيديو المرفق",
        "تنويه: الموقع غير مسؤول عن التعليقات",
        "لأحدث الأخبار زوروا موقعنا",
        "محتويات المقال",
        "في هذا المقال:",
    ),
    "a caption's label": ("any", "التعليق على الصورة،"),
    "read also elsewhere": (
        "any",
        "شاهد: قوارب الصيد تعود إلى المرفأ",
        "لا يفوتك: سباق الدراجات على الكورنيش",
        "Más información",
        "Te puede interesar: Una feria de libros en el puerto",
        "Leia também: Feira do livro abre no cais",
        "İLGİLİ HABER: Limanda kitap fuarı",
        "Baca juga: Pameran buku di dermaga",
        "Lesen Sie auch: Buchmesse am Hafen",
        "Leggi anche: Fiera del libro al porto",
        "Читайте также: Ярмарка книг в порту",
        "زیاتر بخوێنەوە: پێشانگای کتێب لە بەندەر",
    ),
    "boxes elsewhere": (
        "bottom",
        "Noticias relacionadas",
        "Mais lidas",
        "Bunlar da ilginizi çekebilir",
        "Berita terkait",
        "بابەتی پەیوەندیدار",
        "Yorumlar",
        "Комментарии",
        "Publicidad",
        "Reklam",
        "Todos los derechos reservados",
        "Tüm hakları saklıdır",
        "جميع الحقوق محفوظة لموقع الورّاق، ويسمح بالنقل مع ذكر المصدر.",
        "قصص مقترحة نهاية",
    ),
    "address": (
        "any",
        "www.example.org",
        "https://example.org/news/12",
        "desk@example.org",
        "@example",
    ),
}

METADATA = [
    ("المصدر: وكالات", "any", "agency"),
    ("المصدر : الورّاق نيوز + رويترز", "bottom", "agency"),
    ("نقلا عن: رويترز", "bottom", "agency"),
    ("* نقلا عن صحيفة الورّاق", "bottom", "agency"),
    ("عواصم - وكالات", "any", "agency"),
    ("تصوير: هند سالم", "any", "caption"),
    ("الصورة: رويترز", "any", "caption"),
    ("© AFP", "any", "caption"),
    ("عمال ينظفون الشاطئ بعد العاصفة (أ ف ب)", "any", "caption"),
    ("عمال ينظفون الشاطئ بعد العاصفة - تصوير: هند سالم", "any", "caption"),
    ("المصدر: الورّاق + مواقع محلية + وكالات", "bottom", "agency"),
    ("Kaynak: AA", "any", "agency"),
    ("Etiketler: liman kitap", "bottom", "tags"),
    ("سوق السمك في الميناء القديم – أرشيفية", "any", "caption"),
    ("#بيروت #المرفأ", "any", "tags"),
    ("الوسوم: بيروت، المرفأ", "bottom", "tags"),
    ("12,345 مشاهدة", "any", "views"),
    ("عدد القراءات: 12", "any", "views"),
    ("آخر تحديث: 3 أيار 2022", "any", "published_at"),
    ("الثلاثاء 3 أيار 2022 - 14:05 بتوقيت بيروت", "top", "published_at"),
    ("03/05/2022 14:05", "top", "published_at"),
    ("منذ ساعتين", "any", "published_at"),
    ("بقلم: هند سالم", "top", "author"),
    ("كتبت - هند سالم:", "top", "author"),
    ("محتوى ممول", "any", "sponsored"),
    ("اقتصاد", "top", "section"),
    ("الرئيسية » أخبار » اقتصاد", "any", "section"),
    ("العدد: 1204", "any", "issue"),
    ("کد خبر: 1204", "any", "source_item_id"),
    ("الآراء الواردة في المقال لا تعبر بالضرورة عن رأي الموقع.", "bottom", "opinion"),
]

TEXT = """
في هذا المقال يشرح المهندس كيف رممت السوق القديمة
محتويات المقال لا تعني إدارة السوق
تبرع الآن سكان الحي بحجارة بيوتهم القديمة
أكمل قراءة المقال أمام لجنة التحكيم ثم انصرف
البث المباشر للحفل استمر ثلاث ساعات.
توقف البث المباشر قبل نهاية الحفل
عاجل الأمين العام يصل إلى المدينة
شارك الخبر صحفيون كثر قبل نفيه.
شارك في الندوة باحثون من خمس دول
مشاركة واسعة في سباق المدينة
تابعوا تعليمهم في الخارج رغم الحرب
انضم إلى قناة محلية مراسلا عام 1999
اشترك في البناء أهالي القرية كلهم
اقرأ كتابا كل شهر
المزيد من الأمطار مساء الغد
هذا المحتوى للمشتركين أغضب القراء، يقول المحرر.
الاشتراك في الدورة يبدأ مطلع الشهر
طبع من كتابه الأول ألف نسخة
طباعة الدعوات وإرسالها إلى الأصدقاء مهمة اللجنة
وفي ملف ذي صلة، أغلقت المحكمة القضية.
جميع الحقوق محفوظة للورثة بحكم القانون، قال المحامي.
حقوق المؤلف في العصر الرقمي
وسوم غاضبة تتصدر المنصة
حفظ التراث مهمة شاقة
طباعة الكتب تزدهر من جديد
استمع القاضي إلى الشهود
التعليق على الحكم متروك للمحامين
لا توجد تعليقات من البلدية على القرار
حمل التطبيق اسما مستعارا في البداية.
تطبيق القانون على الجميع
صورة قاتمة للموسم المقبل
بالصور مهرجان الزيتون يعود بعد غياب
قراءة في نتائج الموسم
دقيقة صمت قبل المباراة
العدد مرشح للارتفاع
نشر قوات إضافية على الطريق
بقلم رصاص رسم الطفل بيته.
المصدر الطبي: ثلاثة جرحى في حال مستقرة
وتابع المصدر: لن نغادر قبل المساء.
وكالات السفر تلغي رحلاتها
رئيس التحرير يستقيل من منصبه
انتهى الدرس الأول بلا نتيجة
إعلان النتائج غدا
سياسة الخصوصية تحت المجهر
الطقس يعطل الصيد أسبوعا
أسعار الذهب تتراجع محليا
تصميم الأزياء مهنة صعبة
واتساب يغير شروطه
حملة على فيسبوك لإنقاذ المكتبة
العودة إلى المدارس
من نحن وماذا نريد؟
اتصل بنا المحافظ وأبلغنا بالموعد
وجرح ثلاثة في الحادث (رويترز).
لا لا
لا مانع لدى البلدية من عودة الباعة، قال رئيسها.
لتصلك الرسالة عليك أن تنتظر أسبوعا
شارك غريب في مسيرة الأحد
المزيد من القرى بلا كهرباء
يستمر الحفل بعد منتصف الليل
تصوير الفيلم يبدأ في نيسان ويستمر شهرين.
Report card for the council
لمتابعة دراستهم انضم الطلاب إلى جامعات أوروبية
يمكنكم متابعة المباراة من المدرجات الشرقية
شاهد عيان يروي ما رآه ليلة الحريق
المصدر: ثلاثة جرحى في حال مستقرة
جلس المصور يروي حكاية الصورة - تصويره الأول
Siguen las obras en el muelle norte
Baca buku setiap hari, kata guru itu
Follow the river and you reach the mill, he said
Yorum yapmaktan kaçınan başkan salondan ayrıldı
12 جريحا
27 أيلول يوم لا ينسى
دعوة إلى الحوار
قتال في الشوارع
الوضع الإنساني
بيروت - رويترز
Share prices fall again
Comments made by the mayor
Read the statement carefully, he said
Live music returns to the city
""".strip().splitlines()


@pytest.mark.parametrize(
    ("position", "line"),
    [(row[0], line) for row in FURNITURE.values() for line in row[1:]],
)
def test_furniture_goes(position: str, line: str) -> None:
    verdict = judge_line(line, position)
    assert verdict.action != "keep"
    assert verdict.rule


@pytest.mark.parametrize(("line", "position", "field"), METADATA)
def test_metadata_is_kept_as_metadata(line: str, position: str, field: str) -> None:
    verdict = judge_line(line, position)
    assert (verdict.action, verdict.field) == ("keep_metadata", field)
    assert verdict.value
    assert verdict.value in line


@pytest.mark.parametrize("line", TEXT)
@pytest.mark.parametrize("position", Position)
def test_text_stays(line: str, position: Position) -> None:
    assert judge_line(line, position).action == "keep"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("المصدر: مواقع إلكترونية", "مواقع إلكترونية"),
        ("تصوير: هند سالم", "هند سالم"),
        ("بقلم هند سالم", "هند سالم"),
        ("كتبت - هند سالم:", "هند سالم"),
        ("الوسوم: بيروت، المرفأ", "بيروت، المرفأ"),
    ],
)
def test_value_is_what_follows_the_label(line: str, value: str) -> None:
    assert judge_line(line, "top").value == value


def test_unknown_position_is_an_error() -> None:
    with pytest.raises(ValueError, match="middle"):
        judge_line("طباعة", "middle")


# -- pages -----------------------------------------------------------------------------------------

TITLE = "المدينة تستعيد سوقها القديمة بعد عامين من الترميم"
FIRST = "أعادت البلدية أمس افتتاح السوق القديمة، بعد ترميم استغرق عامين كاملين."
SECOND = "وقال المهندس المشرف إن الحجارة الأصلية أعيدت إلى مواضعها كلها."
THIRD = "وينتظر التجار موسم الصيف بفارغ الصبر."
LINK = "حريق يلتهم أربعة متاجر في السوق القديمة"
HEADING = Block(BlockKind.HEADING, "مشاركة")


def _blocks(*lines: str | Block) -> list[Block]:
    return [x if isinstance(x, Block) else Block(BlockKind.PARAGRAPH, x) for x in lines]


def _clean(*lines: str | Block) -> list[str]:
    return [block.text for block in remove_furniture(_blocks(*lines)).blocks]


def test_a_page() -> None:
    cleaned = remove_furniture(
        _blocks(
            "البث المباشر",
            TITLE,
            "اقتصاد",
            "الثلاثاء 3 أيار 2022 - 14:05",
            FIRST,
            "اقرأ أيضاً: " + LINK,
            SECOND,
            "المصدر: وكالات",
            "شارك الخبر",
            "مواضيع ذات صلة",
            LINK,
            "جميع الحقوق محفوظة",
        )
    )
    assert [b.text for b in cleaned.blocks] == [TITLE, FIRST, SECOND]
    assert [r.position for r in cleaned.removed] == [0, 2, 3, 5, 7, 8, 9, 10, 11]
    assert [(f.position, f.field, f.value) for f in cleaned.kept] == [
        (2, "section", "اقتصاد"),
        (3, "published_at", "الثلاثاء 3 أيار 2022 - 14:05"),
        (7, "agency", "المصدر: وكالات"),
    ]


def test_a_sub_heading_that_looks_like_a_button_stays() -> None:
    for word in ("مباشر", "شارك", "مشاركة", "صور", "حفظ", "الطقس", "التعليقات", "تفاصيل", "العالم"):
        assert _clean(FIRST, word, SECOND) == [FIRST, word, SECOND]


def test_the_same_words_at_the_edge_go() -> None:
    for word in ("شارك", "مشاركة", "صور", "حفظ", "الطقس", "التعليقات"):
        assert _clean(FIRST, SECOND, word) == [FIRST, SECOND]


def test_no_paragraph_is_ever_cut() -> None:
    for label in ("مواضيع ذات صلة", "جميع الحقوق محفوظة", "التعليقات", "انتهى", "اقرأ أيضاً"):
        assert THIRD in _clean(FIRST, label, SECOND, LINK, label, THIRD)


def test_links_under_a_label_go_with_it() -> None:
    assert _clean(FIRST, "اقرأ أيضاً", LINK, SECOND) == [FIRST, SECOND]
    assert _clean(FIRST, "اقرأ أيضاً", HEADING, SECOND) == [FIRST, "مشاركة", SECOND]
    assert _clean(FIRST, "اقرأ أيضاً", "خلفية الحدث", SECOND) == [FIRST, "خلفية الحدث", SECOND]


def test_the_title_is_spared() -> None:
    title = "السوق القديمة تفتح أبوابها (رويترز)"
    assert _clean(title, FIRST, SECOND)[0] == title


def test_short_pages_lose_only_what_is_furniture() -> None:
    assert _clean("مواضيع ذات صلة", LINK) == [LINK]
    assert _clean() == []


def test_learned_lines_go() -> None:
    line = "الورّاق: كل الأخبار في مكان واحد"
    cleaned = remove_furniture(_blocks(FIRST, line, SECOND), {match_key(line)})
    assert [b.text for b in cleaned.blocks] == [FIRST, SECOND]
    assert [(r.position, r.rule) for r in cleaned.removed] == [(1, "learned")]


LINES = st.one_of(
    st.sampled_from(
        [line for row in FURNITURE.values() for line in row[1:]]
        + [line for line, _, _ in METADATA]
        + [FIRST, SECOND, THIRD, LINK, TITLE, *TEXT]
    ),
    st.text(min_size=1, max_size=60).map(lambda s: " ".join(s.split())).filter(bool),
)


@given(st.lists(st.builds(Block, st.sampled_from(BlockKind), LINES), max_size=14))
@settings(max_examples=200, deadline=None)
def test_every_removed_line_is_recorded(blocks: list[Block]) -> None:
    cleaned = remove_furniture(blocks)
    gone = {removed.position: removed for removed in cleaned.removed}
    assert len(gone) == len(cleaned.removed)
    assert all(blocks[i].text == line.text and line.rule for i, line in gone.items())
    assert [b for i, b in enumerate(blocks) if i not in gone] == list(cleaned.blocks)
    assert {found.position for found in cleaned.kept} <= set(gone)


@given(st.lists(st.builds(Block, st.sampled_from(BlockKind), LINES), max_size=10))
@settings(max_examples=100, deadline=None)
def test_cleaning_keeps_real_paragraphs(blocks: list[Block]) -> None:
    cleaned = remove_furniture([*blocks, Block(BlockKind.PARAGRAPH, FIRST), *blocks])
    assert FIRST in [block.text for block in cleaned.blocks]


@given(st.text(max_size=200), st.sampled_from(Position))
@settings(max_examples=200, deadline=None)
def test_never_raises(line: str, position: Position) -> None:
    judge_line(line, position)


@pytest.mark.parametrize("piece", ["شارك ", "( ", "1 ", "- ", "اقرأ أيضاً: ", "ا", "| ", "#أ ", "."])
def test_noise_is_quick(piece: str) -> None:
    huge = piece * (1_000_000 // len(piece))
    longest = (piece * 600)[:600]
    started = time.perf_counter()
    assert judge_line(huge, "any").action == "keep"
    for position in Position:
        judge_line(longest, position)
    remove_furniture(_blocks(huge, longest, huge))
    assert time.perf_counter() - started < 2
