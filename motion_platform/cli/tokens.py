"""Commands about motion tokenizers: ``motion tokenize``, ``motion detokenize``, ``motion tokenizer-report``."""

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
    read_clips,
    save,
)
from motion_platform.core.errors import UnknownName, UsageError

DEFAULT = "vq_humanml22"

Tokenizer = Annotated[str, typer.Option("--tokenizer", help="A tokenizer's name or a checkpoint folder.")]


def tokenize(
    source: Annotated[list[Path], typer.Argument(metavar="IN...", help="Motion files, of any format that is read.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File of tokens to write: .json")],
    tokenizer: Tokenizer = DEFAULT,
    names: SourceNames = None,
    fps: Fps = None,
    units: Units = None,
    up: Up = None,
    asf: Asf = None,
    body: BodyFile = None,
    device: Device = "auto",
):
    """Write motions as discrete tokens."""
    from motion_platform.core.files import check_folders, check_formats

    check_formats([output], [".json"])
    check_folders([output])
    from motion_platform.model.run import find_device
    from motion_platform.pipelines import tokens as engine

    clips = [clip for path in source for clip in read_clips(path, fps=fps, units=units, up=up, asf=asf, body=body)]
    run = engine.load(tokenizer, find_device(device))
    with Progress(f"tokenizing {len(clips)} motions"):
        written = engine.tokenize(run, clips, names)
    engine.write(output, run, written)
    frames, steps = sum(each.frames for each in written), sum(len(each.ids) for each in written)
    print(f"{output}: {len(written)} motion{'s' * (len(written) > 1)}, {frames} frames as {steps} steps")


def detokenize(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A file of tokens.")],
    output: Annotated[
        list[Path], typer.Option("--output", "-o", help="File to write; repeat for several: .html .bvh .glb .mp4 .npz")
    ],
    tokenizer: Annotated[
        str | None, typer.Option("--tokenizer", help="Name or folder (default: the one that wrote the tokens).")
    ] = None,
    device: Device = "auto",
):
    """Make motion of tokens again."""
    from motion_platform.model.run import find_device
    from motion_platform.pipelines import tokens as engine

    check_motion_outputs(output)
    found = engine.read(source)
    try:
        run = engine.load(tokenizer or found.tokenizer, find_device(device))
    except UnknownName as error:
        if tokenizer is not None:
            raise
        raise UsageError(
            f"{source}: was written by {found.tokenizer}, which is no shipped model; give its folder with --tokenizer"
        ) from error
    with Progress(f"reading {source.name}"):
        clips = engine.detokenize(run, engine.of_file(found, run, source))
    save(clips, output)


def tokenizer_report(
    tokenizer: Annotated[str, typer.Argument(help="A tokenizer's name or a checkpoint folder.")] = DEFAULT,
    data: Annotated[str | None, typer.Option(help="Prepared data folder (default: the tokenizer's data).")] = None,
    split: Annotated[str, typer.Option(help="Where the reconstruction is measured: train, val or test.")] = "test",
    training: Annotated[str, typer.Option(help="Where the codes are counted: train, val or test.")] = "train",
    samples: Annotated[int | None, typer.Option(help="At most so many clips of each (default: all).", min=1)] = None,
    space: Annotated[str | None, typer.Option(help="Space for the Frechet distance; 'none': without.")] = "text_motion",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Also write the numbers: .json")] = None,
    device: Device = "auto",
):
    """How healthy a tokenizer is: which codes are used, and what is lost on the way through them."""
    if output is not None and (output.suffix != ".json" or not output.parent.is_dir()):
        raise UsageError(f"{output}: give a .json file in a folder that exists")
    import json

    from motion_platform.core.config import DataRecipe
    from motion_platform.core.files import atomic_path
    from motion_platform.evaluation import tokenizer_report as reporter
    from motion_platform.model.run import find_device
    from motion_platform.pipelines import tokens as engine

    run = engine.load(tokenizer, find_device(device))
    if data is not None:
        run.data = DataRecipe(name=run.data.name if run.data else run.task.data, folder=data)
    judge = None if space == "none" else space
    with Progress(f"measuring {tokenizer}"):
        result = reporter.report(run, split=split, training=training, samples=samples, space=judge)
    print("\n".join(reporter.lines(result)))
    if output is not None:
        with atomic_path(output) as temporary:
            temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(output)
