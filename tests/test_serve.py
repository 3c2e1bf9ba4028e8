"""`warraq serve`: a real server on loopback. What it shows, to whom, and what it never does."""

import csv
import io
import json
import re
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from lxml import html
from sqlalchemy import make_url

from crawler.web import words
from pipelines.db.ask import Limits, ask
from pipelines.errors import DatabaseError, QueryError
from tests.conftest import ROOT, run_warraq, temporary_postgres
from tests.serving import SAVED, SCRIPT, fill, reader, serving

WEB = ROOT / "crawler" / "web"
#: No page may take longer, whatever is asked of it.
BOUND = 10.0


@dataclass(frozen=True)
class Site:
    """A server and the databases behind it."""

    address: str
    database: str
    sql: str

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(self.address + path, timeout=BOUND, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return httpx.post(self.address + path, timeout=2 * BOUND, **options)


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    if request.param == "sqlite":
        # a folder whose name would be cut or read otherwise as part of an address
        database = f"sqlite:///{tmp_path_factory.mktemp('serve')}/مجلد 100% a#b/warraq.db"
        fill(database)
        with serving(database) as address:
            yield Site(address, database, database)
        return
    postgres: str = request.getfixturevalue("postgres")
    with temporary_postgres(postgres) as database, reader(postgres) as user:
        fill(database)
        sql = make_url(database).set(username=user).render_as_string(hide_password=False)
        with serving(database, WARRAQ_SQL_DB=sql) as address:
            yield Site(address, database, sql)


PAGES = {
    "/": 200,
    "/?q=حريق": 200,
    "/?q=حريق&source=marfa&language=ar&agency=reuters&since=2024-01-01&until=2024-12-31&one=1": 200,
    "/?story=1&sort=oldest&page=2": 200,
    "/?since=yesterday": 400,
    "/?sort=best": 400,
    "/?story=one": 400,
    "/articles/1": 200,
    "/articles/1?version=1": 200,
    "/articles/1?other=2": 200,
    "/articles/1?version=9": 404,
    "/articles/1?other=999": 404,
    "/articles/1?other=%27": 404,
    "/articles/4": 200,
    "/articles/5": 200,
    "/articles/6": 200,
    "/articles/999": 404,
    "/articles/0": 404,
    "/articles/9999999999999999999999": 404,
    "/articles/../../etc/passwd": 404,
    "/stories": 200,
    "/stories?page=500": 200,
    "/stories/1": 200,
    "/stories/999": 404,
    "/sources": 200,
    "/sql": 200,
    "/sql?q=SELECT 1": 200,
    "/static/style.css": 200,
    "/static/%2e%2e/app.py": 404,
    "/language/fr": 404,
    "/nothing": 404,
    "/health": 200,
    "/docs": 404,
}


@pytest.mark.parametrize("path", PAGES)
def test_every_page_answers_in_time_under_a_strict_policy(site: Site, path: str) -> None:
    answer = site.get(path)
    assert answer.status_code == PAGES[path], answer.text[:500]
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    kept = "no-cache" if path.startswith("/static/") else "no-store"
    assert answer.headers["cache-control"] == kept
    assert "server" not in answer.headers


@pytest.mark.parametrize("path", [p for p in PAGES if not p.startswith(("/static", "/health"))])
def test_nothing_of_an_article_or_an_address_becomes_markup(site: Site, path: str) -> None:
    for attempt in (path, f"{path}{'&' if '?' in path else '?'}q={SCRIPT}&source={SCRIPT}"):
        check_markup(site.get(attempt).text)


def tree_of(page: str) -> Any:
    return html.document_fromstring(page)


def check_markup(page: str) -> None:
    assert "1337" not in page, "a template in an article was run"
    tree = tree_of(page)
    assert tree.xpath("//script/@src") == ["/static/page.js"]
    assert not tree.xpath("//script[text()] | //style | //iframe | //object | //embed | //base")
    for element in tree.iter("*"):
        for name, value in element.attrib.items():
            assert not name.startswith("on") and name != "style", html.tostring(element)
            if name in ("href", "src", "action"):
                assert value.startswith(("/", "#", "https://")), value
    for link in tree.xpath("//a[starts-with(@href, 'http')]"):
        assert "noreferrer" in link.get("rel")


@pytest.mark.parametrize(
    "typed",
    [
        SCRIPT,
        "'; DROP TABLE articles; --",
        '" OR 1=1',
        "((((((((((",
        "NEAR(a b) * ^ : \\ %",
        "\x00\ufffe\U0001f600",
        "source:\"' agency:)",
        "حريق" * 200,
        "* - AND OR NOT",
        "ﷺ‏‮حريق",
    ],
)
def test_whatever_is_typed_is_answered(site: Site, typed: str) -> None:
    answer = site.get("/", params={"q": typed})
    assert answer.status_code in (200, 400)
    check_markup(answer.text)
    assert site.get("/api/search", params={"q": typed}).status_code in (200, 400)
    assert site.get("/api/articles/1").json()["title"] == "السيطرة على حريق مستودع الكتب"


def text_of(page: str) -> str:
    return " ".join(tree_of(page).text_content().split())


def test_search_finds_marks_counts_and_filters(site: Site) -> None:
    page = tree_of(site.get("/?q=حريق").text)
    titles = [title.text_content() for title in page.xpath("//ol[@class='hits']//h2")]
    assert set(titles) == {
        "السيطرة على حريق مستودع الكتب",
        "حريق يلتهم كتبا نادرة",
        "نجاة المخطوطات",
    }
    assert "حريق" in {mark.text_content() for mark in page.xpath("//mark")}
    narrower = page.xpath("//aside//a[contains(@href, 'source=qandil')]/@href")
    narrowed = tree_of(site.get(narrower[0]).text)
    assert len(narrowed.xpath("//ol[@class='hits']/li")) == 1
    # the filter can be taken off again, and the words stay
    assert (
        narrowed.xpath("//ul[@class='chosen']//a/@href")[0]
        == "/?" + httpx.QueryParams({"q": "حريق"}).__str__()
    )
    assert not tree_of(site.get("/?q=خرافة").text).xpath("//ol/li")


def test_article_shows_text_evidence_removed_lines_and_copies(site: Site) -> None:
    page = tree_of(site.get("/articles/1").text)
    (body,) = page.xpath("//div[@class='body']")
    assert (body.get("dir"), body.get("lang")) == ("rtl", "ar")
    assert SAVED in body.text_content()
    said = " ".join(page.text_content().split())
    assert "live.header" in said and "البث المباشر" in said
    assert "بيانات JSON-LD في الصفحة" in said and "90%" in said
    assert "مطلع الفقرة الأولى" in said  # why the agency
    assert page.xpath("//a[@href='/articles/1?other=2']")
    assert page.xpath("//a[@href='/stories/1']")
    english = tree_of(site.get("/articles/6").text)
    assert english.xpath("//div[@class='body']/@dir") == ["ltr"]
    undated = text_of(site.get("/articles/5").text)
    assert "الفراغ خير من التخمين" in undated


def test_versions_and_copies_are_compared_word_by_word(site: Site) -> None:
    since = tree_of(site.get("/articles/1?version=1").text)
    assert SAVED in " ".join(since.xpath("//ins//text()"))
    other = tree_of(site.get("/articles/2?other=1").text)
    assert "سبعمئة" in " ".join(other.xpath("//del//text()"))
    assert "ثمانمئة" in " ".join(other.xpath("//ins//text()"))


def test_story_tells_who_came_when_and_what_was_changed(site: Site) -> None:
    page = tree_of(site.get("/stories/1").text)
    entries = [" ".join(e.text_content().split()) for e in page.xpath("//ol[@class='timeline']/li")]
    assert [("marfa", "qandil", "alrasif")[at] in entry for at, entry in enumerate(entries)] == [
        True
    ] * 3
    assert "الأول نشرا" in entries[0] and "أكمل نص" in entries[0]
    assert "20 دقيقة" in entries[1] and "معدّلة 1" in entries[1]
    assert "التأخر: يوم" in entries[2] and "محذوفة 1" in entries[2]
    told = site.get("/api/stories/1").json()["told"]
    assert [one["delay_minutes"] for one in told] == [0, 20, 1440]


def test_language_is_asked_kept_or_the_browsers(site: Site) -> None:
    def shown(path: str, **stated: str) -> tuple[str, str]:
        headers = {name.replace("_", "-"): value for name, value in stated.items()}
        root = tree_of(site.get(path, headers=headers).text)
        return root.get("lang"), root.get("dir")

    arabic, english = ("ar", "rtl"), ("en", "ltr")
    assert shown("/") == arabic
    assert shown("/", accept_language="fr-FR,en;q=0.8,ar;q=0.5") == english
    assert shown("/", accept_language="en;q=0.1,ar-EG;q=0.9,*;q=x") == arabic
    assert shown("/", cookie="language=en") == english
    assert shown("/?lang=ar", cookie="language=en") == arabic
    assert shown("/?lang=<script>") == arabic
    kept = site.get("/language/en", params={"back": "/?q=حريق"})
    assert kept.status_code == 303 and "language=en" in kept.headers["set-cookie"]
    assert kept.headers["location"].startswith("/?q=")
    for elsewhere in ("//evil.example/", "https://evil.example/", "/\\evil.example"):
        back = site.get("/language/en", params={"back": elsewhere})
        assert back.headers["location"] == "/", elsewhere


# --- who may ask -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:8077"}, 403),
        ({"Host": "localhost@evil.example"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "[::1"}, 403),
        ({"Host": "LOCALHOST:80"}, 200),
        ({"Host": "[::1]:8077"}, 200),
    ],
)
def test_only_names_of_this_machine_are_answered(
    site: Site, headers: dict[str, str], status: int
) -> None:
    for path in ("/", "/health", "/static/style.css", "/api/search"):
        assert site.get(path, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_no_other_site_can_ask_in_our_name(
    site: Site, headers: dict[str, str], status: int
) -> None:
    sql = {"query": "SELECT 1 AS one"}
    assert site.post("/sql", data=sql, headers=headers).status_code == status
    assert site.post("/api/sql", json=sql, headers=headers).status_code == status


def test_same_origin_form_is_answered(site: Site) -> None:
    headers = {"Origin": site.address}
    assert site.post("/sql", data={"query": "SELECT 1"}, headers=headers).status_code == 200


def test_too_much_is_refused(site: Site) -> None:
    assert site.post("/sql", data={"query": "x" * 2_000_000}).status_code == 413
    many = "&".join(f"a{n}=1" for n in range(100))
    assert site.post("/sql", content=many).status_code == 400
    assert site.post("/sql", data={"query": "SELECT '" + "x" * 200_000 + "'"}).status_code == 400


def test_elsewhere_needs_a_token(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/warraq.db"
    fill(database)
    with serving(database, "--host", "127.0.0.2") as printed:
        address, _, token = printed.partition("/?token=")
        assert len(token) >= 32
        with httpx.Client(base_url=address, timeout=BOUND) as visitor:
            for path in ("/", "/articles/1", "/api/search", "/sql", "/nothing"):
                for refused in (path, f"{path}?token=wrong", f"{path}?token=é"):
                    answer = visitor.get(refused)
                    assert answer.status_code == 401 and "حريق" not in answer.text
            for wrong in ("Bearer x", "Basic " + token, token, "Bearer " + token[:-1]):
                assert visitor.get("/", headers={"Authorization": wrong}).status_code == 401
            assert visitor.get("/", headers={"Cookie": f"warraq={token}"}).status_code == 401
            assert visitor.post("/api/sql", json={"query": "SELECT 1"}).status_code == 401
            assert visitor.get("/health").json() == {"status": "ok"}
            bearer = {"Authorization": f"Bearer {token}"}
            assert visitor.get("/api/articles/1", headers=bearer).status_code == 200
            assert visitor.get("/", headers=bearer).cookies == {}

            first = visitor.get("/?q=حريق&token=" + token)
            assert first.status_code == 303
            assert first.headers["location"].startswith("/?q=") and token not in str(first.headers)
            for part in ("HttpOnly", "SameSite=Strict", "Path=/"):
                assert part in first.headers["set-cookie"]
            assert visitor.get(first.headers["location"]).status_code == 200  # by the cookie
            away = httpx.get(f"{address}//evil.example/?token={token}")
            assert away.headers["location"] == "/evil.example/"


def test_wrong_settings_are_told(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/warraq.db"
    assert run_warraq(["db", "upgrade", "--db", database]).returncode == 0
    for options, code, said in (
        (["--token", "short"], 2, b"16 characters"),
        (["--host", "192.0.2.1"], 3, b"--port"),
        (["--db", "sqlite:///nowhere/none.db"], 3, b"warraq replay"),
    ):
        done = run_warraq(["serve", "--port", "0", "--db", database, *options])
        assert done.returncode == code and said in done.stderr, done.stderr.decode()


def test_taken_port_is_told(site: Site) -> None:
    port = site.address.rpartition(":")[2]
    done = run_warraq(["serve", "--port", port, "--db", site.database])
    assert done.returncode == 3 and b"--port" in done.stderr


# --- SQL -------------------------------------------------------------------------------------


def test_sql_page_gives_tables_and_files(site: Site) -> None:
    query = "SELECT id, title, '=1+1' AS formula, -5 AS n, NULL AS blank FROM articles WHERE id = 1"
    page = tree_of(site.post("/sql", data={"query": query}).text)
    cells = [cell.text_content() for cell in page.xpath("//table[@class='answer']//td")]
    assert cells == ["1", "السيطرة على حريق مستودع الكتب", "=1+1", "-5", "NULL"]
    assert page.xpath("//textarea")[0].text_content().strip() == query
    schema = page.xpath("//aside[@class='schema']")[0].text_content()
    assert "headline; NULL if the page has none" in " ".join(schema.split())

    as_csv = site.post("/sql", data={"query": query, "form": "csv"})
    assert as_csv.headers["content-disposition"] == 'attachment; filename="answer.csv"'
    told = list(csv.DictReader(io.StringIO(as_csv.text)))
    # a spreadsheet must not take a text for a formula; a number stays one
    assert (told[0]["formula"], told[0]["n"]) == ("'=1+1", "-5")
    as_json = site.post("/sql", data={"query": query, "form": "json"}).json()
    assert as_json["rows"] == [[1, "السيطرة على حريق مستودع الكتب", "=1+1", -5, None]]


def test_long_answers_are_cut_and_say_so(site: Site) -> None:
    numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {}) "
    query = numbers.format(100_500) + "SELECT x FROM n"
    page = text_of(site.post("/sql", data={"query": query}).text)
    assert "هناك صفوف أخرى" in page and "عدد الصفوف: 200" in page
    told = site.post("/api/sql", json={"query": query, "limit": 3}).json()
    assert told == {"columns": ["x"], "rows": [[1], [2], [3]], "cut": True}
    file = site.post("/sql", data={"query": query, "form": "csv"})
    assert "first-100000-rows" in file.headers["content-disposition"]
    assert len(file.text.splitlines()) == 100_001


@pytest.mark.parametrize(
    "query",
    [
        "",
        "DELETE FROM articles",
        "COMMIT; DELETE FROM articles",
        "WITH gone AS (DELETE FROM articles RETURNING id) SELECT * FROM gone",
        "ATTACH DATABASE '{folder}/new.db' AS other",
        "COPY (SELECT 1) TO PROGRAM 'touch {folder}/new.txt'",
        "SELECT pg_read_file('/etc/passwd'), readfile('/etc/passwd')",
        f'SELECT nothing AS "{SCRIPT}" FROM nowhere',
        "SELECT '\x00'",
    ],
)
def test_sql_page_only_reads(site: Site, tmp_path: Path, query: str) -> None:
    answer = site.post("/sql", data={"query": query.format(folder=tmp_path)})
    assert answer.status_code == 400
    check_markup(answer.text)
    assert not list(tmp_path.iterdir())
    assert len(site.get("/api/sources").json()) == 6


def test_text_that_no_database_holds_is_refused(site: Site) -> None:
    body = b'{"query": "SELECT \'\\ud800\'"}'
    headers = {"Content-Type": "application/json"}
    assert site.post("/api/sql", content=body, headers=headers).status_code in (400, 422)


#: A SELECT that takes its rights back within the one statement that it is.
ESCAPES = [
    "SELECT set_config('role', 'none', true), "
    "query_to_xml('SELECT pg_read_file(''/etc/passwd'')', true, true, '')",
    "SELECT set_config('session_authorization', 'postgres', true), "
    "query_to_xml('SELECT pg_read_file(''/etc/passwd'')', true, true, '')",
    "SELECT set_config('role', 'none', true), "
    "ts_stat('SELECT to_tsvector(pg_read_file(''/etc/passwd''))')",
]


@pytest.mark.postgres
@pytest.mark.parametrize("query", ESCAPES)
def test_no_select_steps_out_of_postgresql(postgres: str, query: str) -> None:
    with reader(postgres) as user:
        name = make_url(postgres).set(username=user).render_as_string(hide_password=False)
        with pytest.raises(QueryError, match="permission denied"):
            ask(name, query, "json", Limits())
    # a superuser could: so he is not let in at all
    with pytest.raises(DatabaseError, match="CREATE ROLE"):
        ask(postgres, query, "json", Limits())


NUMBERS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
HOGS = {
    "sqlite": [
        NUMBERS + "SELECT count(*) FROM n",
        NUMBERS + "SELECT group_concat(x) FROM n",
        NUMBERS + "SELECT x, hex(randomblob(2000)) AS h FROM n ORDER BY h",
        "SELECT zeroblob(1000000000)",
        "SELECT hex(randomblob(300000000))",
        "SELECT replace(hex(zeroblob(1000000)), '0', 'aaaa') LIKE '%" + "a%" * 2000 + "b'",
        NUMBERS + "SELECT * FROM n",
    ],
    "postgresql": [
        NUMBERS + "SELECT count(*) FROM n",
        "SELECT string_agg(x::text, ',') FROM generate_series(1, 1000000000) x",
        "SELECT repeat('x', 1000000000)",
        "SELECT x, repeat('x', 100000) FROM generate_series(1, 1000000000) x ORDER BY 2",
        "SELECT pg_sleep(1000)",
        "SELECT set_config('statement_timeout', '0', false), NULL UNION ALL "
        "SELECT x::text, pg_sleep(5)::text FROM generate_series(1, 100) x",
        "SELECT x FROM generate_series(1, 1000000000) x",
    ],
}


def test_no_query_runs_for_ever_or_fills_memory(site: Site) -> None:
    limits = Limits(seconds=0.5, rows=200, size=1_000_000)
    here = psutil.Process()
    largest, ended = 0, threading.Event()

    def watch() -> None:
        nonlocal largest
        while not ended.wait(0.02):
            for child in here.children():
                try:
                    if "pipelines.db.ask" in child.cmdline():
                        largest = max(largest, child.memory_info().rss)
                except psutil.Error:
                    pass

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for query in HOGS[make_url(site.database).get_backend_name()]:
            began = time.monotonic()
            try:
                answer = ask(site.sql, query, "json", limits)
                assert len(json.dumps(answer.parsed())) < 2_000_000
            except QueryError:
                pass
            assert time.monotonic() - began < limits.seconds + 5, query
    finally:
        ended.set()
        watcher.join()
    assert 0 < largest < 600_000_000
    assert not [c for c in here.children() if "pipelines.db.ask" in c.cmdline()]


def test_process_that_does_not_look_at_the_clock_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = f"sqlite:///{tmp_path}/warraq.db"
    assert run_warraq(["db", "upgrade", "--db", database]).returncode == 0
    # nothing of ours is replaced: the process is stopped from outside, as a long call would hold it
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def start(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        process = real(*arguments, **options)
        started.append(process)
        psutil.Process(process.pid).suspend()
        return process

    monkeypatch.setattr(subprocess, "Popen", start)
    began = time.monotonic()
    with pytest.raises(QueryError, match="stopped after"):
        ask(database, "SELECT 1", "json", Limits(seconds=0.5))
    assert time.monotonic() - began < 10
    assert started[0].poll() is not None


def test_server_without_sql(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/warraq.db"
    fill(database)
    with serving(database, "--no-sql") as address:
        assert httpx.post(f"{address}/sql", data={"query": "SELECT 1"}).status_code == 403
        assert httpx.post(f"{address}/api/sql", json={"query": "SELECT 1"}).status_code == 403
        assert "مغلقة" in httpx.get(f"{address}/sql").text


def test_server_lives_through_a_database_that_goes(site: Site) -> None:
    if site.database.startswith("sqlite"):
        pytest.skip("a file does not go away")
    import psycopg

    name = make_url(site.database).database
    with psycopg.connect(site.database.rpartition("/")[0] + "/postgres", autocommit=True) as server:
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
    assert site.get("/articles/1").status_code == 200


# --- JSON ------------------------------------------------------------------------------------


def test_api_keeps_its_openapi_promises(site: Site, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            Path(sys.executable).parent / "schemathesis",
            *("run", f"{site.address}/api/openapi.json", "--max-examples", "5"),
            *("--phases", "examples,coverage,fuzzing", "--max-response-time", str(BOUND)),
            # no schema tells which texts are SQL or a search
            *("--exclude-checks", "positive_data_acceptance"),
            *("--seed", "1", "--generation-database", "none", "--no-color", "--max-failures", "5"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert len(site.get("/api/search").json()["hits"]) == 6


def test_words_are_there_in_both_languages_and_used() -> None:
    told = tomllib.loads((WEB / "words.toml").read_text(encoding="utf-8"))
    templates = "".join(f.read_text("utf-8") for f in (WEB / "templates").glob("*.html"))
    asked = set(re.findall(r"\bt\.(\w+)", templates))
    for language in words.LANGUAGES:
        assert all(said.get(language) for said in told.values())
        assert asked <= set(words.words(language)), asked - set(words.words(language))
    spoken = set(re.findall(r"[\w]+", templates + (WEB / "app.py").read_text("utf-8")))
    families = ("method_", "precision_", "role_", "error_", "verdict_", "exact", "near", "contains")
    unused = {key for key in told if key not in spoken and not key.startswith(families)}
    assert not unused


def test_page_asks_nobody_else() -> None:
    for file in [*(WEB / "static").iterdir(), *(WEB / "templates").iterdir()]:
        said = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in said and "https:" not in said and "@import" not in said, file


@pytest.mark.parametrize(
    ("minutes", "arabic", "english"),
    [
        (0, "0 دقيقة", "0 minutes"),
        (1, "دقيقة", "1 minute"),
        (62, "ساعة ودقيقتان", "1 hour 2 minutes"),
        (445, "7 ساعات و25 دقيقة", "7 hours 25 minutes"),
        (1440 * 11 + 120, "11 يوما وساعتان", "11 days 2 hours"),
    ],
)
def test_spans_are_counted_as_people_do(minutes: int, arabic: str, english: str) -> None:
    assert words.span(minutes, "ar") == arabic
    assert words.span(minutes, "en") == english
