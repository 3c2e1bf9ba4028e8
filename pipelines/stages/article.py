"""Whether what is left of a page is an article at all."""

from collections.abc import Sequence

from pipelines.arabic import match_key
from pipelines.document import Block, BlockKind, Reason
from pipelines.rejection import Reject
from pipelines.stages.extract import is_prose
from pipelines.stages.structured import Structured

#: Plain text with fewer words than this holds no news, not even a flash.
_FLASH_WORDS = 5
#: HTML pages with less prose than this (characters) are menus, videos, galleries or forms.
_PROSE_CHARACTERS = 150


def require_article(
    blocks: Sequence[Block], structured: Structured, *, is_html: bool, stated_text: bool
) -> None:
    """Raises Reject (no_text, not_an_article) unless the blocks are an article's text."""
    words = sum(len(match_key(block.text).split()) for block in blocks)
    if words < _FLASH_WORDS:
        raise Reject("article", Reason.NO_TEXT, f"{words} words are left without the furniture")
    if not is_html or stated_text:
        return
    if structured.says_listing:
        kinds = ", ".join(sorted(structured.types))
        raise Reject("article", Reason.NOT_AN_ARTICLE, f"the page calls itself {kinds}")
    prose = [block.text for block in blocks if is_prose(block.text)]
    if sum(map(len, prose)) < _PROSE_CHARACTERS and not structured.says_article:
        kind = next((m for m in structured.marks if m in ("gallery", "video")), None)
        what = f"a {kind} page" if kind else "it holds headlines or labels"
        raise Reject("article", Reason.NOT_AN_ARTICLE, f"{what}, hardly a sentence")
    headings = [b for b in blocks if b.kind is BlockKind.HEADING]
    if not structured.says_article and len(headings) > 5 and len(headings) >= len(prose):
        raise Reject(
            "article",
            Reason.NOT_AN_ARTICLE,
            f"{len(headings)} headings over {len(prose)} paragraphs: a list of articles",
        )
