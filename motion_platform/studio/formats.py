"""The formats in which a person takes motions home, by the names that the REST interface and the page give them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from motion_platform.core.errors import UsageError
from motion_platform.motion.io import provenance, write_blender


@dataclass(frozen=True)
class Format:
    """label: what the page calls it. ending: of its files. layout: of endings that hold several things
    (motion/io/layouts.py). character: whether somebody's character may be in it, or it has a body of its own, of the
    22 joints."""

    label: str
    ending: str
    layout: str | None = None
    character: bool = True

    @property
    def beside(self) -> bool:
        """Whether a file of its own says where the motion comes from, since this one has no room for it."""
        return self.ending in provenance.BESIDE


FORMATS = {
    "bvh": Format("BVH", ".bvh"),
    "glb": Format("glb", ".glb"),
    "fbx": Format("FBX", ".fbx"),
    "usdc": Format("USD (usdc)", ".usdc"),
    "vrm": Format("VRM", ".vrm"),
    "vrma": Format("VRM animation", ".vrma", character=False),
    "mp4": Format("film (mp4)", ".mp4"),
    "npz": Format("arrays (npz)", ".npz"),
    "amass.npz": Format("AMASS (npz)", ".npz", "amass", character=False),
    "joints.npy": Format("HumanML3D joints (npy)", ".npy", "joints", character=False),
    "features.npy": Format("HumanML3D features (npy)", ".npy", "features", character=False),
    "html": Format("page (html)", ".html"),
    "png": Format("picture (png)", ".png"),
}


def offered() -> list[dict[str, Any]]:
    """The formats that this machine writes, as plain values for the page: without Blender no FBX and no USD."""
    return [
        {"name": name, "label": form.label, "character": form.character, "beside": form.beside}
        for name, form in FORMATS.items()
        if form.ending not in write_blender.FORMATS or blender_is_here()
    ]


def blender_is_here() -> bool:
    try:
        write_blender.find_blender("motion.fbx")
    except UsageError:
        return False
    return True
