"""One motion in memory: what every reader returns and every writer takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from motion_platform.core.errors import DataError
from motion_platform.motion.skeleton import Skeleton

if TYPE_CHECKING:  # reading a motion file does not wait for torch
    from motion_platform.core.schema import Audio
    from motion_platform.motion.rigs.rig import Rig

MAX_FRAMES = 1_000_000
"""Longer clips are refused: 10^6 frames are 14 hours at 20 fps, and always a broken header."""


@dataclass(frozen=True)
class Clip:
    """joints (T, J, 3) float32 world positions in metres, Y up; fps frames a second.

    rotations: (T, J, 4) local quaternions xyzw relative to ``skeleton.offsets``, where the source had them. name: a
    stable identifier. captions: what the motion shows. info: provenance (source file, licence, unit), plain values.
    audio: the recording that sounds from the first frame on: a file, or samples in memory. events: name -> times (n,)
    in seconds from the first frame, in order ("beats", "bars"). rig: the character that the motion was put on, into
    whose file a .glb or .vrm is written. words: (text, start, end) of what is said in the recording, in seconds from
    the first frame.
    """

    joints: np.ndarray
    fps: float
    skeleton: Skeleton
    rotations: np.ndarray | None = None
    name: str = "motion"
    captions: tuple[str, ...] = ()
    info: dict[str, Any] = field(default_factory=dict)
    audio: Path | Audio | None = None
    events: Mapping[str, np.ndarray] = field(default_factory=dict)
    rig: Rig | None = None
    words: tuple[tuple[str, float, float], ...] = ()

    def __post_init__(self) -> None:
        where = f"motion {self.name!r}"
        if self.joints.ndim != 3 or self.joints.shape[1:] != (len(self.skeleton), 3):
            raise DataError(
                f"{where}: joints have shape {self.joints.shape}, but skeleton {self.skeleton.name} "
                f"needs (T, {len(self.skeleton)}, 3)"
            )
        if len(self.joints) == 0:
            raise DataError(f"{where}: has zero frames")
        if len(self.joints) > MAX_FRAMES:
            raise DataError(f"{where}: has {len(self.joints)} frames; at most {MAX_FRAMES} are allowed")
        if not np.isfinite(self.joints).all():
            bad = int(np.argwhere(~np.isfinite(self.joints))[0, 0])
            raise DataError(f"{where}: frame {bad} has a NaN or infinite position")
        if not (np.isfinite(self.fps) and 0 < self.fps <= 1000):
            raise DataError(f"{where}: fps is {self.fps}; it must be above 0 and at most 1000")
        if self.rotations is not None and self.rotations.shape != (*self.joints.shape[:2], 4):
            raise DataError(f"{where}: rotations have shape {self.rotations.shape}, not (T, J, 4)")
        for name, times in self.events.items():
            if times.ndim != 1 or not np.isfinite(times).all() or (np.diff(times) < 0).any():
                raise DataError(f"{where}: times of {name} must be finite, (n,) and in order")
        for text, start, end in self.words:
            if not (np.isfinite(start) and np.isfinite(end) and start <= end):
                raise DataError(f"{where}: the word {text[:40]!r} lasts from {start:g} to {end:g} s, which is no time")

    def __len__(self) -> int:
        return len(self.joints)

    @property
    def seconds(self) -> float:
        """Duration: T / fps."""
        return len(self) / self.fps

    def __repr__(self) -> str:
        said = f", {self.captions[0]!r}" if self.captions else ""
        return f"Clip({self.name!r}, {self.seconds:.2f} s at {self.fps:g} fps, {self.skeleton.name}{said})"

    def _repr_html_(self) -> str:
        """The player, for a notebook: a page of its own in a frame, so that nothing of it touches the notebook."""
        import html

        from motion_platform.motion.render.html import page_text

        return (
            f'<iframe srcdoc="{html.escape(page_text([self]))}" sandbox="allow-scripts" '
            'style="width:100%;height:480px;border:0" title="motion"></iframe>'
        )

    def save(
        self, path: str | Path, *, names: str | None = None, unit: str | None = None, layout: str | None = None
    ) -> list[Path]:
        """Write the clip; the ending says the format: see ``motion_platform.write``. names: a program's joint names
        (smpl, mixamo, motionbuilder, unreal, unity, vrm). unit: of a .bvh. layout: "amass" of an .npz, "features" of an
        .npy. Errors: UsageError, DataError, OutputError."""
        from motion_platform.motion.files import write
        from motion_platform.motion.rigs.naming import renamed

        return write(self if names is None else renamed(self, names), path, unit=unit, layout=layout)

    def retarget(
        self,
        *,
        fps: float | None = None,
        names: str | Path | None = None,
        rig: str | Path | None = None,
        in_place: bool = False,
        loop: bool = False,
        root_bone: bool = False,
    ) -> Clip:
        """The clip on another skeleton: on the 22 joints of HumanML3D at ``fps`` (default: 20), on the floor as it is;
        or, with ``rig`` (a .bvh, .glb or .vrm), on that character's own, whose file ``save("x.glb")`` then writes into.

        names: a YAML file that adds to the known joint names. in_place: the hips stay over one point. loop: the end is
        the start (``info["loop"]`` says how well they met). root_bone: a bone on the floor carries place and facing.
        ``info["fit"]`` says how far a rig's motion is off. Errors: DataError, UsageError.
        """
        from motion_platform.motion.retarget import to_humanml3d
        from motion_platform.motion.rigs.deliver import Delivery, deliver

        if rig is None:
            made, fps = to_humanml3d(self, fps=20.0 if fps is None else fps, names=names), None
        else:
            made = self
        own = Delivery(
            rig=None if rig is None else Path(rig),
            fps=fps,
            in_place=in_place,
            loop=loop,
            root_bone=root_bone,
            source_names=None if names is None else Path(names),
        )
        return deliver([made], own)[0][0]

    def with_(self, **changes: Any) -> Clip:
        """A copy with some fields replaced."""
        return replace(self, **changes)
