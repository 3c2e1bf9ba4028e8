"""Whether what is left of a page is an article at all."""

from collections.abc import Sequence
from itertools import pairwise
from urllib.parse import urlsplit

from pipelines.arabic import match_key
from pipelines.document import Block, BlockKind, Reason
from pipelines.rejection import Reject
from pipelines.stages.extract import Extracted, is_prose

#: Plain text with fewer words than this holds no news, not even a flash.
_FLASH_WORDS = 5
#: HTML pages with less prose than this (characters) are menus, videos, galleries or forms.
_PROSE_CHARACTERS = 150
#: A flash has one sentence, but states when it was published, as lists do not.
_DATED_CHARACTERS = 50
#: A listing has so many items; an article may link or tease a few others.
_ITEMS = 5
#: Where a page states the date for machines.
_STATED = frozenset(("json_ld", "meta", "microdata"))
#: Types that only a listing states; an ItemList may also tell the related stories of an article.
_LISTING_TYPES = frozenset(["CollectionPage", "SearchResultsPage"])


def require_article(blocks: Sequence[Block], page: Extracted, *, stated_text: bool) -> None:
    """Raises Reject (no_text, not_an_article) unless the blocks are an article's text.

    `blocks` are what is left of the page's own; `stated_text`: somebody said that it is one.
    """
    if page.is_html and not stated_text and (why := _listing(blocks, page)):
        raise Reject("article", Reason.NOT_AN_ARTICLE, why)
    words = 0
    for block in blocks:
        words += len(match_key(block.text).split())
        if words >= _FLASH_WORDS:
            return
    raise Reject("article", Reason.NO_TEXT, f"{words} words are left without the furniture")


def _listing(blocks: Sequence[Block], page: Extracted) -> str | None:
    """Why a page is a home, listing or search page; None if nothing tells.

    What a page says in its structured data of being an article outweighs how it looks; its
    OpenGraph type does not, since systems write "article" on their listings too.
    """
    structured = page.structured
    kinds = ", ".join(sorted(structured.types))
    if structured.says_listing:
        return f"the page calls itself {kinds}"
    if structured.states_article_data:
        return None
    if structured.types & _LISTING_TYPES:
        return f"the page calls itself {kinds}"
    if page.marked_listing:
        return "the page's system marks it as an archive, category or search page"
    url = urlsplit(structured.canonical_url or "")
    if url.netloc and url.path in ("", "/") and not url.query:
        return "it is the front page of its site"
    if not blocks:
        return None
    teasers = _teasers(blocks)
    if teasers >= _ITEMS and 2 * teasers >= 0.7 * len(blocks):
        return f"{teasers} headlines, each over the beginning of a text: a list of articles"
    if page.teased >= _ITEMS and page.teased >= 0.8 * len(page.blocks):
        return f"{page.teased} of {len(page.blocks)} lines stand below links to other pages"
    prose = [block.text for block in blocks if is_prose(block.text)]
    linked = [block for block in blocks if match_key(block.text) in page.linked]
    # A short article above a long list of links begins with its own sentences.
    told = [block for block in blocks[:3] if is_prose(block.text) and block not in linked]
    if len(told) < 2 and len(linked) > _ITEMS and len(linked) >= max(len(prose), 0.4 * len(blocks)):
        return f"{len(linked)} of {len(blocks)} lines are links: a list of articles"
    if structured.says_article:
        return None
    if sum(map(len, prose)) < (_DATED_CHARACTERS if _is_dated(page) else _PROSE_CHARACTERS):
        kind = next((mark for mark in structured.marks if mark in ("gallery", "video")), None)
        what = f"it is a {kind} page" if kind else "it holds headlines or labels"
        return f"{what}, hardly a sentence"
    headings = [b for b in blocks if b.kind is BlockKind.HEADING]
    if len(headings) > _ITEMS and len(headings) >= len(prose):
        return f"{len(headings)} headings over {len(prose)} paragraphs: a list of articles"
    return None


def _is_dated(page: Extracted) -> bool:
    """Whether the page states its date of publication, and not that it is a film or a gallery."""
    dated = any(d.role == "published" and d.method in _STATED for d in page.structured.dates)
    return dated and not page.structured.marks


def _teasers(blocks: Sequence[Block]) -> int:
    """Lines that break off with dots, each below a line that is no sentence."""
    return sum(
        below.text.rstrip().endswith(("..", "…"))
        and len(below.text) > len(above.text)
        and not above.text.rstrip().endswith((".", "…", "،", ":"))
        for above, below in pairwise(blocks)
    )
