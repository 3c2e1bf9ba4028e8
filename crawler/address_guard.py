"""Where a crawl may connect to: public addresses on the web's ports, and nowhere else.

A page that a stranger wrote decides what a crawl asks for next: a link, a redirect, a line of a
sitemap may name the router, the cloud's metadata service or a database on this machine. What
counts is the address that is connected to, not the name: `install` puts the check before every
TCP connection that Twisted opens in this process, behind the resolver. So it sees what the
resolver answered this time (an answer that changes gains nothing), whatever spelling an address
has, and each step of a redirect. `refusal` is for the URL alone: it saves the look-up.

WARRAQ_ALLOW_ADDRESSES lifts it for networks, any port: a list such as `127.0.0.1/32 10.2.0.0/16`,
for an intranet, a site on this machine, tests. A proxy hides where a connection ends: with
HTTPPROXY_ENABLED it is the proxy that must refuse such addresses, and its own address that must
be allowed here.
"""

import re
import socket
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any
from urllib.parse import urlsplit

from scrapy.exceptions import IgnoreRequest

from pipelines.errors import UsageError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: Ports that web servers use. Others lead to mail, databases, printers.
PORTS = frozenset({80, 443, 8000, 8008, 8080, 8081, 8443, 8888})
#: The part of IPv6 that is given out to hosts on the internet.
_GLOBAL_IPV6 = IPv6Network("2000::/3")
#: In it, addresses for documents that older Pythons take for public.
_EXAMPLES = IPv6Network("3fff::/20")
#: IPv4 within IPv6: translated by a NAT64.
_NAT64 = IPv6Network("64:ff9b::/96")
#: 6to4 relays: a packet to them goes on to who knows where.
_RELAYS = IPv4Network("192.88.99.0/24")
#: Names for this machine and its network that need no resolver to be understood.
_LOCAL_NAME = re.compile(
    r"(?:^|\.)(?:localhost|localhost6|localdomain|local|internal|intranet|lan|home\.arpa)$"
)


class BlockedAddressError(IgnoreRequest):
    """Raised for a request to an address that no crawl may reach; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Guard:
    """`allowed` are networks that may be reached though they are not public."""

    allowed: tuple[Network, ...] = ()

    def why_not(self, address: Address | str, port: int) -> str | None:
        """Why no connection may be made to the address, or None if it may."""
        try:
            parsed = address if isinstance(address, Address) else ip_address(address)
        except ValueError:
            return f"{address!r} is no address"
        if any(form in network for form in _forms(parsed) for network in self.allowed):
            return None
        for form in _forms(parsed):
            kind = _kind(form)
            if kind:
                inside = "" if form == parsed else f" (in it {form})"
                return f"{parsed}{inside} is {kind}"
        if port not in PORTS:
            return f"port {port} is none of the web's"
        return None

    def refusal(self, url: str) -> str | None:
        """Why the URL may not be asked for, as far as it tells itself; None if it may.

        A name may still lead to an address that is refused when it is connected to.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            return f"no URL: {error}"
        if parts.scheme.lower() not in ("http", "https"):
            return f"{parts.scheme or 'nothing'}: is neither http nor https"
        if not host:
            return "no host in it"
        port = port if port is not None else 443 if parts.scheme.lower() == "https" else 80
        literal = literal_address(host)
        if literal is not None:
            return self.why_not(literal, port)
        if self.allowed:
            return None  # a name may lead there: the connection decides
        if _LOCAL_NAME.search(_plain(host)):
            return f"{host} is a name of this machine or its network"
        return None if port in PORTS else f"port {port} is none of the web's"


def read_networks(stated: str | Sequence[str] | None) -> tuple[Network, ...]:
    """The setting WARRAQ_ALLOW_ADDRESSES: networks, by commas or blanks. Raises UsageError."""
    words = re.split(r"[\s,]+", stated) if isinstance(stated, str) else stated or ()
    networks: list[Network] = []
    for word in words:
        if not word:
            continue
        try:
            networks.append(ip_network(word, strict=False))
        except ValueError as error:
            raise UsageError(
                f"WARRAQ_ALLOW_ADDRESSES: {error}; write networks such as 127.0.0.1/32"
            ) from None
    return tuple(networks)


def literal_address(host: str) -> Address | None:
    """The address that a host is, in any spelling that a resolver understands; None for a name.

    `0x7f.1`, `2130706433`, `0177.0.0.1` and `127.1` are 127.0.0.1 to the system's resolver.
    """
    plain = _plain(host)
    try:
        return ip_address(plain.strip("[]").partition("%")[0])
    except ValueError:
        pass
    if re.fullmatch(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}", plain):
        try:
            return IPv4Address(socket.inet_aton(plain))
        except OSError:
            return None
    return None


def _plain(host: str) -> str:
    """Lower case, without the final dot, full-width and other digits and dots as ASCII."""
    folded = unicodedata.normalize("NFKC", host).replace("\u3002", ".").lower().rstrip(".")
    return "".join(
        str(unicodedata.decimal(letter)) if letter.isdecimal() else letter for letter in folded
    )


def _forms(address: Address) -> list[Address]:
    """The address and the IPv4 addresses that it holds: packets may end at any of them."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]  # only another spelling
    held: list[Address] = [address]
    if address in _NAT64:
        return [IPv4Address(int(address) & 0xFFFF_FFFF)]
    if address.sixtofour is not None:
        held.append(address.sixtofour)
    if address.teredo is not None:
        held += address.teredo
    return held


def _kind(address: Address) -> str | None:
    """What an address is that is not public."""
    for name, is_it in (
        ("loopback", address.is_loopback),
        ("link-local", address.is_link_local),
        ("multicast", address.is_multicast),
        ("unspecified", address.is_unspecified),
    ):
        if is_it:
            return name
    if isinstance(address, IPv4Address) and address in _RELAYS:
        return "a relay"
    if isinstance(address, IPv6Address) and (address not in _GLOBAL_IPV6 or address in _EXAMPLES):
        return "private or reserved"
    return None if address.is_global else "private or reserved"


def install(reactor: Any, guard: Guard) -> None:
    """From now on every TCP connection of the reactor passes the guard, whoever asks for it.

    A refused one fails with BlockedAddressError. Another call replaces the guard.
    """
    connect = getattr(reactor.connectTCP, "unguarded", reactor.connectTCP)

    def guarded(host: str | bytes, port: int, *args: Any, **options: Any) -> Any:
        named = host.decode("ascii", "replace") if isinstance(host, bytes) else host
        address = named.partition("%")[0]
        # Names are resolved before they get here; one that is not could still become anything.
        why_not = guard.why_not(address, port)
        if why_not:
            raise BlockedAddressError(why_not)
        return connect(host, port, *args, **options)

    guarded.unguarded = connect  # type: ignore[attr-defined]  # functions take attributes
    reactor.connectTCP = guarded
