"""The web page in a real browser: what people see and do there, and what it asks of the network.

Runs where Debian's Chromium is; WARRAQ_REQUIRE_CHROMIUM makes its absence a failure.
WARRAQ_SHOTS=FOLDER keeps a picture of each page to look at.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.faulty import until
from tests.serving import SAVED, SCRIPT, fill, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@contextmanager
def chromium() -> Iterator["Browser"]:
    """Debian's Chromium; skips where there is none, fails where one is required."""
    found = shutil.which("chromium")
    if found is None and os.environ.get("WARRAQ_REQUIRE_CHROMIUM"):
        pytest.fail("Chromium is required here and not installed")
    if found is None:
        pytest.skip("no Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def address(browser: "Browser", tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    database = f"sqlite:///{tmp_path_factory.mktemp('browser')}/warraq.db"
    fill(database)
    with serving(database) as found:
        yield found


Open = Callable[..., "Page"]


@pytest.fixture
def visit(browser: "Browser", address: str) -> Iterator[Open]:
    """Opens a path in a new window. Afterwards: no error in the console, no request elsewhere."""
    opened: list[Any] = []
    told: list[str] = []
    asked: list[str] = []

    def open_page(path: str, **options: Any) -> "Page":
        context = browser.new_context(**{"locale": "ar", **options})
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda dialog: told.append(f"dialog {dialog.message}"))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address + path)
        return page

    yield open_page
    for context in opened:
        context.close()
    assert told == []
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(address).netloc}


def keep(page: "Page", name: str) -> None:
    """A picture for people to look at, and no page wider than its window."""
    wider = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wider <= 0, f"{name} is {wider} pixels too wide"
    if folder := os.environ.get("WARRAQ_SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def brightness(page: "Page", selector: str) -> float:
    """Of an element's background, 0 to 255."""
    colour = page.eval_on_selector(selector, "e => getComputedStyle(e).backgroundColor")
    numbers = [float(n) for n in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    return sum(numbers) / 3


def test_search_with_the_keyboard_alone(visit: Open) -> None:
    page = visit("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    # It slides in. Asked from here: the page's policy lets nothing evaluate text within it.
    until(lambda: page.eval_on_selector(".skip", "e => e.getBoundingClientRect().top") >= 0)
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    outline = page.eval_on_selector("#q", "e => getComputedStyle(e).outlineStyle")
    assert outline != "none"
    page.keyboard.type("حريق")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=*")
    assert page.locator("ol.hits > li").count() == 3
    assert page.locator("mark").count() >= 3
    # read from the right: headlines begin where the column ends
    column = page.locator("ol.hits").bounding_box()
    title = page.locator("ol.hits h2 a").first.bounding_box()
    assert column and title
    assert abs(column["x"] + column["width"] - title["x"] - title["width"]) < 3
    keep(page, "search")


def test_article_reads_from_the_right_with_its_evidence(visit: Open) -> None:
    page = visit("/articles/1")
    assert page.eval_on_selector(".body", "e => getComputedStyle(e).direction") == "rtl"
    assert page.get_by_text("البث المباشر").is_visible()
    assert page.get_by_text("لماذا هذا التاريخ؟").is_visible()
    keep(page, "article")
    page.get_by_role("link", name="النسخة 1").click()
    assert SAVED in page.locator("ins").all_inner_texts()[-1]
    keep(page, "versions")


def test_story_and_the_way_through_the_site(visit: Open) -> None:
    page = visit("/stories")
    page.locator("ol.hits a").first.click()
    assert page.locator(".timeline li").count() == 3
    keep(page, "story")
    page.locator(".timeline a", has_text="قارن").first.click()
    assert page.locator(".diff del, .diff ins").count() >= 1


def test_language_is_switched_and_kept(visit: Open) -> None:
    page = visit("/?q=حريق")
    page.get_by_role("link", name="English").click()
    root = page.locator("html")
    assert (root.get_attribute("lang"), root.get_attribute("dir")) == ("en", "ltr")
    assert page.locator("#q").input_value() == "حريق"
    page.get_by_role("link", name="Stories").click()
    assert root.get_attribute("lang") == "en"
    page.goto(page.url.replace("/stories", "/articles/1"))
    assert page.locator(".body").get_attribute("dir") == "rtl"
    keep(page, "english")


def test_hostile_article_runs_nothing(visit: Open) -> None:
    page = visit("/articles/4")
    assert SCRIPT in page.locator("h1").inner_text()
    assert page.locator("a[href^='javascript']").count() == 0
    keep(page, "hostile")


def test_sql_is_run_and_downloaded(visit: Open) -> None:
    page = visit("/sql")
    page.fill("#query", "SELECT id, title FROM articles ORDER BY id LIMIT 2")
    page.locator("#query").press("Control+Enter")
    page.wait_for_selector("table.answer")
    assert page.locator("table.answer tbody tr").count() == 2
    keep(page, "sql")
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert download.value.suggested_filename == "answer.csv"
    assert Path(download.value.path()).read_text("utf-8").startswith("id,title\n1,")


@pytest.mark.parametrize("path", ["/", "/articles/1", "/stories/1", "/sources", "/sql"])
def test_phone_shows_all_without_scrolling_sideways(visit: Open, path: str) -> None:
    page = visit(path, viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    keep(page, f"phone{path.replace('/', '-')}")
    for link in page.locator(".top nav a").all():
        box = link.bounding_box()
        assert box and box["height"] >= 24 and 0 <= box["x"] <= 360


def test_dark_and_print(visit: Open) -> None:
    page = visit("/articles/1", color_scheme="dark")
    assert brightness(page, "html") < 60
    keep(page, "dark")
    page.emulate_media(media="print")
    assert brightness(page, "html") == 255
    assert not page.locator(".top nav").is_visible()
    assert page.locator(".body").is_visible()
    keep(page, "print")
    assert visit("/articles/1", color_scheme="light").locator(".body").is_visible()
