"""Motion as discrete tokens: a convolutional auto-encoder with a codebook in the middle.

Sources: T2M-GPT (Zhang et al., CVPR 2023, arXiv:2301.06052, section 3.1); MotionGPT (Jiang et al., NeurIPS 2023,
arXiv:2306.14795, section 3.1); residual codebooks: MoMask (Guo et al., CVPR 2024, arXiv:2312.00063, section 3.1);
finite scalars: Mentzer et al. 2023 (arXiv:2309.15505).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from motion_platform.core.contracts import MotionTokenizer
from motion_platform.core.errors import ConfigError, DataError
from motion_platform.core.schema import Batch, Condition, Motion, MotionSpec, Tokens, length_mask
from motion_platform.motion.representations import get_representation
from motion_platform.motion_tokens.quantisers import Codebooks, FiniteScalar, Quantiser
from motion_platform.nn.convolutions import BlockMaker, Decoder, Encoder, ResidualBlock, dilations


class ConvolutionalTokenizer(MotionTokenizer):
    """Encoder, quantiser, decoder. What differs between tokenizers is the quantiser and the block of the networks.

    patch: frames that are laid side by side before the first layer. strides: a stage of the networks each.
    ``stride`` = patch x product of strides. dilation: see ``nn.convolutions.dilations``.
    """

    def __init__(
        self,
        spec: MotionSpec,
        slots: Sequence[str],
        quantiser: Quantiser,
        block: BlockMaker,
        *,
        width: int,
        strides: Sequence[int],
        patch: int,
        depth: int,
        dilation: int,
        velocity_loss: float,
        commitment_loss: float,
        position_loss: float,
    ) -> None:
        super().__init__()
        for setting, value in (("strides", min(strides, default=0)), ("patch", patch), ("depth", depth)):
            if value < 1:
                raise ConfigError(f"tokenizer.{setting}: got {value}; allowed: 1 or more")
        self.spec, self.slots, self.width = spec, tuple(slots), width
        self.patch, self.stride = patch, patch * math.prod(strides)
        self.codes, self.codebooks = quantiser.codes, quantiser.codebooks
        self.velocity_loss, self.commitment_loss = velocity_loss, commitment_loss
        self.position_loss = position_loss
        spread = dilations(depth, dilation)
        self.encoder = Encoder(patch * spec.dim, width, width, strides, spread, block)
        self.quantiser = quantiser
        self.decoder = Decoder(patch * spec.dim, width, width, strides, spread, block)

    # ---------------------------------------------------------------- the two ways through

    @torch.no_grad()
    def encode(self, motion: Motion) -> Tokens:
        """Motion in raw units -> Tokens; lengths in steps, rounded up: the last frame is held to fill its step.

        Errors: DataError for a motion of other features, without frames, or with a NaN.
        """
        x, mask = self._read(motion)
        steps = -(-motion.lengths // self.stride)
        _, ids, _ = self._quantise(self._latent(x, mask), length_mask(steps, x.shape[1] // self.stride))
        real = length_mask(steps, ids.shape[1])
        return Tokens(torch.where(real[..., None], ids, 0), steps)

    @torch.no_grad()
    def decode(self, tokens: Tokens) -> Motion:
        """Tokens -> Motion in raw units, ``stride`` frames a step.

        Errors: DataError for another number of codebooks, no steps, or an id that is no code.
        """
        ids = self.check(tokens)
        mask = length_mask(tokens.lengths, ids.shape[1])
        x = self._decoded(self.quantiser.read(torch.where(mask[..., None], ids, 0)), mask)
        lengths = tokens.lengths * self.stride
        x = self.spec.restore(x) * length_mask(lengths, x.shape[1])[..., None]
        return Motion(x, lengths, self.spec)

    def check(self, tokens: Tokens) -> Tensor:
        """The ids (B, S, Q), refused with a DataError where they cannot be decoded."""
        ids = tokens.ids
        if ids.ndim != 3 or ids.shape[2] != self.codebooks:
            raise DataError(
                f"tokens: got shape {tuple(ids.shape)}; allowed: (B, S, {self.codebooks}), as this tokenizer has "
                f"{self.codebooks} codebook{'s' * (self.codebooks > 1)}"
            )
        if not len(tokens.lengths) or int(tokens.lengths.min()) < 1 or int(tokens.lengths.max()) > ids.shape[1]:
            raise DataError(f"tokens: lengths {tokens.lengths.tolist()}; allowed: 1 to {ids.shape[1]} steps")
        wrong = ((ids < 0) | (ids >= self.codes)).any(-1) & length_mask(tokens.lengths, ids.shape[1])
        if wrong.any():
            b, s = (int(i) for i in wrong.nonzero()[0])
            raise DataError(f"tokens: row {b}, step {s}: got {ids[b, s].tolist()}; allowed: 0 to {self.codes - 1}")
        return ids

    # ---------------------------------------------------------------- training

    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """{"loss", "rec", "velocity", "commitment"[, "position"]}; parts are unweighted.

        rec, velocity: smooth L1 of normalised features and of their differences between frames. commitment: squared
        distance of the encoder's vectors to their codes. position: mean distance of decoded joints, in metres.
        """
        return self._losses(batch, given)[0]

    def _losses(self, batch: Batch, given: Mapping[str, Condition]) -> tuple[dict[str, Tensor], Tensor]:
        """The losses, and the latents (B, S, C) for those who want more of them."""
        if batch.motion is None:
            raise DataError("motion tokenizer: the batch has no motion to learn from")
        x, mask = self._read(batch.motion)
        steps = -(-batch.motion.lengths // self.stride)
        latent = self._latent(x, mask)
        step_mask = length_mask(steps, latent.shape[1])
        z, _, commitment = self._quantise(latent, step_mask)
        made = self._decoded(z, step_mask).float()
        frames = mask[..., None].expand_as(x)
        parts = {"rec": _mean(F.smooth_l1_loss(made, x, reduction="none"), frames)}
        moves = F.smooth_l1_loss(torch.diff(made, dim=1), torch.diff(x, dim=1), reduction="none")
        parts["velocity"] = _mean(moves, frames[:, 1:])
        parts["commitment"] = commitment
        total = parts["rec"] + self.velocity_loss * parts["velocity"] + self.commitment_loss * commitment
        if self.position_loss:
            decode = get_representation(self.spec.representation).decode
            apart = decode(self.spec.restore(made)) - decode(self.spec.restore(x))
            apart = apart - apart[:, :, :1]
            distance = (apart.square().sum(-1) + 1e-6).sqrt()
            parts["position"] = _mean(distance, mask[..., None].expand_as(distance))
            total = total + self.position_loss * parts["position"]
        return {"loss": total, **parts}, latent

    # ---------------------------------------------------------------- parts

    def _read(self, motion: Motion) -> tuple[Tensor, Tensor]:
        """Normalised (B, T', D) and mask (B, T'), T' and every row's length a multiple of the stride."""
        if motion.spec.representation != self.spec.representation or motion.x.shape[-1] != self.spec.dim:
            raise DataError(
                f"motion tokenizer: got {motion.spec.representation} ({motion.x.shape[-1]} features); it was trained "
                f"on {self.spec.representation} ({self.spec.dim})"
            )
        lengths = motion.lengths
        if not len(lengths) or int(lengths.min()) < 1:
            raise DataError("motion tokenizer: a motion without frames has no tokens; allowed: 1 frame or more")
        frames = int(lengths.max())
        padded = -(-frames // self.stride) * self.stride
        x = motion.x[:, :frames]
        if int(lengths.min()) < padded:  # hold the last frame
            at = torch.arange(padded, device=x.device)[None, :].minimum((lengths - 1)[:, None])
            x = x.gather(1, at[..., None].expand(-1, -1, x.shape[2]))
        if not torch.isfinite(x).all():
            b = int((~torch.isfinite(x)).flatten(1).any(1).nonzero()[0])
            raise DataError(f"motion tokenizer: motion {b} has a NaN or infinite value")
        mask = length_mask(-(-lengths // self.stride) * self.stride, padded)
        return self.spec.normalise(x) * mask[..., None], mask

    def _latent(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T', D) -> (B, S, C)."""
        mask = mask[:, :: self.patch]
        h = x.unflatten(1, (-1, self.patch)).flatten(2).transpose(1, 2)
        return self.encoder(h, _channels(mask)).transpose(1, 2)

    def _quantise(self, latent: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Always in float32: distances in bfloat16 choose wrong codes."""
        with torch.autocast(latent.device.type, enabled=False):
            return self.quantiser(latent.float(), None if mask.all() else mask)

    def _decoded(self, z: Tensor, mask: Tensor) -> Tensor:
        """(B, S, C) -> (B, S x stride, D) normalised."""
        h = self.decoder(z.transpose(1, 2), _channels(mask)).transpose(1, 2)
        return h.unflatten(2, (self.patch, -1)).flatten(1, 2)


class VQVAE(ConvolutionalTokenizer):
    """Vector-quantised auto-encoder. The defaults are T2M-GPT's and MotionGPT's: 512 codes of 512 numbers, stride 4.

    codebooks: more than one makes it residual (MoMask has six). code_width: numbers a code has; fewer than ``width``
    puts a linear layer to each side of the codebook. decay, dead_below: see ``quantisers.Codebooks``. dropout: train
    a residual one so that its first codebooks alone can be read as well.
    """

    def __init__(
        self,
        spec: MotionSpec,
        slots: Sequence[str] = (),
        *,
        codes: int = 512,
        codebooks: int = 1,
        code_width: int = 512,
        width: int = 512,
        strides: list[int] = [2, 2],
        patch: int = 1,
        depth: int = 3,
        dilation: int = 3,
        decay: float = 0.99,
        dead_below: float = 1.0,
        dropout: bool = False,
        velocity_loss: float = 0.5,
        commitment_loss: float = 0.02,
        position_loss: float = 0.0,
    ) -> None:
        quantiser = Codebooks(
            width, codes, codebooks, code_width=code_width, decay=decay, dead_below=dead_below, dropout=dropout
        )
        super().__init__(
            spec,
            slots,
            quantiser,
            ResidualBlock,
            width=width,
            strides=strides,
            patch=patch,
            depth=depth,
            dilation=dilation,
            velocity_loss=velocity_loss,
            commitment_loss=commitment_loss,
            position_loss=position_loss,
        )


class FSQVAE(ConvolutionalTokenizer):
    """The same with finite scalars in the middle. levels: of every number; 8 x 8 x 8 are 512 codes."""

    def __init__(
        self,
        spec: MotionSpec,
        slots: Sequence[str] = (),
        *,
        levels: list[int] = [8, 8, 8],
        width: int = 512,
        strides: list[int] = [2, 2],
        patch: int = 1,
        depth: int = 3,
        dilation: int = 3,
        velocity_loss: float = 0.5,
        position_loss: float = 0.0,
    ) -> None:
        super().__init__(
            spec,
            slots,
            FiniteScalar(width, levels),
            ResidualBlock,
            width=width,
            strides=strides,
            patch=patch,
            depth=depth,
            dilation=dilation,
            velocity_loss=velocity_loss,
            commitment_loss=0.0,
            position_loss=position_loss,
        )


def _channels(mask: Tensor) -> Tensor | None:
    """(B, T) -> (B, 1, T), or None where all is real."""
    return None if mask.all() else mask[:, None]


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp(min=1)
