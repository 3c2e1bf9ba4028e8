"""`warraq why`."""

from typing import Annotated, Any

import typer

from crawler.commands import options as o


def why(
    name: Annotated[str, typer.Argument(metavar="URL|PATH", help="A URL, a file, or its end.")],
    db: o.Db = None,
    json: o.AsJson = False,
) -> None:
    """Tell what became of a page: each time it was seen, the article, its copies, what was removed.

    Example: warraq why seeds/documents/empty.txt
    """
    from crawler.show import print_json, say
    from pipelines.db.engine import open_engine, read, usable
    from pipelines.db.history import history
    from pipelines.db.schema import require

    engine = open_engine(db)
    require(engine)
    with usable(engine), read(engine) as connection:
        found = history(connection, name)
    if json:
        print_json(found)
    elif found["seen"]:
        _print(found)
    if not found["seen"]:
        say(f"{name}: no run has seen it; `warraq replay` it, or name it as it was replayed")
        raise typer.Exit(1)


def _print(found: dict[str, Any]) -> None:
    from crawler.show import print_table
    from pipelines.document import REASONS, Reason

    columns = ("run", "seen_at", "name", "outcome", "stage", "reason", "detail", "article")
    print_table(columns, [[entry[c] for c in columns] for entry in found["seen"]], "seen")
    reasons = {entry["reason"] for entry in found["seen"] if entry["reason"]}
    rows = [(r, REASONS[Reason(r)][1], REASONS[Reason(r)][2]) for r in sorted(reasons)]
    if rows:
        print_table(("reason", "means", "what to do"), rows)
    for article in found["articles"]:
        stated = [(k, v) for k, v in article.items() if v is not None and k not in _LONG]
        print_table(("field", "value"), stated, f"article {article['id']}")
        if article["removed"]:
            removed = [(r["position"], r["rule"], r["text"]) for r in article["removed"]]
            print_table(("line", "removed by", "text"), removed)
        if article["versions"]:
            versions = [(v["number"], v["seen_at"], v["title"]) for v in article["versions"]]
            print_table(("version", "seen", "title then"), versions)
        if article["copies"]:
            print_table(
                [head for head, _ in _COPY],
                [[copy[name] for _, name in _COPY] for copy in article["copies"]],
                f"copies of article {article['id']} (sentences: what it has beside the copy's)",
            )


_LONG = {"removed", "versions", "copies"}
_COPY = (
    ("article", "article"),
    ("source", "source"),
    ("published", "published_iso"),
    ("kind", "kind"),
    ("jaccard", "jaccard"),
    ("containment", "containment"),
    ("added", "sentences_added"),
    ("left out", "sentences_removed"),
    ("altered", "sentences_altered"),
    ("title", "title"),
)
