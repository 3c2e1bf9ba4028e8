"""`warraq learn`."""

import getpass
from typing import Annotated, Any

import typer

from crawler.commands import options as o


def learn(
    db: o.Db = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="KEY", help="Lines of this source only.")
    ] = None,
    approve: Annotated[
        list[str] | None,
        typer.Option("--approve", metavar="LINE", help="It is furniture (may be repeated)."),
    ] = None,
    refuse: Annotated[
        list[str] | None,
        typer.Option("--refuse", metavar="LINE", help="It is none (may be repeated)."),
    ] = None,
    reset: Annotated[
        list[str] | None,
        typer.Option("--reset", metavar="LINE", help="Let counting decide again."),
    ] = None,
    templates: Annotated[
        bool, typer.Option("--templates", help="List where sources' articles live instead.")
    ] = False,
    refuse_template: Annotated[
        str | None,
        typer.Option(
            "--refuse-template", metavar="MONTH", help="Never use this template of --source."
        ),
    ] = None,
    reset_template: Annotated[
        str | None,
        typer.Option("--reset-template", metavar="MONTH", help="Let agreement decide again."),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, metavar="N", help="Longest list; most seen first.")
    ] = 100,
    json: o.AsJson = False,
) -> None:
    """List the lines that sources repeat on their pages, and decide about them.

    A line is `applied` (surely furniture: taken out), `proposed` (decide!), `protected` (belongs
    to stories: stays), or `approved` or `refused` by a person. What was decided holds for pages
    read from then on; `warraq reprocess` applies it to those stored before.

    --templates lists what was learned of where a source's articles live in its pages: `applied`,
    `retired` (it disagrees with the full extraction), or `refused` by a person.

    Example: warraq learn --source eg/sahifa --approve 1f0c9ab2
    """
    from crawler.show import print_json, print_table, say
    from pipelines.db.engine import open_engine, read, usable
    from pipelines.db.learn import listed_lines
    from pipelines.db.schema import require
    from pipelines.db.store import decide_line, decide_template
    from pipelines.db.templates import listed_templates
    from pipelines.errors import UsageError
    from pipelines.stages.repeats import State

    engine = open_engine(db)
    require(engine)
    for month, refused in ((refuse_template, True), (reset_template, False)):
        if month is not None:
            if source is None:
                raise UsageError("--refuse-template and --reset-template need --source KEY")
            decide_template(engine, source, month, getpass.getuser() if refused else None)
            say(f"the template of {source} for {month} is {'refused' if refused else 'reset'}")
            templates = True
    if templates:
        with usable(engine), read(engine) as connection:
            _show_templates(listed_templates(connection, source), json=json)
        return
    wanted = (
        (approve, State.APPROVED),
        (refuse, State.REFUSED),
        (reset, State.PROPOSED),
    )
    decided = False
    for names, state in wanted:
        for name in names or ():
            line = decide_line(engine, name, source, state, getpass.getuser())
            say(f"{line['line']} of {line['source']} is {line['state']}: {line['example']}")
            decided = True
    if decided:
        say("`warraq reprocess` applies this to the articles that are stored")
        return
    with usable(engine), read(engine) as connection:
        lines = listed_lines(connection, source, limit)
    if json:
        print_json(lines)
    elif lines:
        columns = ("line", "source", "state", "articles", "place", "text", "why")
        print_table(columns, [_row(line) for line in lines])
    else:
        say("no line is repeated on three articles of a source or more")


def _show_templates(found: list[dict[str, Any]], *, json: bool) -> None:
    from crawler.show import print_json, print_table, say

    if json:
        print_json(found)
    elif found:
        names = ("source", "month", "state", "learned_from", "reason")
        rows = [tuple(row[name] for name in names) for row in found]
        print_table(("source", "month", "state", "learned from", "why"), rows)
    else:
        say("no source has a template yet: five pages of a month are needed")


def _row(line: dict[str, Any]) -> tuple[Any, ...]:
    places = {"top": line["at_top"], "between": line["in_between"], "bottom": line["at_bottom"]}
    place = max(places, key=lambda name: places[name])
    seen = f"{line['pages']} of {line['of_pages']}"
    return (
        line["line"],
        line["source"],
        line["state"],
        seen,
        place,
        line["example"],
        line["reason"],
    )
