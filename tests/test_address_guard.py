"""No request reaches what is not public: by table, and by real crawls beside a port that counts."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.address_guard import Guard, literal_address, read_networks
from pipelines.errors import UsageError
from tests.conftest import run_warraq
from tests.fetching import fetch
from tests.site import Site
from tests.site.hostile import targets

PUBLIC = ("8.8.8.8", "93.184.215.14", "1.1.1.1", "192.0.66.2", "172.32.0.1", "100.128.0.1")
PUBLIC6 = ("2001:4860:4860::8888", "2a00:1450:4001::200e", "64:ff9b::808:808", "2002:808:808::1")
NOT_PUBLIC = """
    127.0.0.1 127.255.255.254 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1
    169.254.169.254 100.64.0.1 100.127.255.255 192.0.0.1 192.0.0.170 192.0.2.1 198.18.0.1
    198.51.100.1 203.0.113.1 224.0.0.1 224.0.1.1 239.255.255.250 240.0.0.1 255.255.255.255
    192.88.99.1
    ::1 :: fe80::1 fe80::1%eth0 fc00::1 fd00:ec2::254 fec0::1 ff02::1 ff0e::1 2001:db8::1 100::1
    ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:a9fe:a9fe ::127.0.0.1 ::a9fe:a9fe
    64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::808:808 2002:7f00:1::1 2002:a9fe:a9fe::
    2001:0:4136:e378:8000:63bf:3fff:fdd2 4000::1 3fff::1
""".split()


@pytest.mark.parametrize("address", [*PUBLIC, *PUBLIC6, "::ffff:8.8.8.8"])
def test_public_addresses_may_be_reached(address: str) -> None:
    assert Guard().why_not(address, 443) is None
    assert "port 25" in str(Guard().why_not(address, 25))


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_others_may_not(address: str) -> None:
    assert Guard().why_not(address.partition("%")[0], 80)
    host = f"[{address}]" if ":" in address else address
    assert Guard().refusal(f"http://{host}/x")


#: Spellings of 127.0.0.2 and of the metadata service, as a resolver understands them.
SPELLINGS = {
    "127.0.0.2": "127.2 127.0.2 127.0.0.2. 2130706434 0x7f000002 0x7F.0.0.2 0177.0.0.02 "
    "017700000002 0x7f.0.0x0.2 ١٢٧.٠.٠.٢ １２７.０.０.２ 127。0。0。2 ①②⑦.0.0.2 "
    "[::ffff:127.0.0.2] [::FFFF:7f00:2] [0:0:0:0:0:ffff:127.0.0.2]",
    "169.254.169.254": "2852039166 0xa9fea9fe 0251.0376.0251.0376 169.254.43518 "
    "[::ffff:169.254.169.254] [::ffff:a9fe:a9fe]",
}


@pytest.mark.parametrize(
    ("address", "spelt"),
    [(address, word) for address, words in SPELLINGS.items() for word in words.split()],
)
def test_an_address_in_every_spelling(address: str, spelt: str) -> None:
    for url in (f"http://{spelt}/", f"https://user:x@{spelt}:8080/a?b#c", f"HTTP://{spelt}:80"):
        said = Guard().refusal(url)
        assert said and address in said.replace("7f00:2", "127.0.0.2"), (url, said)
    literal = literal_address(spelt)
    assert literal is not None
    assert getattr(literal, "ipv4_mapped", None) in (None, ip_address(address))
    allowing = Guard(read_networks(f"{address}/32"))
    assert allowing.refusal(f"http://{spelt}:1234/") is None


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "http://LocalHost./",
        "http://a.localhost:80/",
        "http://metadata.google.internal/computeMetadata/v1/",
        "http://printer.local/",
        "http://nas.lan/",
        "http://router.home.arpa/",
        "http://user@localhost/",
        "http://news.example@127.0.0.1/",
        "http://news.example:80@[::1]/",
        "http://news.example:22/",
        "http://news.example:6379/",
        "https://news.example:25/",
        "http://8.8.8.8:53/",
        "http://[fe80::1%25eth0]/",
        "http://[::1/",
        "http://a:99999/",
        "http://",
        "http:///etc/passwd",
        "file:///etc/passwd",
        "ftp://news.example/",
        "gopher://news.example:70/",
        "data:text/html,x",
        "javascript:alert(1)",
        "unix:///var/run/docker.sock",
        "//news.example/",
        "",
    ],
)
def test_what_a_url_alone_tells(url: str) -> None:
    assert Guard().refusal(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://news.example/",
        "https://news.example:8443/a",
        "http://sahifa.example:80",
        "https://8.8.8.8/",
        "http://[2001:4860:4860::8888]/",
        "http://localhost.example/",
        "http://local.news.example/",
        "http://أخبار.example/",
        "http://0xfeed.example/",
        "http://1.2.3.example/",
    ],
)
def test_ordinary_urls_pass(url: str) -> None:
    assert Guard().refusal(url) is None


def test_the_setting() -> None:
    assert read_networks(None) == read_networks("") == read_networks([]) == ()
    both = Guard(read_networks("127.0.0.0/8, 10.1.2.3\nfd00::/8"))
    assert both == Guard(read_networks(["127.0.0.0/8", "10.1.2.3/32", "fd00::/8"]))
    for address in ("127.0.0.2", "::ffff:127.0.0.2", "10.1.2.3", "fd00::7", "64:ff9b::a01:203"):
        assert both.why_not(address, 5432) is None
    for address in ("10.1.2.4", "169.254.169.254", "::1", "0.0.0.0"):  # noqa: S104
        assert both.why_not(address, 80)
    with pytest.raises(UsageError, match="WARRAQ_ALLOW_ADDRESSES"):
        read_networks("127.0.0.1/33")
    with pytest.raises(UsageError, match="localhost"):
        read_networks("localhost")


@given(st.ip_addresses(v=4))
def test_every_ipv4_address_is_judged_alike_inside_ipv6(address: Any) -> None:
    guard = Guard()
    plain = guard.why_not(address, 80) is None
    assert (guard.why_not(f"::ffff:{address}", 80) is None) == plain
    assert (guard.why_not(ip_address((0x64FF9B << 96) | int(address)), 80) is None) == plain
    if not plain:
        assert guard.why_not(ip_address((0x2002 << 112) | (int(address) << 80) | 1), 80)


@given(st.text(max_size=40))
def test_no_url_raises(text: str) -> None:
    Guard().refusal(text)
    Guard().refusal(f"http://{text}/")


# --- real requests ---------------------------------------------------------------------------


class Listener:
    """A web server of one page, that counts who connects."""

    def __init__(self, host: str, port: int = 0, answer: str = "") -> None:
        self.connections = 0
        self.answer = answer or "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nseen"
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._server = socket.create_server((host, port), family=family)
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            with client, contextlib.suppress(OSError):
                client.settimeout(5)
                asked = client.recv(65_536).decode().split(" ")
                client.sendall(self.answer.replace("PATH", unquote(asked[1][1:])).encode())

    def close(self) -> None:
        # Closing alone does not wake the thread that waits.
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


ALLOWED: dict[str, Any] = {"WARRAQ_ALLOW_ADDRESSES": "127.0.0.1/32"}


@pytest.fixture
def site() -> Iterator[Listener]:
    """What may be reached: it redirects to its path, read as a URL."""
    listener = Listener("127.0.0.1", answer="HTTP/1.1 302 x\r\nLocation: PATH\r\n\r\n")
    yield listener
    listener.close()


@pytest.fixture
def forbidden() -> Iterator[Listener]:
    listener = Listener("127.0.0.2")
    yield listener
    listener.close()


def test_by_redirect_or_at_once(site: Listener, forbidden: Listener) -> None:
    port = forbidden.port
    targets = [
        f"http://127.0.0.2:{port}/",
        f"http://2130706434:{port}/",
        f"http://0x7f.2:{port}/",
        f"http://0177.0.0.2:{port}/",
        f"http://127.2:{port}/",
        f"http://[::ffff:127.0.0.2]:{port}/",
        f"http://news.example@127.0.0.2:{port}/",
        f"http://localhost:{port}/",
        f"http://0.0.0.0:{port}/",
        f"http://[::1]:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.255.255.1/",
        "http://[64:ff9b::7f00:2]/",
    ]
    urls = [*targets, *(f"http://127.0.0.1:{site.port}/{target}" for target in targets)]
    for row in fetch(urls, **ALLOWED):
        if "localhost" in row["url"]:
            # The very address that is allowed, by another name; nobody listens there.
            assert row["reason"] in ("unreachable", "blocked_address"), row
        else:
            assert row["reason"] == "blocked_address", row
            assert row["detail"]
    assert forbidden.connections == 0
    assert site.connections == len(targets)


def test_localhost_is_refused_where_loopback_is_not_allowed(forbidden: Listener) -> None:
    local = Listener("127.0.0.1")
    try:
        rows = fetch([f"http://localhost:{local.port}/", f"http://127.0.0.1:{local.port}/"])
        assert [row["reason"] for row in rows] == ["blocked_address"] * 2
        assert local.connections == 0
    finally:
        local.close()


def test_other_schemes_are_refused(site: Listener) -> None:
    targets = ("file:///etc/passwd", "ftp://127.0.0.1/", "data:text/html,x", "gopher://127.0.0.1/")
    urls = [*targets, *(f"http://127.0.0.1:{site.port}/{target}" for target in targets)]
    rows = fetch(urls, **ALLOWED)
    assert [row.get("reason") for row in rows] == ["blocked_address"] * 4 + [None] * 4
    assert [row.get("status") for row in rows[4:]] == [302] * 4  # and goes nowhere


#: Names that resolve as the tests want: `fickle` to the allowed address first, then to another.
ANSWERS = {"fickle.example": ["127.0.0.1", "127.0.0.2"], "steady.example": ["127.0.0.2"]}


def resolver_that_changes_its_answer() -> Any:
    """Made only where Scrapy runs: it imports Twisted."""
    from scrapy.resolver import CachingThreadedResolver
    from twisted.internet.defer import succeed

    class Changing(CachingThreadedResolver):
        def getHostByName(self, name: str, timeout: Any = ()) -> Any:  # noqa: N802
            answers = ANSWERS[name]
            return succeed(answers.pop(0) if len(answers) > 1 else answers[0])

    return Changing


def __getattr__(name: str) -> Any:
    if name == "Changing":
        return resolver_that_changes_its_answer()
    raise AttributeError(name)


def test_a_name_that_changes_its_answer(forbidden: Listener) -> None:
    """DNS rebinding: the name was good when it was first looked up, and is not any more."""
    good = Listener("127.0.0.1", port=forbidden.port)
    try:
        urls = [f"http://fickle.example:{good.port}/{n}" for n in range(3)]
        urls.append(f"http://steady.example:{good.port}/")
        rows = fetch(
            urls,
            TWISTED_DNS_RESOLVER="tests.test_address_guard.Changing",
            CONCURRENT_REQUESTS=1,
            **ALLOWED,
        )
    finally:
        good.close()
    assert [row.get("reason") for row in rows] == [None, *["blocked_address"] * 3]
    assert all("127.0.0.2" in row["detail"] for row in rows[1:])
    assert (good.connections, forbidden.connections) == (1, 0)


def test_a_name_with_several_answers(forbidden: Listener) -> None:
    """With a resolver that gives IPv6 as well, each address is judged on its own."""
    rows = fetch(
        [f"http://localhost:{forbidden.port}/"],
        TWISTED_DNS_RESOLVER="scrapy.resolver.CachingHostnameResolver",
        WARRAQ_ALLOW_ADDRESSES="192.168.77.0/24",  # so that the name itself is no reason
    )
    assert rows[0]["reason"] == "blocked_address" and "loopback" in rows[0]["detail"]


def test_a_proxy_of_the_environment_is_not_asked(forbidden: Listener, site: Listener) -> None:
    proxy = {
        "http_proxy": f"http://127.0.0.2:{forbidden.port}",
        "https_proxy": f"http://127.0.0.2:{forbidden.port}",
        "no_proxy": "",
    }
    local = Listener("127.0.0.1")
    try:
        (row,) = fetch([f"http://127.0.0.1:{local.port}/"], proxy, **ALLOWED)
    finally:
        local.close()
    assert row["status"] == 200
    # Where somebody switches proxies on, the proxy's own address is judged.
    rows = fetch(["http://8.8.8.8/", "https://8.8.8.8/"], proxy, HTTPPROXY_ENABLED=True, **ALLOWED)
    assert [row["reason"] for row in rows] == ["blocked_address"] * 2
    assert forbidden.connections == 0


def test_robots_txt_is_not_asked_for_either(forbidden: Listener) -> None:
    (row,) = fetch([f"http://127.0.0.2:{forbidden.port}/"], ROBOTSTXT_OBEY=True, **ALLOWED)
    assert row["reason"] == "blocked_address"
    assert forbidden.connections == 0


def test_by_feed_and_sitemap_in_a_whole_crawl(forbidden: Listener, tmp_path: Path) -> None:
    """Each address ends in the ledger by name, however it was found, and none is reached."""
    sources = tmp_path / "sources"
    sources.mkdir()
    database = f"sqlite:///{tmp_path / 'w.db'}"
    where = f"?host=127.0.0.2&port={forbidden.port}"
    with Site(articles=1) as site:
        for kind, path in (("feeds", "feed.xml"), ("sitemaps", "sitemap.xml")):
            (sources / f"{kind}.yml").write_text(
                f"homepage: {site.url}/{kind}/\narticles: .\npace: {{delay: 0}}\n"
                f"{kind}: ['{site.url}/hostile/{path}{where}']\n",
                encoding="utf-8",
            )
        done = run_warraq(
            ["crawl", "--db", database, "--sources", sources, "--archive", tmp_path / "a"],
            None,
            **ALLOWED,
        )
        assert done.returncode == 0, done.stderr.decode()
        assert b"Traceback" not in done.stderr
        assert not [request for request in site.requests if "reached" in request.path]
    query = "SELECT s.key AS source, l.url, l.reason FROM ledger l JOIN sources s "
    query += "ON s.id = l.source_id"
    rows = json.loads(run_warraq(["sql", query, "--db", database, "--json"]).stdout)
    for kind in ("feeds", "sitemaps"):
        ends = {row["url"]: row["reason"] for row in rows if row["source"] == kind}
        wanted = [u for u in targets("127.0.0.2", forbidden.port).values() if u.startswith("http")]
        assert len(ends) == len(wanted)
        local = ends.pop(f"http://localhost:{forbidden.port}/hostile/reached?by=localhost")
        assert local == "unreachable"  # the very address that is allowed; nobody listens there
        assert set(ends.values()) == {"blocked_address"}
    assert forbidden.connections == 0
