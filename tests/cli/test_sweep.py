"""``motion sweep``: options are checked before any run and handed on."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from motion_platform.training import sweep


def test_what_does_not_go_together_is_one_line(motion) -> None:
    base = ["sweep", "smoke/recogniser", "--over", "seed=1,2", "--out", "x"]
    for more, words in (
        (["--search", "optuna"], "--trials: how many runs"),
        (["--trials", "3"], "--trials: how many runs"),
        (["--device", "tpu"], "--device: got 'tpu'; allowed: auto, cpu"),
    ):
        code, _, error = motion(*base, *more)
        assert code == 2
        assert words in error
        assert error.count("\n") == 1


def test_options_reach_the_sweep(motion, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[SimpleNamespace] = []

    def run(recipe, overrides, varied, out, **settings):
        calls.append(SimpleNamespace(recipe=recipe, overrides=overrides, varied=varied, out=out, settings=settings))
        return []

    monkeypatch.setattr(sweep, "run", run)
    monkeypatch.setattr(sweep, "table", lambda made, varied, metric: "a table")
    command = ["sweep", "smoke/recogniser", "train.steps=4", "--over", "seed=1,2", "--out", "x"]
    code, said, error = motion(*command, "--maximise", "--metric", "validation/fid", "--device", "cpu")
    assert code == 0, error
    (call,) = calls
    assert (call.recipe, call.overrides, call.out) == ("smoke/recogniser", ["train.steps=4"], Path("x"))
    assert call.varied == [sweep.read_over("seed=1,2")]
    assert call.settings == {"metric": "validation/fid", "maximise": True, "trials": None, "device": "cpu"}
    assert "a table" in said
