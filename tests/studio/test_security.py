from __future__ import annotations

import asyncio
from typing import Any

import pytest

from motion_platform.studio.security import COOKIE, Guard

TOKEN = "abcdefgh12345678"


def ask(guard: Guard, path: str = "/api/tasks", method: str = "GET", query: str = "", **headers: str) -> dict[str, Any]:
    """{"status", "headers"} of what the guard or the application behind it answers."""
    fields = {"host": "127.0.0.1:8420", **headers}
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode()}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in fields.items()]
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(guard(scope, None, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return {"status": sent[0]["status"], "headers": found}


async def inner(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:1", 200), ("127.0.0.1", 200), ("[::1]:8420", 200), ("evil.example:8420", 403), ("", 403)],
)
def test_only_the_names_of_this_machine_are_answered(host: str, status: int) -> None:
    assert ask(Guard(inner, "127.0.0.1", None), host=host)["status"] == status


@pytest.mark.parametrize(
    ("method", "origin", "status"),
    [
        ("POST", "http://127.0.0.1:8420", 200),
        ("POST", "http://evil.example", 403),
        ("DELETE", "http://127.0.0.1:9999", 403),
        ("POST", "null", 403),
        ("GET", "http://evil.example", 200),
    ],
)
def test_what_changes_something_comes_from_the_page_itself(method: str, origin: str, status: int) -> None:
    assert ask(Guard(inner, "127.0.0.1", None), method=method, origin=origin)["status"] == status


def test_a_token_is_needed_where_one_was_set() -> None:
    guard = Guard(inner, "0.0.0.0", TOKEN)
    assert ask(guard)["status"] == 403
    assert ask(guard, authorization="Bearer wrong")["status"] == 403
    assert ask(guard, authorization=f"Bearer {TOKEN}", host="studio.lan")["status"] == 200
    assert ask(guard, query=f"token={TOKEN}")["status"] == 403, "only the page takes it from the address"
    opened = ask(guard, "/", query=f"token={TOKEN}")
    assert (opened["status"], opened["headers"]["location"]) == (303, "/")
    assert "HttpOnly" in opened["headers"]["set-cookie"]
    assert ask(guard, cookie=f"{COOKIE}={TOKEN}")["status"] == 200
    assert ask(guard, cookie=f"{COOKIE}=wrong")["status"] == 403


def test_the_page_may_load_nothing_from_elsewhere() -> None:
    policy = ask(Guard(inner, "127.0.0.1", None))["headers"]["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "http" not in policy
