"""The flow of one page: bytes in, one article or one named rejection out.

Pure: no network, no database, no clock. Spider and reader, laptop and cluster call this one
`process`.
"""

from collections.abc import Sequence
from dataclasses import replace

from pipelines.arabic import match_key
from pipelines.document import (
    Article,
    Block,
    BlockKind,
    Learned,
    Outline,
    RawPage,
    Rejected,
    RemovedLine,
)
from pipelines.rejection import Reject
from pipelines.source import UNNAMED, LookupField, Selectors, Source
from pipelines.stages.agency import find_agency
from pipelines.stages.article import require_article
from pipelines.stages.choose_date import ChosenDates, DateCandidate, choose_dates
from pipelines.stages.date_lines import read_dateline_date
from pipelines.stages.decode import decode
from pipelines.stages.extract import Extracted, extract
from pipelines.stages.fingerprint import content_hash, raw_hash
from pipelines.stages.furniture import Cleaned, remove_furniture
from pipelines.stages.language import detect_language
from pipelines.stages.metadata import Line, Settled, date_line_candidate, settle
from pipelines.stages.repeats import find_candidates, month_of, page_hash
from pipelines.stages.templates import outline
from pipelines.urls import canonical_url, host_of, without_turns

__all__ = ["Learned", "process"]

#: Lines that tell what kind of text it is, or that it is not all; the mark is kept as a flag.
_MARKS = ("sponsored", "opinion", "paywall")
#: The free part of a paid article has no more characters.
_STUB = 3_000
#: Above every hash.
_NO_END = "g"


def process(
    raw: RawPage, source: Source | None, learned: Learned | None = None
) -> Article | Rejected:
    """Turns a page into an article, or says why it is none.

    `source` describes the outlet if it is known: its zone serves times without one, its key
    names the article's source. Without it the page's own host does, or `files`.
    """
    try:
        return _process(raw, source, learned)
    except Reject as reject:
        return Rejected(reject.stage, reject.reason, reject.detail)


def _process(raw: RawPage, source: Source | None, learned: Learned | None) -> Article:
    decoded = decode(raw)
    selectors = source.selectors if source else None
    if learned and selectors is not None and selectors != Selectors():
        learned = replace(learned, templates=(), sample=None)  # a person has said where things are
    templates = learned.templates if learned else ()
    teaches = learned is not None and learned.sample is not None
    page = extract(decoded.text, raw.media_type, raw.url, selectors, templates, keep_tree=teaches)
    cleaned = plain = remove_furniture(page.blocks, boxed=page.boxed)
    head = plain_head = _settle(plain, page, raw)
    if (
        learned
        and learned.lines
        and any(match_key(block.text) in learned.lines for block in page.blocks)
    ):
        cleaned = remove_furniture(page.blocks, learned.lines, page.boxed)
        head = _settle(cleaned, page, raw)
    blocks = tuple(block for _, block in head.lines)
    require_article(blocks, page, stated_text=raw.stated.title is not None)
    noted = {found.field: found for found in reversed(cleaned.kept)}  # the first of each field
    candidates = [*page.structured.dates, *head.dates]
    if page.selected.date:
        candidates.append(DateCandidate(page.selected.date, "selector", "published"))
    if line := noted.get("published_at"):
        candidates.append(date_line_candidate(page.blocks[line.position].text))
    if raw.stated.published_at:
        candidates.append(DateCandidate(raw.stated.published_at, "stated", "published"))
    lead = next((b.text for b in blocks if b.kind is not BlockKind.HEADING), "")
    if dateline := read_dateline_date(lead):
        candidates.append(DateCandidate(dateline.raw, "dateline", "published"))
    zone, founded = (source.zone, source.founded) if source else (None, None)
    month_first = source is not None and source.dates == "month_first"
    dates = choose_dates(candidates, raw.fetched_at, zone, founded, month_first=month_first)
    author = head.author or (noted["author"].value if "author" in noted else None)
    credits = [page.blocks[found.position] for found in cleaned.kept if found.field == "agency"]
    agency = find_agency([*blocks, *credits], author)
    text = "\n".join(block.text for block in blocks)
    canonical = page.structured.canonical_url or canonical_url([], raw.url)
    marks_noted = [field for field in _MARKS if field in noted]
    if len(text) > _STUB and "paywall" in marks_noted:
        marks_noted.remove("paywall")  # what follows so much text is an advertisement
    flags = [*decoded.flags, *dates.flags, *page.structured.marks, *marks_noted]
    if page.selected.missed:
        flags.append("selector_missed")
    section = page.structured.section or (noted["section"].value if "section" in noted else None)
    if learned and learned.templates and page.is_html and not page.by_template:
        flags.append("fallback")  # no template of its source fits it
    hashed, hashed_raw = content_hash(blocks), raw_hash(raw.body)
    return Article(
        source=source.key if source else (canonical and host_of(canonical)) or UNNAMED,
        path=raw.path,
        url=raw.url and without_turns(raw.url),
        canonical_url=canonical,
        title=head.title,
        title_method=head.title_method,
        deck=head.deck,
        blocks=blocks,
        author=_meant(source, "author", author or (agency.byline if agency else None)),
        agency=",".join(agency.agencies) or None if agency else None,
        agency_method=agency.kind if agency and agency.agencies else None,
        place=_meant(source, "place", agency.place if agency else None),
        section=_meant(source, "section", section),
        site_name=head.site_name,
        tags=page.structured.tags,
        language=detect_language(text),
        published=dates.published,
        modified=dates.modified,
        date_candidates=tuple((c.method, c.role, c.text) for c in candidates),
        fetched_at=raw.fetched_at,
        charset=decoded.charset,
        content_hash=hashed,
        raw_hash=hashed_raw,
        removed=tuple(sorted((*cleaned.removed, *head.removed), key=_position)),
        flags=tuple(dict.fromkeys(flags)),
        candidates=find_candidates(plain.blocks),
        page_hash=page_hash(plain.blocks),
        extractor="template" if page.by_template else "trafilatura",
        outline=_outline(decoded.text, raw, hashed_raw, page, dates, learned),
        plain_hash=hashed
        if plain_head is head
        else content_hash([block for _, block in plain_head.lines]),
    )


def _meant(source: Source | None, field: LookupField, printed: str | None) -> str | None:
    """What the source's table says that a printed value means; the value itself if it is not in
    it. Compared by match key, so that one spelling is enough."""
    table = source.lookups.get(field) if source else None
    if not table or printed is None:
        return printed
    key = match_key(printed)
    return next((meant for value, meant in table.items() if match_key(value) == key), printed)


def _settle(cleaned: Cleaned, page: Extracted, raw: RawPage) -> Settled:
    marks = [found.position for found in cleaned.kept if found.field in ("published_at", "author")]
    return settle(_kept(page.blocks, cleaned), page, raw.stated, marks)


def _outline(
    text: str,
    raw: RawPage,
    hashed: str,
    page: Extracted,
    dates: ChosenDates,
    learned: Learned | None,
) -> Outline | None:
    """Where the full extraction finds the article of a page, if the page is one of the sample.

    Furniture known by its words and lines of the head count as found: later stages see to them.
    """
    if learned is None or learned.sample is None or not page.is_html:
        return None
    month = month_of(dates.published, raw.fetched_at)
    if hashed > learned.sample.get(month, _NO_END):
        return None
    if page.by_template:
        page = extract(text, raw.media_type, raw.url, keep_tree=True)
    return outline(page.tree, [block for block in page.blocks if block.text not in page.boxed])


def _kept(blocks: Sequence[Block], cleaned: Cleaned) -> list[Line]:
    """What furniture removal left, each line with its place on the page."""
    gone = {line.position for line in cleaned.removed}
    return [(at, block) for at, block in enumerate(blocks) if at not in gone]


def _position(line: RemovedLine) -> int:
    return line.position
