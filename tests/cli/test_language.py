"""``motion caption``, ``motion length``, completing with ``motion generate``: what is asked for wrongly is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from motion_platform.motion import io


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands run in an empty folder."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["caption"], "IN"),
        (["caption", "nothing.bvh"], "nothing.bvh"),
        (["caption", "nothing.bvh", "-o", "x.doc"], "allowed: .txt, .json"),
        (["caption", "nothing.bvh", "-o", "no/x.txt"], "does not exist"),
        (["length", "--text", " "], "--text: is empty"),
        (["generate", "motion_to_text", "-o", "x.npz"], "writes captions, not motion; use motion caption"),
        (["generate", "length_from_text", "-o", "x.npz"], "use motion length"),
        (["generate", "motion_prediction", "-o", "x.npz"], "--motion: is missing"),
        (["generate", "motion_prediction", "--text", "he walks", "-o", "x.npz"], "no slot(s) that read text"),
        (["generate", "motion_prediction", "--motion", "nothing.bvh", "-o", "x.npz"], "nothing.bvh"),
        (["generate", "random_motion", "--motion", "nothing.bvh", "-o", "x.npz"], "completes no motion"),
        (["generate", "keyframes_to_motion", "--text", "he walks", "-o", "x.npz"], "--motion FILE"),
        (["edit", "nothing.bvh", "--keep", "prefxi", "-o", "x.npz"], "nothing.bvh"),
        (["evaluate", "recogniser", "--task", "motion_prediction"], "does not generate motion"),
        (["evaluate", "text_to_motion_small", "--task", "motion_to_text"], "makes no words of motion"),
    ],
)
def test_bad_input_is_one_line(motion, arguments: list[str], said: str, tmp_path: Path) -> None:
    code, out, err = motion(*arguments)
    assert code in (1, 2)
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert said in err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_shipped_model_completes_and_times(motion, tmp_path: Path) -> None:
    assert motion("generate", "random_motion", "--steps", "2", "-o", "any.npz")[0] == 0  # no text says how long
    assert len(io.load("any.npz")) == 120  # 6 s
    assert motion("generate", "random_motion", "--seconds", "2", "--steps", "2", "-o", "any.npz")[0] == 0
    code, out, _ = motion("generate", "motion_prediction", "--motion", "any.npz", "--steps", "2", "-o", "more.npz")
    assert code == 0
    assert out == "more.npz\n"
    code, out, _ = motion("length", "--text", "a person walks", "--text", "a person raises the left hand")
    assert code == 0
    assert all(0.2 < float(line) < 10 for line in out.splitlines())
    assert len(out.splitlines()) == 2
