"""Sources: facts about outlets, from YAML files, typed when they are loaded."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, ValidationError

from pipelines.errors import SourceError
from pipelines.urls import host_of

#: Documents that nobody names a source for, and whose page names no site.
UNNAMED = "files"


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{value!r} is no IANA zone such as Africa/Cairo") from error
    return value


class Source(BaseModel):
    """One outlet. `key` is the path of its file below `seeds/sources/`, without the ending."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    key: Annotated[str, Field(pattern=r"^[^\s#]+$", max_length=255)]
    title: str | None = None
    homepage: Annotated[HttpUrl | None, Field(strict=False)] = None
    country: Annotated[str, Field(pattern="^[a-z]{2}$")] | None = None
    language: Annotated[str, Field(pattern="^[a-z]{2,3}$")] | None = None
    zone: Annotated[str, AfterValidator(_zone)] | None = None
    founded: Annotated[date | None, Field(strict=False)] = None  # no article is older

    @property
    def host(self) -> str | None:
        """The host of its homepage, without `www.`."""
        return host_of(str(self.homepage)) if self.homepage else None

    def described(self) -> dict[str, Any]:
        """Its columns in the table `sources`."""
        return {
            "title": self.title,
            "homepage": str(self.homepage) if self.homepage else None,
            "country": self.country,
            "language": self.language,
            "zone": self.zone,
            "ad_hoc": False,
        }


def load_sources(folder: Path) -> dict[str, Source]:
    """All `*.yml` files below `folder`, by key. Raises SourceError for the first wrong one."""
    return {
        source.key: source
        for file in sorted(folder.rglob("*.yml"))
        for source in [load_source(file, file.relative_to(folder).with_suffix("").as_posix())]
    }


def load_source(file: Path, key: str) -> Source:
    """One source file. Raises SourceError naming file, line and field."""
    # Loaded here: worker processes know sources, but never read their files.
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        stated = YAML(typ="rt").load(file.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SourceError(f"{file}:{line}: no YAML: {error.problem}") from error
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise SourceError(f"{file}: {error}") from error
    if not isinstance(stated, dict):
        raise SourceError(f"{file}:1: a source is a list of fields such as `title: ...`")
    try:
        return Source(key=key, **stated)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        place = getattr(stated, "lc", None)
        line = place.data[field][0] + 1 if place and field in place.data else 1
        raise SourceError(f"{file}:{line}: {field}: {first['msg']}") from error
    except TypeError as error:  # a field's name that is no string, or `key` given twice
        raise SourceError(f"{file}:1: {error}") from error


def find_source(sources: Mapping[str, Source], key: str | None, url: str | None) -> Source | None:
    """The source that a page names, or whose host its URL has; None if there is none.

    A key without a file gives an ad-hoc source of that key.
    """
    if key:
        return sources.get(key) or Source(key=key)
    host = host_of(url) if url else None
    if host is None:
        return None
    return next((s for s in sources.values() if s.host == host), None)
