"""``model.yaml`` of a checkpoint folder: read without torch, so that listings are quick."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from motion_platform import __version__
from motion_platform.core import config, weight_files
from motion_platform.core.config import ModelFile
from motion_platform.core.errors import WeightsError
from motion_platform.core.opening import read_yaml

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 2
READS = (1, 2)
"""Format 1 differs in that settings stand outside their blocks (core/settings.py), which are read either way."""
CARD, WEIGHTS = "model.yaml", "model.safetensors"


def read_card(folder: Path) -> ModelFile:
    """``model.yaml`` of a checkpoint folder. Errors: WeightsError when it is missing, malformed or of another version,
    or the weights are missing; ConfigError for a key that is wrong."""
    path = folder / CARD
    values = read_yaml(path, WeightsError)
    if not isinstance(values, dict) or values.get("format") not in READS:
        got = values.get("format") if isinstance(values, dict) else type(values).__name__
        raise WeightsError(
            f"{path}: is of checkpoint format {str(got)[:40]}; this version of motion-platform ({__version__}) reads "
            f"{' and '.join(map(str, READS))}"
        )
    if not (folder / WEIGHTS).is_file():
        raise WeightsError(f"{folder / WEIGHTS}: is missing")
    return config.check(ModelFile, values, path)


def checkpoint_part(name: str, prefix: str) -> tuple[ModelFile, dict[str, Tensor]]:
    """The card of a checkpoint, and its tensors whose names start with ``prefix``, without it, as float32 or integers.

    name: a shipped model, a folder, or the hub's ``owner/name``. Errors: UnknownName; WeightsError for a changed file
    or one without such tensors.
    """
    folder = weight_files.find_checkpoint(name)
    card = read_card(folder)
    found = {
        key.removeprefix(prefix): value.float() if value.is_floating_point() else value
        for key, value in read_weights(folder, card).items()
        if key.startswith(prefix)
    }
    if not found:
        raise WeightsError(f"{folder}: is a {card.model.name} without tensors {prefix}*; name another checkpoint")
    return card, found


def read_weights(folder: Path, card: ModelFile) -> dict[str, Tensor]:
    """The tensors of a checkpoint folder, "spec.mean" and "spec.std" among them. WeightsError for a changed file."""
    from safetensors.torch import load

    data = (folder / WEIGHTS).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != card.weights.get("sha256"):
        raise WeightsError(
            f"{folder / WEIGHTS}: is not the file that {CARD} describes: sha256 is {digest[:16]}..., but {CARD} says "
            f"{str(card.weights.get('sha256'))[:16]}...; the file was changed or is incomplete, fetch it again"
        )
    try:
        tensors = load(data)
    except Exception as error:  # safetensors raises its own class for a malformed header
        raise WeightsError(f"{folder / WEIGHTS}: is not a weight file of this kind: {error}") from error
    for name in ("spec.mean", "spec.std"):
        if name not in tensors:
            raise WeightsError(f"{folder / WEIGHTS}: is not a weight file of this kind: it lacks {name}")
    return tensors
