"""Files of PyTorch and pickle: tensors are read, nothing is unpickled."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from motion_platform.core.errors import DataError
from motion_platform.motion import io


class Marks:
    """An object whose unpickling leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_tensors_alone_are_parameters_too(tmp_path: Path) -> None:
    flat = {"global_orient": torch.zeros(4, 3), "body_pose": torch.zeros(4, 63), "transl": torch.ones(4, 3)}
    torch.save(flat, tmp_path / "a.pt")
    clip = io.load(tmp_path / "a.pt", fps=24)
    assert (len(clip), clip.fps, clip.name) == (4, 24, "a")
    assert clip.info["up"] == "y"


@pytest.mark.parametrize("name", ["a.pt", "a.pkl"])
def test_nothing_is_ever_run(tmp_path: Path, name: str) -> None:
    held = {"pose_world": np.zeros((3, 72)), "smpl_params_global": Marks(tmp_path / "ran")}
    if name.endswith(".pt"):
        torch.save(held, tmp_path / name)
    else:
        (tmp_path / name).write_bytes(pickle.dumps({0: held}))
    with pytest.raises(DataError, match="unpickling could run code, so it is not read") as caught:
        io.load(tmp_path / name)
    assert not (tmp_path / "ran").exists()
    assert "numpy.savez('motion.npz'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_line_that_it_says_makes_a_wham_file_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joblib = pytest.importorskip("joblib")
    monkeypatch.chdir(tmp_path)
    person = {"pose": np.zeros((5, 72)), "pose_world": np.zeros((5, 72)), "trans_world": np.zeros((5, 3))}
    joblib.dump({0: person}, "wham_output.pkl")
    with pytest.raises(DataError) as caught:
        io.load("wham_output.pkl")
    line = str(caught.value).partition("in Python: ")[2].partition(", with the person's number")[0]
    exec(line, {"joblib": joblib, "numpy": np})
    assert len(io.load("motion.npz")) == 5
    assert io.load("motion.npz").fps == 30


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"weights": torch.zeros(3)}, r"has none of AMASS .* it holds weights"),
        ([torch.zeros(3)], "has none of AMASS .* it holds nothing"),
        ({"smpl_params_global": {"global_orient": torch.zeros(4, 3)}}, "it holds global_orient"),
        ({"smpl_params_global": 5}, "it holds nothing"),
    ],
)
def test_tensors_of_something_else_are_refused(tmp_path: Path, held: object, message: str) -> None:
    torch.save(held, tmp_path / "a.pt")
    with pytest.raises(DataError, match=message):
        io.load(tmp_path / "a.pt")


def test_a_damaged_one_is_a_line(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(100)}, tmp_path / "a.pt")
    whole = (tmp_path / "a.pt").read_bytes()
    for data in (whole[: len(whole) // 2], b"x" * 50, whole[:60] + b"\0" * 40 + whole[100:]):
        (tmp_path / "a.pt").write_bytes(data)
        with pytest.raises(DataError) as caught:
            io.load(tmp_path / "a.pt")
        assert "\n" not in str(caught.value)


def test_what_unfolds_to_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    flat = {"global_orient": torch.zeros(4000, 3), "body_pose": torch.zeros(4000, 63), "transl": torch.ones(4000, 3)}
    torch.save(flat, tmp_path / "whole.pt")
    with zipfile.ZipFile(tmp_path / "whole.pt") as whole, zipfile.ZipFile(tmp_path / "small.pt", "w") as small:
        for name in whole.namelist():
            small.writestr(name, whole.read(name), zipfile.ZIP_DEFLATED)
    assert (tmp_path / "small.pt").stat().st_size < 0.1 * (tmp_path / "whole.pt").stat().st_size
    assert len(io.load(tmp_path / "whole.pt")) == 4000
    with pytest.raises(DataError, match="is compressed, which PyTorch never does"):
        io.load(tmp_path / "small.pt")
