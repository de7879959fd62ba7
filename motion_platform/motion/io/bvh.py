"""Reader of Biovision Hierarchy (BVH) files, the plain-text format of most motion capture.

A joint may have any channels in any order; a missing position channel keeps the joint's OFFSET, a missing rotation is
none. Position channels replace OFFSET (they are not added to it). The matrix of a joint is the product of its rotation
channels in the order listed. The format has no unit and no up axis: see :mod:`motion_platform.motion.io.units`.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import DataError, suggest
from motion_platform.core.opening import check_budget
from motion_platform.motion.clip import MAX_FRAMES, Clip
from motion_platform.motion.io import units as unit
from motion_platform.motion.io.euler import euler_to_quaternion, forward_kinematics, quaternion_multiply, unroll
from motion_platform.motion.io.text import LINE_END, count_of, number, read_text
from motion_platform.motion.skeleton import Skeleton

CHANNELS = {f"{axis}{kind}": (kind, k) for k, axis in enumerate("xyz") for kind in ("position", "rotation")}
MAX_JOINTS = 1000
BYTES_A_POSITION = 112
"""What one joint in one frame takes while it is read: rotation, position, matrix, and what is between them."""
COMMON_RATES = (30, 60, 120, 24, 240, 15, 72, 90, 144)
"""Frames a second whose frame time is no short decimal, the likeliest first; 25, 50 and 100 need no guess."""
ROUNDED = 1e-3
"""What is left of a zero, as a share of the joint's OFFSET."""
STRETCH = 0.005
"""Metres by which a bone may change its length before it is reported in ``info["stretching"]``."""


@dataclass
class _Node:
    """One joint of the hierarchy as the file gives it."""

    name: str
    parent: int
    offset: np.ndarray | None = None
    channels: list[tuple[str, int]] | None = None
    ends: list[np.ndarray] = field(default_factory=list)


def read(
    path: str | Path, *, skeleton: Skeleton | None = None, fps: float | None = None, units: str | None = None,
    up: str | None = None,
) -> Clip:  # fmt: skip
    """Read a BVH file: joints (T, J, 3) in metres, Y up; local rotations; the file's own skeleton.

    ``fps``, ``units`` ("m", "cm", "mm", "inch", "cmu") and ``up`` ("y", "z", "-y") overrule what is in the file or
    guessed; ``skeleton`` must have the file's joint names and lends its name, parts and mirror pairs. A root that only
    carries a single child with position channels (Bandai-Namco's ``joint_Root``) is folded into that child. ``info``:
    source, unit, up, end_sites {joint: [offset, ...] in metres}, folded_root, stretching (joints whose bone changes
    length).
    Errors: DataError, with the line, for anything that is not a complete and finite BVH.
    """
    path = Path(path)
    text = read_text(path)
    found = re.search(r"(?<=[\r\n])[ \t]*MOTION\b", text, re.IGNORECASE)
    if found is None:
        raise DataError(f"{path}: no MOTION section; the file is truncated or is no BVH")
    nodes = _hierarchy(_points(text[: found.start()]), path)
    body = _points(text[found.end() :])
    notes: list[str] = []
    values, frame_time = _motion(
        text[: found.end()] + body, found.end(), sum(len(n.channels or ()) for n in nodes), path, notes
    )
    nodes, values = _largest_body(nodes, values, notes)
    check_budget(path, len(values) * len(nodes) * BYTES_A_POSITION, f"{len(values)} frames of {len(nodes)} joints")
    rate = _fps(frame_time) if fps is None else fps
    with np.errstate(over="ignore", invalid="ignore"):  # a value like 1e300 ends in Clip's check for infinity
        return _clip(path, nodes, values, rate, skeleton, units, up, notes)


def _points(text: str) -> str:
    """Numbers written with decimal commas, as exporters of some countries do, with points; other text as it is."""
    if "," not in text or re.search(r"\d\.\d", text):
        return text
    return re.sub(r"(?<=\d),(?=\d)", ".", text)


def _new_name(name: str, nodes: list[_Node]) -> str:
    """The name, or ``name_2``, ``name_3`` ... where it is taken."""
    taken, number = {node.name for node in nodes}, 2
    found = name
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def _largest_body(nodes: list[_Node], values: np.ndarray, notes: list[str]) -> tuple[list[_Node], np.ndarray]:
    """The tree with the most joints, where a file has several roots (props, a second actor), and its columns."""
    roots = [j for j, node in enumerate(nodes) if node.parent < 0]
    if len(roots) == 1:
        return nodes, values
    ends = [*roots[1:], len(nodes)]
    first, last = max(zip(roots, ends, strict=True), key=lambda span: span[1] - span[0])
    left = [nodes[root].name for root in roots if root != first]
    notes.append(f"left out: {', '.join(left)} (other roots of the file)")
    start = sum(len(node.channels or ()) for node in nodes[:first])
    count = sum(len(node.channels or ()) for node in nodes[first:last])
    kept = nodes[first:last]
    for node in kept:
        node.parent = node.parent - first if node.parent >= 0 else -1
    return kept, values[:, start : start + count]


def _hierarchy(text: str, path: Path) -> list[_Node]:  # noqa: C901 - a grammar, read token by token
    """The joints in the file's order (parents first)."""
    lines = LINE_END.split(text)
    words = [
        (word, n) for n, line in enumerate(lines, 1) for word in line.replace("{", " { ").replace("}", " } ").split()
    ]
    position, nodes, stack = 0, [], []  # type: ignore[var-annotated]

    def fail(message: str, line: int | None = None) -> DataError:
        last = words[min(position, len(words)) - 1][1] if words and position else 1
        return DataError(f"{path}: line {last if line is None else line}: {message}")

    def take(expected: str) -> tuple[str, int]:
        nonlocal position
        if position >= len(words):
            raise fail(f"the hierarchy ends where {expected} should be", len(lines))
        position += 1
        return words[position - 1]

    def name() -> str:  # everything on the line of the keyword: some exporters write blanks in names
        nonlocal position
        start, line = position, words[position - 1][1]
        while position < len(words) and words[position][1] == line and words[position][0] != "{":
            position += 1
        if position == start:
            raise fail("a joint without a name")
        return " ".join(word for word, _ in words[start:position])

    def numbers(expected: str) -> np.ndarray:
        taken = [take(expected)[0] for _ in range(3)]
        try:
            return np.array([number(word) for word in taken])
        except ValueError:
            raise fail(f"{expected}: got {' '.join(taken)[:60]!r}") from None

    if take("HIERARCHY")[0].upper() != "HIERARCHY":
        raise fail(f"a BVH starts with HIERARCHY, got {words[0][0][:40]!r}")
    while position < len(words):
        word, line = take("a keyword")
        key = word.upper()
        if key in ("ROOT", "JOINT"):
            if key == "JOINT" and not stack:
                raise fail("JOINT outside of ROOT")
            if stack and stack[-1] < 0:
                raise fail("JOINT inside End Site")
            if len(nodes) >= MAX_JOINTS:
                raise fail(f"more than {MAX_JOINTS} joints")
            nodes.append(_Node(_new_name(name(), nodes), stack[-1] if stack else -1))
            stack.append(len(nodes) - 1)
            if take("{")[0] != "{":
                raise fail(f"expected {{ after joint {nodes[-1].name!r}")
        elif key == "END":
            if not stack or stack[-1] < 0:
                raise fail("End Site outside of a joint")
            name()
            stack.append(-1)
            if take("{")[0] != "{":
                raise fail("expected { after End Site")
        elif key == "OFFSET":
            if not stack:
                raise fail("OFFSET outside of a joint")
            offset = numbers("three numbers of OFFSET")
            if stack[-1] < 0:
                nodes[stack[-2]].ends.append(offset)
            elif nodes[stack[-1]].offset is not None:
                raise fail(f"a second OFFSET of joint {nodes[stack[-1]].name!r}")
            else:
                nodes[stack[-1]].offset = offset
        elif key == "CHANNELS":
            if not stack or stack[-1] < 0:
                raise fail("CHANNELS outside of a joint")
            node = nodes[stack[-1]]
            count = take("the number of channels")[0]
            listed = count_of(count, 6)
            if listed is None:
                raise fail(f"joint {node.name!r}: the number of channels must be 0 to 6, got {count[:20]!r}")
            if node.channels is not None:
                raise fail(f"a second CHANNELS of joint {node.name!r}")
            node.channels = []
            for _ in range(listed):
                channel = take("a channel")[0]
                if channel.lower() not in CHANNELS:
                    allowed = [c[0].upper() + c[1:] for c in CHANNELS]
                    raise fail(f"joint {node.name!r}: unknown channel {channel!r}; {suggest(channel, allowed)}")
                node.channels.append(CHANNELS[channel.lower()])
            moved = [axis for kind, axis in node.channels if kind == "position"]
            if len(moved) != len(set(moved)):
                raise fail(f"joint {node.name!r}: a position channel is listed twice")
        elif key == "}":
            if not stack:
                raise fail("a } too many")
            stack.pop()
        else:
            raise fail(f"unexpected {word[:40]!r}; allowed: JOINT, End Site, OFFSET, CHANNELS, }}", line)
    if stack:
        raise fail(f"{len(stack)} braces are not closed before MOTION")
    if not nodes:
        raise fail("no ROOT joint")
    for node in nodes:
        if node.offset is None:
            raise fail(f"joint {node.name!r} has no OFFSET")
    return nodes


_HEADER = re.compile(r"\s*Frames\s*:?\s*(\S+)\s+Frame\s+Time\s*:?\s*(\S+)[ \t]*", re.IGNORECASE)


def _motion(text: str, start: int, channels: int, path: Path, notes: list[str]) -> tuple[np.ndarray, str]:
    """Values (T, channels) and the text of the frame time. A row too many, or a recording that was cut off, is read as
    far as it goes, with a note."""
    line = _line(text, start)
    header = _HEADER.match(text, start)
    if header is None:
        raise DataError(f"{path}: line {line}: after MOTION come 'Frames: N' and 'Frame Time: seconds'")
    declared, frame_time = header.groups()
    frames = count_of(declared, MAX_FRAMES)
    if not frames:
        raise DataError(f"{path}: line {line + 1}: Frames must be 1 to {MAX_FRAMES}, got {declared[:40]!r}")
    try:
        seconds = number(frame_time)
    except ValueError:
        seconds = -1.0
    if not 0.001 <= seconds <= 60:
        raise DataError(f"{path}: line {line + 2}: Frame Time must be 0.001 to 60 seconds, got {frame_time[:40]!r}")
    if channels == 0:
        raise DataError(f"{path}: no joint has a channel")
    block = text[header.end() :]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # numpy warns at the first token that is no number
            values = np.fromstring(block, dtype=np.float64, sep=" ")
    except (DeprecationWarning, ValueError):
        values = np.empty(0)
    whole = len(values) // channels
    if whole >= 1 and np.isfinite(values).all() and len(values) != frames * channels:
        rows = [len(line.split()) for line in LINE_END.split(block) if line.strip()]
        if rows and all(count == channels for count in rows[:-1]) and rows[-1] <= channels:
            whole = min(whole, MAX_FRAMES)
            notes.append(f"{frames} frames declared, {len(rows)} rows there: {whole} whole frames read")
            values, frames = values[: whole * channels], whole
    if len(values) != frames * channels or not np.isfinite(values).all():
        raise DataError(f"{path}: {_what_is_wrong(text, header.end(), frames, channels)}")
    return values.reshape(frames, channels), frame_time


def _line(text: str, position: int) -> int:
    """Number of the line, from 1, that holds a position; CR LF, LF and CR each end one."""
    return len(LINE_END.findall(text[:position])) + 1


def _what_is_wrong(text: str, start: int, frames: int, channels: int) -> str:
    """Say in which line the motion block goes wrong."""
    first, rows = _line(text, start), 0
    for n, line in enumerate(LINE_END.split(text[start:]), first):
        words = line.split()
        for word in words:
            try:
                number(word)
            except ValueError:
                return f"line {n}: {word[:40]!r} is not a finite number"
        if words and len(words) != channels:
            return f"line {n}: {len(words)} values, but the joints have {channels} channels"
        rows += bool(words)
    return f"line {first}: {frames} frames declared, but {rows} are there"


def _fps(frame_time: str) -> float:
    """Frames a second; a whole number where the frame time is one rounded: 0.0333333 -> 30."""
    seconds = float(frame_time)
    decimals = len(frame_time.partition(".")[2]) if "e" not in frame_time.lower() else 15
    rate, whole = 1 / seconds, max(1, round(1 / seconds))
    if abs(rate / whole - 1) < 1e-4:
        return float(whole)
    # 0.017 is 1/60 rounded; 1/59 rounds to it as well, and is nobody's rate
    usual = COMMON_RATES if decimals >= 2 else ()
    return next((float(each) for each in (*usual, whole) if round(1 / each, decimals) == seconds), rate)


def _no_shift(node: _Node, values: np.ndarray, column: int) -> bool:
    """Whether the position channels of a joint are zero (or what rounding leaves) while its OFFSET is not: they mean
    "no shift from it"."""
    own = [column + k for k, (kind, _) in enumerate(node.channels or ()) if kind == "position"]
    length = 0.0 if node.offset is None else float(np.linalg.norm(node.offset))
    return length > 0 and bool((np.abs(values[:, own]) <= ROUNDED * length).all())


def _clip(
    path: Path, nodes: list[_Node], values: np.ndarray, fps: float, skeleton: Skeleton | None, units: str | None,
    up: str | None, notes: list[str],
) -> Clip:  # fmt: skip
    """Rotations, units, axes and forward kinematics."""
    frames, count = len(values), len(nodes)
    positions = np.tile(np.stack([np.asarray(n.offset) for n in nodes]), (frames, 1, 1))
    rotations = np.zeros((frames, count, 4))
    rotations[..., 3] = 1.0
    by_order: dict[tuple[int, ...], list[tuple[int, list[int]]]] = {}
    column, moving = 0, set()
    for j, node in enumerate(nodes):
        turns = []
        shifted = node.parent < 0 or not _no_shift(node, values, column)
        for k, (kind, axis) in enumerate(node.channels or ()):
            if kind == "rotation":
                turns.append((axis, column + k))
            elif shifted:
                positions[:, j, axis] = values[:, column + k]
                moving.add(j)
        if turns:
            by_order.setdefault(tuple(a for a, _ in turns), []).append((j, [c for _, c in turns]))
        column += len(node.channels or ())
    for order, members in by_order.items():  # all joints with the same order at once
        angles = np.radians(values[:, np.array([columns for _, columns in members])])
        rotations[:, [j for j, _ in members]] = euler_to_quaternion(angles, order)

    names, parents, ends = [n.name for n in nodes], [n.parent for n in nodes], [n.ends for n in nodes]
    info: dict[str, object] = {"source": path.name}
    if count > 1 and parents.count(0) == 1 and 1 in moving:  # the root only carries its child: fold it into the child
        info["folded_root"] = names[0]
        positions[:, 1] = forward_kinematics(rotations[:, :2], positions[:, :2], [-1, 0])[:, 1]
        rotations[:, 1] = quaternion_multiply(rotations[:, 0], rotations[:, 1])
        positions, rotations, names, ends = positions[:, 1:], rotations[:, 1:], names[1:], ends[1:]
        parents = [-1] + [p - 1 for p in parents[2:]]

    offsets: Any = np.median(positions, axis=0)
    offsets[0] = 0.0
    tips = [(j, tip) for j, found in enumerate(ends) for tip in found]
    lengths = [*np.linalg.norm(offsets, axis=-1), *(float(np.linalg.norm(tip)) for _, tip in tips)]
    height = unit.body_height(lengths, parents + [j for j, _ in tips])
    unit_name, metres = unit.find_unit(height, units, str(path))
    if units is None and (note := unit.size_note(height, unit_name)):
        notes.append(note)
    positions, offsets = positions * metres, offsets * metres

    joints = forward_kinematics(rotations, positions, parents)
    still = np.tile([0.0, 0.0, 0.0, 1.0], (1, len(names), 1))
    upward = unit.find_up(names, forward_kinematics(still, offsets, parents)[0], joints, up, str(path))
    notes += unit.up_notes(upward, up)
    if upward != "y":
        rotations = unit.turned(rotations, upward)
        joints, offsets, positions = (unit.to_y_up(a, upward) for a in (joints, offsets, positions))
        tips = [(j, unit.to_y_up(tip, upward)) for j, tip in tips]
    stretch = np.abs(positions[:, 1:] - offsets[1:]).max(axis=(0, 2)) if len(names) > 1 else np.empty(0)
    info |= {"unit": unit_name, "up": upward, "end_sites": {}}
    for j, tip in tips:
        info["end_sites"].setdefault(names[j], []).append([float(v) for v in tip * metres])  # type: ignore[attr-defined]
    if notes:
        info["notes"] = notes
    if (stretch > STRETCH).any():
        info["stretching"] = [names[j + 1] for j in np.flatnonzero(stretch > STRETCH)]
    if skeleton is None:
        skeleton = Skeleton(f"bvh:{path.stem}", tuple(names), tuple(parents), offsets)
    elif skeleton.joints != tuple(names):
        raise DataError(f"{path}: its joints are {', '.join(names)}, not those of skeleton {skeleton.name}")
    else:
        skeleton = Skeleton(skeleton.name, skeleton.joints, tuple(parents), offsets, skeleton.parts, skeleton.mirror)
    return Clip(joints.astype(np.float32), fps, skeleton, unroll(rotations).astype(np.float32), path.stem, (), info)
