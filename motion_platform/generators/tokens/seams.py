"""Given frames put back into a motion that was written around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from motion_platform.core.errors import UsageError
from motion_platform.core.schema import Edit, Motion, length_mask
from motion_platform.motion.representations import get_representation

if TYPE_CHECKING:
    from motion_platform.generators.tokens.masked import MaskedTokens


def paste(x: Tensor, lengths: Tensor, edit: Edit, blend: int, representation: str) -> Tensor:
    """x (B, T, D) with the kept frames exactly as given, and what is left at each seam spread over ``blend`` frames.

    At a seam the made frame beside the kept one is off by d, the difference of what was made and given in the kept
    frame; d, fading as a raised cosine, is added to the made frames. Speeds are left as they are made.
    """
    keep = edit.keep.all(-1).to(x.device)
    given = edit.x.to(x)
    off = torch.where(keep[..., None], given - x, 0.0)
    off[..., get_representation(representation).speeds] = 0.0
    out = x.clone()
    for b in range(len(x)):
        n = int(lengths[b])
        places = keep[b, :n].nonzero().flatten()
        if not len(places):
            continue
        t = torch.arange(n, device=x.device)
        after = torch.searchsorted(places, t, right=True) - 1  # the last kept frame at or before t
        before = torch.searchsorted(places, t)  # the first kept one at or after it
        move = torch.zeros_like(out[b, :n])
        weight = torch.zeros(n, 1, device=x.device)
        for index, there in ((after, after >= 0), (before, before < len(places))):
            frame = places[index.clamp(0, len(places) - 1)]
            far = (t - frame).abs()
            fade = torch.where(there & (far <= blend), 0.5 + 0.5 * torch.cos(torch.pi * far / (blend + 1)), 0.0)
            move += fade[:, None] * off[b, frame]
            weight += fade[:, None]
        out[b, :n] += move / weight.clamp(min=1)  # between two near seams the fades share
        out[b, :n] = torch.where(keep[b, :n, None], given[b, :n], out[b, :n])
    return out


def given_steps(whole: Tensor, inside: Tensor, stride: int) -> Tensor:
    """(B, T) whole frames that are kept, and frames that are in the motion -> (B, S) which steps are given.

    A step is given when all of its frames are; the one beside a gap only where no other is beside it, because a
    tokenizer's encoder looks over the edge.
    """
    padded = F.pad(whole, (0, -whole.shape[1] % stride)).unflatten(1, (-1, stride))
    beyond = F.pad(~inside, (0, -whole.shape[1] % stride), value=True).unflatten(1, (-1, stride))
    kept = (padded | beyond).all(-1) & padded.any(-1)
    ended = beyond.all(-1)
    before = F.pad(kept | ended, (1, 0), value=True)[:, :-1]
    after = F.pad(kept | ended, (0, 1), value=True)[:, 1:]
    inner = kept & before & after
    beside = F.pad(inner, (1, 0))[:, :-1] | F.pad(inner, (0, 1))[:, 1:]
    return inner | (kept & ~beside)


def given_codes(model: MaskedTokens, edit: Edit, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """(codes (B, S, Q), which steps are given (B, S)) of what an edit keeps of motions of ``lengths`` (B,) frames.

    Errors: UsageError for an edit that keeps parts of a frame.
    """
    whole = edit.keep.all(-1)
    if bool((edit.keep.any(-1) != whole).any()):
        raise UsageError(
            f"--keep: {model.called} keeps whole frames, not parts of the body; a diffusion model (mdm) does"
        )
    frames = edit.x.shape[1]
    # Where nothing is given, the nearest given frame is held: the encoder sees a few frames to each side.
    place = torch.arange(frames, device=edit.x.device)
    far = torch.where(whole[:, None, :], (place[:, None] - place[None]).abs()[None], frames * 2)
    near = far.argmin(-1)
    filled = edit.x.gather(1, near[..., None].expand(-1, -1, edit.x.shape[-1]))
    tokens = model.tokenizer.encode(Motion(filled.to(model.books), lengths, model.spec))
    inside = length_mask(lengths.to(whole.device), frames)
    kept = given_steps(whole, inside, model.stride)
    return tokens.ids, kept[:, : tokens.ids.shape[1]].to(tokens.ids.device)
