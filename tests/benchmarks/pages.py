"""Generated news pages: as large and as cluttered as real ones, the same on every machine."""

import gzip
import json
import random
import statistics
import sys
from datetime import datetime, timedelta
from functools import cache
from html import escape
from itertools import accumulate
from pathlib import Path
from typing import Any

from lxml import html

from crawler.show import print_table

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
LETTERS = "ابتثجحخدذرزسشصضطظعغفقكلمنهوي"
_SMALL = ("في", "من", "على", "إلى", "أن", "التي", "عن", "مع")


def vocabulary(rng: random.Random) -> tuple[list[str], list[float]]:
    """Made-up words, the first the commonest, and their weights added up: no two texts of them have
    five words in a row in common, as no two texts of real words do."""
    words = ["".join(rng.choices(LETTERS, k=rng.randint(2, 7))) for _ in range(60_000)]
    return words, list(accumulate(1 / (rank + 20) for rank in range(len(words))))


@cache
def _vocabulary() -> tuple[list[str], list[float]]:
    return vocabulary(random.Random(3))


def sentence(rng: random.Random) -> str:
    words, totals = _vocabulary()
    made = rng.choices(words, cum_weights=totals, k=rng.randint(16, 26))
    made = [f"ال{word}" if rng.random() < 0.3 else word for word in made]
    small = [rng.choice(_SMALL) for _ in range(5)]
    for word in small:
        made.insert(rng.randrange(len(made)), word)
    return f"{rng.choice(_VERBS)} {rng.choice(_SUBJECTS)} {' '.join(made)}."


def headline(rng: random.Random) -> str:
    return f"{rng.choice(_SUBJECTS)} {rng.choice(_VERBS)} {rng.choice(_OBJECTS)}"


def paragraphs(rng: random.Random) -> list[str]:
    return [
        " ".join(sentence(rng) for _ in range(rng.randint(1, 3))) for _ in range(rng.randint(6, 14))
    ]


#: What 80 article pages of 16 news sites have in the middle (medians). Speed and its ratios depend
#: on them: scripts and attributes are read by every parser and cost whoever looks through text, a
#: parser alone is slowed by elements, extraction by the elements that hold text. `letters` are of
#: all text outside scripts and styles, `paragraph letters` of that in <p>; sizes are in bytes.
MEDIAN = {
    "bytes": 287_000,
    "elements": 950,
    "script bytes": 64_900,
    "of it JSON-LD": 4_500,
    "style bytes": 34_100,
    "attributes": 1_790,
    "attribute bytes": 83_600,
    "letters": 8_700,
    "paragraph letters": 4_850,
    "long paragraphs": 17,
    "depth": 18,
}


_MONTH = 30 * 24 * 60


def page(number: int, url: str | None = None) -> str:
    """An article's page of the measures in MEDIAN (`python -m tests.benchmarks.pages` tells both):
    menus, cards of other articles, slots of advertisements, share rows, icons, scripts."""
    rng = random.Random(number)
    title = headline(rng)
    # All of one month: a source that is known has taught where its articles lay then.
    at = datetime(2024, 1, 1, 6) + timedelta(minutes=97 * number % _MONTH)
    body = [*paragraphs(rng), *paragraphs(rng)[:5]]
    text = "".join(
        f'{_GAP}<p class="{_name(3, n % 3)}">{escape(p)}</p>' for n, p in enumerate(body)
    )
    return (
        f'<!DOCTYPE html>\n<html lang="ar" dir="rtl" {_attributes(0)}>\n<head>\n'
        f"{_head(title, at, url or f'https://bench.example/news/{number}')}</head>\n"
        f'<body class="{_name(9, 1)}"><!-- page -->\n<div id="app" class="{_name(4, 2)}">\n'
        f'<header class="{_name(3, 3)}"><div>البث المباشر</div>{_menu("top", 34)}</header>\n'
        f'<div class="{_name(5, 4)}"><div class="grid"><main><div><div class="{_name(4, 5)}"><div>'
        f'<article><h1 class="{_name(3, 6)}">{escape(title)}</h1>\n'
        f'<div class="meta"><span>محرر الأخبار</span> <time datetime="{at.isoformat()}+03:00">'
        f'{at:%d/%m/%Y}</time></div><div class="share">شارك على فيسبوك تويتر واتساب</div>'
        f"{_icons(20)}<figure><img {_image(number)}><figcaption>صورة</figcaption></figure>"
        f'\n<div class="{_name(6, 7)}"><div><div><div><div><div><div class="text" '
        f"{_attributes(2)}>{text}"
        f'\n<p>اقرأ أيضاً: <a href="/n/x" {_attributes(3)}>{escape(headline(rng))}</a></p>\n'
        f"<p>شاركوا هذا الخبر مع أصدقائكم</p>"
        f"</div></div></div></div></div></div></div></article>{_slots(0, 20)}</div></div>"
        f"</div></main>\n<aside><h2>مواضيع ذات صلة</h2>{_cards(rng, 38)}</aside></div>"
        f"{_slots(20, 40)}"
        f"</div>\n<footer><p>جميع الحقوق محفوظة لصحيفة القياس</p>{_menu('foot', 84)}{_icons(14)}"
        f"</footer></div>\n{_scripts(number)}</body></html>\n"
    )


#: Templates of sites leave as much between elements: lines of spaces are a fifth of a page.
_GAP = f"\n{' ' * 60}\n{' ' * 70}\n{' ' * 90}"


def _head(title: str, at: datetime, url: str) -> str:
    stated = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": title,
        "datePublished": f"{at.isoformat()}+03:00",
        "author": {"@type": "Person", "name": "محرر الأخبار"},
        "mainEntityOfPage": url,
        "image": [f"https://bench.example/i/{n}.jpg?{_name(6, n)}" for n in range(46)],
        "keywords": [f"وسم {n}" for n in range(56)],
    }
    metas = "".join(f'<meta name="bench:{n}" content="{_name(6, n)}">\n' for n in range(32))
    links = "".join(
        f'<link rel="preload" as="script" href="https://static.bench.example/{_name(4, n)}.js">\n'
        for n in range(24)
    )
    style = "".join(f".{_name(2, n)}{{margin:0 {n}px;display:block}}\n" for n in range(785))
    return (
        f'<meta charset="utf-8"><title>{escape(title)} - صحيفة القياس</title>\n'
        f'<meta property="og:title" content="{escape(title)}">'
        f'<meta property="og:site_name" content="صحيفة القياس">'
        f'<meta property="og:type" content="article"><link rel="canonical" href="{url}">\n'
        f"{metas}{links}<style>{style}</style>\n"
        f'<script type="application/ld+json">{json.dumps(stated, ensure_ascii=False)}</script>\n'
    )


def _menu(name: str, count: int) -> str:
    return (
        f'<nav class="{_name(3, 8)}"><ul>'
        + "".join(
            f'{_GAP}<li class="{_name(2, n)}"><a href="https://bench.example/{name}/section-{n}" '
            f"{_attributes(n, 2)}><span>قسم {n}</span></a></li>"
            for n in range(count)
        )
        + "</ul></nav>"
    )


def _cards(rng: random.Random, count: int) -> str:
    return "".join(
        f'{_GAP}<div class="card {_name(4, n)}" {_attributes(n)}>{_GAP}<div>'
        f'<a href="/n/{n}" {_attributes(n + 1)}><img {_image(n)}></a></div>{_GAP}'
        f'<h3 class="{_name(2, n)}"><a href="/n/{n}">{escape(headline(rng))}</a></h3>'
        f'<span class="when">منذ {n} ساعات في قسم الأخبار المحلية والاقتصاد</span></div>'
        for n in range(count)
    )


def _slots(first: int, last: int) -> str:
    return "".join(
        f'{_GAP}<div class="{_name(3, n)}"><div id="slot-{n}" {_attributes(n)}></div></div>'
        f"<!-- slot -->"
        for n in range(first, last)
    )


def _icons(count: int) -> str:
    path = " ".join(f"L{n}.{n} {2 * n}.5" for n in range(36))
    return "".join(
        f'<span class="{_name(2, n)}"><svg viewBox="0 0 24 24" width="24" height="24">'
        f'<path d="M0 0 {path} Z"></path></svg></span>'
        for n in range(count)
    )


def _scripts(number: int) -> str:
    return "".join(
        "<script>(function(w){w.slots=w.slots||[];"
        + "".join(
            f'w.slots.push({{"id":"{_name(2, n + part)}","size":[300,{n}]}});' for n in range(40)
        )
        + f"}})(window,{number});</script>\n"
        for part in range(29)
    )


def _name(words: int, seed: int) -> str:
    """A name as style sheets have them, of so many words."""
    return "-".join(f"u{(seed * 7919 + n * 104729) % 99991:x}" for n in range(words))


def _attributes(seed: int, count: int = 4) -> str:
    return " ".join(f'data-{_name(1, n)}="{_name(6, seed + n)}"' for n in range(count))


def _image(seed: int) -> str:
    sizes = ", ".join(f"/i/{seed}.jpg?w={wide} {wide}w" for wide in range(200, 1400, 200))
    return f'src="/i/{seed}.jpg" srcset="{sizes}" alt="" loading="lazy" {_attributes(seed)}'


def measures(text: str) -> dict[str, float]:
    """What MEDIAN has of many pages, of one."""
    tree: Any = html.document_fromstring(text.encode(), parser=html.HTMLParser(encoding="utf-8"))
    elements = [element for element in tree.iter() if isinstance(element.tag, str)]
    found: dict[str, float] = dict.fromkeys(MEDIAN, 0)
    found |= {"bytes": len(text.encode()), "elements": len(elements)}
    for element in elements:
        found["attributes"] += len(element.attrib)
        found["attribute bytes"] += sum(len(f"{k}{v}".encode()) for k, v in element.items())
        found["depth"] = max(found["depth"], sum(1 for _ in element.iterancestors()))
        if element.tag in ("script", "style"):
            said = len((element.text or "").encode())
            found[f"{element.tag} bytes"] += said
            found["of it JSON-LD"] += said if element.get("type") == "application/ld+json" else 0
            element.text = None
    found["letters"] = len(" ".join("".join(map(str, tree.itertext())).split()))
    lengths = [len(" ".join("".join(map(str, p.itertext())).split())) for p in tree.iter("p")]
    found["paragraph letters"] = sum(lengths)
    found["long paragraphs"] = sum(length > 80 for length in lengths)
    return found


def main() -> None:
    """Prints the measures of generated pages, or of a folder's, beside MEDIAN."""
    if len(sys.argv) > 1:
        files = [f for f in Path(sys.argv[1]).rglob("*") if f.suffix in (".html", ".gz")]
        bodies = [
            gzip.decompress(f.read_bytes()) if f.suffix == ".gz" else f.read_bytes() for f in files
        ]
        texts = [body.decode("utf-8", "replace") for body in bodies]
    else:
        texts = [page(number) for number in range(50)]
    taken = [measures(text) for text in texts]
    rows = [
        (k, f"{v:,}", f"{statistics.median(t[k] for t in taken):,.0f}") for k, v in MEDIAN.items()
    ]
    print_table(("a page has", "real, in the middle", f"these {len(texts)}"), rows)


if __name__ == "__main__":
    main()
