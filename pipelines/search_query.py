"""The language of search queries: what people type, and every form that it has in texts.

`parse` makes an Expression of words as search keys. Clitics (و ف ب ك ل س ال and their chains) and
other spellings of names are expanded here, in the query: the index holds words as printed, and a
change of these rules needs no new index. docs/search.md tells the language and what it finds.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pipelines.arabic import has_arabic, search_key, unmarked
from pipelines.errors import QueryError

#: No database takes NUL or half characters, which a command line may hold.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
#: Bounds of one query. A person types ten words; a hostile page may send a megabyte.
MAX_LETTERS = 1000
_MAX_WORDS = 40
_MAX_PARENTHESES = 10
_MAX_FORMS = 3000
#: A word with fewer letters before * stands for too much of the index.
_MIN_PREFIX = 2
#: Words that are longer stand for no word: the index leaves them out.
MAX_WORD = 64

NAMES_VARIABLE = "WARRAQ_NAMES"
NAMES_FILE = Path("data/names.toml")
_MAX_NAMES_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Form:
    """Words in a row, as keys: any of `first`, then all of `rest`."""

    first: tuple[str, ...]
    rest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """One of the forms stands in the article: in its title with `in_title`. With `prefix` the
    last word of a form goes on."""

    forms: tuple[Form, ...]
    prefix: bool = False
    in_title: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """The article's source, agency or language is `value`."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: "Node"


Node = Words | Fact | And | Or | Not


@dataclass(frozen=True, slots=True)
class Expression:
    """A query that was understood. `root` is None if it holds no words and no facts; the other
    fields are filters that hold for the whole."""

    root: Node | None
    since: date | None = None
    until: date | None = None
    story: int | None = None


def parse(text: str) -> Expression:
    """Understands a query. Raises QueryError with the place of the trouble and what to do."""
    if len(text) > MAX_LETTERS:
        raise QueryError(f"the query has {len(text)} letters; at most {MAX_LETTERS} are searched")
    return _Parser(storable(text)).expression()


def storable(text: str) -> str:
    """The same text, as a database takes it in a query."""
    return _UNSTORABLE.sub("\ufffd", text)


def words_of(node: Node | None) -> Iterator[Words]:
    """What a hit is marked for: all words but those after NOT."""
    if isinstance(node, Words):
        yield node
    elif isinstance(node, And | Or):
        for part in node.parts:
            yield from words_of(part)


# --- the language ----------------------------------------------------------------------------

_FIELDS = {
    "source": "source",
    "مصدر": "source",
    "agency": "agency",
    "وكالة": "agency",
    "lang": "language",
    "language": "language",
    "لغة": "language",
    "since": "since",
    "منذ": "since",
    "until": "until",
    "حتى": "until",
    "title": "title",
    "عنوان": "title",
    "story": "story",
}
_OR = {"OR", "أو", "|"}
_AND = {"AND", "&"}
_NOT = {"NOT"}
_QUOTES = '"“”„«»״'
_TOKEN = re.compile(
    rf"""(?P<space>\s+)
    |(?P<mark>[()|&])
    |(?P<minus>-(?=[^\s\-]))
    |(?P<field>{"|".join(sorted(_FIELDS, key=len, reverse=True))}):(?=\S)
    |(?P<exact>=)?(?:[{_QUOTES}](?P<quoted>[^{_QUOTES}]*)(?P<closed>[{_QUOTES}])?
                    |(?P<word>[^\s()|&{_QUOTES}]+))
    |(?P<other>.)""",
    re.X | re.S | re.I,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # mark, minus, field, quoted, word
    text: str
    place: int
    exact: bool = False


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = list(_tokens(text))
        self.at = 0
        self.depth = 0
        self.negated = False
        self.in_title = False
        self.words = 0
        self.forms = 0
        self.filters: dict[str, Any] = {}

    def expression(self) -> Expression:
        root = self._any_of() if self.tokens else None
        if self.at < len(self.tokens):
            raise _trouble("nothing to close here", self.tokens[self.at], "take ) out")
        return Expression(root, **self.filters)

    def _peek(self) -> _Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def _next_is(self, words: set[str]) -> bool:
        token = self._peek()
        return token is not None and token.kind in ("word", "mark") and token.text in words

    def _any_of(self) -> Node | None:
        parts = [self._all_of()]
        while self._next_is(_OR):
            operator = self.tokens[self.at]
            self.at += 1
            parts.append(self._all_of())
            if parts[-2] is None or parts[-1] is None:
                raise _trouble(
                    f"{operator.text} joins two alternatives", operator, "put words on both sides"
                )
        found = [part for part in parts if part is not None]
        return found[0] if len(found) == 1 else Or(tuple(found)) if found else None

    def _all_of(self) -> Node | None:
        parts: list[Node] = []
        run: list[_Token] = []  # plain words side by side: names are found in them
        while (token := self._peek()) is not None:
            if self._next_is(_OR) or (token.kind == "mark" and token.text == ")"):
                break
            if self._next_is(_AND):
                self.at += 1
                continue
            if token.kind == "word" and token.text not in _NOT and not _is_special(token):
                run.append(token)
                self.at += 1
                continue
            parts += self._plain(run)
            run = []
            part = self._one()
            if part is not None:
                parts.append(part)
        parts += self._plain(run)
        return parts[0] if len(parts) == 1 else And(tuple(parts)) if parts else None

    def _one(self) -> Node | None:
        token = self.tokens[self.at]
        self.at += 1
        if token.kind == "minus" or (token.kind == "word" and token.text in _NOT):
            return self._negated(token)
        if token.kind == "field":
            return self._field(token)
        if token.kind == "mark":
            if token.text != "(":
                raise _trouble(f"{token.text} is out of place", token, "put it in quotes")
            return self._group(token)
        if token.kind == "quoted":
            return self._quoted(token)
        word = _word(token, self.in_title)
        return None if word is None else self._counted(word)

    def _negated(self, token: _Token) -> Node:
        following = self._peek()
        if following is None or following.text in {")", *_OR}:
            raise _trouble(f"nothing follows {token.text}", token, "add the word to leave out")
        outside, self.negated = self.negated, True
        part = self._one()
        self.negated = outside
        if part is None:
            raise _trouble(f"no word follows {token.text}", token, "add the word to leave out")
        return Not(part)

    def _group(self, token: _Token) -> Node | None:
        self.depth += 1
        if self.depth > _MAX_PARENTHESES:
            raise _trouble("too many parentheses in one another", token, "take some out")
        part = self._any_of()
        if self._peek() is None:
            raise _trouble("( is never closed", token, "add ) or take ( out")
        self.at += 1
        self.depth -= 1
        return part

    def _field(self, token: _Token) -> Node | None:
        value = self._peek()
        name = _FIELDS[token.text.lower()]
        if name == "title" and value is not None and (value.text == "(" or value.kind != "mark"):
            outside, self.in_title = self.in_title, True
            part = self._one()
            self.in_title = outside
            return part
        if value is None or value.kind not in ("word", "quoted"):
            raise _trouble(f"{token.text}: has no value", token, f"write it: {token.text}:VALUE")
        self.at += 1
        said = value.text.strip()
        if name in ("since", "until"):
            self._filter(name, _day(said, value, last=name == "until"), token)
            return None
        if name == "story":
            if not re.fullmatch(r"[0-9]{1,18}", said):
                raise _trouble(f"{said} is no story's number", value, "story:123")
            self._filter(name, int(said), token)
            return None
        return Fact(name, said if name == "source" else said.lower())

    def _filter(self, name: str, value: Any, token: _Token) -> None:
        if self.depth or self.negated:
            advice = "put it beside them, without NOT"
            raise _trouble(f"{token.text}: holds for all words", token, advice)
        if self.filters.get(name, value) != value:
            raise _trouble(f"{token.text}: is given twice", token, "take one out")
        self.filters[name] = value

    def _quoted(self, token: _Token) -> Node | None:
        keys = search_key(token.text).split()
        if not keys:
            return None
        forms = _phrase_forms(token.text.split(), keys, exact=token.exact)
        return self._counted(Words(forms, in_title=self.in_title))

    def _plain(self, run: list[_Token]) -> list[Node]:
        """Words side by side: all must stand in the article, names in any spelling."""
        keys: list[str] = []
        raw: list[str] = []
        for token in run:
            found = search_key(token.text).split()
            keys += found
            # What punctuation joins (2020/21) is looked for in parts.
            raw += unmarked(token.text).split() if len(found) == 1 else found
        parts: list[Node] = []
        at = 0
        while at < len(keys):
            forms, used = _name_forms(keys, at)
            if not forms:
                forms, used = (Form(_word_forms(raw[at], keys[at])),), 1
            node = self._counted(Words(forms, in_title=self.in_title))
            if node not in parts:
                parts.append(node)
            at += used
        return parts

    def _counted(self, node: Words) -> Words:
        self.words += 1
        self.forms += sum(len(form.first) * (1 + len(form.rest)) for form in node.forms)
        if self.words > _MAX_WORDS or self.forms > _MAX_FORMS:
            raise QueryError(
                f"the query has too many words and forms (at most {_MAX_WORDS} words); "
                "leave some out, or put them in quotes"
            )
        return node


def _tokens(text: str) -> Iterator[_Token]:
    for found in _TOKEN.finditer(text):
        place = found.start() + 1
        kind = found.lastgroup
        if found["field"]:
            yield _Token("field", found["field"], place)
        elif found["quoted"] is not None:
            if found["closed"] is None:
                token = _Token("quoted", found["quoted"], place)
                raise _trouble("the quotation mark is never closed", token, "close it")
            yield _Token("quoted", found["quoted"], place, exact=bool(found["exact"]))
        elif found["word"]:
            yield _Token("word", found["word"], place, exact=bool(found["exact"]))
        elif kind in ("mark", "minus"):
            yield _Token(kind, found[0], place)


def _is_special(token: _Token) -> bool:
    return token.exact or token.text.endswith("*")


def _trouble(what: str, token: _Token, advice: str) -> QueryError:
    return QueryError(f"at letter {token.place}: {what}; {advice}")


def _word(token: _Token, in_title: bool) -> Words | None:
    prefix = token.text.endswith("*")
    keys = search_key(token.text).split()
    if not keys:
        return None
    if len(keys) > 1:  # joined by punctuation: words in a row
        return Words(_phrase_forms(keys, keys, exact=token.exact), prefix, in_title)
    key = keys[0]
    if prefix and len(key) < _MIN_PREFIX:
        advice = f"give {_MIN_PREFIX} letters or more before *"
        raise _trouble(f"{token.text} stands for too many words", token, advice)
    raw = unmarked(token.text.rstrip("*"))
    if token.exact:
        return Words((Form((key,)),), prefix, in_title)
    names, _ = ((), 0) if prefix else _name_forms(keys, 0)
    return Words(names or (Form(_word_forms(raw, key)),), prefix, in_title)


def _day(text: str, token: _Token, *, last: bool) -> date:
    """A day, or the first or last one of a month or year."""
    digits = search_key(text).split()
    try:
        if not 1 <= len(digits) <= 3 or len(digits[0]) != 4:
            raise ValueError
        year, month, day = (*map(int, digits), *([0] * (3 - len(digits))))
        if day:
            return date(year, month, day)
        if not last:
            return date(year, month or 1, 1)
        if month in (0, 12):
            return date(year, 12, 31)
        return date(year, month + 1, 1) - timedelta(days=1)
    except ValueError:
        raise _trouble(f"{text} is no day", token, "write 2024-05-31, 2024-05 or 2024") from None


# --- clitics ---------------------------------------------------------------------------------

_CONJUNCTIONS = ("", "و", "ف")
_PREPOSITIONS = ("", "ب", "ك", "ل")
_WITH_ARTICLE = {"": "ال", "ب": "بال", "ك": "كال", "ل": "لل"}
#: و or ف, then a preposition, then the article. The hamza of إلى or ألمانيا is still there.
_ARTICLE = re.compile("^[وف]?(ال|بال|كال|لل)(?=.{2})")
#: Letters of Persian, Urdu and Kurdish words, to which Arabic's clitics do not belong.
_FOREIGN = re.compile("[پچژگےٹڈڑںہھۀۂۃەێۆ]")
_IMPERFECT = "اينت"


@lru_cache(maxsize=4096)
def _word_forms(raw: str, key: str) -> tuple[str, ...]:
    """All forms of one word: with and without the article, with conjunction and preposition.

    `raw` is the word without marks, whose hamzas tell an article from the beginning of a word.
    """
    if not _takes_clitics(raw, key):
        return (key,)
    base = _without_article(raw, key)
    forms = {key: None, base: None}
    for conjunction in _CONJUNCTIONS:
        for preposition in _PREPOSITIONS:
            forms[conjunction + preposition + base] = None
            if preposition != "ل" or not base.startswith("ل"):
                forms[conjunction + _WITH_ARTICLE[preposition] + base] = None
        if len(base) >= 4 and base[0] in _IMPERFECT:
            forms[conjunction + "س" + base] = None
    return tuple(form for form in forms if form in (key, base) or not _is_another(form, base))


def _first_forms(raw: str, key: str, *, alone: bool) -> tuple[str, ...]:
    """Forms of the first word of a phrase: with its article, if it has one, or without. Words
    that follow tell it from look-alikes, unless it stands `alone`."""
    if not _takes_clitics(raw, key):
        return (key,)
    base = _without_article(raw, key)
    forms = {key: None}
    for conjunction in _CONJUNCTIONS:
        for preposition in _PREPOSITIONS:
            article = base != key
            chain = _WITH_ARTICLE[preposition] if article else preposition
            if article and preposition == "ل" and base.startswith("ل"):
                chain = "ل"
            forms[conjunction + chain + base] = None
    return tuple(form for form in forms if form == key or not alone or not _is_another(form, base))


def _takes_clitics(raw: str, key: str) -> bool:
    return 2 <= len(key) <= MAX_WORD - 4 and not _FOREIGN.search(raw) and " " not in key


def _without_article(raw: str, key: str) -> str:
    """The word without its article and what stands before that. A single letter stays: it is
    the first of far more words than it is a clitic of; but it goes before a word of the list."""
    words = _look_alikes()
    if key in words or not has_arabic(key):
        return key
    if key[0] in "وفبكل" and key[1:] in words:
        return key[1:]
    if key[0] in "وف" and key[1:2] and key[1] in "بكل" and key[2:] in words:
        return key[2:]
    found = _ARTICLE.match(raw)
    if found is None or len(raw) != len(key):
        return key
    base = key[found.end() :]
    if found[1] == "لل" and f"ل{base}" in words:
        return f"ل{base}"
    # What is left of a word in which و or ف is no clitic (والد) or ال is no article.
    return key if len(base) < 3 and found[0] != "ال" else base


def _is_another(form: str, base: str) -> bool:
    """Whether a form is, or ends with, another word that only looks like `base` with clitics."""
    words = _look_alikes()
    return any(
        form[at:] in words
        for at in range(len(form) - len(base))
        if form[at - 1 : at + 1] != "ال"  # الجنة is not ا and لجنة
    )


def _phrase_forms(raw: list[str], keys: list[str], *, exact: bool) -> tuple[Form, ...]:
    """Forms of words in a row: the first takes clitics, names take all their spellings."""
    if exact:
        return (Form((keys[0],), tuple(keys[1:])),)
    forms: list[Form] = []
    starts, used = _name_forms(keys, 0)
    if not starts:
        first = unmarked(raw[0]) if len(raw) == len(keys) else keys[0]
        starts, used = (Form(_first_forms(first, keys[0], alone=len(keys) == 1)),), 1
    tails = _tails(keys[used:])
    for start in starts:
        forms += [Form(start.first, (*start.rest, *tail)) for tail in tails]
    return tuple(dict.fromkeys(forms))


def _tails(keys: list[str]) -> list[tuple[str, ...]]:
    """The rest of a phrase with each spelling of the first name in it."""
    names = _names()
    for at in range(len(keys)):
        for length in range(min(names.longest, len(keys) - at), 0, -1):
            spellings = names.groups.get(tuple(keys[at : at + length]))
            if spellings:
                after = tuple(keys[at + length :])
                return [(*keys[:at], *spelling, *after) for spelling in spellings]
    return [tuple(keys)]


# --- data ------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _look_alikes() -> frozenset[str]:
    data = tomllib.loads(
        files("pipelines").joinpath("lexicon/look_alikes.toml").read_text(encoding="utf-8")
    )
    return frozenset(search_key(word) for word in data["words"].split())


@dataclass(frozen=True, slots=True)
class _Names:
    """Spelling -> all spellings of the same name, none of which contains another."""

    groups: dict[tuple[str, ...], tuple[tuple[str, ...], ...]]
    longest: int


def _name_forms(keys: list[str], at: int) -> tuple[tuple[Form, ...], int]:
    """Forms of the longest name that begins at `at`, clitics before it, and how many words it
    has; nothing if there is none."""
    names = _names()
    first = keys[at]
    beginnings = [first]
    if has_arabic(first):
        for conjunction in _CONJUNCTIONS:
            for chain in (*_PREPOSITIONS, *_WITH_ARTICLE.values()):
                clitics = conjunction + chain
                if clitics and first.startswith(clitics):
                    beginnings.append(first[len(clitics) :])
                    beginnings.append(f"ال{first[len(clitics) :]}")
    for length in range(min(names.longest, len(keys) - at), 0, -1):
        rest = tuple(keys[at + 1 : at + length])
        for beginning in beginnings:
            spellings = names.groups.get((beginning, *rest))
            if spellings:
                forms = [
                    Form(_first_forms(s[0], s[0], alone=len(s) == 1), s[1:]) for s in spellings
                ]
                if length == 1:
                    forms.append(Form((first,)))
                return tuple(dict.fromkeys(forms)), length
    return (), 0


def _names() -> _Names:
    own = os.environ.get(NAMES_VARIABLE)
    file = Path(own) if own else NAMES_FILE
    try:
        stamp = file.stat().st_mtime_ns
    except OSError as error:
        if own:
            raise QueryError(
                f"{file} can't be read: {error.strerror}; correct {NAMES_VARIABLE}"
            ) from None
        return _read_names(None, 0)
    return _read_names(file, stamp)


@lru_cache(maxsize=4)
def _read_names(own: Path | None, _stamp: int) -> _Names:
    """The names that Warraq brings, joined with those of a user's file."""
    brought = files("pipelines").joinpath("lexicon/names.toml").read_text(encoding="utf-8")
    groups = [_keys(spellings) for spellings in tomllib.loads(brought)["names"]]
    if own is not None:
        groups += [_keys(spellings) for spellings in _own_names(own)]
    joined: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for group in groups:
        whole = set(group).union(*(joined.get(spelling, ()) for spelling in group))
        for spelling in whole:
            joined[spelling] = whole
    minimal = {id(whole): _minimal(whole) for whole in joined.values()}
    return _Names(
        {spelling: minimal[id(whole)] for spelling, whole in joined.items()},
        max((len(spelling) for spelling in joined), default=0),
    )


def _own_names(file: Path) -> list[list[str]]:
    advice = 'a line a name: names = [["كارا باخ", "قره باغ"], ...]'
    try:
        if file.stat().st_size > _MAX_NAMES_BYTES:
            raise QueryError(f"{file} is larger than {_MAX_NAMES_BYTES} bytes")
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise QueryError(f"{file} can't be read: {error.strerror}") from None
    except ValueError as error:
        raise QueryError(f"{file}: {error}; {advice}") from None
    names = data.get("names")
    if not isinstance(names, list) or set(data) != {"names"}:
        raise QueryError(f"{file}: holds one list, `names`; {advice}")
    for number, spellings in enumerate(names, 1):
        if not (
            isinstance(spellings, list)
            and len(spellings) > 1
            and all(isinstance(s, str) and search_key(s) for s in spellings)
        ):
            raise QueryError(f"{file}: entry {number} is no list of two spellings or more")
    return names


def _keys(spellings: Iterable[str]) -> list[tuple[str, ...]]:
    return [tuple(search_key(spelling).split()) for spelling in spellings]


def _minimal(spellings: set[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """Those that contain no other one: whoever finds كاراباخ finds ناغورنو كاراباخ."""

    def has_other(words: tuple[str, ...]) -> bool:
        return any(
            other != words and words[at : at + len(other)] == other
            for other in spellings
            for at in range(len(words) - len(other) + 1)
        )

    return tuple(sorted(words for words in spellings if not has_other(words)))
