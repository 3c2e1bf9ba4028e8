"""What may be said about the reading of files."""

from collections.abc import Mapping
from dataclasses import dataclass, field

#: The names of a JSON line, as they are without a mapping.
FIELDS = ("url", "source", "title", "text", "html", "published_at", "author", "fetched_at")


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read. Raises ValueError for a mapping of a field that does not exist.

    `source` is the source of pages for which neither the file nor a manifest states one;
    `manifest` replaces the manifests that lie beside the files; `fields` maps our names of a JSON
    line to those in the file ("text" -> "article.body"); `max_bytes` bounds a page, after it was
    unpacked.
    """

    source: str | None = None
    manifest: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    max_bytes: int = 20_000_000

    def __post_init__(self) -> None:
        for name, theirs in self.fields.items():
            if name not in FIELDS:
                raise ValueError(f"no field is called {name!r}: use one of {', '.join(FIELDS)}")
            if not theirs:
                raise ValueError(f"the field {name!r} is mapped to an empty name")
        if self.max_bytes < 1:
            raise ValueError("max_bytes must be at least 1")
