"""Start the server: its place, its port, its folder, and what is printed."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from motion_platform.core.errors import OutputError, UsageError


def serve(
    *,
    page: bool,
    port: int = 8420,
    host: str = "127.0.0.1",
    share_token: str | None = None,
    folder: Path | None = None,
    upload_mb: int = 64,
    device: str = "cpu",
    warm: bool = True,
) -> None:
    """Serve until Ctrl-C. page: with the web page. folder: what stays after the end (None: nothing does).

    Errors: UsageError for a port that is taken, a host that is not this machine's own without a token, and where
    the packages of the extra ``studio`` are missing; OutputError for a folder that cannot be written.
    """
    try:
        import uvicorn

        from motion_platform.studio.server import Studio
        from motion_platform.studio.store import Store
    except ModuleNotFoundError as error:
        if error.name not in ("uvicorn", "starlette", "anyio"):
            raise
        raise UsageError(f'{error.name} is not installed; run: pip install "motion-platform[studio]"') from error
    from motion_platform.studio.security import LOCAL

    if host.strip("[]") not in LOCAL and share_token is None:
        raise UsageError(f"--host: {host} can be reached from other machines; give --share-token TOKEN as well")
    if share_token is not None and (len(share_token) < 8 or not share_token.isascii() or not share_token.isalnum()):
        raise UsageError("--share-token: a token has at least 8 letters and digits")
    if upload_mb < 1:
        raise UsageError(f"--upload-mb: got {upload_mb}; at least 1 is needed")
    listening = open_port(host, port)
    with place(folder) as lasting:
        studio = Studio(Store(lasting, upload_mb << 20), device=device, warm=warm)
        shown = f"[{host}]" if ":" in host else host
        end = "/" if page and share_token is None else f"/?token={share_token}" if page else "/api/tasks"
        print(f"http://{shown}:{listening.getsockname()[1]}{end}", flush=True)
        print(f"{'kept in ' + str(folder) if folder else 'nothing is kept after the end (--folder DIR keeps it)'}")
        print("Ctrl-C ends it", flush=True)
        app = studio.app(page=page, host=host, token=share_token)
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
        uvicorn.Server(config).run(sockets=[listening])


def open_port(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0: any free one. UsageError for one that is taken or not allowed."""
    if not 0 <= port <= 65535:
        raise UsageError(f"--port: got {port}; allowed: 0 (any that is free) to 65535")
    bare = host.strip("[]")
    try:
        found = socket.getaddrinfo(bare, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(found[0], found[1])
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(found[4])
        listening.listen(128)
    except OSError as error:
        reason = "is taken" if "in use" in str(error).lower() else f"cannot be used: {error.strerror or error}"
        raise UsageError(f"--port: {port} of {host} {reason}; give another, or --port 0 for any free one") from error
    return listening


@contextmanager
def place(folder: Path | None) -> Iterator[Path]:
    """The folder that the server works in: the given one, or one that is gone at the end."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="motion-studio-", ignore_cleanup_errors=True) as temporary:
            yield Path(temporary)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"--folder: {folder} cannot be made: {error.strerror or error}") from error
    yield folder.resolve()
