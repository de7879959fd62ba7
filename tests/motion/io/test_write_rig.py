"""Motion written into somebody's character, as a glb reader of the tests' own sees it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).parents[1] / "rigs"))
from characters import PLACES, Seen, character_glb, container

from motion_platform.core.errors import UsageError
from motion_platform.motion.clip import Clip
from motion_platform.motion.io.write_rig import Blob, unique_names, write
from motion_platform.motion.rigs.rig import Rig, load_rig


@pytest.fixture(scope="module", params=[(0.0, 0.01), (90.0, 1.0)], ids=["centimetres", "turned, metres"])
def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    facing, scale = request.param
    path = tmp_path_factory.mktemp("rig") / "hero.glb"
    path.write_bytes(character_glb(facing=facing, scale=scale))
    seen = Seen(path)
    seen.json["nodes"][0]["translation"] = [0.2, 0.0, -0.3]  # the armature does not stand at the origin
    path.write_bytes(container(seen.json, seen.blob))
    return load_rig(path)


def bent(rig: Rig, name: str = "bend", frames: int = 4, stretch: float = 0.0) -> Clip:
    """The rig at rest, moving forward, with one elbow that bends and a neck that grows by ``stretch`` a frame: joints
    worked out here, joint by joint."""
    skeleton = rig.skeleton
    elbow = skeleton.index("LeftLowerArm")
    turns = Rotation.from_euler("y", np.linspace(0, 60, frames)[:, None], degrees=True)
    rotations = np.tile([0.0, 0.0, 0.0, 1.0], (frames, len(skeleton), 1))
    rotations[:, elbow] = turns.as_quat()
    joints = np.zeros((frames, len(skeleton), 3))
    for t in range(frames):
        world: dict[int, Rotation] = {}
        for j, parent in enumerate(skeleton.parents):
            above = world[parent] if parent >= 0 else Rotation.identity()
            base = joints[t, parent] if parent >= 0 else rig.tree.root + np.array([0.0, 0.0, 0.5 * t])
            longer = 1 + stretch * t * (skeleton.joints[j] == "Neck")
            joints[t, j] = base + (above.apply(longer * skeleton.offsets[j]) if parent >= 0 else 0)
            world[j] = above * Rotation.from_quat(rotations[t, j])
    return Clip(joints.astype(np.float32), 25.0, skeleton, rotations.astype(np.float32), name, rig=rig)


@pytest.mark.parametrize("stretch", [0.0, 0.2])
def test_a_viewer_sees_every_joint_where_the_clip_has_it(rig: Rig, stretch: float, tmp_path: Path) -> None:
    clip = bent(rig, stretch=stretch)
    assert write([clip], tmp_path / "out.glb") == tmp_path / "out.glb"
    seen = Seen(tmp_path / "out.glb")
    for frame in range(len(clip)):
        world = seen.worlds(0, frame)
        for j, name in enumerate(clip.skeleton.joints):
            assert np.allclose(world[name][:3, 3], clip.joints[frame, j], atol=1e-5), name
    hand = clip.skeleton.index("LeftHand")
    assert np.linalg.norm(clip.joints[-1, hand] - clip.joints[0, hand] - [0, 0, 1.5]) > 0.1  # it does bend


def test_only_what_moves_has_a_channel_and_times_are_seconds(rig: Rig, tmp_path: Path) -> None:
    write([bent(rig)], tmp_path / "out.glb")
    seen = Seen(tmp_path / "out.glb")
    (animation,) = seen.json["animations"]
    nodes = [node["name"] for node in seen.json["nodes"]]
    moved = {(nodes[c["target"]["node"]], c["target"]["path"]) for c in animation["channels"]}
    assert moved == {("LeftLowerArm", "rotation"), (rig.skeleton.joints[0], "translation")}
    times = seen.values(animation["samplers"][0]["input"])[:, 0]
    assert np.allclose(times, [0.0, 0.04, 0.08, 0.12])
    entry = seen.json["accessors"][animation["samplers"][0]["input"]]
    assert (entry["min"], entry["max"]) == ([0.0], [pytest.approx(0.12)])


def test_everything_that_the_file_held_stays(rig: Rig, tmp_path: Path) -> None:
    before = Seen(rig.path)
    write([bent(rig), bent(rig)], tmp_path / "out.glb")
    after = Seen(tmp_path / "out.glb")
    for key in ("nodes", "skins", "meshes", "asset", "scenes"):
        assert after.json[key] == before.json[key]
    assert after.json["accessors"][: len(before.json["accessors"])] == before.json["accessors"]
    assert after.blob[: len(before.blob)] == before.blob
    assert after.json["buffers"] == [{"byteLength": len(after.blob)}]
    assert [animation["name"] for animation in after.json["animations"]] == ["bend", "bend_2"]
    assert "animations" not in rig.file.json, "the rig in memory is not written into"
    assert set(PLACES) <= {node["name"] for node in after.json["nodes"]}


def test_clips_that_are_on_no_or_on_different_characters_are_refused(rig: Rig, tmp_path: Path) -> None:
    other = load_rig(rig.path)
    for clips in ([bent(rig), bent(other)], [bent(rig).with_(rig=None)]):
        with pytest.raises(UsageError, match=r"out.glb: the motions are not all on one character"):
            write(clips, tmp_path / "out.glb")
    assert not (tmp_path / "out.glb").exists()


def test_names_become_different() -> None:
    names = ["walk", "run", "walk", "walk", "walk_2"]
    made = unique_names([SimpleNamespace(name=name) for name in names])
    assert made[:3] == ["walk", "run", "walk_2"]
    assert len(set(made)) == len(names)


def test_numbers_are_put_behind_what_is_there_on_a_border_of_four_bytes() -> None:
    description = {"accessors": [{}], "bufferViews": [{}]}
    blob = Blob(description, b"12345")
    values = np.arange(6.0).reshape(2, 3)
    assert blob.accessor(values) == 1
    assert blob.accessor(np.array([3.0, 1.0, 2.0]), bounds=True) == 2
    whole = b"".join(blob.parts)
    assert (len(whole), blob.size) == (8 + 24 + 12, 44)
    views, entries = description["bufferViews"], description["accessors"]
    assert views[1:] == [
        {"buffer": 0, "byteOffset": 8, "byteLength": 24}, {"buffer": 0, "byteOffset": 32, "byteLength": 12}
    ]  # fmt: skip
    assert entries[1] == {"bufferView": 1, "componentType": 5126, "count": 2, "type": "VEC3"}
    assert (entries[2]["type"], entries[2]["min"], entries[2]["max"]) == ("SCALAR", [1.0], [3.0])
    assert np.frombuffer(whole, "<f4", 6, 8).tolist() == values.ravel().tolist()


def test_a_file_without_numbers_of_its_own_gets_a_buffer(tmp_path: Path) -> None:
    path = tmp_path / "plain.glb"
    path.write_bytes(character_glb())
    seen = Seen(path)
    del seen.json["buffers"], seen.json["bufferViews"], seen.json["accessors"], seen.json["meshes"]
    del seen.json["skins"][0]["inverseBindMatrices"]
    seen.json["nodes"][-1] = {"name": "Body"}
    path.write_bytes(container(seen.json))
    rig = load_rig(path)
    write([bent(rig)], tmp_path / "out.glb")
    after = Seen(tmp_path / "out.glb")
    assert after.json["buffers"] == [{"byteLength": len(after.blob)}]
    times = after.values(after.json["animations"][0]["samplers"][0]["input"])[:, 0]
    assert np.allclose(times, [0.0, 0.04, 0.08, 0.12])


def test_rotations_are_written_with_length_one_whatever_theirs_was(rig: Rig, tmp_path: Path) -> None:
    clip = bent(rig)
    write([clip.with_(rotations=clip.rotations * np.float32(1.01))], tmp_path / "out.glb")
    seen = Seen(tmp_path / "out.glb")
    (animation,) = seen.json["animations"]
    turns = [
        seen.values(animation["samplers"][channel["sampler"]]["output"])
        for channel in animation["channels"]
        if channel["target"]["path"] == "rotation"
    ]
    assert len(turns) == 1
    np.testing.assert_allclose(np.linalg.norm(turns[0], axis=-1), 1, atol=1e-6)
