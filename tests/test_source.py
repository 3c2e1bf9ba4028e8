"""Source files: what is wrong in one is told by file, line and field."""

import pickle
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from apscheduler.triggers.cron import CronTrigger

from pipelines.errors import SourceError
from pipelines.source import Source, Sources, find_source, load_sources
from pipelines.urls import host_of


def put(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_key_is_the_path(tmp_path: Path) -> None:
    put(
        tmp_path,
        "eg/sahifa.yml",
        "# facts\ntitle: صحيفة\nhomepage: https://www.sahifa.example/\nzone: Africa/Cairo\n",
    )
    sources = load_sources(tmp_path)
    assert list(sources) == ["eg/sahifa"]
    assert sources["eg/sahifa"].zone == "Africa/Cairo"
    assert sources["eg/sahifa"].host == "sahifa.example"


WRONG = [
    ("title: a\nzone: Cairo\n", 2, "zone: 'Cairo' is no IANA zone"),
    ("title: a\nhome_page: b\n", 2, "home_page: no such field; did you mean `homepage`?"),
    ("title: a\nqqq: b\n", 2, "qqq: no such field; there are title, homepage, country"),
    ("title: a\n\ncountry: Egypt\n", 3, "country: 'Egypt' does not match ^[a-z]{2}$"),
    ("title: [a\n", 2, "no YAML"),
    ("title: a\n\ttitle: b\n", 2, "no YAML"),
    ("title: a\ntitle: b\n", 2, "title: stands twice"),
    ("pace:\n  delay: 1\n  delay: 2\n", 3, "delay: stands twice"),
    ("- a\n", 1, "a source is a list of fields"),
    ("", 1, "a source is a list of fields"),
    ("title: 5\n", 1, "title: should be text"),
    ("title: ' '\n", 1, "title: is empty"),
    ("key: b\n", 1, "key: the path of the file is its key"),
    ("5: b\n", 1, "5: "),
    ("homepage: nowhere\n", 1, "homepage: Input should be a valid URL"),
    ("homepage: ftp://a.example/\n", 1, "homepage: URL scheme should be 'http' or 'https'"),
    ("founded: long ago\n", 1, "founded: 'long ago' is no day such as 2004-02-11"),
    ("founded: 2004-02-31\n", 1, "founded: '2004-02-31' is no day"),
    ("feeds: https://a.example/feed\n", 1, "feeds: should be a list; write `- ` before each"),
    ("feeds:\n  - https://a.example/\n\n  - file:///etc/x\n", 4, "feeds.1: URL scheme should"),
    ("feeds:\n  - https://a.example/\n  - javascript:x\n", 3, "feeds.1: URL scheme should"),
    ("listings:\n  - url: https://a.example/\n", 2, "listings.0.links: is missing"),
    ("listings:\n- links: a\n  url: https://a.example/\n  page: 2\n", 4, "did you mean `pages`?"),
    (
        "listings:\n  - url: https://a.example/\n    links: '['\n",
        3,
        "listings.0.links: '[' is no regular expression",
    ),
    (
        "listings:\n- {url: 'https://a.example/', links: a, next: 'a['}\n",
        2,
        "listings.0.next: 'a[' is no CSS selector",
    ),
    ("pace:\n  concurrency: 1\n  delay: fast\n", 3, "pace.delay: Input should be a valid number"),
    ("pace:\n  delay: -1\n", 2, "pace.delay: Input should be greater than or equal to 0"),
    ("pace: slow\n", 1, "pace: should have fields of its own"),
    ("pace:\n  dealy: 2\n", 2, "pace.dealy: no such field; did you mean `delay`?"),
    ("every: 90s\n", 1, "every: '90s' is no interval such as 15m, 2h or 1d"),
    ("every: 15\n", 1, "every: 15 is no interval"),
    ("every: 0h\n", 1, "every: '0h' is no interval"),
    ("cron: 0 6 * *\n", 1, "cron: '0 6 * *' is not minute, hour, day, month and weekday"),
    ("cron: 0 26 * * *\n", 1, "cron: '0 26 * * *' is no time table"),
    ("cron: 0 6 * * xxx-thu\n", 1, "is no time table"),
    ("cron: 0 6 * * 1-5\n", 1, "write weekdays by name"),
    ("every: 2h\ntitle: a\ncron: 0 6 * * *\n", 3, "cron: either `every` or `cron`, not both"),
    ("dates: american\n", 1, "dates: Input should be 'day_first' or 'month_first'"),
    ("selectors:\n  text: ''\n", 2, "selectors.text: '' is no CSS selector"),
    ("lookups:\n  autor: {a: b}\n", 2, "lookups.autor: no such field; did you mean `author`?"),
    ("lookups:\n  author:\n    a: b\n    c: 3\n", 4, "lookups.author.c: should be text"),
    ("verified:\n  on: 2024-01-01\n", 1, "verified.how: is missing"),
    ("title: a\ndisabled: ''\n", 2, "disabled: is empty"),
    ("scripts: yes\n", 1, "scripts: Input should be a valid boolean"),
    (
        "zone: Cairo\nevery: x\n",
        1,
        "zone: 'Cairo' is no IANA zone such as Africa/Cairo (and 1 more",
    ),
]


@pytest.mark.parametrize(("text", "line", "said"), WRONG)
def test_wrong_file_is_told(tmp_path: Path, text: str, line: int, said: str) -> None:
    file = put(tmp_path, "eg/wrong.yml", text)
    with pytest.raises(SourceError) as error:
        load_sources(tmp_path)
    assert str(error.value).startswith(f"{file}:{line}: ")
    assert said in str(error.value)


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_bytes(b"title: \xff\xfe")
    with pytest.raises(SourceError, match=r"a\.yml"):
        load_sources(tmp_path)


def test_plain_words_and_figures_mean_what_they_look_like(tmp_path: Path) -> None:
    text = """
country: no
title: on
verified: {on: 2024-05-06, how: looked at it}
lookups: {section: {12:30: ~, yes: no}}
founded: 1977
"""
    put(tmp_path, "no/a.yml", text)
    source = load_sources(tmp_path)["no/a"]
    assert (source.country, source.title) == ("no", "on")
    assert source.verified and source.verified.on == date(2024, 5, 6)
    assert source.lookups == {"section": {"12:30": None, "yes": "no"}}
    assert source.founded == date(1977, 1, 1)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("15m", timedelta(minutes=15)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
    ],
)
def test_interval_is_read_and_written(text: str, wanted: timedelta) -> None:
    source = Source.model_validate({"key": "a", "every": text})
    assert source.every == wanted
    assert source.model_dump(mode="json")["every"] == text
    assert pickle.loads(pickle.dumps(source)) == source  # noqa: S301


@pytest.mark.parametrize(
    ("weekdays", "known"),
    [
        ("sun-thu", "sun-sun,mon-thu"),
        ("sat-wed,fri", "sat-sun,mon-wed,fri"),
        ("Mon-Fri", "mon-fri"),
        ("*", "*"),
    ],
)
def test_weeks_begin_where_they_begin(weekdays: str, known: str) -> None:
    source = Source.model_validate({"key": "a", "cron": f"0 6 * *  {weekdays}"})
    assert source.cron == f"0 6 * * {known}"
    minute, hour, day, month, weekday = source.cron.split()
    CronTrigger(minute=minute, hour=hour, day=day, month=month, day_of_week=weekday)


def test_two_files_for_one_site_are_told(tmp_path: Path) -> None:
    first = put(tmp_path, "a.yml", "homepage: https://www.sahifa.example/\n")
    second = put(tmp_path, "b.yml", "title: b\nhomepage: http://m.sahifa.example\n")
    with pytest.raises(SourceError) as error:
        load_sources(tmp_path)
    assert str(error.value) == f"{second}:2: homepage: {first} has it as well"
    second.write_text("homepage: https://www.sahifa.example/fa/\n", encoding="utf-8")
    assert len(load_sources(tmp_path)) == 2


def test_many_files_load_quickly(tmp_path: Path) -> None:
    text = (
        "title: ص\nhomepage: https://s{}.example/\nzone: Asia/Aden\nfeeds: [https://a.example/]\n"
    )
    for number in range(1000):
        put(tmp_path, f"{number % 10}/s{number}.yml", text.format(number))
    began = time.process_time()
    sources = load_sources(tmp_path)
    assert time.process_time() - began < 1.5  # 0.25 s on a slow machine
    began = time.process_time()
    for number in range(1000):
        found = find_source(sources, None, f"https://www.s{number}.example/a/{number}")
        assert found is sources[f"{number % 10}/s{number}"]
    assert time.process_time() - began < 0.5  # not one after the other


SITES = {
    "root": ("https://www.sahifa.example/", "ar"),
    "shared/ar": ("https://www.agency.example/ar/index.html", "ar"),
    "shared/fa": ("https://www.agency.example/fa", "fa"),
    "deep": ("https://www.agency.example/ar/sport/", "ar"),
    "blog": ("https://katib.blogspot.com/", "ar"),
    "host": ("https://blogspot.com/", "en"),
    "state": ("https://www.jarida.com.eg/", "ar"),
    "port": ("http://127.0.0.1:8001/", None),
    "untold": ("https://untold.example/", None),
}


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://sahifa.example/a", "root"),
        ("https://WWW.sahifa.example:443/a", "root"),
        ("https://m.sahifa.example/a", "root"),
        ("https://amp.sahifa.example/a", "root"),
        ("https://sport.sahifa.example/a", "root"),
        ("https://arabic.sahifa.example/a", "root"),  # its language
        ("https://english.sahifa.example/a", None),  # another edition: other language, other zone
        ("https://ar.untold.example/a", None),
        ("https://notsahifa.example/a", None),
        ("https://sahifa.example.evil.test/a", None),
        ("https://www.agency.example/ar/1", "shared/ar"),
        ("https://www.agency.example/ar", "shared/ar"),
        ("https://www.agency.example/ar/sport/2", "deep"),
        ("https://www.agency.example/fa/1", "shared/fa"),
        ("https://www.agency.example/arts/1", None),
        ("https://www.agency.example/en/1", None),
        ("https://other.agency.example/ar/1", None),
        ("https://katib.blogspot.com/2024/01/a.html", "blog"),
        ("https://other.blogspot.com/2024/01/a.html", None),
        ("https://sport.jarida.com.eg/1", "state"),
        ("https://other.com.eg/1", None),
        ("http://127.0.0.1:8001/a", "port"),
        ("http://127.0.0.1:8002/a", None),
        ("http://127.0.0.1/a", None),
        ("http://1.127.0.0.1:8001/a", None),
        ("mailto:a@sahifa.example", None),
        ("http://[", None),
        ("http://sahifa.example:port/", None),
    ],
)
def test_page_finds_its_source(url: str, key: str | None) -> None:
    sources = Sources(
        {
            key: Source.model_validate({"key": key, "homepage": homepage, "language": language})
            for key, (homepage, language) in SITES.items()
        }
    )
    found = find_source(sources, None, url)
    assert (found and found.key) == key
    assert find_source(dict(sources), None, url) is found


def test_found_by_key_then_by_host() -> None:
    known = Source.model_validate({"key": "eg/sahifa", "homepage": "https://sahifa.example/"})
    sources = {known.key: known}
    assert find_source(sources, "eg/sahifa", None) is known
    assert find_source(sources, None, "http://www.sahifa.example/a/1") is known
    assert find_source(sources, "other", "http://sahifa.example/") == Source(key="other")
    assert find_source(sources, None, "http://sahifa.example.evil/") is None
    assert find_source(sources, None, None) is None


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://WWW.Sahifa.example:443/a", "sahifa.example"),
        ("http://[::1", None),
        ("mailto:a@b", None),
        ("", None),
    ],
)
def test_host(url: str, host: str | None) -> None:
    assert host_of(url) == host
