"""Which kind of motion and which style a text asks for, read from the token states of its encoder.

Two to four clips of a kick beside four hundred of a walk teach a generator little of how kicks are asked for, and that
is a question of words alone. So a small network reads labels from the text (it can be trained on sentences by the
thousand in minutes), and the generator is given a vector of what was read beside the words themselves: a label has a
row of its own in a table, weighted by the probability that the text asks for it, as the class of a class-conditional
generator has (MDM, Tevet et al. 2023, arXiv:2209.14916, section 5.2: "action-to-motion").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion_platform.core.errors import ConfigError, DataError
from motion_platform.core.schema import Batch, Condition
from motion_platform.texts.kinds import kind_of
from motion_platform.texts.wordings import names_of

OTHER = "other"
"""The label of a text that asks for none of the others, where a target lists it."""
POOLS = 6
"""Four weighted means, the plain mean and the maximum."""
SMOOTHING = 0.05
SHARPNESS = 3
"""Power of the probabilities in a generator's vector: a text asks for one kind, and half of each of two is neither."""


class TextLabels(nn.Module):
    """Target -> probabilities of its labels, from token states (B, N, ``encoder_width``), and one vector of them.

    targets: target -> its labels, as ``{"content": ["walk", "kick", "other"], "style": ["normal", "sad"]}``. A label of
    the data counts as the kind that words it (texts/wordings.py), and as ``other`` where nothing does. width: of the
    vector, which is zero at first and where no text is given. Errors: ConfigError for a target of fewer than two
    labels.
    """

    def __init__(
        self,
        encoder_width: int,
        targets: Mapping[str, Sequence[str]],
        width: int,
        *,
        part: int = 64,
        hidden: int = 96,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        for target, labels in targets.items():
            if len(labels) < 2 or len(set(labels)) != len(labels):
                raise ConfigError(f"labels.{target}: needs two or more different labels, got {list(labels)}")
        self.encoder_width, self.targets = encoder_width, {name: tuple(labels) for name, labels in targets.items()}
        self.norm = nn.LayerNorm(encoder_width)
        self.attend = nn.Linear(encoder_width, POOLS - 2)
        self.enter = nn.Linear(encoder_width, part)
        self.read = nn.Sequential(nn.Linear(POOLS * part, hidden), nn.GELU())
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict({name: nn.Linear(hidden, len(labels)) for name, labels in self.targets.items()})
        self.size = width**0.5  # rows that grow by a learning rate a step would not be seen beside codes of this size
        self.rows = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(len(labels), width)) for name, labels in self.targets.items()}
        )

    def _pooled(self, text: Condition) -> Tensor:
        """(B, hidden). Errors: DataError for a condition without the encoder's own tokens of this width."""
        states, mask = text.encoded, text.mask[:, 1:]
        if states is None or states.shape[-1] != self.encoder_width:
            got = "none" if states is None else str(states.shape[-1])
            raise DataError(f"labels: needs the encoder's own tokens of width {self.encoder_width}, got {got}")
        weight = self.norm.weight
        x = self.norm(states.to(weight)) * mask[..., None]
        if not x.shape[1]:  # nobody says anything
            x, mask = x.new_zeros(len(x), 1, self.encoder_width), mask.new_zeros(len(x), 1)
        off = ~mask[..., None]
        share = self.attend(x).masked_fill(off, -1e4).softmax(1)
        seen = F.gelu(self.enter(x)).masked_fill(off, 0.0)
        mean = seen.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        highest = seen.masked_fill(off, -1e4).amax(1).clamp(min=-1.0)  # GELU is never below -0.17
        pooled = torch.cat([torch.einsum("bnk,bnd->bkd", share, seen).flatten(1), mean, highest], 1)
        return self.read(pooled)

    def probabilities(self, text: Condition) -> dict[str, Tensor]:
        """Target -> (B, labels), which add up to 1. Errors: DataError for a condition without the encoder's own tokens
        of this width."""
        read = self._pooled(text)
        return {name: head(read).float().softmax(-1) for name, head in self.heads.items()}

    def vector(self, text: Condition) -> Tensor:
        """(B, width): the rows of the labels by their sharpened probabilities; zero where no text is given. What is
        read is not changed by what a generator makes of it."""
        with torch.no_grad():
            read = {name: found**SHARPNESS for name, found in self.probabilities(text).items()}
            read = {name: found / found.sum(-1, keepdim=True) for name, found in read.items()}
        total = torch.stack([read[name].to(rows) @ rows for name, rows in self.rows.items()]).sum(0)
        return total * (told(text)[:, None] * self.size)

    def losses(
        self, text: Condition, labels: Sequence[Mapping[str, str]], said: Sequence[object] | None = None
    ) -> dict[str, Tensor]:
        """Target -> cross-entropy over the rows that have a text and a label, and ``TARGET_right``, the share of them
        that is read rightly. labels: one dict a row, as in ``Batch.labels``; said: the texts (:meth:`index`)."""
        told_of = list(zip(labels, said or [None] * len(labels), strict=True))
        given, losses, read = told(text), {}, self.dropout(self._pooled(text))
        for name, head in self.heads.items():
            logits = head(read)
            wanted = torch.tensor([self.index(name, *each) for each in told_of], device=logits.device)
            rows = given & (wanted >= 0)
            share = rows.sum().clamp(min=1)
            error = F.cross_entropy(
                logits.float(),
                wanted.clamp(min=0),
                reduction="none",
                label_smoothing=SMOOTHING if self.training else 0.0,
            )
            losses[name] = (error * rows).sum() / share
            losses[f"{name}_right"] = ((logits.argmax(-1) == wanted) & rows).sum() / share
        return losses

    def parts(self, text: Condition, batch: Batch, slot: str) -> dict[str, Tensor]:
        """{"labels": the sum of the errors, TARGET_right: ...} of a batch in training. slot: that of the texts."""
        found = self.losses(text, batch.labels or [{}] * len(batch.ids), batch.raw.get(slot))
        error = torch.stack([found[name] for name in self.targets]).sum()
        return {"labels": error, **{name: part for name, part in found.items() if name not in self.targets}}

    def index(self, target: str, labels: Mapping[str, str], said: object = None) -> int:
        """The place of a clip's label in a target ("Bow": bow), -1 where it says nothing of it. said: its text; a clip
        of another kind, or of none, whose text names one that many know ("a person walks forward") says nothing."""
        listed, label = self.targets[target], labels.get(target)
        for name in () if label is None else (label, label.lower(), *names_of(label)):
            if name in listed:
                return listed.index(name)
        styled = label is None and labels.get("style")  # a style alone says nothing of the kind
        if OTHER not in listed or styled or (said is not None and kind_of([str(said)]) is not None):
            return -1
        return listed.index(OTHER)


def told(text: Condition) -> Tensor:
    """(B,) True where a text is given."""
    return text.mask[:, 1:].any(1)
