"""Clips as features of a model and back: which body is asked for, and what of a clip with rotations is taken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.schema import Motion, MotionSpec
from motion_platform.motion import bodies
from motion_platform.motion.bodies import clips_of, features_of, on_skeleton
from motion_platform.motion.clip import Clip
from motion_platform.motion.io.euler import forward_kinematics
from motion_platform.motion.representations import get_representation
from motion_platform.motion.retarget import to_humanml3d, to_kit
from motion_platform.motion.skeleton import Skeleton, get_skeleton


def spec(name: str) -> MotionSpec:
    found = get_representation(name)
    return MotionSpec(name, found.skeleton.name, found.fps, torch.zeros(found.dim), torch.ones(found.dim))


def moving(skeleton: Skeleton, frames: int = 40, fps: float = 60.0, turns: bool = True) -> Clip:
    random = np.random.default_rng(1)
    vectors = gaussian_filter1d(random.normal(size=(frames, len(skeleton), 3)), 6.0, axis=0)
    local = Rotation.from_rotvec((vectors * 0.4 / vectors.std()).reshape(-1, 3)).as_quat().reshape(frames, -1, 4)
    steps = np.broadcast_to(np.array(skeleton.offsets), (frames, len(skeleton), 3)).copy()
    steps[:, 0] = np.stack([0.01 * np.arange(frames), np.full(frames, 0.9), 0.02 * np.arange(frames)], axis=-1)
    joints = forward_kinematics(local, steps, skeleton.parents)
    return Clip(
        joints.astype(np.float32), fps, skeleton, local.astype(np.float32) if turns else None, "m", info={"a": 1}
    )


@pytest.mark.parametrize(("name", "to"), [("humanml3d", to_humanml3d), ("kit_ml", to_kit)])
def test_features_are_of_the_body_that_the_model_has(name: str, to) -> None:
    clip = moving(get_skeleton("humanml3d"), turns=False)
    wanted = get_representation(name)
    found = to(clip, fps=wanted.fps)
    made = features_of(clip, spec(name))
    np.testing.assert_array_equal(made.numpy(), wanted.encode(found.joints))
    two = features_of(clip.with_(joints=clip.joints[: 4 if name == "humanml3d" else 6]), spec(name))
    assert len(two) == 1
    with pytest.raises(DataError, match=rf"motion 'm': has 1 frame at {wanted.fps:g} fps; at least 2 are needed"):
        features_of(clip.with_(joints=clip.joints[:2]), spec(name))
    with pytest.raises(UsageError, match="the model's skeleton is coco_upper; reading a motion file for it needs"):
        features_of(clip, spec("conductor"))


def larger(skeleton: Skeleton) -> Skeleton:
    """With a joint between the first bone's ends, and one more at the end."""
    at = 1
    names = [skeleton.joints[0], "between", *skeleton.joints[1:], "more"]
    parents = [-1, 0, *(1 if j == at else p + (p > 0) for j, p in enumerate(skeleton.parents) if j >= 1), 0]
    offsets = np.zeros((len(names), 3))
    own = np.array(skeleton.offsets)
    offsets[1], offsets[2], offsets[3:-1], offsets[-1] = own[1] / 2, own[1] / 2, own[2:], [0, 0.1, 0]
    return Skeleton("larger", tuple(names), tuple(parents), offsets)


@pytest.mark.parametrize("fps", [60.0, 30.0])
def test_a_body_is_taken_out_of_a_larger_one_by_its_names(fps: float) -> None:
    skeleton = get_skeleton("humanml3d_hands")
    clip = moving(larger(skeleton))
    assert clip.rotations is not None
    made = on_skeleton(clip.with_(rotations=2 * clip.rotations), skeleton, fps)
    assert made.rotations is not None
    step = round(60.0 / fps)
    at = [clip.skeleton.index(joint) for joint in skeleton.joints]
    np.testing.assert_allclose(made.joints, clip.joints[::step, at], atol=1e-5)
    world = [Rotation.from_quat(clip.rotations[:, 0])]
    for j in range(1, len(clip.skeleton)):
        world.append(world[clip.skeleton.parents[j]] * Rotation.from_quat(clip.rotations[:, j]))
    for j, name in enumerate(skeleton.joints):
        own = world[clip.skeleton.index(name)]
        above = skeleton.parents[j]
        wanted = own if above < 0 else world[clip.skeleton.index(skeleton.joints[above])].inv() * own
        off = (wanted[::step].inv() * Rotation.from_quat(made.rotations[:, j])).magnitude()
        assert off.max() < 1e-5, name
    np.testing.assert_allclose(np.linalg.norm(made.rotations, axis=-1), 1, atol=1e-6)
    for parent, j in skeleton.bones:  # the bones as the parent sees them in the first frame
        seen = world[at[parent]][0].inv().apply(clip.joints[0, at[j]] - clip.joints[0, at[parent]])
        np.testing.assert_allclose(made.skeleton.offsets[j], seen, atol=1e-5)
    assert (made.fps, made.info, made.skeleton.name, made.name) == (fps, {}, skeleton.name, "m")


def test_what_a_body_with_fingers_needs_is_named() -> None:
    skeleton = get_skeleton("humanml3d_hands")
    clip = moving(skeleton)
    with pytest.raises(DataError, match="motion 'm': has no joint rotations"):
        on_skeleton(clip.with_(rotations=None), skeleton, 30.0)
    for gone, said in ((1, "a0 "), (3, "a0, a1, a2 "), (4, "a0, a1, a2 and 1 more ")):
        wanted = Skeleton("w", (*skeleton.joints, *(f"a{k}" for k in range(gone))), (*skeleton.parents, *[0] * gone))
        with pytest.raises(DataError, match=rf"motion 'm': has 52 joints, but not {said}of skeleton w"):
            on_skeleton(clip, wanted, 30.0)


@pytest.mark.parametrize("name", ["humanml3d", "conductor", "kit_ml"])
def test_a_batch_becomes_clips_without_its_padding(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = get_representation(name)
    joints = np.random.default_rng(2).normal(0, 0.3, (21, len(found.skeleton), 3)).astype(np.float32)
    features = torch.from_numpy(found.encode(joints))
    motion = Motion(torch.stack([features, features]), torch.tensor([20, 9]), spec(name))
    for most in (4096, 3):
        monkeypatch.setattr(bodies, "FRAMES_AT_ONCE", most)
        first, second = clips_of(motion)
        assert (len(first), len(second), first.fps, first.rotations) == (20, 9, found.fps, None)
        np.testing.assert_allclose(first.joints, found.to_joints(features.numpy()), atol=1e-5)
        np.testing.assert_allclose(second.joints, found.to_joints(features.numpy())[:9], atol=1e-5)
        assert first.skeleton.joints == found.skeleton.joints


def test_a_batch_of_a_body_with_rotations_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "beat_matrices"
    found = get_representation(name)
    offsets = np.random.default_rng(3).normal(0, 0.1, (len(found.skeleton), 3)) * (np.arange(75) > 0)[:, None]
    clip = moving(replace(found.skeleton, offsets=offsets), 12, found.fps)
    features = torch.from_numpy(found.encode(clip.joints, clip.rotations))
    motion = Motion(features[None], torch.tensor([len(features)]), spec(name))
    assert found.frame_by_frame
    for most in (4096, 5):
        monkeypatch.setattr(bodies, "FRAMES_AT_ONCE", most)
        (made,) = clips_of(motion)
        assert made.rotations is not None
        assert clip.rotations is not None
        off = np.abs((made.rotations * clip.rotations[: len(features)]).sum(-1))
        assert off.min() > 1 - 1e-5
        assert ((made.rotations[1:] * made.rotations[:-1]).sum(-1) > 0).all()
