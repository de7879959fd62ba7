"""Reading a prepared dataset: order, splits, views, specs."""

from pathlib import Path

import numpy as np
import pytest
import torch

from motion_platform.core.errors import DataError, UnknownName, UsageError
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.slots import Slot
from motion_platform.motion.representations import get_representation
from motion_platform.texts.joined import joined_text


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


def batch(**changed):
    """One record batch of two clips as the writer makes it, columns changed."""
    import pyarrow as pa

    features = [np.arange(2 * 263, dtype="<f4").tobytes(), np.ones(3 * 263, "<f4").tobytes()]
    columns = {
        "id": pa.array(["a", "b"]), "split": pa.array(["train", "val"]), "source": pa.array(["", ""]),
        "frames": pa.array([2, 3], pa.int32()), "features": pa.array(features, pa.large_binary()),
        "captions_high": pa.array([["x"], []], pa.list_(pa.string())),
        "captions_low": pa.array([[], ["y"]], pa.list_(pa.string())),
        "labels": pa.array(["{}", "{}"]), "mirrored": pa.array([False, True]),
    }  # fmt: skip
    columns |= changed
    return pa.RecordBatch.from_pydict({name: values for name, values in columns.items() if values is not None})


META = {"dim": 263, "name": "x", "representation": "humanml3d", "fps": 20.0}


def test_a_batch_that_holds_what_it_must_is_a_set():
    made = PreparedDataset.of_batches(Path("x"), META, [batch()], "x")
    assert (made.ids(), made.frames.tolist(), made.splits) == (["a", "b"], [2, 3], ["train", "val"])
    assert (made.indices(None), made.indices("val"), made.indices("test")) == ([0, 1], [1], [])
    with pytest.raises(UnknownName, match="unknown split 'vaal'; did you mean 'val'"):
        made.indices("vaal")
    np.testing.assert_array_equal(made.features(1), np.ones((3, 263)))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda pa: {"id": pa.array(["a", "a"])}, "an id is there twice"),
        (lambda pa: {"split": pa.array(["train", "other"])}, "split 'other'"),
        (lambda pa: {"split": pa.array([1, 2])}, "its columns are id, split"),
        (lambda pa: {"captions_high": pa.array(["x", "y"])}, "its columns are id, split"),
        (lambda pa: {"captions_low": pa.array([[1], []], pa.list_(pa.int32()))}, "its columns are id, split"),
        (lambda pa: {"labels": None}, "its columns are id, split"),
        (lambda pa: {"frames": pa.array([2, 4], pa.int32())}, "263 features a frame"),
        (lambda pa: {"frames": pa.array([2, 0], pa.int32()),
                     "features": pa.array([bytes(2 * 263 * 4), b""], pa.large_binary())}, "263 features a frame"),
        (lambda pa: {"features": pa.array([bytes(2104), bytes(3156)], pa.binary())}, "a column of binary instead of"),
    ],
)  # fmt: skip
def test_a_batch_that_does_not_hold_what_it_must_is_refused(changed, said):
    import pyarrow as pa

    with pytest.raises(DataError, match=rf"here: does not hold the columns that meta\.json says \(.*{said}"):
        PreparedDataset.of_batches(Path("x"), META, [batch(**changed(pa))], "here")


def test_both_texts_of_a_clip_are_every_pair_of_them(sample_dataset):
    row = sample_dataset.index("dataset-1_bow_angry_001")
    high, low = sample_dataset.captions(row)
    both = sample_dataset.inputs(row, Slot("text", "both"))
    assert len(both) == len({*high}) * max(len({*low}), 1)
    assert both[0] == joined_text(high[0], low[0])
    assert both[-1] == joined_text(high[-1], low[-1])
    of = PreparedDataset.of_batches(Path("x"), META, [batch()], "x")
    assert of.inputs(0, Slot("text", "both")) == ["x"]
    assert of.inputs(1, Slot("text", "both")) == ["y"]
    assert of.inputs(1, Slot("text", "high")) == []
    assert of.inputs(1, Slot("text", "low")) == ["y"]


def test_what_fills_a_slot(sample_dataset):
    made = PreparedDataset.of_batches(Path("x"), META, [batch()], "x")
    assert not made.fills([0, 1], Slot("audio", ""))
    assert made.fills([0], Slot("motion", ""))
    assert not made.fills([], Slot("motion", ""))
    assert made.fills([0, 1], Slot("text", "low"))
    assert not made.fills([0], Slot("text", "low"))
    with_sound = PreparedDataset.of_batches(Path("x"), META, [batch()], "x")
    with_sound.streams = {"mel": (90.0, 128)}
    assert with_sound.fills([0], Slot("audio", ""))
    assert not with_sound.fills([], Slot("audio", ""))
    assert not with_sound.fills([0], Slot("words", ""))
    with_sound.has_words = True
    assert with_sound.fills([0], Slot("words", ""))


def test_a_file_that_is_no_arrow_any_more_is_one_line(sample_folder, tmp_path, monkeypatch):
    import shutil

    folder = tmp_path / "set"
    shutil.copytree(sample_folder, folder)
    from motion_platform.data import prepared

    monkeypatch.setattr(prepared, "arrow_files", lambda folder, meta: [folder / "meta.json"])
    with pytest.raises(DataError, match=r"meta\.json: cannot be read as Arrow"):
        PreparedDataset.open(folder)


def told(**texts):
    """A set of two clips, 2 and 40 frames at 20 a second, of which the second says what is given."""
    import json

    import pyarrow as pa

    features = [bytes(2 * 263 * 4), bytes(40 * 263 * 4)]
    columns = {name: pa.array([json.dumps(type(value)()), json.dumps(value)]) for name, value in texts.items()}
    made = batch(frames=pa.array([2, 40], pa.int32()), features=pa.array(features, pa.large_binary()), **columns)
    return PreparedDataset.of_batches(Path("x"), META | dict.fromkeys(texts, True), [made], "x")


def test_a_word_belongs_to_what_it_is_said_in_for_any_time_at_all():
    said = [["a", 0.0, 0.25], ["b", 0.25, 0.5], ["c", 0.5, 1.0], ["d", 1.0, 2.0]]
    made = told(words=said)
    assert [tuple(word) for word in made.words(1)] == [tuple(word) for word in said]
    assert [tuple(word) for word in made.words(1, 5, 10)] == [("b", 0.0, 0.25), ("c", 0.25, 0.5)]
    assert [tuple(word) for word in made.words(1, 6, 5)] == [("b", 0.0, 0.5 - 0.3), ("c", 0.5 - 0.3, 0.25)]
    assert made.words(1, 40) == made.words(0) == ()
    assert PreparedDataset.of_batches(Path("x"), META, [batch()], "x").words(0) == ()


def test_an_event_belongs_to_the_frame_that_it_is_nearest_to():
    beats = [-0.026, -0.025, 0.0, 0.474, 0.475, 1.974, 1.975]
    made = told(events={"beats": beats})
    assert made.events(1)["beats"].tolist() == beats[1:-1]
    assert made.events(1, 0, 10)["beats"].tolist() == beats[1:4]
    np.testing.assert_allclose(made.events(1, 10)["beats"], [1.474], atol=1e-9)
    np.testing.assert_allclose(made.events(1, 9, 2)["beats"], [0.024, 0.025], atol=1e-9)
    assert made.events(0) == {}


@pytest.mark.parametrize(("apart", "opens"), [(0.0, 1), (0.035, 1), (-0.035, 1), (0.045, 0), (-0.045, 0)])
def test_a_beat_opens_a_bar_where_one_is_within_40_milliseconds(apart, opens):
    made = told(events={"beats": [0.5, 1.0, 1.5], "bars": [1.0 + apart]})
    made.streams = {}
    with pytest.raises(UsageError, match="holds no sound"):
        made.audio(1, written_beats=True)
    made.streams, made.stream = {"samples": (16_000.0, 1)}, lambda i, name, start, frames: np.zeros((32_000, 1))
    made.__dict__["preparation"] = "p"
    heard = made.audio(1, written_beats=True)
    assert heard.features["written_beats"].tolist() == [[0.5, 0], [1.0, opens], [1.5, 0]]
    assert (heard.rate, heard.seconds, heard.part[:2]) == (16_000, 2.0, ("p: b, beats as written", 0.0))
    assert made.audio(1, 10).seconds == 1.5
    assert made.audio(1, 10, 4).part[:2] == ("p: b", 0.5)
