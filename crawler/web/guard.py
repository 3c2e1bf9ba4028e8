"""What stands before every route: who may ask, from where, how much, and what browsers may do.

A pure ASGI application around another, so that errors, static files and unknown paths pass
through it as well.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "warraq"
#: Names by which a browser on this machine reaches a server on loopback. Any other name that
#: leads here is another site's that points at us (DNS rebinding).
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
#: Answered without a token: what tells that the server lives, and how its pages look.
_OPEN = ("/health", "/static/")
_BODY_BYTES = 1_000_000
_BODY_SECONDS = 10.0
_HEADERS = (
    # Nothing from elsewhere, nothing inline: what an article holds can't become a script.
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Not no-referrer: with it browsers hide the origin of our own forms from us.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)


class Guard:
    """Lets requests through to `app` that may ask.

    With `hosts` the Host header must be one of them. With `token` a request must bear it: as
    `Authorization: Bearer`, as `?token=` (which leaves a cookie and is then taken off the
    address), or by that cookie.
    """

    def __init__(
        self, app: App, *, token: str | None = None, hosts: frozenset[str] | None = None
    ) -> None:
        self._app, self._hosts = app, hosts
        self._token = None if token is None else token.encode()
        self._cookie = (
            "" if token is None else hashlib.sha256(f"cookie {token}".encode()).hexdigest()
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return

        kept = b"no-cache" if scope["path"].startswith("/static/") else b"no-store"

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = (*_HEADERS, (b"cache-control", kept))
                names = {name for name, _ in ours}
                theirs = [(k, v) for k, v in message.get("headers", ()) if k.lower() not in names]
                message["headers"] = [*theirs, *ours]
            await send(message)

        headers = _headers(scope)
        refusal = self._wrong_host(headers) or _cross_site(scope, headers)
        if refusal is not None:
            await _say(send_guarded, 403, refusal)
            return
        if self._token is not None and not scope["path"].startswith(_OPEN):
            if self._in_address(scope):
                await self._enter(scope, send_guarded)
                return
            if not self._bears_token(headers):
                await _say(send_guarded, 401, _NOT_ENTITLED, (b"www-authenticate", b"Bearer"))
                return
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await _body(receive)
        except TimeoutError:
            await _say(send_guarded, 408, "the request took too long to arrive")
            return
        if body is None:
            await _say(send_guarded, 413, f"more than {_BODY_BYTES} bytes")
            return

        sent = False

        async def receive_body() -> Message:
            nonlocal sent
            if not sent:
                sent = True
                return {"type": "http.request", "body": body, "more_body": False}
            return await receive()  # the client's departure

        await self._app(scope, receive_body, send_guarded)

    def _wrong_host(self, headers: dict[str, list[str]]) -> str | None:
        if self._hosts is None:
            return None
        stated = headers.get("host", [])
        if len(stated) == 1:
            try:
                name = urlsplit(f"//{stated[0]}").hostname
            except ValueError:
                name = None
            if name in self._hosts:
                return None
        return "this server answers to localhost and 127.0.0.1 only"

    def _is_token(self, given: str) -> bool:
        assert self._token is not None  # noqa: S101
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token)

    def _in_address(self, scope: Scope) -> bool:
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        return any(name == "token" and self._is_token(value) for name, value in query)

    def _bears_token(self, headers: dict[str, list[str]]) -> bool:
        for stated in headers.get("authorization", []):
            kind, _, given = stated.partition(" ")
            if kind.lower() == "bearer" and self._is_token(given.strip()):
                return True
        for stated in headers.get("cookie", []):
            try:
                cookie = SimpleCookie(stated).get(COOKIE)
            except CookieError:
                continue
            if cookie is not None and hmac.compare_digest(
                cookie.value.encode("utf-8", "replace"), self._cookie.encode()
            ):
                return True
        return False

    async def _enter(self, scope: Scope, send: Send) -> None:
        """To the same address without the token, which a cookie stands for from now on."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        left = urlencode([(name, value) for name, value in query if name != "token"])
        # One slash in front: two would name another host.
        path = quote("/" + scope["path"].lstrip("/\\"))
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        cookie = f"{COOKIE}={self._cookie}; Path=/; HttpOnly; SameSite=Strict{secure}"
        location = path + (f"?{left}" if left else "")
        await _say(
            send,
            303,
            "",
            (b"location", location.encode("latin-1")),
            (b"set-cookie", cookie.encode()),
        )


_NOT_ENTITLED = (
    "a token is needed: open the address that `warraq serve` printed, "
    "or send it as `Authorization: Bearer TOKEN`"
)


def _headers(scope: Scope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _cross_site(scope: Scope, headers: dict[str, list[str]]) -> str | None:
    """Why a request that does something comes from another site's page; None if it does not.

    Browsers say where a page's request comes from; what is no browser says nothing and has no
    user's cookie to misuse.
    """
    if scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return None
    refusal = "this request comes from another site"
    if any(value not in ("same-origin", "none") for value in headers.get("sec-fetch-site", [])):
        return refusal
    own = f"{scope.get('scheme', 'http')}://{''.join(headers.get('host', []))}"
    if any(value != own for value in headers.get("origin", [])):
        return refusal
    return None


async def _body(receive: Receive) -> bytes | None:
    """The whole body, None if it is too large."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _BODY_BYTES:
            return None
        if message["type"] != "http.request" or not message.get("more_body"):
            return bytes(body)


async def _say(send: Send, status: int, text: str, *headers: tuple[bytes, bytes]) -> None:
    body = f"{text}\n".encode() if text else b""
    plain = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": "http.response.start", "status": status, "headers": [*plain, *headers]})
    await send({"type": "http.response.body", "body": body})
