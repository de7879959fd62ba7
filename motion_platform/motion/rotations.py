"""Rotations in the forms that motion uses, on roma: 6-D <-> matrix <-> quaternion (x, y, z, w), forward kinematics.

6-D is the first two columns of the matrix, one after the other (Zhou et al., "On the Continuity of Rotation
Representations in Neural Networks", CVPR 2019). Everything takes any leading shape and is differentiable.

roma is imported where it is used: it loads torch's compiler, a second of work, which a motion of positions alone never
needs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def matrix_from_sixd(sixd: Tensor) -> Tensor:
    """(..., 6) -> (..., 3, 3) by Gram-Schmidt; the input need not be normalised."""
    import roma

    return roma.special_gramschmidt(sixd.unflatten(-1, (2, 3)).transpose(-1, -2), epsilon=1e-8)


def sixd_from_matrix(matrix: Tensor) -> Tensor:
    """(..., 3, 3) -> (..., 6): first column, then second."""
    return matrix[..., :2].transpose(-1, -2).flatten(-2)


def matrix_from_quaternion(quaternion: Tensor) -> Tensor:
    """(..., 4) unit xyzw -> (..., 3, 3)."""
    import roma

    return roma.unitquat_to_rotmat(quaternion)


def quaternion_from_matrix(matrix: Tensor) -> Tensor:
    """(..., 3, 3) -> (..., 4) unit xyzw. q and -q are the same rotation: see ``continuous``."""
    import roma

    return roma.rotmat_to_unitquat(matrix)


def quaternion_from_sixd(sixd: Tensor) -> Tensor:
    """(..., 6) -> (..., 4) unit xyzw."""
    return quaternion_from_matrix(matrix_from_sixd(sixd))


def sixd_from_quaternion(quaternion: Tensor) -> Tensor:
    """(..., 4) unit xyzw -> (..., 6)."""
    return sixd_from_matrix(matrix_from_quaternion(quaternion))


def matrix_about_y(angle: Tensor) -> Tensor:
    """(...) radians -> (..., 3, 3); a positive angle takes Z+ to X+."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    return torch.stack([cos, zero, sin, zero, one, zero, -sin, zero, cos], dim=-1).unflatten(-1, (3, 3))


def continuous(quaternions: Tensor) -> Tensor:
    """(T, ..., 4) -> the same rotations, each with the sign that is nearer to the frame before."""
    flips = (quaternions[1:] * quaternions[:-1]).sum(-1, keepdim=True) < 0
    odd = torch.cumsum(flips.long(), dim=0) % 2 == 1
    return torch.cat([quaternions[:1], torch.where(odd, -quaternions[1:], quaternions[1:])])


def slerp(start: Tensor, end: Tensor, weight: Tensor) -> Tensor:
    """(..., 4) unit xyzw pairs and weights in 0..1 that broadcast to (...) -> (..., 4), along the shorter arc."""
    import roma

    turn = roma.quat_product(roma.quat_conjugation(start), end)
    turn = torch.where(turn[..., 3:] < 0, -turn, turn)
    part = roma.rotvec_to_unitquat(roma.unitquat_to_rotvec(turn) * weight[..., None])
    return roma.quat_product(start, part)


def forward_kinematics(local: Tensor, root: Tensor, offsets: Tensor, parents: Sequence[int]) -> Tensor:
    """Joint positions of a posed skeleton, in BVH's sense: a joint's rotation turns all that hangs below it.

    local: (..., J, 4) unit xyzw relative to the parent. root: (..., 3) position of joint 0. offsets: (J, 3) or
    (..., J, 3) rest offsets from the parent. parents: parents[j] < j, parents[0] == -1. Returns (..., J, 3).
    """
    matrices = matrix_from_quaternion(local)
    whole, joints = [matrices[..., 0, :, :]], [root]
    for j, parent in enumerate(parents):
        if j == 0:
            continue
        joints.append(joints[parent] + (whole[parent] @ offsets[..., j, :, None]).squeeze(-1))
        whole.append(whole[parent] @ matrices[..., j, :, :])
    return torch.stack(joints, dim=-2)
