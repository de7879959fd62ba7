"""One server for all tests of the studio: a real one, on a free port, that loads a model when it is first asked for."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from motion_platform.studio.serving import open_port


@dataclass
class Server:
    """A running server. studio: what is behind it."""

    address: str
    studio: Any

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """(status, body) of any answer."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.address + path, body, fields, method=method)
        try:
            with urllib.request.urlopen(request, timeout=900) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def get(self, path: str) -> tuple[int, bytes]:
        return self.send("GET", path)

    def post(self, path: str, values: Any, **headers: str) -> tuple[int, Any]:
        """(status, answer) of a call with a JSON body."""
        headers = {"Content_Type": "application/json", **headers}
        status, body = self.send("POST", path, json.dumps(values).encode(), **headers)
        return status, json.loads(body)

    def upload(self, name: str, data: bytes, more: str = "") -> tuple[int, Any]:
        quoted = urllib.request.quote(name, safe="")
        path = f"/api/files?name={quoted}{more}"
        status, body = self.send("POST", path, data, Content_Type="application/octet-stream")
        return status, json.loads(body)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    import uvicorn

    from motion_platform.studio.server import Studio
    from motion_platform.studio.store import Store

    studio = Studio(Store(tmp_path_factory.mktemp("studio"), most=1 << 20), warm=False)
    listening = open_port("127.0.0.1", 0)
    serving = uvicorn.Server(uvicorn.Config(studio.app(), log_level="warning", access_log=False))
    thread = threading.Thread(target=serving.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not serving.started:
        time.sleep(0.01)
    yield Server(f"http://127.0.0.1:{listening.getsockname()[1]}", studio)
    serving.should_exit = True
    thread.join(10)


@pytest.fixture(scope="session")
def walk(sample_root: Path) -> Path:
    """A short BVH of the packaged sample."""
    return min(sample_root.rglob("*.bvh"), key=lambda path: path.stat().st_size)
