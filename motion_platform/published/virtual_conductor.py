"""VirtualConductor's released weights of the contrastive stage, stored as our own checkpoint folder.

``M2SNet_official_pretrained.pt`` (https://github.com/ChenDelong1999/VirtualConductor, checkpoints/M2SNet) holds 234
tensors. 232 of them go, shape for shape, where ``KEYS`` says; the other two are ``motion_encoder.st_gcn.fcn.*``, a
layer of 8,224 numbers that their code builds and never calls. Without it both have 154,063 parameters. The weights
are free for research with attribution, not for commercial use: they are read from your own copy and never shipped.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from motion_platform import __version__
from motion_platform.core.config import ModelFile, ModelRecipe, SlotRecipe
from motion_platform.core.errors import UsageError, WeightsError
from motion_platform.core.schema import MotionSpec
from motion_platform.model import motion_model as model
from motion_platform.motion.representations import get_representation

LICENCE = "free for research with attribution (Delong Chen, VirtualConductor); ask the author for any other use"
SLOT = "music"
MUSIC, MOTION = f"conditioning.trained.{SLOT}.network.", "trainable.motion_network."
KEYS: list[tuple[str, str]] = [
    (r"music_encoder\.conv([123])\.(\d)\.conv2d_layer\.0\.(\w+)", MUSIC + r"groups.<\1>.\2.convolution.\3"),
    (r"music_encoder\.conv([123])\.(\d)\.conv2d_layer\.1\.(\w+)", MUSIC + r"groups.<\1>.\2.norm.\3"),
    (r"music_encoder\.conv([123])\.(\d)\.residual\.(\d)\.(\w+)", MUSIC + r"groups.<\1>.\2.shortcut.\3.\4"),
    (r"music_encoder\.conv4\.0\.(\w+)", MUSIC + r"out.\1"),
    (r"music_encoder\.conv4\.1\.(\w+)", MUSIC + r"norm.\1"),
    (r"motion_encoder\.st_gcn\.A", MOTION + "adjacency"),
    (r"motion_encoder\.st_gcn\.data_bn\.(\w+)", MOTION + r"enter.\1"),
    (r"motion_encoder\.st_gcn\.st_gcn_networks\.(\d)\.gcn\.conv\.(\w+)", MOTION + r"blocks.\1.graph.\2"),
    (r"motion_encoder\.st_gcn\.st_gcn_networks\.(\d)\.tcn\.0\.(\w+)", MOTION + r"blocks.\1.before.\2"),
    (r"motion_encoder\.st_gcn\.st_gcn_networks\.(\d)\.tcn\.2\.(\w+)", MOTION + r"blocks.\1.time.\2"),
    (r"motion_encoder\.st_gcn\.st_gcn_networks\.(\d)\.tcn\.3\.(\w+)", MOTION + r"blocks.\1.after.\2"),
    (r"motion_encoder\.st_gcn\.edge_importance\.(\d)", MOTION + r"edges.\1"),
    (r"motion_encoder\.fc\.0\.(\w+)", MOTION + r"out.\1"),
    (r"motion_encoder\.fc\.1\.(\w+)", MOTION + r"norm.\1"),
    (r"fuse_layer\.([024])\.(\w+)", r"trainable.fuse.\1.\2"),
]
"""Their name -> ours; ``<n>`` counts from 1 there and from 0 here."""
UNUSED = ("motion_encoder.st_gcn.fcn.weight", "motion_encoder.st_gcn.fcn.bias")


def our_name(name: str) -> str | None:
    """Where a published tensor goes; None for one that is not of this network."""
    for theirs, ours in KEYS:
        if re.fullmatch(theirs, name):
            found = re.sub(theirs, ours, name)
            return re.sub(r"<(\d)>", lambda match: str(int(match[1]) - 1), found)
    return None


def import_m2s(weights: Path, out: Path) -> Path:
    """``M2SNet_*.pt`` as a checkpoint folder ``out``, usable as ``space: out`` and ``weights: out`` of ``music_mel``.

    Errors: WeightsError for another file or other shapes; UsageError when ``out`` is a file. Nothing is written then.
    """
    if out.is_file():
        raise UsageError(f"{out}: is a file; name a folder")
    found = read_m2s(weights)
    representation = get_representation("conductor")
    nothing = torch.zeros(representation.dim)  # the network reads raw coordinates and normalises them itself
    spec = MotionSpec(
        representation=representation.name,
        skeleton=representation.skeleton.name,
        fps=representation.fps,
        mean=nothing,
        std=nothing + 1,
        units=representation.units,
    )
    card = ModelFile(
        format=model.FORMAT,
        name=out.name,
        task="music_motion_sync",
        motion_platform=__version__,
        model=ModelRecipe(kind="spaces", name="music_motion_sync"),
        slots={SLOT: SlotRecipe(encoder="music_mel", dropout=0.0)},
        spec=spec.to_dict(),
        data={"name": "conductor_motion100", "licence": LICENCE},
    )
    built = model.build(card, spec)
    own = built.own_state()
    missing = sorted(own.keys() - found.keys())
    if missing:
        raise WeightsError(f"{weights}: lacks what becomes {missing[0]}; give checkpoints/M2SNet/*.pt")
    with torch.no_grad():
        for name, value in found.items():
            if own[name].shape != value.shape:
                raise WeightsError(f"{weights}: {name} has shape {tuple(value.shape)}, not {tuple(own[name].shape)}")
            own[name].copy_(value)
    return built.eval().save_pretrained(out)


def read_m2s(weights: Path) -> dict[str, Tensor]:
    """The tensors of a published file under our names. Errors: WeightsError for another file or an unknown tensor."""
    try:
        saved = torch.load(weights, map_location="cpu", weights_only=True)
    except Exception as error:  # not a torch file, truncated, or it wants to run code
        raise WeightsError(f"{weights}: cannot be read as weights: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(saved, dict) or not all(isinstance(value, Tensor) for value in saved.values()):
        raise WeightsError(f"{weights}: holds no table of tensors; give checkpoints/M2SNet/*.pt")
    found = {}
    for name, value in saved.items():
        name = name.removeprefix("module.")  # as several graphics cards save it
        if name in UNUSED:
            continue
        ours = our_name(name)
        if ours is None:
            raise WeightsError(f"{weights}: {name} is not of this network; give checkpoints/M2SNet/*.pt")
        found[ours] = value
    return found
