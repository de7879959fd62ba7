"""The motion tokenizer under a generator of codes: found by name, or built untrained; it stands outside the weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from motion_platform.core import registry
from motion_platform.core.checkpoint_files import checkpoint_part
from motion_platform.core.contracts import Generator, MotionTokenizer
from motion_platform.core.errors import ConfigError, WeightsError
from motion_platform.core.schema import MotionSpec, Tokens


class CodeGenerator(Generator):
    """A generator of the codes of a frozen motion tokenizer, which follows it to its device and is never trained.

    A named tokenizer is no part of the module and of its checkpoint, which holds the tokenizer's fingerprint; an
    untrained one, of {name, settings}, is.
    """

    def set_tokenizer(self, tokenizer: str | Mapping[str, Any], spec: MotionSpec) -> MotionTokenizer:
        """Find the tokenizer once, in the constructor. Errors: those of :func:`find_tokenizer`."""
        found, self._tokenizer_print = find_tokenizer(tokenizer, spec)
        self._outside = (found.requires_grad_(False).eval(),)  # in a tuple, no module sees it
        if self._tokenizer_print is None:
            self.own_tokenizer = found
        return found

    @property
    def tokenizer(self) -> MotionTokenizer:
        """The frozen motion tokenizer; a named one is no part of this module."""
        return self._outside[0]

    def fingerprints(self) -> dict[str, str]:
        return {} if self._tokenizer_print is None else {"motion tokenizer": self._tokenizer_print}

    def train(self, mode: bool = True) -> CodeGenerator:
        """The tokenizer stays as it is."""
        super().train(mode)
        self.tokenizer.eval()
        return self

    def _apply(self, fn: Callable, recurse: bool = True) -> CodeGenerator:
        """Moves, too, what is not registered."""
        super()._apply(fn, recurse)
        self.tokenizer._apply(fn)  # noqa: SLF001 - torch has no other way to follow .to()
        return self


def find_tokenizer(tokenizer: str | Mapping[str, Any], spec: MotionSpec) -> tuple[MotionTokenizer, str | None]:
    """A trained motion tokenizer and the sha256 of its weights; an untrained one, from {name, settings}, has none.

    Errors: those of finding a checkpoint; ConfigError for a model of another kind, or of another representation,
    skeleton or frame rate than ``spec``; WeightsError for tensors that are not of it.
    """
    given = {"spec": spec, "slots": ()}
    if not isinstance(tokenizer, str):
        unknown = set(tokenizer) - {"name", "settings"}
        if unknown or "name" not in tokenizer:
            raise ConfigError(f"tokenizer: got keys {sorted(tokenizer)}; give a checkpoint, or name, settings")
        where = "tokenizer"
        return registry.build(
            "motion_tokens", tokenizer["name"], tokenizer.get("settings"), where=where, given=given
        ), None
    card, tensors = checkpoint_part(tokenizer, "")
    if card.model.kind != "motion_tokens":
        raise ConfigError(f"tokenizer: {tokenizer} is a {card.model.name}, no motion tokenizer")
    for key in ("representation", "skeleton", "fps"):
        if card.spec[key] != getattr(spec, key):
            raise ConfigError(
                f"tokenizer: {tokenizer} has {key} {card.spec[key]!r}, this model {getattr(spec, key)!r}; "
                "they must be the same"
            )
    words = {key: card.spec[key] for key in ("representation", "skeleton", "fps", "units")}
    own = MotionSpec(**words, mean=tensors.pop("spec.mean"), std=tensors.pop("spec.std"))
    given = {"spec": own, "slots": tuple(card.slots)}
    made = registry.build("motion_tokens", card.model.name, card.model.settings, where=tokenizer, given=given)
    prefix = "trainable."
    try:
        made.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    except RuntimeError as error:
        raise WeightsError(f"{tokenizer}: its weights are not of a {card.model.name}: {error}") from error
    return made.eval(), str(card.weights["sha256"])


@torch.no_grad()
def code_features(tokenizer: MotionTokenizer) -> Tensor:
    """(Q * codes, stride * D) what every code decodes to, in a motion of that code alone, normalised over the codes.

    The other codebooks of a residual tokenizer are at code 0.
    """
    rows = []
    for q in range(tokenizer.codebooks):
        ids = torch.zeros(tokenizer.codes, 3, tokenizer.codebooks, dtype=torch.int64)
        ids[..., q] = torch.arange(tokenizer.codes)[:, None]
        made = tokenizer.decode(Tokens(ids, torch.full((tokenizer.codes,), 3)))
        middle = tokenizer.spec.normalise(made.x[:, tokenizer.stride : 2 * tokenizer.stride]).flatten(1)
        rows.append((middle - middle.mean(0)) / middle.std(0).clamp(min=1e-6))
    return torch.cat(rows).float()
