import pytest
import torch

from motion_platform.core.errors import DataError
from motion_platform.core.schema import Motion, MotionSpec
from motion_platform.metrics.base import RatioState, check_batch, joint_indices


def test_pooled_means_and_weights():
    state = RatioState({"a": {"x": (3.0, 4.0), "y": (1.0, 1.0)}, "b": {"x": (1.0, 1.0)}, "c": {}})
    assert state.compute() == {"x": 0.8, "y": 1.0}
    assert state.ids == {"a", "b", "c"}


def test_any_order_and_any_sharding_give_the_same_bits():
    rows = {f"{i:03d}": {"x": (0.1 * i**1.5, 1.0 + 0.01 * i)} for i in range(200)}
    whole = RatioState(rows).compute()
    names = list(rows)
    shards = [RatioState({n: rows[n] for n in reversed(names[rank::7])}) for rank in range(7)]
    merged = shards[3]
    for rank in (6, 0, 5, 1, 4, 2):
        merged = merged.merge(shards[rank])
    assert merged.compute() == whole


def test_a_sample_counted_twice_is_refused():
    with pytest.raises(DataError, match="counted twice: a"):
        RatioState({"a": {}}).merge(RatioState({"a": {}, "b": {}}))


def test_nothing_to_average():
    with pytest.raises(DataError, match="no samples"):
        RatioState({}).compute()
    assert RatioState({"a": {"x": (0.0, 0.0)}}).compute() == {}


def test_nan_is_refused_with_the_sample():
    with pytest.raises(DataError, match="x: sample 'a' has a NaN"):
        RatioState({"a": {"x": (float("nan"), 1.0)}})


def test_a_body_without_a_joint_is_told_which():
    spec = MotionSpec("conductor", "coco_upper", 30.0, torch.zeros(26), torch.ones(26))
    motion = Motion(torch.zeros(1, 4, 26), torch.tensor([4]), spec)
    assert joint_indices(motion, ["left_wrist", "nose"]) == [9, 0]
    with pytest.raises(DataError, match="skeleton coco_upper, which has no joint left_foot"):
        joint_indices(motion, ["left_wrist", "left_foot"])


def test_a_batch_that_is_none_names_the_sample_that_is_wrong(oracles):
    motion = oracles.motion_of([oracles.standing(3)] * 4)
    batch = oracles.batch_of(motion)
    check_batch(motion, batch, "x")
    motion.x[2, 1, 5] = float("inf")
    with pytest.raises(DataError, match="x: the thing for 'clip 2' has a NaN or infinite value"):
        check_batch(motion, batch, "x", "thing")
    batch.ids = ["a", "b", "c", "b"]
    with pytest.raises(DataError, match=r"x: samples counted twice: b$"):
        check_batch(motion, batch, "x")


def test_a_sample_that_weighs_nothing_is_not_in_the_mean():
    state = RatioState({"a": {"x": (0.0, 0.0)}, "b": {"x": (1.5, 2.0)}, "c": {"y": (1.0, 1e-3)}})
    assert state.compute() == {"x": 0.75, "y": 1000.0}
    assert state.subset({"a", "b", "z"}).rows.keys() == {"a", "b"}
