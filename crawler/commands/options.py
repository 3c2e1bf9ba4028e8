"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Db = Annotated[
    str | None,
    typer.Option(
        "--db",
        envvar="WARRAQ_DB",
        metavar="URL",
        help="Database: sqlite:///FILE or postgresql://USER@HOST/NAME.",
        show_default="sqlite:///data/warraq.db",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...",
        help="Files, folders or quoted patterns; - is standard input.",
        show_default=False,
    ),
]
SourceKey = Annotated[
    str | None,
    typer.Option("--source", metavar="KEY", help="Source of documents that name none."),
]
Manifest = Annotated[
    Path | None,
    typer.Option(
        "--manifest",
        metavar="FILE",
        help="CSV or JSON lines that give files their source, URL and fetch time.",
    ),
]
Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        metavar="OURS=THEIRS",
        help="For JSON lines with other names: --field text=article.body (may be repeated).",
    ),
]
SourcesFolder = Annotated[
    Path,
    typer.Option(
        "--sources",
        envvar="WARRAQ_SOURCES",
        metavar="FOLDER",
        help="Folder of the sources' YAML files.",
    ),
]
Workers = Annotated[
    int,
    typer.Option("--workers", min=0, metavar="N", help="Worker processes; 0: one a processor."),
]
Timeout = Annotated[
    float,
    typer.Option(
        "--timeout", min=0.1, max=86_400, metavar="SECONDS", help="Longest time of a page."
    ),
]
MaxBytes = Annotated[
    int, typer.Option("--max-bytes", min=1, metavar="BYTES", help="Largest size of a page.")
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Exit with 1 if a document failed or was refused as broken."),
]

Archive = Annotated[
    Path,
    typer.Option(
        "--archive",
        envvar="WARRAQ_ARCHIVE",
        metavar="FOLDER",
        help="Folder of the WARC files that keep every response.",
    ),
]

DEFAULT_ARCHIVE = Path("data/archive")
Webhook = Annotated[
    str | None,
    typer.Option(
        "--webhook",
        envvar="WARRAQ_WEBHOOK",
        metavar="URL",
        help="POST what is wrong with sources to this address, as JSON; nothing if all are well.",
    ),
]

#: Of the crawls that `schedule` and `worker` begin.
CrawlWorkers = Annotated[
    int, typer.Option("--workers", min=0, metavar="N", help="Worker processes of a crawl.")
]
TimeLimit = Annotated[
    float, typer.Option("--time-limit", min=0.01, metavar="MINUTES", help="Of a crawl.")
]
MemoryLimit = Annotated[
    int,
    typer.Option(
        "--memory-limit", min=1, metavar="MB", help="Of a crawl with its worker processes."
    ),
]
Logs = Annotated[
    Path,
    typer.Option("--logs", metavar="FOLDER", help="What the last crawl of each source said."),
]
DEFAULT_TIME_LIMIT = 60.0
DEFAULT_MEMORY_LIMIT = 2048
DEFAULT_LOGS = Path("data/logs")

DEFAULT_SOURCES = Path("seeds/sources")
DEFAULT_MAX_BYTES = 20_000_000
DEFAULT_TIMEOUT = 60.0
