"""Rotations and forward kinematics of the file readers, in numpy float64 and vectorised over frames.

Quaternions are xyzw. The differentiable versions for models live in :mod:`motion_platform.motion.rotations`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def quaternion_multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hamilton product a * b of (..., 4) xyzw quaternions: first b turns, then a."""
    ax, ay, az, aw = np.moveaxis(a, -1, 0)
    bx, by, bz, bw = np.moveaxis(b, -1, 0)
    return np.stack(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ],
        axis=-1,
    )


def euler_to_quaternion(angles: np.ndarray, axes: Sequence[int]) -> np.ndarray:
    """(..., K) angles in radians about the axes (0 = X, 1 = Y, 2 = Z), each in the frame turned by the ones before it.

    The matrix is R(axes[0]) R(axes[1]) ... R(axes[K-1]), the order in which BVH lists its channels. Returns (..., 4).
    """
    result = np.zeros((*angles.shape[:-1], 4))
    result[..., 3] = 1.0
    for k, axis in enumerate(axes):
        turn = np.zeros_like(result)
        turn[..., axis] = np.sin(angles[..., k] / 2)
        turn[..., 3] = np.cos(angles[..., k] / 2)
        result = turn if k == 0 else quaternion_multiply(result, turn)
    return result


def axis_angle_to_quaternion(vectors: np.ndarray) -> np.ndarray:
    """(..., 3) rotation vectors in radians -> (..., 4) xyzw."""
    angle = np.linalg.norm(vectors, axis=-1, keepdims=True)
    # sinc keeps the limit at angle 0: sin(a/2)/a = sinc(a / 2 pi) / 2
    return np.concatenate([vectors * np.sinc(angle / (2 * np.pi)) / 2, np.cos(angle / 2)], axis=-1)


def quaternion_to_axis_angle(q: np.ndarray) -> np.ndarray:
    """Unit (..., 4) xyzw -> (..., 3) rotation vectors of at most half a turn, in radians."""
    q = np.where(q[..., 3:] < 0, -q, q)
    sine = np.linalg.norm(q[..., :3], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., 3:])
    return q[..., :3] * np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 2.0)


def quaternion_to_matrix(q: np.ndarray) -> np.ndarray:
    """Unit (..., 4) xyzw -> (..., 3, 3)."""
    x, y, z, w = np.moveaxis(q, -1, 0)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return np.stack(rows, axis=-1).reshape(*q.shape[:-1], 3, 3)


def unroll(q: np.ndarray) -> np.ndarray:
    """Flip signs so that each quaternion of (T, ..., 4) is nearest to the one before it: the rotations are the same,
    but may be interpolated."""
    sign = np.where((q[1:] * q[:-1]).sum(-1, keepdims=True) < 0, -1.0, 1.0)
    return np.concatenate([q[:1], q[1:] * np.cumprod(sign, axis=0)])


def forward_kinematics(local: np.ndarray, positions: np.ndarray, parents: Sequence[int]) -> np.ndarray:
    """World positions (T, J, 3) of joints with local rotations (T, J, 4) and positions relative to the parent's
    turned frame (T, J, 3) (or (J, 3)); joint 0's position is in the world. Parents come before their children."""
    matrices = quaternion_to_matrix(local)
    positions = np.broadcast_to(positions, (*local.shape[:2], 3))
    turned, placed = matrices.copy(), positions.copy()
    for j, parent in enumerate(parents):
        if parent >= 0:
            turned[:, j] = turned[:, parent] @ matrices[:, j]
            placed[:, j] = placed[:, parent] + np.einsum("tik,tk->ti", turned[:, parent], positions[:, j])
    return placed
