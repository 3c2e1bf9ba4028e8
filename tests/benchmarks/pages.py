"""Generated news pages: as large and as cluttered as real ones, the same on every machine."""

import json
import random
from datetime import datetime, timedelta
from html import escape

_SUBJECTS = (
    "مجلس البلدية", "وزارة الزراعة", "هيئة الموانئ", "جامعة المدينة", "اتحاد الصيادين",
    "شركة المياه", "لجنة التراث", "إدارة المستشفى", "نقابة المعلمين", "مركز الأرصاد",
)  # fmt: skip
_VERBS = ("أعلن", "أكد", "ناقش", "قرر", "أوضح", "رفض", "اقترح", "بدأ", "أنهى", "راجع")
_OBJECTS = (
    "خطة توسيع الطريق الساحلي", "نتائج الموسم الزراعي", "موعد افتتاح المكتبة الجديدة",
    "شروط منح التراخيص", "مشروع ترميم السوق القديم", "أسعار النقل بين المحافظات",
    "برنامج تدريب الشباب", "تقرير جودة المياه", "جدول الرحلات البحرية", "ميزانية العام المقبل",
)  # fmt: skip
_TAILS = (
    "بعد اجتماع استمر ثلاث ساعات", "بحضور ممثلين عن الأحياء", "وفق بيان نشر مساء أمس",
    "في خطوة انتظرها السكان طويلا", "رغم اعتراض عدد من التجار", "بعد دراسة شارك فيها خبراء",
    "على أن يبدأ التنفيذ مطلع الشهر", "مع زيادة في المخصصات المالية",
)  # fmt: skip


def sentence(rng: random.Random) -> str:
    return (
        f"{rng.choice(_VERBS)} {rng.choice(_SUBJECTS)} {rng.choice(_OBJECTS)} "
        f"{rng.choice(_TAILS)}، مشيرا إلى أن {rng.choice(_SUBJECTS)} سيتابع "
        f"{rng.choice(_OBJECTS)} {rng.choice(_TAILS)} بنحو {rng.randint(2, 900)} مشاركا."
    )


def headline(rng: random.Random) -> str:
    return f"{rng.choice(_SUBJECTS)} {rng.choice(_VERBS)} {rng.choice(_OBJECTS)}"


def paragraphs(rng: random.Random) -> list[str]:
    return [
        " ".join(sentence(rng) for _ in range(rng.randint(1, 3))) for _ in range(rng.randint(6, 14))
    ]


def page(number: int) -> str:
    """An article's page, some 50 kB: menus, related headlines, share rows, JSON-LD."""
    rng = random.Random(number)
    title = headline(rng)
    at = datetime(2024, 1, 1, 6) + timedelta(minutes=97 * number)
    body = paragraphs(rng)
    url = f"https://bench.example/news/{number}"
    stated = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": title,
        "datePublished": f"{at.isoformat()}+03:00",
        "author": {"@type": "Person", "name": "محرر الأخبار"},
        "mainEntityOfPage": url,
    }
    menu = "".join(f'<li><a href="/s/{n}">قسم {n}</a></li>' for n in range(60))
    related = "".join(
        f'<div class="card"><a href="/n/{n}"><img src="/i/{n}.jpg" alt=""><h3>'
        f"{escape(headline(rng))}</h3></a><span class='when'>منذ {n} ساعات</span></div>"
        for n in range(90)
    )
    text = "".join(f"<p>{escape(p)}</p>" for p in body)
    script = "".join(f"window.slot{n}={{id:{n},size:[300,250]}};" for n in range(250))
    return (
        f'<!DOCTYPE html><html lang="ar" dir="rtl"><head><meta charset="utf-8">'
        f"<title>{escape(title)} - صحيفة القياس</title>"
        f'<meta property="og:title" content="{escape(title)}">'
        f'<meta property="og:site_name" content="صحيفة القياس">'
        f'<meta property="og:type" content="article"><link rel="canonical" href="{url}">'
        f'<script type="application/ld+json">{json.dumps(stated, ensure_ascii=False)}</script>'
        f"<script>{script}</script></head><body><header><div>البث المباشر</div>"
        f"<nav><ul>{menu}</ul></nav></header><main><article><h1>{escape(title)}</h1>"
        f'<div class="meta"><span>محرر الأخبار</span> <time datetime="{at.isoformat()}+03:00">'
        f'{at:%d/%m/%Y}</time></div><div class="share">شارك على فيسبوك تويتر واتساب</div>{text}'
        f'<p>اقرأ أيضاً: <a href="/n/x">{escape(headline(rng))}</a></p>'
        f"<p>شاركوا هذا الخبر مع أصدقائكم</p></article>"
        f"<aside><h2>مواضيع ذات صلة</h2>{related}</aside></main>"
        f"<footer><p>جميع الحقوق محفوظة لصحيفة القياس</p><ul>{menu}</ul></footer></body></html>"
    )
