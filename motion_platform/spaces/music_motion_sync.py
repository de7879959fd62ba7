"""Do this music and this conducting belong together, moment by moment? The contrastive stage of conducting.

Liu, Chen et al. 2022, "Self-Supervised Music Motion Synchronization Learning for Music-Driven Conducting Motion
Generation" (https://doi.org/10.1007/s11390-022-2030-z), section 4, and Diffusion-Conductor (arXiv:2306.10065), section
3.3: an encoder of music and a graph convolutional one of motion give 64 numbers at 30 Hz each; dense layers say, frame
by frame, whether they go together (binary cross-entropy). Negatives are the motion of another piece (easy), of the same
piece 10 seconds or more away (hard), and shifted by 0.5 to 5 seconds (super-hard).

``fusion: clip`` is the variant that Diffusion-Conductor wishes for (section 5.1, "without dense layers"): the cosine
of both embeddings, frame by frame, with a learned scale and threshold, all pairs of the batch against each other
(the sigmoid loss of SigLIP, Zhai et al. 2023, arXiv:2303.15343).

Clips are cut out of what the encoders make of the whole window, not before it: the same numbers but for their edges,
which so give no hint, at a third of the cost of encoding every clip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motion_platform.core.contracts import Space
from motion_platform.core.errors import ConfigError, DataError
from motion_platform.core.schema import Batch, Condition, Motion, MotionSpec
from motion_platform.motion.skeleton import get_skeleton
from motion_platform.nn.stgcn import STGCN

REPRESENTATION = "conductor"
KINDS = ("easy", "hard", "super_hard")
Kind = Literal["easy", "hard", "super_hard"]
SLOWER, FASTER = 0.5, 5.0
"""Seconds by which a super-hard negative is shifted."""
CERTAIN = 1e-6
"""Probabilities are kept so far from 0 and 1: the logarithm of neither is of use."""


@dataclass
class Clips:
    """P pairs of clips of one length: row ``rows[p]`` from frame ``first[p]``, row ``others[p]`` from ``second[p]``."""

    rows: Tensor
    others: Tensor
    first: Tensor
    second: Tensor


class MusicMotionSync(Space):
    """Embeds music and conducting so that what belongs together is told from what does not.

    layers, motion_width: of the motion's graph convolutions (published: 10 of 32); the music's network is the recipe's
    encoder, whose own numbers are read, before any projection (``dim`` of them). fusion: "dense" as
    published or "clip". negatives: the kinds that training uses, all in every step (published: hard, the first epoch
    easy). clip_seconds, apart: length of a clip and how far hard negatives lie away (published: 10 and 10, out of
    windows of 30).
    """

    def __init__(
        self,
        spec: MotionSpec,
        slots: Sequence[str],
        *,
        layers: int = 10,
        motion_width: int = 32,
        dim: int = 64,
        fusion: Literal["dense", "clip"] = "dense",
        negatives: list[Kind] = ["easy", "hard", "super_hard"],
        clip_seconds: float = 10.0,
        apart: float = 10.0,
    ) -> None:
        super().__init__()
        if spec.representation != REPRESENTATION:
            raise ConfigError(f"music_motion_sync: reads representation {REPRESENTATION}, got {spec.representation}")
        if len(slots) > 1:
            raise ConfigError(f"music_motion_sync: listens to one slot, got {', '.join(slots)}")
        if not negatives or not clip_seconds * spec.fps >= 2 or not apart >= 0:
            raise ConfigError(
                f"music_motion_sync: negatives {negatives}, clip_seconds {clip_seconds:g}, apart {apart:g}; at least "
                "one kind, clips of two frames or more, and no negative distance"
            )
        self.spec, self.slots, self.dim = spec, tuple(slots), dim
        self.width = 0
        self.fusion, self.negatives = fusion, list(negatives)
        self.clip, self.apart = round(clip_seconds * spec.fps), round(apart * spec.fps)
        self.shifts = round(SLOWER * spec.fps), round(FASTER * spec.fps)
        skeleton = get_skeleton(spec.skeleton)
        self.motion_network = STGCN(len(skeleton), skeleton.edges, layers=layers, width=motion_width, dim=dim)
        if fusion == "dense":
            sizes = [nn.Conv1d(2 * dim, dim, 1), nn.ReLU(), nn.Conv1d(dim, dim, 1), nn.ReLU(), nn.Conv1d(dim, 1, 1)]
            self.fuse = nn.Sequential(*sizes)
        else:
            self.scale, self.bias = nn.Parameter(torch.tensor(10.0).log()), nn.Parameter(torch.tensor(-2.0))

    # what the two encoders see

    def motion_features(self, motion: Motion) -> Tensor:
        """(B, T, dim): a row a frame; padding counts nothing. Errors: DataError for another skeleton or rate, a NaN."""
        own, given = self.spec, motion.spec
        if (given.representation, given.skeleton, given.fps) != (own.representation, own.skeleton, own.fps):
            raise DataError(
                f"music_motion_sync: the motion is {given.representation} of skeleton {given.skeleton} at "
                f"{given.fps:g} fps, but this space reads {own.representation} of {own.skeleton} at {own.fps:g} fps"
            )
        x = torch.where(motion.mask[..., None], motion.x, motion.x.new_zeros(()))
        if not torch.isfinite(x).all():
            raise DataError("music_motion_sync: a motion has a NaN or infinite value")
        whole = bool(motion.mask.all())
        return self.motion_network(x.unflatten(2, (-1, 2)), None if whole else motion.mask)

    def music_features(self, given: Mapping[str, Condition]) -> tuple[Tensor, Tensor]:
        """(B, N, dim) of the music at the motion's rate, and the mask (B, N). Errors: DataError without music."""
        if not self.slots or self.slots[0] not in given:
            raise DataError("music_motion_sync: there is no music; the space needs its slot filled")
        condition = given[self.slots[0]]
        if condition.encoded is None or condition.encoded.shape[-1] != self.dim:
            got = "none" if condition.encoded is None else str(condition.encoded.shape[-1])
            raise DataError(f"music_motion_sync: needs {self.dim} numbers a token of the music's encoder, got {got}")
        if condition.rate_hz is not None and condition.rate_hz != self.spec.fps:
            raise DataError(f"music_motion_sync: music at {condition.rate_hz:g} Hz, motion at {self.spec.fps:g}")
        return condition.encoded, condition.mask[:, 1:]

    def embed(self, motion: Motion) -> Tensor:
        """(B, dim): the motion's features, averaged over its frames."""
        return _mean(self.motion_features(motion), motion.mask)

    def embed_condition(self, given: Mapping[str, Condition]) -> Tensor:
        """(B, dim): the music's features, averaged over its tokens."""
        return _mean(*self.music_features(given))

    # what goes together

    def logits(self, music: Tensor, motion: Tensor) -> Tensor:
        """(B, T, dim) of both -> (B, T): above 0 where they go together."""
        if self.fusion == "dense":
            return self.fuse(torch.cat([music, motion], -1).transpose(1, 2))[:, 0]
        cosine = (F.normalize(music, dim=-1) * F.normalize(motion, dim=-1)).sum(-1)
        return self.scale.exp() * cosine + self.bias

    def sync_probability(self, given: Mapping[str, Condition], motion: Motion) -> Tensor:
        """(B,) in [0, 1]: how sure it is that the motions belong to their music, averaged over the frames of both."""
        music, heard = self.music_features(given)
        seen = self.motion_features(motion)
        frames = min(music.shape[1], seen.shape[1])
        mask = heard[:, :frames] & motion.mask[:, :frames]
        frame = self.logits(music[:, :frames], seen[:, :frames]).sigmoid()
        return _mean(frame[..., None], mask)[:, 0]

    def sync_scores(
        self, given: Mapping[str, Condition], motion: Motion, *, draws: int = 4, seed: int = 0
    ) -> dict[str, Tensor]:
        """kind -> (B, 2): of every row the part of frames and the part of pairs that are right; NaN where it is short.

        A frame is right where a true pair is above 1/2 and a negative below: the published accuracy
        (``M2SNet_eval.py``; half of the frames are of true pairs). A pair is right where both true pairs together are
        surer than both negatives, half right where they are equal: this needs no threshold. ``draws`` pairs of clips
        are drawn of every row with ``seed``; the other piece of an easy one is the next row.
        """
        music, seen, lengths = self._both(given, motion)
        draw = torch.Generator().manual_seed(seed)
        scores = {}
        for kind in KINDS:
            total, counts = music.new_zeros(len(lengths), 2), music.new_zeros(len(lengths), 1)
            for _ in range(draws):
                clips = self._draw(kind, lengths, draw)
                if not len(clips.rows):
                    break
                true, false = self._pairs(music, seen, clips)
                frames = ((true > 0).float().mean((0, 2)) + (false < 0).float().mean((0, 2))) / 2
                surer = true.sigmoid().mean((0, 2)) - false.sigmoid().mean((0, 2))
                total.index_add_(0, clips.rows, torch.stack([frames, (surer.sign() + 1) / 2], 1))
                counts.index_add_(0, clips.rows, counts.new_ones(len(clips.rows), 1))
            scores[kind] = total / counts  # 0 / 0 where a row is too short
        return scores

    def loss(self, batch: Batch, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        """Binary cross-entropy over true pairs and negatives, half each, averaged over the kinds.

        Parts: ``sync_<kind>`` the loss and ``right_<kind>`` the part of frames with the right answer. Errors: DataError
        without motion or music, and for windows that are too short for a kind of negatives.
        """
        if batch.motion is None:
            raise DataError("music_motion_sync: the batch has no motion")
        music, seen, lengths = self._both(given, batch.motion)
        total, parts = music.new_zeros(()), {}
        for kind in self.negatives:
            clips = self._draw(kind, lengths, None)
            if not len(clips.rows):
                raise DataError(self._too_short(kind, int(lengths.max()), len(lengths)))
            true, false = self._pairs(music, seen, clips)
            with torch.autocast(music.device.type, enabled=False):
                term = self._cross_entropy(true.float(), false.float())
                if self.fusion == "clip" and kind == "easy":
                    term = self._all_pairs(music, seen, clips)
            parts[f"sync_{kind}"] = term.detach()
            parts[f"right_{kind}"] = ((true > 0).float().mean() + (false < 0).float().mean()) / 2
            total = total + term / len(self.negatives)
        return {"loss": total, **parts}

    def _both(self, given: Mapping[str, Condition], motion: Motion) -> tuple[Tensor, Tensor, Tensor]:
        """Features (B, T, dim) of music and motion, and the frames (B,) that both have."""
        music, heard = self.music_features(given)
        seen = self.motion_features(motion)
        frames = min(music.shape[1], seen.shape[1])
        return music[:, :frames], seen[:, :frames], torch.minimum(heard.sum(1), motion.lengths).clamp(max=frames)

    def _draw(self, kind: str, lengths: Tensor, generator: torch.Generator | None) -> Clips:
        """A pair of clips of every row that is long enough, at random (PairBuilder of the published code)."""
        length = lengths.cpu()
        spare = length - self.clip
        least = {"easy": 0, "hard": self.apart, "super_hard": self.shifts[0]}[kind]
        rows = (spare >= least).nonzero()[:, 0]
        if kind == "easy" and len(rows) < 2:
            rows = rows[:0]
        others = rows.roll(-1) if kind == "easy" else rows
        spare = torch.minimum(spare[rows], spare[others])

        def up_to(most: Tensor) -> Tensor:
            return (torch.rand(len(rows), generator=generator) * (most + 1)).long().minimum(most)

        if kind == "easy":
            first = second = up_to(spare)
        elif kind == "hard":
            first = up_to(spare - self.apart)
            second = first + self.apart + up_to(spare - self.apart - first)
        else:
            shift = self.shifts[0] + up_to(spare.clamp(max=self.shifts[1]) - self.shifts[0])
            first = up_to(spare - shift)
            second = first + shift
        return Clips(*(index.to(lengths.device) for index in (rows, others, first, second)))

    def _cut(self, features: Tensor, rows: Tensor, starts: Tensor) -> Tensor:
        """(P, clip, dim) of (B, T, dim)."""
        frames = starts[:, None] + torch.arange(self.clip, device=starts.device)
        return features[rows[:, None], frames]

    def _pairs(self, music: Tensor, seen: Tensor, clips: Clips) -> tuple[Tensor, Tensor]:
        """Logits (2, P, clip) of the true pairs, and of the negatives."""
        music_1, seen_1 = (self._cut(x, clips.rows, clips.first) for x in (music, seen))
        music_2, seen_2 = (self._cut(x, clips.others, clips.second) for x in (music, seen))
        true = torch.stack([self.logits(music_1, seen_1), self.logits(music_2, seen_2)])
        return true, torch.stack([self.logits(music_1, seen_2), self.logits(music_2, seen_1)])

    def _cross_entropy(self, true: Tensor, false: Tensor) -> Tensor:
        """Of the mean probability of a clip's frames as published; of the mean logit without dense layers."""
        if self.fusion == "clip":
            return (F.softplus(-true.mean(-1)).mean() + F.softplus(false.mean(-1)).mean()) / 2
        sure, unsure = (x.sigmoid().mean(-1).clamp(CERTAIN, 1 - CERTAIN) for x in (true, false))
        return -(sure.log().mean() + (1 - unsure).log().mean()) / 2

    def _all_pairs(self, music: Tensor, seen: Tensor, clips: Clips) -> Tensor:
        """Every music of the batch against every motion, frame by frame, true pairs and negatives half each."""
        heard, moved = (F.normalize(self._cut(x, clips.rows, clips.first).float(), dim=-1) for x in (music, seen))
        logits = self.scale.exp() * torch.einsum("ptd,qtd->pq", heard, moved) / self.clip + self.bias
        own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
        return (F.softplus(-logits[own]).mean() + F.softplus(logits[~own]).mean()) / 2

    def _too_short(self, kind: str, longest: int, rows: int) -> str:
        least = self.clip + {"easy": 0, "hard": self.apart, "super_hard": self.shifts[0]}[kind]
        if kind == "easy" and longest >= least:
            return f"music_motion_sync: easy negatives need two pieces in a batch, got {rows}; raise train.batch_size"
        return (
            f"music_motion_sync: {kind} negatives need {least} frames, and the longest window here has {longest}; "
            "raise data.max_frames, or lower clip_seconds or apart"
        )


def _mean(features: Tensor, mask: Tensor) -> Tensor:
    """(B, T, K), (B, T) -> (B, K): over the real frames; 0 where there are none."""
    mask = mask[..., None].to(features.dtype)
    return (features * mask).sum(1) / mask.sum(1).clamp(min=1)
