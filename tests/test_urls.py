"""One page has one URL, whatever form of it was fetched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.urls import canonical_url, url_key

PAGE = "https://www.sahifa.example/news/2024/05/7781"


@pytest.mark.parametrize(
    "form",
    [
        PAGE,
        "http://sahifa.example/news/2024/05/7781/",
        "https://m.sahifa.example/news/2024/05/7781",
        "https://mobile.sahifa.example/news/2024/05/7781",
        "https://amp.sahifa.example/news/2024/05/7781",
        "https://www.sahifa.example/amp/news/2024/05/7781",
        "https://www.sahifa.example/news/2024/05/7781/amp/",
        "https://www.sahifa.example/news/2024/05/7781?amp=1",
        "https://www.sahifa.example/news/2024/05/7781?outputType=amp&utm_source=rss",
        "https://www.sahifa.example/news/2024/05/7781?fbclid=abc&ref=home#comments",
        "https://WWW.Sahifa.Example:443/news/2024/05/7781",
    ],
)
def test_forms_of_one_page_share_a_key(form: str) -> None:
    assert url_key(str(canonical_url([], form))) == url_key(PAGE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://a.example/news?id=5", "https://a.example/news?id=6"),
        (
            "https://a.example/modules.php?name=News&sid=5",
            "https://a.example/modules.php?name=News&sid=6",
        ),
        ("https://a.example/article.php?m=12", "https://a.example/article.php?m=13"),
        ("https://ar.a.example/n/1", "https://en.a.example/n/1"),
        ("https://a.example/n/1", "https://b.example/n/1"),
        ("https://a.example/ampere", "https://a.example/ere"),
        ("https://m.example/n/1", "https://example/n/1"),
    ],
)
def test_other_pages_keep_their_keys(one: str, other: str) -> None:
    assert url_key(one) != url_key(other)


def test_arabic_paths_are_equal_encoded_or_not() -> None:
    plain = "https://a.example/خبر/عاجل"
    assert url_key(plain) == url_key(
        "https://a.example/%D8%AE%D8%A8%D8%B1/%d8%b9%d8%a7%d8%ac%d9%84"
    )


@pytest.mark.parametrize(
    ("stated", "fetched", "chosen"),
    [
        (["/n/7"], "https://a.example/x?utm_source=b", "https://a.example/n/7"),
        (["https://www.a.example/n/7"], "https://m.a.example/n/7", "https://www.a.example/n/7"),
        (["https://a.example/"], "https://a.example/n/7", "https://a.example/n/7"),
        (["https://b.example/n/7"], "https://a.example/n/7", "https://a.example/n/7"),
        (["javascript:alert(1)", "https://a.example/n/8"], None, "https://a.example/n/8"),
        (["http://[::1"], "https://a.example/n/7", "https://a.example/n/7"),
        ([], None, None),
        (["/n/7"], None, None),
    ],
)
def test_choice(stated: list[str], fetched: str | None, chosen: str | None) -> None:
    assert canonical_url(stated, fetched) == chosen


@given(st.text(max_size=80), st.text(max_size=80))
def test_noise_never_raises(stated: str, fetched: str) -> None:
    canonical_url([stated, f"https://{stated}"], f"https://{fetched}")
    url_key(f"https://{stated}")
