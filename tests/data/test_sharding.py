"""Writing shards: nothing is lost or counted twice, statistics are those of the whole, and what is refused."""

import numpy as np
import pytest

from motion_platform.core.errors import DataError, OutputError, UsageError
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.sharding import CLIPS, Shard, contents_of, dealt, gather, shard_set, write_shard


def test_statistics_are_those_of_the_set(sample_dataset, tmp_path):
    made = PreparedDataset.open(shard_set(sample_dataset, tmp_path / "set", clips=7))
    for key in ("mean", "std", "std_per_column"):
        np.testing.assert_allclose(
            made.meta["statistics"][key], sample_dataset.meta["statistics"][key], rtol=1e-9, atol=1e-12
        )
    assert made.meta["statistics"]["frames"] == sample_dataset.meta["statistics"]["frames"]
    assert made.meta["splits"] == sample_dataset.meta["splits"]
    assert made.meta["licence"] == sample_dataset.meta["licence"]


def test_shards_are_of_about_one_size_and_each_a_mixture():
    clips = [f"{action} {k}" for action in "abcd" for k in range(100)]
    found = dealt({"train": clips, "val": clips[:20], "test": []}, 50)
    assert [file for file, _, _ in found] == [f"train-{k:05d}.parquet" for k in range(8)] + ["val-00000.parquet"]
    assert [len(rows) for _, _, rows in found] == [50] * 8 + [20]
    assert sorted(row for _, split, rows in found if split == "train" for row in rows) == sorted(clips)
    assert all({row[0] for row in rows} == set("abcd") for _, split, rows in found if split == "train")
    assert found[-1][2] == clips[:20]
    assert [len(rows) for _, _, rows in dealt({"train": clips[:11]}, 5)] == [4, 4, 3]


def test_a_part_of_the_features_may_be_stored(sample_dataset, tmp_path):
    made = PreparedDataset.open(
        shard_set(sample_dataset, tmp_path / "set", clips=40, representation="humanml3d_essential")
    )
    assert (made.representation, made.dim) == ("humanml3d_essential", 67)
    i = 3
    assert np.array_equal(made.features(i), sample_dataset.features(sample_dataset.index(made.id(i)))[:, :67])
    expected = sample_dataset.spec("humanml3d_essential")
    np.testing.assert_allclose(made.spec().mean, expected.mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(made.spec().std, expected.std, rtol=1e-5)


def test_what_cannot_be_written_is_refused_before_any_work(sample_dataset, tmp_path):
    with pytest.raises(UsageError, match="clips a shard: got 0; at least 1"):
        shard_set(sample_dataset, tmp_path / "set", clips=0)
    with pytest.raises(UsageError, match="s3://bucket/set: give a folder, and copy it there"):
        shard_set(sample_dataset, "s3://bucket/set")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(OutputError, match="already exists"):
        shard_set(sample_dataset, tmp_path / "mine")
    with pytest.raises(OutputError, match="is not a prepared dataset, so it will not be overwritten"):
        shard_set(sample_dataset, tmp_path / "mine", overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_what_fails_leaves_the_old_set(sample_dataset, tmp_path, monkeypatch):
    old = PreparedDataset.open(shard_set(sample_dataset, tmp_path / "set", clips=40)).fingerprint
    with monkeypatch.context() as patch:
        patch.setattr("motion_platform.data.sharding.gather", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            shard_set(sample_dataset, tmp_path / "set", clips=30, overwrite=True)
    assert PreparedDataset.open(tmp_path / "set").fingerprint == old
    assert [p.name for p in tmp_path.iterdir()] == ["set"]
    shard_set(sample_dataset, tmp_path / "set", clips=30, overwrite=True)
    assert PreparedDataset.open(tmp_path / "set").fingerprint != old


def test_an_id_in_two_shards_is_refused(sample_dataset, tmp_path):
    contents, row = contents_of(sample_dataset, "humanml3d"), sample_dataset.row(sample_dataset.indices("train")[0])
    shards = [write_shard(tmp_path, f"train-{k}.parquet", "train", [row], contents) for k in range(2)]
    with pytest.raises(DataError, match=f"two clips are called '{row['id']}'"):
        gather(tmp_path, contents, shards, {}, "x")
    with pytest.raises(DataError, match="no clip is in the training split"):
        gather(tmp_path, contents, [Shard(shards[0].file, "val", 1, 1, [], [])], {}, "x")


def test_a_shard_is_of_a_thousand_clips_where_nobody_says_more_and_files_are_of_rows_in_groups(
    sample_dataset, tmp_path
):
    from pyarrow import parquet

    clips = list(range(2001))
    assert [len(rows) for _, _, rows in dealt({"val": clips}, CLIPS)] == [667, 667, 667]
    assert [len(rows) for _, _, rows in dealt({"val": clips[:2000]}, CLIPS)] == [1000, 1000]
    contents = contents_of(sample_dataset, "humanml3d_essential")
    x = np.zeros((2, 67), np.float32)
    rows = [{"id": f"{k:03d}", "split": "train", "source": "", "features": x + k} for k in reversed(range(257))]
    shard = write_shard(tmp_path, "a.parquet", "train", rows, contents)
    assert (shard.clips, shard.frames, shard.mean[0]) == (257, 514, pytest.approx(128))
    file = parquet.ParquetFile(tmp_path / "a.parquet")
    assert [file.metadata.row_group(k).num_rows for k in range(file.metadata.num_row_groups)] == [128, 128, 1]
    column = file.metadata.row_group(0).column(0)
    assert (column.compression, column.is_stats_set, column.has_dictionary_page) == ("UNCOMPRESSED", False, False)
    assert file.read().column("id").to_pylist() == [f"{k:03d}" for k in range(257)]
    gather(tmp_path, contents, [shard, Shard("none.parquet", "val", 0, 0, [], [])], {}, "x")  # which has no file
    assert PreparedDataset.open(tmp_path).meta["splits"] == {"train": 257, "val": 0, "test": 0}
