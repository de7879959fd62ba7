"""Motion files as tokens and back: what ``motion tokenize`` and ``motion detokenize`` do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from motion_platform.core import cards, config, weight_files
from motion_platform.core.checkpoint_files import WEIGHTS
from motion_platform.core.config import Component, Strict
from motion_platform.core.contracts import MotionTokenizer
from motion_platform.core.errors import DataError, UnknownName, UsageError, WeightsError
from motion_platform.core.files import atomic_path
from motion_platform.core.opening import read_json
from motion_platform.core.schema import Motion, Tokens
from motion_platform.model.run import Run, load_run
from motion_platform.motion.bodies import clips_of, features_of
from motion_platform.motion.clip import Clip
from motion_platform.motion_tokens.streaming import decode_stream
from motion_platform.motion_tokens.vqvae import ConvolutionalTokenizer

FORMAT = "motion tokens 1"
PIECE = 256
"""Steps that are decoded at a time, so that memory does not grow with the length of a motion."""


class TokenizerCard(Strict):
    """``tokenizers/*.yaml``: one motion tokenizer.

    checkpoint: a shipped name or a folder, trained by the recipe ``recipe``. sha256: of its weights (None: not
    shipped).
    """

    tokenizer: str
    title: str
    source: str
    representation: str
    stride: int = Field(ge=1)
    codes: int = Field(ge=2)
    codebooks: int = Field(ge=1)
    model: Component
    recipe: str
    checkpoint: str
    sha256: str | None = None


class _Row(Strict):
    name: str
    frames: int = Field(ge=1)
    ids: list[list[int]] = Field(min_length=1)


class TokenFile(Strict):
    """What ``motion tokenize`` writes, as JSON. ids: a list of Q code numbers for every step of every motion."""

    format: str
    tokenizer: str
    sha256: str
    representation: str
    fps: float
    stride: int
    codes: int
    codebooks: int
    motions: list[_Row] = Field(min_length=1)


@dataclass
class Written:
    """One motion as tokens: name, frames, ids (S, Q)."""

    name: str
    frames: int
    ids: torch.Tensor


def read_card(name: str) -> TokenizerCard:
    """A tokenizer card by name or path. Errors: UnknownName, ConfigError."""
    path = cards.find("tokenizers", name)
    return config.check(TokenizerCard, config.read_yaml(path), path)


def load(name: str, device: str = "cpu") -> Run:
    """A trained tokenizer by the name of its card, a shipped name or a checkpoint folder.

    Errors: UnknownName; UsageError for a model of another kind, or a card whose tokenizer is not shipped; WeightsError
    for weights that are not those of the card.
    """
    place = name
    if name in cards.names("tokenizers"):
        card = read_card(name)
        try:
            place = str(weight_files.find_checkpoint(card.checkpoint))
        except UnknownName as error:
            raise UsageError(f"tokenizer {name}: is not shipped; train it: motion train {card.recipe}") from error
        if card.sha256 is not None:
            weight_files.verify(Path(place) / WEIGHTS, card.sha256)
    run = load_run(place, device=device)
    if not isinstance(run.model.trainable, MotionTokenizer):
        raise UsageError(f"{name}: is a {run.model.card.model.name}, not a motion tokenizer")
    return run


def _tokenizer(run: Run) -> ConvolutionalTokenizer:
    if not isinstance(run.model.trainable, ConvolutionalTokenizer):
        raise UsageError(f"{run.model.card.name} is a {run.model.card.model.name}, no convolutional motion tokenizer")
    return run.model.trainable


def tokenize(run: Run, clips: Sequence[Clip], names: str | Path | None = None) -> list[Written]:
    """Clips of any skeleton -> tokens. Errors: those of retargeting; DataError for a clip of one frame."""
    found, tokenizer = [], _tokenizer(run)
    for clip in clips:
        x = features_of(clip, run.model.spec, names)
        motion = Motion(x[None], torch.tensor([len(x)]), run.model.spec).to(run.model.device)
        found.append(Written(clip.name, len(x), tokenizer.encode(motion).ids[0].cpu()))
    return found


def detokenize(run: Run, written: Sequence[Written]) -> list[Clip]:
    """Tokens -> clips. DataError for tokens that the tokenizer does not have."""
    clips, tokenizer = [], _tokenizer(run)
    for each in written:
        tokenizer.check(Tokens(each.ids[None], torch.tensor([len(each.ids)])))
        pieces = (piece[None].to(run.model.device) for piece in each.ids.split(PIECE))
        x = torch.cat(list(decode_stream(tokenizer, pieces)), 1)[:, : each.frames]
        info = {"tokenizer": run.model.card.name}
        (clip,) = clips_of(Motion(x, torch.tensor([x.shape[1]]), run.model.spec))
        clips.append(clip.with_(name=each.name, info=info))
    return clips


def write(path: Path, run: Run, written: Sequence[Written]) -> None:
    """Write a token file, whole or not at all. OutputError when the disk refuses."""
    tokenizer, card = run.model.trainable, run.model.card
    head: dict[str, Any] = {
        "format": FORMAT,
        "tokenizer": card.name,
        "sha256": str(card.weights.get("sha256", "")),
        "representation": tokenizer.spec.representation,
        "fps": tokenizer.spec.fps,
        "stride": tokenizer.stride,
        "codes": tokenizer.codes,
        "codebooks": tokenizer.codebooks,
    }
    rows = [{"name": each.name, "frames": each.frames, "ids": each.ids.tolist()} for each in written]
    lines = ",\n  ".join(json.dumps(row, separators=(",", ":")) for row in rows)
    text = json.dumps(head, indent=1).removesuffix("\n}") + f',\n "motions": [\n  {lines}\n ]\n}}\n'
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read(path: Path) -> TokenFile:
    """Read and check a token file. Errors: DataError, ConfigError."""
    values = read_json(path, what="tokens")
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        got = values.get("format") if isinstance(values, dict) else type(values).__name__
        raise DataError(f"{path}: is no file of tokens (format {got!r}); this program reads {FORMAT!r}")
    found = config.check(TokenFile, values, path)
    for row in found.motions:
        wrong = next((step for step in row.ids if len(step) != found.codebooks), None)
        if wrong is not None:
            raise DataError(f"{path}: motion {row.name!r}: got {wrong}; a step has {found.codebooks} number(s)")
        wrong = next((step for step in row.ids if any(not 0 <= number < found.codes for number in step)), None)
        if wrong is not None:
            raise DataError(f"{path}: motion {row.name!r}: got {str(wrong)[:60]}; allowed: 0 to {found.codes - 1}")
        if not len(row.ids) * found.stride >= row.frames > (len(row.ids) - 1) * found.stride:
            raise DataError(
                f"{path}: motion {row.name!r}: {row.frames} frames do not fit {len(row.ids)} steps of {found.stride}"
            )
    return found


def of_file(found: TokenFile, run: Run, path: Path) -> list[Written]:
    """The motions of a token file, for the tokenizer that wrote it. WeightsError for another one."""
    sha256 = str(run.model.card.weights.get("sha256", ""))
    if found.sha256 != sha256:
        raise WeightsError(
            f"{path}: was written by {found.tokenizer} ({found.sha256[:16]}...), this is {run.model.card.name} "
            f"({sha256[:16]}...); tokens can be read only by the tokenizer that wrote them"
        )
    return [Written(row.name, row.frames, torch.tensor(row.ids)) for row in found.motions]
