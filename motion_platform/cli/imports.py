"""Commands that store weights of others as our own checkpoint folders: ``motion weights import-*``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Option(help="Checkpoint folder to write.")]
Sync = Annotated[str, typer.Option(help="The first stage, for its music encoder: what import-m2s wrote.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="Changes of the recipe: KEY=VALUE.")]


def import_guo(
    weights: Annotated[Path, typer.Argument(metavar="FINEST.TAR", help="text_mot_match/model/finest.tar")],
    glove: Annotated[Path, typer.Option(help="Folder with the three our_vab_* files (stays where it is).")],
    mean: Annotated[Path, typer.Option(help="The evaluator's own mean (.npy), not that of the data.")],
    std: Annotated[Path, typer.Option(help="The evaluator's own standard deviation (.npy).")],
    out: Out,
    tags: Annotated[Path | None, typer.Option(help="The data set's texts folder, for its tags.")] = None,
    representation: Annotated[str, typer.Option(help="humanml3d or kit_ml.")] = "humanml3d",
):
    """Store the official text-motion evaluator as a checkpoint, for the papers' FID and R-precision."""
    from motion_platform.published import guo as published

    print(published.import_guo(weights, glove, mean, std, out, representation=representation, tags=tags))


def import_m2s(
    weights: Annotated[Path, typer.Argument(metavar="M2SNET.PT", help="checkpoints/M2SNet/*.pt of VirtualConductor")],
    out: Out,
):
    """Store VirtualConductor's music-motion network as a checkpoint: a space, and weights for music_mel."""
    from motion_platform.published import virtual_conductor as published_conductor

    print(published_conductor.import_m2s(weights, out))


def import_mdm(
    weights: Annotated[Path, typer.Argument(metavar="MODEL.PT", help="model*.pt of MDM, or of WACV's MotionGPT")],
    mean: Annotated[Path, typer.Option(help="Mean.npy of its data.")],
    std: Annotated[Path, typer.Option(help="Std.npy of its data.")],
    out: Out,
    overrides: Overrides = None,
    recipe: Annotated[
        str, typer.Option(help="What the network is: one of configs/published.")
    ] = "published/mdm_humanml3d",
):
    """Store MDM's weights as a checkpoint that generates; slots.text_high.settings.model=FOLDER names CLIP's folder."""
    from motion_platform.published import generators

    print(generators.import_mdm(weights, mean, std, out, recipe=recipe, overrides=overrides or ()))


def import_diffusion_conductor(
    weights: Annotated[Path, typer.Argument(metavar="MODEL.PT", help="A checkpoint of Diffusion-Conductor")],
    sync: Sync,
    out: Out,
    overrides: Overrides = None,
):
    """Store Diffusion-Conductor's weights as a checkpoint that generates."""
    from motion_platform.published import generators

    print(generators.import_diffusion_conductor(weights, sync, out, overrides=overrides or ()))


def import_m2s_gan(
    weights: Annotated[Path, typer.Argument(metavar="M2SGAN.PT", help="checkpoints/M2SGAN/*.pt of VirtualConductor")],
    sync: Sync,
    out: Out,
    overrides: Overrides = None,
):
    """Store VirtualConductor's generator as a checkpoint that generates; its critic was not published."""
    from motion_platform.published import generators

    print(generators.import_m2s_gan(weights, sync, out, overrides=overrides or ()))
