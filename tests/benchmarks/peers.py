"""Runs one other extractor over a list of pages; in an environment that has them.

`python tests/benchmarks/peers.py TOOL PAGES OUT SECONDS`: PAGES is a JSON file of [path, url]
pairs, OUT gets a JSON line a page (path, title, text, published_at), flushed at once so that a
tool that is stopped loses only what it did not finish. Every tool is used as its documentation
tells for a page that is at hand, with the pages' own language where it takes one; none may fetch.
Imports nothing of the project.
"""

import importlib.metadata
import json
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

Found = dict[str, Any]


def _trafilatura(body: bytes, url: str | None) -> Found:
    from trafilatura import bare_extraction

    found: Any = bare_extraction(body, url=url, with_metadata=True, include_comments=False)
    return {"title": found.title, "text": found.text, "published_at": found.date}


def _readability(body: bytes, url: str | None) -> Found:
    from lxml import html
    from readability import Document

    document = Document(_text(body))
    tree = html.fromstring(document.summary(html_partial=True))
    for element in tree.iter("p", "br", "div", "li", "h1", "h2", "h3", "h4", "tr", "blockquote"):
        element.tail = "\n" + (element.tail or "")
    return {"title": document.short_title(), "text": "".join(map(str, tree.itertext()))}


def _newspaper4k(body: bytes, url: str | None) -> Found:
    from newspaper import Article

    article = Article(url or "https://page.example/a", fetch_images=False)
    article.download(input_html=_text(body))
    article.parse()
    return {"title": article.title, "text": article.text, "published_at": article.publish_date}


def _news_please(body: bytes, url: str | None) -> Found:
    from newsplease import NewsPlease

    article = NewsPlease.from_html(_text(body), url=url or "https://page.example/a")
    return {"title": article.title, "text": article.maintext, "published_at": article.date_publish}


def _goose3(body: bytes, url: str | None) -> Found:
    from goose3 import Goose

    with Goose({"use_meta_language": True, "enable_image_fetching": False}) as goose:
        article = goose.extract(raw_html=_text(body))
    when = article.publish_datetime_utc or article.publish_date
    return {"title": article.title, "text": article.cleaned_text, "published_at": when}


#: Name of the distribution -> its use.
TOOLS: dict[str, Callable[[bytes, str | None], Found]] = {
    "trafilatura": _trafilatura,
    "newspaper4k": _newspaper4k,
    "news-please": _news_please,
    "goose3": _goose3,
    "readability-lxml": _readability,
}


def _text(body: bytes) -> str:
    """Most take text only: trafilatura's decoder serves them all alike."""
    from trafilatura.utils import decode_file

    return str(decode_file(body))


def _stop(number: int, frame: FrameType | None) -> None:
    raise TimeoutError("took too long")


def _offline(*_: object, **__: object) -> None:
    raise OSError("a tool under measurement may not use the network")


def main() -> None:
    # Some fetch lists of domains or images unasked, and wait long where there is no network.
    for owner, name in ((socket, "getaddrinfo"), (socket.socket, "connect")):
        setattr(owner, name, _offline)
    tool, pages, out, seconds = sys.argv[1:]
    run = TOOLS[tool]
    print(importlib.metadata.version(tool), flush=True)
    signal.signal(signal.SIGALRM, _stop)
    with Path(out).open("w", encoding="utf-8") as file:
        for path, url in json.loads(Path(pages).read_text(encoding="utf-8")):
            signal.setitimer(signal.ITIMER_REAL, float(seconds))
            try:
                found = run(Path(path).read_bytes(), url)
                # published_at: a datetime or text, ISO 8601 either way
                when: Any = found.get("published_at")
                found["published_at"] = when.isoformat() if hasattr(when, "isoformat") else when
            except Exception as error:  # whatever a tool raises, the page counts as not found
                found = {"error": f"{type(error).__name__}: {error}"[:200]}
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            file.write(json.dumps({"path": path, **found}, ensure_ascii=False, default=str) + "\n")
            file.flush()


if __name__ == "__main__":
    main()
