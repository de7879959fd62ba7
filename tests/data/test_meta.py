"""Damage of a prepared folder is noticed before Arrow reads it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from motion_platform.core.errors import DataError
from motion_platform.data.meta import digest, read_cell
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.writer import PreparedWriter


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = np.random.default_rng(0)
    with PreparedWriter(tmp_path / "set", name="mine", representation="humanml3d_essential", licence="CC0") as writer:
        for k in range(4):
            x = made.standard_normal((5 + k, 67)).astype(np.float32)
            writer.add(id=f"clip {k}", split="train", source="x", features=x, captions_high=["a person walks"])
        writer.finish()
    return tmp_path / "set"


def test_any_flipped_bit_and_any_cut_of_an_arrow_file_is_noticed(folder: Path) -> None:
    path = folder / "data-00000.arrow"
    whole = path.read_bytes()
    random = np.random.default_rng(1)
    for place in random.integers(0, len(whole), 100):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"data-00000\.arrow: is damaged: its checksum"):
            PreparedDataset.open(folder)
    path.write_bytes(whole[:-64])
    with pytest.raises(DataError, match=rf"has {len(whole) - 64} bytes, not {len(whole)}"):
        PreparedDataset.open(folder)
    path.write_bytes(whole)
    assert len(PreparedDataset.open(folder)) == 4


def test_a_changed_number_in_meta_json_is_noticed(folder: Path) -> None:
    path = folder / "meta.json"
    whole = json.loads(path.read_text())
    whole["statistics"]["mean"][3] += 0.5
    path.write_text(json.dumps(whole))
    with pytest.raises(DataError, match=r"meta\.json: was changed after it was written"):
        PreparedDataset.open(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fps": 0}, "fps: input should be greater than 0"),
        ({"fps": 1e9}, "fps: input should be less than or equal to 1000"),
        ({"fps": 21}, r"fps: got 21; humanml3d_essential has 20"),
        ({"dim": 10**9}, "does not hold the 67 numbers"),
        ({"statistics": {"mean": [0.0] * 67, "std": [-1.0] * 67}}, "a deviation negative"),
        ({"statistics": {"mean": [0.0], "std": [1.0]}}, "does not hold the 67 numbers"),
        ({"statistics": {"mean": [0.0] * 67, "std": [0.0] * 66 + [-1e-9]}}, "a deviation negative"),
        ({"streams": {"mel": [20.0]}}, r"streams\.mel: got"),
        ({"streams": {"mel": [20.0, 1, 1]}}, r"streams\.mel: got"),
        ({"streams": {"mel": [0, 1]}}, r"streams\.mel: got"),
        ({"streams": {"mel": [1e6, 1]}}, r"streams\.mel: got"),
        ({"streams": {"mel": [1.0, 0]}}, r"streams\.mel: got"),
        ({"streams": {"mel": [1.0, 1e6]}}, r"streams\.mel: got"),
        ({"streams": {"mel": [1.0, 1.5]}}, r"streams\.mel: got"),
        ({"streams": {"mel": [999_999.0, 1]}}, "does not hold the columns"),
        ({"streams": {"mel": [0.1, 999_999]}}, "does not hold the columns"),
        ({"streams": {"mel": [20.0, 128]}}, "does not hold the columns"),
        ({"name": 3}, "name: input should be a valid string"),
    ],
)
def test_a_folder_that_vouches_for_nonsense_is_refused(folder: Path, change: dict, message: str) -> None:
    whole = json.loads((folder / "meta.json").read_text()) | change
    (folder / "meta.json").write_text(json.dumps(whole | {"sha256": digest(whole)}))
    with pytest.raises(DataError, match=message):
        PreparedDataset.open(folder)


def test_a_file_outside_the_folder_is_never_read(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "data-00000.arrow", tmp_path / "other.arrow")
    meta = json.loads((folder / "meta.json").read_text())
    del meta["files"], meta["sha256"]
    (folder / "meta.json").write_text(json.dumps(meta))
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps(state | {"_data_files": [{"filename": "../other.arrow"}]}))
    with pytest.raises(DataError, match="a name in the folder is needed"):
        PreparedDataset.open(folder)


def test_what_stands_in_a_row_is_what_was_written_there_or_an_error() -> None:
    assert read_cell('{"content": "walk"}', "labels", "a") == {"content": "walk"}
    assert read_cell('{"beats": [0.5, 1]}', "events", "a")["beats"].tolist() == [0.5, 1.0]
    assert read_cell('[["so", 0, 0.25]]', "words", "a") == [("so", 0.0, 0.25)]


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("labels", '{"content" "walk"}'), ("labels", '{"content": 3}'), ("labels", "[]"), ("labels", "7"),
        ("events", '{"beats": [0.5, NaN]}'), ("events", '{"beats": [[1], [2]]}'), ("events", '{"beats": ["x"]}'),
        ("events", '{"beats": [1e999]}'), ("words", '[["so", 0]]'), ("words", '[[1, 0, 1]]'), ("words", "{}{}"),
        ("words", '[["so", 0, Infinity]]'), ("words", '[["so", 0, null]]'), ("words", "[" * 100_000),
    ],
)  # fmt: skip
def test_a_damaged_row_of_a_folder_without_checksums_is_one_line(column: str, text: str) -> None:
    with pytest.raises(DataError, match=rf"^set: clip 1: the column {column} is damaged .*prepare the data again$"):
        read_cell(text, column, "set: clip 1")


def test_a_state_without_the_name_of_its_preparation_is_no_crash(folder: Path) -> None:
    assert PreparedDataset.open(folder).preparation
    for text, message in (("{", "is not JSON"), ("[]", "has no _fingerprint"), ("{}", "has no _fingerprint")):
        dataset = PreparedDataset.open(folder)
        good = (folder / "state.json").read_text()
        (folder / "state.json").write_text(text)
        with pytest.raises(DataError, match=rf"state\.json: {message}"):
            _ = dataset.preparation
        (folder / "state.json").write_text(good)


def test_a_folder_of_an_older_version_is_read_without_checksums(folder: Path) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    del meta["files"], meta["sha256"]
    (folder / "meta.json").write_text(json.dumps(meta))
    assert PreparedDataset.open(folder).ids() == [f"clip {k}" for k in range(4)]


def test_a_column_that_never_moves_has_a_deviation_of_zero(folder: Path) -> None:
    whole = json.loads((folder / "meta.json").read_text()) | {"statistics": {"mean": [0.0] * 67, "std": [0.0] * 67}}
    (folder / "meta.json").write_text(json.dumps(whole | {"sha256": digest(whole)}))
    assert len(PreparedDataset.open(folder)) == 4


@pytest.mark.parametrize(
    ("fps", "message"),
    [(1000, "got 1000; humanml3d_essential"), (1000.5, "less than or equal to 1000"), (0.5, "got 0.5; humanml3d_ess")],
)
def test_frame_rates_are_read_up_to_a_thousand(folder: Path, fps: float, message: str) -> None:
    whole = json.loads((folder / "meta.json").read_text()) | {"fps": fps}
    (folder / "meta.json").write_text(json.dumps(whole | {"sha256": digest(whole)}))
    with pytest.raises(DataError, match=message):
        PreparedDataset.open(folder)


@pytest.mark.parametrize(
    ("clips", "said"), [(-1, r"shards\.0\.clips: input should be greater"), (0, "does not hold the shards")]
)
def test_a_shard_may_hold_no_clip_and_not_fewer(folder: Path, clips: int, said: str) -> None:
    whole = json.loads((folder / "meta.json").read_text())
    whole |= {"shards": [{"file": "a", "split": "train", "clips": clips}]}
    (folder / "meta.json").write_text(json.dumps(whole | {"sha256": digest(whole)}))
    with pytest.raises(DataError, match=said):
        PreparedDataset.open(folder)
