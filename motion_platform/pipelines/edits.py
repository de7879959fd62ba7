"""From a clip to an edited one, and to one completed as a task's card says: what ``motion edit`` does, and
``motion generate --motion``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from motion_platform.core.errors import UsageError, suggest
from motion_platform.core.schema import Edit, Motion, Sampling
from motion_platform.model import editing
from motion_platform.model.keeping import edit_for
from motion_platform.model.run import Run
from motion_platform.motion import io
from motion_platform.motion.bodies import clips_of, features_of
from motion_platform.motion.clip import Clip
from motion_platform.motion.intervals import runs
from motion_platform.pipelines.generate import Report, frames_of, named
from motion_platform.pipelines.provenance import provenance
from motion_platform.pipelines.texts import slots_of

KEEP = ("prefix", "in_between", "upper_body", "lower_body", "keyframes")


def complete(
    run: Run,
    motion: Clip | Sequence[Clip] | str | Path,
    *,
    texts: Sequence[str | None] = (),
    low_texts: Sequence[str | None] = (),
    seconds: Sequence[float] = (),
    samples: int = 1,
    seed: int = 0,
    sampling: Sampling | None = None,
    progress: Report | None = None,
) -> list[Clip]:
    """A clip, several, or all motions of a file, completed as the task's card says; at most one text of each kind.

    Errors: UsageError for a task that completes none, and for a length, which is that of the motion given; DataError.
    """
    check_completion(run, texts, low_texts, seconds)
    text, low = (each[0] if each else None for each in (texts, low_texts))
    if isinstance(motion, (str, Path)):
        clips: Sequence[Clip] = io.load_all(motion)
    else:
        clips = [motion] if isinstance(motion, Clip) else motion
    return [
        made
        for clip in clips
        for made in edit(run, clip, None, text, low, samples=samples, seed=seed, sampling=sampling, progress=progress)
    ]


def check_completion(
    run: Run, texts: Sequence[str | None], low_texts: Sequence[str | None], seconds: Sequence[float]
) -> None:
    """UsageError for a task that completes no motion, and for what it does not take beside one."""
    if run.task.keep is None:
        raise UsageError(f"--motion: task {run.task.task} completes no motion; use motion edit with --keep")
    if seconds:
        raise UsageError("--seconds: a completed motion is as long as the one given; use motion edit --keep prefix")
    if len(texts) > 1 or len(low_texts) > 1:
        raise UsageError(f"--text: got {len(texts)} texts; a completed motion takes one")


def edit(
    run: Run,
    clip: Clip,
    keep: str | None,
    text: str | None,
    low_text: str | None = None,
    *,
    seconds: float | None = None,
    keep_seconds: float = 1.0,
    frames: Sequence[int] = (),
    names: str | Path | None = None,
    samples: int = 1,
    seed: int = 0,
    sampling: Sampling | None = None,
    progress: Report | None = None,
) -> list[Clip]:
    """Make the rest of a motion anew and keep ``keep`` of it (None: what the task's card says).

    prefix: the first ``keep_seconds``, continued to ``seconds`` in all. in_between: the first and the last
    ``keep_seconds``. upper_body, lower_body: the features of these joints (the root belongs to the lower body).
    keyframes: the frames named (at the model's frame rate, from 0). The clip is first retargeted to the model's
    skeleton (``names``: joint names of its own), put on the floor at the origin and turned to face Z+. Without texts
    the model does as it likes. Errors: UsageError, DataError.
    """
    if keep is None and run.task.keep is None:
        raise UsageError(f"--keep: is missing; allowed: {', '.join(KEEP)}; or a --task whose card says what to keep")
    spec = run.model.spec
    raw = slots_of(run, [text] * samples, [low_text] * samples)
    features = features_of(clip, spec, names)
    total = len(features)
    if seconds is not None:
        if keep != "prefix":
            raise UsageError("--seconds: only --keep prefix changes the length of a motion")
        total = frames_of(seconds, spec.fps)
    whole = Motion(features[None], torch.tensor([len(features)]), spec)
    if keep is None:
        assert run.task.keep is not None  # refused above
        kept, keep = edit_for(run.task.keep, whole, [clip.name]), run.task.task
    else:
        kept = edit_of(whole, keep, total, keep_seconds, frames)
    ids = [f"{text or ''}|{low_text or ''}|{k}" for k in range(samples)]
    spread = Edit(kept.x.expand(samples, -1, -1), kept.keep.expand(samples, -1, -1))
    asked = replace(sampling or Sampling(), progress=named(progress, clip.name))
    motion = run.model.generate(raw, [total] * samples, ids, seed=seed, sampling=asked, edit=spread)
    given = [[start / spec.fps, end / spec.fps] for start, end in runs(kept.keep[0, :total].any(-1).cpu().numpy())]
    info = provenance(run, seed) | {"keep": keep, "kept": given, "source": clip.name}
    captions = tuple(t for t in (text, low_text) if t)
    return [
        made.with_(name=f"{clip.name}_{keep}_{k + 1:03d}", captions=captions, info={**info, "sample": k})
        for k, made in enumerate(clips_of(motion))
    ]


def edit_of(motion: Motion, keep: str, total: int, keep_seconds: float, frames: Sequence[int]) -> Edit:
    """The edit of one motion in the words of the command. UsageError for what leaves nothing to keep or to make."""
    if keep not in KEEP:
        raise UsageError(f"--keep: got {keep!r}; {suggest(keep, KEEP)}")
    if keep in ("upper_body", "lower_body"):
        return editing.body_part(motion, "lower_body" if keep == "upper_body" else "upper_body")
    have, lengths = int(motion.lengths[0]), torch.tensor([total])
    if keep == "keyframes":
        wrong = [f for f in frames if not 0 <= f < have]
        if wrong or not frames:
            raise UsageError(f"--frames: got {wrong or 'none'}; allowed: frames from 0 to {have - 1}")
        return editing.key_frames(motion, frames)
    if not math.isfinite(keep_seconds):
        raise UsageError(f"--keep-seconds: got {keep_seconds:g}; write a number of seconds")
    edge = round(keep_seconds * motion.spec.fps)
    needed = edge if keep == "prefix" else 2 * edge
    if edge < 1 or needed >= total or edge > have:
        raise UsageError(
            f"--keep-seconds: keeps {needed} of {total} frames (the motion has {have}); allowed: at least 1 frame, "
            "and at least 1 frame left to make"
        )
    return editing.in_between(motion, keep_seconds, keep_seconds if keep == "in_between" else 0.0, lengths)
