"""Reader of animated binary glTF (.glb, .vrm, .vrma): every animation of every skeleton, our own files bit for bit in
time.

A skeleton is what skins, VRM's table of human bones or, without both, the animations name, up to the node that all hang
on. Its rest pose is turned into the world (identity rotations give the rest pose), so that it can be written as any
other format. Scales are put into the bones' lengths. Key times become frames of one rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.motion.clip import MAX_FRAMES, Clip
from motion_platform.motion.inverse_kinematics import matrix_to_quaternion
from motion_platform.motion.io.euler import forward_kinematics, quaternion_multiply, quaternion_to_matrix, unroll
from motion_platform.motion.io.gltf import Gltf, open_glb
from motion_platform.motion.io.provenance import checked
from motion_platform.motion.skeleton import Skeleton, get_skeleton

MAX_JOINTS = 1000
BUDGET = 4_000_000
"""Joint positions (frames times joints) that a file may unfold to; more only where it holds as many key values."""
FPS = 30.0
"""Frames a second where key times are of no one rate."""
SPARSE = 10.0
"""Keys rarer than this a second are no frames."""
GENERATOR = "motion-platform"


@dataclass(frozen=True)
class Tree:
    """The nodes of one skeleton, parents first. nodes (J,) in the file; parents (J,); names (J,), all different.

    rest (J, 4): local rotations; offsets (J, 3): from the parent in its turned frame, in metres (scales multiplied in);
    turned (J, 4): world rotations at rest; root: the world position of joint 0 at rest; scales (J,): metres in one unit
    of a node's own translation; above (4, 4): what the root hangs on.
    """

    nodes: list[int]
    parents: list[int]
    names: tuple[str, ...]
    rest: np.ndarray
    offsets: np.ndarray
    turned: np.ndarray
    root: np.ndarray
    scales: np.ndarray
    above: np.ndarray

    @property
    def world_offsets(self) -> np.ndarray:
        """(J, 3): the rest pose as a :class:`Skeleton` has it, every rotation none."""
        parents = np.maximum(self.parents, 0)
        out = np.einsum("jik,jk->ji", quaternion_to_matrix(self.turned[parents]), self.offsets)
        out[0] = 0.0
        return out


def read(path: str | Path, *, skeleton: Skeleton | None = None, fps: float | None = None) -> list[Clip]:
    """Every animation of every skeleton: joints (T, J, 3) in metres, Y up; local rotations relative to the rest pose.

    A file without animation gives one frame, its rest pose. ``fps``: frames a second (default: as the keys lie, else
    30); ``skeleton`` must have the file's joint names. Errors: DataError for a damaged or compressed file, one that
    unfolds to more than it holds, and one without skeleton.
    """
    file = open_glb(path)
    clips = []
    for tree, name in trees(file):
        ours = _is_ours(file)
        told = [(k, _channels(file, animation, tree)) for k, animation in enumerate(file.entries("animations"))]
        told = [(k, channels) for k, channels in told if channels]
        for k, channels in told:
            title = str(file.entries("animations")[k].get("name") or f"{Path(path).stem}_{k + 1}")
            clips.append(_clip(file, tree, name if ours and len(told) == 1 else title, channels, fps))
        if not told:
            clips.append(_clip(file, tree, name, [], fps))
    if skeleton is not None:
        for clip in clips:
            if clip.skeleton.joints != skeleton.joints:
                raise file.fail(f"its joints are not those of skeleton {skeleton.name}")
        clips = [clip.with_(skeleton=skeleton) for clip in clips]
    return clips


def _is_ours(file: Gltf) -> bool:
    asset = file.json.get("asset")
    return isinstance(asset, dict) and asset.get("generator") == GENERATOR


def trees(file: Gltf) -> list[tuple[Tree, str]]:
    """The skeletons of a file, the largest first, with a name each. DataError where it has none."""
    groups: list[set[int]] = []
    names: list[str] = []
    for k, skin in enumerate(file.entries("skins")):
        joints = skin.get("joints", [])
        if not isinstance(joints, list) or not joints:
            raise file.fail(f"skin {k} has no joints")
        own = {file.index(j, len(file.nodes), f"skin {k}: a joint") for j in joints}
        root = {_root(file, j) for j in own}
        # Skins of one character share joints, or hang under one root (clothes, hair, a body).
        known = next(
            (g for g in groups if g & own or (not _is_ours(file) and root & {_root(file, j) for j in g})), None
        )
        if known is None:
            groups.append(own)
            names.append(str(skin.get("name") or file.path.stem))
        else:
            known |= own
    human = set(file.human_bones().values())
    if human:
        known = next((g for g in groups if g & human), None)
        if known is None:
            groups, names = [human, *groups], [file.path.stem, *names]
        else:
            known |= human
    if not groups:
        moved = {
            channel["target"].get("node")
            for animation in file.entries("animations")
            for channel in file.entries("channels", animation)
            if isinstance(channel.get("target"), dict) and channel["target"].get("path") == "rotation"
        }
        moved = {file.index(node, len(file.nodes), "an animated node") for node in moved if node is not None}
        if len(moved) < 2:
            raise file.fail("has no skeleton: no skin, no table of human bones and no animated tree of nodes")
        groups, names = [moved], [file.path.stem]
    made = [(_tree(file, group), name) for group, name in zip(groups, names, strict=True)]
    return made if _is_ours(file) else sorted(made, key=lambda pair: -len(pair[0].nodes))


def _root(file: Gltf, node: int) -> int:
    while file.nodes[node].parent >= 0:
        node = file.nodes[node].parent
    return node


def _tree(file: Gltf, members: set[int]) -> Tree:
    """The tree that spans some nodes, from the lowest node that all hang on."""
    ways = []
    for node in members:
        way = [node]
        while file.nodes[way[-1]].parent >= 0:
            way.append(file.nodes[way[-1]].parent)
        ways.append(way[::-1])
    shortest = min(len(way) for way in ways)
    top = [k for k in range(shortest) if len({way[k] for way in ways}) == 1]
    if not top:
        raise file.fail("the joints of its skeleton hang on different roots")
    wanted = {node for way in ways for node in way[top[-1] :]}
    if len(wanted) > MAX_JOINTS:
        raise file.fail(f"has a skeleton of {len(wanted)} joints; at most {MAX_JOINTS} are read")
    nodes: list[int] = []
    waiting = [ways[0][top[-1]]]
    while waiting:
        node = waiting.pop()
        nodes.append(node)
        waiting += [child for child in reversed(file.nodes[node].children) if child in wanted]
    if _is_ours(file):  # in the clip's own order, which the skin has
        listed = next((skin["joints"] for skin in file.entries("skins") if set(skin["joints"]) == wanted), nodes)
        nodes = [node for node in listed if node in wanted]
    order = {node: j for j, node in enumerate(nodes)}
    parents = [order.get(file.nodes[node].parent, -1) for node in nodes]
    names: list[str] = []
    for node in nodes:
        name, number = file.nodes[node].name, 2
        while name in names:
            name, number = f"{file.nodes[node].name}_{number}", number + 1
        names.append(name)
    rest = np.stack([file.nodes[node].rotation for node in nodes])
    above = file.world(file.nodes[nodes[0]].parent)  # of no node: nothing
    size = np.linalg.norm(above[:3, :3], axis=0)
    if (size < 1e-12).any():
        raise file.fail("its skeleton hangs on a node of size zero")
    if _is_ours(file):
        above, size = np.eye(4), np.ones(3)  # motions that stand side by side go back to their own places
        rest = np.tile([0.0, 0.0, 0.0, 1.0], (len(nodes), 1))
    turned, scales, offsets = np.zeros_like(rest), np.ones(len(nodes)), np.zeros((len(nodes), 3))
    inner = np.zeros(len(nodes))  # the scale that a joint's children see
    for j, (node, parent) in enumerate(zip(nodes, parents, strict=True)):
        own = file.nodes[node]
        scales[j] = inner[parent] if parent >= 0 else float(size.mean())
        inner[j] = scales[j] * float(np.abs(own.scale).mean())
        offsets[j] = own.translation * scales[j] * (np.sign(file.nodes[nodes[parent]].scale) if parent >= 0 else 1.0)
        before = turned[parent] if parent >= 0 else matrix_to_quaternion(above[:3, :3] / size)
        turned[j] = quaternion_multiply(before, rest[j])
    root = above[:3, :3] @ file.nodes[nodes[0]].translation + above[:3, 3]
    if _is_ours(file):
        offsets = _bind_offsets(file, nodes, parents, offsets)
    return Tree(nodes, parents, tuple(names), rest, offsets, turned, root, scales, above)


def _bind_offsets(file: Gltf, nodes: list[int], parents: list[int], otherwise: np.ndarray) -> np.ndarray:
    """(J, 3) offsets of the pose in which our own bodies are bound, whose joints have no rotation."""
    for skin in file.entries("skins"):
        if skin["joints"] == nodes and "inverseBindMatrices" in skin:
            inverse = file.accessor(skin["inverseBindMatrices"])
            if inverse.shape == (len(nodes), 16):
                places = -inverse[:, 12:15]
                return places - places[np.maximum(parents, 0)]
    return otherwise


Channels = Sequence[tuple[int, str, np.ndarray, np.ndarray, str]]
"""(joint, path, key times (K,), values (K, 3 or 4), interpolation)."""


def _channels(file: Gltf, animation: dict[str, Any], tree: Tree) -> list[tuple[int, str, np.ndarray, np.ndarray, str]]:
    """The channels of an animation that move joints of a tree."""
    samplers = file.entries("samplers", animation)
    order = {node: j for j, node in enumerate(tree.nodes)}
    out = []
    for channel in file.entries("channels", animation):
        target = channel.get("target")
        if not isinstance(target, dict) or target.get("node") is None:
            continue
        if (node := file.index(target["node"], len(file.nodes), "a channel's node")) not in order:
            continue
        path = target.get("path")
        if path not in ("rotation", "translation"):  # scales of bones and weights of faces are no motion of joints
            continue
        sampler = samplers[file.index(channel.get("sampler"), len(samplers), "a channel's sampler")]
        times, values = file.accessor(sampler.get("input"))[:, 0], file.accessor(sampler.get("output"))
        how = sampler.get("interpolation", "LINEAR")
        if how not in ("LINEAR", "STEP", "CUBICSPLINE"):
            raise file.fail(f"unknown interpolation {how!r:.40}; allowed: CUBICSPLINE, LINEAR, STEP")
        width, keys = (4 if path == "rotation" else 3), len(times) * (3 if how == "CUBICSPLINE" else 1)
        if values.shape != (keys, width) or (np.diff(times) < 0).any() or times[0] < 0:
            raise file.fail(f"an animation has {len(values)} values for {len(times)} key times, or times out of order")
        out.append((order[node], path, times, values, how))
    return out


def _clip(file: Gltf, tree: Tree, name: str, channels: Channels, fps: float | None) -> Clip:
    notes = []
    if channels:
        rate, uneven = _rate(channels) if fps is None else (fps, False)
        if uneven:
            notes.append(f"its keys lie at no one frame rate: read at {rate:g} fps")
        start, end = min(c[2][0] for c in channels), max(c[2][-1] for c in channels)
        count = int(np.floor((end - start) * rate + 1e-3)) + 1
        keys = sum(len(c[2]) for c in channels)
        if count > MAX_FRAMES or count * len(tree.nodes) > max(BUDGET, 4 * keys):
            raise file.fail(
                f"animation {name!r:.60}: {end - start:.6g} s at {rate:g} fps are more frames than it holds"
            )
        clock = start + np.arange(count) / rate
    else:
        rate, clock = (fps or FPS), np.zeros(1)
        notes.append("has no animation: its rest pose is read")
    local = np.tile(tree.rest, (len(clock), 1, 1))
    moved = np.tile(tree.offsets, (len(clock), 1, 1))
    moved[:, 0] = tree.root
    for j, path, times, values, how in channels:
        sampled = _sampled(times, values, how, clock)
        if path == "rotation":
            size = np.linalg.norm(sampled, axis=-1, keepdims=True)
            if (size < 1e-6).any():
                raise file.fail(f"animation {name!r:.60}: a rotation of {tree.names[j]!r:.60} has no length")
            local[:, j] = sampled / size
        elif j == 0:
            moved[:, 0] = sampled @ tree.above[:3, :3].T + tree.above[:3, 3]
        else:
            moved[:, j] = sampled * tree.scales[j]
    # Into the world's axes: identity rotations are then the rest pose.
    turned, parents = tree.turned, np.maximum(tree.parents, 0)
    before = turned[parents].copy()
    before[0] = quaternion_multiply(turned[0], tree.rest[0] * [-1, -1, -1, 1])
    world = quaternion_multiply(quaternion_multiply(before[None], local), (turned * [-1, -1, -1, 1])[None])
    steps = np.einsum("jik,tjk->tji", quaternion_to_matrix(before), moved)
    steps[:, 0] = moved[:, 0]
    joints = forward_kinematics(world, steps, tree.parents).astype(np.float32)
    known = get_skeleton("humanml3d")
    named = _is_ours(file) and tree.names == known.joints
    skeleton = Skeleton(
        known.name if named else f"glb:{file.path.stem}",
        tree.names,
        tuple(tree.parents),
        tree.world_offsets,
        known.parts if named else {},
        known.mirror if named else {},
    )
    info: dict[str, Any] = {"source": file.path.name, "unit": "m", "up": "y"}
    if notes:
        info["notes"] = notes
    return Clip(joints, float(rate), skeleton, unroll(world).astype(np.float32), name, *_told(file, name, info))


def _told(file: Gltf, name: str, info: dict[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The captions that our own writer puts beside a motion, and info with the model, seed and licence."""
    entries = [entry for entry in (*file.entries("nodes"), *file.entries("animations")) if entry.get("name") == name]
    whole = file.json.get("asset")  # a .vrma has one motion, and says it of the whole file
    for entry in [*entries, *([whole] if isinstance(whole, dict) else [])]:
        extras = entry.get("extras")
        said = extras.get("captions") if isinstance(extras, dict) else None
        if isinstance(extras, dict) and isinstance(said, list) and all(isinstance(caption, str) for caption in said):
            told = {key: value for key, value in checked(extras).items() if key not in ("captions", "source")}
            return tuple(said), {**info, **told}
    return (), info


def _rate(channels: Channels) -> tuple[float, bool]:
    """(frames a second, whether the keys lie at no one rate) by the densest keys."""
    times = max((c[2] for c in channels), key=len)
    steps = np.diff(times)
    if len(steps) == 0 or np.median(steps) < 1e-3:
        return FPS, len(steps) > 0
    mean = (times[-1] - times[0]) / len(steps)
    if np.abs(steps - mean).max() > 0.02 * mean + 2e-4:
        return FPS, True
    rate = 1 / mean
    if rate < SPARSE:  # poses keyed by hand: no frame rate
        return FPS, False
    whole = float(round(rate))
    return (whole if abs(rate / whole - 1) < 2e-3 else round(rate, 3)), False


def _sampled(times: np.ndarray, values: np.ndarray, how: str, clock: np.ndarray) -> np.ndarray:
    """(T, width) of the keys at ``clock`` (glTF 2.0, appendix C); rotations by the chord, which is normalised after."""
    if how == "CUBICSPLINE":
        arriving, values, leaving = values[0::3], values[1::3], values[2::3]
    if len(times) == 1:
        return np.repeat(values, len(clock), axis=0)
    clock = np.clip(clock, times[0], times[-1])
    after = np.clip(np.searchsorted(times, clock + 1e-6, side="right"), 1, len(times) - 1)
    width = np.maximum(times[after] - times[after - 1], 1e-9)
    share = np.clip((clock - times[after - 1]) / width, 0.0, 1.0)[:, None]
    a, b = values[after - 1], values[after]
    if how == "STEP":
        return np.where(share > 1 - 1e-4, b, a)
    if how == "CUBICSPLINE":
        s2, s3, long = share**2, share**3, width[:, None]
        return (
            (2 * s3 - 3 * s2 + 1) * a
            + (s3 - 2 * s2 + share) * long * leaving[after - 1]
            + (3 * s2 - 2 * s3) * b
            + (s3 - s2) * long * arriving[after]
        )
    if values.shape[1] == 4:
        b = np.where((a * b).sum(-1, keepdims=True) < 0, -b, b)
        angle = np.arccos(np.clip((a * b).sum(-1, keepdims=True), -1, 1))
        far = angle > 1e-4
        sine = np.where(far, np.sin(angle), 1.0)
        turned = (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / sine
        return np.where(far, turned, a + share * (b - a))
    return a + share * (b - a)
