"""The space of the official text-motion evaluator, in which the papers' FID and R-precision are measured.

Guo et al. 2022 (Generating Diverse and Natural 3D Human Motions from Text, section 6.1 and its supplement), checked
against the released code. A motion without its four foot contacts goes through two convolutions, which make one
"movement" of four frames, and a two-way GRU; a caption's GloVe vectors and tags (the encoder ``glove_tags``) go
through a two-way GRU of their own. Embeddings are compared by Euclidean distance.

Three things are done once and only here, because doing them elsewhere or twice is what published numbers suffered
from: the evaluator's own mean and standard deviation (they are this space's ``spec``), lengths divided by four, and
caption lengths counted without padding. The rest of a batch has no influence: motions are continued by the mean pose,
as the official loader does, up to the 196 frames that the evaluator was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

from motion_platform.core.contracts import Space
from motion_platform.core.errors import DataError, WeightsError
from motion_platform.core.schema import Batch, Condition, Motion, MotionSpec, length_mask
from motion_platform.motion.representations import get_representation

UNIT = 4
"""Frames a movement."""
CONTACTS = 4
"""The last features of a frame, which the evaluator does not see."""
PARTS = ("movement_encoder", "text_encoder", "motion_encoder")


class _Movement(nn.Module):
    """(B, T, D) -> (B, T / 4, W): two convolutions of kernel 4 and stride 2, then a linear layer."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for size in (features, width):
            layers += [nn.Conv1d(size, width, 4, stride=2, padding=1), nn.Dropout(0.2), nn.LeakyReLU(0.2)]
        self.main = nn.Sequential(*layers)
        self.out_net = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.out_net(self.main(x.transpose(1, 2)).transpose(1, 2))


class _Recurrent(nn.Module):
    """A sequence (B, N, C) with lengths -> (B, E): both last states of a two-way GRU with learned first states."""

    def __init__(self, features: int, width: int, embedding: int, tags: int | None = None) -> None:
        super().__init__()
        if tags is not None:
            self.pos_emb = nn.Linear(tags, features)
        self.input_emb = nn.Linear(features, width)
        self.gru = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.output_net = nn.Sequential(
            nn.Linear(2 * width, width), nn.LayerNorm(width), nn.LeakyReLU(0.2), nn.Linear(width, embedding)
        )
        self.hidden = nn.Parameter(torch.randn(2, 1, width))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.input_emb(x), lengths.cpu(), batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed, self.hidden.repeat(1, len(x), 1))
        return self.output_net(torch.cat([last[0], last[1]], 1))


class Guo(Space):
    """The evaluator; ``load_published`` fills it with the released weights.

    spec: the evaluator's representation (``humanml3d`` or ``kit_ml``) with the evaluator's statistics, which are not
    those of the data a generator was trained on. A motion in another representation of the same skeleton and frame
    rate is converted through its joints. words, tags: what the encoder gives. max_frames: what it was trained on.
    margin: of the training loss (mismatched pairs are pushed that far apart; Hadsell et al. 2006, equation 4).
    """

    width = 0
    """The conditioning's own projection is not used (the evaluator has its input layers): as small as can be."""

    def __init__(
        self,
        spec: MotionSpec,
        slots: Sequence[str],
        *,
        movement: int = 512,
        motion_width: int = 1024,
        text_width: int = 512,
        embedding: int = 512,
        words: int = 300,
        tags: int = 15,
        max_frames: int = 196,
        margin: float = 10.0,
    ) -> None:
        super().__init__()
        self.spec, self.slots = spec, tuple(slots)
        self.words, self.tags, self.max_frames, self.margin = words, tags, max_frames, margin
        self.movement_encoder = _Movement(spec.dim - CONTACTS, movement)
        self.motion_encoder = _Recurrent(movement, motion_width, embedding)
        self.text_encoder = _Recurrent(words, text_width, embedding, tags)

    def load_published(self, path: Path) -> None:
        """Read ``text_mot_match/model/finest.tar``. Errors: WeightsError for another file or other sizes."""
        try:
            saved = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # not a torch file, truncated, or it wants to run code
            raise WeightsError(f"{path}: cannot be read as weights: {' '.join(str(error).split())[:200]}") from error
        for part in PARTS:
            if not isinstance(saved, dict) or part not in saved:
                raise WeightsError(f"{path}: has no {part!r}; give text_mot_match/model/finest.tar of the evaluator")
            try:
                getattr(self, part).load_state_dict(saved[part])
            except RuntimeError as error:
                detail = " ".join(str(error).split())[:200]
                raise WeightsError(f"{path}: {part} does not fit {self.spec.representation}: {detail}") from error

    def embed(self, motion: Motion) -> Tensor:
        """(B, E), not normalised. Frames after the last whole movement of four are not seen.

        Errors: DataError for another skeleton or frame rate, a NaN, fewer than 4 frames or more than ``max_frames``.
        """
        lengths = torch.div(motion.lengths, UNIT, rounding_mode="floor")  # the one division by four
        shortest, longest = int(motion.lengths.min()), int(motion.lengths.max())
        if shortest < UNIT or longest > self.max_frames:
            raise DataError(
                f"guo: a motion has {shortest if shortest < UNIT else longest} frames; the evaluator reads {UNIT} to "
                f"{self.max_frames}: leave it out or cut it"
            )
        x = self.spec.normalise(self._features(motion))
        frames = min(self.max_frames, int(lengths.max()) * UNIT + UNIT)  # one more movement: what the last one sees
        x = F.pad(x, (0, 0, 0, max(0, frames - x.shape[1])))[:, :frames]
        x = x.masked_fill(~length_mask(lengths * UNIT, frames)[..., None], 0.0)
        return self.motion_encoder(self.movement_encoder(x[..., :-CONTACTS]), lengths)

    def _features(self, motion: Motion) -> Tensor:
        """(B, T, D) raw features in the evaluator's representation."""
        given, own = motion.spec, self.spec
        if given.skeleton != own.skeleton or given.fps != own.fps:
            raise DataError(
                f"guo: the motion has skeleton {given.skeleton} at {given.fps:g} fps, but this evaluator was trained "
                f"on {own.representation} ({own.skeleton} at {own.fps:g} fps); retarget the motion, or take another one"
            )
        if not torch.isfinite(motion.x[motion.mask]).all():
            raise DataError("guo: the motion has a NaN or infinite value")
        x = torch.where(motion.mask[..., None], motion.x, motion.x.new_zeros(()))
        if given.representation == own.representation:
            return x
        decoded = get_representation(given.representation).decode(x).detach().cpu().numpy()
        encode, rows = get_representation(own.representation).encode, []
        for joints, length in zip(decoded, motion.lengths.tolist(), strict=True):
            last = 2 * joints[length - 1] - joints[length - 2]  # T features are made of T + 1 poses: go on as before
            rows.append(torch.from_numpy(encode(np.concatenate([joints[:length], last[None]]))))
        return pad_sequence(rows, batch_first=True).to(x)

    def embed_condition(self, given: Mapping[str, Condition]) -> Tensor:
        """(B, E) of captions, as ``glove_tags`` encodes them. Errors: DataError for anything else, or an empty one."""
        if not self.slots:
            raise DataError("guo: this space was made without a text slot; it embeds motion alone")
        condition = given[self.slots[0]]
        encoded, mask = condition.encoded, condition.mask[:, 1:]
        if encoded is None or encoded.shape[-1] != self.words + self.tags:
            got = "none" if encoded is None else encoded.shape[-1]
            raise DataError(
                f"guo: slot {self.slots[0]} has {got} numbers a token, not {self.words} + {self.tags}; its encoder "
                "must be glove_tags"
            )
        lengths = mask.sum(1)  # up to and including eos: padding is not in the mask
        if int(lengths.min()) < 1:
            raise DataError(f"guo: caption {int(lengths.argmin())} of the batch is empty; leave the clip out")
        words, tags = encoded.split([self.words, self.tags], -1)
        return self.text_encoder(words + self.text_encoder.pos_emb(tags), lengths)

    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """Squared distance of matching pairs plus squared lack of distance of mismatched ones, up to the margin.

        Parts: ``matched``, ``mismatched``. Clip b is mismatched with a caption that chance picks for all b together.
        Errors: DataError without motion.
        """
        if batch.motion is None:
            raise DataError("guo: the batch has no motion")
        motion, text = self.embed(batch.motion), self.embed_condition(given)
        matched = (motion - text).square().sum(1).mean()
        shift = int(torch.randint(1, max(2, len(text)), ()))
        away = F.pairwise_distance(motion, text.roll(shift, 0))
        mismatched = (self.margin - away).clamp(min=0).square().mean()
        return {"loss": matched + mismatched, "matched": matched.detach(), "mismatched": mismatched.detach()}
