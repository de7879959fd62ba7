"""Which unit and which up axis a file uses, where the format does not say: guessed from the size of the body."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from motion_platform.core.errors import DataError, UnknownName

UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "cmu": 0.0254 / 0.45}
"""Metres in one unit. "cmu": 1/0.45 inch, the unit of the CMU database's ASF files and of the BVH made from them."""

TYPICAL_HEIGHT, HEIGHTS = 1.7, (1.0, 2.5)
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

    Errors: UnknownName for an unknown unit; DataError when none gives between 1.0 m and 2.5 m.
    """
    if units is not None:
        if units not in UNITS:
            raise UnknownName("unit", units, UNITS, where)
        return units, UNITS[units]
    if np.isfinite(height) and height > 0:
        name = min(UNITS, key=lambda u: abs(np.log(height * UNITS[u] / TYPICAL_HEIGHT)))
        if HEIGHTS[0] <= height * UNITS[name] <= HEIGHTS[1]:
            return name, UNITS[name]
    raise DataError(
        f"{where}: the body is {height:.4g} units tall, which is no person in any of {', '.join(UNITS)}; "
        "say the unit with units="
    )


Z_UP_TO_Y_UP = np.array([-np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)])
"""Quaternion xyzw of the turn by -90 degrees about X: (x, y, z) -> (x, z, -y)."""


def find_up(names: Sequence[str], rest: np.ndarray, joints: np.ndarray, up: str | None, where: str) -> str:
    """ "y" or "z": ``up`` when given, else "z" only where the rest pose (J, 3) and the median over the frames (T, J, 3)
    both have the head along Z+ from the feet (a person lying down in a Y-up file does not change the rest pose)."""
    if up is not None:
        if up not in ("y", "z"):
            raise UnknownName("up axis", up, ("y", "z"), where)
        return up
    head = [j for j, name in enumerate(names) if "head" in name.lower()]
    feet = [j for j, name in enumerate(names) if any(w in name.lower() for w in ("foot", "toe", "ankle"))]
    if not head or not feet:
        return "y"
    moving = np.median(joints[:, head].mean(1) - joints[:, feet].mean(1), axis=0)
    still = rest[head].mean(0) - rest[feet].mean(0)
    return "z" if all(v[2] > 2 * max(abs(v[0]), abs(v[1])) for v in (moving, still)) else "y"


def z_to_y(vectors: np.ndarray) -> np.ndarray:
    """Turn (..., 3) vectors from Z up to Y up: (x, y, z) -> (x, z, -y)."""
    return np.stack([vectors[..., 0], vectors[..., 2], -vectors[..., 1]], axis=-1)
