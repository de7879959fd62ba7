"""From a vector a step to code numbers and back, through vector-quantize-pytorch.

A quantiser has ``codes`` (K, how many a codebook has), ``codebooks`` (Q), and two ways through: forward and ``read``.
Codebooks are read without the library, which loads einx, sympy and torch's compiler: more than a second of a command
that only makes a motion.
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


class Book(nn.Module):
    """One codebook: its K codes, how often each was chosen, and whether they have been set, under the names that
    vector-quantize-pytorch gives them."""

    def __init__(self, codes: int, width: int) -> None:
        super().__init__()
        self._codebook = nn.Module()
        self._codebook.register_buffer("initted", torch.tensor(False))
        self._codebook.register_buffer("cluster_size", torch.ones(1, codes))
        self._codebook.register_buffer("embed_avg", torch.zeros(1, codes, width))
        self._codebook.register_buffer("embed", torch.zeros(1, codes, width))

    @property
    def codebook(self) -> Tensor:
        """(K, C)"""
        return self._codebook.get_buffer("embed")[0]

    def lend(self, learner: nn.Module) -> None:
        """Give the library's codebook these tensors, which it changes in place, for its own."""
        codebook = learner.get_submodule("_codebook")
        for name, value in self._codebook.named_buffers():
            codebook.register_buffer(name, value)


class Books(nn.Module):
    """Several codebooks, each for what those before it left over."""

    def __init__(self, books: Sequence[Book]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(books)


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
        self.codes, self.codebooks = codes, codebooks
        # Not the library's own projection: with a mask it compares codes with vectors before the projection.
        narrow = code_width != width
        self.enter = nn.Linear(width, code_width) if narrow else nn.Identity()
        self.leave = nn.Linear(code_width, width) if narrow else nn.Identity()
        books = [Book(codes, code_width) for _ in range(codebooks)]
        self.book: nn.Module = books[0] if codebooks == 1 else Books(books)
        self._settings = {
            "dim": code_width,
            "codebook_size": codes,
            "decay": decay,
            "kmeans_init": True,
            "threshold_ema_dead_code": dead_below,
            "commitment_weight": 1.0,
            "rotation_trick": False,
        }
        self._dropout = dropout
        self._learner: tuple[nn.Module, ...] = ()  # in a tuple, so that it is no part of the module and its state

    @property
    def books(self) -> list[Book]:
        """The Q codebooks, in order."""
        return [module for module in self.book.modules() if isinstance(module, Book)]

    def _library(self) -> nn.Module:
        """The library's quantiser on our codes."""
        from vector_quantize_pytorch import ResidualVQ, VectorQuantize

        if not self._learner:
            if self.codebooks == 1:
                self._learner = (VectorQuantize(**self._settings),)
            else:
                made = ResidualVQ(num_quantizers=self.codebooks, quantize_dropout=self._dropout, **self._settings)
                self._learner = (made,)
        learner = self._learner[0].to(self.books[0].codebook.device).train(self.training)
        for i, book in enumerate(self.books):
            book.lend(learner if self.codebooks == 1 else learner.get_submodule(f"layers.{i}"))
        return learner

    def forward(self, z: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        quantised, ids, loss = self._library()(self.enter(z), mask=mask)
        return self.leave(quantised), ids.reshape(*ids.shape[:2], self.codebooks), loss.sum() / self.codebooks

    def read(self, ids: Tensor) -> Tensor:
        books = torch.stack([book.codebook for book in self.books])  # (Q, K, C)
        order = torch.arange(self.codebooks, device=ids.device)[:, None, None]
        return self.leave(books[order, ids.permute(2, 0, 1)].sum(0))


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
