"""Commands of motion files: convert, render, info."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from motion_platform.cli.common import (
    Asf,
    BodyFile,
    Fps,
    InPlace,
    Layout,
    Loop,
    Names,
    OneBody,
    OutFps,
    Output,
    Rig,
    RootBone,
    Unit,
    Units,
    Up,
    View,
    check_motion_outputs,
    check_recording,
    delivery_of,
    save,
    show_notes,
)
from motion_platform.core.errors import UsageError


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Any motion file.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The extension says the format.")],
    retarget: Annotated[bool, typer.Option("--retarget", help="To the 22-joint skeleton at 20 fps first.")] = False,
    names: Names = [],
    fps: Fps = None,
    skeleton: Annotated[str | None, typer.Option(help="Skeleton of IN, where the file does not say.")] = None,
    units: Units = None,
    up: Up = None,
    asf: Asf = None,
    body: BodyFile = None,
    rig: Rig = None,
    out_fps: OutFps = None,
    in_place: InPlace = False,
    loop: Loop = False,
    root_bone: RootBone = False,
    one_body: OneBody = False,
    unit: Unit = None,
    layout: Layout = None,
):
    """Turn a motion file into another format, onto another skeleton."""

    check_motion_outputs([target])
    how = delivery_of([target], rig, names, out_fps, in_place, loop, root_bone, one_body, unit, layout)
    if how.source_names is not None and not retarget and rig is None:
        raise UsageError("--names: is for --retarget and --rig (a file of names)")
    from motion_platform.motion import io

    clips = io.load_all(source, skeleton=skeleton, fps=fps, units=units, up=up, asf=asf, body=body)
    if retarget:
        from motion_platform.motion.retarget import to_humanml3d

        clips = [to_humanml3d(clip, names=how.source_names) for clip in clips]
    show_notes(clips)
    save(clips, [target], delivery=how)


def render(
    source: Annotated[list[Path], typer.Argument(metavar="IN...", help="One or more motion files.")],
    output: Output,
    fps: Annotated[float | None, typer.Option(help="Frame rate, where a file does not say.")] = None,
    skeleton: Annotated[str | None, typer.Option(help="Skeleton, where a file does not say.")] = None,
    music: Annotated[Path | None, typer.Option(help="A recording to hear with them.")] = None,
    view: View = "both",
    units: Units = None,
    up: Up = None,
    asf: Asf = None,
    body: BodyFile = None,
):
    """Show motions, side by side, as a web page (.html), film (.mp4), strip of pictures (.png) or .glb."""

    check_motion_outputs(output, view)
    from motion_platform.motion import io

    how = {"skeleton": skeleton, "fps": fps, "units": units, "up": up, "asf": asf, "body": body}
    clips = [clip for path in source for clip in io.load_all(path, **how)]
    show_notes(clips)
    check_motion_outputs(output, view, len(clips))
    if music is not None:
        check_recording(music)
        clips = [clip.with_(audio=music) for clip in clips]
    save(clips, output, view)


def info(
    path: Annotated[str, typer.Argument(metavar="FILE", help="A motion file, a checkpoint, or a prepared data set.")],
    fps: Annotated[float | None, typer.Option(help="Frame rate, where a file does not say.")] = None,
    skeleton: Annotated[str | None, typer.Option(help="Skeleton, where a file does not say.")] = None,
    units: Units = None,
    up: Up = None,
    asf: Asf = None,
    body: BodyFile = None,
):
    """Say what a file or folder holds."""
    from motion_platform.pipelines import inventory as listing

    listing.show(listing.describe(path, fps=fps, skeleton=skeleton, units=units, up=up, asf=asf, body=body))
