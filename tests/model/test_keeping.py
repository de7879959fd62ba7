"""What is given of a clip, and the bounds that complete it: closed forms."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from motion_platform.core import config, tasks
from motion_platform.core.config import MetricRecipe
from motion_platform.core.contracts import generation_id
from motion_platform.core.errors import ConfigError, DataError
from motion_platform.core.tasks import Keep
from motion_platform.data.prepared import PreparedDataset
from motion_platform.evaluation import passes as evaluate
from motion_platform.evaluation import protocol
from motion_platform.evaluation.bounds import motion as bounds
from motion_platform.evaluation.bounds.completion import (
    ConstantRootVelocity,
    ConstantVelocity,
    RepeatLastPose,
    StraightLines,
    last_given,
)
from motion_platform.evaluation.judges import Judges
from motion_platform.evaluation.protocol import Repeats
from motion_platform.evaluation.sources import ModelSource, source_for
from motion_platform.evaluation.testset import TestSet
from motion_platform.metrics.base import joints_of
from motion_platform.model import keeping
from motion_platform.model.motion_model import MotionModel
from motion_platform.model.run import load_run, why_not
from motion_platform.motion.representations import get_representation
from motion_platform.training import build

HOWS = ("prefix", "in_between", "initial_pose", "last_pose", "key_poses")


def frames_of(keep: Keep, length: int, sample: str = "a") -> list[int]:
    return keeping.kept_frames(keep, [length], [sample])[0].nonzero()[:, 0].tolist()


def test_what_is_given() -> None:
    assert frames_of(Keep(how="prefix", part=0.2), 50) == list(range(10))
    assert frames_of(Keep(how="prefix", part=0.2), 54) == list(range(10))
    assert frames_of(Keep(how="in_between", part=0.25), 40) == [*range(10), *range(30, 40)]
    assert frames_of(Keep(how="initial_pose"), 40) == [0, 1, 2, 3]
    assert frames_of(Keep(how="last_pose", pose_frames=2), 40) == [38, 39]


def test_key_poses_are_whole_tokens_drawn_by_the_clip() -> None:
    keep, counts, drawn = Keep(how="key_poses", poses=[3, 5], pose_frames=4), set(), set()
    for k in range(60):
        given = frames_of(keep, 41, f"clip {k}")
        assert [f for f in given if f % 4 == 0] == given[::4]
        assert all(b - a == 1 for a, b in itertools.pairwise(given) if b % 4)
        counts.add(len(given) // 4)
        drawn.add(tuple(given))
        assert frames_of(keep, 41, generation_id(f"clip {k}", 2)) == given
    assert counts == {3, 4, 5}
    assert len(drawn) > 50


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("length", range(1, 14))
def test_something_is_always_given_and_something_left(how: str, length: int) -> None:
    mask = keeping.kept_frames(Keep(how=how), [length, 40], ["a", "b"])
    assert mask.shape == (2, 40)
    assert not mask[0, length:].any()
    assert 1 <= int(mask[0].sum()) <= max(1, length - 1)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"how": "suffix"}, "prefix"),
        ({"how": "prefix", "part": 1.0}, "part"),
        ({"how": "in_between", "part": 0.5}, "leaves nothing to make"),
        ({"how": "key_poses", "poses": [5, 3]}, "least <= most"),
        ({"how": "key_poses", "poses": [3]}, "poses"),
    ],
)
def test_an_impossible_card_is_refused(values: dict, said: str) -> None:
    card = tasks.load("motion_prediction").model_dump() | {"keep": values}
    with pytest.raises(ConfigError, match=said):
        tasks.check(card, "card")


def test_keep_needs_a_motion_to_read_and_one_to_write() -> None:
    card = tasks.load("motion_prediction").model_dump()
    for change in ({"reads": {"text": "text"}}, {"writes": "captions"}):
        with pytest.raises(ConfigError, match="keep: is for a task that reads a motion and writes motion"):
            tasks.check(card | change, "card")


# ---------------------------------------------------------------- bounds


@pytest.fixture
def straight() -> np.ndarray:
    """(12, 3, 3) joints that each go their own straight way."""
    steps = np.random.default_rng(0).normal(size=(1, 3, 3))
    return steps * np.arange(12.0)[:, None, None] + np.random.default_rng(1).normal(size=(1, 3, 3))


def test_bounds_read_only_what_is_given(straight: np.ndarray) -> None:
    given = np.isin(np.arange(12), [3, 4, 8, 9])
    blind = np.where(given[:, None, None], straight, np.nan)
    for bound in (RepeatLastPose(), ConstantVelocity(), ConstantRootVelocity(), StraightLines()):
        filled = bound.fill(blind, given)
        assert np.isfinite(filled).all(), bound.name
        assert np.array_equal(filled[given], straight[given]), bound.name


def test_straight_motion_is_no_secret_to_who_goes_straight(straight: np.ndarray) -> None:
    given = np.isin(np.arange(12), [3, 4, 8, 9])
    assert np.allclose(ConstantVelocity().fill(straight, given), straight)
    assert np.allclose(StraightLines().fill(straight, given)[3:10], straight[3:10])
    glide = ConstantRootVelocity().fill(straight, given)
    assert np.allclose(glide[:, 0, [0, 2]], straight[:, 0, [0, 2]])
    assert np.allclose(glide[10] - glide[9], (straight[10, 0] - straight[9, 0]) * (1, 0, 1))


def test_standing_still_repeats_the_pose_before(straight: np.ndarray) -> None:
    given = np.isin(np.arange(12), [3, 8])
    assert last_given(given).tolist() == [3, 3, 3, 3, 3, 3, 3, 3, 8, 8, 8, 8]
    assert np.array_equal(RepeatLastPose().fill(straight, given), straight[last_given(given)])
    assert np.array_equal(ConstantVelocity().fill(straight, given), straight[last_given(given)])  # no step is known


def test_every_task_has_the_bounds_that_fit_it() -> None:
    names = ("text_to_motion", "motion_to_text", "random_motion")
    found = {name: bounds.bounds_for(tasks.load(name)) for name in names}
    looked_up = ["random_clip", "nearest_caption", "same_labels", "nearest_in_space"]
    assert found["text_to_motion"] == [*looked_up, "mean_pose", "shuffled_captions"]
    assert "nearest_sound" in bounds.bounds_for(tasks.load("speech_to_gesture"))
    assert found["motion_to_text"] == ["random_caption", "nearest_motion"]
    assert found["random_motion"] == ["random_clip", "mean_pose"]
    still = ["random_clip", "mean_pose", "repeat_last_pose", "constant_velocity", "constant_root_velocity"]
    assert bounds.bounds_for(tasks.load("motion_prediction")) == still
    assert bounds.bounds_for(tasks.load("motion_in_between")) == [*still, "straight_lines"]
    assert bounds.bounds_for(tasks.load("keyframes_to_motion")) == [*still, "straight_lines"]  # with words, as without
    assert bounds.bounds_for(tasks.load("motion_tokens")) == ["random_clip", "mean_pose"]
    assert bounds.bounds_for(tasks.load("length_from_text")) == ["median_length", "median_length_of_content"]
    assert bounds.bounds_for(tasks.load("motion_to_text"), ["mean_pose", "random_caption"]) == ["random_caption"]


# ---------------------------------------------------------------- through the protocol


@pytest.fixture
def real() -> TestSet:
    """Real motion of the packaged sample, of which the first fifth is given."""
    from motion_platform.data.sources import sample

    return TestSet(PreparedDataset.open(sample.folder()), "test", 6, keep=tasks.load("motion_prediction").keep)


@pytest.fixture
def small() -> MotionModel:
    """An untrained generator of the smoke recipe's size, without texts."""
    torch.manual_seed(0)
    recipe = config.load_recipe(build.cards.find("configs", "smoke/text_to_motion"))
    return build.assemble(recipe, name="small").model.eval()


METRICS = [MetricRecipe(name=name) for name in ("ade", "fde", "keyposes")]


def test_bounds_keep_what_is_given(real: TestSet) -> None:
    judges = Judges(METRICS, real)
    for name in ("repeat_last_pose", "constant_velocity", "constant_root_velocity"):
        found = protocol.row(bounds.make_bound(name), judges, Repeats(repeats=3)).facts["metrics"]
        assert found["keyposes_recon"]["mean"] == pytest.approx(0, abs=1e-5), name
        assert found["ade"]["mean"] > 0.1
        assert found["ade"]["n"] == 1
    truth = protocol.row(bounds.RealMotion(), judges, Repeats(repeats=1)).facts["metrics"]
    assert truth["ade"]["mean"] == 0


def test_standing_still_has_the_error_of_the_way_that_was_gone(real: TestSet) -> None:
    items = real.batches[-1]
    batch = real.batch(items, ())
    source = RepeatLastPose()
    source.prepare(real, 0, 1)
    made, true = joints_of(source.predict(batch, items, 0)), joints_of(batch.motion)
    for b, (x, y) in enumerate(zip(made, true, strict=True)):
        last = int(0.2 * len(y)) - 1
        assert torch.allclose(x[last:], y[last].expand_as(x[last:]), atol=1e-4), b


def test_a_model_keeps_what_is_given_and_makes_the_rest(real: TestSet, small: MotionModel) -> None:
    source = source_for(small, tasks.load("motion_prediction"), name="small")
    assert source.slots == ()
    row = protocol.row(source, Judges(METRICS, real), Repeats(repeats=2))
    assert row.facts["metrics"]["keyposes_recon"]["mean"] > 0.1, "of what an untrained model itself made"
    assert row.facts["metrics"]["keyposes_join"]["mean"] < row.facts["metrics"]["keyposes_vel"]["mean"]
    batch = real.batch(real.batches[0], source.slots)
    delivered, keep = source.predict(batch, real.batches[0], 0), batch.edit.keep.all(-1)
    decode = [get_representation(each.spec.representation).decode(each.x) for each in (delivered, batch.motion)]
    torch.testing.assert_close(decode[0][keep], decode[1][keep], rtol=0, atol=1e-4)
    assert len(set(row.facts["metrics"]["ade"]["values"])) == 2
    with_text = source_for(small, tasks.load("keyframes_to_motion"))
    assert with_text.slots == ("text_high", "text_low")


def test_a_recipe_may_be_for_a_task_that_completes(recipe) -> None:
    made = build.assemble(recipe("task=keyframes_to_motion"), name="own")
    found = evaluate.measure_run(made, metrics=METRICS[:1], split="train", samples=3)
    assert found["task"] == "keyframes_to_motion"
    assert found["metrics"]["ade"] > 0
    with pytest.raises(ConfigError, match="has no such slot"):
        build.assemble(recipe("task=motion_prediction"), name="own")


def test_kept_motions_are_those_of_the_same_task(real: TestSet, small: MotionModel, tmp_path: Path) -> None:
    def made(test: TestSet) -> torch.Tensor:
        source = ModelSource(small, given=(), cache=tmp_path)
        source.prepare(test, 0, 1)
        return source.predict(test.batch(test.batches[0], ()), test.batches[0], 0).x

    first = made(real)
    other = TestSet(real.dataset, "test", 6, keep=tasks.load("motion_in_between").keep)
    assert not torch.equal(made(other), first)
    assert torch.equal(made(real), first)
    assert other.fingerprint != real.fingerprint != TestSet(real.dataset, "test", 6).fingerprint


def test_a_bound_refuses_what_it_cannot_complete(real: TestSet) -> None:
    source = bounds.make_bound("repeat_last_pose")
    source.prepare(real, 0, 1)
    items = real.batches[0]
    batch = real.batch(items, ())
    batch.edit.keep = batch.edit.keep.clone()
    batch.edit.keep[0, 0, 3] = False
    with pytest.raises(DataError, match="only whole frames"):
        source.predict(batch, items, 0)
    batch.edit = None
    with pytest.raises(DataError, match="nothing of the motions is given"):
        source.predict(batch, items, 0)


def test_who_can_do_what(small: MotionModel, recipe) -> None:
    space = build.assemble(recipe("slots.text.encoder=letters", base="smoke/text_motion"), name="space").model
    for name in ("motion_prediction", "keyframes_to_motion", "random_motion", "length_from_text"):
        assert why_not(small, tasks.load(name)) is None, name
        assert "does not generate motion" in why_not(space, tasks.load(name))
    assert "makes no words of motion" in why_not(small, tasks.load("motion_to_text"))
    assert "was trained for text_to_motion, not motion_recognition" in why_not(small, tasks.load("motion_recognition"))
    assert why_not(small, tasks.load("text_to_motion")) is None


def test_who_makes_whole_motions_completes_none_and_labels_without_words_are_no_captions() -> None:
    planner, space = (load_run(name).model for name in ("gesture_planner", "gesture_space"))
    assert "makes whole motions" in why_not(planner, tasks.load("motion_prediction"))
    assert why_not(planner, tasks.load("random_motion")) is None
    assert "makes no words of motion" in why_not(space, tasks.load("motion_to_text"))
