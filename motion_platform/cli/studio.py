"""``motion studio``, the web page, and ``motion serve``, its REST interface alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from motion_platform.cli.common import Device

Port = Annotated[int, typer.Option(help="Port to listen on; 0: any that is free.")]
Host = Annotated[str, typer.Option(help="Address to listen on; another than this machine's own needs --share-token.")]
Token = Annotated[str | None, typer.Option(help="Only who gives it is answered: 8 or more letters and digits.")]
Folder = Annotated[Path | None, typer.Option(help="Where uploads, links and votes stay (default: gone at the end).")]
Upload = Annotated[int, typer.Option("--upload-mb", help="Largest file that is taken, in MB.")]
Warm = Annotated[bool, typer.Option("--warm/--no-warm", help="Load the models while nobody waits.")]


def studio(
    port: Port = 8420,
    host: Host = "127.0.0.1",
    share_token: Token = None,
    folder: Folder = None,
    upload_mb: Upload = 64,
    device: Device = "auto",
    warm: Warm = True,
):
    """Open the web page on this machine: make, compare, edit and take home motions. Ends with Ctrl-C."""
    from motion_platform.studio.serving import serve as start

    start(
        page=True,
        port=port,
        host=host,
        share_token=share_token,
        folder=folder,
        upload_mb=upload_mb,
        device=device,
        warm=warm,
    )


def serve(
    port: Port = 8421,
    host: Host = "127.0.0.1",
    share_token: Token = None,
    folder: Folder = None,
    upload_mb: Upload = 64,
    device: Device = "auto",
    warm: Warm = True,
):
    """Keep the models loaded and answer REST calls, in the words of the Python face. Ends with Ctrl-C."""
    from motion_platform.studio.serving import serve as start

    start(
        page=False,
        port=port,
        host=host,
        share_token=share_token,
        folder=folder,
        upload_mb=upload_mb,
        device=device,
        warm=warm,
    )
