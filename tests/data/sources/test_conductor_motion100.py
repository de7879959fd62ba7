"""The published layout, on small files made in it."""

import numpy as np
import pytest

from motion_platform.core.errors import DataError
from motion_platform.data.prepared import PreparedDataset
from motion_platform.data.sources.conductor_motion100 import ConductorMotion100


def piece(root, split, number, mel=None, motion=None):
    random = np.random.default_rng(number)
    folder = root / split / str(number)
    folder.mkdir(parents=True)
    np.save(folder / "mel.npy", random.random((5400, 128)) if mel is None else mel)
    np.save(folder / "motion.npy", random.random((1800, 13, 2)) if motion is None else motion)
    return folder


def test_the_published_layout_is_read_exactly(tmp_path):
    for split, number in (("train", 2), ("train", 10), ("val", 0), ("test", 0)):
        piece(tmp_path / "cm", split, number)
    report = ConductorMotion100().prepare(tmp_path / "cm", tmp_path / "out", workers=1)
    dataset = PreparedDataset.open(tmp_path / "out")
    assert (report.clips, report.failed) == (4, [])
    assert dataset.ids() == ["test_0", "train_10", "train_2", "val_0"]
    assert [len(dataset.indices(split)) for split in ("train", "val", "test")] == [2, 1, 1]
    assert dataset.streams == {"mel": (90.0, 128)}
    row = dataset.index("train_10")
    motion = np.load(tmp_path / "cm/train/10/motion.npy").astype(np.float32)
    np.testing.assert_array_equal(dataset.features(row).reshape(1800, 13, 2), motion)
    mel = np.load(tmp_path / "cm/train/10/mel.npy")
    np.testing.assert_allclose(dataset.stream(row, "mel"), mel, atol=5e-4)
    heard = dataset.audio(row, start=30, frames=60)
    np.testing.assert_allclose(heard.features["mel"], mel[90:270], atol=5e-4)
    assert dataset.events(row) == {}
    assert dataset.spec().representation == "conductor"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"mel": np.zeros((5399, 128))}, r"mel.npy: has shape \(5399, 128\), not \(5400, 128\)"),
        ({"motion": np.zeros((1800, 26))}, r"motion.npy: has shape \(1800, 26\), not \(1800, 13, 2\)"),
        ({"mel": np.full((5400, 128), np.nan)}, "mel.npy: has a NaN"),
        ({"motion": np.zeros((1800, 13, 2), complex)}, "motion.npy: holds complex128, not numbers"),
    ],
)
def test_wrong_files_are_named(tmp_path, files, message):
    piece(tmp_path, "train", 0, **files)
    with pytest.raises(DataError, match=message):
        ConductorMotion100().prepare(tmp_path, tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists()


def test_missing_truncated_and_foreign_files(tmp_path):
    (piece(tmp_path, "train", 0) / "mel.npy").unlink()
    with pytest.raises(DataError, match=r"mel.npy: cannot be read as an array"):
        ConductorMotion100().prepare(tmp_path, tmp_path / "out", workers=1)
    (tmp_path / "train/0/mel.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00")
    with pytest.raises(DataError, match=r"mel.npy: cannot be read as an array"):
        ConductorMotion100().prepare(tmp_path, tmp_path / "out", workers=1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no folders train/N, val/N or test/N"):
        ConductorMotion100().prepare(tmp_path / "empty", tmp_path / "out")
