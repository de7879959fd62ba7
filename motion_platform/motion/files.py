"""Motion files in, motion files out: the two functions of the Python face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from motion_platform.motion import io
from motion_platform.motion.clip import Clip

PICTURES = (".html", ".mp4", ".png")
"""Formats that show a conductor flat and in space; the others hold what they are given."""


def read(
    path: str | Path,
    *,
    fps: float | None = None,
    skeleton: str | None = None,
    units: str | None = None,
    up: str | None = None,
    asf: str | Path | None = None,
    body: str | Path | None = None,
) -> Clip:
    """The motion of a file of any readable format. fps, skeleton, units ("m", "cm", ...), up ("y", "z"), asf (of an
    .amc), body (of an AMASS file): where the file does not say, or a guess is wrong. Errors: DataError, UsageError."""
    return io.load(path, fps=fps, skeleton=skeleton, units=units, up=up, asf=asf, body=body)


def read_all(
    path: str | Path,
    *,
    fps: float | None = None,
    skeleton: str | None = None,
    units: str | None = None,
    up: str | None = None,
    asf: str | Path | None = None,
    body: str | Path | None = None,
) -> list[Clip]:
    """Every motion of a file; options and errors as of :func:`read`."""
    return io.load_all(path, fps=fps, skeleton=skeleton, units=units, up=up, asf=asf, body=body)


def write(
    clips: Clip | Sequence[Clip],
    path: str | Path,
    *,
    view: str = "both",
    one_body: bool = False,
    unit: str | None = None,
    layout: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Path]:
    """Write motions; the ending says the format (.html .bvh .glb .vrma .mp4 .png .npz .npy). The files written.

    view: how pictures show bodies that a conductor has in the image plane: "2d" (flat), "3d" (in space) or "both".
    one_body: several motions of a .glb as named animations of one body. unit: of a .bvh (default: cm). layout: of an
    .npz "clips" (default) or "amass", of an .npy "joints" (default) or "features".
    progress(name, done, total): called now and then where writing takes long (a film).
    Errors: UsageError for an ending that no writer has, or a layout that it has not; OutputError.
    """
    from motion_platform.motion.conducting import lift

    several = [clips] if isinstance(clips, Clip) else list(clips)
    pictures = Path(path).suffix.lower() in PICTURES
    shown = lift.views(several, view) if pictures else several
    return io.save(shown, Path(path), one_body=one_body, unit=unit, layout=layout, progress=progress)
