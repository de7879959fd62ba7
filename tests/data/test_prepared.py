"""Reading a prepared dataset: order, splits, views, specs."""

import numpy as np
import pytest
import torch

from motion_platform.core.errors import DataError, UnknownName, UsageError
from motion_platform.data.prepared import PreparedDataset
from motion_platform.motion.representations import get_representation


def test_ids_are_sorted_and_splits_are_a_partition(sample_dataset):
    ids = sample_dataset.ids()
    assert ids == sorted(ids)
    assert len(ids) == len(set(ids)) == len(sample_dataset)
    parts = [sample_dataset.indices(split) for split in ("train", "val", "test")]
    assert sorted(i for part in parts for i in part) == list(range(len(sample_dataset)))
    assert all(parts)
    assert sample_dataset.ids("test") == [sample_dataset.id(i) for i in parts[2]]
    assert all(sample_dataset.index(id) == i for i, id in enumerate(ids))
    with pytest.raises(UnknownName, match="did you mean 'test'"):
        sample_dataset.indices("tests")
    with pytest.raises(UsageError, match="no clip 'nobody'"):
        sample_dataset.index("nobody")


def test_features_are_views_into_the_file(sample_dataset):
    for i in range(len(sample_dataset)):
        x = sample_dataset.features(i)
        assert x.shape == (sample_dataset.frames[i], 263)
        assert x.dtype == np.float32
        assert not x.flags.owndata
        assert not x.flags.writeable
        assert np.isfinite(x).all()
    np.testing.assert_array_equal(sample_dataset.features(3, slice(0, 67)), sample_dataset.features(3)[:, :67])


def test_spec_of_the_stored_representation_and_of_its_prefix(sample_dataset):
    whole, part = sample_dataset.spec("humanml3d"), sample_dataset.spec("humanml3d_essential")
    assert (whole.dim, part.dim) == (263, 67)
    assert torch.equal(whole.mean[:67], part.mean)
    assert torch.equal(whole.std[:67], part.std)
    assert (part.representation, part.skeleton, part.fps) == ("humanml3d_essential", "humanml3d", 20.0)
    with pytest.raises(UsageError, match="kit_ml is not a prefix"):
        sample_dataset.spec("kit_ml")
    with pytest.raises(UnknownName):
        sample_dataset.spec("humanml4d")


def test_the_prefix_is_what_the_smaller_representation_encodes(sample_dataset):
    decoded = get_representation("humanml3d").to_joints(sample_dataset.features(5))
    again = get_representation("humanml3d_essential").encode(decoded)
    stored = sample_dataset.features(5, sample_dataset.columns("humanml3d_essential"))[:-1]
    np.testing.assert_allclose(again[:, 1:], stored[:, 1:], atol=2e-2)  # one frame fewer moves the smoothed heading


def test_statistics_are_of_the_training_split_only(sample_dataset):
    train = np.concatenate([sample_dataset.features(i) for i in sample_dataset.indices("train")]).astype(np.float64)
    statistics = sample_dataset.meta["statistics"]
    np.testing.assert_allclose(statistics["mean"], train.mean(0), atol=1e-9)
    np.testing.assert_allclose(statistics["std_per_column"], train.std(0), atol=1e-9)
    assert statistics["frames"] == len(train)
    normal = sample_dataset.spec("humanml3d").normalise(torch.from_numpy(train.astype(np.float32)))
    assert normal[:, 4:67].std().item() == pytest.approx(1, abs=0.35)


def test_what_a_slot_can_read_of_a_clip(sample_dataset):
    row = sample_dataset.index("dataset-1_bow_angry_001")
    high, low = sample_dataset.captions(row)
    assert len(high) > 2
    assert sample_dataset.inputs(row, "text") == sample_dataset.inputs(row, "text_high") == high
    assert sample_dataset.inputs(row, "text_high", 2) == high[:2]
    assert sample_dataset.inputs(row, "text_low") == low
    assert [sample_dataset.inputs(row, slot) for slot in ("content", "style", "label")] == [
        ["bow"], ["angry"], ["bow angry"],
    ]  # fmt: skip
    bare = next(i for i in range(len(sample_dataset)) if not sample_dataset.labels(i))
    assert sample_dataset.inputs(bare, "label") == sample_dataset.inputs(bare, "style") == []
    with pytest.raises(UnknownName, match="unknown slot 'text_hihg'; did you mean 'text_high'"):
        sample_dataset.inputs(row, "text_hihg")


def test_missing_folder_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match="motion data prepare"):
        PreparedDataset.open(tmp_path / "nowhere")
