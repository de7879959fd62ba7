"""``motion studio`` and ``motion serve``: with the page and without, and every option handed on."""

from __future__ import annotations

from pathlib import Path

import pytest

from motion_platform.studio import serving


@pytest.mark.parametrize(("command", "page", "port"), [("studio", True, 8420), ("serve", False, 8421)])
def test_options_reach_the_server(motion, monkeypatch: pytest.MonkeyPatch, command: str, page: bool, port: int) -> None:
    calls: list[dict] = []
    monkeypatch.setattr(serving, "serve", lambda **options: calls.append(options))
    assert motion(command)[0] == 0
    usual = {"page": page, "port": port, "host": "127.0.0.1", "share_token": None, "folder": None}
    assert calls == [{**usual, "upload_mb": 64, "device": "auto", "warm": True}]
    given = ["--port", "0", "--host", "0.0.0.0", "--share-token", "abcdefgh", "--folder", "x"]
    assert motion(command, *given, "--upload-mb", "3", "--device", "cpu", "--no-warm")[0] == 0
    wanted = {"page": page, "port": 0, "host": "0.0.0.0", "share_token": "abcdefgh", "folder": Path("x")}
    assert calls[1] == {**wanted, "upload_mb": 3, "device": "cpu", "warm": False}
