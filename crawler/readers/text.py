"""A text file is one page."""

from collections.abc import Iterator

from crawler.readers.manifest import Listed
from crawler.readers.options import ReadOptions
from crawler.readers.stream import Corrupt, Cut, Source, unpacked
from pipelines.document import RawPage, Reason, Unreadable


def read_text(
    source: Source, path: str, options: ReadOptions, listed: Listed
) -> Iterator[RawPage | Unreadable]:
    """The one page of a text file (also .gz), or why there is none."""
    body = whole_file(source, path, options, listed)
    if isinstance(body, Unreadable):
        yield body
        return
    yield RawPage(
        body=body,
        path=path,
        url=listed.url,
        source=listed.source or options.source,
        fetched_at=listed.fetched_at,
        media_type="text/plain",
        charset=listed.charset,
        stated=listed.stated,
    )


def whole_file(
    source: Source, path: str, options: ReadOptions, listed: Listed
) -> bytes | Unreadable:
    """All bytes of a file, or an `Unreadable` where they are too many or damaged."""

    def unreadable(reason: Reason, detail: str) -> Unreadable:
        return Unreadable(path, reason, detail, listed.url, listed.source or options.source)

    limit = options.max_bytes
    if source.size is not None and source.size > limit:
        # Said of a packed file as well: no page packs to more than it may hold.
        size = f"{source.size:,} bytes, allowed are {limit:,}"
        return unreadable(Reason.TOO_LARGE, f"{size}: split it, or raise --max-bytes")
    parts: list[bytes] = []
    count = 0
    try:
        for chunk in unpacked(source):
            count += len(chunk)
            if count > limit:
                size = f"more than {limit:,} bytes (unpacked, where it is packed)"
                return unreadable(Reason.TOO_LARGE, f"{size}: split it, or raise --max-bytes")
            parts.append(chunk)
    except Cut:
        detail = f"the gzip data end after {count:,} bytes of text: fetch or copy the file again"
        return unreadable(Reason.TRUNCATED, detail)
    except Corrupt as error:
        detail = f"the gzip data are damaged ({error}): fetch or copy the file again"
        return unreadable(Reason.UNREADABLE, detail)
    return b"".join(parts)
