"""A query as FTS5 and as PostgreSQL read it. Whatever was typed stands in quotes there, and is
letters, digits and spaces alone: it is keys, or it was found in the database."""

from pipelines.db.search_index import ALL, DATED, fact
from pipelines.search_query import Fact, Form, Node, Not, Or, Words
from pipelines.search_words import lexeme


def for_fts5(node: Node | None, reach: list[str] | None, dated: bool) -> str:
    """The node as FTS5 reads it. Whatever was typed stands in quotes, and is letters only."""
    parts = [] if node is None else [_fts5(node)]
    if reach:
        parts.append(f"({' OR '.join(map(_in_quotes, reach))})")
    if dated:
        parts.append(_in_quotes(DATED))
    return " AND ".join(parts) or _in_quotes(ALL)


def _fts5(node: Node) -> str:
    if isinstance(node, Words):
        star = " *" if node.prefix else ""
        mark = " @" if node.in_title else " "
        phrases = [
            _in_quotes(mark.join((f"{mark.strip()}{first}", *form.rest))) + star
            for form in node.forms
            for first in form.first
        ]
        return f"({' OR '.join(phrases)})"
    if isinstance(node, Fact):
        return _in_quotes(fact(node.field, node.value))
    if isinstance(node, Or):
        return f"({' OR '.join(map(_fts5, node.parts))})"
    if isinstance(node, Not):
        return f"({_in_quotes(ALL)} NOT {_fts5(node.part)})"
    kept = [_fts5(part) for part in node.parts if not isinstance(part, Not)]
    said = " AND ".join(kept) or _in_quotes(ALL)
    for part in node.parts:
        if isinstance(part, Not):
            said = f"({said}) NOT {_fts5(part.part)}"
    return f"({said})"


def _in_quotes(words: str) -> str:
    return '"' + words.replace('"', '""') + '"'


def for_tsquery(node: Node | None, reach: list[str] | None, dated: bool) -> str:
    """The node as PostgreSQL writes a tsquery, each word in quotes."""
    parts = [] if node is None else [_tsquery(node)]
    if reach:
        parts.append(f"({' | '.join(map(lexeme, reach))})")
    if dated:
        parts.append(lexeme(DATED))
    return " & ".join(parts) or lexeme(ALL)


def _tsquery(node: Node) -> str:
    if isinstance(node, Words):
        return f"({' | '.join(_tsquery_form(form, node) for form in node.forms)})"
    if isinstance(node, Fact):
        return lexeme(fact(node.field, node.value))
    if isinstance(node, Or):
        return f"({' | '.join(map(_tsquery, node.parts))})"
    if isinstance(node, Not):
        return f"({lexeme(ALL)} & !{_tsquery(node.part)})"
    kept = [_tsquery(part) for part in node.parts if not isinstance(part, Not)]
    left = [f"!{_tsquery(part.part)}" for part in node.parts if isinstance(part, Not)]
    return f"({' & '.join([*(kept or [lexeme(ALL)]), *left])})"


def _tsquery_form(form: Form, node: Words) -> str:
    mark = "@" if node.in_title else ""
    words = [[f"{mark}{first}" for first in form.first], *([f"{mark}{key}"] for key in form.rest)]
    star = [""] * (len(words) - 1) + [":*" if node.prefix else ""]
    said = [
        f"({' | '.join(lexeme(key) + end for key in keys)})"
        for keys, end in zip(words, star, strict=True)
    ]
    return f"({' <-> '.join(said)})"
