"""HumanML3D and KIT-ML features against the original code's numbers, and the properties that make them useful.

How the fixtures were made is in tests/fixtures/guo/README.md: the official clip 012314 as published, and the outputs of
the original process_file, run unchanged on pieces of CMU clips.
"""

from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from motion_platform.core.errors import DataError, UnknownName, UsageError
from motion_platform.motion.representations import get_representation, guo

FIXTURES = Path(__file__).parents[2] / "fixtures" / "guo"
ORIGINAL = np.load(FIXTURES / "process_file.npz")
OFFICIAL = np.load(FIXTURES / "official_012314.npz")
CLIPS = sorted({tuple(key.split("/")[:2]) for key in ORIGINAL.files if key.endswith("/joints")})
NAMES = ["humanml3d", "humanml3d_essential", "kit_ml"]


def joints_for(name):
    """A real clip of the skeleton of a representation, in its canonical place."""
    if name.startswith("humanml3d"):
        return OFFICIAL["joints"]
    return guo.canonical(ORIGINAL["kit_ml/walk_noise/joints"], guo.KIT_BODY)


def turned(joints, angle, shift=(0, 0, 0)):
    matrix = Rotation.from_euler("y", angle).as_matrix()
    return (joints @ matrix.T + shift).astype(np.float32)


@pytest.mark.parametrize(("name", "clip"), CLIPS)
def test_process_equals_the_original(name, clip):
    representation = get_representation(name)
    expected = ORIGINAL[f"{name}/{clip}/features"]
    got = representation.process(ORIGINAL[f"{name}/{clip}/joints"])
    assert got.shape == expected.shape == (len(expected), representation.dim)
    assert got.dtype == np.float32
    # The original works in single precision; its millimetres of KIT-ML are good to 1e-7 of about 1000.
    unit = representation.body.scale
    for group, columns in representation.groups.items():
        limit = 1e-4 if group in ("rotations", "contacts") else max(1e-5, 2e-6 * unit)
        assert np.abs(got[:, columns] - expected[:, columns]).max() <= limit, group
    contacts = expected[:, representation.groups["contacts"]]
    assert 0 < contacts.mean() < 1, "the fixture must hold both standing and moving feet"


def test_official_clip_encodes_to_the_official_features():
    humanml3d = get_representation("humanml3d")
    got, expected = humanml3d.encode(OFFICIAL["joints"]), OFFICIAL["features"][:-1]
    # The published joints lack the last frame of the clip, which the smoothing saw: hence not closer.
    difference = np.abs(got - expected)
    assert difference.mean() <= 2e-4
    assert difference[:80].max() <= 2e-5
    contacts = humanml3d.groups["contacts"]
    np.testing.assert_array_equal(got[:, contacts], expected[:, contacts])
    np.testing.assert_array_equal(humanml3d.contacts(OFFICIAL["joints"]), expected[:, contacts])


def test_official_features_decode_to_the_official_joints():
    humanml3d = get_representation("humanml3d")
    features = torch.from_numpy(OFFICIAL["features"])
    assert np.abs(humanml3d.decode(features).numpy() - OFFICIAL["joints"]).max() <= 1e-5
    assert np.abs(humanml3d.decode_rotations(features).numpy() - OFFICIAL["joints"]).max() <= 1e-4


def test_turning_behind_keeps_the_published_sign_in_process_and_the_right_one_in_encode():
    joints, humanml3d = OFFICIAL["joints"], get_representation("humanml3d")
    angles = np.linspace(0, 3 * np.pi, len(joints))
    spinning = np.stack([turned(f, a) for f, a in zip(joints - joints[:1, :1] * [1, 0, 1], angles, strict=True)])
    published = ORIGINAL["humanml3d/turning/root"]
    np.testing.assert_allclose(humanml3d.process(spinning)[:, :4], published, atol=1e-5)
    got = humanml3d.encode(guo.canonical(guo.uniform_skeleton(spinning)))
    differing = np.flatnonzero(np.abs(got[:, 0] - published[:, 0]) > 1e-4)
    assert len(differing) == 1
    np.testing.assert_allclose(got[differing, 0], -published[differing, 0], atol=1e-5)
    np.testing.assert_allclose(humanml3d.to_joints(got), guo.canonical(spinning)[:-1], atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_decoding_gives_the_joints_back(name):
    representation, joints = get_representation(name), joints_for(name)
    features = representation.encode(joints)
    assert features.shape == (len(joints) - 1, representation.dim)
    np.testing.assert_allclose(representation.to_joints(features), joints[:-1], atol=2e-6)


@pytest.mark.parametrize("name", ["humanml3d", "kit_ml"])
def test_decoding_rotations_gives_the_joints_back_with_their_own_bone_lengths(name):
    representation = get_representation(name)
    joints = guo.uniform_skeleton(joints_for(name), body=representation.body)
    joints = guo.canonical(joints, representation.body)
    features = torch.from_numpy(representation.encode(joints))
    np.testing.assert_allclose(representation.decode_rotations(features).numpy(), joints[:-1], atol=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_encode_does_not_see_heading_or_place(name):
    representation, joints = get_representation(name), joints_for(name)
    expected = representation.encode(joints)
    for angle in (0.7, np.pi, -2.5):
        got = representation.encode(turned(joints, angle, (3, 0, -8)))
        for group, columns in representation.groups.items():
            limit = 5e-4 if group in ("rotations", "contacts") else 5e-6 * representation.body.scale
            assert np.abs(got[:, columns] - expected[:, columns]).max() < limit, group


def test_canonical_is_where_a_clip_starts_and_idempotent():
    joints = turned(OFFICIAL["joints"], 2.0, (1, 5, 2))
    once = guo.canonical(joints)
    assert once[..., 1].min() == 0
    np.testing.assert_array_equal(once[0, 0, [0, 2]], 0)
    assert abs(guo.heading(once)[0]) < 1e-6
    np.testing.assert_allclose(guo.canonical(once), once, atol=1e-6)
    np.testing.assert_allclose(once, guo.canonical(OFFICIAL["joints"]), atol=5e-6)


def test_heading_follows_a_turn_about_y():
    joints = guo.canonical(OFFICIAL["joints"])
    np.testing.assert_allclose(guo.heading(turned(joints, 0.5))[0], 0.5, atol=1e-6)
    # Facing Z+, the left hand side is X+, and the feet point forward.
    skeleton = get_representation("humanml3d").skeleton
    assert joints[0, skeleton.index("left_hip"), 0] > joints[0, skeleton.index("right_hip"), 0]
    assert joints[0, skeleton.index("left_foot"), 2] > joints[0, skeleton.index("left_ankle"), 2]


@pytest.mark.parametrize("body", [guo.HUMANML3D_BODY, guo.KIT_BODY], ids=lambda body: body.skeleton_name)
def test_uniform_skeleton_sets_lengths_and_keeps_directions(body):
    joints = ORIGINAL["humanml3d/walk/joints" if body is guo.HUMANML3D_BODY else "kit_ml/walk/joints"]
    out = guo.uniform_skeleton(joints, body=body)
    parents = list(body.skeleton.parents[1:])
    before, after = joints[:, 1:] - joints[:, parents], out[:, 1:] - out[:, parents]
    lengths = np.linalg.norm(body.skeleton.offsets[1:], axis=-1)
    np.testing.assert_allclose(np.linalg.norm(after, axis=-1), np.broadcast_to(lengths, after.shape[:2]), atol=1e-6)
    cosine = (before * after).sum(-1) / np.linalg.norm(before, axis=-1) / np.linalg.norm(after, axis=-1)
    assert cosine.min() > 1 - 1e-6
    np.testing.assert_allclose(guo.uniform_skeleton(out, body=body), out, atol=1e-5)


def test_smoothing_agrees_with_scipy():
    values = np.random.default_rng(0).normal(size=(37, 2))
    np.testing.assert_allclose(guo._smooth(values), gaussian_filter1d(values, 20, axis=0, mode="nearest"), atol=1e-12)


def test_shortest_rotation_agrees_with_scipy_and_survives_opposite_bones():
    rng = np.random.default_rng(0)
    start = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, -1, 0]])
    end = rng.normal(size=(50, 4, 3))
    end /= np.linalg.norm(end, axis=-1, keepdims=True)
    got = guo._shortest_rotation(start, end)
    for t, j in np.ndindex(50, 4):
        axis = np.cross(start[j], end[t, j])
        angle = np.arctan2(np.linalg.norm(axis), start[j] @ end[t, j])
        expected = Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle).as_matrix()
        np.testing.assert_allclose(got[t, j], expected, atol=1e-9)
    opposite = guo._shortest_rotation(start, -start[None])[0]
    np.testing.assert_allclose(np.einsum("jab,jb->ja", opposite, start), -start, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(opposite), 1, atol=1e-12)


def test_essential_is_the_start_of_humanml3d():
    essential, whole = get_representation("humanml3d_essential"), get_representation("humanml3d")
    features = whole.encode(OFFICIAL["joints"])
    np.testing.assert_array_equal(essential.encode(OFFICIAL["joints"]), features[:, :67])
    np.testing.assert_array_equal(essential.to_joints(features[:, :67]), whole.to_joints(features))
    with pytest.raises(UsageError, match="holds no joint rotations"):
        essential.decode_rotations(torch.zeros(4, 67))


@pytest.mark.parametrize(
    ("name", "dim", "fps"), [("humanml3d", 263, 20), ("humanml3d_essential", 67, 20), ("kit_ml", 251, 12.5)]
)
def test_shape_and_groups(name, dim, fps):
    representation = get_representation(name)
    assert (representation.name, representation.dim, representation.fps) == (name, dim, fps)
    slices = list(representation.groups.values())
    assert slices[0].start == 0
    assert slices[-1].stop == dim
    assert all(a.stop == b.start for a, b in pairwise(slices))


@pytest.mark.parametrize("name", NAMES)
def test_columns_divide_the_features_among_the_joints(name):
    representation = get_representation(name)
    each = [representation.columns([j]).tolist() for j in range(len(representation.skeleton))]
    assert sorted(chain(*each)) == list(range(representation.dim))
    assert each[0][:4] == [0, 1, 2, 3]
    assert representation.columns([]).tolist() == []


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_what_a_joint_changes(name):
    representation, joints = get_representation(name), joints_for(name)
    wrist = representation.skeleton.index("left_wrist")
    moved = joints.copy()
    moved[:, wrist] += np.random.default_rng(0).normal(0, 0.02, (len(joints), 3)).astype(np.float32)
    changed = np.abs(representation.encode(moved) - representation.encode(joints)).max(axis=0) > 1e-6
    assert set(np.flatnonzero(changed)) == set(representation.columns([wrist]).tolist())
    assert representation.columns([wrist]).dtype == torch.int64


def test_foot_joints_own_their_contacts():
    for name in ("humanml3d", "kit_ml"):
        representation = get_representation(name)
        contacts = representation.groups["contacts"]
        left = set(representation.part_columns("left_foot").tolist())
        right = set(representation.part_columns("right_foot").tolist())
        both = range(contacts.start, contacts.stop)
        assert [c in left for c in both] == [True, True, False, False]
        assert [c in right for c in both] == [False, False, True, True]


@pytest.mark.parametrize("name", NAMES)
def test_decode_is_batched_and_carries_gradient(name):
    representation = get_representation(name)
    features = torch.from_numpy(representation.encode(joints_for(name)))[:20]
    batch = features.expand(2, 3, -1, -1).clone().requires_grad_()
    joints = representation.decode(batch)
    assert joints.shape == (2, 3, 20, len(representation.skeleton), 3)
    torch.testing.assert_close(joints[1, 2], representation.decode(features))
    joints[..., -1, :, :].sum().backward()
    assert torch.isfinite(batch.grad).all()
    # The last frame depends on every earlier turn and step.
    assert (batch.grad[..., :-1, 1].abs() > 0).all()


def test_gradients_are_right():
    torch.manual_seed(0)
    for name in ("humanml3d_essential", "humanml3d"):
        representation = get_representation(name)
        x = torch.randn(3, representation.dim, dtype=torch.float64) * 0.3
        x.requires_grad_()
        assert torch.autograd.gradcheck(lambda x, r=representation: r.decode(x).sum(dim=(-1, -2)), x)


def test_short_and_broken_clips_are_refused():
    humanml3d, joints = get_representation("humanml3d"), OFFICIAL["joints"]
    assert humanml3d.encode(joints[:2]).shape == (1, 263)
    np.testing.assert_allclose(humanml3d.to_joints(humanml3d.encode(joints[:2])), joints[:1], atol=1e-6)
    for refuse in (humanml3d.encode, humanml3d.process, humanml3d.contacts):
        with pytest.raises(DataError, match="at least 2 are needed"):
            refuse(joints[:1])
    broken = joints.copy()
    broken[5, 3, 0] = np.nan
    for refuse in (humanml3d.encode, guo.canonical, guo.uniform_skeleton):
        with pytest.raises(DataError, match="frame 5 has a NaN"):
            refuse(broken)
        with pytest.raises(DataError, match="not \\(T, 22, 3\\)"):
            refuse(joints[:, :21])
    flat = joints.copy()
    flat[7, 20] = flat[7, 18]
    with pytest.raises(DataError, match="frame 7: the bone from left_elbow to left_wrist has no length"):
        humanml3d.encode(flat)
    with pytest.raises(DataError, match="no facing direction"):
        guo.canonical(np.zeros((3, 22, 3)))
    with pytest.raises(DataError, match=r"not \(..., T, 263\)"):
        humanml3d.decode(torch.zeros(5, 262))
    with pytest.raises(UsageError, match="0 to 21"):
        humanml3d.columns([22])
    with pytest.raises(UnknownName, match="did you mean 'humanml3d'"):
        get_representation("humanml")
    with pytest.raises(DataError, match="target offsets"):
        guo.uniform_skeleton(joints, np.zeros((21, 3)))


def test_a_foot_that_moves_by_the_threshold_itself_has_left_the_ground():
    """As published: contact is a squared step below the threshold (feet_l_x + ... < feet_thre)."""
    body = replace(guo.HUMANML3D_BODY, still=0.25)
    steps = np.zeros((3, 22, 3))
    steps[:, body.feet[1], 2] = 0.5, np.nextafter(0.5, 0), 0.0
    assert guo._still(steps, body).tolist() == [[1, 0, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
