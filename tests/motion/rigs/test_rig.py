"""What is read of a character: the pose in which it stands, its parts, its floor; and which poses are no stance."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from stored_arrays import check_stored, check_stored_table

sys.path.insert(0, str(Path(__file__).parent))
from characters import PLACES, Seen, character_glb, container

from motion_platform.core.errors import DataError
from motion_platform.motion.rigs import rig as rigs
from motion_platform.motion.rigs.pose import stance_directions
from motion_platform.motion.rigs.rig import Rig, load_rig, stands_upright
from motion_platform.motion.skeleton import get_skeleton

SAMPLE = Path(__file__).parents[3] / "motion_platform" / "sample"


def changed(path: Path, change: object, **options: object) -> Path:
    """A character whose description was changed."""
    path.write_bytes(character_glb(**options))  # type: ignore[arg-type]
    seen = Seen(path)
    change(seen.json["nodes"], seen.json)  # type: ignore[operator]
    path.write_bytes(container(seen.json, seen.blob))
    return path


def sat_down(nodes: list[dict], _description: dict) -> None:
    """Thighs forward at rest; the skin still says how it was bound."""
    for node in nodes:
        if "UpperLeg" in node["name"]:
            turned = Rotation.from_euler("x", 80, degrees=True) * Rotation.from_quat(node["rotation"])
            node["rotation"] = turned.as_quat().tolist()


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rig]:
    folder = tmp_path_factory.mktemp("rigs")
    (folder / "hero.glb").write_bytes(character_glb())
    (folder / "aside.glb").write_bytes(character_glb(facing=50.0, scale=1.0))
    (folder / "avatar.vrm").write_bytes(character_glb(facing=180.0, vrm=True))
    changed(folder / "sits.glb", sat_down, facing=20.0)
    paths = [folder / name for name in ("hero.glb", "aside.glb", "avatar.vrm", "sits.glb")]
    return {path.name: load_rig(path) for path in [*paths, SAMPLE / "cmu" / "06_09.bvh"]}


def test_what_is_read_of_characters_is_what_it_was(some: dict[str, Rig]) -> None:
    told, made = {}, {}
    for name, rig in some.items():
        told[name] = [
            rig.skeleton.name, list(rig.skeleton.joints), {key: list(way) for key, way in rig.chains.items()},
            dict(rig.limbs), rig.stance, rig.convention, sorted(rig.info), rig.path.name, rig.file is None,
        ]  # fmt: skip
        made |= {
            f"{name} turned": rig.turned, f"{name} placed": rig.placed, f"{name} facing": rig.facing,
            f"{name} floor and leg": np.array([rig.floor, rig.leg]), f"{name} joints": rig.pose.joints,
            f"{name} frames": np.stack([rig.pose.frames[key][0] for key in sorted(rig.pose.frames)]),
            f"{name} turns": np.stack([rig.pose.turns[key][0] for key in sorted(rig.pose.turns)]),
        }  # fmt: skip
    check_stored_table("rigs", told)
    check_stored("rigs", made, atol=2e-5)


@pytest.mark.parametrize(
    ("name", "facing"), [("hero.glb", 0), ("aside.glb", 50), ("avatar.vrm", 180), ("sits.glb", 20)]
)
def test_a_character_stands_as_it_was_modelled(some: dict[str, Rig], name: str, facing: float) -> None:
    rig, turn = some[name], Rotation.from_euler("y", facing, degrees=True)
    np.testing.assert_allclose(rig.facing, turn.as_matrix(), atol=1e-3)
    places = {joint: turn.apply(place) for joint, (_, place) in PLACES.items()}
    for k, joint in enumerate(PLACES):  # the skin's pose, and no other, where the rest pose sits
        own = f"bone{k}" if name == "avatar.vrm" else joint
        np.testing.assert_allclose(rig.placed[rig.skeleton.index(own)], places[joint], atol=2e-5, err_msg=joint)
    lengths = [
        np.linalg.norm(places[f"{side}{b}"] - places[f"{side}{a}"])
        for side in ("Left", "Right")
        for a, b in (("UpperLeg", "LowerLeg"), ("LowerLeg", "Foot"))
    ]
    assert rig.leg == pytest.approx(sum(lengths) / 2, abs=1e-5)
    assert rig.floor == 0.0  # its lowest joint is near it
    assert rig.stance == "the pose in which its skin was bound"


def body(thigh: float = 0.0, shank: float = 0.0, trunk: float = 0.0) -> np.ndarray:
    """(22, 3) of a stance whose left thigh, right shank and trunk lean by so many degrees."""
    skeleton, stance = get_skeleton("humanml3d"), stance_directions()
    lean = {"left_knee": thigh, "right_ankle": shank}
    joints = np.zeros((22, 3))
    for parent, child in skeleton.bones:
        name = skeleton.joints[child]
        if name.startswith("spine") or name == "neck":
            step = np.array([0.0, np.cos(np.radians(trunk)), np.sin(np.radians(trunk))])
        elif name in lean:
            step = np.array([0.0, -np.cos(np.radians(lean[name])), np.sin(np.radians(lean[name]))])
        else:
            step = stance[name]
        joints[child] = joints[parent] + 0.3 * step
    return joints


@pytest.mark.parametrize(("part", "most"), [("thigh", 31.788), ("shank", 31.788), ("trunk", 25.842)])
def test_a_part_of_a_stance_leans_so_much_at_most(part: str, most: float) -> None:
    """The angles whose cosines are 0.85 and 0.9."""
    assert stands_upright(body(**{part: most - 0.05})[None])
    assert not stands_upright(body(**{part: most + 0.05})[None])
    assert not stands_upright(body(**{part: 120.0})[None])
    several = np.stack([body(**{part: lean}) for lean in (60.0, 20.0, 5.0, 28.0)])
    worst, which = rigs._stands(several)
    assert which == 2
    limit = rigs.UPRIGHT[part]
    assert worst == pytest.approx(min(np.cos(np.radians(5.0)) - limit, 1 - 0.9), abs=1e-6)


@pytest.mark.parametrize(
    ("lifted", "own"),
    [(0.0, False), (0.05, False), (0.1915, False), (0.1925, True), (0.25, True), (-0.0005, True), (-0.02, True)],
)
def test_the_floor_is_at_zero_unless_a_body_is_far_above_or_below(lifted: float, own: bool, tmp_path: Path) -> None:
    """Up to twelve hundredths of 1.6 m from its lowest joint, the root, to the head; else at the toes, 1 cm up."""

    def lift(nodes: list[dict], description: dict) -> None:
        nodes[0]["translation"] = [0.0, lifted, 0.0]
        description["skins"] = [{"joints": description["skins"][0]["joints"]}]

    rig = load_rig(changed(tmp_path / "a.glb", lift))
    assert rig.stance == "its rest pose"
    assert rig.floor == pytest.approx(lifted + 0.01 if own else 0.0, abs=1e-5)
    assert rig.placed[0, 1] == pytest.approx(lifted, abs=1e-6)


def test_a_file_that_never_stands_says_so(tmp_path: Path) -> None:
    def sits(nodes: list[dict], description: dict) -> None:
        sat_down(nodes, description)
        description["skins"] = [{"joints": description["skins"][0]["joints"]}]

    path = changed(tmp_path / "a.glb", sits)
    with pytest.raises(DataError, match=r"a\.glb: stands upright neither in its rest pose nor in its motion"):
        load_rig(path)


def test_a_skin_that_cannot_be_read_leaves_the_rest_pose(tmp_path: Path) -> None:
    def broken(_nodes: list[dict], description: dict) -> None:
        description["accessors"][0]["count"] = 10**6

    def singular(_nodes: list[dict], description: dict) -> None:
        description["accessors"][0] |= {"bufferView": 2, "componentType": 5126, "type": "MAT4", "count": 0}

    for change in (broken, singular):
        rig = load_rig(changed(tmp_path / "a.glb", change))
        assert rig.stance == "its rest pose"
