"""Skeletons as data: joint names, parents, body parts. The named ones are YAML files in ``skeletons/``."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources

import numpy as np

from motion_platform.core.errors import DataError, UnknownName
from motion_platform.core.packaged import packaged_yaml


@dataclass(frozen=True)
class Skeleton:
    """A tree of J joints. ``parents[j] < j`` and ``parents[0] == -1``; ``offsets`` (J, 3) is the rest pose in metres,
    each joint relative to its parent, Y up, facing Z+, left = X+ (None where only positions are known).

    ``parts``: name -> joint names ("upper_body", "lower_body", "left_foot", ...). ``mirror``: joint -> its twin on
    the other side; joints not named are their own twin. ``dims`` is 2 for image-plane skeletons (COCO), else 3.
    ``extra_edges``: joint pairs that are drawn and convolved over beside the tree's bones (graphs with cycles).
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray | None = None
    parts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    mirror: dict[str, str] = field(default_factory=dict)
    dims: int = 3
    extra_edges: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if len(self.joints) != len(self.parents):
            raise DataError(f"skeleton {self.name}: {len(self.joints)} joints but {len(self.parents)} parents")
        if len(set(self.joints)) != len(self.joints):
            raise DataError(f"skeleton {self.name}: joint names must be different from each other")
        for j, parent in enumerate(self.parents):
            if not (parent < j and (parent >= 0 or (j == 0 and parent == -1))):
                raise DataError(f"skeleton {self.name}: joint {self.joints[j]!r} must come after its parent")
        if self.offsets is not None and self.offsets.shape != (len(self.joints), 3):
            raise DataError(
                f"skeleton {self.name}: offsets have shape {self.offsets.shape}, not ({len(self.joints)}, 3)"
            )

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Position of a joint name. UnknownName when there is none."""
        if joint not in self._index:
            raise UnknownName("joint", joint, self.joints, f"skeleton {self.name}")
        return self._index[joint]

    def indices(self, part: str) -> list[int]:
        """Joint positions of a body part. UnknownName when there is no such part."""
        if part not in self.parts:
            raise UnknownName("body part", part, self.parts, f"skeleton {self.name}")
        return [self.index(j) for j in self.parts[part]]

    @cached_property
    def _index(self) -> dict[str, int]:
        return {joint: j for j, joint in enumerate(self.joints)}

    @cached_property
    def mirror_indices(self) -> np.ndarray:
        """(J,) permutation that swaps left and right."""
        return np.array([self._index[self.mirror.get(joint, joint)] for joint in self.joints])

    @cached_property
    def bones(self) -> list[tuple[int, int]]:
        """(parent, child) pairs."""
        return [(p, j) for j, p in enumerate(self.parents) if p >= 0]

    @cached_property
    def edges(self) -> list[tuple[int, int]]:
        """The bones, then ``extra_edges``: what a drawing or a graph convolution connects."""
        return self.bones + [(self.index(a), self.index(b)) for a, b in self.extra_edges]

    def mirrored(self, joints: np.ndarray) -> np.ndarray:
        """Swap left and right: (..., J, dims) positions -> the same shape, reflected.

        In 3-D at the plane x = 0; in the image plane, where x is a fraction of the frame, at x = 0.5.
        """
        if joints.shape[-2:] != (len(self), self.dims):
            raise DataError(
                f"skeleton {self.name}: joints have shape {joints.shape}, not (..., {len(self)}, {self.dims})"
            )
        out = np.array(joints[..., self.mirror_indices, :])
        out[..., 0] = -out[..., 0] if self.dims == 3 else 1 - out[..., 0]
        return out


def skeleton_names() -> list[str]:
    """The skeletons that ship, by name."""
    folder = resources.files("motion_platform.motion") / "skeletons"
    return sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml"))


@cache
def get_skeleton(name: str) -> Skeleton:
    """A named skeleton: humanml3d (22), kit (21), coco_upper (13), conductor (22). UnknownName otherwise."""
    if name not in skeleton_names():
        raise UnknownName("skeleton", name, skeleton_names())
    raw = packaged_yaml("motion_platform.motion", f"skeletons/{name}.yaml")
    joints = tuple(j["name"] for j in raw["joints"])
    order = {joint: i for i, joint in enumerate(joints)}
    parents = tuple(-1 if j.get("parent") is None else order[j["parent"]] for j in raw["joints"])
    offsets = np.array([j["offset"] for j in raw["joints"]], np.float64) if "offset" in raw["joints"][0] else None
    mirror = {a: b for pair in raw.get("mirror", []) for a, b in (pair, pair[::-1])}
    parts = {part: tuple(members) for part, members in raw.get("parts", {}).items()}
    extra_edges = tuple((a, b) for a, b in raw.get("extra_edges", []))
    return Skeleton(name, joints, parents, offsets, parts, mirror, raw.get("dims", 3), extra_edges)
