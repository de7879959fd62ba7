"""From a clip to sentences that say what it shows: what ``motion caption`` does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from motion_platform.core.errors import UsageError
from motion_platform.core.schema import Motion, Sampling
from motion_platform.core.seeding import NoiseSource
from motion_platform.model.run import Run
from motion_platform.motion.bodies import features_of
from motion_platform.motion.clip import Clip

AT_ONCE = 32
"""Windows read together; what is said does not depend on it."""


@dataclass(frozen=True)
class Caption:
    """What is said of a part of a clip, from ``start`` to ``end`` in seconds. sample: which of several answers. by: the
    model that says it, or ``measurements``: what was measured of the body, where the model is not sure what it does.
    """

    clip: str
    start: float
    end: float
    text: str
    sample: int = 0
    by: str = ""


def caption_clips(
    run: Run,
    clips: Sequence[Clip],
    *,
    samples: int = 1,
    seed: int = 0,
    sampling: Sampling | None = None,
    names: str | Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Caption]:
    """``samples`` captions for every clip; a clip that is longer than the model reads gets one for every window.

    The clips are retargeted to the model's skeleton (``names``: joint names of their own). A caption depends on the
    clip, its name, the sample and the seed, not on what else is asked in the same call.
    Errors: UsageError, DataError (a clip with fewer than two frames at the model's rate).
    """
    if samples < 1:
        raise UsageError(f"--samples: got {samples}; at least 1 is needed")
    spec, model = run.model.spec, run.model.trainable
    seconds = model.describes_seconds
    longest = getattr(model, "max_frames", None) if seconds is None else round(seconds * spec.fps)
    jobs: list[tuple[Clip, int, int, torch.Tensor, int]] = []
    for clip in clips:
        features = features_of(clip, spec, names)
        for start, end in windows(len(features), longest):
            jobs += [(clip, start, end, features[start:end], k) for k in range(samples)]
    found = []
    for first in range(0, len(jobs), AT_ONCE):
        part = jobs[first : first + AT_ONCE]
        lengths = torch.tensor([len(x) for *_, x, _ in part])
        x = torch.zeros(len(part), int(lengths.max()), spec.dim)
        for b, (*_, own, _) in enumerate(part):
            x[b, : len(own)] = own
        ids = [f"{clip.name}|{start}|{k}" for clip, start, _, _, k in part]
        motion = Motion(x, lengths, spec).to(run.model.device)
        with torch.no_grad():
            said = model.statements(motion, noise=NoiseSource(ids, seed), sampling=sampling or Sampling())
        for (clip, start, end, _, k), each in zip(part, said, strict=True):
            by = each.by or run.model.card.name
            found.append(Caption(clip.name, start / spec.fps, end / spec.fps, each.text, k, by))
        if progress is not None:
            progress("captions", len(found), len(jobs))
    return found


def windows(frames: int, most: int | None) -> list[tuple[int, int]]:
    """[(start, end)] of equal parts of at most ``most`` frames that follow each other; None: all in one.

    Equal, so that no rest is too short to show something: a clip just over the limit becomes two halves.
    """
    count = 1 if most is None else -(-frames // most)
    edges = [k * frames // count for k in range(count + 1)]
    return list(itertools.pairwise(edges))
