"""A sharded set is the prepared set that it was made of, read a shard at a time, here or from an address."""

import shutil

import fsspec
import numpy as np
import pytest
import torch

from motion_platform.core import registry
from motion_platform.core.errors import DataError, MotionPlatformError, UnknownName, UsageError
from motion_platform.data.encoded import encoded_as
from motion_platform.data.loader import make_loader
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.sharded import HELD, ShardedDataset
from motion_platform.data.sharding import shard_set

SLOTS = ("text_high", "text_low")


@pytest.fixture(scope="module")
def folder(sample_dataset, tmp_path_factory):
    return shard_set(sample_dataset, tmp_path_factory.mktemp("sharded") / "set", clips=10)


@pytest.fixture
def sharded(folder):
    return PreparedDataset.open(folder)


@pytest.fixture
def at_address(folder, monkeypatch, tmp_path):
    """The set in a file system in memory: what an object store is to fsspec."""
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path / "cache"))
    store = fsspec.filesystem("memory")
    for file in folder.iterdir():
        store.pipe_file(f"/bucket/set/{file.name}", file.read_bytes())
    yield "memory://bucket/set"
    store.rm("/bucket", recursive=True)


def same_clip(one, i, other, j):
    assert np.array_equal(one.features(i), other.features(j))
    for what in ("id", "split", "source", "mirrored", "captions", "labels"):
        assert getattr(one, what)(i) == getattr(other, what)(j), what
    assert one.frames[i] == other.frames[j]


def test_every_clip_is_there_once_as_it_was(sharded, sample_dataset):
    assert isinstance(sharded, ShardedDataset)
    assert len(sharded.shards) > HELD
    assert sorted(sharded.ids()) == sample_dataset.ids()
    for i in range(len(sharded)):
        same_clip(sharded, i, sample_dataset, sample_dataset.index(sharded.id(i)))
    for split in ("train", "val", "test"):
        assert sorted(sharded.ids(split)) == sample_dataset.ids(split)
    assert sharded.ids("test") == sample_dataset.ids("test"), "in order, where nothing is drawn"
    assert sharded.ids("train") != sample_dataset.ids("train")
    i = sharded.index(sample_dataset.id(5))
    same_clip(sharded, i, sample_dataset, 5)
    with pytest.raises(UsageError, match="no clip 'nobody'"):
        sharded.index("nobody")
    with pytest.raises(UnknownName):
        sharded.indices("tset")


def test_whole_clips_are_collated_for_evaluation(sharded, sample_dataset):
    spec, rows = sharded.spec("humanml3d_essential"), sharded.indices("test")[:3]
    others = [sample_dataset.index(sharded.id(i)) for i in rows]
    one, other = (
        dataset.collate(chosen, spec, SLOTS, max_frames=None)
        for dataset, chosen in ((sharded, rows), (sample_dataset, others))
    )
    assert one.ids == other.ids
    assert torch.equal(one.motion.x, other.motion.x)
    assert one.captions == other.captions


def test_sound_events_and_words_are_there(gesture_folder, tmp_path):
    before = PreparedDataset.open(gesture_folder)
    after = PreparedDataset.open(shard_set(before, tmp_path / "set", clips=3))
    assert after.streams == before.streams
    for i in range(len(after)):
        j = before.index(after.id(i))
        same_clip(after, i, before, j)
        heard, expected = after.audio(i, 3, 20), before.audio(j, 3, 20)
        assert heard.words == expected.words
        assert heard.part[0] == expected.part[0], "what was heard of a recording before is known"
        for name, values in expected.features.items():
            assert np.array_equal(heard.features[name], values)
        for name, times in before.events(j, 3, 20).items():
            assert np.array_equal(after.events(i, 3, 20)[name], times)


def test_datasets_itself_opens_the_folder(folder, sample_dataset):
    from datasets import load_dataset

    rows = load_dataset(str(folder), split="train", streaming=True)
    row = next(iter(rows))
    features = np.frombuffer(row["features"], "<f4").reshape(row["frames"], -1)
    assert np.array_equal(features, sample_dataset.features(sample_dataset.index(row["id"])))


def test_only_so_many_shards_are_in_memory(sharded):
    for i in range(len(sharded)):
        sharded.features(i)
        assert len(sharded._held) <= HELD
    sharded.hold(2)
    sharded.ahead(np.array(sharded.indices("train")))
    assert len(sharded._held) == 2


def test_nobody_is_told_what_is_read(sharded, monkeypatch):
    """``datasets.load_dataset`` counts at the hub; a node without network would wait for it at every shard."""
    import socket

    opened = []
    monkeypatch.setattr(socket.socket, "connect", lambda *where: opened.append(where))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *where, **_: opened.append(where) or [])
    sharded.shard(2)
    assert not opened


def test_an_address_is_read_as_a_folder_is(at_address, sharded):
    distant = PreparedDataset.open(at_address)
    assert distant.fingerprint == sharded.fingerprint
    for i in (0, 11, len(sharded) - 1):
        same_clip(distant, i, sharded, i)
    spec = sharded.spec("humanml3d_essential")
    one, other = (
        make_loader(dataset, "train", spec, SLOTS, batch_size=8, seed=3, buffer=16).batch(3)
        for dataset in (distant, sharded)
    )
    assert one.ids == other.ids
    assert one.raw == other.raw


def test_an_address_where_nothing_is_is_one_line(at_address):
    for address, message in (
        (at_address + "2", r"meta.json: cannot be read \(nothing is there: .*\); a sharded set is needed there"),
        ("nowhere://bucket/set", "nowhere://bucket/set/meta.json: cannot be opened"),
    ):
        with pytest.raises(DataError, match=message) as caught:
            PreparedDataset.open(address)
        assert "\n" not in str(caught.value)


def test_a_shard_that_is_cut_damaged_or_missing_is_one_line_that_names_it(folder, at_address, tmp_path):
    name = "train-00001.parquet"
    whole = (folder / name).read_bytes()
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    for content, message in (
        (whole[: len(whole) // 2], f"{name}: has .* bytes, not {len(whole)}: it was cut off or changed"),
        (bytes(damaged), f"{name}: is damaged: its checksum"),
        (None, f"{name}: cannot be read .No such file"),
    ):
        (broken / name).unlink()
        if content is not None:
            (broken / name).write_bytes(content)
        opened = PreparedDataset.open(broken)
        place = next(k for k, shard in enumerate(opened.shards) if shard.file == name)
        opened.shard(place - 1)  # the others can be read
        with pytest.raises(DataError, match=message) as caught:
            opened.shard(place)
        assert "\n" not in str(caught.value)
    store = fsspec.filesystem("memory")
    store.pipe_file(f"/bucket/set/{name}", whole[:-100])
    with pytest.raises(DataError, match=f"memory://bucket/set/{name}: has .*it was cut off or changed"):
        PreparedDataset.open(at_address).shard(place)
    store.pipe_file(f"/bucket/set/{name}", bytes(damaged))  # of the right size, one bit of a number is another
    with pytest.raises(DataError, match=f"memory://bucket/set/{name}: cannot be read as Parquet .*checksum") as caught:
        PreparedDataset.open(at_address).shard(place)
    assert "\n" not in str(caught.value)
    store.pipe_file(f"/bucket/set/{name}", b"\0" * len(whole))
    with pytest.raises(DataError, match=f"memory://bucket/set/{name}: cannot be read as Parquet") as caught:
        PreparedDataset.open(at_address).shard(place)
    assert "\n" not in str(caught.value)


def test_a_shard_in_the_place_of_another_is_refused(sharded):
    sharded.shards[1], sharded.shards[2] = sharded.shards[2], sharded.shards[1]
    with pytest.raises(DataError, match=r"train-00002.parquet: does not hold the clips that index.arrow says"):
        sharded.shard(1)


def test_another_representation_is_asked_of_the_shards(sharded):
    assert encoded_as(sharded, "humanml3d_essential") is sharded
    other = next(name for name in registry.table("representations") if not sharded.holds(name))
    with pytest.raises(UsageError, match=f"its shards hold humanml3d, not {other}.*--representation {other}"):
        encoded_as(sharded, other)


def test_what_needs_all_labels_is_refused(sharded):
    spec = sharded.spec("humanml3d_essential")
    for wish in ({"balance": 1.0}, {"wordings": 0.5}):
        with pytest.raises(UsageError, match=f"data.{next(iter(wish))}: needs the labels of all clips at once"):
            make_loader(sharded, "train", spec, SLOTS, batch_size=8, **wish)
    make_loader(sharded, "train", spec, SLOTS, batch_size=8, by_length=True)


@pytest.mark.parametrize("name", ["index.arrow", "meta.json"])
def test_damaged_lists_are_one_line(folder, tmp_path, name):
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    content = bytearray((broken / name).read_bytes())
    content[len(content) // 2] ^= 1
    (broken / name).write_bytes(bytes(content))
    with pytest.raises(MotionPlatformError, match=name) as caught:
        PreparedDataset.open(broken)
    assert "\n" not in str(caught.value)
