"""Which unit and which up axis a file uses, where the format does not say: guessed from the size of the body."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from motion_platform.core.errors import DataError, UnknownName
from motion_platform.motion.io.euler import quaternion_multiply

UNITS = {"m": 1.0, "dm": 0.1, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "cmu": 0.0254 / 0.45}
"""Metres in one unit. "cmu": 1/0.45 inch, the unit of the CMU database's ASF files and of the BVH made from them."""

TYPICAL_HEIGHT, HEIGHTS = 1.7, (0.17, 17.0)
RARE = {"inch": 0.3}
"""How much worse a fit a rare unit is taken for: a child in centimetres is likelier than a giant in inches."""
PATH_TO_HEIGHT = 1.3
"""The longest way through an adult's bones, toe to fingertip, is about 1.3 times the body's height (1.2 to 1.4 in
Bandai-Namco, CMU and SMPL skeletons)."""


def body_height(lengths: Sequence[float], parents: Sequence[int]) -> float:
    """Height of a standing person from bone lengths alone (``lengths[j]``: joint j to its parent), whatever the pose:
    the longest way from leaf to leaf divided by 1.3. End sites count as joints."""
    depth = [0.0] * len(parents)
    longest = 0.0
    for j in range(len(parents) - 1, 0, -1):  # children come after parents, so depth[j] is final here
        reach, parent = depth[j] + float(lengths[j]), parents[j]
        longest = max(longest, depth[parent] + reach if depth[parent] > 0 else 0.0)
        depth[parent] = max(depth[parent], reach)
    return (longest or max(depth)) / PATH_TO_HEIGHT


def find_unit(height: float, units: str | None, where: str) -> tuple[str, float]:
    """(name, metres per unit): ``units`` when given, else the one that makes ``height`` nearest to 1.7 m.

    An animal or a giant is read in the unit that fits best (``size_note`` says so). Errors: UnknownName for an unknown
    unit; DataError when none makes a body between 17 cm and 17 m.
    """
    if units is not None:
        if units not in UNITS:
            raise UnknownName("unit", units, UNITS, where)
        return units, UNITS[units]
    if np.isfinite(height) and height > 0:
        name = min(UNITS, key=lambda u: abs(np.log(height * UNITS[u] / TYPICAL_HEIGHT)) + RARE.get(u, 0.0))
        if HEIGHTS[0] <= height * UNITS[name] <= HEIGHTS[1]:
            return name, UNITS[name]
    raise DataError(
        f"{where}: the body is {height:.4g} units tall, which is no body in any of {', '.join(UNITS)}; "
        "say the unit: --units UNIT (units= in Python)"
    )


def size_note(height: float, unit: str) -> str | None:
    """A line for a guessed unit that makes somebody who is off an adult's height by more than a third."""
    metres = height * UNITS[unit]
    if TYPICAL_HEIGHT / 1.34 <= metres <= TYPICAL_HEIGHT * 1.34:
        return None
    return f"read in {unit}, which makes a body of about {metres:.2f} m; if that is wrong, say --units"


UPS = {"y": "Y up", "z": "Z up", "-y": "Y down"}
"""Up axes; cameras have their Y down."""
Z_UP_TO_Y_UP = np.array([-np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)])
"""Quaternion xyzw of the turn by -90 degrees about X: (x, y, z) -> (x, z, -y)."""
TURNS = {"y": np.array([0.0, 0.0, 0.0, 1.0]), "z": Z_UP_TO_Y_UP, "-y": np.array([1.0, 0.0, 0.0, 0.0])}
"""Up axis -> the turn that makes it Y."""
UPRIGHT, MOST = 0.8, 0.6
"""Somebody stands along an axis where the head is so far over the feet, of their distance, in so many of the frames."""

STRETCHED = 0.75
"""The share of the longest way from feet to head that a rest pose has in which somebody stands."""


def find_up(names: Sequence[str], rest: np.ndarray, joints: np.ndarray, up: str | None, where: str) -> str:
    """The up axis, one of ``UPS``: ``up`` when given, else what the rest pose (J, 3) and the frames (T, J, 3) say.

    Along Y, unless the body stands along another axis. **Z** where the rest pose stands along it, and the frames do not
    stand along Y and have their floor there, or where a body that rests along Y stands along Z with its feet on the
    floor and its pelvis at the height of one who stands. **Y down** where the rest pose, or the body in most frames,
    has the head under the feet, and not because it stands on its hands. A rest pose in which nobody is stretched out
    (local axes of a game's skeleton) says nothing. Errors: UnknownName for an ``up`` that is none.
    """
    if up is not None:
        if up not in UPS:
            raise UnknownName("up axis", up, UPS, where)
        return up
    head = _called(names, "head") or _called(names, "neck")
    feet = _called(names, "foot", "toe", "ankle")
    if not head or not feet:
        return "y"
    upwards = joints[:, head].mean(1) - joints[:, feet].mean(1)  # (T, 3)
    size = np.linalg.norm(upwards, axis=-1)
    stretched = rest[head].mean(0) - rest[feet].mean(0)
    tall = float(np.linalg.norm(stretched))
    still = along(stretched) if tall > STRETCHED * size.max() else None
    floor = np.percentile(joints, 1, axis=(0, 1))
    if (upwards[:, 1] > UPRIGHT * size).mean() > MOST:
        return "y"
    stands = (upwards[:, 2] > UPRIGHT * size).mean() > MOST
    if still == "z":
        return "z" if stands or floor[1] < -0.1 * tall or floor[2] > -0.1 * tall else "y"
    if (upwards[:, 1] < -UPRIGHT * size).mean() > MOST or still == "-y":
        hands = _called(names, "hand", "wrist") or head
        on_hands = joints[:, hands, 1].mean(1) < joints[:, head, 1].mean(1)
        return "y" if still == "y" and on_hands.mean() > 0.5 else "-y"
    if not stands or still != "y":
        return "y"
    # A rest pose along Y and a body that stands along Z in most frames: the world is Z up, the root turns the body into
    # it, or somebody lies on the back. Who lies has the pelvis at the height of the feet; who stands has it well above
    # them, and the feet at zero.
    tall, height = float(np.median(size)), joints[:, 0, 2]
    above = height - joints[:, feet, 2].mean(1)
    middle = np.median(height) - floor[2]
    high = (above > 0.3 * tall).mean() > MOST and middle > 0.35 * tall and abs(floor[2]) < 0.25 * middle
    return "z" if high and np.ptp(height) < 0.5 * tall else "y"


def _called(names: Sequence[str], *words: str) -> list[int]:
    return [j for j, name in enumerate(names) if any(word in name.lower() for word in words)]


def along(upwards: np.ndarray) -> str | None:
    """The up axis that a vector from feet to head says clearly (twice as far along it as along any other); or None."""
    k = int(np.argmax(np.abs(upwards)))
    if not abs(upwards[k]) > 2 * np.delete(np.abs(upwards), k).max():
        return None
    axis = ("-" if upwards[k] < 0 else "") + "xyz"[k]
    return axis if axis in UPS else None


def up_notes(found: str, given: str | None) -> list[str]:
    """A line for an up axis that was found and is not the usual one."""
    if given is not None or found == "y":
        return []
    return [f"read as {UPS[found]}: its body stands so; say --up y if that is wrong"]


def lies_note(names: Sequence[str], joints: np.ndarray) -> str | None:
    """A line for a body (T, J, 3), Y up, whose head is not well over its feet in most frames."""
    head, feet = _called(names, "head") or _called(names, "neck"), _called(names, "foot", "toe", "ankle")
    if not head or not feet:
        return None
    upwards = joints[:, head].mean(1) - joints[:, feet].mean(1)
    if (upwards[:, 1] > 0.3 * np.linalg.norm(upwards, axis=-1)).mean() >= 0.5:
        return None
    return "somebody lies, or is upside down, in most frames; if that is wrong, say the file's up axis: --up z (y, -y)"


def to_y_up(vectors: np.ndarray, up: str) -> np.ndarray:
    """Turn (..., 3) vectors of an up axis to Y up."""
    if up == "-y":
        return vectors * [1, -1, -1]
    return z_to_y(vectors) if up == "z" else vectors


def turned(rotations: np.ndarray, up: str) -> np.ndarray:
    """Local rotations (..., 4) of joints whose places :func:`to_y_up` turns: about the turned axes."""
    x, _, _, w = TURNS[up]  # about X, so that the way back has the other X
    return quaternion_multiply(quaternion_multiply(TURNS[up], rotations), np.array([-x, 0.0, 0.0, w]))


def from_y_up(vectors: np.ndarray, up: str) -> np.ndarray:
    """Turn (..., 3) vectors from Y up to another up axis: back from :func:`to_y_up`."""
    if up == "z":
        return np.stack([vectors[..., 0], -vectors[..., 2], vectors[..., 1]], axis=-1)
    return to_y_up(vectors, up)


def z_to_y(vectors: np.ndarray) -> np.ndarray:
    """Turn (..., 3) vectors from Z up to Y up: (x, y, z) -> (x, z, -y)."""
    return np.stack([vectors[..., 0], vectors[..., 2], -vectors[..., 1]], axis=-1)
