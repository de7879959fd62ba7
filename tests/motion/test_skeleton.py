"""The skeletons that ship are consistent trees; left and right swap cleanly; wrong ones are refused in one line."""

import numpy as np
import pytest
from stored_arrays import check_stored

from motion_platform.core.errors import DataError, UnknownName
from motion_platform.motion.inverse_kinematics import rest_directions
from motion_platform.motion.io.smpl import _t_pose
from motion_platform.motion.representations.beat_matrices import _offset
from motion_platform.motion.rigs.pose import stance_directions
from motion_platform.motion.skeleton import Skeleton, get_skeleton, skeleton_names

JOINTS = {"beat": 75, "humanml3d": 22, "humanml3d_hands": 52, "kit": 21, "coco_upper": 13, "conductor": 22, "zeggs": 75}


def _other_side(joint):
    pairs = {"left": "right", "right": "left", "Left": "Right", "Right": "Left"}
    return next(joint.replace(a, b) for a, b in pairs.items() if a in joint)


def test_all_ship():
    assert skeleton_names() == sorted(JOINTS)
    assert {name: len(get_skeleton(name)) for name in JOINTS} == JOINTS


@pytest.mark.parametrize("name", JOINTS)
def test_parts_and_sides_are_complete(name):
    skeleton = get_skeleton(name)
    for part in skeleton.parts:
        assert skeleton.indices(part)
    sided = {j for j in skeleton.joints if j.lower().startswith(("left", "right"))}
    assert sided == set(skeleton.mirror)
    for joint, twin in skeleton.mirror.items():
        assert twin == _other_side(joint)
    assert (skeleton.mirror_indices[skeleton.mirror_indices] == np.arange(len(skeleton))).all()
    # The parents mirror too, or a mirrored motion would stretch its bones.
    for parent, child in skeleton.bones:
        assert skeleton.parents[skeleton.mirror_indices[child]] == skeleton.mirror_indices[parent]


@pytest.mark.parametrize("name", JOINTS)
def test_mirror_twice_is_identity(name):
    skeleton = get_skeleton(name)
    joints = np.random.default_rng(0).normal(size=(5, len(skeleton), skeleton.dims)).astype(np.float32)
    once = skeleton.mirrored(joints)
    assert not np.allclose(once, joints)
    np.testing.assert_allclose(skeleton.mirrored(once), joints, atol=1e-6)
    if skeleton.dims == 3:
        left, right = (skeleton.index(skeleton.parts[f"{side}_arm"][-1]) for side in ("left", "right"))
        np.testing.assert_array_equal(once[:, left], joints[:, right] * [-1, 1, 1])


@pytest.mark.parametrize("name", ["humanml3d", "kit", "humanml3d_hands"])
def test_body_is_divided_into_upper_and_lower(name):
    skeleton = get_skeleton(name)
    assert sorted(skeleton.indices("upper_body") + skeleton.indices("lower_body")) == list(range(len(skeleton)))


@pytest.mark.parametrize("name", ["humanml3d", "kit", "humanml3d_hands"])
def test_rest_pose_has_left_at_positive_x_and_plausible_lengths(name):
    skeleton = get_skeleton(name)
    rest = np.zeros((len(skeleton), 3))
    for parent, child in skeleton.bones:
        rest[child] = rest[parent] + skeleton.offsets[child]
    assert rest[skeleton.index("left_hip"), 0] > 0.04 > -0.04 > rest[skeleton.index("right_hip"), 0]
    assert rest[skeleton.index("left_shoulder"), 0] > 0.1
    assert (rest[skeleton.indices("left_foot")][:, 1] < -0.4).all()
    assert rest[skeleton.index("left_foot"), 2] > 0.05


def test_coco_graph_is_the_published_one():
    # VirtualConductor, graph.py, layout ConductorMotionX
    published = "0-1 0-2 1-3 2-4 0-5 0-6 5-6 5-7 7-9 6-8 8-10 11-12 5-11 6-12"
    got = {f"{min(e)}-{max(e)}" for e in get_skeleton("coco_upper").edges}
    assert got == set(published.split())


def test_humanml3d_parents_are_those_of_smpl():
    assert get_skeleton("humanml3d").parents == (
        *(-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19),
    )


def test_mistakes_are_named():
    with pytest.raises(UnknownName, match="did you mean 'humanml3d'"):
        get_skeleton("humanml")
    skeleton = get_skeleton("kit")
    with pytest.raises(UnknownName, match="did you mean 'left_knee'"):
        skeleton.index("left_kne")
    with pytest.raises(UnknownName, match="body part"):
        skeleton.indices("tail")
    with pytest.raises(DataError, match=r"not \(\.\.\., 21, 3\)"):
        skeleton.mirrored(np.zeros((4, 22, 3)))
    with pytest.raises(DataError, match="offsets"):
        Skeleton("two", ("a", "b"), (-1, 0), offsets=np.zeros((3, 3)))
    with pytest.raises(DataError, match="after its parent"):
        Skeleton("two", ("a", "b"), (1, -1))


def test_bodies_and_their_poses_at_rest_are_what_they_were():
    """Files that others have made of motions stand on these: measured or read off once, with no formula behind them."""
    body, beat = get_skeleton("humanml3d"), get_skeleton("beat")
    made = {name: get_skeleton(name).offsets for name in JOINTS if get_skeleton(name).offsets is not None}
    made["beat usual"] = np.array([_offset(joint) for joint in beat.joints])
    made["smpl at rest"] = _t_pose()
    made["arms out"] = rest_directions(body, np.zeros((22, 3)))
    stance = stance_directions()
    made["stance"] = np.array([stance[key] for key in sorted(stance)])
    check_stored("bodies", made, atol=1e-5)


def test_a_tree_that_is_none_is_refused():
    with pytest.raises(DataError, match="2 joints but 1 parents"):
        Skeleton("two", ("a", "b"), (-1,))
    with pytest.raises(DataError, match="must be different from each other"):
        Skeleton("two", ("a", "a"), (-1, 0))
    for parents in ((0, 0), (-1, 1), (-1, 2), (-1, -1), (-2, 0)):
        with pytest.raises(DataError, match="must come after its parent"):
            Skeleton("two", ("a", "b"), parents)
    assert Skeleton("two", ("a", "b", "c"), (-1, 0, 0)).bones == [(0, 1), (0, 2)]


def test_what_is_drawn_beside_the_bones_comes_after_them():
    three = Skeleton("three", ("a", "b", "c"), (-1, 0, 1), extra_edges=(("c", "a"),))
    assert three.edges == [(0, 1), (1, 2), (2, 0)]
    with pytest.raises(UnknownName, match="unknown joint 'd'"):
        _ = Skeleton("three", ("a", "b"), (-1, 0), extra_edges=(("d", "a"),)).edges
