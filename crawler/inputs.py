"""What a command line names -> pages to read and sources to know."""

from collections.abc import Sequence
from pathlib import Path

from crawler.readers import ReadOptions
from pipelines.errors import UsageError
from pipelines.source import Sources, load_sources


def read_options(
    source: str | None, manifest: Path | None, fields: Sequence[str] | None, max_bytes: int
) -> ReadOptions:
    """The readers' options. Raises UsageError for a --field that is not OURS=THEIRS."""
    mapping: dict[str, str] = {}
    for field in fields or ():
        ours, sign, theirs = field.partition("=")
        if not (ours and sign and theirs):
            raise UsageError(f"--field {field}: write OURS=THEIRS, such as --field text=body")
        mapping[ours] = theirs
    try:
        return ReadOptions(
            source=source,
            manifest=str(manifest) if manifest else None,
            fields=mapping,
            max_bytes=max_bytes,
        )
    except ValueError as error:
        raise UsageError(f"--field: {error}") from error


def sources_of(folder: Path, default: Path) -> Sources:
    """The sources of a folder; none if the default folder is not there."""
    if not folder.is_dir():
        if folder == default:
            return Sources()
        raise UsageError(f"--sources {folder}: no such folder")
    return load_sources(folder)
