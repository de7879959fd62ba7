"""From prosody to a talking body, in one call: what the planner generates with and what data are made by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from motion_platform.core.schema import Word
from motion_platform.motion.gesturing.accents import accents_of, phrases_of
from motion_platform.motion.gesturing.emotions import Manner
from motion_platform.motion.gesturing.library import Library
from motion_platform.motion.gesturing.perform import perform
from motion_platform.motion.gesturing.plan import GesturePlan, plan


@dataclass(frozen=True)
class Talk:
    """joints (T, 52, 3) metres and local rotations (T, 52, 4) xyzw of skeleton ``humanml3d_hands``; their plan."""

    joints: np.ndarray
    rotations: np.ndarray
    plan: GesturePlan


def talk(
    prosody: np.ndarray,
    rate: float,
    frames: int,
    fps: float,
    library: Library,
    random: np.random.Generator,
    *,
    manner: Manner = Manner(),
    words: Sequence[Word] = (),
    marks: Sequence[float] = (),
    amplitude: float = 1.0,
) -> Talk:
    """A body that talks for ``frames`` frames. prosody: (N, 4) at ``rate`` a second (audio/prosody.py).

    marks, words: as :func:`motion_platform.motion.gesturing.plan.plan` takes them. amplitude: factor on the size of
    gestures, beside that of the manner. Without speech and marks the person stands and breathes.
    """
    made = plan(
        accents_of(prosody, rate),
        phrases_of(prosody, rate),
        frames / fps,
        library,
        random,
        manner=manner,
        words=words,
        marks=marks,
    )
    joints, rotations = perform(made, frames, fps, library, manner, amplitude)
    return Talk(joints, rotations, made)
