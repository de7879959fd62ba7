"""Small bodies and files for the tests of readers and retargeting, written by means of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

# name, parent, offset in centimetres: a person of 1.7 m with Mixamo's names
PERSON = [
    ("Hips", -1, (0, 0, 0)), ("Spine", 0, (0, 12, 0)), ("Spine1", 1, (0, 14, 0)), ("Spine2", 2, (0, 6, 0)),
    ("Neck", 3, (0, 22, 0)), ("Head", 4, (0, 10, 2)), ("LeftShoulder", 3, (8, 12, 0)), ("LeftArm", 6, (12, 4, 0)),
    ("LeftForeArm", 7, (26, 0, 0)), ("LeftHand", 8, (26, 0, 0)), ("RightShoulder", 3, (-8, 12, 0)),
    ("RightArm", 10, (-12, 4, 0)), ("RightForeArm", 11, (-26, 0, 0)), ("RightHand", 12, (-26, 0, 0)),
    ("LeftUpLeg", 0, (9, -8, 0)), ("LeftLeg", 14, (0, -39, 0)), ("LeftFoot", 15, (0, -43, 0)),
    ("LeftToeBase", 16, (0, -6, 13)), ("RightUpLeg", 0, (-9, -8, 0)), ("RightLeg", 18, (0, -39, 0)),
    ("RightFoot", 19, (0, -43, 0)), ("RightToeBase", 20, (0, -6, 13)),
]  # fmt: skip


@dataclass
class Bvh:
    """A BVH's text and, worked out one joint and frame at a time, where its joints are (T, J, 3) in its own unit."""

    text: str
    joints: np.ndarray
    rotations: np.ndarray


def person_bvh(
    frames: int = 5, seed: int = 0, *, orders: tuple[str, ...] = ("ZXY",), moving: dict[int, str] | None = None,
    scale: float = 1.0, frame_time: str = "0.0333333", angle: float = 40.0,
) -> Bvh:  # fmt: skip
    """``orders``: rotation channels of the joints in turn; ``moving``: joint -> its position channels ("XYZ", "Y")."""
    random = np.random.default_rng(seed)
    moving = {0: "XYZ"} if moving is None else moving
    channels, columns = [], []
    for j in range(len(PERSON)):
        order = orders[j % len(orders)]
        channels.append([f"{c}position" for c in moving.get(j, "")] + [f"{c}rotation" for c in order])
        offset = np.array(PERSON[j][2]) * scale
        for c in moving.get(j, ""):
            base = offset["XYZ".index(c)] + (95 * scale if j == 0 and c == "Y" else 0)
            columns.append(base + random.uniform(-0.3, 0.3, frames) * scale)
        columns += [random.uniform(-angle, angle, frames) for _ in order]
    values = np.round(np.stack(columns, axis=1), 4)

    joints, rotations = np.zeros((frames, len(PERSON), 3)), np.zeros((frames, len(PERSON), 4))
    for t in range(frames):
        world, column = {}, 0
        for j, (_, parent, offset) in enumerate(PERSON):
            position, local = np.array(offset, float) * scale, Rotation.identity()
            for channel in channels[j]:
                if channel.endswith("position"):
                    position["XYZ".index(channel[0])] = values[t, column]
                else:
                    local = local * Rotation.from_euler(channel[0], values[t, column], degrees=True)
                column += 1
            rotations[t, j] = local.as_quat()
            if parent >= 0:
                position = joints[t, parent] + world[parent].apply(position)
                local = world[parent] * local
            joints[t, j], world[j] = position, local

    lines = ["HIERARCHY"]

    def write(j: int, depth: int) -> None:
        name, parent, offset = PERSON[j]
        tab, x = "\t" * depth, np.array(offset) * scale
        lines.append(f"{tab}{'ROOT' if parent < 0 else 'JOINT'} {name}")
        lines.append(tab + "{")
        lines.append(f"{tab}\tOFFSET {x[0]:.6f} {x[1]:.6f} {x[2]:.6f}")
        lines.append(f"{tab}\tCHANNELS {len(channels[j])} {' '.join(channels[j])}")
        children = [k for k in range(len(PERSON)) if PERSON[k][1] == j]
        for k in children:
            write(k, depth + 1)
        if not children:
            lines.extend([f"{tab}\tEnd Site", tab + "\t{", f"{tab}\t\tOFFSET 0 0 {5 * scale}", tab + "\t}"])
        lines.append(tab + "}")

    write(0, 0)
    lines += ["MOTION", f"Frames: {frames}", f"Frame Time: {frame_time}"]
    lines += [" ".join(f"{v:.4f}" for v in row) for row in values]
    return Bvh("\n".join(lines) + "\n", joints, rotations)
