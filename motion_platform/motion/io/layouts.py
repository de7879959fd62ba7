"""What one ending may hold in several ways: the layouts that can be written, by ending; the first is the usual one."""

from __future__ import annotations

from pathlib import Path

from motion_platform.core.errors import UnknownName, UsageError

LAYOUTS = {".npz": ("clips", "amass"), ".npy": ("joints", "features")}
"""clips: everything that we know of motions. amass: parameters of SMPL. joints, features: HumanML3D's."""


def layouts_of(path: str | Path) -> tuple[str, ...]:
    """The layouts of a file, () where its ending leaves no choice."""
    return LAYOUTS.get(Path(path).suffix.lower(), ())


def check_layout(layout: str, path: str | Path) -> None:
    """UnknownName for a layout that the file's ending does not have; UsageError for an ending without a choice."""
    known = layouts_of(path)
    if not known:
        raise UsageError(f"{path}: --layout {layout} (layout= in Python) is for {' and '.join(LAYOUTS)} files")
    if layout not in known:
        raise UnknownName(f"{Path(path).suffix} layout", layout, known, "--layout")
