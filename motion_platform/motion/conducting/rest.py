"""Hands that come to rest where the music does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from motion_platform.audio.listening import sounding
from motion_platform.core.schema import Audio, Motion
from motion_platform.motion.representations import get_representation


def at_rest(motion: Motion, raw: Mapping[str, Sequence[Any]]) -> Motion:
    """The motion at rest, in the training data's mean pose, where nothing sounds for longer than ``listening.PAUSE``.

    raw: what each slot was given; the first recording of a row is what it is conducted to, and a row without samples is
    left as it is. For representations made of positions alone, where a share of two poses is a pose.
    """
    if set(get_representation(motion.spec.representation).groups) != {"positions"}:
        return motion
    share = torch.ones(motion.x.shape[:2])
    kept: dict[int, torch.Tensor] = {}
    heard = [next((v for v in row if isinstance(v, Audio)), None) for row in zip(*raw.values(), strict=True)]
    for b, audio in enumerate(heard):
        if audio is not None and audio.samples is not None:
            if id(audio) not in kept:
                kept[id(audio)] = torch.from_numpy(sounding(audio, motion.x.shape[1], motion.spec.fps))
            share[b] = kept[id(audio)]
    if bool((share == 1).all()):
        return motion
    parts = share.to(motion.x)[..., None]
    rest = motion.spec.mean.to(motion.x)
    x = torch.where(motion.mask[..., None], rest + parts * (motion.x - rest), 0.0)
    return Motion(x, motion.lengths, motion.spec)
