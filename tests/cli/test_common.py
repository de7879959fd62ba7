from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
import typer

from motion_platform.cli import app as cli
from motion_platform.cli import common, examples
from motion_platform.core.errors import UsageError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_long_work_shows_how_far_it_is_and_short_work_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)  # here: between set-up and test the capture puts its own there
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with common.Progress("quick") as progress:
        progress.show("quick", 1, 2)
    assert terminal.getvalue() == ""

    monkeypatch.setattr(common, "PATIENCE", 0.0)
    with common.Progress("long work") as progress:
        progress._timer.join()
        progress.show("a [film].mp4", 3, 4)
        progress._bar.refresh()
    said = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    assert "long work" in said
    assert "a [film].mp4" in said
    assert "75%" in said


def test_no_bar_where_nobody_looks(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "PATIENCE", 0.0)
    with common.Progress("work") as progress:
        progress.show("work", 1, 2)
    assert capsys.readouterr() == ("", "")


def test_what_cannot_be_written_is_refused_before_it_is_made(tmp_path: Path) -> None:
    film, strip = tmp_path / "a.mp4", tmp_path / "a.PNG"
    common.check_motion_outputs([film, strip], count=12)
    with pytest.raises(UsageError, match=r"a.PNG: 13 motions are too many for one .png file; at most 12"):
        common.check_motion_outputs([film, strip], count=13)
    common.check_motion_outputs([tmp_path / "a.npz"], count=10_000)
    (tmp_path / "b.npz").mkdir()
    with pytest.raises(UsageError, match=r"b.npz: is a folder"):
        common.check_motion_outputs([tmp_path / "b.npz"])


def test_too_many_motions_for_a_film_are_refused_before_a_model_makes_any(
    motion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from motion_platform.pipelines import generate

    monkeypatch.setattr(generate, "make", lambda *_, **__: pytest.fail("motions were made"))
    made = ["generate", "text_to_motion", "-t", "a person walks", "--samples", "26", "-o", str(tmp_path / "a.mp4")]
    code, out, err = motion(*made)
    assert (code, out) == (2, "")
    assert err == f"error: {tmp_path / 'a.mp4'}: 26 motions are too many for one .mp4 file; at most 25\n"


def every_command() -> dict[str, object]:
    root = typer.main.get_command(cli.app)
    found = {}
    for name, command in root.commands.items():
        if hasattr(command, "commands"):
            found |= {f"{name} {each}": below for each, below in command.commands.items()}
        else:
            found[name] = command
    return found


def test_every_command_has_examples_in_its_help(motion) -> None:
    commands = every_command()
    assert set(examples.EXAMPLES) == set(commands)
    for name in commands:
        code, out, _ = motion(*name.split(), "--help")
        assert code == 0
        for line in examples.EXAMPLES[name]:
            assert f"  {line}\n" in out, f"motion {name} --help"


def test_every_command_works_on_the_best_device_unless_told_otherwise() -> None:
    for name, command in every_command().items():
        for parameter in command.params:
            if parameter.name == "device":
                assert parameter.default == "auto", name
