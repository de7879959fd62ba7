"""Figures around all kinds of skeletons, part by part, as they were; and the borders at which a part is one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from stored_arrays import check_stored

from motion_platform.motion.clip import Clip
from motion_platform.motion.render.body import CENTRE, HEAD, LEFT, RIGHT, build_body
from motion_platform.motion.skeleton import Skeleton, get_skeleton


def still(skeleton: Skeleton, seed: int = 0) -> Clip:
    """The skeleton at rest, where it has a rest pose; else its joints anywhere."""
    joints = np.random.default_rng(seed).normal(0, 0.4, (2, len(skeleton), 3))
    if skeleton.offsets is not None:
        for parent, child in skeleton.bones:
            joints[:, child] = joints[:, parent] + skeleton.offsets[child]
    joints[..., 2] *= skeleton.dims == 3
    return Clip(joints.astype(np.float32), 20.0, skeleton)


COCO = ("nose", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_hip", "right_hip", "left_knee",
        "right_knee", "left_ankle", "right_ankle")  # fmt: skip
SKELETONS = {
    "humanml3d": get_skeleton("humanml3d"),
    "hands": get_skeleton("humanml3d_hands"),
    "kit": get_skeleton("kit"),
    "upper": get_skeleton("coco_upper"),
    "no ears": Skeleton("coco", COCO, (-1, 0, 0, 1, 2, 1, 2, 5, 6, 7, 8), dims=2),
    "dog": Skeleton(
        "dog", ("hips", "back", "Head", "left_paw", "right_paw", "tail", "tip"), (-1, 0, 1, 1, 1, 0, 5), dims=3
    ),
}


def test_figures_are_what_they_were() -> None:
    made: dict[str, np.ndarray] = {}
    for name, skeleton in SKELETONS.items():
        body = build_body(still(skeleton))
        np.testing.assert_allclose(body.weights.sum(1), 1)
        made |= {
            f"{name} weights": body.weights, f"{name} owner": body.owner, f"{name} ends": body.ends,
            f"{name} radii": body.radii, f"{name} tones": body.tones,
        }  # fmt: skip
    check_stored("figures", made, atol=1e-6)


def test_a_figure_is_as_thick_as_its_legs_are_long() -> None:
    clip = still(SKELETONS["hands"])
    one, two = build_body(clip), build_body(clip.with_(joints=1.5 * clip.joints))
    np.testing.assert_allclose(two.radii, 1.5 * one.radii, rtol=1e-5)


@pytest.mark.parametrize(("length", "radius"), [(0.00009, None), (0.0002, 0.0001), (0.02, 0.01), (0.5, 0.014)])
def test_what_hangs_on_a_figure_is_at_most_half_as_thick_as_long(length: float, radius: float | None) -> None:
    human = get_skeleton("humanml3d")
    with_tail = Skeleton("humanml3d+", (*human.joints, "tail"), (*human.parents, 0), None, human.parts)
    base = still(human).joints
    tail = base[:, :1] - np.array([0, 0, length], np.float32)
    body, plain = (
        build_body(Clip(j, 20.0, s)) for j, s in ((np.concatenate([base, tail], 1), with_tail), (base, human))
    )
    assert len(body.ends) == len(plain.ends) + (radius is not None)
    if radius is not None:
        scale = plain.radii.max() / 0.1
        thick = body.radii[-1, 0]
        assert thick == pytest.approx(radius, rel=1e-3) if radius < 0.014 else 0.011 < thick < 0.018, scale
        assert body.radii[-1, 1] == pytest.approx(0.8 * thick)
        assert body.tones[-1] == CENTRE


def test_a_tree_of_no_kind_is_thicker_the_more_hangs_on_it(walking: Callable[..., Clip]) -> None:
    """0.022 and 0.06 times the root of the share that hangs on a bone, of the size: a 4.2th of all bones."""
    skeleton = Skeleton("y", ("a", "b_l", "c_r", "d"), (-1, 0, 1, 1))
    joints = np.array([[[0, 0, 0], [0, 1, 0], [0.3, 1, 0], [0, 1, 0.2]]], np.float32)
    body = build_body(Clip(joints, 20.0, skeleton))
    size = 1.5 / 4.2
    wanted = [size * (0.022 + 0.06 * np.sqrt(share)) for share in (1.0, 0.3 / 1.5, 0.2 / 1.5)]
    np.testing.assert_allclose(body.radii[:, 0], np.minimum(wanted, [0.45, 0.135, 0.09]), rtol=1e-6)
    np.testing.assert_allclose(body.radii[:, 1], np.minimum(0.8 * np.array(wanted), [0.45, 0.135, 0.09]), rtol=1e-6)
    assert body.tones.tolist() == [LEFT, RIGHT, CENTRE]
    assert body.ends.tolist() == [[0, 1], [1, 2], [1, 3]]
    point = build_body(Clip(np.zeros((1, 1, 3), np.float32), 20.0, Skeleton("dot", ("it",), (-1,))))
    np.testing.assert_allclose(point.radii, [[0.05, 0.05]])
    nose = build_body(Clip(joints, 20.0, Skeleton("y", ("a", "Nose", "c", "head"), (-1, 0, 1, 1))))
    np.testing.assert_allclose(nose.radii[-2:], [[0.055 * size] * 2] * 2)
    assert nose.tones.tolist() == [CENTRE, CENTRE, HEAD, HEAD, HEAD]
    thin = joints.copy()
    thin[0, 3] = thin[0, 1] + [0, 0, 0.01]
    assert build_body(Clip(thin, 20.0, skeleton)).radii[2, 0] == pytest.approx(0.0045)
