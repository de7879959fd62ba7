"""Our own .npz (everything a clip holds, exact); those of others go to smpl.py and kimodo.py."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import DataError, UsageError
from motion_platform.core.files import atomic_path, numbered
from motion_platform.motion.clip import Clip
from motion_platform.motion.io import arrays, kimodo, smpl
from motion_platform.motion.io.layouts import check_layout
from motion_platform.motion.skeleton import Skeleton, get_skeleton, skeleton_names

FORMAT, VERSION = "motion_platform.clips", 1


def write(clips: Clip | Sequence[Clip], path: str | Path, *, layout: str | None = None) -> Path | list[Path]:
    """Write one motion or several to one .npz, with skeletons, captions, rotations, info, events and words (not
    recordings); :func:`read` gives them back bit for bit.

    layout: "clips" is that; "amass" writes parameters of SMPL instead (motion/io/write_smpl.py), one motion a file:
    ``walk_1.npz``, ``walk_2.npz``, ...
    Errors: UsageError for no clips; UnknownName for another layout; OutputError when it cannot be written.
    """
    clips = [clips] if isinstance(clips, Clip) else list(clips)
    if not clips:
        raise UsageError(f"{path}: no motion to write")
    if layout is not None:
        check_layout(layout, path)
    if layout == "amass":
        from motion_platform.motion.io.write_smpl import write_amass

        return [write_amass(clip, target) for clip, target in zip(clips, numbered(path, len(clips)), strict=True)]
    fields: dict[str, Any] = {}
    heads = []
    for i, clip in enumerate(clips):
        s = clip.skeleton
        heads.append(
            {
                "fps": float(clip.fps), "name": clip.name, "captions": list(clip.captions), "info": clip.info,
                "events": {k: [float(t) for t in times] for k, times in clip.events.items()},
                "words": [[str(text), float(start), float(end)] for text, start, end in clip.words],
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
    """Read an .npz of ours (any number of motions), of SMPL's parameters or of kimodo (one), told by their fields.

    ``fps`` overrules the file. ``up``, ``body``: of SMPL's parameters (motion/io/smpl.py). ``skeleton`` must have the
    same joints. Errors: DataError for anything else.
    """
    path = Path(path)
    there = arrays.member_names(path)
    if "motion_platform" in there:
        for option, value in (("up", up), ("body", body)):
            if value is not None:
                raise UsageError(f"{path}: {option}= is for parameters of SMPL; this file says it itself")
        clips = _read_ours(path, fps)
    elif (layout := smpl.layout_of(there)) is not None:
        clips = [smpl.to_clip(path, layout, arrays.load_arrays(path, layout.fields), fps=fps, up=up, body=body)]
    elif kimodo.FIELD in there:
        for option, value in (("up", up), ("body", body)):
            if value is not None:
                raise UsageError(f"{path}: {option}= is for parameters of SMPL; kimodo's joints stand, Y up")
        clips = [kimodo.to_clip(path, arrays.load_arrays(path, {kimodo.FIELD})[kimodo.FIELD], fps)]
    else:
        raise DataError(
            f"{path}: neither our .npz (field motion_platform) nor {smpl.known_layouts()}, nor kimodo's joints "
            f"({kimodo.FIELD}); it holds {', '.join(sorted(there)[:8]) or 'nothing'}"
        )
    for clip in clips:
        if skeleton is not None and skeleton.joints != clip.skeleton.joints:
            raise DataError(f"{path}: its joints are not those of skeleton {skeleton.name}")
    return clips if skeleton is None else [clip.with_(skeleton=skeleton) for clip in clips]


def _read_ours(path: Path, fps: float | None) -> list[Clip]:
    try:
        head = json.loads(str(arrays.load_arrays(path, {"motion_platform"})["motion_platform"]))
        if head["format"] != FORMAT or head["version"] != VERSION:
            raise DataError(
                f"{path}: format {head['format']!r} version {head['version']!r}; this program reads {FORMAT} {VERSION}"
            )
        kinds = ("joints", "rotations", "offsets")
        found = arrays.load_arrays(path, {f"{kind}_{i}" for i in range(len(head["clips"])) for kind in kinds})
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
            words = tuple((str(text), float(start), float(end)) for text, start, end in h.get("words", []))
            clip = Clip(joints, rate, skeleton, rotations, str(h["name"]), captions, info, events=events, words=words)
            if rotations is not None and not np.allclose(np.linalg.norm(rotations, axis=-1), 1, atol=1e-2):
                raise DataError(f"{path}: rotations_{i}: a quaternion is not of length 1")
            clips.append(clip)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
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
