"""Folders in the layout of published sets of speech and gesture, made up: a body that moves its arms, and a tone."""

import numpy as np
import soundfile

from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.io.euler import forward_kinematics
from motion_platform.motion.skeleton import Skeleton, get_skeleton

GRID = """File type = "ooTextFile"
"TextGrid"
0
{seconds}
<exists>
1
"IntervalTier"
"words"
0
{seconds}
3
0
0.4
""
0.4
0.9
"me"
0.9
{seconds}
"too"
"""


def talking(skeleton, frames, fps, seed=0):
    """A clip of a person of about 1.7 m: every joint of the skeleton moves, fingers included."""
    random = np.random.default_rng(seed)
    count = len(skeleton)
    offsets = np.zeros((count, 3))
    for _, j in skeleton.bones:
        side = 1 if "left" in skeleton.joints[j].lower() else -1 if "right" in skeleton.joints[j].lower() else 0
        leg = any(word in skeleton.joints[j].lower() for word in ("leg", "foot", "toe", "hip", "knee", "ankle"))
        offsets[j] = (0.08 * side, -0.25, 0.03) if leg else (0.08 * side, 0.12, 0.01)
    time = np.arange(frames)[:, None, None] / fps
    angles = 0.2 * np.sin(time * random.uniform(1, 4, (1, count, 3)) + random.uniform(0, 6, (1, count, 3)))
    local = np.concatenate([np.sin(angles / 2), np.ones((frames, count, 1))], -1)
    local /= np.linalg.norm(local, axis=-1, keepdims=True)
    places = np.repeat(offsets[None], frames, 0)
    places[:, 0] = (0, 0.95, 0)
    joints = forward_kinematics(local, places, skeleton.parents)
    body = Skeleton(skeleton.name, skeleton.joints, skeleton.parents, offsets)
    return Clip(joints.astype(np.float32), float(fps), body, local.astype(np.float32))


def tone(path, seconds, rate=16_000):
    """Something to hear, louder and softer twice a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * rate)) / rate
    soundfile.write(path, 0.2 * np.sin(2 * np.pi * 220 * time) * (1 + np.sin(4 * np.pi * time)), rate)


def grid(path, seconds):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(GRID.format(seconds=seconds))


def zeggs_folder(root, styles=("Happy", "Sad"), takes=1, seconds=5.0, fps=60):
    """train/ and valid/ with BVH, wav and one TextGrid."""
    skeleton, number = get_skeleton("zeggs"), 0
    for folder, count in (("train", takes), ("valid", 1)):
        for style in styles:
            for _ in range(count):
                number += 1
                place = root / folder / f"{number:03d}_{style}_0_x_1_0.bvh"
                place.parent.mkdir(parents=True, exist_ok=True)
                io.save([talking(skeleton, round(seconds * fps), fps, number)], place)
                tone(place.with_suffix(".wav"), seconds + 0.01)
                if number == 1:
                    grid(place.with_suffix(".TextGrid"), seconds)
    return root
