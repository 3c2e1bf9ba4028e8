"""Generated pages of one source, with furniture that no lexicon knows around their articles."""

import random
from html import escape

from tests.benchmarks.pages import headline, sentence

#: Above the article, below it, and between its paragraphs.
TOP = "نافذة الأفق على أخبار الساحل"
BOTTOM = ("بوصلة الأفق المسائية", "دليل الموانئ والمواعيد", "خريطة الطريق إلى مكاتبنا في المدينة")
#: A standing sub-heading, and an agency's standing sentence: they belong to the stories.
SUB_HEADING = "ماذا يعني ذلك للسكان"
STANDING = "ولم يتسن لرويترز التحقق من هذه الأرقام من مصدر مستقل"


def page(number: int) -> str:
    """An article's page: HTML with its own URL and day of publication."""
    rng = random.Random(number)
    title = f"{headline(rng)} {number}"
    url = f"https://ufuq.example/news/{number}"
    before, after = ([" ".join(sentence(rng) for _ in range(2)) for _ in range(3)] for _ in "ab")
    body = "".join(f"<p>{escape(p)}</p>" for p in before)
    rest = "".join(f"<p>{escape(p)}</p>" for p in after)
    below = "".join(f"<p>{escape(line)}</p>" for line in BOTTOM)
    return (
        f'<!DOCTYPE html><html lang="ar"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta property="og:type" content="article"><link rel="canonical" href="{url}">'
        f'<meta property="article:published_time" content="2024-03-{1 + number % 28:02}T09:00:00Z">'
        f"</head><body><article><h1>{title}</h1><p>{TOP}</p>{body}<h2>{SUB_HEADING}</h2>{rest}"
        f"<p>{STANDING}</p>{below}</article></body></html>"
    )
