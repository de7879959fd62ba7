"""What is read out of files in which one value is another: as before, the motion that it was or an error.

Readers hold hundreds of borders: what is refused, what is left out, what stands in for what a file does not say. Each
value of a small file is changed here in turn; what comes of it is kept.
"""

from __future__ import annotations

import json
import random
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stored_arrays import check_stored_table

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "rigs"))
from bodies import person_bvh
from characters import character_glb, container
from test_amc import amc_text, asf_text, motion
from test_npz import amass, clip
from test_write_vrma import waving

from motion_platform.core.errors import DataError
from motion_platform.motion import io
from motion_platform.motion.io import npz

WORDS = ["0", "-1", "1", "2", "7", "0.001", "360", "1e6", "nan", "x", "{", "}", ""]
VALUES = [0, -1, 1, 2, 3, 7, 0.5, 1000, 5126, "x", "", None, [], [0], {}, True]


def found(path: Path) -> list[Any] | str:
    """What is read: frames, joints, notes, rate, and three sums over all numbers; or the error."""
    try:
        clips = io.load_all(path)
    except DataError as error:
        return str(error).replace(str(path.parent), "")[:70]
    described: list[Any] = []
    for one in clips:
        joints = one.joints.astype(np.float64)
        weights = np.sin(np.arange(joints.size)).reshape(joints.shape)
        turns = np.zeros(1) if one.rotations is None else np.abs(one.rotations)
        numbers = [one.fps, np.abs(joints).sum(), (joints * weights).sum(), turns.sum()]
        notes = len((one.info or {}).get("notes", ()))
        described += [*joints.shape[:2], notes, *(float(f"{value:.7g}") for value in numbers)]
    return described


def words_changed(text: str, count: int, seed: str) -> Iterator[tuple[str, str]]:
    """(what was changed, the text) with one word another, one line left out, or one line twice."""
    choose = random.Random(seed)
    lines = text.split("\n")
    for number in range(count):
        at = choose.randrange(len(lines))
        kind = choose.choice(("word", "word", "word", "out", "twice"))
        changed = list(lines)
        if kind == "word":
            words = lines[at].split(" ")
            words[choose.randrange(len(words))] = choose.choice(WORDS)
            changed[at] = " ".join(words)
        elif kind == "out":
            del changed[at]
        else:
            changed.insert(at, lines[at])
        yield f"{number} {kind} {at}", "\n".join(changed)


def leaves(tree: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to all values of nested tables and lists."""
    yield way
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from leaves(value, (*way, key))


def tree_changed(tree: Any, count: int, seed: str) -> Iterator[tuple[str, Any]]:
    """(what was changed, the tree) with one value another or left out."""
    choose = random.Random(seed)
    ways = [way for way in leaves(tree) if way]
    for number in range(count):
        way, changed = choose.choice(ways), json.loads(json.dumps(tree))
        owner = changed
        for key in way[:-1]:
            owner = owner[key]
        value = choose.choice([*VALUES, "out", "out"])
        if value == "out":
            del owner[way[-1]]
        else:
            owner[way[-1]] = value
        yield f"{number} {'.'.join(map(str, way))}: {value!r}", changed


@pytest.mark.parametrize("frames", [1, 3])
def test_bvh(frames: int, tmp_path: Path) -> None:
    made = {}
    for what, text in words_changed(person_bvh(frames).text, 250, f"bvh {frames}"):
        (tmp_path / "a.bvh").write_text(text)
        made[what] = found(tmp_path / "a.bvh")
    check_stored_table(f"changed_bvh_{frames}", made)


def test_asf_and_amc(tmp_path: Path) -> None:
    (tmp_path / "35.asf").write_text(asf_text())
    made = {}
    for what, text in words_changed(amc_text(motion(3)), 150, "amc"):
        (tmp_path / "35_01.amc").write_text(text)
        made[f"amc {what}"] = found(tmp_path / "35_01.amc")
    (tmp_path / "35_01.amc").write_text(amc_text(motion(3)))
    for what, text in words_changed(asf_text(), 250, "asf"):
        (tmp_path / "35.asf").write_text(text)
        made[f"asf {what}"] = found(tmp_path / "35_01.amc")
    check_stored_table("changed_amc", made)


def parts_of(data: bytes) -> tuple[Any, bytes]:
    size = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + size]), data[28 + size :]


@pytest.mark.parametrize("kind", ["character", "vrm", "ours", "vrma"])
def test_glb(kind: str, tmp_path: Path) -> None:
    extension = kind if kind.startswith("vrm") else "glb"
    if kind in ("character", "vrm"):
        data = character_glb(vrm=kind == "vrm")
    else:
        io.save(waving(), tmp_path / f"made.{extension}")
        data = (tmp_path / f"made.{extension}").read_bytes()
    tree, blob = parts_of(data)
    made = {}
    for what, changed in tree_changed(tree, 250, kind):
        (tmp_path / f"a.{extension}").write_bytes(container(changed, blob))
        made[what] = found(tmp_path / f"a.{extension}")
    check_stored_table(f"changed_glb_{kind}", made)


def arrays_changed(fields: dict[str, np.ndarray]) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """(what was changed, the fields) with one array out, of another shape, kind or size, or one odd number."""
    for name, values in fields.items():
        yield f"{name} out", {key: value for key, value in fields.items() if key != name}
        changes: dict[str, Any] = {
            "none": values[:0] if values.ndim else np.array(-1.0),
            "flat": values.reshape(-1),
            "one more axis": values[None],
            "text": np.array("x"),
            "nothing": np.zeros(()),
            "minus": np.array(-1.0),
            "much": np.array(1e9),
        }
        if values.dtype.kind in "fiu":
            changes |= {"ten times": values * 10, "thousand times": values * 1000, "whole": values.astype(np.int64)}
            changes |= {"less": values * 0.01, "none of it": values * 0, "double": values.astype(np.float64)}
        if values.dtype.kind == "f" and values.size:
            for odd in (np.nan, np.inf, 1e30):
                changes[str(odd)] = np.where(
                    np.arange(values.size).reshape(values.shape) == values.size // 2, odd, values
                )
        if values.ndim:
            changes |= {"one": values[:1], "but one": values[:-1], "turned": np.moveaxis(values, -1, 0)}
            changes |= {"narrow": values[..., :-1], "backwards": values[::-1]}
        for what, change in changes.items():
            yield f"{name} {what}", {**fields, name: change}


def test_npz(tmp_path: Path) -> None:
    npz.write([clip(), clip(1)], tmp_path / "ours.npz")
    amass(tmp_path / "amass.npz", 3, 66, dmpls=None)
    made = {}
    for name in ("ours", "amass"):
        with np.load(tmp_path / f"{name}.npz", allow_pickle=True) as file:
            fields = {key: file[key] for key in file.files if file[key].dtype != object}
        for what, changed in arrays_changed(fields):
            np.savez(tmp_path / "a.npz", **changed)
            made[f"{name} {what}"] = found(tmp_path / "a.npz")
    check_stored_table("changed_npz", made)


def test_npy(tmp_path: Path) -> None:
    random_ = np.random.default_rng(0)
    made = {}
    for shape in ((3, 22, 3), (3, 263), (3, 21, 3), (3, 251), (2, 3, 22, 3), (3, 66), (3, 24, 3), (3, 17, 3)):
        values = random_.normal(size=shape).astype(np.float32) * 0.3
        for what, changed in arrays_changed({"x": values}):
            if changed:
                np.save(tmp_path / "a.npy", changed["x"])
                made[f"{shape} {what}"] = found(tmp_path / "a.npy")
    check_stored_table("changed_npy", made)
