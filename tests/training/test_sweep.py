"""Sweeps: every combination is an ordinary run, in one table; stopped ones go on; a failing run ends nothing."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from motion_platform.core.errors import ConfigError, UsageError
from motion_platform.model.run import load_run
from motion_platform.training import sweep, train


def varied(*texts: str) -> list[sweep.Over]:
    return [sweep.read_over(text) for text in texts]


@pytest.fixture
def run(toy_data: Path, tmp_path: Path):
    def make(*over: str, out: str = "out", **settings):
        own = [f"data.folder={toy_data}", "train.steps=4", "train.log_every=2", "validation.every=0"]
        return sweep.run("smoke/recogniser", own, varied(*over), tmp_path / out, device="cpu", **settings)

    return make


def test_every_combination_is_a_run_and_the_best_stands_first(run, tmp_path: Path) -> None:
    made = run("train.learning_rate=1e-7,3e-3", "seed=1,2")
    assert sorted(trial.folder.name for trial in made) == ["run-0001", "run-0002", "run-0003", "run-0004"]
    assert [trial.value for trial in made] == sorted(trial.value for trial in made)
    assert made[0].overrides[0] == "train.learning_rate=3e-3"  # so small a rate learns nothing
    assert all(load_run(trial.folder).model.card.step == trial.step == 4 for trial in made)
    rows = list(csv.DictReader((tmp_path / "out" / "sweep.csv").open()))
    assert [row["run"] for row in rows] == [trial.folder.name for trial in made]
    assert {(row["train.learning_rate"], row["seed"]) for row in rows} == {
        (rate, seed) for rate in ("1e-7", "3e-3") for seed in "12"
    }
    text = sweep.table(made, varied("train.learning_rate=1", "seed=1"), "loss")
    assert text.splitlines()[1].split()[0] == made[0].folder.name


def test_a_stopped_sweep_goes_on_and_trains_nothing_twice(run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run("seed=1,2", out="whole")
    with monkeypatch.context() as patch:
        asked = []
        patch.setattr(train, "agreed", lambda *a: asked.append(1) or len(asked) == 6)  # step 2 of the second run
        with pytest.raises(train.Interrupted, match="the same sweep again"):
            run("seed=1,2")
    trained = []
    real = train.run
    monkeypatch.setattr(train, "run", lambda *a, **k: trained.append(k["resume"]) or real(*a, **k))
    assert [trial.value for trial in run("seed=1,2")] == [trial.value for trial in whole]
    assert trained == [True]
    with pytest.raises(UsageError, match="holds another sweep"):
        run("seed=1,3")


def test_a_run_that_fails_is_said_and_the_rest_goes_on(run) -> None:
    made = run("train.learning_rate=1e30,1e-3")
    assert made[0].value is not None
    assert made[1].value is None
    assert "not finite" in made[1].failed or "the loss is" in made[1].failed
    assert made[1].failed in sweep.table(made, varied("train.learning_rate=1,2"), "loss")


def test_wrong_requests_are_refused_before_anything_is_trained(run, tmp_path: Path) -> None:
    for over, message in (
        ("train.learning_rat=1,2", "did you mean 'learning_rate'"),
        ("seed=1..5", "a range .* is for --search optuna"),
    ):
        with pytest.raises((ConfigError, UsageError), match=message):
            run(over)
    with pytest.raises(UsageError, match="nothing varies"):
        run()
    assert not (tmp_path / "out").exists()
    for text in ("seed", "=1,2", "seed=", "seed=5..1", "seed=a..b"):
        with pytest.raises(ConfigError, match="--over"):
            sweep.read_over(text)
    with pytest.raises(UsageError, match="logs no 'losses'; did you mean 'loss'"):
        run("seed=1,2", metric="losses")


def test_optuna_searches_in_the_ranges_and_goes_on(run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna")
    over = ("train.learning_rate=1e-5..1e-2", "seed=1..9")
    first = run(*over, trials=3)
    rates = [float(trial.overrides[0].partition("=")[2]) for trial in first]
    assert all(1e-5 <= rate <= 1e-2 for rate in rates)
    assert len(set(rates)) == 3
    assert all(trial.overrides[1].partition("=")[2] in "123456789" for trial in first)
    trained = []
    real = train.run
    monkeypatch.setattr(train, "run", lambda *a, **k: trained.append(1) or real(*a, **k))
    more = run(*over, trials=4)
    assert len(trained) == 1
    assert {t.folder.name: t.value for t in first}.items() <= {t.folder.name: t.value for t in more}.items()


def test_optuna_that_is_not_there_is_named(run, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UsageError, match=r"motion-platform\[sweep\]"):
        run("seed=1..3", trials=2)
