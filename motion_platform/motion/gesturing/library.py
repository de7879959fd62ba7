"""Talk gestures with their phases, on skeleton ``humanml3d_hands``, as they ship: what a plan is carried out with.

A gesture has the times of McNeill's phases ("Hand and Mind", 1992) as the Behavior Markup Language names them (Kopp et
al. 2006): the hand is ready, the stroke starts, its emphasis (apex), the stroke ends, the hand relaxes. The packaged
library (``sample/gestures``) is made from SmartBody's animations, LGPL-2.1.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.core.files import atomic_path
from motion_platform.motion.io.arrays import load_arrays
from motion_platform.motion.io.euler import axis_angle_to_quaternion, quaternion_multiply, unroll
from motion_platform.motion.skeleton import Skeleton, get_skeleton

SKELETON = "humanml3d_hands"
PHASES = ("ready", "stroke_start", "emphasis", "stroke_end", "relax")
STEPS = 32767 / np.pi
"""Rotation vectors are stored as 16-bit numbers of this many a radian (error below 0.003 degrees)."""
TRUNK = ("spine1", "spine2", "spine3", "neck", "head")
SIDES = ("left", "right")


def arm(skeleton: Skeleton, side: str) -> list[int]:
    """The joints of an arm from collar to finger tips."""
    own = ("collar", "shoulder", "elbow", "wrist", "index", "middle", "pinky", "ring", "thumb")
    return [j for j, name in enumerate(skeleton.joints) if name.startswith(tuple(f"{side}_{part}" for part in own))]


@dataclass(frozen=True)
class Gesture:
    """One gesture: what it means, which hands make it, when its phases are, and how the upper body turns.

    name: as in its source. kind: "beat", "me", "you", "negation", ... hands: ("left",), ("right",) or both. times:
    seconds of ``PHASES`` from the first frame. rotations: (T, K, 4) local quaternions xyzw of the joints of
    :func:`upper`; the trunk's are relative to the clip's first frame, the arms' are those of the joints.
    """

    name: str
    kind: str
    hands: tuple[str, ...]
    times: tuple[float, ...]
    rotations: np.ndarray
    fps: float

    def at(self, phase: str) -> float:
        """Seconds of a phase."""
        return self.times[PHASES.index(phase)]

    @property
    def seconds(self) -> float:
        return (len(self.rotations) - 1) / self.fps

    def poses(self, seconds: np.ndarray) -> np.ndarray:
        """Times (n,) -> (n, K, 4): neighbours blended; before the first and after the last frame as these."""
        place = np.clip(np.asarray(seconds) * self.fps, 0, len(self.rotations) - 1)
        before = np.minimum(place.astype(int), max(len(self.rotations) - 2, 0))
        after = np.minimum(before + 1, len(self.rotations) - 1)
        share = (place - before)[:, None, None]
        blended = self.rotations[before] * (1 - share) + self.rotations[after] * share
        return blended / np.linalg.norm(blended, axis=-1, keepdims=True)

    @cached_property
    def reach(self) -> float:
        """How large the gesture is: the largest turn of an active shoulder or elbow since the first frame, radians."""
        names = [get_skeleton(SKELETON).joints[j] for j in upper()]
        active = [names.index(f"{side}_{part}") for side in self.hands for part in ("shoulder", "elbow")]
        moved = np.abs((self.rotations[:, active] * self.rotations[:1, active]).sum(-1))
        return float(2 * np.arccos(np.clip(moved, 0, 1)).max())

    @cached_property
    def arrival(self) -> float:
        """Seconds at which the hands have half of the way to the apex behind them: what comes before belongs to the
        pose that the clip starts from, and not to the gesture."""
        names = [get_skeleton(SKELETON).joints[j] for j in upper()]
        active = [names.index(f"{side}_{part}") for side in self.hands for part in ("shoulder", "elbow")]
        apex = self.poses(np.array([self.at("emphasis")]))[:, active]
        turned = rotation_vectors(
            quaternion_multiply(self.rotations[:1, active] * [-1, -1, -1, 1], self.rotations[:, active])
        )
        whole = rotation_vectors(quaternion_multiply(self.rotations[:1, active] * [-1, -1, -1, 1], apex))
        share = np.linalg.norm(turned, axis=-1).sum(-1) / max(float(np.linalg.norm(whole, axis=-1).sum()), 1e-6)
        upto = max(1, int(self.at("emphasis") * self.fps))
        behind = np.flatnonzero(share[: upto + 1] >= 0.5)
        return float(behind[0] / self.fps) if len(behind) else self.at("emphasis")

    def mirrored(self) -> Gesture:
        """The same gesture with left and right exchanged."""
        skeleton = get_skeleton(SKELETON)
        order = list(upper())
        twin = [order.index(int(skeleton.mirror_indices[j])) for j in order]
        rotations = self.rotations[:, twin] * np.array([1, -1, -1, 1])
        hands = tuple(sorted({"left": "right", "right": "left"}[side] for side in self.hands))
        return replace(self, name=f"{self.name}~", hands=hands, rotations=rotations)


@dataclass(frozen=True)
class Library:
    """Gestures, and how the body stands while nothing is said.

    idle: (T, J, 4) local rotations of a loop in which a person stands and breathes; idle_fps its frames a second.
    licence: of all of it.
    """

    gestures: tuple[Gesture, ...]
    idle: np.ndarray
    idle_fps: float
    licence: str

    @cached_property
    def kinds(self) -> dict[str, list[Gesture]]:
        """kind -> its gestures and their mirror images, in a fixed order."""
        found: dict[str, list[Gesture]] = {}
        for gesture in self.gestures:
            found.setdefault(gesture.kind, []).append(gesture)
            if "indicate" not in gesture.kind:  # what points to a side stays what it says
                found[gesture.kind].append(gesture.mirrored())
        return found

    def only(self, names: Iterable[str]) -> Library:
        """The library with these gestures alone. DataError where none is left."""
        wanted = set(names)
        kept = tuple(gesture for gesture in self.gestures if gesture.name in wanted)
        if not kept:
            raise DataError("gesture library: none of the gestures that were asked for is in it")
        return replace(self, gestures=kept)

    def save(self, path: str | Path) -> Path:
        """Write one file, a few kilobytes a gesture."""
        head = {
            "licence": self.licence,
            "idle_fps": self.idle_fps,
            "gestures": [
                {"name": g.name, "kind": g.kind, "hands": list(g.hands), "times": list(g.times), "fps": g.fps}
                for g in self.gestures
            ],
        }
        arrays: dict[str, Any] = {f"gesture_{i:03d}": _pack(g.rotations) for i, g in enumerate(self.gestures)}
        sink = io.BytesIO()
        np.savez_compressed(sink, head=np.array(json.dumps(head)), idle=_pack(self.idle), **arrays)
        with atomic_path(Path(path)) as temporary:
            temporary.write_bytes(sink.getvalue())
        return Path(path)


@cache
def upper() -> tuple[int, ...]:
    """The joints that a gesture turns: the trunk above the pelvis, and both arms with fingers."""
    skeleton = get_skeleton(SKELETON)
    joints = [skeleton.index(name) for name in TRUNK]
    return (*joints, *(j for side in SIDES for j in arm(skeleton, side)))


def load(path: str | Path) -> Library:
    """Read what :meth:`Library.save` wrote. Errors: DataError, one line, for anything else."""
    path = Path(path)
    try:
        file = load_arrays(path)
        head = json.loads(str(file["head"]))
        gestures = []
        for i, g in enumerate(head["gestures"]):
            turned, fps = _unpack(file[f"gesture_{i:03d}"]), float(g["fps"])
            times = tuple(float(time) for time in g["times"])
            if not (0 < fps <= 1000 and np.isfinite(times).all() and np.isfinite(turned).all()):
                raise ValueError(f"gesture {i}: a number is not finite, or {fps:g} frames a second")
            gestures.append(Gesture(str(g["name"]), str(g["kind"]), tuple(g["hands"]), times, turned, fps))
        return Library(tuple(gestures), _unpack(file["idle"]), float(head["idle_fps"]), str(head["licence"]))
    except (DataError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise DataError(f"{path}: is no library of gestures: {' '.join(str(error).split())[:120]}") from error


@cache
def packaged() -> Library:
    """The library that ships with the package."""
    return load(Path(str(resources.files("motion_platform") / "sample" / "gestures" / "library.npz")))


def blend(start: np.ndarray, end: np.ndarray, weight: np.ndarray | float) -> np.ndarray:
    """Unit quaternions (..., 4) and weights (...) -> on the way from start (0) to end (1) or beyond, the shorter."""
    turn = quaternion_multiply(start * [-1, -1, -1, 1], end)
    turn = np.where(turn[..., 3:] < 0, -turn, turn)
    return quaternion_multiply(start, axis_angle_to_quaternion(rotation_vectors(turn) * np.asarray(weight)[..., None]))


def rotation_vectors(q: np.ndarray) -> np.ndarray:
    """Unit quaternions (..., 4) xyzw -> rotation vectors (..., 3), the shorter way round."""
    q = np.where(q[..., 3:] < 0, -q, q)
    size = np.linalg.norm(q[..., :3], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(size, q[..., 3:])
    return q[..., :3] * np.where(size < 1e-9, 2.0, angle / np.maximum(size, 1e-9))


def _pack(rotations: np.ndarray) -> np.ndarray:
    """(T, K, 4) -> differences in time of 16-bit rotation vectors (T, K, 3), which compress well."""
    whole = np.round(rotation_vectors(rotations) * STEPS).astype(np.int16)
    return np.diff(whole, axis=0, prepend=np.zeros_like(whole[:1]))


def _unpack(packed: np.ndarray) -> np.ndarray:
    if packed.ndim != 3 or packed.dtype.kind not in "iu" or packed.shape[2] != 3 or not packed.size:
        raise ValueError(f"rotations of shape {packed.shape} ({packed.dtype}), not whole numbers (T, J, 3)")
    whole = np.cumsum(packed, axis=0, dtype=np.int16)
    return unroll(axis_angle_to_quaternion(whole.astype(np.float64) / STEPS))


def standing(rotations: np.ndarray, skeleton: Skeleton, feet: Sequence[str] = ("left_foot", "right_foot")) -> float:
    """Height of the pelvis, in metres, at which the lower foot of a pose (J, 4) touches the floor."""
    from motion_platform.motion.io.euler import forward_kinematics

    assert skeleton.offsets is not None
    placed = forward_kinematics(rotations[None], skeleton.offsets, skeleton.parents)[0]
    return float(-min(placed[skeleton.index(foot), 1] for foot in feet))
