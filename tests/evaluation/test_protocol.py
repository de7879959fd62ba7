"""Repeats, intervals, real motion and bounds, on toy data with untrained models: every oracle is a closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from motion_platform.core.config import MetricRecipe
from motion_platform.core.contracts import clip_of
from motion_platform.core.errors import ConfigError, DataError, UsageError
from motion_platform.core.schema import Batch, Motion, Sampling
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.writer import PreparedWriter
from motion_platform.evaluation import passes as evaluate
from motion_platform.evaluation import protocol
from motion_platform.evaluation.bounds import motion as bounds
from motion_platform.evaluation.bounds.motion import RealMotion
from motion_platform.evaluation.judges import Judges
from motion_platform.evaluation.protocol import Repeats
from motion_platform.evaluation.sources import ModelSource, others_of
from motion_platform.evaluation.testset import Item, TestSet
from motion_platform.model.motion_model import MotionModel
from motion_platform.motion.representations import get_representation
from motion_platform.pipelines import search
from motion_platform.spaces.text_motion import TextMotion
from motion_platform.training import build


@pytest.fixture
def space(recipe, tmp_path: Path) -> str:
    """An untrained text-motion space of 16 dimensions."""
    torch.manual_seed(1)
    run = build.assemble(recipe("slots.text.encoder=letters", base="smoke/text_motion"), name="space")
    return str(run.model.save_pretrained(tmp_path / "space"))


@pytest.fixture
def model(recipe) -> MotionModel:
    """An untrained generator of three steps."""
    torch.manual_seed(0)
    return build.assemble(recipe(), name="toy").model.eval()


@pytest.fixture
def test(toy_data: Path) -> TestSet:
    return TestSet(PreparedDataset.open(toy_data), "train", batch_size=7)


def test_what_is_measured_is_what_is_delivered(
    model: MotionModel, test: TestSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The finishing that belongs to a model is done before any metric sees its motion."""
    heard = []

    def finished(motion, raw):
        heard.append(raw["text_high"])
        motion.x = torch.full_like(motion.x, 0.125)
        return motion

    monkeypatch.setattr(model.trainable, "finished", finished)
    items = test.batches[0]
    batch = test.batch(items, ("text_high", "text_low"))
    made = ModelSource(model).predict(batch, items, 0)
    assert made.x[made.mask].eq(0.125).all()
    assert heard == [batch.raw["text_high"]]


def in_space(space: str, *names: str, **settings) -> list[MetricRecipe]:
    return [MetricRecipe(name=name, space=space, settings=settings) for name in names]


def test_mean_and_interval_are_those_of_the_papers() -> None:
    values = [1.0, 2.0, 4.0, 9.0]
    mean, interval = protocol.mean_and_interval(values)
    assert mean == 4.0
    assert interval == pytest.approx(1.96 * np.std(values, ddof=1) / math.sqrt(4))
    assert protocol.mean_and_interval([3.0]) == (3.0, None)


def test_batches_hold_every_clip_once_and_like_lengths(test: TestSet) -> None:
    rows = [row for batch in test.batches for row, _ in batch]
    assert sorted(rows) == sorted(test.rows)
    frames = [test.frames(row) for row in rows]
    assert frames == sorted(frames)
    several = [item for batch in test.several(3, 4, seed=5) for item in batch]
    assert len(several) == 12
    assert len({row for row, _ in several}) == 3
    assert {row for row, _ in several} != {row for b in test.several(3, 4, seed=6) for row, _ in b}


def test_real_motion_is_perfect_and_measured_once(test: TestSet, space: str) -> None:
    metrics = [*in_space(space, "frechet"), *in_space(space, "diversity", pairs=5)]
    judges = Judges([*metrics, MetricRecipe(name="mpjpe"), MetricRecipe(name="foot_skating")], test)
    row = protocol.row(bounds.RealMotion(), judges, Repeats(repeats=4, seed=3))
    found = row.facts["metrics"]
    assert found["frechet"]["mean"] == pytest.approx(0, abs=1e-9)
    assert found["mpjpe"]["values"] == [0.0]
    assert found["mpjpe"]["interval"] is None
    assert found["diversity"]["n"] == 4  # other pairs in every repeat
    assert len(set(found["diversity"]["values"])) > 1
    assert row.facts["seeds"] == [3000, 3001, 3002, 3003]


def test_every_repeat_has_other_noise_and_the_same_seed_the_same(test: TestSet, space: str, model: MotionModel) -> None:
    judges = Judges([MetricRecipe(name="jerk")], test)
    rows = [
        protocol.row(ModelSource(model), judges, Repeats(repeats=3, seed=s)).facts["metrics"]["jerk"] for s in (0, 0, 1)
    ]
    assert rows[0]["values"] == rows[1]["values"]
    assert len({*rows[0]["values"], *rows[2]["values"]}) == 6
    assert rows[0]["mean"] == pytest.approx(np.mean(rows[0]["values"]))


def test_a_motion_is_embedded_once_a_repeat_and_a_space(
    test: TestSet, space: str, model: MotionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    embed = TextMotion.embed
    monkeypatch.setattr(TextMotion, "embed", lambda self, motion: seen.append(len(motion.x)) or embed(self, motion))
    metrics = [*in_space(space, "frechet", "multimodal_distance", "manifold"), *in_space(space, "r_precision", pool=4)]
    judges = Judges(metrics, test)
    n = len(test.rows)
    protocol.row(bounds.RealMotion(), judges, Repeats(repeats=3))
    assert sum(seen) == n
    protocol.row(ModelSource(model), judges, Repeats(repeats=3))
    assert sum(seen) == 4 * n


def test_metrics_of_several_motions_get_them(test: TestSet, space: str, model: MotionModel) -> None:
    metrics = in_space(space, "multimodality", clips=3, generations=4, pairs=2)
    judges = Judges([*metrics, MetricRecipe(name="jerk")], test)
    row = protocol.row(ModelSource(model), judges, Repeats(repeats=3, several_repeats=2))
    assert row.facts["metrics"]["multimodality"]["n"] == 2
    assert row.facts["metrics"]["multimodality"]["mean"] > 0
    assert row.facts["motions_made"] == 3 * len(test.rows) + 2 * 3 * 4
    real = protocol.row(bounds.RealMotion(), judges, Repeats(repeats=3))
    assert "multimodality" not in real.facts["metrics"]
    assert "several motions" in real.facts["refused"]["multimodality"]


def test_a_set_that_is_too_small_is_said_and_the_rest_measured(toy_data: Path, space: str, model: MotionModel) -> None:
    judges = Judges(
        [*in_space(space, "frechet"), MetricRecipe(name="jerk")], TestSet(PreparedDataset.open(toy_data), "test")
    )
    row = protocol.row(ModelSource(model), judges, Repeats(repeats=2))
    assert row.facts["refused"]["frechet"].startswith("frechet: 8 samples of 16 dimensions")
    assert list(row.facts["metrics"]) == ["jerk"]


def test_a_model_that_makes_nan_is_an_error_with_clip_and_frame(test: TestSet, model: MotionModel, monkeypatch) -> None:
    generate = MotionModel.generate

    def broken(self, raw, lengths, ids, **settings):
        motion = generate(self, raw, lengths, ids, **settings)
        if "clip006" in ids:
            motion.x[ids.index("clip006"), 5, 3] = float("nan")
        return motion

    monkeypatch.setattr(MotionModel, "generate", broken)
    with pytest.raises(DataError, match="toy: the motion for 'clip006' has a NaN or infinite value in frame 5"):
        protocol.row(ModelSource(model, name="toy"), Judges([MetricRecipe(name="jerk")], test), Repeats(repeats=1))


def test_only_the_conditions_that_are_given_count(test: TestSet, model: MotionModel) -> None:
    items = test.batches[0]
    batch = test.batch(items, ("text_high", "text_low"))

    def made(**settings) -> torch.Tensor:
        return ModelSource(model, **settings).predict(batch, items, 0).x

    assert not torch.equal(made(given=["text_high"]), made())
    high = Sampling(guidance={"text_low": 0.0})
    assert torch.allclose(made(given=["text_high"]), made(sampling=high), atol=1e-5)
    with pytest.raises(UsageError, match="did you mean 'text_high'"):
        ModelSource(model, given=["text_hihg"])


def test_bfloat16_is_near_and_not_the_same(test: TestSet, model: MotionModel) -> None:
    items = test.batches[0]
    batch = test.batch(items, ("text_high", "text_low"))
    exact, fast = (ModelSource(model, precision=p).predict(batch, items, 0).x for p in ("fp32", "bf16"))
    assert fast.dtype == torch.float32
    assert 0 < (exact - fast).abs().max() < 0.5


def test_a_shuffled_slot_is_that_of_another_clip_and_the_others_stay(model: MotionModel, test: TestSet) -> None:
    (items, *_) = test.batches
    batch = test.batch(items, ("text_high", "text_low"))
    source = ModelSource(model, shuffled=["text_high"])
    source.prepare(test, 0, 1)
    other = others_of(test)
    assert sorted(other) == sorted(test.rows)
    for row, its in other.items():
        assert test.recordings[test.dataset.id(row)] != test.recordings[test.dataset.id(its)]
    given = dict(batch.raw)
    given["text_high"] = test.batch([(other[row], None) for row, _ in items], ("text_high",)).raw["text_high"]
    expected = model.generate(given, batch.lengths, batch.ids, seed=3).x
    made = source.predict(batch, items, 3).x
    assert torch.equal(made, expected)
    assert not torch.equal(made, ModelSource(model).predict(batch, items, 3).x)
    assert source.identity() != ModelSource(model).identity()
    with pytest.raises(UsageError, match="no condition 'text_hgh'"):
        ModelSource(model, shuffled=["text_hgh"])


# ---------------------------------------------------------------- bounds


def test_shuffled_captions_are_always_those_of_another_clip(test: TestSet) -> None:
    source = bounds.ShuffledCaptions()
    source.prepare(test, 0, 1)
    for seed in range(5):
        asked = source.asked(test.rows, seed)
        assert sorted(asked) == sorted(test.rows)
        assert all(a != b for a, b in zip(asked, test.rows, strict=True))
        assert source.asked(test.rows[3:5], seed) == asked[3:5]  # whatever the batch


def test_a_random_clip_is_long_enough_real_and_another_one_each_time(toy_data: Path) -> None:
    test = TestSet(PreparedDataset.open(toy_data), "test")
    source = bounds.RandomClip()
    source.prepare(test, 0, 1)
    (items,) = test.batches
    batch = test.batch(items, ())
    motion = source.predict(batch, items, 1)
    longest = max(int(test.dataset.frames[row]) for row in test.dataset.indices("train"))
    train = [test.dataset.features(row) for row in test.dataset.indices("train")]
    for b, asked in enumerate(batch.lengths.tolist()):
        n = int(motion.lengths[b])
        assert n == min(asked, longest)
        assert any(len(x) >= n and np.array_equal(x[:n], motion.x[b, :n].numpy()) for x in train)
    assert not torch.equal(source.predict(batch, items, 2).x, motion.x)
    alone = source.predict(test.batch(items[2:3], ()), items[2:3], 1)
    assert torch.equal(alone.x[0], motion.x[2, : alone.x.shape[1]])


def test_a_clip_of_the_same_labels_is_whole_and_of_the_training_split(toy_data: Path) -> None:
    test = TestSet(PreparedDataset.open(toy_data), "test")
    bound = bounds.SameLabels()
    bound.prepare(test, 0, 1)
    (items, *_) = test.batches
    made = bound.predict(test.batch(items, ()), items, seed=1)
    train = {row: test.dataset.labels(row) for row in test.dataset.indices("train")}
    for (row, _), x, n in zip(items, made.x, made.lengths.tolist(), strict=True):
        same = [r for r, labels in train.items() if labels == test.dataset.labels(row) and test.dataset.frames[r] == n]
        assert any(np.array_equal(x[:n], test.dataset.features(r)) for r in same)


def test_the_nearest_caption_finds_the_clip_that_says_the_same(toy_data: Path) -> None:
    test = TestSet(PreparedDataset.open(toy_data), "test")
    source = bounds.NearestCaption()
    source.prepare(test, 0, 1)
    said = {row: test.dataset.captions(row)[0][0] for row in range(len(test.dataset))}
    known = {said[row] for row in source.train}
    for row in test.rows:
        near = {said[source.train[i]] for i in source.nearest[row]}
        assert near == ({said[row]} if said[row] in known else near)
        assert len(near) == 1
        assert len(source.nearest[row]) == sum(said[train] == next(iter(near)) for train in source.train)


def test_the_nearest_in_the_space_is_the_training_clip_that_a_search_finds(sample_dataset: PreparedDataset) -> None:
    test = TestSet(sample_dataset, "test", 3)
    source = bounds.NearestInSpace()
    source.prepare(test, 0, 1)
    (items, *_) = test.batches
    made = source.predict(test.batch(items, ()), items, seed=1)
    space = search.load(None).model
    for (row, _), x, n in zip(items, made.x, made.lengths.tolist(), strict=True):
        said = sample_dataset.captions(row)[0][0]
        (hit,) = search.by_text(space, sample_dataset, said, top=1, split="train")
        assert n == min(int(sample_dataset.frames[hit.row]), 196)
        assert np.array_equal(x[:n], sample_dataset.features(hit.row)[:n])


def test_the_space_of_another_skeleton_is_refused(gesture_folder: Path) -> None:
    test = TestSet(PreparedDataset.open(gesture_folder), "test", max_frames=40)
    with pytest.raises(UsageError, match=r"reads humanml3d at 20 fps, and .* leave this bound out"):
        bounds.NearestInSpace().prepare(test, 0, 1)


def test_the_mean_pose_stands_still(test: TestSet) -> None:
    source = bounds.MeanPose()
    source.prepare(test, 0, 1)
    items = test.batches[-1]
    batch = test.batch(items, ())
    motion = source.predict(batch, items, 0)
    joints = evaluate.row_joints(motion, 2)
    assert len(joints) == int(batch.lengths[2])
    assert np.abs(joints - joints[:1]).max() < 1e-5
    assert motion.x[0, int(motion.lengths[0]) :].abs().sum() == 0


def test_the_mean_pose_of_a_body_with_rotations_stands_still(gesture_folder: Path) -> None:
    test = TestSet(PreparedDataset.open(gesture_folder), "test", max_frames=40)
    source = bounds.MeanPose()
    source.prepare(test, 0, 1)
    motion = source.predict(test.batch(test.batches[0], ()), test.batches[0], 0)
    joints = evaluate.row_joints(motion, 0)
    assert joints.shape == (40, 75, 3)
    assert np.abs(joints - joints[:1]).max() < 1e-5
    mean = get_representation("zeggs").to_joints(test.spec.mean[None].numpy())
    assert np.abs(joints[0] - mean[0]).max() < 1e-4


# ---------------------------------------------------------------- judges and one pass


def test_judges_refuse_what_cannot_be_measured(test: TestSet, space: str) -> None:
    with pytest.raises(UsageError, match="frechet: needs a truth; write space"):
        Judges([MetricRecipe(name="frechet")], test)
    with pytest.raises(UsageError, match="jerk: looks at motions themselves"):
        Judges(in_space(space, "jerk"), test)
    with pytest.raises(ConfigError, match=r"frechet@.* is there twice"):
        Judges(in_space(space, "frechet", "frechet"), test)
    with pytest.raises(UsageError, match="does not classify"):
        Judges(in_space(space, "recognition"), test)
    with pytest.raises(UsageError, match="judges captions"):
        Judges([MetricRecipe(name="caption_raw")], test)


def test_one_pass_for_validation(recipe, space: str) -> None:
    run = build.assemble(recipe(), name="toy")
    run.model.train()
    metrics = [*in_space(space, "multimodal_distance", "frechet"), MetricRecipe(name="foot_skating")]
    found = evaluate.measure_run(run, metrics=metrics, split="train", samples=5, batch_size=2)
    assert run.model.training
    assert found["samples"] == 5
    assert set(found["metrics"]) >= {"multimodal_distance", "foot_skating"}
    assert list(found["refused"]) == ["frechet"]


def test_a_space_is_its_own_judge_of_real_motion(recipe) -> None:
    run = build.assemble(recipe("slots.text.encoder=letters", base="smoke/text_motion"), name="space")
    metrics = [MetricRecipe(name="multimodal_distance"), MetricRecipe(name="r_precision", settings={"pool": 4})]
    found = evaluate.measure_run(run, metrics=metrics, split="train")
    assert found["metrics"]["multimodal_distance"] > 0


def test_ids_of_generations_are_those_of_their_clips(test: TestSet) -> None:
    for items in test.several(2, 3, 0):
        batch = test.batch(items, ())
        assert [clip_of(i) for i in batch.ids] == [test.dataset.id(row) for row, _ in items]
        assert len(set(batch.ids)) == len(batch.ids)


def test_a_row_carries_the_interval_over_recordings(test: TestSet, model: MotionModel) -> None:
    row = protocol.row(ModelSource(model), Judges([MetricRecipe(name="jerk")], test), Repeats(repeats=2))
    found = row.facts["metrics"]["jerk"]
    assert found["interval_over_recordings"] > 0
    assert row.arrays["recordings"].tolist() == [test.dataset.source(r) for r in test.rows]


class Listener(RealMotion):
    """Real motion; remembers which captions it was asked with, by repeat and clip."""

    slots = ("text_high",)

    def __init__(self) -> None:
        self.heard: dict[int, dict[str, str]] = {}

    def predict(self, batch: Batch, items: Sequence[Item], seed: int) -> Motion:
        self.heard.setdefault(seed, {}).update(zip(batch.ids, batch.raw["text_high"], strict=True))
        return batch.motion


def test_every_repeat_draws_one_of_a_clips_captions_for_model_and_judge_alike(toy_data: Path, space: str) -> None:
    """The oracle: the captions that the model was asked with, embedded by the space alone."""
    drawn = TestSet(PreparedDataset.open(toy_data), "train", batch_size=7, captions="random")
    judges, source = Judges(in_space(space, "multimodal_distance"), drawn), Listener()
    source.fixed = False
    values = protocol.row(source, judges, Repeats(repeats=6)).facts["metrics"]["multimodal_distance"]["values"]
    model = judges.spaces[space]
    motion = {
        drawn.dataset.id(row): model.trainable.embed(drawn.batch([(row, None)], ()).motion)[0] for row in drawn.rows
    }
    known = {drawn.dataset.id(row): drawn.dataset.captions(row)[0] for row in drawn.rows}
    for value, (seed, heard) in zip(values, source.heard.items(), strict=True):
        assert all(caption in known[clip] for clip, caption in heard.items())
        text = model.trainable.embed_condition(model.conditioning({"text": list(heard.values())}))
        far = [(motion[clip] - text[b]).norm().item() for b, clip in enumerate(heard)]
        assert value == pytest.approx(np.mean(far), rel=1e-4), seed
    times = np.array([[heard[clip] == known[clip][0] for clip in sorted(known)] for heard in source.heard.values()])
    assert 0.3 < times.mean() < 0.7  # 144 fair draws: 4.8 standard deviations
    assert len({tuple(row) for row in times.tolist()}) == 6
    fixed = protocol.row(RealMotion(), judges, Repeats(repeats=6)).facts["metrics"]["multimodal_distance"]
    assert fixed["values"] == pytest.approx(values, rel=1e-6)
    first = TestSet(PreparedDataset.open(toy_data), "train", batch_size=7)
    assert first.fingerprint != drawn.fingerprint
    assert (
        protocol.row(RealMotion(), Judges(in_space(space, "multimodal_distance"), first), Repeats(repeats=6)).facts[
            "metrics"
        ]["multimodal_distance"]["n"]
        == 1
    )


def test_a_space_that_hears_and_a_clip_without_caption_cost_one_metric(space: str, tmp_path: Path) -> None:
    with PreparedWriter(tmp_path / "dumb", name="toy", representation="humanml3d_essential", licence="none") as writer:
        for i in range(4):
            said = [f"a person walks {i}"] if i else []
            x = np.random.default_rng(i).normal(size=(30, 67)).astype(np.float32)
            writer.add(id=f"{i}", split="test", source="toy", features=x, captions_high=said, labels={})
        writer.add(id="train", split="train", source="toy", features=x, captions_high=["a man"], labels={})
        writer.finish({})
    dumb = TestSet(PreparedDataset.open(tmp_path / "dumb"), "test")
    metrics = [*in_space(space, "multimodal_distance"), *in_space("beat_tracker", "frechet"), MetricRecipe(name="jerk")]
    facts = protocol.row(bounds.RealMotion(), Judges(metrics, dumb, lenient=True), Repeats(repeats=1)).facts
    assert set(facts["metrics"]) == {"jerk"}
    assert "clip '0' has no caption" in facts["refused"]["multimodal_distance"]
    assert "beat_tracker does not embed motion" in facts["refused"]["frechet"]
