"""How well and how fast search finds, on both databases.

    python -m tests.benchmarks.search quality --count 10000
    python -m tests.benchmarks.search speed --count 1000000

`quality`: documents whose mentions are known because they were put there: words under clitics and
in several spellings, names in their variants, and look-alikes that must not be found. Beside
Warraq's search: FTS5 on the text as it is, FTS5's trigrams, PostgreSQL's configuration `arabic`,
each asked in the way that suits it. `speed`: articles of generated words are written straight into
the tables; each question is asked three times and its shortest time counts. Beside it stands the
time that processors spent on it, PostgreSQL's server included: what it takes on an idle machine.
"""

import argparse
import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine, text

from crawler.show import print_table, say
from pipelines.arabic import SEARCH_KEY_VERSION, match_key, search_key
from pipelines.db import schema, search_index
from pipelines.db.engine import open_engine, read, write
from pipelines.db.search import Query, Sort, article_ids, search
from pipelines.search_words import Indexed, facts_column, vector
from tests.benchmarks.pages import LETTERS

POSTGRES = os.environ.get("WARRAQ_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
DAY = datetime(2019, 1, 1, tzinfo=UTC)
DAYS = 5 * 365


# --- documents whose mentions are known --------------------------------------------------------

#: A word as it is asked for, and how texts write it. Clitics are added to those in the first list.
WORDS: list[tuple[str, list[str], list[str]]] = [
    # (question, words that take clitics, other mentions)
    ("حكومة", ["حكومة", "حكومه"], ["الحُكومةُ", "الحكـــومة"]),
    ("الرئاسة", ["رئاسة", "رئاسه"], ["الرئاسةِ"]),
    ("مسؤول", ["مسؤول", "مسئول"], ["المسؤولُ"]),
    ("شؤون", ["شؤون", "شئون"], ["شُؤون"]),
    ("إعلان", ["إعلان", "اعلان"], ["الإعلانِ"]),
    ("أسعار", ["أسعار", "اسعار"], ["الأسعارُ"]),
    ("مستشفى", ["مستشفى", "مستشفي"], []),
    ("ملتقى", ["ملتقى", "ملتقي"], []),
    ("مدرسة", ["مدرسة", "مدرسه"], ["المدرسةُ"]),
    ("السبل", ["سبل"], ["السُّبُلُ", "السُبُل"]),
    ("لجنة", ["لجنة", "لجنه"], ["اللَّجنة"]),
    ("وزير", ["وزير"], ["الوزيرُ"]),
    ("لبنان", ["لبنان"], ["لبنانَ"]),
    ("فلسطين", ["فلسطين"], []),
    ("بغداد", ["بغداد"], []),
    ("كمال", ["كمال"], []),
    ("بحر", ["بحر"], ["البحرُ"]),
    ("وطن", ["وطن"], ["الوطنُ"]),
    ("والبلدية", ["بلدية", "بلديه"], []),
    ("للجمعية", ["جمعية", "جمعيه"], []),
    ("بالمحافظة", ["محافظة", "محافظه"], []),
    ("زراعة", ["زراعة"], ["الزِّراعة"]),
    ("صادرات", ["صادرات"], []),
    ("تضخم", ["تضخم"], ["التضخّم"]),
    ("مناخ", ["مناخ"], []),
    ("جفاف", ["جفاف"], []),
    ("محادثات", ["محادثات"], []),
    ("معرض", ["معرض"], []),
    ("علماء", ["علماء"], ["العلماءُ"]),
    ("علي", ["علي"], []),
    ("على", [], ["على", "وعلى", "فعلى"]),
    ("2024", [], ["2024", "٢٠٢٤", "۲۰۲۴"]),
    ("١٩٧٣", [], ["1973", "١٩٧٣"]),
    ("BBC", [], ["BBC", "bbc", "الـBBC", "لـBBC"]),
    ("Müller", [], ["Müller", "Muller", "MÜLLER"]),
    ("يعلن", [], ["يعلن", "ويعلن", "سيعلن", "وسيعلن", "فسيعلن", "ليعلن"]),
    ("تستأنف", [], ["تستأنف", "تستانف", "ستستأنف", "وستستأنف"]),
    ("جاؤوا", [], ["جاؤوا", "جاءوا", "وجاؤوا", "فجاءوا"]),
    ("جنة", [], ["جنة", "الجنة", "والجنة", "بالجنة", "بجنة", "الجنّة", "فالجنة"]),
    ("طن", [], ["طن", "الطن", "بالطن", "والطن", "لطن", "للطن"]),
    ("جود", [], ["جود", "الجود", "بالجود", "للجود", "بجود"]),
    ("ريم", [], ["ريم", "وريم", "لريم", "بريم"]),
    ("مال", [], ["مال", "المال", "بالمال", "والمال", "للمال", "بمال"]),
    ("سام", [], ["سام", "العم سام"]),
    ("زير", [], ["زير", "الزير", "والزير", "بالزير"]),
    ("بنان", [], ["بنان", "وبنان"]),
    ("حر", [], ["حر", "الحر", "والحر"]),
    ("مانيا", [], ["مانيا"]),
    ("رق", [], ["الرق", "بالرق"]),
    ("يان", [], ["يان"]),
    ('"مجلس الشيوخ"', [], ["مجلس الشيوخ", "لمجلس الشيوخ", "ومجلس الشيوخ", "بمجلس الشيوخ"]),
    ('"البنك المركزي"', [], ["البنك المركزي", "للبنك المركزي", "والبنك المركزى"]),
    ('"رد الفعل"', [], ["رد الفعل", "ورد الفعل", "بردّ الفعل"]),
    ("قره باغ", [], ["قره باغ", "قرة باغ", "كاراباخ", "بكاراباخ", "ناغورنو كاراباخ", "قراباغ"]),
    ("كاراباغ", [], []),
    ("نتنياهو", [], ["نتنياهو", "نتانياهو", "ونتنياهو", "لنتانياهو"]),
    ("غوتيريش", [], ["غوتيريش", "جوتيريش", "غوتيريس", "وغوتيريش"]),
    ("هونج كونج", [], ["هونغ كونغ", "هونج كونج", "بهونغ كونغ"]),
    ("جوجل", [], ["غوغل", "جوجل", "قوقل", "Google", "وغوغل"]),
    ("ترمب", [], ["ترامب", "ترمب", "وترامب"]),
    ("أردوغان", [], ["أردوغان", "اردوغان", "إردوغان", "أوردوغان", "بأردوغان"]),
    ("إنستغرام", [], ["إنستغرام", "انستجرام", "عبر إنستقرام"]),
    ("تيليغرام", [], ["تلغرام", "تيليغرام", "تليجرام"]),
]
#: Words that no question means: they hold a question's letters, or differ from it by one.
LOOK_ALIKES = """
محكمة حكيم حكم رئيس سؤال مسألة شأن عنوان علن سعر مشفى مستشار لقاء مدرس تدريس سبيل لجوء لجان
وزراء ولبن بنون ابن فلس بعد كامل بحيرة باحر موطن مواطن بطن قطن فطنة بلاد جمع محفظة زرع صدر
ضخم مناخر جفن حديث عرض عالم علما علا عليه 2042 1937 BBQ علنا أستاذ استئناف جاء وجود كريم
كرام مالك عمال شمال وسام حسام وزارة لبناني الماني ألمانيا حرب حار بحار ورق فرق برق شريان
بيان كيان غزال نتن كوكب ترميم أردني غرام سبب سبق مجلة بنك رده الشيوع المركز فعل جنون لسان
""".split()
_FILLER = """
قال أمس خلال بعض مدينة شارع صباح مساء طويل قصير جديد قديم كبيرة صغيرة أخبار تقرير اجتماع
نقاش خطة مشروع طريق جسر مطار قطار ميناء سفينة شاحنة عامل مهندس طبيب معلم طالب جامعة كلية
مكتبة كتب ورقة قلم صورة فيلم مسرح أغنية لحن شاعر قصيدة رواية ناشر نسخة موسم شتاء صيف ربيع
خريف مطر ثلج غيم شمس قمر نجم سماء أرض جبل واد نهر بحيرات شجرة زهرة ثمرة قمح شعير زيتون تمر
عسل حليب خبز ملح سكر قهوة شاي ماء هواء نار حجر حديد نحاس ذهب فضة خشب زجاج قطعة ثوب قميص حذاء
سوق دكان تاجر ثمن ربح خسارة دين قرض مصرف عملة دينار درهم ألف مئة عشرون ثلاثون أربعة خمسة ستة
سبعة ثمانية تسعة أول آخر منذ حين قبل أثناء عندما حيث ذلك هذه التي الذي كان كانت يكون تكون
أصبح ظل مازال ليس غير سوى حول نحو فوق تحت أمام خلف يمين يسار شرق غرب جنوب داخل خارج
""".split()

_CLITICS = ["", "ال", "و", "وال", "ب", "بال", "ل", "لل", "ك", "كال", "ف", "فال", "وب", "وبال", "ول"]
_CLITICS += ["ولل", "فلل", "فبال", "وك", "وكال"]


def forms(words: list[str]) -> list[str]:
    """A word under clitics, as it is written: للجنة, not لللجنة."""
    written = []
    for word in words:
        for clitics in _CLITICS:
            if clitics.endswith("لل") and word.startswith("ل"):
                clitics = clitics[:-1]
            written.append(clitics + word)
    return written


class Documents(NamedTuple):
    texts: list[tuple[str, str]]  # title and body
    mentions: dict[str, set[int]]  # question -> numbers of documents


def documents(count: int) -> Documents:
    """The same on every machine. Each document holds a few mentions and look-alikes."""
    rng = random.Random(7)
    plain = [w for w in _FILLER if _is_free(w)]
    written = {
        question: forms(words) + others for question, words, others in WORDS if words or others
    }
    alikes = [w for w in LOOK_ALIKES if _is_free(w)]
    mentions: dict[str, set[int]] = {question: set() for question, _, _ in WORDS}
    texts = []
    for number in range(count):
        words = rng.choices(plain, k=rng.randint(60, 160))
        for question in rng.sample(list(written), 3):
            words.insert(rng.randrange(len(words)), rng.choice(written[question]))
            mentions[question].add(number)
        for alike in rng.sample(alikes, 4):
            words.insert(rng.randrange(len(words)), rng.choice(["", "", "ال", "و"]) + alike)
        cut = rng.randint(4, 9)
        body = " ".join(
            word + rng.choice(["", "", "", "", "،", ".", "؛", "»"]) for word in words[cut:]
        )
        texts.append((" ".join(words[:cut]), body))
    mentions["كاراباغ"] = mentions["قره باغ"]
    return Documents(texts, _with_accidents(texts, mentions, written))


def _is_free(word: str) -> bool:
    """Whether a word is no mention of any question, by its letters alone."""
    key = match_key(word)
    taken = {match_key(form) for _, words, others in WORDS for form in (*forms(words), *others)}
    return not any(match_key(c + word) in taken for c in ("", "ال", "و", "وال")) and bool(key)


def _with_accidents(
    texts: list[tuple[str, str]], mentions: dict[str, set[int]], written: dict[str, list[str]]
) -> dict[str, set[int]]:
    """Mentions that came about by chance: a form of one question that is one of another too
    (ولبنان holds "and Banan" for nobody), compared word for word with marks and seats folded."""
    wanted: dict[str, set[str]] = {}
    for question, forms_of_it in written.items():
        for form in forms_of_it:
            wanted.setdefault(match_key(form), set()).add(question)
    singles = {key: questions for key, questions in wanted.items() if " " not in key}
    for number, (title, body) in enumerate(texts):
        for key in set(match_key(f"{title} {body}").split()) & singles.keys():
            for question in singles[key]:
                mentions[question].add(number)
    return mentions


@contextmanager
def databases(keep: Path | None) -> Iterator[dict[str, Engine]]:
    """An empty SQLite file and an empty PostgreSQL database, gone afterwards; the latter only
    where a server answers."""
    with tempfile.TemporaryDirectory(dir=keep) as folder:
        engines = {"SQLite": open_engine(f"sqlite:///{folder}/search.db", create=True)}
        name = f"warraq_bench_{os.getpid()}"
        server: Any = None
        try:
            import psycopg

            server = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=3)
            server.execute(f'CREATE DATABASE "{name}"')
            engines["PostgreSQL"] = open_engine(f"{POSTGRES.rsplit('/', 1)[0]}/{name}")
        except Exception as error:  # no server, no driver: the other database is measured
            say(f"without PostgreSQL: {' '.join(str(error).split())}")
        try:
            for engine in engines.values():
                schema.upgrade(engine)
            yield engines
        finally:
            for engine in engines.values():
                engine.dispose()
            if server is not None:
                server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
                server.close()


def article(number: int, title: str, body: str, rng: random.Random) -> dict[str, Any]:
    """A row of `articles`; what search does not look at is empty."""
    when = DAY + timedelta(seconds=rng.random() * DAYS * 86_400)
    return {
        "id": number,
        "source_id": rng.randint(1, 200),
        "identity": f"{number:064x}",
        "title": title,
        "text": body,
        "agency": rng.choice(["reuters", "afp", None, None, None, None]),
        "language": rng.choice(["ar"] * 9 + ["fa"]),
        "published_at": when,
        "published_on": when.date(),
        "published_iso": when.date().isoformat(),
        "published_precision": "day",
        "first_seen": when,
        "last_seen": when,
        "blocks": "[]",
        "tags": "[]",
        "published_conflicts": "[]",
        "date_candidates": "[]",
        "flags": "[]",
        "content_hash": f"{number:064x}",
        "raw_hash": "",
        "record_hash": "",
        "key_version": 1,
        "extractor": "none",
        "story_id": number,
    }


def write_sources(engine: Engine) -> None:
    with write(engine) as connection:
        connection.execute(
            text("INSERT INTO sources (id, key, ad_hoc) VALUES (:id, :key, true)"),
            [{"id": n, "key": f"source/{n}"} for n in range(1, 201)],
        )


# --- quality -----------------------------------------------------------------------------------


def quality(count: int) -> None:
    docs = documents(count)
    rng = random.Random(3)
    rows: list[tuple[Any, ...]] = []
    with databases(None) as engines:
        for name, engine in engines.items():
            write_sources(engine)
            articles = [article(n, *said, rng) for n, said in enumerate(docs.texts, 1)]
            columns = list(articles[0])
            marks = ", ".join(f":{column}" for column in columns)
            query = f"INSERT INTO articles ({', '.join(columns)}) VALUES ({marks})"
            with write(engine) as connection:
                for a in articles:
                    if name == "SQLite":
                        for column in ("published_at", "first_seen", "last_seen"):
                            a[column] = a[column].strftime("%Y-%m-%d %H:%M:%S.%f")
                        a["published_on"] = a["published_on"].isoformat()
                connection.execute(text(query), articles)
            search_index.rebuild(engine)
            found = {}
            with read(engine) as connection:
                for question in docs.mentions:
                    found[question] = {n - 1 for n in article_ids(connection, Query(text=question))}
            rows.append((f"warraq search, {name}", *_scores(docs, found, name == "SQLite")))
        rows += [(name, *_scores(docs, found)) for name, found in _others(docs, engines)]
    print_table(("index", "recall", "precision", "worst recall", "worst precision"), rows)


def _scores(
    docs: Documents, found: dict[str, set[int]], told: bool = False
) -> tuple[str, str, str, str]:
    """Over all questions: of all mentions, how many are found, and of what is found how much is
    one; and the worst question of each."""
    right = sum(len(found[q] & docs.mentions[q]) for q in docs.mentions)
    recall = right / sum(map(len, docs.mentions.values()))
    precision = right / max(1, sum(map(len, found.values())))
    by_recall = {q: len(found[q] & m) / max(1, len(m)) for q, m in docs.mentions.items()}
    by_precision = {
        q: len(found[q] & m) / len(found[q]) if found[q] else 1 for q, m in docs.mentions.items()
    }
    low = min(by_recall, key=lambda q: by_recall[q])
    wrong = min(by_precision, key=lambda q: by_precision[q])
    return (
        f"{recall:.3f}",
        f"{precision:.3f}",
        f"{by_recall[low]:.2f} {low}",
        f"{by_precision[wrong]:.2f} {wrong}",
    )


def _others(
    docs: Documents, engines: dict[str, Engine]
) -> Iterator[tuple[str, dict[str, set[int]]]]:
    raw = [f"{title}\n{body}" for title, body in docs.texts]
    keys = [search_key(said) for said in raw]
    yield "FTS5 unicode61, text as it is", _fts5(raw, "unicode61", docs, lambda q: q)
    yield "FTS5 unicode61, search keys", _fts5(keys, "unicode61", docs, search_key)
    yield "FTS5 trigram, search keys", _fts5(keys, "trigram", docs, search_key)
    if "PostgreSQL" not in engines:
        return
    found: dict[str, set[int]] = {}
    with write(engines["PostgreSQL"]) as connection:
        connection.execute(text("CREATE TABLE other (id integer, v tsvector)"))
        connection.execute(
            text("INSERT INTO other VALUES (:id, to_tsvector('arabic', :said))"),
            [{"id": n, "said": said} for n, said in enumerate(raw)],
        )
        for question in docs.mentions:
            reader = "phraseto_tsquery" if '"' in question else "plainto_tsquery"
            rows = connection.execute(
                text(f"SELECT id FROM other WHERE v @@ {reader}('arabic', :q)"), {"q": question}
            )
            found[question] = set(rows.scalars())
        connection.execute(text("DROP TABLE other"))
    yield "PostgreSQL 'arabic', text as it is", found


def _fts5(
    texts: list[str], tokenizer: str, docs: Documents, form: Callable[[str], str]
) -> dict[str, set[int]]:
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE VIRTUAL TABLE other USING fts5(said, tokenize='{tokenizer}')")
    connection.executemany("INSERT INTO other (rowid, said) VALUES (?, ?)", enumerate(texts))
    found: dict[str, set[int]] = {}
    for question in docs.mentions:
        words = form(question.strip('"')).split()
        match = f'"{" ".join(words)}"' if '"' in question else " ".join(f'"{w}"' for w in words)
        if tokenizer == "trigram" and any(len(word) < 3 for word in words):
            # Trigrams can't find shorter words: LIKE looks at every text instead.
            rows = connection.execute(
                "SELECT rowid FROM other WHERE said LIKE ?", (f"%{words[0]}%",)
            )
        else:
            rows = connection.execute("SELECT rowid FROM other WHERE other MATCH ?", (match,))
        found[question] = {number for (number,) in rows}
    connection.close()
    return found


# --- speed -------------------------------------------------------------------------------------


class Generated(NamedTuple):
    rows: Iterator[tuple[dict[str, Any], Indexed]]
    common: list[str]
    medium: list[str]
    rare: list[str]


def generated(count: int) -> Generated:
    """Articles of some 150 words, whose frequencies fall as those of a language do."""
    rng = random.Random(5)
    words = list(
        dict.fromkeys("".join(rng.choices(LETTERS, k=rng.randint(3, 8))) for _ in range(60_000))
    )
    # Added up once: `choices` would do it again for each sentence, for longer than all else takes.
    weights = list(accumulate(1 / (rank + 3) for rank in range(len(words))))
    sentences = [rng.choices(words, cum_weights=weights, k=15) for _ in range(30_000)]
    rare = ["".join(rng.choices(LETTERS, k=9)) for _ in range(200_000)]

    def rows() -> Iterator[tuple[dict[str, Any], Indexed]]:
        for number in range(1, count + 1):
            title = rng.choice(sentences)[:8]
            body = [word for _ in range(9) for word in rng.choice(sentences)]
            body += rng.choices(rare, k=6)
            row = article(number, " ".join(title), " ".join(body), rng)
            # Articles come as they are published, one late now and then.
            late = rng.random() * (40 if rng.random() < 0.05 else 1)
            day = max(0.0, DAYS * number / count - late)
            when = DAY + timedelta(days=day)
            row |= {"published_at": when, "first_seen": when, "last_seen": when}
            row |= {"published_on": when.date(), "published_iso": when.date().isoformat()}
            facts = search_index.facts_of(row)
            yield row, Indexed(title, [], body, facts)

    return Generated(rows(), words[:12], words[100:140], words[5000:5040] + rare[:20])


def columns(words: Indexed) -> tuple[str, str, str, str]:
    title, deck, body = (" ".join(part) for part in words[:3])
    return title, deck, body, facts_column(title, words.facts)


def fill_sqlite(engine: Engine, made: Generated) -> None:
    connection = sqlite3.connect(str(engine.url.database), isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -400000")
    portion: list[tuple[dict[str, Any], Indexed]] = []

    def stamp(moment: datetime) -> str:
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f")

    def flush() -> None:
        connection.execute("BEGIN")
        articles = []
        for row, _ in portion:
            told = dict(row)
            for name in ("published_at", "first_seen", "last_seen"):
                told[name] = stamp(told[name])
            told["published_on"] = told["published_on"].isoformat()
            articles.append(tuple(told.values()))
        names = ", ".join(portion[0][0])
        marks = ", ".join("?" * len(portion[0][0]))
        connection.executemany(f"INSERT INTO articles ({names}) VALUES ({marks})", articles)
        connection.executemany(
            "INSERT INTO search_entries (entry, article_id, dated_at, published_at, source_id,"
            " agency, language, key_version, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(r["id"], r["id"], stamp(r["published_at"]), stamp(r["published_at"])),
                    *(r["source_id"], r["agency"], r["language"], SEARCH_KEY_VERSION, r["id"]),
                )
                for r, _ in portion
            ],
        )
        connection.executemany(
            "INSERT INTO search_words (rowid, title, deck, body, facts) VALUES (?, ?, ?, ?, ?)",
            [(r["id"], *columns(words)) for r, words in portion],
        )
        connection.execute("COMMIT")
        portion.clear()

    for each in made.rows:
        portion.append(each)
        if len(portion) == 5000:
            flush()
            if each[0]["id"] % 100_000 == 0:
                say(f"SQLite: {each[0]['id']}")
    if portion:
        flush()
    connection.execute("ANALYZE")
    connection.close()


def fill_postgres(engine: Engine, made: Generated) -> None:
    import psycopg

    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP INDEX ix_search_entries_words")
        connection.execute("SET maintenance_work_mem = '512MB'")
        portion: list[tuple[dict[str, Any], Indexed]] = []

        def flush() -> None:
            with connection.transaction(), connection.cursor() as cursor:
                names = ", ".join(portion[0][0])
                with cursor.copy(f"COPY articles ({names}) FROM STDIN") as copy:
                    for row, _ in portion:
                        copy.write_row(tuple(row.values()))
                with cursor.copy(
                    "COPY search_entries (entry, article_id, dated_at, published_at, source_id,"
                    " agency, language, key_version, content, words) FROM STDIN"
                ) as copy:
                    for r, words in portion:
                        when = r["published_at"]
                        facts = (r["source_id"], r["agency"], r["language"], SEARCH_KEY_VERSION)
                        known = (r["id"], r["id"], when, when, *facts, r["id"])
                        copy.write_row((*known, vector(words)))
            portion.clear()

        for each in made.rows:
            portion.append(each)
            if len(portion) == 5000:
                flush()
                if each[0]["id"] % 100_000 == 0:
                    say(f"PostgreSQL: {each[0]['id']}")
        if portion:
            flush()
        say("PostgreSQL: the index")
        connection.execute(
            "CREATE INDEX ix_search_entries_words ON search_entries USING gin (words)"
        )
        connection.execute("VACUUM ANALYZE search_entries")
        connection.execute("ANALYZE articles")


def questions(made: Generated) -> dict[str, list[Query]]:
    common, medium, rare = made.common, made.medium, made.rare
    rng = random.Random(9)

    def two(first: list[str], second: list[str]) -> list[Query]:
        return [Query(f"{rng.choice(first)} {rng.choice(second)}") for _ in range(8)]

    some = medium[:8]
    march = (date(2021, 3, 1), date(2021, 3, 31))
    return {
        "a common word": [Query(word) for word in common],
        "a middling word": [Query(word) for word in medium[:12]],
        "a rare word": [Query(word) for word in rare[:12]],
        "two common words": two(common, common),
        "a common and a rare word": two(common, rare),
        "two middling words": two(medium, medium),
        "a phrase": [Query(f'"{a} {b}"') for a, b in zip(common, some, strict=False)],
        "one word or another": [Query(f"{a} OR {b}") for a, b in zip(some, rare, strict=False)],
        "a word, not another": [Query(f"{a} -{b}") for a, b in zip(some, common, strict=False)],
        "a beginning": [Query(f"{word[:4]}*") for word in some],
        "a name in its spellings": [Query("قره باغ"), Query("نتنياهو"), Query("غوغل")],
        "a source's": [Query(w, sources=(f"source/{n}",)) for n, w in enumerate(common, 1)],
        "an agency's, of a month": [Query(w, (), *march, ("afp",)) for w in common],
        "the newest": [Query(word, sort=Sort.NEWEST) for word in some],
        "the oldest": [Query(word, sort=Sort.OLDEST) for word in some],
        "one a story": [Query(word, one_a_story=True) for word in some],
        "no word at all": [Query(), Query(sources=("source/7",)), Query(languages=("fa",))],
    }


def speed(count: int, keep: Path | None) -> None:
    with databases(keep) as engines:
        times: dict[str, dict[str, list[tuple[float, float]]]] = {}
        for name, engine in engines.items():
            made = generated(count)
            began = time.monotonic()
            write_sources(engine)
            (fill_sqlite if name == "SQLite" else fill_postgres)(engine, made)
            say(f"{name}: {count} articles in {time.monotonic() - began:.0f} s; {_sizes(engine)}")
            times[name] = measured(engine, made)
    show(count, times)


def show(count: int, times: dict[str, dict[str, list[tuple[float, float]]]]) -> None:
    rows: list[tuple[Any, ...]] = []
    for kind in next(iter(times.values())):
        rows.append((kind, *(cell for name in times for cell in _told(times[name][kind]))))
    whole = {n: [t for kind in kinds.values() for t in kind] for n, kinds in times.items()}
    rows.append(("all", *(cell for name in times for cell in _told(whole[name]))))
    heads = [f"{name} {what}" for name in times for what in ("ms", "longest", "CPU ms")]
    print_table((f"medians of {count} articles", *heads), rows)


def measured(engine: Engine, made: Generated) -> dict[str, list[tuple[float, float]]]:
    """Kind of question -> what each takes: seconds by the clock, and seconds of processors."""
    times: dict[str, list[tuple[float, float]]] = {}
    for kind, asked in questions(made).items():
        for query in asked:
            spent = [_timed(engine, query) for _ in range(3)]
            best = (min(wall for wall, _ in spent), min(cpu for _, cpu in spent))
            times.setdefault(kind, []).append(best)
    return times


def _told(found: list[tuple[float, float]]) -> tuple[str, str, str]:
    walls, cpus = zip(*found, strict=True)
    middle = statistics.median
    return f"{middle(walls) * 1000:.1f}", f"{max(walls) * 1000:.0f}", f"{middle(cpus) * 1000:.1f}"


def _timed(engine: Engine, query: Query) -> tuple[float, float]:
    """Seconds by the clock, and seconds of processors."""
    with read(engine) as connection:
        server = None
        if engine.dialect.name == "postgresql":
            server = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        spent = time.process_time() + _processor_seconds(server)
        began = time.perf_counter()
        search(connection, query)
        wall = time.perf_counter() - began
        return wall, time.process_time() + _processor_seconds(server) - spent


def _processor_seconds(process: int | None) -> float:
    try:
        told = Path(f"/proc/{process}/schedstat").read_text(encoding="ascii") if process else "0"
    except OSError:  # another machine's, or no Linux
        return 0.0
    return int(told.split()[0]) / 1e9


def _sizes(engine: Engine) -> str:
    if engine.dialect.name == "postgresql":
        query = (
            "SELECT pg_relation_size('ix_search_entries_words'),"
            " pg_total_relation_size('search_entries'), pg_total_relation_size('articles')"
        )
    else:
        query = (
            "SELECT sum(pgsize) FILTER (WHERE name LIKE 'search_words%'),"
            " sum(pgsize) FILTER (WHERE name LIKE '%search%'),"
            " sum(pgsize) FILTER (WHERE name = 'articles') FROM dbstat"
        )
    try:
        with read(engine) as connection:
            words, index, articles = connection.execute(text(query)).one()
    except Exception as error:  # SQLite may be built without dbstat
        return str(error)[:60]
    return (
        f"words {words / 1e6:.0f} MB, index {index / 1e6:.0f} MB, articles {articles / 1e6:.0f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("what", choices=["quality", "speed"])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="where the SQLite file is made")
    given = parser.parse_args()
    if given.what == "quality":
        quality(given.count)
    else:
        speed(given.count, given.folder)


if __name__ == "__main__":
    main()
