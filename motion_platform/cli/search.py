"""``motion search``: clips and captions that are near in a space."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from motion_platform.cli.common import (
    Asf,
    BodyFile,
    Device,
    Fps,
    Progress,
    SourceNames,
    Units,
    Up,
    check_motion_outputs,
    reading_of,
    save,
    show_notes,
)
from motion_platform.core.errors import UsageError


def search(
    text: Annotated[str | None, typer.Option("--text", "-t", help="What the body does: finds clips.")] = None,
    motion: Annotated[
        Path | None, typer.Option("--motion", "-m", help="A motion file: finds captions and clips.")
    ] = None,
    names: SourceNames = None,
    fps: Fps = None,
    units: Units = None,
    up: Up = None,
    asf: Asf = None,
    body: BodyFile = None,
    data: Annotated[
        str | None, typer.Option("--data", help="Prepared data folder (default: the model's data).")
    ] = None,
    top: Annotated[int, typer.Option(help="How many answers.", min=1)] = 10,
    output: Annotated[
        list[Path], typer.Option("--output", "-o", help="Also write the clips found: .html .bvh .glb .mp4 .png .npz")
    ] = [],
    split: Annotated[str | None, typer.Option(help="train, val or test (default: all).")] = None,
    model: Annotated[str | None, typer.Option(help="A shipped space's name or a checkpoint folder.")] = None,
    device: Device = "auto",
):
    """Find the clips of a prepared data set that a sentence describes, or that are like a motion."""
    from motion_platform.model.run import find_device

    if (text is None) == (motion is None):
        raise UsageError("motion search: give either --text or --motion")
    if names is not None and motion is None:
        raise UsageError("--names: is for --motion")
    check_motion_outputs(output, count=top + (motion is not None))
    from motion_platform.core.config import DataRecipe
    from motion_platform.motion import io
    from motion_platform.pipelines import search as engine

    how = reading_of(motion, fps, units, up, asf, body)
    clip = None if motion is None else io.load(motion, **how)
    show_notes([] if clip is None else [clip])
    run = engine.load(model, find_device(device))
    if data is not None:
        run.data = DataRecipe(name=run.data.name if run.data else run.task.data, folder=data)
    dataset = run.open_data()

    captions: list[engine.Hit] = []
    with Progress("indexing clips") as progress:

        def indexed(done: int, total: int) -> None:
            progress.show("indexing clips", done, total)

        if clip is None:
            hits = engine.by_text(run.model, dataset, str(text), top=top, split=split, progress=indexed)
        else:
            captions, hits = engine.by_motion(
                run.model, dataset, clip, top=top, split=split, names=names, progress=indexed
            )
    for hit in captions:
        print(f"{hit.distance:8.3f}  {hit.caption}")
    if clip is not None:
        print()
    width = max(len(hit.id) for hit in hits)
    for hit in hits:
        print(f"{hit.distance:8.3f}  {hit.id:<{width}}  {hit.caption}".rstrip())
    if output:
        found = [engine.clip_of_hit(dataset, hit) for hit in hits]
        save(found if clip is None else [clip.with_(captions=("searched for",)), *found], output)
