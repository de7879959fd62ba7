"""How zeggs_reference.npz was made: the published ``preprocess_animation`` on made-up movement of the 75 joints.

    python make_zeggs_reference.py DIFFUSE_STYLE_GESTURE

where the argument is a checkout of https://github.com/YoungSeng/DiffuseStyleGesture (commit f78242b). Only numbers are
kept: the movement (Euler angles zyx in degrees and positions in centimetres, at 20 fps) and the 1,141 features.
"""

import sys
import types
from pathlib import Path

import numpy as np

FRAMES = 6


def movement(parents):
    """Euler angles (T, 75, 3) in degrees and local positions (T, 75, 3) in centimetres: smooth, and no two alike."""
    random = np.random.default_rng(15)
    time = np.arange(FRAMES)[:, None, None] / 20
    size, speed, start = (random.uniform(low, high, (1, 75, 3)) for low, high in ((5, 60), (1, 6), (0, 6)))
    angles = size * np.sin(speed * time + start)
    angles[:, 0] = [20, 150, 5] + np.arange(FRAMES)[:, None] * [1.0, 9.0, -2.0]  # turns past straight behind
    positions = np.repeat(random.uniform(-12, 12, (1, 75, 3)), FRAMES, 0)
    positions[:, 0] = [3, 92, -5] + np.arange(FRAMES)[:, None] * [1.5, 0.2, -0.7]
    return angles, positions


if __name__ == "__main__":
    root = Path(sys.argv[1])
    sys.path[:0] = [str(root / "main/process"), str(root / "BEAT-TWH-main/process")]  # anim/ lies in the second
    sys.modules["utils_zeggs"] = types.SimpleNamespace(write_bvh=None)
    import process_zeggs_bvh as published

    sys.path.insert(0, str(Path(__file__).parents[3]))
    from motion_platform.motion.skeleton import get_skeleton

    skeleton = get_skeleton("zeggs")
    angles, positions = movement(skeleton.parents)
    data = {
        "rotations": angles.copy(),  # the published code writes into what it is given
        "positions": positions.copy(),
        "parents": np.array(skeleton.parents),
        "names": list(skeleton.joints),
        "order": "zyx",
        "frametime": 1 / 20,
    }
    assert list(skeleton.joints) == published.bone_names
    published.bvh.load = lambda _: data
    features = published.preprocess_animation("made up", fps=60)[0]
    out = Path(__file__).with_name("zeggs_reference.npz")
    np.savez_compressed(out, angles=angles, positions=positions, features=features.astype(np.float32))
    print(features.shape)
