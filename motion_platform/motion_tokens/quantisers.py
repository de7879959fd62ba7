"""From a vector a step to code numbers and back, through vector-quantize-pytorch.

A quantiser has ``codes`` (K, how many a codebook has), ``codebooks`` (Q), and two ways through: forward and ``read``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from motion_platform.core.errors import ConfigError


class Quantiser(nn.Module, ABC):
    """z (B, S, C), mask (B, S) -> quantised (B, S, C) with a gradient, ids (B, S, Q), commitment loss (scalar)."""

    codes: int
    codebooks: int

    @abstractmethod
    def forward(self, z: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]: ...

    @abstractmethod
    def read(self, ids: Tensor) -> Tensor:
        """(B, S, Q) code numbers -> (B, S, C)."""


class Codebooks(Quantiser):
    """One codebook, or several of which each codes what those before it left over (residual quantisation).

    Codes follow a moving average of what they stand for (van den Oord et al. 2017, arXiv:1711.00937, appendix A.1) and
    start from k-means of the first batch; one that stands for less than ``dead_below`` vectors of a batch is put on a
    vector of the batch (code reset of T2M-GPT, section 3.1). Residual: Zeghidour et al. 2021 (arXiv:2107.03312,
    algorithm 1), as in MoMask (Guo et al. 2024, arXiv:2312.00063, section 3.1), with its dropout of the last codebooks
    in training, so that the first alone can be read as well.
    """

    def __init__(
        self, width: int, codes: int, codebooks: int, *, code_width: int, decay: float, dead_below: float, dropout: bool
    ) -> None:
        super().__init__()
        from vector_quantize_pytorch import ResidualVQ, VectorQuantize

        self.codes, self.codebooks = codes, codebooks
        # Not the library's own projection: with a mask it compares codes with vectors before the projection.
        narrow = code_width != width
        self.enter = nn.Linear(width, code_width) if narrow else nn.Identity()
        self.leave = nn.Linear(code_width, width) if narrow else nn.Identity()
        shared = {
            "dim": code_width,
            "codebook_size": codes,
            "decay": decay,
            "kmeans_init": True,
            "threshold_ema_dead_code": dead_below,
            "commitment_weight": 1.0,
            "rotation_trick": False,
        }
        if codebooks == 1:
            self.book: nn.Module = VectorQuantize(**shared)
        else:
            self.book = ResidualVQ(num_quantizers=codebooks, quantize_dropout=dropout, **shared)

    def forward(self, z: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        quantised, ids, loss = self.book(self.enter(z), mask=mask)
        return self.leave(quantised), ids.reshape(*ids.shape[:2], self.codebooks), loss.sum() / self.codebooks

    def read(self, ids: Tensor) -> Tensor:
        return self.leave(self.book.get_output_from_indices(ids[..., 0] if self.codebooks == 1 else ids))


class FiniteScalar(Quantiser):
    """No codebook: every number of a short vector is rounded to one of a few levels (Mentzer et al. 2023,
    arXiv:2309.15505). Codes cannot die, and there is no commitment loss."""

    codebooks = 1

    def __init__(self, width: int, levels: Sequence[int]) -> None:
        super().__init__()
        from vector_quantize_pytorch import FSQ

        if not levels or min(levels) < 3:
            raise ConfigError(f"fsq.levels: got {list(levels)}; allowed: one or more numbers from 3 on")
        self.book = FSQ(list(levels), dim=width)
        self.codes = int(self.book.codebook_size)

    def forward(self, z: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        quantised, ids = self.book(z)
        return quantised, ids[..., None].long(), quantised.new_zeros(())

    def read(self, ids: Tensor) -> Tensor:
        return self.book.indices_to_codes(ids[..., 0].to(torch.int32))
