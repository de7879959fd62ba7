"""The rotation-invariant features of HumanML3D (263 a frame) and KIT-ML (251 a frame), both ways.

Source: Guo et al., "Generating Diverse and Natural 3D Human Motions from Text", CVPR 2022, section 5 and the published
processing notebook, whose numbers ``process`` reproduces. A frame of a skeleton with J joints holds, in this order:

    root        4         half the turn about Y to the next frame (radians); step to the next frame, X and Z, in the
                          facing frame; root height
    positions   (J-1)*3   joints 1.. relative to the root's ground point, in the facing frame
    rotations   (J-1)*6   the first two columns of each joint's rotation relative to the joint before it in its chain
    velocities  J*3       steps of all joints to the next frame, in the facing frame
    contacts    4         1 where a left (two joints), then a right foot joint moves less than a threshold

A feature row needs the next frame, so T frames of joints give T-1 rows. Lengths are in the data set's own unit in the
features and in metres outside them; speeds are per frame at the data set's frame rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from motion_platform.core.errors import DataError, UsageError
from motion_platform.motion import rotations
from motion_platform.motion.representations.base import Representation
from motion_platform.motion.skeleton import Skeleton, get_skeleton

SMOOTHING = 20.0
"""Standard deviation, in frames, of the Gaussian that smooths the facing direction (published inverse kinematics)."""


@dataclass(frozen=True)
class Body:
    """What the published processing knows of a skeleton, by joint number.

    directions: (J, 3) unit reference direction of each bone for the inverse kinematics. chain_starts: joints whose
    rotation is relative to the root, though their parent is another (a kinematic chain starts from the root's rotation
    even where it branches off at the chest). hips, shoulders: (right, left). feet: (left, left, right, right), in the
    order of the contact columns. leg: the two joints whose bones measure the size of a person. scale: published length
    units in a metre. still: squared step, in published units, below which a foot touches the ground.
    """

    skeleton_name: str
    directions: tuple[tuple[int, int, int], ...]
    chain_starts: tuple[int, ...]
    hips: tuple[int, int]
    shoulders: tuple[int, int]
    feet: tuple[int, int, int, int]
    leg: tuple[int, int]
    scale: float
    still: float

    @cached_property
    def skeleton(self) -> Skeleton:
        return get_skeleton(self.skeleton_name)

    @cached_property
    def before(self) -> np.ndarray:
        """(J,) the joint whose rotation a joint's rotation is relative to; 0 is the root."""
        return np.array([0 if j in self.chain_starts else max(p, 0) for j, p in enumerate(self.skeleton.parents)])

    @cached_property
    def offsets(self) -> np.ndarray:
        """(J, 3) the reference directions times the skeleton's bone lengths, in metres."""
        assert self.skeleton.offsets is not None
        lengths = np.linalg.norm(self.skeleton.offsets, axis=-1, keepdims=True)
        return np.array(self.directions, np.float64) * lengths


_X, _Y, _Z, _x, _y = (1, 0, 0), (0, 1, 0), (0, 0, 1), (-1, 0, 0), (0, -1, 0)

HUMANML3D_BODY = Body(
    skeleton_name="humanml3d",
    directions=((0, 0, 0), _X, _x, _Y, _y, _y, _Y, _y, _y, _Y, _Z, _Z, _Y, _X, _x, _Z, _y, _y, _y, _y, _y, _y),
    chain_starts=(13, 14),
    hips=(2, 1),
    shoulders=(17, 16),
    feet=(7, 10, 8, 11),
    leg=(5, 8),
    scale=1.0,
    still=0.002,
)

KIT_BODY = Body(
    skeleton_name="kit",
    # The published directions of shoulders and hips point to the other side than the data; they are kept as they are.
    directions=((0, 0, 0), _Y, _Y, _Y, _Y, _X, _y, _y, _x, _y, _y, _X, _y, _y, _Z, _Z, _x, _y, _y, _Z, _Z),
    chain_starts=(5, 8),
    hips=(11, 16),
    shoulders=(5, 8),
    feet=(19, 20, 14, 15),
    leg=(17, 18),
    scale=1000.0,
    still=0.05,
)


def heading(joints: np.ndarray, body: Body = HUMANML3D_BODY) -> np.ndarray:
    """(T, J, 3) joints -> (T,) facing direction as an angle about Y in radians: 0 faces Z+, pi/2 faces X+.

    The facing direction is horizontal and at right angles to hips plus shoulders. DataError where these vanish.
    """
    across = _across(joints, body.hips) + _across(joints, body.shoulders)
    x, z = across[:, 2], -across[:, 0]
    _refuse_zero(np.hypot(x, z), "the hips and shoulders give no facing direction")
    return np.arctan2(x, z)


def canonical(joints: np.ndarray, body: Body = HUMANML3D_BODY) -> np.ndarray:
    """Where every published clip starts: lowest joint of the clip at y = 0, first root above the origin, facing Z+.

    joints: (T, J, 3) in any one unit, Y up. Returns (T, J, 3) float32. Applying it twice changes nothing.
    """
    out = _face_forward(_checked(joints, body), body)
    out[..., 1] -= out[..., 1].min()
    return out.astype(np.float32)


def uniform_skeleton(
    joints: np.ndarray, target_offsets: np.ndarray | None = None, body: Body = HUMANML3D_BODY
) -> np.ndarray:
    """The published retarget: every bone keeps its direction and takes the target's length; the path scales by the leg.

    joints: (T, J, 3). target_offsets: (J, 3) rest offsets in the same unit, of which only the lengths count (default:
    the skeleton's own, in metres). Returns (T, J, 3) float32. The original goes through rotations from reference
    directions and back, which comes to the same. DataError for a bone without length.
    """
    joints = _checked(joints, body)
    target = body.offsets if target_offsets is None else np.asarray(target_offsets, np.float64)
    if target.shape != (joints.shape[1], 3):
        raise DataError(f"uniform_skeleton: target offsets have shape {target.shape}, not ({joints.shape[1]}, 3)")
    lengths = np.linalg.norm(target, axis=-1)
    directions, source_lengths = _bones(joints, body)
    leg = list(body.leg)
    out = np.empty_like(joints)
    out[:, 0] = joints[:, 0] * (lengths[leg].sum() / source_lengths[0, leg].sum())
    for parent, j in body.skeleton.bones:
        out[:, j] = out[:, parent] + lengths[j] * directions[:, j]
    return out.astype(np.float32)


class GuoRepresentation(Representation):
    """The features above for one :class:`Body`; subclasses name the body, the frame rate and the groups they keep."""

    body: Body
    kept: tuple[str, ...] = ("root", "positions", "rotations", "velocities", "contacts")

    def __init__(self) -> None:
        self.skeleton = self.body.skeleton
        count = len(self.skeleton)
        widths = {"root": 4, "positions": 3 * (count - 1), "rotations": 6 * (count - 1), "velocities": 3 * count}
        widths["contacts"] = 4
        self.groups, self.dim = {}, 0
        for group in self.kept:
            self.groups[group] = slice(self.dim, self.dim + widths[group])
            self.dim += widths[group]

    def encode(self, joints: np.ndarray, rotations: np.ndarray | None = None) -> np.ndarray:
        """(T, J, 3) joint positions in metres -> (T-1, D) float32 features.

        The clip is first turned to face Z+ and moved to the origin of the ground, so its heading and place do not
        matter; heights and bone lengths are taken as they are (see ``canonical`` and ``uniform_skeleton``). DataError
        for fewer than 2 frames, a bone without length, or no facing direction.
        """
        return self._features(self.check_joints(joints, frames=2) * self.body.scale, published_sign=False)

    def process(self, joints: np.ndarray, target_offsets: np.ndarray | None = None) -> np.ndarray:
        """All steps of the published ``process_file``: uniform skeleton, canonical place, features. Same shapes, units.

        It keeps one defect of the original, which ``encode`` does not have: where the smoothed heading passes straight
        behind, the turn of that frame has the wrong sign, and a clip decoded from it faces elsewhere from then on.
        """
        self.check_joints(joints, frames=2)
        uniform = uniform_skeleton(joints, target_offsets, self.body)
        return self._features(canonical(uniform, self.body) * np.float64(self.body.scale), published_sign=True)

    def _features(self, joints: np.ndarray, published_sign: bool) -> np.ndarray:
        """(T, J, 3) float64 joints in published units -> (T-1, D) float32."""
        joints = _face_forward(joints, self.body)
        turn = _turn_to_front(joints, self.body)
        half = (turn[1:] - turn[:-1]) / 2
        # The published number is arcsin of the quaternion's y, sin(half): right up to a step across +-180 degrees.
        half = np.arcsin(np.sin(half)) if published_sign else np.mod(half + np.pi / 2, np.pi) - np.pi / 2
        steps = joints[1:] - joints[:-1]
        root_step = _rotate_y(turn[1:], steps[:, 0])
        parts = {"root": np.stack([half, root_step[:, 0], root_step[:, 2], joints[:-1, 0, 1]], axis=-1)}
        local = joints[:-1] - joints[:-1, :1] * (1, 0, 1)
        parts["positions"] = _rotate_y(turn[:-1], local)[:, 1:]
        if "rotations" in self.groups:
            parts["rotations"] = _chain_rotations(joints[:-1], turn[:-1], self.body)
        if "velocities" in self.groups:
            parts["velocities"] = _rotate_y(turn[:-1], steps)
        if "contacts" in self.groups:
            parts["contacts"] = _still(steps, self.body)
        rows = len(joints) - 1
        return np.concatenate([parts[g].reshape(rows, -1) for g in self.groups], axis=-1).astype(np.float32)

    def contacts(self, joints: np.ndarray) -> np.ndarray:
        """(T, J, 3) joint positions in metres -> (T-1, 4) float32: left ankle, left foot, right ankle, right foot."""
        joints = self.check_joints(joints, frames=2) * self.body.scale
        return _still(joints[1:] - joints[:-1], self.body)

    def decode_root(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(..., T, D) features -> (..., T) turn that faces the body to Z+, radians, and (..., T, 3) root, in metres."""
        half, step, height = x[..., 0], x[..., 1:3], x[..., 3]
        # Row t holds the turn and the step to row t + 1, so the first frame faces Z+ at the origin.
        turn = 2 * (torch.cumsum(half, dim=-1) - half)
        zero = torch.zeros_like(height[..., :1])
        moved = torch.stack([step[..., 0], torch.zeros_like(height), step[..., 1]], dim=-1)
        moved = torch.cat([torch.stack([zero, zero, zero], dim=-1), moved[..., :-1, :]], dim=-2)
        path = torch.cumsum(_rotate_y_torch(-turn, moved), dim=-2)
        root = torch.stack([path[..., 0], height, path[..., 2]], dim=-1)
        return turn, root / self.body.scale

    def decode(self, x: Tensor) -> Tensor:
        """(..., T, D) features -> (..., T, J, 3) joints in metres, from the joint positions; differentiable."""
        turn, root = self.decode_root(self.check_features(x))
        local = x[..., self.groups["positions"]].unflatten(-1, (-1, 3)) / self.body.scale
        others = _rotate_y_torch(-turn[..., None], local) + root[..., None, :] * root.new_tensor([1, 0, 1])
        return torch.cat([root[..., None, :], others], dim=-2)

    def decode_rotations(self, x: Tensor, offsets: Tensor | None = None) -> Tensor:
        """(..., T, D) features -> (..., T, J, 3) joints in metres, from the joint rotations: exact bone lengths.

        offsets: (J, 3) reference offsets in metres (default: reference directions times the skeleton's bone lengths).
        UsageError for a representation without rotations.
        """
        if "rotations" not in self.groups:
            raise UsageError(f"{self.name} holds no joint rotations; allowed: {HumanML3D.name}, {KITML.name}")
        turn, root = self.decode_root(self.check_features(x))
        offsets = torch.as_tensor(self.body.offsets if offsets is None else offsets).to(x)
        local = rotations.matrix_from_sixd(x[..., self.groups["rotations"]].unflatten(-1, (-1, 6)))
        whole, joints = [rotations.matrix_about_y(turn)], [root]
        for parent, j in self.skeleton.bones:
            whole.append(whole[self.body.before[j]] @ local[..., j - 1, :, :])
            # A published rotation turns the bone that ends at its joint, not the bones that start there.
            joints.append(joints[parent] + whole[j] @ offsets[j])
        return torch.stack(joints, dim=-2)

    @property
    def speeds(self) -> list[int]:
        """The turn and the step of the root, and the joint velocities where they are kept."""
        velocities = self.groups.get("velocities", slice(0, 0))
        return [0, 1, 2, *range(velocities.start, velocities.stop)]

    def columns(self, joints: Sequence[int]) -> Tensor:
        """The feature columns of these joints, ascending; joint 0 owns the root group, foot joints their contacts."""
        wanted = np.isin(self._owners, self.check_indices(joints))
        return torch.from_numpy(np.flatnonzero(wanted))

    @cached_property
    def _owners(self) -> np.ndarray:
        """(D,) the joint that each column belongs to."""
        every = np.arange(len(self.skeleton))
        owners = {"root": np.zeros(4, int), "positions": every[1:].repeat(3), "rotations": every[1:].repeat(6)}
        owners |= {"velocities": every.repeat(3), "contacts": np.array(self.body.feet)}
        return np.concatenate([owners[g] for g in self.groups])


class HumanML3D(GuoRepresentation):
    """HumanML3D: 22 joints, 263 features in metres, 20 frames a second."""

    name, fps, body = "humanml3d", 20.0, HUMANML3D_BODY


class HumanML3DEssential(GuoRepresentation):
    """The first 67 columns of HumanML3D, root and positions: all ``decode`` reads (as in MARDM, Meng et al. 2024)."""

    name, fps, body = "humanml3d_essential", 20.0, HUMANML3D_BODY
    kept = ("root", "positions")


class KITML(GuoRepresentation):
    """KIT-ML as published with HumanML3D: 21 joints, 251 features in millimetres of a one-metre person, 12.5 fps."""

    name, fps, body, units = "kit_ml", 12.5, KIT_BODY, "millimetre"


def _checked(joints: np.ndarray, body: Body) -> np.ndarray:
    joints = np.asarray(joints)
    if joints.ndim != 3 or joints.shape[1:] != (len(body.skeleton), 3) or len(joints) == 0:
        raise DataError(f"{body.skeleton_name}: joints have shape {joints.shape}, not (T, {len(body.skeleton)}, 3)")
    if not np.isfinite(joints).all():
        bad = int(np.argwhere(~np.isfinite(joints))[0, 0])
        raise DataError(f"{body.skeleton_name}: frame {bad} has a NaN or infinite position")
    return joints.astype(np.float64)


def _refuse_zero(size: np.ndarray, what: str) -> None:
    if (size < 1e-8).any():
        raise DataError(f"frame {int(np.argmin(size))}: {what}")


def _across(joints: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    """(T, 3) from the left joint of a (right, left) pair to the right one."""
    return joints[:, pair[0]] - joints[:, pair[1]]


def _rotate_y(angle: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Turn (T, ..., 3) vectors by (T,) angles about Y; positive takes Z+ to X+."""
    angle = angle.reshape(-1, *(1,) * (vectors.ndim - 2))
    cos, sin = np.cos(angle), np.sin(angle)
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    return np.stack([cos * x + sin * z, y, cos * z - sin * x], axis=-1)


def _rotate_y_torch(angle: Tensor, vectors: Tensor) -> Tensor:
    """Turn (..., 3) vectors by angles that broadcast to (...) about Y; positive takes Z+ to X+."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    x, y, z = vectors.unbind(-1)
    return torch.stack([cos * x + sin * z, y, cos * z - sin * x], dim=-1)


def _face_forward(joints: np.ndarray, body: Body) -> np.ndarray:
    """First root above the origin and first frame facing Z+; heights stay."""
    moved = joints - joints[:1, :1] * (1, 0, 1)
    return _rotate_y(np.repeat(-heading(joints[:1], body), len(joints)), moved)


def _smooth(values: np.ndarray) -> np.ndarray:
    """Gaussian of ``SMOOTHING`` frames along the first axis, cut at four deviations, ends repeated."""
    radius = int(4 * SMOOTHING + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / SMOOTHING) ** 2)
    padded = np.pad(values, ((radius, radius), (0, 0)), mode="edge")
    return np.stack([np.convolve(c, kernel / kernel.sum(), mode="valid") for c in padded.T], axis=-1)


def _turn_to_front(joints: np.ndarray, body: Body) -> np.ndarray:
    """(T,) the angle about Y that turns the smoothed facing direction of each frame to Z+; 0 in the first frame.

    The published code subtracts the hips from the shoulders here instead of adding them. The shoulders are wider, so
    the direction is the same in the main; it is kept, for every published feature and model depends on it.
    """
    across = _across(joints, body.shoulders) - _across(joints, body.hips)
    size = np.linalg.norm(across, axis=-1, keepdims=True)
    _refuse_zero(size, "shoulders as wide as the hips give no facing direction")
    across = across / size
    forward = _smooth(np.stack([across[:, 2], -across[:, 0]], axis=-1))
    turn = -np.arctan2(forward[:, 0], forward[:, 1])
    turn[0] = 0.0
    return turn


def _bones(joints: np.ndarray, body: Body) -> tuple[np.ndarray, np.ndarray]:
    """(T, J, 3) joints -> unit directions (T, J, 3) and lengths (T, J) of the bones that end at each joint; root 0."""
    skeleton = body.skeleton
    bones = joints[:, 1:] - joints[:, list(skeleton.parents[1:])]
    lengths = np.linalg.norm(bones, axis=-1)
    if lengths.min() < 1e-8:
        frame, j = np.unravel_index(np.argmin(lengths), lengths.shape)
        end = int(j) + 1
        parent = skeleton.joints[skeleton.parents[end]]
        raise DataError(f"frame {frame}: the bone from {parent} to {skeleton.joints[end]} has no length")
    directions = np.zeros_like(joints)
    directions[:, 1:] = bones / lengths[..., None]
    return directions, np.concatenate([np.zeros((len(joints), 1)), lengths], axis=-1)


def _chain_rotations(joints: np.ndarray, turn: np.ndarray, body: Body) -> np.ndarray:
    """(T, J, 3) joints and (T,) turns -> (T, J-1, 6): first two columns of each rotation relative to its chain."""
    directions, _ = _bones(joints, body)
    whole = _shortest_rotation(np.array(body.directions, np.float64), directions)
    # The root's entry is the turn *to* the front, as published, where one would expect the way back.
    cos, sin = np.cos(turn), np.sin(turn)
    whole[:, 0] = np.eye(3)
    whole[:, 0, 0, 0], whole[:, 0, 0, 2], whole[:, 0, 2, 0], whole[:, 0, 2, 2] = cos, sin, -sin, cos
    before = whole[:, body.before[1:]]
    columns = np.einsum("tjab,tjac->tjcb", before, whole[:, 1:, :, :2])
    return columns.reshape(*columns.shape[:2], 6)


def _shortest_rotation(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(J, 3) and (T, J, 3) unit vectors -> (T, J, 3, 3) matrices of the shortest rotation from start to end.

    I + [w] + [w]^2 / (1 + c) with w = start x end and c their cosine. Opposite vectors turn about Y (about X where
    they lie along Y), a case in which the original divides zero by zero.
    """
    cross = np.cross(np.broadcast_to(start, end.shape), end)
    cosine = (start * end).sum(axis=-1)
    opposite = cosine < -1 + 1e-12
    scale = 1 / np.where(opposite, 1.0, 1 + cosine)
    x, y, z = cross[..., 0], cross[..., 1], cross[..., 2]
    out = cross[..., :, None] * cross[..., None, :] * scale[..., None, None]
    for k in range(3):
        out[..., k, k] += cosine
    out += np.stack([0 * x, -z, y, z, 0 * x, -x, -y, x, 0 * x], axis=-1).reshape(out.shape)
    if opposite.any():
        about_x = np.abs(start[:, 1]) > 0.5
        half_turns = np.where(about_x[:, None, None], np.diag([1.0, -1, -1]), np.diag([-1.0, 1, -1]))
        out[opposite] = np.broadcast_to(half_turns, out.shape)[opposite]
    return out


def _still(steps: np.ndarray, body: Body) -> np.ndarray:
    """(T-1, J, 3) steps in published units -> (T-1, 4) float32 foot contacts."""
    return ((steps[:, list(body.feet)] ** 2).sum(axis=-1) < body.still).astype(np.float32)
