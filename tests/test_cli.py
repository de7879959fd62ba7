from __future__ import annotations

import sys
from pathlib import Path

import pytest

from motion_platform import cli

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


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["generaet"], 2, ["generaet"]),
        (["generate"], 2, ["'task'"]),
        (["list", "tasksz"], 2, ["'tasksz'", "did you mean 'tasks'?"]),
        (["generate", "text_to_motion", "--text", "x", "-o", "a.htm"], 2, [".htm", ".html"]),
        (["generate", "text_to_motion", "--text", "x", "-o", "no/such/folder/a.html"], 2, ["no/such/folder"]),
        (["generate", "text_to_motion", "-o", "a.html"], 2, ["--text", "missing"]),
        (["generate", "text_to_motoin", "--text", "x", "-o", "a.html"], 2, ["did you mean 'text_to_motion'"]),
        (["generate", "text_to_motion", "--text", "x", "-o", "a.html", "--model", "nope"], 2, ["'nope'"]),
        (["generate", "text_to_motion", "--text", "x", "-o", "a.html", "--seed", "x"], 2, ["--seed", "integer"]),
        (["generate", "text_to_motion", "--text-file", "none.txt", "-o", "a.html"], 2, ["none.txt"]),
        (["generate", "text_to_motion", "--text", "x", "--device", "tpu9", "-o", "a.html"], 2, ["tpu9"]),
        (["train", "nope"], 2, ["unknown recipe 'nope'"]),
        (["train", "smoke/recogniser", "train.stepz=1"], 2, ["did you mean 'steps'"]),
        (["train", "smoke/recogniser", "--device", "cuda7"], 2, ["cuda7"]),
        (["evaluate", "nope"], 2, ["'nope'"]),
        (["info", "nothing.bvh"], 1, ["nothing.bvh"]),
        (["convert", "nothing.bvh", "a.npz"], 1, ["nothing.bvh"]),
        (["edit", "nothing.bvh", "--keep", "prefix", "--frames", "a", "-o", "x.npz"], 2, ["--frames"]),
        (["data", "prepare", "sample", "--source", "nowhere"], 2, ["nowhere"]),
        (["data", "info", "nowhere"], 1, ["nowhere"]),
    ],
)
def test_bad_input_is_one_line_and_a_status(
    motion, arguments, status, said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = motion(*arguments)
    assert code in (1, 2) if status == 1 else code == status
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    for part in said:
        assert part in err
    assert not list(tmp_path.iterdir())


def test_debug_shows_the_traceback_wherever_it_stands(motion) -> None:
    for arguments in (["--debug", "list", "x"], ["list", "x", "--debug"]):
        code, _, err = motion(*arguments)
        assert code == 2
        assert "Traceback" in err
        assert "UnknownName" in err


def test_a_mistake_of_ours_is_one_line_too(motion, monkeypatch: pytest.MonkeyPatch) -> None:
    from motion_platform import listing

    monkeypatch.setattr(listing, "rows", lambda kind: 1 / 0)
    code, _, err = motion("list", "tasks")
    assert code == 1
    assert err == "error: unexpected ZeroDivisionError: division by zero (--debug shows where)\n"


def test_ctrl_c_is_status_130(motion, monkeypatch: pytest.MonkeyPatch) -> None:
    from motion_platform import listing

    def interrupted(kind: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(listing, "rows", interrupted)
    assert motion("list", "tasks")[0] == 130


def test_list_shows_every_kind(motion) -> None:
    code, out, _ = motion("list")
    assert code == 0
    for word in ("text_to_motion", "smoke/recogniser", "mdm", "sentence", "foot_skating", "humanml3d_essential"):
        assert word in out
    assert motion("list", "generators")[1].split() == ["mdm"]


def test_help_of_every_command(motion) -> None:
    for command in ("list", "generate", "edit", "train", "evaluate", "benchmark", "compare", "convert", "render", "info", "doctor"):
        code, out, _ = motion(command, "--help")
        assert code == 0
        assert "Usage: motion" in out
