"""Preparation by shards: the same set from any number of workers and machines, and nothing lost when one dies."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from motion_platform.core.errors import DataError, OutputError, UsageError
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.preparing import PARTS, prepare_shards
from motion_platform.data.source import Converted, DataSource, Item, PreparedRow, Words
from motion_platform.data.sources.sample import Sample


class Walks(DataSource):
    """Made-up clips of the names in ``clips.txt``. One that is called "deadly" kills the process that converts it."""

    name, licence = "walks", "CC0"

    def items(self, source, report):
        names = (source / "clips.txt").read_text().split()
        return [
            Item(name, f"{name}.bvh", ("train", "train", "val")[k % 3], name, Words()) for k, name in enumerate(names)
        ]

    def convert(self, item, mirror):
        if item.id == "deadly":
            os._exit(9)
        with Path(item.path).open("a") as calls:
            calls.write("x")
        if item.id.startswith("short"):
            return Converted(item, dropped="too short", too_short=True)
        random = np.random.default_rng(sum(item.id.encode()))
        features = random.normal(size=(random.integers(10, 20), 263)).astype(np.float32)
        words = Words((f"a person does {item.id}",), labels={"content": item.id})
        return Converted(item, [PreparedRow(item.id, item.split, item.source, features, words)], side_checked=True)


class Cut(Walks):
    """The same, of which no file can be read whose name begins so."""

    def __init__(self, start):
        self.start = start

    def convert(self, item, mirror):
        return Converted(item, error="cut off") if item.id.startswith(self.start) else super().convert(item, mirror)


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A folder of 30 clips, of which two are too short."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips.txt").write_text(" ".join([f"c{k:02d}" for k in range(28)] + ["short1", "short2"]))
    return tmp_path


def facts(report):
    return {key: value for key, value in report.to_dict().items() if key not in ("seconds", "hours")}


def test_parts_make_the_set_that_one_command_makes(source):
    whole = prepare_shards(Walks(), source, source / "whole", clips=4, mirror=False, workers=1)
    said = [
        prepare_shards(Walks(), source, source / "parts", clips=4, mirror=False, workers=1, part=(k, 3)) for k in (1, 2)
    ]
    assert said == [
        "3 of 8 shards are written; other parts make the rest, train-00001.parquet first",
        "6 of 8 shards are written; other parts make the rest, train-00002.parquet first",
    ]
    with pytest.raises(DataError, match="no prepared dataset here"):
        PreparedDataset.open(source / "parts")
    last = prepare_shards(Walks(), source, source / "parts", clips=4, mirror=False, workers=1, part=(3, 3))
    assert facts(last) == facts(whole)
    assert (last.clips, len(last.too_short), last.splits) == (28, 2, {"train": 19, "val": 9, "test": 0})
    one, other = (PreparedDataset.open(source / name) for name in ("whole", "parts"))
    assert one.fingerprint == other.fingerprint
    assert {path.name for path in (source / "parts").iterdir()} == {path.name for path in (source / "whole").iterdir()}


def test_the_set_is_that_of_the_usual_preparation(source):
    Walks().prepare(source, source / "usual", mirror=False, workers=1)
    prepare_shards(Walks(), source, source / "shards", clips=5, mirror=False, workers=1)
    usual, shards = (PreparedDataset.open(source / name) for name in ("usual", "shards"))
    assert sorted(shards.ids()) == usual.ids()
    for i in range(len(usual)):
        j = shards.index(usual.id(i))
        assert np.array_equal(usual.features(i), shards.features(j))
        assert (usual.captions(i), usual.labels(i), usual.split(i)) == (
            shards.captions(j),
            shards.labels(j),
            shards.split(j),
        )
    np.testing.assert_allclose(usual.spec().mean, shards.spec().mean, rtol=1e-5, atol=1e-7)
    report, other = usual.meta["report"], shards.meta["report"]
    for name in ("clips", "frames", "files", "captions", "captions_distinct", "dropped", "too_short", "sides_checked"):
        assert sorted(map(str, np.atleast_1d(report[name]))) == sorted(map(str, np.atleast_1d(other[name]))), name
    assert report["hours"] == pytest.approx(other["hours"]) == pytest.approx(report["frames"] / 20 / 3600)


def test_real_files_with_mirrored_copies(sample_root, sample_dataset, tmp_path):
    prepare_shards(Sample(), sample_root, tmp_path / "set", clips=40, workers=1)
    made = PreparedDataset.open(tmp_path / "set")
    assert all(shard.clips <= 40 for shard in made.shards), "copies counted"
    counts = Counter(shard.split for shard in made.shards)
    assert counts == {split: -(-len(made.indices(split)) // 40) for split in ("train", "val", "test")}
    assert sorted(made.ids()) == sample_dataset.ids()
    assert sum(made.mirrored(i) for i in range(len(made))) == sum(map(sample_dataset.mirrored, range(len(made))))
    i = made.indices("test")[2]
    assert np.array_equal(made.features(i), sample_dataset.features(sample_dataset.index(made.id(i))))


def test_a_worker_that_dies_is_one_line_and_the_rest_goes_on(source):
    names = (source / "clips.txt").read_text()
    (source / "clips.txt").write_text(names.replace("c17", "deadly"))
    with pytest.raises(DataError, match=r"a worker process was ended from outside.*the same command goes on") as caught:
        prepare_shards(Walks(), source, source / "set", clips=2, mirror=False, workers=2)
    assert "\n" not in str(caught.value)
    there = {path.stem for path in (source / "set" / PARTS).glob("[!.]*-*.json")}
    assert there, "what was written is kept"
    before = {name: (source / "set" / f"{name}.parquet").stat().st_mtime_ns for name in there}
    (source / "clips.txt").write_text(names)
    with pytest.raises(DataError, match="its shards are of 30 other clips or settings"):
        prepare_shards(Walks(), source, source / "set", clips=2, mirror=False, workers=1)
    begun = source / "set" / PARTS / ".val-00004.ffffff-1c99-588f1159.tmp.json"  # what a worker dies over, now and then
    begun.write_text("{")
    (source / "clips.txt").write_text(names.replace("c17", "deadly"))
    report = prepare_shards(Cut("deadly"), source, source / "set", clips=2, mirror=False, workers=1)
    assert report.failed == [{"what": "deadly", "why": "cut off"}]
    after = {name: (source / "set" / f"{name}.parquet").stat().st_mtime_ns for name in there}
    assert after == before, "and is not made again"
    assert len(PreparedDataset.open(source / "set")) == 27
    assert not list((source / "set").rglob("*.tmp*")), "what the dead worker had begun is gone"


def test_what_makes_no_set_is_refused(source):
    for part in ((0, 3), (4, 3)):
        with pytest.raises(UsageError, match=r"--part: got ./3; allowed: 1/3 to 3/3"):
            prepare_shards(Walks(), source, source / "set", part=part)
    (source / "mine").mkdir()
    with pytest.raises(OutputError, match="already exists"):
        prepare_shards(Walks(), source, source / "mine")
    with pytest.raises(DataError, match="30 of 30 clips failed, so the set was not put together"):
        prepare_shards(Cut(""), source, source / "bad", workers=1)
    assert not (source / "bad" / "meta.json").exists()


def test_how_many_processes_work_and_how_long_it_took(source, monkeypatch):
    asked, clock = [], iter(range(0, 1000, 7))

    def here(work, given, processes, chunk, kept):
        asked.append((processes, chunk))
        return map(work, given)

    monkeypatch.setattr("motion_platform.data.preparing.pooled", here)
    monkeypatch.setattr("motion_platform.data.preparing.time.perf_counter", lambda: next(clock))
    monkeypatch.setattr("os.cpu_count", lambda: 40)
    report = prepare_shards(Walks(), source, source / "a", clips=1, mirror=False)
    assert report.seconds == 7
    prepare_shards(Walks(), source, source / "b", clips=4, mirror=False)
    prepare_shards(Walks(), source, source / "c", clips=4, mirror=False, workers=3)
    prepare_shards(Walks(), source, source / "d", clips=1, mirror=True)  # a copy takes a place, and one clip is left
    monkeypatch.setattr("os.cpu_count", lambda: None)
    prepare_shards(Walks(), source, source / "e", clips=4, mirror=False)
    assert asked == [(16, 1), (8, 1), (3, 1), (16, 1), (1, 1)]
    assert [len(PreparedDataset.open(source / name).shards) for name in "abde"] == [28, 8, 28, 8]
    assert len(PreparedDataset.open(source / "a").preparation) == 16
    assert not (source / "a" / PARTS).exists()
