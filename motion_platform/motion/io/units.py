"""Which unit and which up axis a file uses, where the format does not say: guessed from the size of the body."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from motion_platform.core.errors import DataError, UnknownName

UNITS = {"m": 1.0, "dm": 0.1, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "cmu": 0.0254 / 0.45}
"""Metres in one unit. "cmu": 1/0.45 inch, the unit of the CMU database's ASF files and of the BVH made from them."""

TYPICAL_HEIGHT, HEIGHTS = 1.7, (0.6, 4.5)
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

    Errors: UnknownName for an unknown unit; DataError when none gives between 0.6 m and 4.5 m.
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
        f"{where}: the body is {height:.4g} units tall, which is no person in any of {', '.join(UNITS)}; "
        "say the unit: --units UNIT (units= in Python)"
    )


def size_note(height: float, unit: str) -> str | None:
    """A line for a guessed unit that makes somebody who is off an adult's height by more than a third."""
    metres = height * UNITS[unit]
    if TYPICAL_HEIGHT / 1.34 <= metres <= TYPICAL_HEIGHT * 1.34:
        return None
    return f"read in {unit}, which makes a body of about {metres:.2f} m; if that is wrong, say --units"


Z_UP_TO_Y_UP = np.array([-np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)])
"""Quaternion xyzw of the turn by -90 degrees about X: (x, y, z) -> (x, z, -y)."""


def find_up(names: Sequence[str], rest: np.ndarray, joints: np.ndarray, up: str | None, where: str) -> str:
    """ "y" or "z": ``up`` when given, else "z" only where the rest pose (J, 3) and the median over the frames (T, J, 3)
    both have the head along Z+ from the feet, or where a body that rests along Y stands along Z in most frames, its
    feet on the floor and its pelvis at the height of one who stands."""
    if up is not None:
        if up not in ("y", "z"):
            raise UnknownName("up axis", up, ("y", "z"), where)
        return up
    head = [j for j, name in enumerate(names) if "head" in name.lower()]
    feet = [j for j, name in enumerate(names) if any(w in name.lower() for w in ("foot", "toe", "ankle"))]
    if not head or not feet:
        return "y"
    upwards = joints[:, head].mean(1) - joints[:, feet].mean(1)  # (T, 3)
    still = rest[head].mean(0) - rest[feet].mean(0)
    size = np.linalg.norm(upwards, axis=-1)
    if (upwards[:, 2] > 0.8 * size).mean() <= 0.6:  # does not stand along Z
        return "y"
    if still[2] > 2 * max(abs(still[0]), abs(still[1])):
        return "z"
    if not still[1] > 2 * max(abs(still[0]), abs(still[2])):
        return "y"
    # A rest pose along Y and a body that stands along Z in most frames: the world is Z up, the root turns the body into
    # it, or somebody lies on the back. Who lies has the pelvis at the height of the feet; who stands has it well above
    # them, and the feet at zero.
    tall, height = np.median(size), joints[:, 0, 2]
    above = height - joints[:, feet, 2].mean(1)
    floor = np.percentile(joints[..., 2], 1)
    middle = np.median(height) - floor
    stands = (above > 0.3 * tall).mean() > 0.6 and middle > 0.35 * tall and abs(floor) < 0.25 * middle
    return "z" if stands and np.ptp(height) < 0.5 * tall else "y"


def z_to_y(vectors: np.ndarray) -> np.ndarray:
    """Turn (..., 3) vectors from Z up to Y up: (x, y, z) -> (x, z, -y)."""
    return np.stack([vectors[..., 0], vectors[..., 2], -vectors[..., 1]], axis=-1)
