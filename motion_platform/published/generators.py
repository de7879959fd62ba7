"""Weights of generators that others published, stored as our own checkpoint folders: MDM (and the two texts of the WACV
MotionGPT), Diffusion-Conductor, M2S-GAN of VirtualConductor.

A recipe of ``configs/published/`` says what the network is; a table says where each of their tensors goes. Every tensor
of ours must come from the file, every tensor of the file must have a place, and all shapes must agree: else nothing is
written. Files are read as plain tensors (``weights_only``), so that a file cannot run code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from motion_platform import __version__
from motion_platform.core import cards, config
from motion_platform.core.config import ModelFile
from motion_platform.core.errors import UsageError, WeightsError
from motion_platform.core.schema import MotionSpec
from motion_platform.generators.conducting.gan import published_names
from motion_platform.model import motion_model as model
from motion_platform.model.motion_model import MotionModel
from motion_platform.motion.representations import get_representation

INSIDE = ("model", "encoder", "state_dict")
"""Where training programs put the table of tensors when they save more than that."""
MDM_NAMES = [
    (r"^input_process\.poseEmbedding\.", "trainable.input."),
    (r"^embed_timestep\.time_embed\.0\.", "trainable.timestep.first."),
    (r"^embed_timestep\.time_embed\.2\.", "trainable.timestep.second."),
    (r"^seqTrans(En|De)coder\.", "trainable.transformer."),
    (r"\.(self_attn|multihead_attn)\.(in|out)_proj(_|\.)", r".<\1>.\2_projection."),
    (r"\.<self_attn>\.", ".attention."),
    (r"\.<multihead_attn>\.", ".cross_attention."),
    (r"\.linear1\.", ".up."),
    (r"\.linear2\.", ".down."),
    (r"\.norm1\.", ".attention_norm."),
    (r"^output_process\.poseFinal\.", "trainable.output."),
    (r"^embed_text\.", "conditioning.projections.text_high."),
    (r"^embed_babel_text\.", "conditioning.projections.text_low."),
]
"""Their name -> ours; the other norms of a layer are the second and third of two or three."""
MDM_UNUSED = re.compile(r"(embed_timestep\.)?sequence_pos_encoder\.pe|clip_model\..*|rot2xyz\..*")
"""What follows from the sizes (positions), or belongs to CLIP and SMPL."""
CONDUCTOR_PARTS = {"sa_block": "self_attention", "ca_block": "cross_attention", "ffn": "feed_forward"}
CONDUCTOR_INNER = {
    "text_norm": "memory_norm",
    "proj_out.emb_layers.1": "stylisation.style",
    "proj_out.norm": "stylisation.norm",
    "proj_out.out_layers.2": "stylisation.output",
    "linear1": "up",
    "linear2": "down",
}


def import_mdm(
    weights: Path,
    mean: Path,
    std: Path,
    out: Path,
    *,
    recipe: str = "published/mdm_humanml3d",
    overrides: Sequence[str] = (),
) -> Path:
    """MDM's ``model*.pt`` as a checkpoint folder ``out``. mean, std: of its data (``Mean.npy``, ``Std.npy``).

    recipe: what the network is (``published/mdm_kit``, ``published/wacv_distilbert``, ...); overrides: changes of it,
    such as the folder of the text encoder. Without a text MDM reads zeros in the place of CLIP's features, which is the
    bias of its projection: our null token.
    Errors: UsageError, ConfigError, WeightsError; nothing is written then.
    """
    built = _build(
        recipe, overrides, out, (mean, std), "see GuyTevet/motion-diffusion-model: MIT, its data non-commercial"
    )
    found = {}
    for name, value in read_tensors(weights).items():
        if MDM_UNUSED.fullmatch(name):
            continue
        found[mdm_name(name)] = value
    for slot in built.card.slots:
        bias = f"conditioning.projections.{slot}.bias"
        if bias in found:
            found[f"conditioning.null.{slot}"] = found[bias]
    return _fill(built, found, weights).save_pretrained(out)


def mdm_name(name: str) -> str:
    """Where a tensor of MDM goes."""
    decoder = name.startswith("seqTransDecoder.")
    for theirs, ours in MDM_NAMES:
        name = re.sub(theirs, ours, name)
    if decoder:
        return name.replace(".norm2.", ".cross_norm.").replace(".norm3.", ".feed_forward_norm.")
    return name.replace(".norm2.", ".feed_forward_norm.")


def import_diffusion_conductor(weights: Path, sync: str, out: Path, *, overrides: Sequence[str] = ()) -> Path:
    """Diffusion-Conductor's denoiser as a checkpoint folder ``out``. sync: the checkpoint of the first stage whose
    music encoder it listens with (``motion weights import-m2s``).

    Their styles read ``linear(proj(x))`` of the encoder's features x, and their memory ``linear(x)``; ours reads
    ``linear(x)`` for both and undoes it for the first, with the pseudo-inverse in double precision.
    Errors: UsageError, ConfigError, WeightsError; nothing is written then.
    """
    changes = [f"slots.music.settings.weights={sync}", *overrides]
    built = _build("published/diffusion_conductor", changes, out, None, "see the authors of Diffusion-Conductor")
    theirs = read_tensors(weights)
    parts = ("proj.weight", "proj.bias", "linear.weight", "linear.bias", "time_embed.0.weight")
    for name in parts:
        if name not in theirs:
            raise WeightsError(f"{weights}: lacks {name}; give a checkpoint of Diffusion-Conductor")
    enter, enter_bias, outer, outer_bias, steps = (theirs.pop(name) for name in parts)
    reader = "trainable.readers.music."
    undone = enter.double() @ torch.linalg.pinv(outer.double())
    # Their columns of a step: all cosines, then all sines; ours alternate, sine first.
    alternating = torch.stack(steps.chunk(2, dim=1)[::-1], dim=-1).flatten(1)
    found = {
        "conditioning.projections.music.weight": outer,
        "conditioning.projections.music.bias": outer_bias,
        "conditioning.null.music": torch.zeros_like(outer_bias),
        f"{reader}enter.weight": undone.float(),
        f"{reader}enter.bias": (enter_bias.double() - undone @ outer_bias.double()).float(),
        f"{reader}style.weight": outer,
        f"{reader}style.bias": outer_bias,
        "trainable.step.first.weight": alternating,
    }
    found |= {conductor_name(name): value for name, value in theirs.items()}
    return _fill(built, found, weights).save_pretrained(out)


def conductor_name(name: str) -> str:
    """Where a tensor of Diffusion-Conductor goes; its own name where nobody knows."""
    plain = {"sequence_embedding": "positions", "time_embed.0.bias": "step.first.bias"}
    starts = {"joint_embed.": "input.", "out.": "output.", "time_embed.2.": "step.second."}
    block = re.fullmatch(r"temporal_decoder_blocks\.(\d+)\.(sa_block|ca_block|ffn)\.(.+)\.(weight|bias)", name)
    if block:
        number, part, inner, kind = block.groups()
        return (
            f"trainable.transformer.layers.{number}.{CONDUCTOR_PARTS[part]}.{CONDUCTOR_INNER.get(inner, inner)}.{kind}"
        )
    if name in plain:
        return f"trainable.{plain[name]}"
    for theirs, ours in starts.items():
        if name.startswith(theirs):
            return f"trainable.{ours}{name.removeprefix(theirs)}"
    return name


def import_m2s_gan(weights: Path, sync: str, out: Path, *, overrides: Sequence[str] = ()) -> Path:
    """VirtualConductor's ``M2SGAN_*.pt`` as a checkpoint folder ``out``. sync: the first stage, as above.

    Their network reads the encoder's 64 features as they are: our projection is the identity. The critic was not
    published, so that ours is new: the folder generates, and is no start of a training.
    Errors: UsageError, ConfigError, WeightsError; nothing is written then.
    """
    changes = [
        f"slots.music.settings.weights={sync}",
        "model.settings.sync_loss=0",
        "model.settings.sync_weights=null",
        *overrides,
    ]
    built = _build(
        "published/virtual_conductor_2_gan", changes, out, None, "free for research with attribution (Delong Chen)"
    )
    found = {f"trainable.{name}": value for name, value in published_names(read_tensors(weights)).items()}
    width = built.trainable.width
    found |= {
        "conditioning.projections.music.weight": torch.eye(width),
        "conditioning.projections.music.bias": torch.zeros(width),
        "conditioning.null.music": torch.zeros(width),
    }
    own = built.own_state()
    kept = (name for name in own if name.startswith("trainable.critic.") or name.endswith("num_batches_tracked"))
    found = {name: own[name].detach().clone() for name in kept} | found
    return _fill(built, found, weights).save_pretrained(out)


def read_tensors(weights: Path) -> dict[str, Tensor]:
    """The tensors of a published file by their names there. Errors: WeightsError."""
    try:
        saved = torch.load(weights, map_location="cpu", weights_only=True)
    except Exception as error:  # not a torch file, truncated, or it wants to run code
        raise WeightsError(f"{weights}: cannot be read as weights: {' '.join(str(error).split())[:200]}") from error
    for key in INSIDE:
        if isinstance(saved, dict) and isinstance(saved.get(key), dict):
            saved = saved[key]
    if not isinstance(saved, dict) or not saved or not all(isinstance(value, Tensor) for value in saved.values()):
        raise WeightsError(f"{weights}: holds no table of tensors")
    return {name.removeprefix("module."): value for name, value in saved.items()}  # module: of several graphics cards


def _build(
    recipe: str, overrides: Sequence[str], out: Path, statistics: tuple[Path, Path] | None, licence: str
) -> MotionModel:
    """The untrained model of a recipe. statistics: files of mean and standard deviation; None: it reads raw numbers."""
    if out.is_file():
        raise UsageError(f"{out}: is a file; name a folder")
    read = config.load_recipe(cards.find("configs", recipe), list(overrides))
    found = get_representation(read.representation)
    nothing = torch.zeros(found.dim)
    mean, std = (nothing, nothing + 1) if statistics is None else (array_of(path, found.dim) for path in statistics)
    spec = MotionSpec(found.name, found.skeleton.name, found.fps, mean, std, found.units)
    card = ModelFile(
        format=model.FORMAT,
        name=out.name,
        task=read.task,
        motion_platform=__version__,
        model=read.model,
        slots=read.slots,
        spec=spec.to_dict(),
        data={"name": read.data.name, "licence": licence},
    )
    return model.build(card, spec, where=recipe)


def array_of(path: Path, dim: int) -> Tensor:
    """Statistics (dim,) of a ``.npy`` file. Errors: WeightsError."""
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise WeightsError(f"{path}: is not an array of statistics: {' '.join(str(error).split())}") from error
    if values.shape != (dim,):
        raise WeightsError(f"{path}: has shape {values.shape}; the statistics of this representation are ({dim},)")
    return torch.from_numpy(values.astype(np.float32))


def _fill(built: MotionModel, found: Mapping[str, Tensor], weights: Path) -> MotionModel:
    """Put the tensors in their places: all of them, and nothing else."""
    own = built.own_state()
    for name in sorted(found.keys() - own.keys()):
        raise WeightsError(f"{weights}: {name} has no place in {built.card.model.name}; name its recipe: --recipe")
    for name in sorted(own.keys() - found.keys()):
        raise WeightsError(f"{weights}: lacks what becomes {name}; name its recipe: --recipe")
    with torch.no_grad():
        for name, value in found.items():
            if own[name].shape != value.shape:
                raise WeightsError(
                    f"{weights}: what becomes {name} has shape {tuple(value.shape)}, not {tuple(own[name].shape)}"
                )
            own[name].copy_(value)
    return built.eval()
