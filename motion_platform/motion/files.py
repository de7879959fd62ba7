"""Motion files in, motion files out: the two functions of the Python face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from motion_platform.motion import io
from motion_platform.motion.clip import Clip

PICTURES = (".html", ".mp4", ".png")
"""Formats that show a conductor flat and in space; the others hold what they are given."""


def read(path: str | Path, *, fps: float | None = None, skeleton: str | None = None) -> Clip:
    """The first motion of a file of any readable format. fps, skeleton: where the file does not say. DataError."""
    return io.load(path, fps=fps, skeleton=skeleton)


def read_all(path: str | Path, *, fps: float | None = None, skeleton: str | None = None) -> list[Clip]:
    """Every motion of a file. DataError."""
    return io.load_all(path, fps=fps, skeleton=skeleton)


def write(
    clips: Clip | Sequence[Clip],
    path: str | Path,
    *,
    view: str = "both",
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Path]:
    """Write motions; the ending says the format (.html .bvh .glb .mp4 .png .npz). The files written.

    view: how pictures show bodies that a conductor has in the image plane: "2d" (flat), "3d" (in space) or "both".
    progress(name, done, total): called now and then where writing takes long (a film).
    Errors: UsageError for an ending that no writer has; OutputError.
    """
    from motion_platform.motion.conducting import lift

    several = [clips] if isinstance(clips, Clip) else list(clips)
    pictures = Path(path).suffix.lower() in PICTURES
    return io.save(lift.views(several, view) if pictures else several, Path(path), progress=progress)
