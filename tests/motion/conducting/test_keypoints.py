"""Gestures made larger and steadier, frame by frame against numpy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import butter, filtfilt

from motion_platform.motion.conducting.keypoints import ARMS, BODY, HEAD, columns_of, resize_gestures, steadied
from motion_platform.motion.skeleton import get_skeleton

LENGTHS = (200, 61, 7, 2, 1)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 200, 26)).cumsum(1).astype(np.float32) * 0.05)
    return x, torch.tensor(LENGTHS)


def test_keypoints_are_those_of_coco() -> None:
    joints = get_skeleton("coco_upper").joints
    assert [joints[j].split("_")[-1] for j in HEAD] == ["nose", "eye", "eye", "ear", "ear"]
    assert [joints[j].split("_")[-1] for j in BODY] == ["shoulder", "shoulder", "hip", "hip"]
    assert [joints[j].split("_")[-1] for j in ARMS] == ["elbow", "elbow", "wrist", "wrist"]
    assert columns_of([0, 7]) == [0, 1, 14, 15]


@pytest.mark.parametrize(("fps", "reach"), [(30.0, 30), (12.5, 12), (0.4, 1)])
@pytest.mark.parametrize("amplitude", [0.0, 0.5, 2.0])
def test_gestures_grow_about_the_mean_of_two_seconds(fps: float, reach: int, amplitude: float) -> None:
    """At the ends what is missing is mirrored; a motion shorter than that is about the mean of what there is."""
    x, lengths = batch()
    made = resize_gestures(x, lengths, fps, amplitude).numpy()
    arms = columns_of(ARMS)
    for row, length in enumerate(LENGTHS):
        own = x[row, :length].numpy()
        wanted = x[row].numpy().copy()
        by = min(reach, length - 1)
        padded = np.pad(own, ((by, by), (0, 0)), mode="reflect") if length > 1 else own
        posture = np.stack([padded[t : t + 2 * by + 1].mean(0) for t in range(length)])
        wanted[:length, arms] = (posture + amplitude * (own - posture))[:, arms]
        np.testing.assert_allclose(made[row], wanted, atol=1e-5, err_msg=str(length))
    assert resize_gestures(x, lengths, fps, 1.0) is x


@pytest.mark.parametrize(
    ("arms", "body", "fps"), [(6.0, 3.0, 30.0), (0.0, 2.0, 30.0), (4.0, 0.0, 25.0), (14.9, 15.0, 30.0)]
)
def test_what_is_too_fast_is_filtered_forwards_and_backwards(arms: float, body: float, fps: float) -> None:
    x, lengths = batch()
    made = steadied(x, lengths, fps, arms, body).numpy()
    assert made.dtype == np.float32
    quick = columns_of(ARMS)
    slow = [c for c in range(26) if c not in quick]
    for row, length in enumerate(LENGTHS):
        wanted = x[row].numpy().astype(float).copy()
        for columns, hertz in ((quick, arms), (slow, body)):
            if 0 < hertz < fps / 2 and length > 1:
                b, a = butter(2, hertz / (fps / 2))
                pad = min(length - 1, round(fps / 2))
                wanted[:length, columns] = filtfilt(b, a, wanted[:length, columns], axis=0, padlen=pad)
        np.testing.assert_allclose(made[row], wanted, atol=2e-3 if length < 10 else 2e-5, err_msg=str(length))
    if not arms:
        np.testing.assert_array_equal(made[..., quick], x[..., quick])
