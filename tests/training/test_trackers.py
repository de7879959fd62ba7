from __future__ import annotations

import importlib.util
import json

import pytest

from motion_platform.core.errors import ConfigError, MotionPlatformError, UsageError
from motion_platform.training import trackers, train


def scalars(folder, key: str) -> dict[int, float]:
    """step -> value, as TensorBoard itself reads what was written."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = {}
    for path in sorted((folder / "tensorboard").rglob("events.out.tfevents.*")):
        events = EventAccumulator(str(path)).Reload()
        if key in events.Tags()["scalars"]:
            found |= {event.step: event.value for event in events.Scalars(key)}
    return found


@pytest.mark.parametrize("log_with", ["", "train.log_with=[tensorboard]"])
def test_tensorboard_shows_what_the_log_holds(recipe, log_with: str) -> None:
    more = [log_with] if log_with else []
    made = recipe("train.steps=3", "train.log_every=1", *more, base="smoke/recogniser")
    folder = train.run(made, "rec", device="cpu")
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    expected = {line["step"]: line["loss"] for line in lines if "loss" in line}
    assert set(expected) == {1, 2, 3}
    assert scalars(folder, "loss") == pytest.approx(expected, rel=1e-6)


def test_no_tracker_where_none_is_asked_for(recipe) -> None:
    folder = train.run(recipe("train.steps=1", "train.log_with=[]", base="smoke/recogniser"), "rec", device="cpu")
    assert (folder / "log.jsonl").is_file()
    assert not (folder / "tensorboard").exists()


def test_trackers_that_cannot_be_had_are_one_line_before_anything_is_trained(
    recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    import accelerate.tracking

    with pytest.raises(ConfigError, match=r"train.log_with.*'tensorbord'"):
        recipe("train.log_with=[tensorbord]", base="smoke/recogniser")
    monkeypatch.setattr(accelerate.tracking, "get_available_trackers", list)
    made = recipe("train.steps=1", "train.log_with=[comet_ml]", base="smoke/recogniser")
    with pytest.raises(UsageError, match=r"train.log_with: comet_ml is not installed; pip install comet-ml"):
        train.run(made, "rec", device="cpu")
    assert not train.output_folder(made, "rec").exists()
    assert trackers.chosen(None) == ["tensorboard"]


def test_a_tracker_that_cannot_be_opened_is_one_line(recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    from accelerate import Accelerator

    def offline(*_: object, **__: object) -> None:
        raise ConnectionError("no route to the server")

    monkeypatch.setattr(Accelerator, "init_trackers", offline)
    with pytest.raises(MotionPlatformError, match=r"a tracker could not be opened: no route to the server"):
        train.run(recipe("train.steps=1", base="smoke/recogniser"), "rec", device="cpu")


@pytest.mark.skipif(bool(importlib.util.find_spec("deepspeed")), reason="it is installed here")
def test_an_engine_that_is_not_installed_is_one_line(tmp_path, monkeypatch):
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state()
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    with pytest.raises(UsageError, match="an engine that is not here: DeepSpeed is not installed") as caught:
        trackers.accelerator_for(tmp_path, [], precision="no", cpu=False)
    assert "\n" not in str(caught.value)
    AcceleratorState._reset_state()
