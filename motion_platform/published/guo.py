"""Weights that others published, stored as our own checkpoint folders: done once, used by name ever after."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from motion_platform import __version__
from motion_platform.core.config import ModelFile, ModelRecipe, SlotRecipe
from motion_platform.core.errors import DataError, UsageError, WeightsError, suggest
from motion_platform.core.schema import MotionSpec
from motion_platform.model import motion_model as model
from motion_platform.motion.io.arrays import load_array
from motion_platform.motion.representations import get_representation

REPRESENTATIONS = ("humanml3d", "kit_ml")


def import_guo(
    weights: Path,
    glove: Path,
    mean: Path,
    std: Path,
    out: Path,
    *,
    representation: str = "humanml3d",
    tags: Path | None = None,
) -> Path:
    """The official text-motion evaluator as a checkpoint folder ``out``, usable as ``space: out``.

    weights: ``text_mot_match/model/finest.tar``. glove: the folder with the three ``our_vab_*`` files; it is not
    copied, so leave it where it is. mean, std: the evaluator's own statistics (``.npy``), not the data's. tags: the
    ``texts`` folder of HumanML3D or KIT-ML, for their part-of-speech tags; without it sentences are tagged by rules.
    Errors: UsageError, WeightsError; nothing is written then.
    """
    if representation not in REPRESENTATIONS:
        raise UsageError(f"--representation: got {representation!r}; {suggest(representation, REPRESENTATIONS)}")
    found = get_representation(representation)
    spec = MotionSpec(
        representation=found.name,
        skeleton=found.skeleton.name,
        fps=found.fps,
        mean=_statistics(mean, found.dim),
        std=_statistics(std, found.dim),
        units=found.units,
    )
    settings = {"folder": str(glove.expanduser().resolve())}
    if tags is not None:
        settings["tags"] = str(tags.expanduser().resolve())
    card = ModelFile(
        format=model.FORMAT,
        name=out.name,
        task="text_motion_retrieval",
        motion_platform=__version__,
        model=ModelRecipe(kind="spaces", name="guo", settings={"max_frames": 196}),
        slots={"text": SlotRecipe(encoder="glove_tags", settings=settings, dropout=0.0)},
        spec=spec.to_dict(),
        data={"name": representation, "licence": "the evaluator's weights: see EricGuo5513/text-to-motion"},
    )
    built = model.build(card, spec)
    built.trainable.load_published(weights)
    return built.eval().save_pretrained(out)


def _statistics(path: Path, dim: int) -> torch.Tensor:
    try:
        values = load_array(path)
    except DataError as error:
        raise WeightsError(f"{path}: is not an array of statistics: {' '.join(str(error).split())}") from error
    if values.shape != (dim,):
        raise WeightsError(f"{path}: has shape {values.shape}; the evaluator's statistics are ({dim},)")
    return torch.from_numpy(values.astype(np.float32))
