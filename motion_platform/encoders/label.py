"""One learned vector a label: styles, speakers, emotions, actions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import nn

from motion_platform.core.contracts import Encoder
from motion_platform.core.errors import DataError, UnknownName
from motion_platform.core.schema import Condition


class LabelEncoder(Encoder):
    """Label -> one learned token of ``dim`` numbers. Trained with the model and saved in its checkpoint.

    learned False: a token is 1 at its label's place and 0 elsewhere (one-hot), nothing is trained, and ``dim`` is not
    used; the model's projection then holds a vector a label and one that all share.

    Errors: ValueError for an empty list of labels or a label given twice; when encoding, UnknownName with the nearest.
    """

    reads = "label"
    frozen = False

    def __init__(self, labels: list[str], dim: int = 64, learned: bool = True) -> None:
        super().__init__()
        if not labels or len(set(labels)) != len(labels) or not all(label.strip() for label in labels):
            raise ValueError(f"labels: got {labels!r}; give at least one label, each once and none empty")
        if dim < 1:
            raise ValueError(f"dim: got {dim}; at least 1 number a label")
        self.labels, self.dim, self.frozen = list(labels), dim if learned else len(labels), not learned
        self.index = {label: i for i, label in enumerate(labels)}
        self.table = nn.Embedding(len(labels), self.dim)
        if not learned:
            self.table = nn.Embedding.from_pretrained(torch.eye(len(labels)))

    def forward(self, raw: Sequence[str]) -> Condition:
        """B labels -> tokens (B, 1, C), mask (B, 1); the empty label has no real token."""
        ids = []
        for i, label in enumerate(raw):
            if not isinstance(label, str):
                raise DataError(f"labels[{i}]: got {type(label).__name__}, expected a label (a str)")
            if label and label not in self.index:
                raise UnknownName("label", label, self.labels, f"labels[{i}]")
            ids.append(self.index.get(label, -1))
        chosen = torch.tensor(ids, dtype=torch.long, device=self.table.weight.device)[:, None]
        real = chosen >= 0
        return Condition(self.table(chosen.clamp_min(0)) * real[..., None], real)

    def fingerprint(self) -> str:
        digest = hashlib.sha256(repr((type(self).__qualname__, self.labels, self.dim)).encode())
        digest.update(self.table.weight.detach().float().cpu().numpy().tobytes())
        return digest.hexdigest()
