"""The newsroom's feeds (RSS 2.0, Atom, RDF) and sitemaps (index, news, plain)."""

from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from tests.site.pages import NAME

if TYPE_CHECKING:
    from tests.site.newsroom import Article

_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"


def rss(url: str, articles: Sequence["Article"]) -> str:
    """RSS 2.0; links carry what counts visitors, as most feeds' do."""
    items = "".join(
        f"<item><title>{escape(a.title)}</title><link>{escape(_tracked(a.url))}</link>"
        f'<guid isPermaLink="false">{a.number}@marfa</guid>'
        f"<dc:creator>{escape(a.author)}</dc:creator>"
        f"<pubDate>{format_datetime(a.published)}</pubDate>"
        f"<description>{escape(a.paragraphs[0])}</description></item>"
        for a in articles
    )
    return (
        f'{_XML}<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
        f"<title>{NAME}</title><link>{url}/</link><language>ar</language>{items}</channel></rss>"
    )


def atom(url: str, articles: Sequence["Article"]) -> str:
    entries = "".join(
        f'<entry><title>{escape(a.title)}</title><link rel="alternate" href="{escape(a.url)}"/>'
        f"<id>{escape(a.url)}</id><published>{a.published.isoformat()}</published>"
        f"<updated>{(a.changed or a.published).isoformat()}</updated>"
        f"<author><name>{escape(a.author)}</name></author>"
        f"<summary>{escape(a.paragraphs[0])}</summary></entry>"
        for a in articles
    )
    updated = _newest(articles)
    return (
        f'{_XML}<feed xmlns="http://www.w3.org/2005/Atom"><title>{NAME}</title><id>{url}/</id>'
        f"<updated>{updated.isoformat() if updated else ''}</updated>{entries}</feed>"
    )


def rdf(url: str, articles: Sequence["Article"]) -> str:
    """RSS 1.0."""
    lines = "".join(f'<rdf:li rdf:resource="{escape(a.url)}"/>' for a in articles)
    items = "".join(
        f'<item rdf:about="{escape(a.url)}"><title>{escape(a.title)}</title>'
        f"<link>{escape(a.url)}</link><dc:date>{a.published.isoformat()}</dc:date>"
        f"<dc:creator>{escape(a.author)}</dc:creator></item>"
        for a in articles
    )
    return (
        f'{_XML}<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        f'xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<channel rdf:about="{url}/rdf.xml"><title>{NAME}</title><link>{url}/</link>'
        f"<items><rdf:Seq>{lines}</rdf:Seq></items></channel>{items}</rdf:RDF>"
    )


def sitemap_index(entries: Sequence[tuple[str, datetime | None]]) -> str:
    maps = "".join(
        f"<sitemap><loc>{escape(loc)}</loc>"
        + (f"<lastmod>{at.isoformat()}</lastmod>" if at else "")
        + "</sitemap>"
        for loc, at in entries
    )
    return f'{_XML}<sitemapindex xmlns="{_SITEMAP}">{maps}</sitemapindex>'


def sitemap(articles: Sequence["Article"]) -> str:
    urls = "".join(
        f"<url><loc>{escape(a.url)}</loc>"
        f"<lastmod>{(a.changed or a.published).isoformat()}</lastmod></url>"
        for a in articles
    )
    return f'{_XML}<urlset xmlns="{_SITEMAP}">{urls}</urlset>'


def news_sitemap(articles: Sequence["Article"]) -> str:
    urls = "".join(
        f"<url><loc>{escape(a.url)}</loc><news:news><news:publication><news:name>{NAME}"
        f"</news:name><news:language>ar</news:language></news:publication>"
        f"<news:publication_date>{a.published.isoformat()}</news:publication_date>"
        f"<news:title>{escape(a.title)}</news:title></news:news></url>"
        for a in articles
    )
    return (
        f'{_XML}<urlset xmlns="{_SITEMAP}" '
        f'xmlns:news="http://www.google.com/schemas/sitemap-news/0.9">{urls}</urlset>'
    )


def _tracked(url: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}utm_source=rss&utm_medium=feed"


def _newest(articles: Sequence["Article"]) -> datetime | None:
    return max((a.changed or a.published for a in articles), default=None)
