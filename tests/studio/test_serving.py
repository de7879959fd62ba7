from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from motion_platform.core.errors import OutputError, UsageError
from motion_platform.studio.serving import open_port, place, serve


def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(UsageError, match="is taken; give another"):
            open_port("127.0.0.1", other.getsockname()[1])
    with pytest.raises(UsageError, match="65535"):
        open_port("127.0.0.1", 70000)


def test_other_machines_need_a_token() -> None:
    with pytest.raises(UsageError, match="--share-token"):
        serve(page=True, host="0.0.0.0")
    with pytest.raises(UsageError, match="8 letters"):
        serve(page=True, share_token="short")


def test_the_folder_of_a_server_stays_only_where_it_was_asked_for(tmp_path: Path) -> None:
    with place(None) as temporary:
        assert temporary.is_dir()
    assert not temporary.exists()
    with place(tmp_path / "kept") as kept:
        assert kept.is_dir()
    assert kept.is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="--folder"), place(tmp_path / "file" / "under"):
        pass


def test_the_page_is_served_without_waiting_for_torch() -> None:
    code = "import sys, motion_platform.studio.server as s; s.Studio.__init__; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
