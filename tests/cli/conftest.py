"""The command line in this process."""

from __future__ import annotations

import sys

import pytest

from motion_platform.cli import app as cli

RunResult = tuple[int, str, str]


@pytest.fixture
def motion(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the command line in this process: (exit status, stdout, stderr)."""

    def run(*arguments: str) -> RunResult:
        monkeypatch.setattr(sys, "argv", ["motion", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return run
