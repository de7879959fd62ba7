"""Reader of Acclaim AMC motion with its ASF skeleton (the original format of the CMU database).

An ASF bone reaches from its parent's end to its own end, and its local rotation is C R C^-1, where C is the bone's axis
and R its degrees of freedom (M. Schafer, "Acclaim Advanced Skeleton and Motion file format"). Here a joint of a bone's
name stands at the bone's *start*, so that a rotation turns everything after its joint, as everywhere else in this
library; bones that nothing hangs on end in ``info["end_sites"]``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.core.opening import check_budget
from motion_platform.motion.clip import MAX_FRAMES, Clip
from motion_platform.motion.io import units as unit
from motion_platform.motion.io.euler import euler_to_quaternion, forward_kinematics, quaternion_multiply, unroll
from motion_platform.motion.io.text import LINE_END, number, read_text
from motion_platform.motion.skeleton import Skeleton

ASSUMED_FPS = 120.0
"""The frame rate of the CMU database. AMC files do not say theirs; ``info["fps_assumed"]`` tells when this was used."""
DOFS = {f"{kind}{axis}": (kind, k) for k, axis in enumerate("xyz") for kind in ("r", "t")}
MAX_BONES = 1000
BYTES_A_POSITION = 112


@dataclass
class _Bone:
    """One bone (or the root) of an ASF. angles in radians, lengths in the file's unit."""

    name: str
    direction: np.ndarray = field(default_factory=lambda: np.zeros(3))
    length: float = 0.0
    axis: np.ndarray = field(default_factory=lambda: np.array([0.0, 0.0, 0.0, 1.0]))
    dof: list[str] = field(default_factory=list)
    parent: str | None = None


@dataclass
class _Asf:
    bones: dict[str, _Bone]  # parents first, "root" first
    length: float
    degrees: bool
    start: np.ndarray  # the root's position
    order: list[str]  # the root's degrees of freedom, as "rx", "tx"
    rotation_order: list[int]  # of the root's axis


def read(
    path: str | Path, *, asf: str | Path | None = None, skeleton: Skeleton | None = None, fps: float | None = None,
    units: str | None = None, up: str | None = None,
) -> Clip:  # fmt: skip
    """Read an AMC file: joints (T, J, 3) in metres, local rotations, the skeleton of the ASF.

    ``asf``: the skeleton file; else the one beside the AMC with its name, its subject (``35.asf`` for ``35_01.amc``),
    or the only one there. ``fps``: the format has none, so 120 is assumed. ``units``: as for BVH; the unit of an ASF
    is 1/``length`` inch unless that makes no person. ``skeleton`` must have the same joints; it lends name and parts.
    Errors: DataError, with the line, for anything that is not a complete and finite pair.
    """
    path = Path(path)
    asf_path = find_asf(path) if asf is None else Path(asf)
    if not asf_path.is_file():
        raise DataError(f"{asf_path}: no such ASF file")
    body = _read_asf(asf_path)
    dofs, values = _read_amc(path, body, asf_path)
    with np.errstate(over="ignore", invalid="ignore"):
        return _clip(path, asf_path, body, dofs, values, skeleton, fps, units, up)


def find_asf(path: Path) -> Path:
    """The ASF that belongs to an AMC, in the same folder. DataError when there is none or no telling which."""
    there = {f.name.lower(): f for f in sorted(path.parent.iterdir()) if f.suffix.lower() == ".asf" and f.is_file()}
    subject = path.stem.split("_")[0]
    for name in (path.stem, subject, subject.lstrip("0")):
        if f"{name.lower()}.asf" in there:
            return there[f"{name.lower()}.asf"]
    # HDM05: HDM_mm.asf beside HDM_mm_depositFloorR_019_120.amc, the longest name that the recording's begins with.
    begun = [name for name in there if path.stem.lower().startswith(name.removesuffix(".asf"))]
    longest = max(begun, key=len, default=None)
    if longest is not None:
        return there[longest]
    if len(there) == 1 and not re.fullmatch(r"\d+", subject):  # a numbered subject is somebody else's skeleton
        return next(iter(there.values()))
    listing = ", ".join(f.name for f in list(there.values())[:8]) or "none"
    raise DataError(
        f"{path}: its skeleton {subject}.asf is not beside it (ASF files there: {listing}); "
        "give it: --asf FILE (asf= in Python)"
    )


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """(line number, words) without comments and blank lines."""
    text = read_text(path)
    split = ((n, line.split("#", 1)[0].split()) for n, line in enumerate(LINE_END.split(text), 1))
    return [(n, words) for n, words in split if words]


def _floats(words: list[str], count: int, where: str) -> np.ndarray:
    try:
        found = np.array([number(word) for word in words[:count]])
    except ValueError:
        found = np.empty(0)
    if len(found) != count:
        raise DataError(f"{where}: expected {count} finite numbers, got {' '.join(words[:count])[:60]!r}")
    return found


def _axes(word: str, where: str) -> list[int]:
    if sorted(word.upper()) != ["X", "Y", "Z"]:
        raise DataError(f"{where}: an axis order is a permutation of XYZ, got {word[:20]!r}")
    return ["XYZ".index(letter) for letter in word.upper()]


def _axis(angles: np.ndarray, order: list[int]) -> np.ndarray:
    """ASF lists angles in the order in which they are applied to fixed axes: XYZ is the matrix Rz Ry Rx."""
    return euler_to_quaternion(angles[::-1], order[::-1])


def _read_asf(path: Path) -> _Asf:  # noqa: C901 - a grammar, read token by token
    section, bone = "", None
    length, degrees, order, root_axis = 1.0, True, ["tx", "ty", "tz", "rx", "ry", "rz"], [0, 1, 2]
    start, orientation = np.zeros(3), np.zeros(3)
    bones: dict[str, _Bone] = {}
    raw_axes: dict[str, tuple[np.ndarray, list[int]]] = {}
    links: list[tuple[int, str, str]] = []
    for line, words in _lines(path):
        where = f"{path}: line {line}"
        key, rest = words[0].lower(), words[1:]
        if key.startswith(":"):
            section, bone = key, None
        elif section == ":units":
            if key == "length":
                length = float(_floats(rest, 1, where)[0])
            elif key == "angle":
                degrees = not " ".join(rest).lower().startswith("rad")
        elif section == ":root":
            if key == "order":
                order = [word.lower() for word in rest]
                if not set(order) <= set(DOFS) or len(set(order)) != len(order):
                    raise DataError(
                        f"{where}: the root's order is some of TX TY TZ RX RY RZ, got {' '.join(rest)[:60]!r}"
                    )
            elif key == "axis":
                root_axis = _axes(rest[0] if rest else "", where)
            elif key == "position":
                start = _floats(rest, 3, where)
            elif key == "orientation":
                orientation = _floats(rest, 3, where)
        elif section == ":bonedata":
            if key == "begin":
                bone = _Bone("")
            elif key == "end":
                if bone is None or not bone.name:
                    raise DataError(f"{where}: a bone without a name")
                if bone.name in bones or bone.name == "root":
                    raise DataError(f"{where}: a second bone {bone.name!r}")
                if len(bones) >= MAX_BONES:
                    raise DataError(f"{where}: more than {MAX_BONES} bones")
                bones[bone.name], bone = bone, None
            elif bone is None:
                raise DataError(f"{where}: {words[0][:40]!r} outside of begin ... end")
            elif key == "name":
                bone.name = rest[0] if rest else ""
            elif key == "direction":
                bone.direction = _floats(rest, 3, where)
            elif key == "length":
                bone.length = float(_floats(rest, 1, where)[0])
            elif key == "axis":
                raw_axes[bone.name] = (_floats(rest, 3, where), _axes(rest[3] if len(rest) > 3 else "XYZ", where))
            elif key == "dof":
                bone.dof = [word.lower() for word in rest]
                if not set(bone.dof) <= {*DOFS, "l"} or len(set(bone.dof)) != len(bone.dof):
                    raise DataError(f"{where}: bone {bone.name!r}: dof is some of rx ry rz tx ty tz, got {rest}")
        elif section == ":hierarchy" and key not in ("begin", "end"):
            links += [(line, words[0], child) for child in rest]
    if bone is not None or not bones:
        raise DataError(f"{path}: {'a bone is not closed; the file is truncated' if bone else 'no bones (:bonedata)'}")
    return _arrange(path, bones, links, raw_axes, _Asf({}, length, degrees, start, order, root_axis), orientation)


def _arrange(
    path: Path, bones: dict[str, _Bone], links: list[tuple[int, str, str]],
    raw_axes: dict[str, tuple[np.ndarray, list[int]]], body: _Asf, orientation: np.ndarray,
) -> _Asf:  # fmt: skip
    """Put parents before children, check that every bone hangs on the root, turn axes into quaternions."""
    children: dict[str, list[str]] = {}
    for line, parent, child in links:
        where = f"{path}: line {line}"
        for name in (parent, child):
            if name not in bones and name != "root":
                raise DataError(f"{where}: :hierarchy names {name[:40]!r}, which is no bone")
        if child == "root" or bones[child].parent is not None:
            raise DataError(f"{where}: bone {child!r} has two parents")
        bones[child].parent = parent
        children.setdefault(parent, []).append(child)
    scale = np.pi / 180 if body.degrees else 1.0
    body.bones["root"] = _Bone("root", axis=_axis(orientation * scale, body.rotation_order), dof=body.order)
    stack = list(reversed(children.get("root", [])))
    while stack:
        name = stack.pop()
        body.bones[name] = bones[name]
        stack += reversed(children.get(name, []))
    if len(body.bones) != len(bones) + 1:
        lost = next(name for name in bones if name not in body.bones)
        raise DataError(f"{path}: bone {lost!r} does not hang on the root (:hierarchy)")
    for name, (angles, order) in raw_axes.items():
        if name not in body.bones:
            raise DataError(f"{path}: a bone has an axis and no name before it")
        body.bones[name].axis = _axis(angles * scale, order)
    return body


def _read_amc(  # noqa: C901 - a grammar, read token by token
    path: Path, body: _Asf, asf_path: Path
) -> tuple[dict[str, list[str]], dict[str, np.ndarray]]:
    """(bone -> its degrees of freedom, bone -> values (T, K), angles in radians)."""
    rows: dict[str, list[list[float]]] = {}
    frames, degrees, last = 0, body.degrees, 0
    for last, words in _lines(path):
        where = f"{path}: line {last}"
        if words[0].startswith(":"):
            degrees = {":degrees": True, ":radians": False}.get(words[0].lower(), degrees)
        elif len(words) == 1 and words[0].isascii() and words[0].isdigit():
            for name in rows:
                if len(rows[name]) != frames:
                    raise DataError(f"{where}: frame {frames} has no line for bone {name!r}")
            frames += 1
            if frames > MAX_FRAMES:
                raise DataError(f"{where}: more than {MAX_FRAMES} frames")
        else:
            name = words[0]
            if frames == 0:
                raise DataError(f"{where}: expected a frame number, got {name[:40]!r}")
            if name not in body.bones:
                raise DataError(f"{where}: bone {name[:40]!r} is not in {asf_path.name}")
            dof = body.bones[name].dof
            if len(words) - 1 != len(dof):
                raise DataError(
                    f"{where}: bone {name!r} has {len(words) - 1} values, its dof in {asf_path.name}: {dof}"
                )
            row = rows.setdefault(name, [])
            if len(row) != frames - 1:
                raise DataError(f"{where}: bone {name!r} has no value in frame {len(row) + 1} or two in frame {frames}")
            row.append([*_floats(words[1:], len(dof), where)])
    if frames == 0:
        raise DataError(f"{path}: holds no frame")
    if "root" not in rows:
        raise DataError(f"{path}: holds no values of the root")
    for name, row in rows.items():
        if len(row) != frames:
            raise DataError(f"{path}: line {last}: frame {frames} has no line for bone {name!r}; the file is truncated")
    values = {}
    for name, row in rows.items():
        values[name] = np.array(row)
        turning = [k for k, word in enumerate(body.bones[name].dof) if word.startswith("r")]
        values[name][:, turning] *= np.pi / 180 if degrees else 1.0
    return {name: body.bones[name].dof for name in rows}, values


def _clip(
    path: Path, asf_path: Path, body: _Asf, dofs: dict[str, list[str]], values: dict[str, np.ndarray],
    skeleton: Skeleton | None, fps: float | None, units: str | None, up: str | None,
) -> Clip:  # fmt: skip
    names = list(body.bones)
    parents = [-1] + [names.index(str(bone.parent)) for bone in list(body.bones.values())[1:]]
    ends = np.stack([bone.direction * bone.length for bone in body.bones.values()])
    offsets = np.stack([ends[p] if p >= 0 else np.zeros(3) for p in parents])  # a bone starts where its parent ends
    frames = len(values["root"])
    check_budget(path, frames * len(names) * BYTES_A_POSITION, f"{frames} frames of {len(names)} bones")
    rotations = np.tile([0.0, 0.0, 0.0, 1.0], (frames, len(names), 1))
    positions = np.tile(offsets, (frames, 1, 1))
    positions[:, 0] = body.start
    for j, name in enumerate(names):
        columns = {word: values[name][:, k] for k, word in enumerate(dofs.get(name, []))}
        turning = [word for word in columns if word.startswith("r")]
        if turning:  # listed in the order of application: the first is innermost
            angles = np.stack([columns[word] for word in reversed(turning)], axis=-1)
            turn = euler_to_quaternion(angles, [DOFS[word][1] for word in reversed(turning)])
            axis = body.bones[name].axis
            rotations[:, j] = quaternion_multiply(axis, turn)
            if j > 0:  # the root's orientation is where it starts from, not an axis to come back from
                rotations[:, j] = quaternion_multiply(rotations[:, j], axis * [-1, -1, -1, 1])
        elif j == 0:
            rotations[:, 0] = body.bones[name].axis
        for word, column in columns.items():
            if word.startswith("t"):
                positions[:, j, DOFS[word][1]] += column
    children = set(parents)
    tips = {name: ends[j] for j, name in enumerate(names) if j not in children and j > 0}
    lengths = [*np.linalg.norm(offsets, axis=-1), *(float(np.linalg.norm(tip)) for tip in tips.values())]
    height = unit.body_height(lengths, parents + [names.index(name) for name in tips])
    own = 0.0254 / body.length if body.length > 0 else 0.0
    if units is None and unit.HEIGHTS[0] <= height * own <= unit.HEIGHTS[1]:
        unit_name, metres = f"1/{body.length:g} inch", own
    else:
        unit_name, metres = unit.find_unit(height, units, str(asf_path))
    offsets, positions = offsets * metres, positions * metres
    joints = forward_kinematics(rotations, positions, parents)
    upward = unit.find_up(names, offsets, joints, up or "y", str(path))
    if upward != "y":
        rotations = unit.turned(rotations, upward)
        joints, offsets = unit.to_y_up(joints, upward), unit.to_y_up(offsets, upward)
        tips = {name: unit.to_y_up(tip, upward) for name, tip in tips.items()}
    info: dict[str, object] = {
        "source": path.name,
        "skeleton_source": asf_path.name,
        "unit": unit_name,
        "up": upward,
    }
    info["end_sites"] = {name: [[float(v) for v in tip * metres]] for name, tip in tips.items()}
    if fps is None:
        info["fps_assumed"] = True
    if skeleton is None:
        skeleton = Skeleton(f"asf:{asf_path.stem}", tuple(names), tuple(parents), offsets)
    elif skeleton.joints != tuple(names):
        raise DataError(f"{path}: its joints are {', '.join(names)}, not those of skeleton {skeleton.name}")
    else:
        skeleton = Skeleton(skeleton.name, tuple(names), tuple(parents), offsets, skeleton.parts, skeleton.mirror)
    rate = ASSUMED_FPS if fps is None else fps
    return Clip(joints.astype(np.float32), rate, skeleton, unroll(rotations).astype(np.float32), path.stem, (), info)
