"""Motion files: :func:`load` and :func:`save` pick the reader or writer by the extension.

A reader is ``read(path, *, skeleton, fps, ...) -> Clip | list[Clip]``, a writer ``write(clips, path, ...) -> Path |
list[Path]`` (what it wrote); the tables below name them, and nothing is imported before it is needed. A package from
outside adds to them by an entry point in the group ``motion_platform.readers`` or ``motion_platform.writers``: ``xyz =
"module:read"``.
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core import registry
from motion_platform.core.errors import DataError, UsageError, suggest
from motion_platform.core.opening import check_head
from motion_platform.motion.clip import Clip
from motion_platform.motion.io import provenance
from motion_platform.motion.io.layouts import check_layout
from motion_platform.motion.skeleton import Skeleton, get_skeleton

READERS = {
    ".bvh": "motion_platform.motion.io.bvh:read",
    ".amc": "motion_platform.motion.io.amc:read",
    ".npz": "motion_platform.motion.io.npz:read",
    ".npy": "motion_platform.motion.io.npy:read",
    ".pt": "motion_platform.motion.io.saved:read_tensors",
    ".pkl": "motion_platform.motion.io.saved:read_pickle",
    ".glb": "motion_platform.motion.io.read_glb:read",
    ".vrm": "motion_platform.motion.io.read_glb:read",
    ".vrma": "motion_platform.motion.io.read_glb:read",
}
WRITERS = {
    ".npz": "motion_platform.motion.io.npz:write",
    ".npy": "motion_platform.motion.io.npy:write",
    ".bvh": "motion_platform.motion.io.write_bvh:write",
    ".glb": "motion_platform.motion.io.glb:write",
    ".vrm": "motion_platform.motion.io.write_rig:write",
    ".vrma": "motion_platform.motion.io.write_vrma:write",
    ".fbx": "motion_platform.motion.io.write_blender:write",
    ".usd": "motion_platform.motion.io.write_blender:write",
    ".usda": "motion_platform.motion.io.write_blender:write",
    ".usdc": "motion_platform.motion.io.write_blender:write",
    ".html": "motion_platform.motion.render.html:write",
    ".mp4": "motion_platform.motion.render.video:write",
    ".png": "motion_platform.motion.render.filmstrip:write",
}
SLOWEST, FASTEST = 1 / 60, 1000.0
"""Frames a second, as BVH may have."""
FARTHEST, LONGEST_BONE = 1e4, 10.0
"""Metres."""
MOST = {".mp4": 25, ".png": 12}
"""Motions that can be told apart in one picture."""


def readers() -> dict[str, str]:
    """Extension -> "module:function" of everything that can be read, by plug-ins too."""
    return _with_plugins("readers", READERS)


def writers() -> dict[str, str]:
    """Extension -> "module:function" of everything that can be written, by plug-ins too."""
    return _with_plugins("writers", WRITERS)


def _with_plugins(kind: str, own: dict[str, str]) -> dict[str, str]:
    """Entry points are named by the extension without its dot; what this package reads stays its own."""
    return {**{f".{name.lower()}": target for name, target, _ in registry.plugins(kind)}, **own}


def load(
    path: str | Path,
    *,
    skeleton: Skeleton | str | None = None,
    fps: float | None = None,
    units: str | None = None,
    up: str | None = None,
    asf: str | Path | None = None,
    body: str | Path | None = None,
) -> Clip:
    """Read one motion: joints in metres, Y up, in the file's own skeleton. See :func:`load_all` for the options.

    Errors: as :func:`load_all`; DataError for a file of several motions.
    """
    clips = load_all(path, skeleton=skeleton, fps=fps, units=units, up=up, asf=asf, body=body)
    if len(clips) > 1:
        raise DataError(f"{path}: holds {len(clips)} motions; read them with load_all")
    return clips[0]


def load_all(
    path: str | Path,
    *,
    skeleton: Skeleton | str | None = None,
    fps: float | None = None,
    units: str | None = None,
    up: str | None = None,
    asf: str | Path | None = None,
    body: str | Path | None = None,
) -> list[Clip]:
    """Read every motion of a file (.bvh, .amc, .npz of ours, AMASS or kimodo, .npy of HumanML3D or KIT-ML, .pt of
    GVHMR, .glb, .vrm, .vrma).

    Options overrule what the file says or what is guessed; one that its format does not have is refused. ``skeleton``:
    a skeleton or the name of one with the file's joints. ``fps``: frames a second. ``units``: m, cm, mm, inch, cmu
    (.bvh, .amc, .npy). ``up``: y, z, -y (.bvh, .amc, .npy, SMPL's parameters). ``asf``: the skeleton file of an .amc.
    ``body``: rest joints for SMPL's parameters. Errors: UsageError for an unknown extension or option; DataError for a
    missing, empty or broken file.
    """
    path = Path(path)
    if os.path.isdir(path):  # false for a name that can be none, too
        raise DataError(f"{path}: is a folder; give a file")
    if os.path.isfile(path):
        check_head(path)
    read = _function(readers(), path, "read")
    if fps is not None and not SLOWEST <= fps <= FASTEST:
        raise UsageError(
            f"{path}: --fps {fps:g} (fps= in Python): {SLOWEST:.3f} to {FASTEST:g} frames a second are read"
        )
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    if size == 0:
        raise DataError(f"{path}: is empty")
    if isinstance(skeleton, str):
        skeleton = get_skeleton(skeleton)
    given = {"skeleton": skeleton, "fps": fps, "units": units, "up": up, "asf": asf, "body": body}
    taken = inspect.signature(read).parameters
    for option, value in given.items():
        if value is not None and option not in taken:
            raise UsageError(
                f"{path}: --{option} ({option}= in Python) is not for {path.suffix} files; "
                f"{suggest(option, taken.keys() & given.keys())}"
            )
    try:
        found = read(path, **{option: value for option, value in given.items() if option in taken})
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    clips = found if isinstance(found, list) else [found]
    for clip in clips:
        _check_size(path, clip)
    if path.suffix.lower() in provenance.BESIDE:
        clips = provenance.with_provenance(clips, path)
    return [_warned(clip) for clip in clips]


def _check_size(path: Path, clip: Clip) -> None:
    """DataError for what no motion is, whatever its unit: places beyond ``FARTHEST``, bones beyond ``LONGEST_BONE``."""
    far = float(np.abs(clip.joints).max())
    bones = [(p, j) for p, j in clip.skeleton.bones if p > 0]  # a root may stay where it was while its child walks
    lengths = [np.linalg.norm(clip.joints[:, j] - clip.joints[:, p], axis=-1).max() for p, j in bones]
    longest = float(max(lengths, default=0.0))
    if clip.rotations is not None and not np.isfinite(clip.rotations).all():
        raise DataError(f"{path}: a rotation is beyond all numbers; the file is damaged")
    if far > FARTHEST or longest > LONGEST_BONE:
        what = f"a joint is {far:.4g} m away" if far > FARTHEST else f"a bone is {longest:.4g} m long"
        raise DataError(f"{path}: {what}; the file is damaged, or in another unit: --units UNIT (units= in Python)")


def _warned(clip: Clip) -> Clip:
    """The clip, with a note where its body is the wrong way round."""
    from motion_platform.motion.io.units import lies_note
    from motion_platform.motion.mirrored import mirror_note

    if clip.skeleton.dims != 3:
        return clip
    notes = [note for note in (lies_note(clip.skeleton.joints, clip.joints), mirror_note(clip)) if note]
    return clip.with_(info={**clip.info, "notes": [*clip.info.get("notes", []), *notes]}) if notes else clip


def save(
    clips: Clip | Sequence[Clip],
    path: str | Path,
    *,
    title: str | None = None,
    one_body: bool = False,
    unit: str | None = None,
    layout: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Path]:
    """Write one motion or several (.npz .npy .bvh .glb .html .mp4 .png .vrma), completely or not at all; the files
    written.

    Every file says which model made its motions, with seed and licence (provenance.py); beside a .bvh, .npy, .fbx or
    USD file, which have no room for it, a ``walk.bvh.json`` does. A .bvh or .npy holds one motion: several become
    ``walk_1.bvh``, ``walk_2.bvh``, ... Motions on somebody's character
    (``Clip.rig``) go into a copy of its file where that is a .glb or .vrm.

    ``title``: for formats that show one (.html). ``one_body``: several motions of a .glb as named animations of one
    body instead of side by side. ``unit`` (.bvh): m, dm, cm, mm, inch, cmu. ``layout``: of an .npz "clips" (default,
    everything) or "amass" (parameters of SMPL), of an .npy "joints" (default) or "features", both of HumanML3D.
    ``progress(name, done, total)``: for formats that take long. Formats without such a choice leave it out.
    Errors: UsageError for an unknown extension, a layout that it does not have, or no motion; OutputError when the file
    cannot be written.
    """
    path = Path(path)
    if layout is not None:
        check_layout(layout, path)
    write = _function(writers(), path, "written")
    clips = [clips] if isinstance(clips, Clip) else list(clips)
    if not clips:
        raise UsageError(f"{path}: no motion to write")
    given = {"title": title, "one_body": one_body or None, "unit": unit, "layout": layout, "progress": progress}
    taken = inspect.signature(write).parameters
    written = write(clips, path, **{option: value for option, value in given.items() if value and option in taken})
    paths = written if isinstance(written, list) else [written]
    if path.suffix.lower() in provenance.BESIDE:
        provenance.write_beside(clips, paths)
    return paths


def check_motions(path: str | Path, count: int) -> None:
    """UsageError for more motions than a file of this format shows (``MOST``)."""
    path = Path(path)
    most = MOST.get(path.suffix.lower())
    if most is not None and count > most:
        raise UsageError(f"{path}: {count} motions are too many for one {path.suffix.lower()} file; at most {most}")


def _function(table: dict[str, str], path: Path, done: str) -> Callable[..., Any]:
    """Import the reader or writer of an extension."""
    target = table.get(path.suffix.lower())
    if target is None:
        what = f"files with extension {path.suffix!r}" if path.suffix else "files without extension"
        raise UsageError(f"{path}: {what} cannot be {done}; {suggest(path.suffix.lower(), table)}")
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)
