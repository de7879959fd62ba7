"""Our own .npz (everything a clip holds, exact) and AMASS .npz (SMPL poses of a person)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import DataError, UsageError, suggest
from motion_platform.core.files import atomic_path
from motion_platform.motion.clip import MAX_FRAMES, Clip
from motion_platform.motion.io import arrays
from motion_platform.motion.io.euler import (
    axis_angle_to_quaternion,
    forward_kinematics,
    quaternion_multiply,
    quaternion_to_matrix,
    unroll,
)
from motion_platform.motion.io.units import Z_UP_TO_Y_UP, z_to_y
from motion_platform.motion.skeleton import Skeleton, get_skeleton, skeleton_names

FORMAT, VERSION = "motion_platform.clips", 1

# Directions of SMPL's rest pose (arms out, palms down, legs a little apart) for a body without the licensed model file.
# Written by eye from the published figure; lengths come from the humanml3d skeleton.
T_POSE = {
    "left_hip": (0.58, -0.81, -0.08), "left_knee": (0.10, -0.99, 0.0), "left_ankle": (-0.03, -0.99, -0.10),
    "left_foot": (0.25, -0.40, 0.88), "spine1": (0.0, 0.97, -0.24), "spine2": (0.0, 1.0, 0.02),
    "spine3": (0.0, 1.0, 0.05), "neck": (0.0, 0.98, -0.19), "head": (0.0, 0.86, 0.51),
    "left_collar": (0.58, 0.80, -0.15), "left_shoulder": (0.93, 0.33, -0.14), "left_elbow": (0.99, -0.05, -0.10),
    "left_wrist": (1.0, 0.03, 0.0),
}  # fmt: skip


def write(clips: Clip | Sequence[Clip], path: str | Path) -> Path:
    """Write one motion or several to one .npz, with skeletons, captions, rotations, info and events (not recordings);
    :func:`read` gives them back bit for bit. Errors: UsageError for no clips; OutputError when it cannot be written."""
    clips = [clips] if isinstance(clips, Clip) else list(clips)
    if not clips:
        raise UsageError(f"{path}: no motion to write")
    fields: dict[str, Any] = {}
    heads = []
    for i, clip in enumerate(clips):
        s = clip.skeleton
        heads.append(
            {
                "fps": float(clip.fps), "name": clip.name, "captions": list(clip.captions), "info": clip.info,
                "events": {k: [float(t) for t in times] for k, times in clip.events.items()},
                "skeleton": {
                    "name": s.name, "joints": list(s.joints), "parents": [int(p) for p in s.parents], "dims": s.dims,
                    "parts": {k: list(v) for k, v in s.parts.items()}, "mirror": dict(s.mirror),
                },
            }
        )  # fmt: skip
        fields[f"joints_{i}"] = clip.joints
        if clip.rotations is not None:
            fields[f"rotations_{i}"] = clip.rotations
        if s.offsets is not None:
            fields[f"offsets_{i}"] = s.offsets
    try:
        head = json.dumps({"format": FORMAT, "version": VERSION, "clips": heads})
    except (TypeError, ValueError) as error:
        raise UsageError(f"{path}: info of a motion holds more than plain values: {error}") from error
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, motion_platform=np.array(head), **fields)
    return Path(path)


def read(
    path: str | Path, *, skeleton: Skeleton | None = None, fps: float | None = None, up: str | None = None,
    body: str | Path | None = None,
) -> list[Clip]:  # fmt: skip
    """Read an .npz of ours (any number of motions) or of AMASS (one), told apart by their fields.

    ``fps`` overrules the file. For AMASS only: ``up`` is "z" unless given; ``body``: an .npz or .npy with the rest
    joints of the person's shape, (22 or more, 3) in metres, under "J", "joints" or "J_regressed". Without it the rest
    joints are a stand-in for SMPL's mean body (its licence forbids shipping it), so positions are off by centimetres
    for people of other builds. ``skeleton`` must have the same joints. Errors: DataError for anything else.
    """
    path = Path(path)
    there = arrays.member_names(path)
    if "motion_platform" in there:
        for option, value in (("up", up), ("body", body)):
            if value is not None:
                raise UsageError(f"{path}: {option}= is for AMASS files; this one says it itself")
        clips = _read_ours(path, fps)
    elif {"poses", "trans"} <= there:
        clips = [_read_amass(path, fps, up, body)]
    else:
        raise DataError(
            f"{path}: neither our .npz (field motion_platform) nor AMASS (poses, trans, mocap_framerate); "
            f"it holds {', '.join(sorted(there)[:8]) or 'nothing'}"
        )
    for clip in clips:
        if skeleton is not None and skeleton.joints != clip.skeleton.joints:
            raise DataError(f"{path}: its joints are not those of skeleton {skeleton.name}")
    return clips if skeleton is None else [clip.with_(skeleton=skeleton) for clip in clips]


def _read_ours(path: Path, fps: float | None) -> list[Clip]:
    found = arrays.load_arrays(path)
    try:
        head = json.loads(str(found["motion_platform"]))
        if head["format"] != FORMAT or head["version"] != VERSION:
            raise DataError(
                f"{path}: format {head['format']!r} version {head['version']!r}; this program reads {FORMAT} {VERSION}"
            )
        clips = []
        for i, h in enumerate(head["clips"]):
            joints = arrays.real(found[f"joints_{i}"], f"{path}: joints_{i}").astype(np.float32)
            rotations, offsets = found.get(f"rotations_{i}"), found.get(f"offsets_{i}")
            if rotations is not None:
                rotations = arrays.real(rotations, f"{path}: rotations_{i}").astype(np.float32)
                if not np.isfinite(rotations).all():
                    raise DataError(f"{path}: rotations_{i} has a NaN or infinite value")
            skeleton = _skeleton(path, h["skeleton"], offsets)
            captions, info = tuple(str(c) for c in h["captions"]), dict(h["info"])
            rate = float(h["fps"]) if fps is None else fps
            events = {str(k): np.array(times, np.float64) for k, times in h.get("events", {}).items()}
            clip = Clip(joints, rate, skeleton, rotations, str(h["name"]), captions, info, events=events)
            clips.append(clip)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: its header is broken: {type(error).__name__}: {error}") from error
    if not clips:
        raise DataError(f"{path}: holds no motion")
    return clips


def _skeleton(path: Path, h: dict[str, Any], offsets: np.ndarray | None) -> Skeleton:
    joints, parents = tuple(str(j) for j in h["joints"]), tuple(int(p) for p in h["parents"])
    if offsets is not None:
        offsets = arrays.real(offsets, f"{path}: offsets")
        if offsets.shape != (len(joints), 3) or not np.isfinite(offsets).all():
            raise DataError(f"{path}: offsets must be finite ({len(joints)}, 3), got {offsets.shape}")
    parts, mirror = {str(k): tuple(v) for k, v in h["parts"].items()}, {str(k): str(v) for k, v in h["mirror"].items()}
    read = Skeleton(str(h["name"]), joints, parents, offsets, parts, mirror, int(h["dims"]))
    if read.name in skeleton_names():
        named = get_skeleton(read.name)
        if named.offsets is None or offsets is None:
            same = named.offsets is offsets
        else:
            same = np.array_equal(named.offsets, offsets)
        if named.joints == joints and named.parents == parents and same:
            return named
    return read


def _read_amass(path: Path, fps: float | None, up: str | None, body: str | Path | None) -> Clip:
    """AMASS: poses (T, 66 or more) axis-angle, of which the first 66 are the 22 body joints; trans (T, 3) metres."""
    rates = ("mocap_framerate", "mocap_frame_rate", "fps")
    found = arrays.load_arrays(path, {"poses", "trans", *rates})
    poses, trans = (arrays.real(found[name], f"{path}: {name}") for name in ("poses", "trans"))
    if poses.ndim != 2 or poses.shape[1] not in (66, 72, 156, 165):
        raise DataError(f"{path}: poses have shape {poses.shape}, not (T, 156), (T, 165), (T, 72) or (T, 66)")
    if trans.shape != (len(poses), 3):
        raise DataError(f"{path}: trans has shape {trans.shape}, not ({len(poses)}, 3)")
    if not 1 <= len(poses) <= MAX_FRAMES:
        raise DataError(f"{path}: has {len(poses)} frames; 1 to {MAX_FRAMES} are allowed")
    if not (np.isfinite(poses).all() and np.isfinite(trans).all()):
        raise DataError(f"{path}: poses or trans have a NaN or infinite value")
    if fps is None:
        rate = next((found[name] for name in rates if name in found), None)
        if rate is None or rate.size != 1:
            raise DataError(f"{path}: has no single mocap_framerate; give fps=")
        fps = float(arrays.real(rate, f"{path}: mocap_framerate").reshape(()))
    if up not in (None, "y", "z"):
        raise UsageError(f"{path}: unknown up axis {up!r}; {suggest(up, ('y', 'z'))}")
    rest = _t_pose() if body is None else _rest_joints(Path(body))
    smpl = get_skeleton("humanml3d")  # the 22 body joints of SMPL, in its order
    offsets = rest - rest[[max(p, 0) for p in smpl.parents]]
    notes: list[str] = []
    if up is None and _stands_along_y(poses):
        up, notes = "y", ["read as Y up: its bodies stand along Y (AMASS is Z up); say --up z if that is wrong"]
    rotations = axis_angle_to_quaternion(poses[:, :66].reshape(-1, 22, 3))
    positions = np.tile(offsets, (len(poses), 1, 1))
    positions[:, 0] = rest[0] + trans
    if up != "y":  # the whole scene turns: the rest pose is Y up as it is, so only the root's rotation changes
        rotations[:, 0] = quaternion_multiply(Z_UP_TO_Y_UP, rotations[:, 0])
        positions[:, 0] = z_to_y(positions[:, 0])
    with np.errstate(over="ignore", invalid="ignore"):
        joints = forward_kinematics(rotations, positions, smpl.parents)
    skeleton = Skeleton("smpl", smpl.joints, smpl.parents, offsets, smpl.parts, smpl.mirror)
    stands_in = "stand-in" if body is None else Path(body).name
    info: dict[str, Any] = {"source": path.name, "unit": "m", "up": up or "z", "body": stands_in}
    if notes:
        info["notes"] = notes
    return Clip(joints.astype(np.float32), fps, skeleton, unroll(rotations).astype(np.float32), path.stem, (), info)


def _stands_along_y(poses: np.ndarray) -> bool:
    """Whether the roots turn bodies along Y in most frames, and the height is in Y: files of BEAT2 and its like.

    A root without turn stands along Y; in a Z-up world one who stands has a root turned by 90 degrees about X.
    """
    turned = axis_angle_to_quaternion(poses[:, :3])
    upright = quaternion_to_matrix(turned)[..., 1]  # (T, 3): where the body's own Y points
    along = np.abs(upright[:, 1]) > 0.8
    return bool(along.mean() > 0.6 and np.median(upright[:, 1]) > 0)


def _t_pose() -> np.ndarray:
    """(22, 3) rest joints: the directions above, the lengths of the humanml3d skeleton."""
    skeleton = get_skeleton("humanml3d")
    assert skeleton.offsets is not None
    rest = np.zeros((len(skeleton), 3))
    for parent, j in skeleton.bones:
        name = skeleton.joints[j]
        direction = np.array(T_POSE[name.replace("right", "left")]) * ([-1, 1, 1] if name.startswith("right") else 1)
        rest[j] = rest[parent] + direction / np.linalg.norm(direction) * np.linalg.norm(skeleton.offsets[j])
    return rest


def _rest_joints(path: Path) -> np.ndarray:
    if not path.is_file():
        raise DataError(f"{path}: no such file with rest joints")
    if path.suffix.lower() == ".npy":
        found = arrays.load_array(path)
    else:
        fields = arrays.load_arrays(path, {"J", "joints", "J_regressed"})
        if not fields:
            raise DataError(f"{path}: has none of J, joints, J_regressed")
        found = next(iter(fields.values()))
    found = arrays.real(found, str(path))
    if found.ndim != 2 or found.shape[0] < 22 or found.shape[1] != 3 or not np.isfinite(found).all():
        raise DataError(f"{path}: rest joints must be finite (22 or more, 3), got {found.shape}")
    return found[:22]
