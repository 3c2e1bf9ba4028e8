"""Source files: what is wrong in one is told by file, line and field."""

from pathlib import Path

import pytest

from pipelines.errors import SourceError
from pipelines.source import Source, find_source, load_sources
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


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("title: a\nzone: Cairo\n", 2, "zone: Value error, 'Cairo' is no IANA zone"),
        ("title: a\nhome_page: b\n", 2, "home_page: Extra inputs are not permitted"),
        ("title: a\n\ncountry: Egypt\n", 3, "country: String should match"),
        ("title: [a\n", 2, "no YAML"),
        ("- a\n", 1, "a source is a list of fields"),
        ("title: 5\n", 1, "title: Input should be a valid string"),
        ("key: b\n", 1, "multiple values"),
        ("homepage: nowhere\n", 1, "homepage: Input should be a valid URL"),
    ],
)
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
