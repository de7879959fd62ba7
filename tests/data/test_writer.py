"""Writing: all or nothing, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from motion_platform.core.errors import DataError, OutputError, UnknownName
from motion_platform.core.schema import Word
from motion_platform.data.prepared import SAMPLES, PreparedDataset
from motion_platform.data.writer import Contents, PreparedWriter


def features(frames=20, seed=0):
    return np.random.default_rng(seed).normal(size=(frames, 263)).astype(np.float32)


def writer(out, **more):
    return PreparedWriter(out, name="test", representation="humanml3d", licence="CC0", **more)


def add(out, *rows, finish=False, then=None, **more):
    """Write rows given by what differs from a good one; ``then`` is raised before the end."""
    with writer(out, **more) as w:
        for row in rows:
            w.add(**({"id": "new", "split": "train", "source": "", "features": features()} | row))
        if then is not None:
            raise then
        if finish:
            w.finish()


def write(out, count=3, **more):
    with writer(out, **more) as w:
        for k in range(count):
            w.add(id=f"c{k}", split="train", source="here", features=features(10 + k, k), captions_high=["walk"])
        w.finish()


def test_what_is_written_is_read(tmp_path):
    with writer(tmp_path / "set") as w:
        w.add(id="b", split="train", source="x.bvh", features=features(7, 1), captions_high=["a", "b"], mirrored=True)
        w.add(
            id="a",
            split="test",
            source="y.bvh",
            features=features(9, 2),
            captions_low=["walk"],
            labels={"style": "sad"},
        )
        w.finish({"anything": 1})
    dataset = PreparedDataset.open(tmp_path / "set")
    assert dataset.ids() == ["a", "b"]
    assert (dataset.ids("train"), dataset.ids("val")) == (["b"], [])
    np.testing.assert_array_equal(dataset.features(0), features(9, 2))
    np.testing.assert_array_equal(dataset.features(1, [3, 1]), features(7, 1)[:, [3, 1]])
    assert dataset.captions(0) == ([], ["walk"])
    assert dataset.captions(1) == (["a", "b"], [])
    assert (dataset.labels(0), dataset.labels(1)) == ({"style": "sad"}, {})
    assert (dataset.mirrored(1), dataset.source(1), dataset.split(0)) == (True, "x.bvh", "test")
    assert dataset.meta["report"] == {"anything": 1}
    np.testing.assert_allclose(dataset.meta["statistics"]["mean"], features(7, 1).mean(0), atol=1e-6)  # train only


def test_shards_are_one_dataset(tmp_path, monkeypatch):
    monkeypatch.setattr("motion_platform.data.writer.BYTES_A_SHARD", 100_000)
    monkeypatch.setattr("motion_platform.data.writer.ROWS_A_BATCH", 4)
    write(tmp_path / "set", count=30)
    assert len(list((tmp_path / "set").glob("*.arrow"))) > 2
    dataset = PreparedDataset.open(tmp_path / "set")
    assert len(dataset) == 30
    for i in range(30):
        k = int(dataset.id(i)[1:])
        np.testing.assert_array_equal(dataset.features(i), features(10 + k, k))


def test_the_folder_opens_with_huggingface_datasets(tmp_path):
    datasets = pytest.importorskip("datasets")
    write(tmp_path / "set", count=5)
    loaded = datasets.load_from_disk(str(tmp_path / "set"))
    assert loaded.num_rows == 5
    row = loaded[3]
    x = np.frombuffer(row["features"], "<f4").reshape(row["frames"], -1)
    np.testing.assert_array_equal(x, features(13, 3))
    assert row["captions_high"] == ["walk"]


def test_an_existing_folder_is_kept_unless_told(tmp_path):
    write(tmp_path / "set")
    with pytest.raises(OutputError, match="already exists"):
        write(tmp_path / "set", count=1)
    assert len(PreparedDataset.open(tmp_path / "set")) == 3
    write(tmp_path / "set", count=1, overwrite=True)
    assert len(PreparedDataset.open(tmp_path / "set")) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize("there", [False, True])
def test_a_set_may_be_written_to_where_one_stands(there, tmp_path, monkeypatch):
    place = tmp_path / "set"
    if there:
        write(place, count=1)
    place.mkdir(exist_ok=True)
    monkeypatch.chdir(place)
    write(Path("."), count=3, overwrite=True)
    assert PreparedDataset.open(place).ids() == ["c0", "c1", "c2"]
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_overwrite_never_deletes_what_is_no_prepared_dataset(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(OutputError, match="is not a prepared dataset"):
        write(tmp_path / "thesis", overwrite=True)
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years of work"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_failure_leaves_nothing_behind_and_an_old_folder_as_it_was(tmp_path, overwrite):
    if overwrite:
        write(tmp_path / "set")
    with pytest.raises(RuntimeError):
        add(tmp_path / "set", {}, then=RuntimeError("power cut"), overwrite=overwrite)
    left = [p.name for p in tmp_path.iterdir()]
    assert left == (["set"] if overwrite else [])
    if overwrite:
        assert len(PreparedDataset.open(tmp_path / "set")) == 3


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    def full(self):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PreparedWriter, "_flush", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write(tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


def test_refuses_rows_that_would_poison_a_training(tmp_path):
    bad = features()
    bad[3, 4] = np.nan
    cases = [
        ({"features": bad}, DataError, "NaN"),
        ({"features": features()[:, :262]}, DataError, "shape"),
        ({"features": features()[:0]}, DataError, "shape"),
        ({"split": "training"}, UnknownName, "did you mean 'train'"),
        ({"id": "twice"}, DataError, "twice"),
    ]
    for change, error, message in cases:
        with pytest.raises(error, match=message):
            add(tmp_path / "set", {"id": "twice"}, change)
    with pytest.raises(DataError, match="no clip is in the training split"):
        add(tmp_path / "set", {"split": "test"}, finish=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda f: (f / "meta.json").unlink(), "no prepared dataset here"),
        (lambda f: (f / "meta.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "state.json").unlink(), "cannot be read"),
        (lambda f: (f / "data-00000.arrow").unlink(), r"data-00000\.arrow: cannot be read"),
        (lambda f: (f / "data-00000.arrow").write_bytes(b"not arrow at all"), "has 16 bytes, not"),
        (
            lambda f: (f / "meta.json").write_text(
                json.dumps(json.loads((f / "meta.json").read_text()) | {"format_version": 99})
            ),
            "format version 99, this program reads 1",
        ),
    ],
)
def test_a_broken_folder_is_one_line(tmp_path, break_it, message):
    write(tmp_path / "set")
    break_it(tmp_path / "set")
    with pytest.raises(DataError, match=message) as caught:
        PreparedDataset.open(tmp_path / "set")
    assert "\n" not in str(caught.value)


def test_a_truncated_file_is_one_line(tmp_path):
    write(tmp_path / "set", count=40)
    file = tmp_path / "set" / "data-00000.arrow"
    whole = file.read_bytes()
    for share in (0.0, 0.1, 0.5, 0.9):
        file.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(DataError):
            PreparedDataset.open(tmp_path / "set")


def test_a_failure_leaves_no_folder_that_was_not_there(tmp_path):
    out = tmp_path / "data" / "mine" / "set"
    with pytest.raises(DataError, match="training split"):
        add(out, {"split": "test"}, finish=True)
    assert not list(tmp_path.iterdir())
    (tmp_path / "data").mkdir()
    with pytest.raises(ValueError, match="stop"):
        add(out, {}, then=ValueError("stop"))
    assert [p.name for p in tmp_path.rglob("*")] == ["data"]
    write(out)
    assert len(PreparedDataset.open(out)) == 3


@pytest.mark.parametrize(
    ("times", "good"), [([0.5, 0.5, 1.0], True), ([1.0, 0.5], False), ([[0.5]], False), ([np.inf], False)]
)
def test_events_are_in_order_and_two_may_be_at_once(tmp_path, times, good):
    with writer(tmp_path / "set") as w:
        row = {"id": "a", "split": "train", "source": "", "features": features(), "events": {"beats": np.array(times)}}
        if good:
            w.add(**row)
            w.finish()
        else:
            with pytest.raises(DataError, match="events 'beats' must be finite times in order"):
                w.add(**row)


@pytest.mark.parametrize(
    ("words", "good"),
    [
        ([("a", 0.1, 0.3), ("b", 0.1, 0.2)], True),
        ([("a", 0.2, 0.3), ("b", 0.1, 0.4)], False),
        ([("a", np.nan, 0.3)], False),
        ([("a", 0.1, np.inf)], False),
    ],
)
def test_words_are_in_order_and_two_may_start_at_once(tmp_path, words, good):
    row = {"words": [Word(*word) for word in words], "streams": {SAMPLES: np.zeros((16_000, 1), np.float32)}}
    more = {"words": True, "streams": {SAMPLES: (16_000.0, 1)}}
    if good:
        add(tmp_path / "set", row, finish=True, **more)
        assert PreparedDataset.open(tmp_path / "set").audio(0).words == tuple(row["words"])
    else:
        with pytest.raises(DataError, match="words must be in order, with finite times"):
            add(tmp_path / "set", row, finish=True, **more)


def test_the_frame_rate_is_that_of_the_representation(tmp_path):
    with pytest.raises(DataError, match="got 30 frames a second; humanml3d has 20"):
        writer(tmp_path / "set", fps=30.0)
    write(tmp_path / "set", fps=20.0)
    made = PreparedDataset.open(tmp_path / "set")
    assert made.fps == 20
    assert (made.has_events, made.has_words, made.has_tokens, made.streams) == (False, False, False, {})
    plain = Contents("a", "humanml3d", "CC0", 20.0)
    assert (plain.streams, plain.events, plain.words, plain.tokens) == ({}, False, False, False)


def test_a_place_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match=r"set: cannot be written: "):
        write(tmp_path / "file" / "below" / "set")
    with pytest.raises(OutputError, match=r"set: cannot be written: the disk is gone"):
        add(tmp_path / "set", {}, then=OSError(5, "the disk is gone"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_words_are_kept_to_a_tenth_of_a_millisecond_and_events_to_a_hundredth(tmp_path):
    row = {
        "words": [Word("a", 0.123456, 0.234567)], "streams": {SAMPLES: np.zeros((16_000, 1), np.float32)},
        "events": {"beats": np.array([0.1234567])},
    }  # fmt: skip
    more = {"words": True, "events": True, "streams": {SAMPLES: (16_000.0, 1)}}
    add(tmp_path / "set", row, finish=True, **more)
    made = PreparedDataset.open(tmp_path / "set")
    assert made.audio(0).words == (Word("a", 0.1235, 0.2346),)
    assert made.events(0)["beats"].tolist() == [0.12346]


def test_a_file_is_closed_when_it_is_over_its_size_and_rows_go_in_batches_of_64(tmp_path, monkeypatch):
    import pyarrow as pa

    from motion_platform.data import writer as module

    assert (module.ROWS_A_BATCH, module.BYTES_A_SHARD) == (64, 500_000_000)
    write(tmp_path / "set", count=129)
    read = pa.ipc.open_stream(pa.memory_map(str(tmp_path / "set" / "data-00000.arrow")))
    sizes = [batch.num_rows for batch in read]
    assert sizes == [64, 64, 1]
    assert not (tmp_path / "set" / "data-00001.arrow").exists()
    with pa.ipc.open_stream(pa.memory_map(str(tmp_path / "set" / "data-00000.arrow"))) as again:
        first = again.read_next_batch().nbytes
    for limit, files in ((first, 2), (first - 1, 3)):
        monkeypatch.setattr(module, "BYTES_A_SHARD", limit)
        write(tmp_path / f"{limit}", count=129)
        assert len(list((tmp_path / f"{limit}").glob("*.arrow"))) == files
        assert len(PreparedDataset.open(tmp_path / f"{limit}")) == 129
        for file in (tmp_path / f"{limit}").glob("*.arrow"):
            assert file.read_bytes()[-8:] == b"\xff\xff\xff\xff\0\0\0\0"  # Arrow's end of a stream


def test_what_another_has_put_beside_a_set_that_fails_stays(tmp_path):
    out = tmp_path / "mine" / "set"
    w = writer(out)
    with w:
        assert w.temporary.is_dir()
        (tmp_path / "mine" / "notes.txt").write_text("x")  # and the set is not finished
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "notes.txt"]


def test_an_empty_folder_is_a_place_for_a_set_and_a_file_is_none(tmp_path):
    (tmp_path / "set").mkdir()
    with pytest.raises(OutputError, match="already exists"):
        write(tmp_path / "set")
    write(tmp_path / "set", overwrite=True)
    assert len(PreparedDataset.open(tmp_path / "set")) == 3
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="is not a prepared dataset"):
        write(tmp_path / "file", overwrite=True)


def test_what_meta_json_says_of_a_set(tmp_path):
    """All that a reader, and a person, finds there."""
    streams = {"mel": (40.0, 3)}
    row = {"streams": {"mel": np.zeros((40, 3))}, "caption_tokens": ["a/DET"], "labels": {"b": "c", "a": "d"}}
    add(tmp_path / "set", row, finish=True, streams=streams, tokens=True)
    made = PreparedDataset.open(tmp_path / "set")
    meta = {name: value for name, value in made.meta.items() if name not in ("statistics", "files", "sha256")}
    assert meta == {
        "format": "motion-platform prepared dataset", "format_version": 1, "name": "test", "dim": 263, "fps": 20.0,
        "representation": "humanml3d", "skeleton": "humanml3d", "units": "metre", "streams": {"mel": [40.0, 3]},
        "events": False, "words": False, "tokens": True, "splits": {"train": 1, "val": 0, "test": 0},
        "licence": "CC0", "report": {},
    }  # fmt: skip
    assert (made.caption_tokens(0), made.streams, made.has_tokens) == (["a/DET"], streams, True)
    assert (made.meta["statistics"]["clips"], made.meta["statistics"]["frames"]) == (1, 20)
    state = json.loads((tmp_path / "set" / "state.json").read_text())
    assert len(state.pop("_fingerprint")) == 16
    assert state == {
        "_data_files": [{"filename": "data-00000.arrow"}], "_format_columns": None, "_format_kwargs": {},
        "_format_type": None, "_output_all_columns": False, "_split": None,
    }  # fmt: skip
    about = json.loads((tmp_path / "set" / "dataset_info.json").read_text())
    assert about["features"]["captions_high"] == {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"}
    assert about["features"]["frames"] == {"dtype": "int32", "_type": "Value"}


def test_what_cannot_be_cleared_away_hides_no_error(tmp_path, monkeypatch):
    def busy(path, ignore_errors=False):
        if not ignore_errors:
            raise OSError(16, "Device or resource busy")

    monkeypatch.setattr("motion_platform.data.writer.shutil.rmtree", busy)
    with pytest.raises(ValueError, match="stop"):
        add(tmp_path / "set", {}, then=ValueError("stop"))


def test_what_a_process_that_is_gone_has_left_beside_a_set_is_cleared_away(tmp_path):
    import os

    from motion_platform.core.files import temporary_beside

    own = temporary_beside(tmp_path / "set", folder=True)
    gone = tmp_path / own.name.replace(f"-{os.getpid():x}-", "-7ffffffe-")
    for place in (own, gone):
        place.mkdir()
    write(tmp_path / "set")
    assert {path.name for path in tmp_path.iterdir()} == {"set", own.name}
