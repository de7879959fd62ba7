"""Rulers of how often on bodies that are built here, and three wrong motions that they must catch."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from stored_arrays import check_stored

from benchmarks.counts import limbs_frozen, statue, twice
from motion_platform.motion import counting
from motion_platform.motion.counting import RULERS
from motion_platform.motion.skeleton import get_skeleton

BODY = get_skeleton(counting.BODY)

PLACES = {
    "pelvis": (0, 0.9, 0), "neck": (0, 1.4, 0), "head": (0, 1.6, 0),
    **{f"{side}_{name}": (s * x, y, 0) for side, s in (("left", 1), ("right", -1)) for name, x, y in (
        ("hip", 0.1, 0.9), ("knee", 0.1, 0.5), ("ankle", 0.1, 0.08), ("foot", 0.1, 0.02), ("shoulder", 0.2, 1.4),
        ("elbow", 0.25, 1.1), ("wrist", 0.25, 0.85))},
}  # fmt: skip
TIMES = 3


def standing(frames: int = 120) -> np.ndarray:
    joints = np.zeros((frames, len(BODY.joints), 3))
    joints[:] = [PLACES.get(name, (0, 1.2, 0)) for name in BODY.joints]
    return joints


def bumps(frames: int = 120) -> np.ndarray:
    """From 0 to 1 and back, three times."""
    return np.sin(np.linspace(0, TIMES * np.pi, frames)) ** 2


def kicking() -> np.ndarray:
    joints, angle = standing(), np.radians(70) * bumps()
    for name, length in (("left_knee", 0.4), ("left_ankle", 0.82), ("left_foot", 0.88)):
        joints[:, BODY.index(name), 1] = 0.9 - length * np.cos(angle)
        joints[:, BODY.index(name), 2] = length * np.sin(angle)
    return joints


def bowing() -> np.ndarray:
    joints, angle = standing(), np.radians(60) * bumps()
    joints[:, BODY.index("neck"), 1] = 0.9 + 0.5 * np.cos(angle)
    joints[:, BODY.index("neck"), 2] = 0.5 * np.sin(angle)
    return joints


def waving() -> np.ndarray:
    joints = standing()
    joints[:, BODY.index("right_elbow")] = (-0.3, 1.5, 0)
    joints[:, BODY.index("right_wrist"), 1] = 1.7
    joints[:, BODY.index("right_wrist"), 0] = -0.4 + 0.3 * bumps()
    return joints


def raising() -> np.ndarray:
    joints = standing()
    joints[:, BODY.index("left_wrist"), 1] = 0.85 + 1.0 * bumps()
    return joints


def jumping() -> np.ndarray:
    joints = standing()
    joints[..., 1] += 0.3 * bumps()[:, None] ** 3
    return joints


def squatting() -> np.ndarray:
    joints = standing()
    joints[:, BODY.index("pelvis"), 1] -= 0.4 * bumps()
    return joints


def punching() -> np.ndarray:
    joints = standing()
    joints[:, BODY.index("right_wrist")] = joints[:, BODY.index("right_shoulder")]
    joints[:, BODY.index("right_wrist"), 2] = 0.15 + 0.4 * bumps() ** 4
    return joints


MOTIONS = {"kicks": kicking, "bows": bowing, "waves": waving, "raises": raising, "jumps": jumping,
           "squats": squatting, "punches": punching}  # fmt: skip


@pytest.mark.parametrize("action", MOTIONS)
def test_an_action_is_counted(action: str) -> None:
    assert RULERS[action](MOTIONS[action]()) == TIMES


@pytest.mark.parametrize("action", MOTIONS)
def test_wrong_motions_are_caught(action: str) -> None:
    joints, count = MOTIONS[action](), RULERS[action]
    assert count(statue(joints)) <= 1  # a pose that is held is no repetition
    assert count(limbs_frozen(joints)) <= 1
    assert count(standing()) == 0
    assert count(twice(joints)) == 2 * TIMES


def test_steps_metres_degrees_and_seconds() -> None:
    joints = standing(100)
    way, phase = np.linspace(0, 5, 100), np.linspace(0, 4 * np.pi, 100)
    joints[..., 2] += way[:, None]
    joints[:, BODY.index("left_ankle"), 2] += 0.2 * np.sin(phase)
    joints[:, BODY.index("right_ankle"), 2] -= 0.2 * np.sin(phase)
    assert RULERS["steps"](joints) == 4
    assert RULERS["steps"](limbs_frozen(joints)) == 0
    assert RULERS["metres"](joints) == pytest.approx(5, rel=0.02)
    assert RULERS["seconds"](joints) == 5.0
    angle = np.linspace(0, np.pi / 2, 100)
    turned = standing(100)
    turned[..., 0], turned[..., 2] = np.cos(angle)[:, None] * turned[..., 0], np.sin(angle)[:, None] * turned[..., 0]
    assert RULERS["degrees"](turned) == pytest.approx(90)
    assert RULERS["degrees"](statue(turned)) == 0


def _bump(frames: list[int], size: float = 1.0, count: int = 120) -> np.ndarray:
    """Bells about these frames, two frames wide."""
    return size * sum(np.exp(-0.5 * ((np.arange(count) - frame) / 2) ** 2) for frame in frames)


def test_peaks_count_from_their_height_prominence_and_distance_on() -> None:
    assert counting._peaks(_bump([30, 60, 90]), 0.9, 0.9, 0.5) == 3
    assert counting._peaks(_bump([30, 60, 90]), 1.1, 0.5, 0.5) == 0
    assert counting._peaks(5 + _bump([30, 60]), 1.0, 0.9, 0.5) == 2
    assert counting._peaks(5 + _bump([30, 60]), 1.0, 1.1, 0.5) == 0
    apart = round(0.5 * counting.FPS)
    assert counting._peaks(_bump([40, 40 + apart]), 0.5, 0.5, 0.5) == 2
    assert counting._peaks(_bump([40, 40 + apart - 1]), 0.5, 0.5, 0.5) == 1
    assert counting._peaks(_bump([0, 60, 119]), 0.5, 0.5, 0.5) == 3  # also at the ends
    assert counting._peaks(np.empty(0), 0.5, 0.0, 0.5) == 0


def _blended(action: str, share: float, frames: int) -> np.ndarray:
    """A motion between standing still and the whole action, in so many frames."""
    whole = MOTIONS[action]()
    at = np.linspace(0, len(whole) - 1, frames)
    low = np.minimum(at.astype(int), len(whole) - 2)
    part = (at - low)[:, None, None]
    joints = (1 - part) * whole[low] + part * whole[low + 1]
    return standing(frames) + share * (joints - standing(frames))


def _walked(swing: float, turn: float, tempo: float) -> np.ndarray:
    """A way that bends by so many radians a second, feet swinging to and fro."""
    clock = np.arange(120) / counting.FPS
    heading = turn * clock
    ahead = np.stack([np.sin(heading), np.cos(heading)], -1)
    joints = standing()
    joints[:, :, [0, 2]] += (np.cumsum(ahead, 0) / counting.FPS)[:, None]
    for side, sign in (("left", 1), ("right", -1)):
        joints[:, BODY.index(f"{side}_ankle"), [0, 2]] += sign * swing * np.sin(tempo * clock)[:, None] * ahead
    return joints


def test_how_often_is_counted_as_it_was_for_smaller_and_faster_motions() -> None:
    """No rule says where an action begins to be one: the counts over sizes, tempi and bends of a way are kept."""
    shares, lengths = np.linspace(0.1, 1.0, 19), (16, 30, 60, 120, 300)
    made = {
        action: np.array([[RULERS[action](_blended(action, share, n)) for share in shares] for n in lengths])
        for action in MOTIONS
    }
    made["steps"] = np.array([
        [RULERS["steps"](_walked(swing, turn, tempo)) for swing in np.linspace(0.02, 0.2, 10)]
        for turn in (0.0, 1.0, 2.5, 4.0, 7.0) for tempo in (3.0, 8.0, 14.0)
    ])  # fmt: skip
    made["metres"] = np.array([RULERS["metres"](_walked(0.1, turn, 3.0)) for turn in (0.0, 1.0, 4.0, 9.0)])
    check_stored("counts", made, atol=1e-6)


def _wild(seed: int, frames: int = 100) -> np.ndarray:
    """A body whose every joint wanders about its place, at a tempo and by a size of its own."""
    random = np.random.default_rng(seed)
    noise = gaussian_filter1d(random.normal(size=(frames, len(BODY.joints), 3)), random.uniform(1.5, 5), axis=0)
    size = random.uniform(0.1, 1.5) / noise.std()
    joints = standing(frames) + 0.25 * size * noise
    return joints + size * 0.3 * gaussian_filter1d(random.normal(size=(frames, 1, 3)), 3, axis=0)


def test_counts_of_wild_motions_are_what_they_were() -> None:
    """Four hundred motions, most of them near some border: a number that changes counts another one of them."""
    motions = [_wild(seed) for seed in range(400)]
    made = {f"wild {name}": np.array([RULERS[name](joints) for joints in motions]) for name in RULERS}
    for name in counting.SIDED:
        made[f"left {name}"] = np.array([counting.on_side(name, joints, "left") for joints in motions[:100]])
        made[f"both {name}"] = np.array([counting.on_side(name, joints, "both") for joints in motions[:100]])
    for name, counts in made.items():
        assert len(np.unique(counts)) > 1 or name == "wild seconds", name
    check_stored("wild_counts", made, atol=1e-6)
