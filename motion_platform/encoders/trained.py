"""An encoder out of a trained checkpoint: its card and its tensors, found by name and checked by sha256.

Encoders stand below models, so they read the two files of a checkpoint folder themselves.
"""

from __future__ import annotations

import hashlib

from torch import Tensor

from motion_platform import weight_files
from motion_platform.config import ModelFile
from motion_platform.errors import WeightsError
from motion_platform.model_card import CARD, WEIGHTS, read_card


def checkpoint_part(name: str, prefix: str) -> tuple[ModelFile, dict[str, Tensor]]:
    """The card of a checkpoint, and its tensors whose names start with ``prefix``, without it, as float32 or integers.

    name: a shipped model, a folder, or the hub's ``owner/name``. Errors: UnknownName; WeightsError for a changed file
    or one without such tensors.
    """
    from safetensors.torch import load

    folder = weight_files.find_checkpoint(name)
    card = read_card(folder)
    data = (folder / WEIGHTS).read_bytes()
    if hashlib.sha256(data).hexdigest() != card.weights.get("sha256"):
        raise WeightsError(f"{folder / WEIGHTS}: is not the file that {CARD} describes; fetch it again")
    found = {
        key.removeprefix(prefix): value.float() if value.is_floating_point() else value
        for key, value in load(data).items()
        if key.startswith(prefix)
    }
    if not found:
        raise WeightsError(f"{folder}: is a {card.model.name} without tensors {prefix}*; name another checkpoint")
    return card, found
