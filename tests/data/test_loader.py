"""Batches: complete, repeatable, shared fairly, cropped and worded by seed, and fast enough."""

import zlib

import numpy as np
import pytest
import torch
from stored_arrays import check_stored

from motion_platform.core.errors import DataError, UnknownName, UsageError
from motion_platform.data.loader import Collate, balanced, make_loader
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.sharding import shard_set

SLOTS = ("text_high", "text_low")


@pytest.fixture(scope="module")
def spec(sample_dataset):
    return sample_dataset.spec("humanml3d_essential")


def loader(dataset, spec, **more):
    settings = {"slots": SLOTS, "batch_size": 8, "seed": 3, "max_frames": 60} | more
    split = settings.pop("split", "train")
    return make_loader(dataset, split, spec, **settings)


def same(a, b):
    return (
        a.ids == b.ids
        and a.raw == b.raw
        and torch.equal(a.lengths, b.lengths)
        and torch.equal(a.motion.x, b.motion.x)
        and a.captions == b.captions
        and a.labels == b.labels
    )


def test_an_epoch_shows_no_clip_twice_and_leaves_out_less_than_a_batch(sample_dataset, spec):
    batches = loader(sample_dataset, spec)
    ids = [id for batch in batches.epoch(0) for id in batch.ids]
    assert len(ids) == len(set(ids)) == len(batches) * 8
    assert set(ids) <= set(sample_dataset.ids("train"))
    assert len(sample_dataset.ids("train")) - len(ids) < 8
    seen = {id for epoch in range(6) for batch in batches.epoch(epoch) for id in batch.ids}
    assert seen == set(sample_dataset.ids("train"))  # what is left out changes


def test_same_seed_same_batches_other_epoch_or_seed_others(sample_dataset, spec):
    first = list(loader(sample_dataset, spec).epoch(2))
    again = list(loader(sample_dataset, spec).epoch(2))
    assert all(map(same, first, again))
    for other in (loader(sample_dataset, spec).epoch(3), loader(sample_dataset, spec, seed=4).epoch(2)):
        assert not any(map(same, first, other))


def test_resuming_at_any_batch_gives_the_rest(sample_dataset, spec):
    batches = loader(sample_dataset, spec)
    n = len(batches)
    straight = batches.micro_batches(0)
    whole = [next(straight) for _ in range(2 * n + 3)]
    for start in (1, n - 1, n, n + 2):
        resumed = loader(sample_dataset, spec).micro_batches(start)
        assert all(same(next(resumed), batch) for batch in whole[start:])
    assert all(map(same, batches.epoch(1, start=2), whole[n + 2 : 2 * n]))
    ahead = loader(sample_dataset, spec).micro_batches(1, stride=2, prefetch=3)
    assert all(same(next(ahead), batch) for batch in whole[1::2])
    ahead.close()


def test_processes_share_each_global_batch(sample_dataset, spec):
    alone = loader(sample_dataset, spec)
    shares = [loader(sample_dataset, spec, rank=rank, world=2) for rank in range(2)]
    for number in range(len(alone) + 2):
        whole = alone.batch(number)
        parts = [share.batch(number) for share in shares]
        assert parts[0].ids == whole.ids[0::2]
        assert parts[1].ids == whole.ids[1::2]
        assert parts[1].raw["text_high"] == whole.raw["text_high"][1::2]


def test_evaluation_counts_every_id_once_in_order(sample_dataset, spec):
    one = [id for batch in loader(sample_dataset, spec, split="test", train=False) for id in batch.ids]
    assert one == sample_dataset.ids("test")
    for world in (2, 3):
        ids = []
        for rank in range(world):
            batches = loader(sample_dataset, spec, split="test", train=False, rank=rank, world=world)
            ids += [id for batch in batches for id in batch.ids]
        assert sorted(ids) == one
    batch = next(iter(loader(sample_dataset, spec, split="test", train=False)))
    assert batch.raw["text_high"][0] == batch.captions[0][0]
    row = sample_dataset.index(batch.ids[0])
    n = int(batch.lengths[0])
    np.testing.assert_array_equal(batch.motion.x[0, :n].numpy(), sample_dataset.features(row)[:n, :67])


def test_long_clips_give_different_windows_and_padding_is_zero(sample_dataset, spec):
    batches = loader(sample_dataset, spec, max_frames=20)
    starts = {}
    for epoch in range(8):
        for batch in batches.epoch(epoch):
            assert batch.motion.x.shape[1] == int(batch.lengths.max()) <= 20
            for b, id in enumerate(batch.ids):
                row, n = sample_dataset.index(id), int(batch.lengths[b])
                assert n == min(20, sample_dataset.frames[row])
                assert (batch.motion.x[b, n:] == 0).all()
                x, piece = sample_dataset.features(row)[:, :67], batch.motion.x[b, :n].numpy()
                found = [s for s in range(len(x) - n + 1) if np.array_equal(x[s : s + n], piece)]
                assert found, id
                starts.setdefault(id, set()).add(found[0])
    assert sum(len(s) > 1 for s in starts.values()) > len(starts) // 2


def test_captions_change_with_the_epoch_and_belong_to_the_clip(sample_dataset, spec):
    batches = loader(sample_dataset, spec, slots=("text_high", "text_low", "label", "content", "style"))
    told = {}
    for epoch in range(5):
        for batch in batches.epoch(epoch):
            for b, id in enumerate(batch.ids):
                high, low = sample_dataset.captions(sample_dataset.index(id))
                labels = sample_dataset.labels(sample_dataset.index(id))
                assert batch.raw["text_high"][b] in high
                assert batch.raw["text_low"][b] in (low or [""])
                assert batch.raw["content"][b] == labels.get("content", "")
                assert batch.raw["label"][b].split() == [labels[k] for k in sorted(labels)]
                told.setdefault(id, set()).add(batch.raw["text_high"][b])
    assert sum(len(t) > 1 for t in told.values()) > 0.9 * len(told)


def test_lengths_are_bucketed(tmp_path, spec):
    """On a set large enough for buckets, padding wastes little."""
    from motion_platform.data.prepared import PreparedDataset
    from motion_platform.data.writer import PreparedWriter

    random = np.random.default_rng(0)
    with PreparedWriter(tmp_path / "s", name="s", representation="humanml3d_essential", licence="CC0") as writer:
        for k in range(600):
            x = np.ones((int(random.integers(10, 196)), 67), np.float32)
            writer.add(id=f"{k:04d}", split="train", source="", features=x)
        writer.finish()
    dataset = PreparedDataset.open(tmp_path / "s")
    batches = make_loader(dataset, "train", dataset.spec(), SLOTS, batch_size=16, seed=0)
    real = sum(int(b.lengths.sum()) for b in batches.epoch(0))
    padded = sum(b.motion.x.shape[0] * b.motion.x.shape[1] for b in batches.epoch(0))
    assert real / padded > 0.9
    firsts = [float(b.lengths.float().mean()) for b in batches.epoch(0)]
    assert firsts != sorted(firsts)  # short and long batches come mixed
    assert set(next(iter(batches)).raw["text_high"]) == {""}


def test_mirrored_and_short_clips_can_be_left_out(sample_dataset, spec):
    batches = loader(sample_dataset, spec, mirror=False, min_frames=40, max_frames=None)
    ids = [id for batch in batches.epoch(0) for id in batch.ids]
    assert ids
    assert not any(id.endswith("_m") for id in ids)
    assert all(sample_dataset.frames[sample_dataset.index(id)] >= 40 for id in ids)


def test_a_clip_of_exactly_the_least_length_is_kept(sample_dataset, spec):
    rows = [row for row in sample_dataset.indices("train") if not sample_dataset.mirrored(row)]
    least = sorted(int(sample_dataset.frames[row]) for row in rows)[len(rows) // 2]
    for min_frames in (least, least + 1):
        found = loader(sample_dataset, spec, mirror=False, min_frames=min_frames, batch_size=1).rows.tolist()
        assert found == [row for row in rows if int(sample_dataset.frames[row]) in range(min_frames, 10_000)]
    assert any(int(sample_dataset.frames[row]) == least for row in rows)


@pytest.mark.parametrize("spare", [1, 2])
def test_every_window_of_a_long_clip_is_drawn_the_last_as_well(sample_dataset, spec, spare):
    row = sample_dataset.indices("train")[0]
    x = sample_dataset.features(row)[:, :67]
    frames = len(x) - spare
    collate = Collate(sample_dataset, spec, SLOTS, max_frames=frames, seed=3)
    starts = set()
    for epoch in range(60):
        piece = collate([row], epoch).motion.x[0].numpy()
        starts |= {start for start in range(spare + 1) if np.array_equal(x[start : start + frames], piece)}
    assert starts == set(range(spare + 1))


def test_a_set_smaller_than_a_batch_still_makes_one(sample_dataset, spec):
    batches = loader(sample_dataset, spec, split="val", batch_size=16)
    assert len(batches) >= 1
    assert len(batches.batch(0).ids) == 16


def test_what_makes_no_batch_is_refused(sample_dataset, spec):
    with pytest.raises(UsageError, match="multiple of the 3 processes"):
        loader(sample_dataset, spec, world=3)
    with pytest.raises(UsageError, match="rank 2 of 2"):
        loader(sample_dataset, spec, rank=2, world=2)
    with pytest.raises(DataError, match="no clip of 1000 frames"):
        loader(sample_dataset, spec, min_frames=1000)
    with pytest.raises(UnknownName, match="did you mean 'text_high'"):
        loader(sample_dataset, spec, slots=("text_hgh",))


def test_collate_of_the_dataset_is_for_evaluation(sample_dataset, spec):
    rows = sample_dataset.indices("test")[:3]
    assert same(sample_dataset.collate(rows, spec, SLOTS), Collate(sample_dataset, spec, SLOTS)(rows))


def test_balance_draws_rare_labels_more_often():
    labels = [{"content": "walk"}] * 90 + [{"content": "bow"}] * 10 + [{}]
    plain, half, full = (balanced(labels, b) for b in (0.0, 0.5, 1.0))
    assert plain.std() == 0
    assert half[90] / half[0] == pytest.approx(3.0)  # sqrt(90 / 10)
    assert full[:90].sum() == pytest.approx(full[90:100].sum())
    assert full[100] == pytest.approx(full[:100].mean())


def test_balance_weighs_a_kind_recorded_in_one_style_between_one_and_as_many_as_the_others_have():
    walk = [{"content": "walk", "style": f"style {k % 15}"} for k in range(1500)]
    guide = [{"content": "guide", "style": f"style {k // 2}"} for k in range(30)]
    punch = [{"content": "punch", "style": "style 0"}] * 2
    weights = balanced([*walk, *guide, *punch], 1.0)
    assert weights[-2:].sum() / weights[1500:1530].sum() == pytest.approx((2 / np.sqrt(2 * 2)) / (30 / np.sqrt(2 * 30)))


def test_a_balanced_epoch_is_as_long_and_reproducible(sample_dataset):
    spec = sample_dataset.spec("humanml3d_essential")

    def ids(balance, epoch):
        loader = make_loader(sample_dataset, "train", spec, ["text_high"], 4, seed=3, balance=balance)
        return len(loader), [loader.batch(epoch * len(loader) + k).ids for k in range(len(loader))]

    assert ids(1.0, 2) == ids(1.0, 2)
    assert ids(1.0, 0)[0] == ids(0.0, 0)[0]
    assert ids(1.0, 0)[1] != ids(0.0, 0)[1]


def test_only_so_many_captions_of_a_clip_are_used(sample_dataset, spec):
    slots = ("text_high", "text_low", "style")
    batches = loader(sample_dataset, spec, slots=slots, captions_per_clip=2)
    met = {(id, slot): set() for id in sample_dataset.ids("train") for slot in slots}
    for epoch in range(12):
        for batch in batches.epoch(epoch):
            for slot, values in batch.raw.items():
                for id, value in zip(batch.ids, values, strict=True):
                    met[id, slot] |= {value} - {""}
    for (id, slot), texts in met.items():
        can = batches.collate.inputs(sample_dataset.index(id), slot)
        assert len(can) <= 2
        assert texts <= set(can)
    assert sum(len(texts) == 2 for (_, slot), texts in met.items() if slot == "text_high") > 0.9 * len(met) / 3


def test_a_clip_that_comes_twice_in_a_batch_shows_two_places(gesture_folder):
    from motion_platform.data.prepared import PreparedDataset

    dataset = PreparedDataset.open(gesture_folder)
    made = make_loader(dataset, "train", dataset.spec(), ("label",), 12, seed=1, max_frames=20)
    batch = next(iter(made))
    assert len(set(batch.ids)) == 4
    for id in set(batch.ids):
        rows = [batch.motion.x[b] for b, each in enumerate(batch.ids) if each == id]
        assert len(rows) == 3
        assert not any(torch.equal(a, b) for k, a in enumerate(rows) for b in rows[:k])


def test_by_length_a_long_clip_is_drawn_as_often_as_pieces_fit_into_it(tmp_path, spec):
    from motion_platform.data.prepared import PreparedDataset
    from motion_platform.data.writer import PreparedWriter

    with PreparedWriter(tmp_path / "set", name="x", representation="humanml3d_essential", licence="CC0") as writer:
        for number, frames in enumerate([20] * 6 + [120] * 2):
            x = np.random.default_rng(number).normal(size=(frames, 67)).astype(np.float32)
            writer.add(id=f"{frames} {number}", split="train", source="", features=x)
        writer.finish()
    dataset = PreparedDataset.open(tmp_path / "set")

    def share(by_length):
        made = make_loader(dataset, "train", spec, ("label",), 8, max_frames=20, by_length=by_length)
        ids = [id for epoch in range(60) for batch in made.epoch(epoch) for id in batch.ids]
        return sum(id.startswith("120") for id in ids) / len(ids)

    assert share(False) == 2 / 8
    assert 0.6 < share(True) < 0.72  # 12 of 18 pieces


@pytest.fixture(scope="module")
def sharded_folder(sample_dataset, tmp_path_factory):
    """About 26 training shards of 6 clips."""
    return shard_set(sample_dataset, tmp_path_factory.mktemp("sharded") / "set", clips=6)


def of_shards(folder, spec, **more):
    settings = {"batch_size": 4, "lanes": 4, "buffer": 32} | more
    return loader(PreparedDataset.open(folder), spec, **settings)


def test_an_epoch_of_shards_shows_no_clip_twice_and_leaves_out_little(sharded_folder, sample_dataset, spec):
    batches = of_shards(sharded_folder, spec)
    assert batches.lanes == 4
    assert len(batches) % 4 == 0
    seen = set()
    for epoch in range(5):
        ids = [id for batch in batches.epoch(epoch) for id in batch.ids]
        assert len(ids) == len(set(ids)) == len(batches) * 4
        assert len(sample_dataset.ids("train")) - len(ids) < 4 * 4
        seen |= set(ids)
    assert seen == set(sample_dataset.ids("train"))


def test_the_order_of_shards_and_clips_is_drawn(sharded_folder, spec):
    batches = of_shards(sharded_folder, spec)
    first, again, other = ([b.ids for b in of_shards(sharded_folder, spec).epoch(e)] for e in (0, 0, 1))
    assert first == again != other
    reader = batches.collate.dataset
    rows = np.concatenate(batches.plan(0)[::4])  # of one lane
    block = rows[: batches.block * 4]
    assert len(set(reader.shards_of(block).tolist())) >= 2, "a block is a mixture of shards"
    assert block.tolist() != sorted(block.tolist())
    assert len(set(reader.shards_of(rows[:4]).tolist())) >= 2, "and so is a batch"


def test_resuming_in_the_middle_of_shards_gives_the_rest(sharded_folder, spec):
    n = len(of_shards(sharded_folder, spec))
    straight = of_shards(sharded_folder, spec).micro_batches(0)
    whole = [next(straight) for _ in range(n + 9)]
    for start in (1, n // 2, n - 1, n + 3):
        resumed = of_shards(sharded_folder, spec).micro_batches(start, prefetch=2)
        assert all(same(next(resumed), batch) for batch in whole[start:])
        resumed.close()


@pytest.mark.parametrize("world", [1, 2, 4])
def test_a_process_reads_the_shards_of_its_lanes_alone(sharded_folder, spec, world, monkeypatch):
    """And each about once: as many reads as shards, and two more a lane for those that lie in two of them."""
    shared = of_shards(sharded_folder, spec)
    most = len(shared.collate.dataset.shards)
    expected = [batch.ids for batch in shared.epoch(0)]
    for rank in range(world):
        own = of_shards(sharded_folder, spec)
        reader, read = own.collate.dataset, []
        monkeypatch.setattr(reader, "_read", lambda k, read=read, plain=reader._read: (read.append(k), plain(k))[1])
        batches = own.micro_batches(rank, stride=world)
        assert [next(batches).ids for _ in range(len(own) // world)] == expected[rank::world]
        assert len(read) <= most / world + 2 * 4 / world + 1, read


def test_memory_does_not_grow_with_the_number_of_shards(sharded_folder, spec, tmp_path):
    """Bytes that Arrow holds while an epoch is read: of a set of so many shards, and of one of four times as many."""
    import pyarrow as pa

    from motion_platform.data.sharding import contents_of, gather, write_shard

    dataset = PreparedDataset.open(sharded_folder)
    contents = contents_of(dataset, "humanml3d")
    features = np.random.default_rng(0).normal(size=(100, 263)).astype(np.float32)
    most = []
    for shards in (16, 64):
        folder = tmp_path / f"{shards}"
        folder.mkdir()
        made = []
        for k in range(shards):
            rows = [{"id": f"{k} {i}", "split": "train", "source": "", "features": features} for i in range(10)]
            made.append(write_shard(folder, f"train-{k:05d}.parquet", "train", rows, contents))
        gather(folder, contents, made, {}, "x")
        before, found = pa.total_allocated_bytes(), []
        batches = of_shards(folder, spec, lanes=2, buffer=40, slots=())
        ahead = batches.micro_batches()
        for _ in range(len(batches)):
            next(ahead)
            found.append(pa.total_allocated_bytes() - before)
        most.append(max(found))
    one = 10 * features.nbytes
    assert 2 * one < most[0] < 16 * one
    assert most[1] < 1.2 * most[0]


def test_fewer_shards_than_lanes_make_fewer_lanes(sharded_folder, sample_dataset, spec, tmp_path):
    assert of_shards(sharded_folder, spec, lanes=12, batch_size=2).lanes == 6
    assert of_shards(sharded_folder, spec, lanes=64, batch_size=1).lanes == 4
    two = shard_set(sample_dataset, tmp_path / "set", clips=100)
    assert of_shards(two, spec).lanes == 1
    assert of_shards(two, spec, train=False, split="test", batch_size=8).lanes == 1


def test_evaluation_of_shards_counts_every_id_once_in_order(sharded_folder, sample_dataset, spec):
    found = [id for batch in of_shards(sharded_folder, spec, split="test", train=False) for id in batch.ids]
    assert found == sample_dataset.ids("test")


def test_the_batches_of_a_run_are_what_they_were(sharded_folder, sample_dataset, spec):
    """A run that is resumed by another version goes on with the batches that it had."""
    kinds = {"plain": {}, "more": {"balance": 1.0, "by_length": True, "wordings": 0.5}, "two": {"batch_size": 2}}
    runs = {
        name: loader(sample_dataset, spec, **{"batch_size": 4, "max_frames": 40} | of) for name, of in kinds.items()
    }
    runs |= {"shards": of_shards(sharded_folder, spec), "few": of_shards(sharded_folder, spec, lanes=3, buffer=None)}
    made = {}
    for name, run in runs.items():
        batch = run.batch(1)
        made[f"{name} rows"] = np.concatenate([*run.plan(0), *run.plan(1)])
        made[f"{name} motion"] = batch.motion.x.mean((1, 2)).numpy()
        made[f"{name} words"] = np.array([zlib.crc32(str(batch.raw).encode())])
    check_stored("batches", made, atol=1e-4)
