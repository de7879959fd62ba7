"""Broken files of every format: a finite clip or a DataError, never another exception."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from bodies import person_bvh
from test_amc import amc_text, asf_text, motion
from test_npy import joints
from test_npz import amass, clip

from motion_platform.core.errors import DataError
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.io import npz

TOKENS = [b"nan", b"inf", b"-1e999", b"1e300", b"}", b"{", b"ROOT", b"JOINT x", b"MOTION", b"Frames: 99999999999999999",
          b"CHANNELS 6", b"End Site", b":bonedata", b"begin", b"end", b"root", b"\xff\xfe", b"\x00", b"1_0", b"",
          b"1" * 5000, b"\xd9\xa1", b"\r", b"-", b"0x10", b"9" * 400, b"PK\x03\x04"]  # fmt: skip

SECONDS = 3
"""Of the processor, to read a small file or to refuse it."""


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("originals")
    npz.write([clip(), clip(1)], folder / "ours.npz")
    amass(folder / "amass.npz", 3, 66, dmpls=None)
    np.save(folder / "joints.npy", joints("humanml3d", 3))
    np.save(folder / "features.npy", np.random.default_rng(0).normal(size=(3, 263)) * 0.2)
    found = {file.name: file.read_bytes() for file in folder.iterdir()}
    found["a.bvh"] = person_bvh(3).text.encode()
    found["35_01.amc"] = amc_text(motion(3)).encode()
    found["35.asf"] = asf_text().encode()
    return found


edits = st.lists(
    st.one_of(
        st.tuples(st.just("cut"), st.floats(0, 1), st.just(b"")),
        st.tuples(st.just("flip"), st.floats(0, 1), st.binary(min_size=1, max_size=4)),
        st.tuples(st.just("insert"), st.floats(0, 1), st.sampled_from(TOKENS)),
        st.tuples(st.just("token"), st.floats(0, 1), st.sampled_from(TOKENS)),
        st.tuples(st.just("line"), st.floats(0, 1), st.just(b"")),
    ),
    min_size=1,
    max_size=4,
)


def damage(data: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    for kind, where, new in changes:
        at = int(where * len(data))
        if kind == "cut":
            data = data[:at]
        elif kind == "flip":
            data = data[:at] + new + data[at + len(new) :]
        elif kind == "insert":
            data = data[:at] + b" " + new + b" " + data[at:]
        elif kind == "token":
            words = data.split(b" ")
            words[int(where * (len(words) - 1))] = new
            data = b" ".join(words)
        else:
            lines = data.split(b"\n")
            del lines[int(where * (len(lines) - 1))]
            data = b"\n".join(lines)
    return data


def load(path: Path) -> list[Clip] | DataError:
    began = time.process_time()
    try:
        return io.load_all(path)
    except DataError as error:
        return error
    finally:
        assert time.process_time() - began < SECONDS


def check(path: Path) -> None:
    found = load(path)
    if isinstance(found, DataError):
        assert "\n" not in str(found)
        assert len(str(found)) < 2000
        return
    for one in found:
        assert np.isfinite(one.joints).all()
        assert one.rotations is None or np.isfinite(one.rotations).all()
        assert one.skeleton.offsets is None or np.isfinite(one.skeleton.offsets).all()


def test_undamaged_files_are_read(originals: dict[str, bytes], tmp_path: Path) -> None:
    for name, data in originals.items():
        (tmp_path / name).write_bytes(data)
    for name in originals.keys() - {"35.asf"}:
        assert isinstance(load(tmp_path / name), list), name


@pytest.mark.parametrize(
    "name", ["a.bvh", "35_01.amc", "35.asf", "ours.npz", "amass.npz", "joints.npy", "features.npy"]
)
@settings(
    max_examples=60, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(changes=edits)
def test_damaged_files(
    originals: dict[str, bytes], tmp_path: Path, name: str, changes: list[tuple[str, float, bytes]]
) -> None:
    if name.startswith("35"):
        (tmp_path / "35_01.amc").write_bytes(originals["35_01.amc"])
        (tmp_path / "35.asf").write_bytes(originals["35.asf"])
    (tmp_path / name).write_bytes(damage(originals[name], changes))
    check(tmp_path / ("35_01.amc" if name.startswith("35") else name))


@pytest.mark.parametrize("extension", [".bvh", ".amc", ".npz", ".npy"])
@settings(max_examples=40, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace"))))
def test_files_of_anything(tmp_path: Path, extension: str, data: bytes) -> None:
    (tmp_path / "35.asf").write_text(asf_text())
    (tmp_path / f"35_01{extension}").write_bytes(data)
    check(tmp_path / f"35_01{extension}")
