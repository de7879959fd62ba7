"""Manners: mixed by their shares, and measured on bodies whose angles are known."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation
from stored_arrays import check_stored

from motion_platform.motion.clip import Clip
from motion_platform.motion.gesturing.emotions import Manner, compared, manners, measure, mixed
from motion_platform.motion.skeleton import get_skeleton

BODY = get_skeleton("humanml3d")
PLACES = {
    "spine1": (0, 0.1, 0), "spine2": (0, 0.25, 0), "spine3": (0, 0.3, 0), "neck": (0, 0.5, 0), "head": (0, 0.6, 0),
    "left_collar": (0.05, 0.45, 0), "left_shoulder": (0.2, 0.45, 0), "left_elbow": (0.2, 0.15, 0),
    "left_wrist": (0.2, -0.1, 0), "left_hip": (0.1, -0.05, 0), "left_knee": (0.1, -0.5, 0),
    "left_ankle": (0.1, -0.9, 0), "left_foot": (0.1, -0.95, 0.1),
}  # fmt: skip


def body(frames: int = 40) -> np.ndarray:
    joints = np.zeros((frames, 22, 3))
    for name, place in PLACES.items():
        joints[:, BODY.index(name)] = place
        if name.startswith("left_"):
            joints[:, BODY.index("right" + name[4:])] = np.array(place) * [-1, 1, 1]
    return joints


def measured(joints: np.ndarray, fps: float = 20.0) -> dict[str, float]:
    return measure([Clip(joints.astype(np.float32), fps, BODY)])


def at(joints: np.ndarray, name: str) -> np.ndarray:
    return joints[:, BODY.index(name)]


@pytest.mark.parametrize("yaw", [0.0, 130.0])
def test_angles_are_those_that_a_body_was_given(yaw: float) -> None:
    joints = body()
    lean, nod, rise, off = np.radians([20.0, 35.0, 8.0, 25.0])
    at(joints, "neck")[:] = 0.5 * np.array([0, np.cos(lean), np.sin(lean)])
    at(joints, "head")[:] = at(joints, "neck") + 0.1 * np.array([0, np.cos(nod), np.sin(nod)])
    for side, sign in (("left", 1.0), ("right", -1.0)):
        shoulder = at(joints, f"{side}_collar") + 0.15 * np.array([sign * np.cos(rise), np.sin(rise), 0])
        at(joints, f"{side}_shoulder")[:] = shoulder
        wide = off + np.radians(10) * (side == "right")  # the arm that hangs closer counts
        at(joints, f"{side}_elbow")[:] = shoulder + 0.3 * np.array([sign * np.sin(wide), -np.cos(wide), 0.1])
    made = measured(joints @ Rotation.from_euler("y", yaw, degrees=True).as_matrix().T)
    assert made["spine"] == pytest.approx(20, abs=1e-3)
    assert made["head"] == pytest.approx(15, abs=1e-3)
    assert made["shoulders"] == pytest.approx(8, abs=1e-3)
    assert made["spread"] == pytest.approx(25, abs=1e-3)


def test_amplitude_and_tempo_are_those_of_the_hand_that_moves_more() -> None:
    """Ranges from the 5th to the 95th percentile, in a line of 0.3, 0.4 and 0 m a second; a pause does not count."""
    joints = body(101)
    way = np.concatenate([np.linspace(0, 1, 81), np.ones(20)])
    at(joints, "right_wrist")[:] += way[:, None] * [0.3, 0.4, 0.0]
    at(joints, "left_wrist")[:] += 0.9 * way[:, None] * [0.3, 0.4, 0.0]
    made = measured(joints, 20.0)
    low, high = np.quantile(way, [0.05, 0.95])
    assert made["amplitude"] == pytest.approx(0.5 * (high - low), abs=1e-5)
    assert made["tempo"] == pytest.approx(0.5 / 80 * 20 / (0.5 * (high - low)), rel=1e-4)
    at(joints, "right_wrist")[81:] += np.linspace(0.0005, 0.01, 20)[:, None] * [0.3, 0.4, 0.0]  # slower than a tenth
    assert measured(joints, 20.0)["tempo"] == pytest.approx(0.5 / 80 * 20 / made["amplitude"], rel=1e-2)


def test_measurements_are_what_they_were() -> None:
    made = {}
    for seed in range(3):
        random = np.random.default_rng(seed)
        joints = body(60) + 0.2 * gaussian_filter1d(random.normal(size=(60, 22, 3)), 2.0, axis=0)
        other = body(30) + 0.1 * gaussian_filter1d(random.normal(size=(30, 22, 3)), 1.0, axis=0)
        clips = [Clip(joints.astype(np.float32), 20.0, BODY), Clip(other.astype(np.float32), 30.0, BODY)]
        made[f"{seed}"] = np.array(list(measure(clips).values()))
    check_stored("manners", made, atol=1e-4, rtol=1e-5)


def test_factors_are_mixed_as_logarithms_and_angles_by_their_shares() -> None:
    some = {"angry": 1.0, "old": 3.0, "relaxed": 0.0}
    made = asdict(mixed(some))
    for key in asdict(Manner()):
        values = [getattr(manners()[name], key) for name in some]
        if key in ("amplitude", "tempo"):
            wanted = values[0] ** 0.25 * values[1] ** 0.75
        else:
            wanted = 0.25 * values[0] + 0.75 * values[1]
        assert made[key] == pytest.approx(wanted), key
    assert asdict(mixed({"sad": 0.01})) == pytest.approx(asdict(manners()["sad"]))


def test_a_manner_is_compared_by_ratios_and_differences() -> None:
    first = {"amplitude": 2.0, "tempo": 3.0, "spine": 5.0, "head": 1.0, "shoulders": 4.0, "spread": 7.0}
    second = {"amplitude": 4.0, "tempo": 1.5, "spine": 8.0, "head": -1.0, "shoulders": 1.0, "spread": 9.0}
    assert compared(first, second) == Manner(0.5, 2.0, -3.0, 2.0, 3.0, -2.0)
