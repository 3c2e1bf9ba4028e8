"""`warraq diff`."""

from typing import Annotated, Any

import typer

from crawler.commands import options as o


def diff(
    article: Annotated[
        str, typer.Argument(metavar="ARTICLE", help="Its number, a URL, a file, or its end.")
    ],
    other: Annotated[
        str | None,
        typer.Argument(metavar="[OTHER]", help="Another article, to see how it differs."),
    ] = None,
    db: o.Db = None,
    json: o.AsJson = False,
    version: Annotated[
        int | None,
        typer.Option("--version", min=1, metavar="N", help="Version to start from, not the last."),
    ] = None,
    folded: Annotated[
        bool, typer.Option("--folded", help="Leave out differences of spelling and punctuation.")
    ] = False,
) -> None:
    """Show word by word what changed since an article's last version, or between two articles.

    On a terminal with colours, removed words are red and struck through, added ones green;
    elsewhere they stand in [-...-] and {+...+}.

    Example: warraq diff 12 15 --folded
    """
    from crawler.show import print_json, say
    from pipelines.db.engine import open_engine, read, usable
    from pipelines.db.history import said_before, text_of
    from pipelines.db.schema import require
    from pipelines.difference import word_changes

    engine = open_engine(db)
    require(engine)
    with usable(engine), read(engine) as connection:
        names = [article] if other is None else [article, other]
        found = [text_of(connection, name) for name in names]
        for name, one in zip(names, found, strict=True):
            if one is None:
                say(f"{name}: no such article; `warraq why` tells what became of a page")
                raise typer.Exit(1)
        first, last = found[0], found[-1]
        assert first is not None and last is not None  # noqa: S101
        if other is None:
            before = said_before(connection, first["article"], version)
            if before is None:
                which = "no earlier version" if version is None else f"no version {version}"
                say(f"article {first['article']}: {which} is stored")
                raise typer.Exit(1)
            first = before
    pieces = word_changes(first["text"], last["text"], folded=folded)
    if json:
        told = {
            "old": {name: value for name, value in first.items() if name != "text"},
            "new": {name: value for name, value in last.items() if name != "text"},
            "changes": [{"change": str(p.change), "text": p.text} for p in pieces],
        }
        print_json(told)
    else:
        _print(first, last, [(str(piece.change), piece.text) for piece in pieces])


def _print(first: dict[str, Any], last: dict[str, Any], pieces: list[tuple[str, str]]) -> None:
    from rich.console import Console
    from rich.text import Text

    from crawler.show import printable

    console = Console(highlight=False, soft_wrap=True)
    coloured = console.is_terminal and console.color_system is not None
    for sign, one in (("-", first), ("+", last)):
        number = f" version {one['version']}" if one["version"] else ""
        title = printable(one["title"])
        console.print(Text(f"{sign} article {one['article']}{number}: {title}"))
    console.print()
    marks = {"delete": ("[-", "-]", "red strike"), "insert": ("{+", "+}", "green")}
    shown = Text()
    for change, said in pieces:
        if shown and not shown.plain.endswith("\n"):
            shown.append(" ")
        lines = [printable(line) for line in said.split("\n")]
        before, after, style = marks.get(change, ("", "", ""))
        for at, line in enumerate(lines):
            if at:
                shown.append("\n")
            if line and not coloured:
                line = f"{before}{line}{after}"
            shown.append(line, style)
    console.print(shown)
