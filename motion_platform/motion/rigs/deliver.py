"""From the clips that a command made to what is written: the rig, names, frame rate and the rest that engines ask
for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from motion_platform.core.errors import UsageError
from motion_platform.motion.clip import Clip


@dataclass(frozen=True)
class Delivery:
    """How motions are handed over. rig: a character's file. names: a program's names for the 22 joints. fps: frames a
    second. in_place: hips over one point. loop: the end meets the start. root_bone: a bone on the floor. one_body:
    several motions in a .glb as named animations of one body. unit: of a .bvh. layout: of an .npz or .npy.
    source_names: joint names of the clips, where they are not known."""

    rig: Path | None = None
    names: str | None = None
    fps: float | None = None
    in_place: bool = False
    loop: bool = False
    root_bone: bool = False
    one_body: bool = False
    unit: str | None = None
    layout: str | None = None
    source_names: Path | None = None


def check(delivery: Delivery, outputs: Sequence[Path]) -> None:
    """UsageError for what cannot be handed over, before any work is done; DataError for a rig that cannot be read."""
    from motion_platform.core.errors import UnknownName
    from motion_platform.motion.io import write_blender
    from motion_platform.motion.io.layouts import check_layout, layouts_of
    from motion_platform.motion.io.units import UNITS
    from motion_platform.motion.rigs.naming import written_names
    from motion_platform.motion.rigs.rig import load_rig

    if delivery.names is not None:
        written_names(delivery.names)
        if delivery.rig is not None:
            raise UsageError("--names: with --rig the joints keep the rig's own names; leave one of the two out")
    if delivery.unit is not None:
        if delivery.unit not in UNITS:
            raise UnknownName("unit", delivery.unit, UNITS, "--unit")
        if not any(path.suffix.lower() == ".bvh" for path in outputs):
            raise UsageError("--unit: is for .bvh files; the other formats have a unit of their own")
    if delivery.layout is not None and not any(delivery.layout in layouts_of(path) for path in outputs):
        check_layout(delivery.layout, next((path for path in outputs if layouts_of(path)), outputs[0]))
    if delivery.rig is not None:
        load_rig(delivery.rig)
    for path in outputs:
        if path.suffix.lower() in write_blender.FORMATS:
            write_blender.find_blender(path)
        if path.suffix.lower() == ".vrm" and (delivery.rig is None or delivery.rig.suffix.lower() != ".vrm"):
            raise UsageError(f"{path}: a .vrm is a character; give the one to write into with --rig FILE.vrm")


def deliver(clips: Sequence[Clip], delivery: Delivery) -> tuple[list[Clip], list[str]]:
    """(the clips as they are handed over, a line on each thing that is worth knowing). Errors: UsageError,
    DataError."""
    from motion_platform.motion.conducting.lift import in_space
    from motion_platform.motion.rigs import finish, fit, naming
    from motion_platform.motion.rigs.rig import load_rig

    made, lines = list(clips), []
    if delivery.rig is not None:
        rig = load_rig(delivery.rig)
        lines += [f"{rig.path.name}: {note}" for note in rig.info.get("notes", [])]
        made = [fit.onto(in_space(clip), rig, names=delivery.source_names) for clip in made]
        lines += [fit.describe_fit(clip.name, clip.info["fit"]) for clip in made]
    if delivery.fps is not None:
        made = [finish.at_rate(clip, delivery.fps) for clip in made]
    if delivery.in_place:
        made = [finish.in_place(clip) for clip in made]
    if delivery.loop:
        pairs = [finish.looped(clip) for clip in made]
        made = [clip for clip, _ in pairs]
        lines += [finish.describe_loop(clip.name, seam) for clip, seam in pairs]
    if delivery.names is not None:
        made = [naming.renamed(clip, delivery.names) for clip in made]
    if delivery.root_bone:
        made = [finish.with_root_bone(clip) for clip in made]
    return made, lines
