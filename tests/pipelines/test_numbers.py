from __future__ import annotations

import pytest
import torch

from motion_platform.metrics.foot_skating import FootSkating
from motion_platform.model.run import load_run
from motion_platform.motion import io
from motion_platform.pipelines.numbers import numbers_of


@pytest.fixture(scope="module")
def run():
    return load_run("text_to_motion_small")


def test_the_numbers_of_a_clip_are_those_of_the_metrics_and_spaces(run, sample_root) -> None:
    from motion_platform.core.schema import Batch, Motion
    from motion_platform.motion.bodies import features_of

    clip = io.load(sample_root / "bandai-namco" / "dataset-1_dash_musical_001.bvh")
    numbers = {each["name"]: each for each in numbers_of(clip, "a person runs", run, load_run)}
    features = features_of(clip, run.model.spec)
    motion = Motion(features[None], torch.tensor([len(features)]), run.model.spec)
    expected = FootSkating().state(motion, Batch(["x"], {}, motion.lengths)).compute()["foot_skating"]
    assert numbers["foot_skating"]["value"] == pytest.approx(expected)
    assert numbers["foot_skating"]["better"] == "lower"
    assert numbers["content"]["value"] == load_run("recogniser").model.trainable.classify(motion)[0]["content"]
    space = load_run("text_motion").model
    with torch.no_grad():
        point = space.trainable.embed_condition(space.conditioning({"text": ["a person runs"]}))
        distance = torch.cdist(space.trainable.embed(motion), point).item()
    assert numbers["text_distance"]["value"] == pytest.approx(distance, rel=1e-4)


def test_what_is_not_there_is_left_out(run, sample_root) -> None:
    clip = io.load(sample_root / "bandai-namco" / "dataset-1_dash_musical_001.bvh")
    names = {each["name"] for each in numbers_of(clip, None, run, lambda name: None)}
    assert "foot_skating" in names
    assert not names & {"content", "text_distance"}
