"""Who may speak to the server, and what a browser is told: a plain ASGI layer around the application.

- Without a token only this machine's own names are answered, so that a page of the outside cannot reach the server
  under a name that it makes point here (DNS rebinding).
- With ``--share-token`` every request needs it: ``Authorization: Bearer TOKEN``, or the cookie that
  ``/?token=TOKEN`` sets.
- What changes something must come from the page itself (its origin) or from no page.
- The page may load and ask for nothing but what this server gives (Content-Security-Policy).
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

LOCAL = ("localhost", "127.0.0.1", "::1")
COOKIE = "motion_studio"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data: blob:; media-src blob: data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
ASGI = Callable[[dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


class Guard:
    """Around an ASGI application. host: the name that the server listens on. token: None for this machine alone."""

    def __init__(self, app: ASGI, host: str, token: str | None) -> None:
        self.app, self.token = app, token
        self.names = {*LOCAL, host.strip("[]").lower()}

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                more = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *more]}
            await send(message)

        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self.refusal(scope, headers)
        if refused is not None:
            await _answer(guarded, 403, f'{{"error": "{refused}"}}')
        elif self.token and scope["path"] == "/" and self._asks(scope):
            cookie = f"{COOKIE}={self.token}; Path=/; HttpOnly; SameSite=Strict"
            await _answer(guarded, 303, "", ("location", "/"), ("set-cookie", cookie))
        else:
            await self.app(scope, receive, guarded)

    def refusal(self, scope: dict[str, Any], headers: dict[str, str]) -> str | None:
        """Why a request is not answered; None for one that is."""
        host = headers.get("host", "")
        if self.token is None:
            if urlsplit(f"//{host}").hostname not in self.names:
                return "this server answers under its own name only; start it with --share-token for others"
        elif not self._knows(scope, headers):
            return "this server was started with --share-token: open /?token=TOKEN, or send Authorization: Bearer TOKEN"
        origin = headers.get("origin")
        if scope["method"] not in ("GET", "HEAD") and origin is not None and urlsplit(origin).netloc != host:
            return "requests of other pages are not answered"
        return None

    def _asks(self, scope: dict[str, Any]) -> bool:
        asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        return hmac.compare_digest(asked.encode(), (self.token or "").encode())

    def _knows(self, scope: dict[str, Any], headers: dict[str, str]) -> bool:
        kind, _, said = headers.get("authorization", "").partition(" ")
        try:
            kept = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            kept = None
        token = (self.token or "").encode()
        return (
            (kind.lower() == "bearer" and hmac.compare_digest(said.strip().encode(), token))
            or (kept is not None and hmac.compare_digest(kept.value.encode(), token))
            or (scope["path"] == "/" and self._asks(scope))
        )


async def _answer(send: Any, status: int, text: str, *headers: tuple[str, str]) -> None:
    fields = [("content-type", "application/json"), *headers]
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in fields]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": text.encode()})
