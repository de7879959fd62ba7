"""How many shards a loader keeps, what it reads ahead, and how a step is divided into lanes and blocks."""

from __future__ import annotations

import numpy as np
import pytest

from motion_platform.data.loader import Loader, make_loader
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.sharded import HELD, READERS, ROWS_A_GROUP, ShardedDataset
from motion_platform.data.sharding import shard_set
from motion_platform.data.writer import PreparedWriter


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """96 training clips in 24 shards, and four to test on."""
    root = tmp_path_factory.mktemp("lanes")
    with PreparedWriter(root / "set", name="x", representation="humanml3d_essential", licence="CC0") as writer:
        for k in range(100):
            x = np.full((4 + k % 7, 67), k, np.float32)
            writer.add(id=f"{k:03d}", split="train" if k < 96 else "test", source="", features=x)
        writer.finish()
    return shard_set(PreparedDataset.open(root / "set"), root / "shards", clips=4)


def loader(folder, **more) -> Loader:
    settings = {"slots": (), "batch_size": 4, "seed": 1, "lanes": 4, "buffer": 32} | more
    dataset = PreparedDataset.open(folder)
    return make_loader(dataset, settings.pop("split", "train"), dataset.spec(), **settings)


@pytest.mark.parametrize(
    ("lanes", "buffer", "batch_size", "made"),
    [
        (4, 32, 4, (4, 2, 24)),  # 32 clips of 4 lanes: 8 a lane, two batches
        (4, 47, 4, (4, 2, 24)), (4, 48, 4, (4, 3, 24)), (4, 1, 4, (4, 1, 24)), (4, None, 4, (4, 6, 24)),
        (1, 32, 4, (1, 8, 24)), (3, 96, 5, (3, 6, 18)), (16, None, 1, (8, 12, 96)), (24, None, 2, (12, 4, 48)),
        (2, None, 48, (2, 1, 2)), (2, None, 96, (1, 1, 1)), (4, None, 200, (1, 1, 1)),
    ],
)  # fmt: skip
def test_lanes_blocks_and_batches_of_an_epoch(folder, lanes, buffer, batch_size, made):
    of = loader(folder, lanes=lanes, buffer=buffer, batch_size=batch_size)
    assert (of.lanes, of.block, len(of)) == made
    plan = of.plan(3)
    assert [len(rows) for rows in plan] == [batch_size] * len(of)
    assert plan is of.plan(3)
    if batch_size <= 96:
        assert len(set(np.concatenate(plan).tolist())) == batch_size * len(of)


def test_of_a_plain_set_and_of_evaluation_there_is_one_lane(folder):
    assert (
        loader(folder, train=False, split="test", batch_size=3).lanes,
        len(loader(folder, train=False, split="test", batch_size=3)),
    ) == (1, 2)
    plain = PreparedDataset.open(folder.parent / "set")
    made = make_loader(plain, "train", plain.spec(), (), 10, lanes=4, buffer=8)
    assert (made.lanes, made.block, len(made)) == (1, 9, 9)


@pytest.mark.parametrize(
    ("stride", "batch_size", "buffer", "held"),
    [(1, 4, 32, 24), (2, 4, 32, 12), (4, 4, 32, 6), (3, 4, 32, 24), (4, 4, 48, 8), (4, 3, 12, 4), (4, 4, None, 14)],
)
def test_as_many_shards_are_kept_as_two_blocks_of_each_own_lane_may_touch(folder, stride, batch_size, buffer, held):
    """Of a block of 8 clips, in shards of 4: two, and one more where it begins within one; twice, by the lanes."""
    made = loader(folder, batch_size=batch_size, buffer=buffer)
    dataset = made.collate.dataset
    assert dataset._most == HELD == 4
    next(made.micro_batches(0, stride=stride))
    assert dataset._most == held


def test_the_block_after_is_read_ahead(folder, monkeypatch):
    asked = []
    monkeypatch.setattr(ShardedDataset, "ahead", lambda self, rows: asked.append(rows.tolist()))
    made = loader(folder)
    for number in (0, 5, 15, 16, 23):
        made.batch(number)
    plan = made.plan(0)
    assert asked == [plan[k + 8].tolist() for k in (0, 5, 15)]  # two batches of each of four lanes


def test_shards_that_are_used_last_are_kept(folder):
    dataset = PreparedDataset.open(folder)
    for k in (0, 1, 2, 3, 0, 4):
        dataset.shard(k)
    assert list(dataset._held) == [2, 3, 0, 4]
    dataset.hold(0)
    dataset.shard(5)
    assert list(dataset._held) == [5]
    assert dataset._pool._max_workers == READERS == 4
    assert ROWS_A_GROUP == 128
    assert dataset.shards_of(np.array([0, 3, 4, 99])).tolist() == [0, 0, 1, 24]
    rows = np.arange(96)
    order = dataset.by_shard(rows, np.random.default_rng(0))
    groups = order.reshape(24, 4)
    assert (groups == groups[:, :1] + np.arange(4)).all()
    assert sorted(groups[:, 0].tolist()) == list(range(0, 96, 4)) != groups[:, 0].tolist()
