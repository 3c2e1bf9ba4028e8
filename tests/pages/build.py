"""Builds the golden pages: `python -m tests.pages.build` writes page.html and expected.json.

Each shape below is what a system of some newsroom makes of an article: its markup, its share
rows, its related boxes. The texts come from `stories.toml`. The same input builds the same
bytes, which a test compares with what is on disk.
"""

import json
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
STORIES: dict[str, Any] = tomllib.loads((HERE / "stories.toml").read_text(encoding="utf-8"))
SHAPES: dict[str, Callable[[], tuple[str, dict[str, Any]]]] = {}
#: Shapes whose bytes are not UTF-8.
CHARSETS = {"asp_windows_1256": "windows-1256"}

MENU = "الرئيسية سياسة اقتصاد محليات ثقافة رياضة منوعات فيديو صور آراء".split()
RELATED = (
    "مجلس النواب يؤجل التصويت على قانون الإيجارات إلى الأسبوع المقبل",
    "وفاة الممثل المسرحي جابر العكرمي عن ثمانين عاما",
    "أسعار الذهب تستقر بعد ثلاثة أيام من الارتفاع",
    "منتخب الناشئين يبلغ نصف نهائي البطولة العربية",
    "طقس غائم جزئيا ونشاط للرياح على السواحل",
    "جامعة حكومية تفتح باب القبول في تخصص علوم البيانات",
)


def shape(build: Callable[[], tuple[str, dict[str, Any]]]) -> Callable[[], Any]:
    SHAPES[build.__name__] = build
    return build


def expect(story: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """What the page must come out as; fields given replace those of the story."""
    told = {
        "outcome": "article",
        "title": story["title"],
        "deck": None,
        "paragraphs": story["lines"],
        "author": story["author"],
        "published_at": None,
        "section": None,
        "flags": [],
        "must_not": [],
        **fields,
    }
    told.setdefault("kinds", ["paragraph"] * len(told["paragraphs"]))
    assert len(told["kinds"]) == len(told["paragraphs"])
    return told


def rejected(reason: str) -> dict[str, Any]:
    return {"outcome": "rejected", "reason": reason, "paragraphs": [], "must_not": []}


def page(head: str, body: str, html: str = 'lang="ar" dir="rtl"') -> str:
    return f'<!DOCTYPE html>\n<html {html}>\n<head>\n<meta charset="utf-8">\n{head}\n</head>\n<body>\n{body}\n</body>\n</html>\n'


def ld(**node: Any) -> str:
    stated = {"@context": "https://schema.org", **node}
    return f'<script type="application/ld+json">{json.dumps(stated, ensure_ascii=False)}</script>'


def p(lines: Iterable[str], attributes: str = "") -> str:
    return "\n".join(f"<p{attributes}>{line}</p>" for line in lines)


def menu(tag: str = "nav", items: Iterable[str] = MENU) -> str:
    links = "".join(
        f'<li class="menu-item"><a href="/s/{n}">{name}</a></li>' for n, name in enumerate(items)
    )
    return f"<{tag}><ul>{links}</ul></{tag}>"


def cards(titles: Iterable[str] = RELATED, tag: str = "h3") -> str:
    return "\n".join(
        f'<div class="card"><a href="/n/{n}"><img src="/i/{n}.jpg" alt=""></a><{tag}><a href="/n/{n}">{title}</a></{tag}></div>'
        for n, title in enumerate(titles)
    )


@shape
def wordpress_yoast() -> tuple[str, dict[str, Any]]:
    s = STORIES["library"]
    graph = [
        {
            "@type": "NewsArticle",
            "headline": s["title"],
            "author": {"name": s["author"], "@id": "https://marfa.example/#/person/1"},
            "datePublished": "2024-03-04T09:20:11+00:00",
            "dateModified": "2024-03-04T11:02:40+00:00",
            "articleSection": [s["section"]],
            "keywords": ["طبرقة", "أرشيف الميناء"],
        },
        {"@type": "WebPage", "name": s["title"] + " - مرفأ نيوز"},
        {"@type": "WebSite", "name": "مرفأ نيوز"},
        {"@type": "Person", "name": s["author"]},
    ]
    stated = {"@context": "https://schema.org", "@graph": graph}
    head = (
        f'<title>{s["title"]} - مرفأ نيوز</title><link rel="canonical" href="https://marfa.example/archive-port/">'
        f'<meta property="og:type" content="article"><meta property="og:title" content="{s["title"]} - مرفأ نيوز">'
        f'<meta property="og:site_name" content="مرفأ نيوز"><meta property="article:published_time" content="2024-03-04T09:20:11+00:00">'
        f'<script type="application/ld+json" class="yoast-schema-graph">{json.dumps(stated, ensure_ascii=False)}</script>'
    )
    share = '<div class="sharedaddy sd-sharing-enabled"><h3 class="sd-title">شارك هذا الموضوع:</h3><ul><li><a>انقر للمشاركة على فيسبوك (فتح في نافذة جديدة)</a></li><li><a>النقر للمشاركة على X (فتح في نافذة جديدة)</a></li><li><a>انقر للمشاركة على WhatsApp (فتح في نافذة جديدة)</a></li></ul></div>'
    lines = s["lines"]
    body = f"""<div id="page" class="site"><a class="skip-link" href="#content">التجاوز إلى المحتوى</a>
<header class="site-header">{menu()}</header><div id="content"><main id="main">
<article id="post-4412" class="post-4412 post type-post hentry category-culture">
<header class="entry-header"><div class="breadcrumb"><a href="/">الرئيسية</a> / <a href="/c">{s["section"]}</a></div>
<h1 class="entry-title">{s["title"]}</h1><div class="entry-meta"><span class="byline">بواسطة <a rel="author">{s["author"]}</a></span> <time class="entry-date published" datetime="2024-03-04T09:20:11+00:00">4 مارس، 2024</time> <span class="comments-link">لا توجد تعليقات</span> <span class="reading-time">3 دقائق للقراءة</span></div></header>
{share}<div class="entry-content">
{p(lines[:2])}
<div class="inline-related"><strong>اقرأ أيضاً</strong><ul><li><a href="/n/1">{RELATED[0]}</a></li><li><a href="/n/2">{RELATED[1]}</a></li></ul></div>
{p(lines[2:4])}
<p><strong>اقرأ أيضا: <a href="/n/3">{RELATED[2]}</a></strong></p>
{p(lines[4:])}
{share}<div id="jp-relatedposts" class="jp-relatedposts"><h3 class="jp-relatedposts-headline"><em>ذات صلة</em></h3></div></div>
<footer class="entry-footer"><span class="tags-links">وسوم: <a rel="tag">طبرقة</a>، <a rel="tag">أرشيف الميناء</a></span></footer></article>
<div class="author-box"><h4>{s["author"]}</h4><p>صحفية تونسية تكتب عن المدن الساحلية وتاريخها منذ عام 2015.</p></div>
<nav class="post-navigation"><a rel="prev">المقال السابق {RELATED[3]}</a><a rel="next">المقال التالي {RELATED[4]}</a></nav>
<section class="related"><h2>مقالات ذات صلة</h2>{cards()}</section>
<div id="respond" class="comment-respond"><h3>اترك تعليقاً <small><a>إلغاء الرد</a></small></h3><p class="comment-notes">لن يتم نشر عنوان بريدك الإلكتروني. الحقول الإلزامية مشار إليها بـ *</p></div>
</main><aside id="secondary" class="widget-area"><section class="widget"><h2>أحدث المقالات</h2>{menu("div", RELATED)}</section></aside></div>
<footer class="site-footer"><p>جميع الحقوق محفوظة © 2024 مرفأ نيوز. مدعوم بواسطة ووردبريس</p></footer></div>"""
    return page(head, body), expect(
        s,
        url="https://marfa.example/archive-port/",
        published_at="2024-03-04T09:20:11+00:00",
        section=s["section"],
        must_not=[
            *RELATED,
            "شارك هذا الموضوع",
            "انقر للمشاركة",
            "اقرأ أيض",
            "لن يتم نشر",
            "صحفية تونسية",
            "دقائق للقراءة",
        ],
    )


@shape
def drupal_fields() -> tuple[str, dict[str, Any]]:
    s = STORIES["bridge"]
    head = (
        f'<title>{s["title"]} | نشرة الأغوار</title><meta name="Generator" content="Drupal 9 (https://www.drupal.org)">'
        f'<meta property="og:site_name" content="نشرة الأغوار"><meta property="og:title" content="{s["title"]}">'
        f'<meta property="article:published_time" content="2023-09-20T06:45:00+03:00"><meta property="article:section" content="{s["section"]}">'
    )
    items = "".join(f'<div class="field--item">{p([line])}</div>' for line in s["lines"])
    body = f"""<div class="dialog-off-canvas-main-canvas"><div class="layout-container"><header role="banner"><div class="region region-primary-menu">{menu()}</div></header>
<main role="main"><div class="region region-content"><div id="block-page-title"><h1 class="page-header"><span class="field field--name-title">{s["title"]}</span></h1></div>
<article class="node node--type-article node--view-mode-full"><div class="field field--name-field-subtitle field--type-string">{s["deck"]}</div>
<div class="node__submitted"><span class="field--name-field-author">{s["author"]}</span> <span class="date">الأربعاء، 09/20/2023 - 06:45</span></div>
<div class="field field--name-field-image"><figure><img src="/f/b.jpg" alt="جسر دير علا"><figcaption class="caption">شاحنات تنتظر عند المدخل الغربي للجسر (تصوير: مراد الخوالدة)</figcaption></figure></div>
<div class="addtoany_list"><a>Facebook</a> <a>Twitter</a> <a>WhatsApp</a> <span>مشاركة</span></div>
<div class="clearfix text-formatted field field--name-body field--type-text-with-summary field--label-hidden">{items}</div>
<div class="field field--name-field-tags"><div class="field--label">كلمات مفتاحية</div><div class="field--items"><div class="field--item"><a>الأغوار</a></div><div class="field--item"><a>طرق</a></div></div></div>
<div class="addtoany_list"><a>Facebook</a> <a>Twitter</a> <a>WhatsApp</a> <span>مشاركة</span></div></article>
<div class="views-element-container"><h2>مواضيع ذات صلة</h2><div class="view-content">{cards()}</div></div></div></main>
<footer role="contentinfo"><p>تصدر عن جمعية الإعلام المجتمعي. جميع الحقوق محفوظة</p></footer></div></div>"""
    return page(head, body), expect(
        s,
        url="https://aghwar.example/node/881",
        deck=s["deck"],
        published_at="2023-09-20T06:45:00+03:00",
        section=s["section"],
        must_not=[*RELATED, "مراد الخوالدة", "WhatsApp", "كلمات مفتاحية", "تصدر عن جمعية"],
    )


@shape
def blogger_br() -> tuple[str, dict[str, Any]]:
    s = STORIES["museum"]
    head = f'<title>مدونة نول: {s["title"]}</title><meta content="blogger" name="generator"><meta content="{s["title"]}" property="og:title">'
    text = "<br /><br />".join(s["lines"])
    body = f"""<div class="content-outer"><div class="header section" id="header"><h1 class="title"><a href="/">مدونة نول</a></h1><div class="descriptionwrapper"><p class="description"><span>حكايات من أسواق المدينة القديمة</span></p></div></div>
<div class="main section"><div class="widget Blog"><div class="blog-posts hfeed"><div class="date-outer"><h2 class="date-header"><span>السبت، 14 أكتوبر 2023</span></h2><div class="date-posts"><div class="post-outer"><div class="post hentry uncustomized-post-template" itemprop="blogPost" itemscope="itemscope" itemtype="http://schema.org/BlogPosting">
<h3 class="post-title entry-title" itemprop="name">{s["title"]}</h3><div class="post-header"></div>
<div class="post-body entry-content" id="post-body-77" itemprop="description articleBody"><div class="separator" style="clear: both; text-align: center;"><a><img src="/x.jpg" /></a></div><br />{text}<div style="clear: both;"></div></div>
<div class="post-footer"><div class="post-footer-line post-footer-line-1"><span class="post-author vcard">مرسلة بواسطة <span class="fn" itemprop="author" itemscope="itemscope"><span itemprop="name">{s["author"]}</span></span></span> <span class="post-timestamp">في <a class="timestamp-link" rel="bookmark"><abbr class="published" itemprop="datePublished" title="2023-10-14T11:30:00+03:00" datetime="2023-10-14T11:30:00+03:00">11:30 ص</abbr></a></span>
<div class="post-share-buttons"><a class="goog-inline-block"><span>إرسال بالبريد الإلكتروني</span></a><a><span>كتابة مدونة حول هذه المشاركة</span></a><a><span>المشاركة على X</span></a><a><span>المشاركة في Facebook</span></a></div></div><div class="post-footer-line"><span class="post-labels">التسميات: <a rel="tag">متاحف</a></span></div></div></div>
<div class="comments" id="comments"><h4>ليست هناك تعليقات:</h4><div id="comments-block-wrapper"></div><p class="comment-footer"><a>إرسال تعليق</a></p></div></div></div></div></div>
<div class="blog-pager"><a>رسالة أحدث</a> <a>رسالة أقدم</a> <a>الصفحة الرئيسية</a></div><div class="post-feeds">الاشتراك في: تعليقات الرسالة (Atom)</div></div></div>
<aside><div class="widget PopularPosts"><h2>المشاركات الشائعة</h2>{menu("div", RELATED)}</div><div class="widget Profile"><h2>من أنا</h2><p>أكتب هنا ما لا يتسع له الدفتر.</p></div></aside></div>"""
    return page(head, body, "dir='rtl' lang='ar'"), expect(
        s,
        url="https://nawl.example/2023/10/blog-post_14.html",
        published_at="2023-10-14T11:30:00+03:00",
        must_not=[
            *RELATED,
            "مرسلة بواسطة",
            "إرسال بالبريد",
            "التسميات",
            "الاشتراك في",
            "لا يتسع له",
            "حكايات من",
        ],
    )


@shape
def amp_page() -> tuple[str, dict[str, Any]]:
    s = STORIES["dates"]
    lines = s["lines"]
    head = (
        f'<title>{s["title"]}</title><link rel="canonical" href="https://siwa.example/economy/dates">'
        "<script async src='https://cdn.ampproject.org/v0.js'></script><style amp-boilerplate>body{visibility:hidden}</style>"
        + ld(
            **{
                "@type": "NewsArticle",
                "headline": s["title"],
                "description": s["deck"],
                "articleSection": s["section"],
                "datePublished": "2022-09-11T08:05:00+02:00",
                "author": [{"@type": "Person", "name": s["author"]}],
                "publisher": {"@type": "Organization", "name": "واحات"},
            }
        )
    )
    body = f"""<amp-sidebar id="sidebar" layout="nodisplay">{menu("div")}</amp-sidebar><amp-consent id="c" layout="nodisplay"><div id="consent-ui"><p>نستخدم ملفات تعريف الارتباط لتحسين تجربتك وعرض إعلانات تناسب اهتماماتك.</p><button>أوافق</button></div></amp-consent>
<header class="amp-header"><a href="/">واحات</a></header><main><article class="amp-article"><div class="kicker">{s["section"]}</div><h1>{s["title"]}</h1><h2 class="subtitle">{s["deck"]}</h2>
<div class="byline">كتب: {s["author"]}</div><time datetime="2022-09-11T08:05:00+02:00">الأحد 11 سبتمبر 2022 08:05 ص</time>
<amp-social-share type="twitter"></amp-social-share><amp-social-share type="facebook"></amp-social-share>
<amp-img src="/d.jpg" layout="responsive" width="16" height="9"></amp-img>
{p(lines[:2])}
<amp-ad type="doubleclick" width="300" height="250"><div placeholder>إعلان</div></amp-ad>
{p(lines[2:3])}
<amp-list src="/related.json" layout="fixed-height"><template type="amp-mustache"><a>{{{{title}}}}</a></template></amp-list>
<div class="amp-related"><p>اقرأ أيضًا</p><p><a href="/n/0">{RELATED[0]}</a></p><p><a href="/n/5">{RELATED[5]}</a></p></div>
{p(lines[3:])}
<amp-embed type="taboola"></amp-embed></article></main><footer><p>© واحات 2022</p><a href="https://siwa.example/economy/dates">النسخة الكاملة</a></footer>"""
    return page(head, body, 'amp lang="ar" dir="rtl"'), expect(
        s,
        url="https://siwa.example/economy/dates?amp=1",
        deck=s["deck"],
        published_at="2022-09-11T08:05:00+02:00",
        section=s["section"],
        must_not=[*RELATED, "ملفات تعريف", "إعلان", "اقرأ أيض", "النسخة الكاملة"],
    )


@shape
def asp_windows_1256() -> tuple[str, dict[str, Any]]:
    s = STORIES["kayak"]
    text = "<br><br>\n".join(f"&nbsp;&nbsp;{line}" for line in s["lines"])
    cells = "".join(
        f'<tr><td><font size="2"><a href="list.asp?id={n}">{name}</a></font></td></tr>'
        for n, name in enumerate(MENU)
    )
    more = "".join(
        f'<tr><td bgcolor="#eeeeee"><font size="2">- <a href="show.asp?id={n}">{title}</a></font></td></tr>'
        for n, title in enumerate(RELATED)
    )
    html = f"""<html dir="rtl"><head><meta http-equiv="Content-Type" content="text/html; charset=windows-1256"><title>جريدة الساحل - {s["title"]}</title></head>
<body bgcolor="#ffffff" topmargin="0"><table width="770" align="center" cellpadding="0" cellspacing="0"><tr><td colspan="3"><img src="banner.gif"></td></tr>
<tr><td colspan="3"><marquee>{RELATED[0]} *** {RELATED[1]}</marquee></td></tr>
<tr valign="top"><td width="140"><table>{cells}</table></td>
<td width="480"><table width="100%"><tr><td><font color="#990000" size="2">{s["section"]}</font></td></tr>
<tr><td align="center"><h1><font face="Arial" size="5" color="#003366">{s["title"]}</font></h1></td></tr>
<tr><td><font size="2">الأحد 6 تشرين الأول 2013</font></td></tr>
<tr><td><font face="Simplified Arabic" size="4"><p align="justify">{text}</p></font></td></tr>
<tr><td><font size="2"><a href="print.asp?id=9">نسخة للطباعة</a> | <a href="send.asp?id=9">أرسل إلى صديق</a> | عدد القراء: 1532</font></td></tr></table></td>
<td width="150"><table><tr><td bgcolor="#003366"><font color="#ffffff">اقرأ في هذا العدد</font></td></tr>{more}</table></td></tr>
<tr><td colspan="3" align="center"><font size="1">جميع الحقوق محفوظة لجريدة الساحل 2013</font></td></tr></table></body></html>
"""
    return html, expect(
        s,
        url="http://sahel.example/show.asp?id=9",
        author=None,
        published_at="2013-10-06",
        must_not=[*RELATED, "نسخة للطباعة", "عدد القراء", "اقرأ في هذا العدد", "جميع الحقوق"],
    )


@shape
def nextjs_hashed() -> tuple[str, dict[str, Any]]:
    s = STORIES["bridge"]
    blob = {
        "props": {
            "pageProps": {
                "article": {"title": s["title"], "body": s["lines"]},
                "more": list(RELATED),
            }
        },
        "page": "/[slug]",
        "buildId": "k3Jx",
    }
    head = (
        f'<title>{s["title"]}</title><meta property="og:title" content="{s["title"]}"><meta property="og:description" content="{s["deck"]}"><meta property="og:type" content="article">'
        + ld(
            **{
                "@type": "NewsArticle",
                "headline": s["title"],
                "datePublished": "2023-09-20T03:45:00.000Z",
                "author": {"@type": "Person", "name": s["author"]},
                "articleSection": s["section"],
            }
        )
    )
    text = "".join(
        f'<div class="Paragraph_root__x9Q2a"><p class="Text_body__1kz">{line}</p></div>'
        for line in s["lines"]
    )
    body = f"""<div id="__next"><div class="Layout_wrap__a81"><header class="Header_root__9fa">{menu("div")}</header><div class="Story_grid__77c"><div class="Story_main__b2e">
<div class="Label_root__0d">{s["section"]}</div><h1 class="Headline_root__zz1">{s["title"]}</h1><div class="Standfirst_root__p0">{s["deck"]}</div>
<div class="Meta_row__3x"><span>{s["author"]}</span><span>20 سبتمبر 2023</span></div><div class="Share_row__88"><button>نسخ الرابط</button><button>مشاركة</button><span>تم نسخ الرابط</span></div>
<div class="Body_root__f4">{text}</div><div class="Follow_root__2"><span>تابعنا على أخبار غوغل</span></div></div>
<div class="Rail_root__5"><div class="Rail_title__1">الأكثر قراءة</div>{cards(tag="div")}</div></div></div></div><script id="__NEXT_DATA__" type="application/json">{json.dumps(blob, ensure_ascii=False)}</script>"""
    return page(head, body), expect(
        s,
        url="https://jisr.example/deir-alla",
        deck=s["deck"],
        published_at="2023-09-20T03:45:00+00:00",
        section=s["section"],
        must_not=[*RELATED, "نسخ الرابط", "تابعنا", "الأكثر قراءة"],
    )


@shape
def iranian_introtext() -> tuple[str, dict[str, Any]]:
    s = STORIES["persian"]
    head = (
        f'<title>{s["title"]} - خبرگزاری کوزه</title><meta property="og:title" content="{s["title"]}"><meta property="og:site_name" content="خبرگزاری کوزه">'
        f'<meta name="description" content="{s["lines"][0]}"><meta property="article:published_time" content="2021-01-24T10:12:00+03:30">'
    )
    body = f"""<header>{menu("nav", ["صفحه اصلی", "سیاسی", "اقتصادی", "جامعه", "ورزشی", "عکس", "فیلم"])}</header><div class="container"><section class="box news-view"><div class="item-header">
<div class="item-nav row"><div class="item-date"><span>۵ بهمن ۱۳۹۹ - ۱۰:۱۲</span></div><div class="item-code">کد خبر: ۸۴۲۱۷۷۳۱</div><div class="item-service"><a href="/s">{s["section"]}</a></div></div>
<div class="item-title"><h1 class="title"><a href="/n/1">{s["title"]}</a></h1></div>
<figure class="item-img"><img src="/k.jpg" alt=""></figure><p class="summary introtext" itemprop="description">{s["lines"][0]}</p></div>
<div class="item-body"><div class="item-text" itemprop="articleBody">{p(s["lines"][1:])}<p>انتهای پیام</p></div></div>
<div class="item-footer"><div class="short-link">لینک کوتاه: <span>kuze.example/x9Z</span></div><div class="tags"><h2>برچسب‌ها</h2><ul><li><a>سفال</a></li><li><a>لالجین</a></li><li><a>همدان</a></li></ul></div></div>
<section class="box related"><h2>اخبار مرتبط</h2><ul><li><h3><a>قیمت زعفران در بازار مشهد ثابت ماند</a></h3></li><li><h3><a>برف راه‌های کوهستانی غرب کشور را بست</a></h3></li></ul></section>
<section class="box comments"><h2>نظر شما</h2><p>شما در حال پاسخ به نظر هستید. نظرات حاوی توهین منتشر نمی‌شود.</p></section></section></div><footer><p>تمامی حقوق برای خبرگزاری کوزه محفوظ است.</p></footer>"""
    return page(head, body, 'lang="fa" dir="rtl"'), expect(
        s,
        url="https://kuze.example/news/84217731",
        author=None,
        published_at="2021-01-24T10:12:00+03:30",
        must_not=[
            "انتهای پیام",
            "کد خبر",
            "لینک کوتاه",
            "برچسب",
            "زعفران",
            "نظرات حاوی",
            "تمامی حقوق",
        ],
    )


@shape
def egyptian_cms() -> tuple[str, dict[str, Any]]:
    s = STORIES["dates"]
    lines = s["lines"]
    head = f'<title>{s["title"]} - صدى الدلتا</title><meta property="og:title" content="{s["title"]}"><meta property="og:site_name" content="صدى الدلتا"><meta name="keywords" content="سيوة,تمور,أسعار النقل">'
    body = f"""<div id="header">{menu("div")}<div class="breaking"><span>عاجل</span><a>{RELATED[3]}</a></div></div><div class="main-article"><div class="article-title"><h1>{s["title"]}</h1></div>
<div class="publish-info"><span class="publish">الأحد 11/سبتمبر/2022 - 08:05 ص</span><span class="writer">كتب - {s["author"]}</span></div>
<div class="sharing"><span>طباعة</span> <span>مشاركة</span> <span>Facebook</span> <span>Twitter</span></div>
<div class="article-photo"><img src="/t.jpg"><span class="photo-caption">جانب من جني التمور - أرشيفية</span></div>
<div class="paragraph-list" id="article-content">{p(lines[:1])}
<p><a href="/n/1"><strong>{RELATED[1]}</strong></a></p>
{p(lines[1:3])}
<h3><strong>اقرأ أيضًا:</strong></h3><p><a href="/n/2">{RELATED[2]}</a></p><p><a href="/n/4">{RELATED[4]}</a></p>
{p(lines[3:])}
<p>لمتابعة آخر الأخبار عبر تطبيق صدى الدلتا اضغط هنا</p></div>
<div class="keywords"><span>كلمات البحث</span><a>سيوة</a><a>تمور</a><a>أسعار النقل</a></div>
<div class="more-news"><h3>موضوعات متعلقة</h3>{cards()}</div><div class="fb-comments">تعليقات الفيسبوك</div><div class="footer">جميع الحقوق محفوظة لصدى الدلتا © 2022</div></div>"""
    return page(head, body), expect(
        s,
        url="https://delta.example/4410021",
        published_at="2022-09-11T08:05",
        must_not=[*RELATED, "كتب -", "طباعة", "أرشيفية", "اقرأ أيض", "لمتابعة آخر", "كلمات البحث"],
    )


@shape
def infinite_scroll() -> tuple[str, dict[str, Any]]:
    s, other = STORIES["museum"], STORIES["kayak"]
    head = (
        f'<title>{s["title"]}</title><meta property="og:title" content="{s["title"]}"><meta property="article:published_time" content="2023-10-14T08:30:00Z">'
        + ld(
            **{
                "@type": "NewsArticle",
                "headline": s["title"],
                "datePublished": "2023-10-14T08:30:00Z",
                "author": {"@type": "Person", "name": s["author"]},
                "mainEntityOfPage": "https://tall.example/a/1",
            }
        )
    )

    def one(story: dict[str, Any], number: int, at: str) -> str:
        return f"""<div class="article-wrapper" data-url="https://tall.example/a/{number}"><article class="article"><h1 class="article__title">{story["title"]}</h1>
<div class="article__meta"><span class="author">{story["author"]}</span> <time datetime="{at}">{at[:10]}</time></div><div class="article__body">{p(story["lines"])}</div><div class="share-bar"><a>شارك</a></div></article></div>"""

    body = f"""<header>{menu()}</header><main class="infinite">{one(s, 1, "2023-10-14T08:30:00Z")}<div class="next-article-label">المقال التالي</div>{one(other, 2, "2023-10-06T15:00:00Z")}</main><footer>حقوق النشر محفوظة</footer>"""
    return page(head, body), expect(
        s,
        url="https://tall.example/a/1",
        published_at="2023-10-14T08:30:00+00:00",
        must_not=[other["title"], *other["lines"], "المقال التالي", other["author"]],
    )


@shape
def infinite_scroll_article_list() -> tuple[str, dict[str, Any]]:
    """The next article follows in the same container, with h2 as its heading and no mark-up."""
    s, other = STORIES["library"], STORIES["bridge"]
    head = f'<title>{s["title"]} - ضفاف</title><meta property="og:title" content="{s["title"]}"><meta property="og:site_name" content="ضفاف"><meta property="article:published_time" content="2024-03-04T10:20:00+01:00">'
    body = f"""<div class="top">{menu("div")}</div><div id="content"><div class="post" id="post-1"><h1>{s["title"]}</h1><p class="author">{s["author"]}</p>{p(s["lines"])}</div>
<div class="post" id="post-2"><h1>{other["title"]}</h1><p class="author">{other["author"]}</p>{p(other["lines"])}</div></div>"""
    return page(head, body), expect(
        s,
        url="https://difaf.example/2024/03/archive",
        published_at="2024-03-04T10:20:00+01:00",
        must_not=[other["title"], *other["lines"], other["author"]],
    )


@shape
def paywall_stub() -> tuple[str, dict[str, Any]]:
    s = STORIES["bridge"]
    head = f'<title>{s["title"]}</title><meta property="og:title" content="{s["title"]}">' + ld(
        **{
            "@type": "NewsArticle",
            "headline": s["title"],
            "datePublished": "2023-09-20T06:45:00+03:00",
            "isAccessibleForFree": "False",
            "hasPart": {
                "@type": "WebPageElement",
                "isAccessibleForFree": "False",
                "cssSelector": ".paywall",
            },
            "author": {"@type": "Person", "name": s["author"]},
        }
    )
    body = f"""<header>{menu()}</header><main><article><h1>{s["title"]}</h1><div class="article-body">{p(s["lines"][:2])}</div>
<div class="paywall"><h3>هذا المحتوى للمشتركين فقط</h3><p>للاستمرار في القراءة اشترك الآن أو سجل الدخول إلى حسابك.</p><p>اشتراك شهري يبدأ من خمسة دنانير ويمكنك إلغاؤه في أي وقت.</p><a class="btn">اشترك الآن</a><p>هل أنت مشترك؟ <a>سجل الدخول</a></p></div></article></main><footer>جميع الحقوق محفوظة</footer>"""
    return page(head, body), expect(
        s,
        url="https://dinar.example/p/1",
        paragraphs=s["lines"][:2],
        published_at="2023-09-20T06:45:00+03:00",
        flags=["paywall"],
        must_not=["للمشتركين فقط", "اشترك الآن", "اشتراك شهري", "سجل الدخول"],
    )


@shape
def live_blog() -> tuple[str, dict[str, Any]]:
    s = STORIES["kayak"]
    at = ["15:40", "15:05", "14:30", "14:02"]
    posts = s["lines"][1:]
    head = (
        f'<title>مباشر: {s["title"]}</title><meta property="og:title" content="{s["title"]}">'
        + ld(
            **{
                "@type": "LiveBlogPosting",
                "headline": s["title"],
                "datePublished": "2023-10-06T14:00:00+03:00",
                "coverageStartTime": "2023-10-06T14:00:00+03:00",
                "author": {"@type": "Person", "name": s["author"]},
                "liveBlogUpdate": [
                    {
                        "@type": "BlogPosting",
                        "headline": "تحديث",
                        "datePublished": f"2023-10-06T{t}:00+03:00",
                        "articleBody": x,
                    }
                    for t, x in zip(at, posts, strict=True)
                ],
            }
        )
    )
    updates = "".join(
        f'<div class="live-post" id="u{n}"><time class="live-post__time" datetime="2023-10-06T{t}:00+03:00">{t}</time><div class="live-post__body"><p>{x}</p></div><button>شارك</button></div>'
        for n, (t, x) in enumerate(zip(at, posts, strict=True))
    )
    body = f"""<header>{menu()}</header><main><article class="liveblog"><span class="live-tag">مباشر</span><h1>{s["title"]}</h1><div class="lead"><p>{s["lines"][0]}</p></div><div class="live-feed">{updates}</div><button>تحميل المزيد</button></article></main>"""
    return page(head, body), expect(
        s,
        url="https://live.example/l/1",
        published_at="2023-10-06T14:00:00+03:00",
        flags=["live_blog"],
        must_not=["تحميل المزيد"],
    )


@shape
def photo_gallery() -> tuple[str, dict[str, Any]]:
    s = STORIES["museum"]
    head = (
        f'<title>بالصور: {s["title"]}</title><meta property="og:title" content="{s["title"]}">'
        + ld(**{"@type": "ImageGallery", "name": s["title"], "datePublished": "2023-10-15"})
    )
    slides = "".join(
        f'<div class="slide"><figure><img src="/g/{n}.jpg"><figcaption><span class="num">{n}/8</span> {x} <span class="credit">تصوير: هاني البدري</span></figcaption></figure></div>'
        for n, x in enumerate(
            [
                "عباءة مطرزة بخيوط الفضة",
                "نول من خشب الجوز",
                "زوار في اليوم الأول",
                "بطاقة تعريف بإحدى القطع",
                "سجادة صغيرة",
                "أصباغ طبيعية",
                "نساجة من المدينة القديمة",
                "واجهة القاعة",
            ],
            1,
        )
    )
    body = f"""<header>{menu()}</header><main class="gallery-page"><h1>{s["title"]}</h1><div class="slider">{slides}</div><div class="share"><a>شارك</a></div><h2>معارض أخرى</h2>{cards()}</main>"""
    return page(head, body), {**rejected("not_an_article"), "url": "https://nawl.example/g/1"}


@shape
def gallery_with_text() -> tuple[str, dict[str, Any]]:
    s = STORIES["museum"]
    head = f'<title>{s["title"]}</title><meta property="og:title" content="{s["title"]}">' + ld(
        **{
            "@graph": [
                {"@type": "ImageGallery", "name": s["title"]},
                {
                    "@type": "NewsArticle",
                    "headline": s["title"],
                    "datePublished": "2023-10-15T07:00:00+03:00",
                    "author": {"@type": "Person", "name": s["author"]},
                },
            ]
        }
    )
    slides = "".join(
        f'<figure class="gallery__item"><img src="/g/{n}.jpg"><figcaption>{x} (تصوير: هاني البدري)</figcaption></figure>'
        for n, x in enumerate(
            [
                "عباءة مطرزة بخيوط الفضة تعود إلى مطلع القرن الماضي",
                "نول أعيد بناؤه من خشب الجوز على يد نجار من الحي",
                "زوار يتأملون القطع في اليوم الأول للعرض",
            ],
            1,
        )
    )
    body = f"""<header>{menu()}</header><main><article><h1>{s["title"]}</h1>{p(s["lines"][:3])}<div class="gallery">{slides}</div></article></main>"""
    return page(head, body), expect(
        s,
        url="https://nawl.example/g/2",
        paragraphs=s["lines"][:3],
        published_at="2023-10-15T07:00:00+03:00",
        flags=["gallery"],
        must_not=["هاني البدري", "خيوط الفضة", "نجار من الحي"],
    )


@shape
def video_page() -> tuple[str, dict[str, Any]]:
    s = STORIES["kayak"]
    head = (
        f'<title>{s["title"]}</title><meta property="og:type" content="video.other"><meta property="og:title" content="{s["title"]}">'
        + ld(
            **{
                "@type": "VideoObject",
                "name": s["title"],
                "description": s["deck"],
                "uploadDate": "2023-10-06T17:00:00+03:00",
                "duration": "PT2M11S",
            }
        )
    )
    body = f"""<header>{menu()}</header><main><div class="player"><video src="/v.mp4"></video></div><h1>{s["title"]}</h1><p class="video-desc">{s["lines"][0]}</p><div class="share"><span>شارك</span></div><h2>فيديوهات أخرى</h2>{cards()}</main>"""
    return page(head, body), {**rejected("not_an_article"), "url": "https://live.example/v/1"}


@shape
def video_with_text() -> tuple[str, dict[str, Any]]:
    s = STORIES["kayak"]
    head = (
        f'<title>{s["title"]}</title><meta property="og:type" content="video.other"><meta property="og:title" content="{s["title"]}">'
        + ld(
            **{
                "@type": "VideoObject",
                "name": s["title"],
                "description": s["deck"],
                "uploadDate": "2023-10-06T17:00:00+03:00",
                "duration": "PT2M11S",
            }
        )
    )
    body = f"""<header>{menu()}</header><main><div class="player"><video src="/v.mp4"></video></div><h1>{s["title"]}</h1><div class="video-desc">{p(s["lines"][:3])}</div><div class="share"><span>شارك</span></div><h2>فيديوهات أخرى</h2>{cards()}</main>"""
    return page(head, body), expect(
        s,
        url="https://live.example/v/2",
        paragraphs=s["lines"][:3],
        author=None,
        published_at="2023-10-06T17:00:00+03:00",
        flags=["video"],
        must_not=[*RELATED, "فيديوهات أخرى"],
    )


@shape
def stated_body() -> tuple[str, dict[str, Any]]:
    """Extraction prefers the long side box; the page states its own text in JSON-LD."""
    s, other = STORIES["bridge"], STORIES["library"]
    lines = s["lines"]
    head = f'<title>{s["title"]}</title><meta property="og:title" content="{s["title"]}">' + ld(
        **{
            "@type": "NewsArticle",
            "headline": s["title"],
            "datePublished": "2023-09-20T06:45:00+03:00",
            "author": {"@type": "Person", "name": s["author"]},
            "articleBody": " ".join(lines),
        }
    )
    body = f"""<header>{menu()}</header><main><h1>{s["title"]}</h1>{"".join(f'<div class="promo-slot"><p>{line}</p></div>' for line in lines)}<article class="box">{p(other["lines"])}</article></main>"""
    return page(head, body), expect(
        s,
        url="https://jisr.example/n/3",
        published_at="2023-09-20T06:45:00+03:00",
        must_not=other["lines"],
    )


@shape
def br_in_one_div() -> tuple[str, dict[str, Any]]:
    s = STORIES["dates"]
    text = "<br/>\n<br/>\n".join(s["lines"])
    head = f'<title>{s["title"]}</title><meta name="author" content="{s["author"]}">'
    body = f"""<div id="wrap"><div id="menu">{menu("div")}</div><div id="news"><h1>{s["title"]}</h1><div class="newsdate">2022-09-11 08:05:00</div><div class="newstext"><img src="/a.jpg" align="left"><b>سيوة -</b> {text}<br/><br/><a href="javascript:window.print()">طباعة</a> <a>أرسل لصديق</a></div></div><div id="foot">جميع الحقوق محفوظة</div></div>"""
    lines = ["سيوة - " + s["lines"][0], *s["lines"][1:]]
    return page(head, body), expect(
        s,
        url="http://news.example/news.php?id=44",
        paragraphs=lines,
        published_at="2022-09-11T08:05:00",
        must_not=["طباعة", "أرسل لصديق", "جميع الحقوق"],
    )


@shape
def div_soup() -> tuple[str, dict[str, Any]]:
    s = STORIES["library"]
    rows = "".join(
        f'<div class="c12"><div class="t3"><span>{line}</span></div></div>' for line in s["lines"]
    )
    head = f'<title>{s["title"]}</title><meta property="og:title" content="{s["title"]}"><meta property="article:published_time" content="2024-03-04T10:20:00+01:00">'
    body = f"""<div class="a1"><div class="a2">{"".join(f'<div class="m"><a href="/{n}">{x}</a></div>' for n, x in enumerate(MENU))}</div><div class="a3"><div class="h9"><h1>{s["title"]}</h1></div><div class="b7">{rows}</div><div class="z1"><div><a href="/n/1">{RELATED[1]}</a></div><div><a href="/n/2">{RELATED[2]}</a></div></div></div><div class="z9">حقوق الطبع محفوظة</div></div>"""
    return page(head, body), expect(
        s,
        url="https://soup.example/x",
        author=None,
        published_at="2024-03-04T10:20:00+01:00",
        must_not=[*RELATED, "حقوق الطبع"],
    )


@shape
def long_comments() -> tuple[str, dict[str, Any]]:
    s = STORIES["bridge"]
    comments = [
        "كنت أعبر هذا الجسر كل يوم إلى عملي، وأتمنى أن يكون الإصلاح حقيقيا هذه المرة وألا نعود إلى الانتظار الطويل بعد أول شتاء ماطر.",
        "شكرا للمهندسين على جهودهم، لكن الميزان الإلكتروني وحده لا يكفي إن لم توجد رقابة ليلا حين تمر الشاحنات المحملة فوق الحد المسموح.",
        "أقترح على الوزارة أن تنشر نتائج اختبارات التحمل كاملة حتى يطمئن سكان القرى القريبة من الجسر إلى سلامة الدعامات.",
    ]
    told = "".join(
        f'<li class="comment even depth-1"><article class="comment-body"><footer class="comment-meta"><b class="fn">زائر {n}</b> يقول: <time datetime="2023-09-2{n}T10:00:00">منذ يومين</time></footer><div class="comment-content"><p>{x}</p></div><a class="comment-reply-link">رد</a></article></li>'
        for n, x in enumerate(comments, 1)
    )
    head = f'<title>{s["title"]}</title><meta property="og:title" content="{s["title"]}"><meta property="article:published_time" content="2023-09-20T06:45:00+03:00">'
    body = f"""<header>{menu()}</header><main><article class="post"><h1>{s["title"]}</h1><div class="content">{p(s["lines"][:4])}</div></article><section id="comments" class="comments-area"><h2 class="comments-title">3 تعليقات على “{s["title"]}”</h2><ol class="comment-list">{told}</ol></section></main>"""
    return page(head, body), expect(
        s,
        url="https://aghwar.example/2023/09/20/bridge",
        paragraphs=s["lines"][:4],
        author=None,
        published_at="2023-09-20T06:45:00+03:00",
        must_not=[*comments, "زائر 1", "يقول:"],
    )


@shape
def unmarked_comments() -> tuple[str, dict[str, Any]]:
    """Comments whose classes say it only in a product's name, after a short article."""
    s = STORIES["museum"]
    comments = [
        "زرت القاعة يوم الافتتاح مع أولادي، والقطع أجمل بكثير مما تظهر في الصور، والشرح المرافق لها مكتوب بعناية تستحق الشكر.",
        "جدتي كانت تنسج على نول كهذا في بيت العائلة، وكم أتمنى أن تعرض قطعها يوما ما إلى جانب هذه القطع الجميلة.",
    ]
    told = "".join(
        f'<div class="reader-item"><strong>قارئ {n}</strong><p>{x}</p><span>أعجبني (4)</span></div>'
        for n, x in enumerate(comments, 1)
    )
    head = f'<title>{s["title"]}</title><meta property="og:title" content="{s["title"]}">' + ld(
        **{
            "@type": "NewsArticle",
            "headline": s["title"],
            "datePublished": "2023-10-14T11:30:00+03:00",
            "author": s["author"],
        }
    )
    body = f"""<header>{menu()}</header><main><div class="story"><h1>{s["title"]}</h1>{p(s["lines"])}</div><div id="disqus_thread"><h3>التعليقات</h3>{told}</div></main>"""
    return page(head, body), expect(
        s,
        url="https://nawl.example/c/3",
        published_at="2023-10-14T11:30:00+03:00",
        must_not=[*comments, "أعجبني", "قارئ 1"],
    )


@shape
def cookie_and_newsletter() -> tuple[str, dict[str, Any]]:
    s = STORIES["library"]
    lines = s["lines"]
    box = '<div class="newsletter-box"><h4>النشرة البريدية</h4><p>اشترك في نشرتنا البريدية ليصلك كل صباح أهم ما نشره فريقنا من تقارير وقصص.</p><form><input type="email"><button>اشترك</button></form><p>باشتراكك فإنك توافق على شروط الاستخدام وسياسة الخصوصية الخاصة بنا.</p></div>'
    head = f'<title>{s["title"]}</title><meta property="og:title" content="{s["title"]}">' + ld(
        **{
            "@type": "NewsArticle",
            "headline": s["title"],
            "datePublished": "2024-03-04T10:20:00+01:00",
            "author": {"@type": "Person", "name": s["author"]},
        }
    )
    body = f"""<div id="cookie-notice" role="dialog"><p>يستخدم هذا الموقع ملفات تعريف الارتباط لضمان حصولك على أفضل تجربة. باستمرارك في التصفح فإنك توافق على سياسة الخصوصية.</p><button>موافق</button></div>
<header>{menu()}</header><main><article><h1>{s["title"]}</h1>{p(lines[:3])}{box}{p(lines[3:])}</article></main><div class="app-promo"><p>حمل تطبيقنا الآن ليصلك كل جديد أولا بأول على هاتفك.</p></div>"""
    return page(head, body), expect(
        s,
        url="https://marfa.example/n/5",
        published_at="2024-03-04T10:20:00+01:00",
        must_not=[
            "ملفات تعريف الارتباط",
            "اشترك في نشرتنا",
            "باشتراكك",
            "حمل تطبيقنا",
            "النشرة البريدية",
        ],
    )


@shape
def figures_and_captions() -> tuple[str, dict[str, Any]]:
    s = STORIES["kayak"]
    lines = s["lines"]
    head = f'<title>{s["title"]}</title><meta property="og:title" content="{s["title"]}">' + ld(
        **{
            "@type": "NewsArticle",
            "headline": s["title"],
            "datePublished": "2023-10-06T18:00:00+03:00",
            "author": {"@type": "Person", "name": s["author"]},
        }
    )
    body = f"""<header>{menu()}</header><main><article><figure class="lead"><img src="/1.jpg"><figcaption>{s["title"]}</figcaption></figure><h1>{s["title"]}</h1>{p(lines[:2])}
<figure><img src="/2.jpg"><figcaption>متسابقون عند خط الانطلاق في ميناء طرطوس قبل دقائق من بدء السباق. <span class="credit">سانا</span></figcaption></figure>
{p(lines[2:3])}<div class="wp-caption aligncenter"><img src="/3.jpg"><p class="wp-caption-text">نجار متقاعد يضع اللمسات الأخيرة على أحد القوارب في ورشته.</p></div>
{p(lines[3:])}<p><img src="/4.jpg"><em class="image-credit">الصورة: علاء منصور</em></p></article></main>"""
    return page(head, body), expect(
        s,
        url="https://live.example/n/7",
        published_at="2023-10-06T18:00:00+03:00",
        must_not=["خط الانطلاق", "اللمسات الأخيرة", "علاء منصور"],
    )


@shape
def lists_quotes_table() -> tuple[str, dict[str, Any]]:
    s = STORIES["dates"]
    lines = s["lines"]
    items = [
        "توفير عشر شاحنات مبردة قبل نهاية الشهر",
        "خفض رسوم الطريق لحاملي بطاقة المنتج",
        "إنشاء مخزن عند مدخل الواحة",
    ]
    quote = "لا نريد إعانات، نريد طريقا سالكا وشاحنة تصل في موعدها."
    rows = [("الصنف", "السعر للطن"), ("سيوي", "18 ألف جنيه"), ("فريحي", "14 ألف جنيه")]
    table = "".join(
        f"<tr>{''.join(f'<{tag}>{cell}</{tag}>' for cell in row)}</tr>"
        for tag, row in zip(("th", "td", "td"), rows, strict=True)
    )
    head = f'<title>{s["title"]}</title><meta property="og:title" content="{s["title"]}">' + ld(
        **{
            "@type": "NewsArticle",
            "headline": s["title"],
            "datePublished": "2022-09-11T08:05:00+02:00",
            "author": {"@type": "Person", "name": s["author"]},
        }
    )
    body = f"""<header>{menu()}</header><main><article><h1>{s["title"]}</h1>{p(lines[:2])}<h2>مطالب المزارعين</h2>{p(lines[2:3])}<ul>{"".join(f"<li>{x}</li>" for x in items)}</ul><blockquote><p>{quote}</p></blockquote>{p(lines[3:4])}<h2>أسعار هذا الأسبوع</h2><table>{table}</table>{p(lines[4:])}</article></main>"""
    told = [
        *lines[:2],
        "مطالب المزارعين",
        lines[2],
        *items,
        quote,
        lines[3],
        "أسعار هذا الأسبوع",
        *(" | ".join(row) for row in rows),
        lines[4],
    ]
    kinds = (
        ["paragraph"] * 2
        + ["heading", "paragraph"]
        + ["list"] * 3
        + ["quote", "paragraph", "heading"]
        + ["table"] * 3
        + ["paragraph"]
    )
    return page(head, body), expect(
        s,
        url="https://siwa.example/n/2",
        paragraphs=told,
        kinds=kinds,
        published_at="2022-09-11T08:05:00+02:00",
    )


@shape
def lead_outside_body() -> tuple[str, dict[str, Any]]:
    s = STORIES["bridge"]
    lines = s["lines"]
    head = (
        f'<title>{s["title"]}</title><meta property="og:title" content="{s["title"]}"><meta property="og:description" content="{lines[0]}">'
        + ld(
            **{
                "@type": "NewsArticle",
                "headline": s["title"],
                "datePublished": "2023-09-20T06:45:00+03:00",
                "author": {"@type": "Person", "name": s["author"]},
            }
        )
    )
    body = f"""<header>{menu()}</header><main><div class="article-head"><h1>{s["title"]}</h1><div class="article-lead">{lines[0]}</div><div class="tools"><a>A+</a><a>A-</a></div></div><div class="media"><img src="/b.jpg"></div><div class="article-text">{p(lines[1:])}</div></main>"""
    return page(head, body), expect(
        s,
        url="https://aghwar.example/n/9",
        published_at="2023-09-20T06:45:00+03:00",
        must_not=["A+"],
    )


@shape
def headings_like_buttons() -> tuple[str, dict[str, Any]]:
    s = STORIES["museum"]
    lines = s["lines"]
    heads = ["من نحن", "خدماتنا", "البث المباشر"]
    head = f'<title>{s["title"]}</title><meta property="og:title" content="{s["title"]}">' + ld(
        **{
            "@type": "NewsArticle",
            "headline": s["title"],
            "datePublished": "2023-10-14T11:30:00+03:00",
            "author": {"@type": "Person", "name": s["author"]},
        }
    )
    body = f"""<header>{menu()}</header><main><article><h1>{s["title"]}</h1>{p(lines[:1])}<h3>{heads[0]}</h3>{p(lines[1:2])}<h3>{heads[1]}</h3>{p(lines[2:3])}<h3>{heads[2]}</h3>{p(lines[3:])}</article></main>"""
    told = [lines[0], heads[0], lines[1], heads[1], lines[2], heads[2], *lines[3:]]
    kinds = ["paragraph", "heading"] * 3 + ["paragraph"] * (len(lines) - 3)
    return page(head, body), expect(
        s,
        url="https://nawl.example/n/8",
        paragraphs=told,
        kinds=kinds,
        published_at="2023-10-14T11:30:00+03:00",
    )


@shape
def print_view() -> tuple[str, dict[str, Any]]:
    s = STORIES["library"]
    body = f"""<div class="print-logo"><img src="/logo.gif"></div><div class="print-title"><h2>{s["title"]}</h2></div><div class="print-date">الإثنين, 04 مارس 2024 10:20</div><div class="print-content">{p(s["lines"])}</div><hr><div class="print-source_url"><strong>رابط المقال:</strong> https://marfa.example/archive-port/</div><p>طبع من موقع مرفأ نيوز</p><script>window.print()</script>"""
    return page(f"<title>{s['title']}</title>", body), expect(
        s,
        url="https://marfa.example/print/4412",
        author=None,
        published_at="2024-03-04T10:20",
        must_not=["رابط المقال", "طبع من موقع", "https://"],
    )


@shape
def furniture_tables() -> tuple[str, dict[str, Any]]:
    s = STORIES["dates"]
    rates = [
        ("دولار", "48.20", "+0.3%"),
        ("يورو", "51.75", "-0.1%"),
        ("ريال", "12.84", "+0.2%"),
        ("دينار", "156.9", "0.0%"),
    ]
    prayers = [
        ("الفجر", "4:55"),
        ("الظهر", "11:57"),
        ("العصر", "15:28"),
        ("المغرب", "18:07"),
        ("العشاء", "19:25"),
    ]

    def rows(cells: Iterable[Iterable[str]]) -> str:
        return "".join(f"<tr>{''.join(f'<td>{c}</td>' for c in row)}</tr>" for row in cells)

    lines = s["lines"]
    head = f'<title>{s["title"]}</title><meta property="og:title" content="{s["title"]}">' + ld(
        **{
            "@type": "NewsArticle",
            "headline": s["title"],
            "datePublished": "2022-09-11T08:05:00+02:00",
            "author": {"@type": "Person", "name": s["author"]},
        }
    )
    body = f"""<header>{menu()}</header><main><div class="story-body"><h1>{s["title"]}</h1>{p(lines[:2])}<div class="market-widget"><table class="quotes"><tr><th>العملة</th><th>السعر</th><th>التغير</th></tr>{rows(rates)}</table></div>{p(lines[2:])}<div class="prayer-widget"><h4>مواقيت الصلاة</h4><table>{rows(prayers)}</table></div></div></main>"""
    return page(head, body), expect(
        s,
        url="https://siwa.example/n/3",
        published_at="2022-09-11T08:05:00+02:00",
        must_not=["48.20", "التغير", "المغرب", "مواقيت الصلاة"],
    )


@shape
def english_newsroom() -> tuple[str, dict[str, Any]]:
    s = STORIES["english"]
    lines = s["lines"]
    head = (
        f'<title>{s["title"]} | The Kelmouth Courier</title><meta property="og:title" content="{s["title"]}"><meta property="og:site_name" content="The Kelmouth Courier"><meta property="og:type" content="article">'
        + ld(
            **{
                "@type": "NewsArticle",
                "headline": s["title"],
                "description": s["deck"],
                "articleSection": s["section"],
                "datePublished": "2024-09-12T21:14:00+01:00",
                "author": {"@type": "Person", "name": s["author"]},
            }
        )
    )
    body = f"""<a class="skip" href="#main">Skip to main content</a><header>{menu("nav", ["Home", "News", "Sport", "Opinion", "Obituaries"])}</header><main id="main"><article><h1>{s["title"]}</h1><p class="standfirst">{s["deck"]}</p><div class="byline">By <a rel="author">{s["author"]}</a></div><time datetime="2024-09-12T21:14:00+01:00">September 12, 2024 9:14 pm</time><div class="share">Share on Facebook Share on X Email Copy link</div>
<div class="body">{p(lines[:2])}<aside class="pullquote"><p>Read more: <a>Council delays decision on the lighthouse</a></p></aside>{p(lines[2:4])}<p><strong>READ MORE: <a>Fishing fleet returns after storm</a></strong></p>{p(lines[4:])}<p>Sign up for our newsletter to get the day's top stories in your inbox.</p></div></article><section class="related"><h2>Related stories</h2><ul><li><a>Fishing fleet returns after storm</a></li><li><a>School bus route to change</a></li></ul></section></main><footer><p>© 2024 The Kelmouth Courier. All rights reserved.</p></footer>"""
    return page(head, body, 'lang="en"'), expect(
        s,
        url="https://courier.example/2024/09/12/ferry",
        deck=s["deck"],
        published_at="2024-09-12T21:14:00+01:00",
        section=s["section"],
        must_not=[
            "Council delays",
            "Fishing fleet",
            "Sign up for our",
            "Share on",
            "All rights reserved",
            "School bus",
        ],
    )


@shape
def paragraphs_in_divs() -> tuple[str, dict[str, Any]]:
    """An editor that writes <p> and <div> as it comes, and text on both sides of an advertisement."""
    s = STORIES["library"]
    one, two, three, four, five, six = s["lines"]
    head = f'<title>{s["title"]} | الساحل</title><meta property="og:site_name" content="الساحل"><meta property="og:title" content="{s["title"]}"><meta property="article:published_time" content="2024-03-04T09:20:00+01:00">'
    body = f"""<header>{menu()}</header><main><div class="single"><h1>{s["title"]}</h1><div class="x-by">كتبت {s["author"]}</div>
<div class="x-text">{p([one])}<div dir="auto">{two}</div><div style="text-align:justify">{three}</div>{p([four])}</div>
<div class="x-slot"><span>إعلان</span></div>
<div class="x-text">{p([five])}<div>{six}</div></div>
<div class="x-ask"><h4>رسالة الساحل</h4><p>حكاية من الموانئ كل أحد في بريدك.</p><form><input type="email"><button>أرسل</button></form></div></div></main>
<footer><p>الساحل صحيفة مستقلة</p></footer>"""
    return page(head, body), expect(
        s,
        url="https://sahel.example/a/12",
        published_at="2024-03-04T09:20:00+01:00",
        must_not=["إعلان", "رسالة الساحل", "حكاية من الموانئ", "كتبت"],
    )


@shape
def flash_above_related_cards() -> tuple[str, dict[str, Any]]:
    """Two sentences, and below them more text of other stories than of its own."""
    s = STORIES["flash"]
    head = f'<title>{s["title"]} - برقة</title><meta property="og:site_name" content="برقة"><meta property="og:title" content="{s["title"]}"><meta property="article:published_time" content="2024-02-10T07:05:00+02:00">'
    teasers = "".join(
        f'<div class="it"><a href="/n/{n}"><img src="/{n}.jpg"></a><h3><a href="/n/{n}">{title}</a></h3><p>{title}، وقالت مصادر محلية إن التفاصيل ستعلن لاحقا...</p></div>'
        for n, title in enumerate(RELATED[:4])
    )
    body = f"""<header>{menu()}</header><div class="wrap"><div class="c8"><h1>{s["title"]}</h1><div class="d">10 فبراير 2024</div><div class="n">{p(s["lines"])}<p>تابعونا على قناتنا في <a href="#">تيليغرام</a></p></div><h4>أخبار ذات صلة</h4>{teasers}</div></div>"""
    return page(head, body), expect(
        s,
        url="https://barqa.example/9",
        author=None,
        published_at="2024-02-10T07:05:00+02:00",
        must_not=[*RELATED, "تابعونا", "التفاصيل ستعلن"],
    )


@shape
def head_of_spans() -> tuple[str, dict[str, Any]]:
    """Names that mean nothing; the author and the date run together, the text is in <span>s."""
    s = STORIES["museum"]
    head = f"<title>{s['title']} | نينوى | الرافد</title>" + ld(
        **{
            "@type": "NewsArticle",
            "headline": s["title"],
            "datePublished": "2023-10-14T08:30:00Z",
            "author": {"name": s["author"]},
        }
    )
    text = "".join(f'<div class="k7"><span>{line}</span></div>' for line in s["lines"])
    links = "".join(
        f'<a href="/{n}"><div class="k9"><span>{title}</span></div></a>'
        for n, title in enumerate(RELATED[:4])
    )
    body = f"""<div class="a1">{menu()}</div><div class="a2"><h1>{s["title"]}</h1><div class="b3"><span>{s["author"]}</span><time datetime="2023-10-14T08:30:00Z">14 تشرين الأول 2023</time></div><div class="b4"><span>تشرين الأول 14, 2023</span><span>4 min قراءة</span></div><div class="b5">{text}</div><div class="b6"><span>قد يهمك أيضا</span>{links}</div></div>"""
    return page(head, body), expect(
        s,
        url="https://rafid.example/ninawa/7",
        published_at="2023-10-14T08:30:00+00:00",
        must_not=[*RELATED, "قراءة"],
    )


@shape
def tables_without_heading() -> tuple[str, dict[str, Any]]:
    """A page of the time before headings: the site's name stands before the title."""
    s = STORIES["kayak"]
    head = f"<title>جريدة الشاطئ :: {s['title']}</title>"
    side = "".join(
        f'<tr><td><a href="{n}">{title}</a></td></tr>' for n, title in enumerate(RELATED[:3])
    )
    body = f"""<table width=780 align=center><tr><td bgcolor=#036><font color=white>الرئيسية | محلية | عربية | اتصل بنا</font></td></tr><tr><td><table><tr><td width=150 valign=top><table><tr><td>أخبار محلية</td></tr>{side}</table></td><td valign=top><table><tr><td class=t>{s["title"]}</td></tr><tr><td class=d>الجمعة 6 تشرين الأول 2023 - 18:40</td></tr><tr><td class=b>{"<br><br>".join(s["lines"])}</td></tr><tr><td><a>اطبع</a> <a>ارسل لصديق</a></td></tr><tr><td>عدد مرات القراءة: 455</td></tr></table></td></tr></table></td></tr><tr><td align=center>جميع الحقوق محفوظة لجريدة الشاطئ 2008</td></tr></table>"""
    return page(head, body, "dir=rtl"), expect(
        s,
        url="https://shati.example/show.asp?id=455",
        author=None,
        published_at="2023-10-06T18:40",
        must_not=[*RELATED, "اطبع", "القراءة"],
    )


@shape
def boxes_by_their_label() -> tuple[str, dict[str, Any]]:
    """Boxes whose classes say nothing: a card with an excerpt, a part of the page that its markup
    calls a region, promotions and a signature at the end."""
    s = STORIES["dates"]
    lines = s["lines"]
    head = f'<title>واحات : {s["title"]}</title><meta property="og:title" content="واحات : {s["title"]}"><meta property="article:published_time" content="2023-09-20T11:00:00+03:00">'
    region = '<section role="region" aria-labelledby="r"><strong id="r">يستحق الانتباه</strong><a href="#e">تخطى يستحق الانتباه وواصل القراءة</a><div><a href="/p">حكايات الواحات</a><p>بودكاست يروي ما لا تقوله الخرائط عن مدن الصحراء وأهلها</p><p>الحلقات</p></div><p id="e">يستحق الانتباه نهاية</p></section>'
    body = f"""<div>{menu()}</div><div class="q"><h2 class="q1">{s["title"]}</h2><span>20/9/2023</span><div class="q2">{p(lines[:2])}
<div class="z1"><div class="z2">اقرأ أيضا</div><div class="z3"><a href="/1"><img src="1.jpg"></a><div><a href="/1">{RELATED[2]}</a></div><div>حافظ المعدن على مكاسبه مع ترقب المتعاملين قرار الفائدة في اجتماع نهاية الشهر.</div></div></div>
{p(lines[2:4])}{region}{p(lines[4:])}
<p>لمتابعة آخر الأخبار انضموا إلى قناة واحات على واتساب <a href="#">من هنا</a></p><p>المصدر: واحات + مواقع محلية</p><p>ك.ش / ن.ع</p></div></div>"""
    return page(head, body), expect(
        s,
        url="https://wahat.example/30",
        author=None,
        published_at="2023-09-20T11:00:00+03:00",
        must_not=[
            *RELATED,
            "حافظ المعدن",
            "بودكاست",
            "يستحق",
            "الحلقات",
            "واتساب",
            "المصدر",
            "ك.ش",
        ],
    )


@shape
def turkish_newsroom() -> tuple[str, dict[str, Any]]:
    s = STORIES["turkish"]
    others = ["Harran'da buğday hasadı erken başladı", "Balıklıgöl çevresi trafiğe kapatıldı"]
    lines = s["lines"]
    head = f'<title>{s["title"]} - Fırat Postası</title><meta property="og:site_name" content="Fırat Postası"><meta property="og:title" content="{s["title"]}"><meta property="article:published_time" content="2023-11-08T10:15:00+03:00"><meta name="author" content="{s["author"]}">'
    body = f"""<header>{menu(items=["Gündem", "Ekonomi", "Spor"])}</header><article><h1>{s["title"]}</h1><div class="m"><span>Giriş Tarihi: 8.11.2023 10:15</span><span>Son Güncelleme: 8.11.2023 11:00</span></div><div class="t">{p(lines[:2])}<p><strong>İLGİLİ HABER: </strong><a href="/1">{others[0]}</a></p>{p(lines[2:])}<p>Kaynak: AA</p><p>Haberlerimizi <a>Google News</a>'ten takip edin</p></div><div class="e">Etiketler: <a>Urfa</a> <a>bakır</a></div><h3>Bunlar da ilginizi çekebilir</h3>{cards(others)}<div>Yorumlar</div></article>"""
    return page(head, body, 'lang="tr"'), expect(
        s,
        url="https://firat.example/bakircilar",
        published_at="2023-11-08T10:15:00+03:00",
        must_not=[*others, "Etiketler", "Kaynak", "takip edin", "Yorumlar", "Giriş"],
    )


@shape
def home_page() -> tuple[str, dict[str, Any]]:
    blurbs = [STORIES[name] for name in ("library", "dates", "bridge", "museum", "kayak")]
    teasers = "".join(
        f'<div class="teaser"><h2><a href="/n/{n}">{s["title"]}</a></h2><p>{s["deck"]}</p><span class="time">منذ {n + 2} ساعات</span></div>'
        for n, s in enumerate(blurbs)
    )
    head = (
        '<title>مرفأ نيوز - أخبار الساحل لحظة بلحظة</title><meta property="og:type" content="website"><meta property="og:title" content="مرفأ نيوز">'
        + ld(**{"@type": "WebSite", "name": "مرفأ نيوز"})
    )
    body = f"""<header>{menu()}</header><main><section class="hero">{teasers}</section><section><h2>الأكثر قراءة</h2>{cards()}</section></main><footer>جميع الحقوق محفوظة</footer>"""
    return page(head, body), {**rejected("not_an_article"), "url": "https://marfa.example/"}


def files() -> dict[str, bytes]:
    """Path below this folder -> the bytes that belong there."""
    built: dict[str, bytes] = {}
    for name, build in SHAPES.items():
        html, expected = build()
        built[f"{name}/page.html"] = html.encode(CHARSETS.get(name, "utf-8"))
        told = json.dumps({"file": f"{name}/page.html", **expected}, ensure_ascii=False, indent=1)
        built[f"{name}/expected.json"] = (told + "\n").encode()
    return built


def main() -> None:
    for path, content in files().items():
        file = HERE / path
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)


if __name__ == "__main__":
    main()
