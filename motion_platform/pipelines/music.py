"""From a recording to clips that move to it, with its sound and its beats: ``motion generate TASK --music FILE``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from motion_platform.audio import mel, reading
from motion_platform.core.errors import UnknownName, UsageError
from motion_platform.core.schema import Audio, Motion, Sampling
from motion_platform.encoders import librosa_beats
from motion_platform.generators.diffusion.windows import seam_report
from motion_platform.model.run import Run
from motion_platform.motion.clip import Clip
from motion_platform.motion.representations import get_representation
from motion_platform.pipelines.generate import check_filled, clips_of

LONGEST = 2 * 3600.0
"""Seconds of one recording."""
STREAMED = 600.0
"""Seconds from which a recording's mel is made in blocks: the same numbers in a fraction of the memory."""
FRAMES_AT_ONCE = 30_000
"""Frames made together (a thousand seconds at 30 fps); the result does not depend on it."""
BEYOND = 60.0
"""Seconds that are heard after the place where a recording is cut: what the beat is, is heard in the long run."""
SILENT = 10 ** (-60 / 20)
"""Amplitude (of full scale 1) below which nothing is heard: -60 dB."""
PAUSE, SETTLE = 1.0, 0.8
"""Seconds that nothing must sound before hands come to rest, and that coming to rest and leaving it take."""


def listen(path: str | Path, seconds: float | None = None) -> Audio:
    """A recording, or its first ``seconds``, ready for an encoder: mono samples, and the mel of a long one.

    Errors: DataError of ``audio.reading.load``; UsageError for what is longer than ``LONGEST`` or an impossible cut.
    """
    check_cut(seconds)
    pieces, heard, most = [], 0, round((seconds or LONGEST) * reading.RATE)
    for piece in reading.blocks(path):
        pieces.append(piece)
        heard += len(piece)
        if heard > most:
            if seconds is None:
                raise UsageError(f"{path}: is longer than {LONGEST / 3600:g} hours; cut it, or give --seconds")
            break
    samples = np.concatenate(pieces)[:most]
    audio = Audio(len(samples) / reading.RATE, samples, reading.RATE, {})
    if seconds is None and audio.seconds > STREAMED:
        audio = replace(audio, features={"mel": np.concatenate(list(mel.stream(path)))})
    return audio


def check_cut(seconds: float | None) -> None:
    """UsageError for a cut that is none: None cuts nothing."""
    if seconds is not None and not (math.isfinite(seconds) and reading.SHORTEST <= seconds <= LONGEST):
        raise UsageError(f"--seconds: got {seconds:g}; allowed: {reading.SHORTEST:g} to {LONGEST:g}")


def hear(path: str | Path, seconds: float | None = None) -> Audio:
    """What is heard of a recording whose first ``seconds`` are conducted: ``BEYOND`` more. Errors: as ``listen``."""
    check_cut(seconds)
    return listen(path, None if seconds is None else min(seconds + BEYOND, LONGEST))


def conduct(
    run: Run,
    music: Sequence[str | Path],
    styles: Sequence[str] = (),
    *,
    seconds: float | None = None,
    samples: int = 1,
    seed: int = 0,
    sampling: Sampling | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[Clip]:
    """Clips for each recording, ``samples`` of each, that carry its sound and events: recording 1 sample 1, ...

    styles: none, one for all, or one a recording; the task's slot that reads a label takes it. seconds: only that much
    from the beginning, conducted as a part of what goes on (``BEYOND`` more is heard); else a clip is as long as its
    recording. progress(recording, done, total) is called now and then. A recording of silence, and every pause in one,
    is a body at rest (:func:`at_rest`). A clip depends on recording, style, sample number, seconds and seed alone.
    Errors: UsageError, DataError.
    """
    if samples < 1:
        raise UsageError(f"--samples: got {samples}; at least 1 is needed")
    heard, style_slot = slots_of(run, bool(styles))
    if len(styles) not in (0, 1, len(music)):
        raise UsageError(f"--style: got {len(styles)} values for {len(music)} recordings; give one, or one for each")
    clips: list[Clip] = []
    for number, path in enumerate(map(Path, music)):
        style = styles[number % len(styles)] if styles else None
        check_filled(run, {*heard, style_slot})
        check_style(run, style_slot, style)
        audio = hear(path, seconds)
        lasting = audio.seconds if seconds is None else min(seconds, audio.seconds)
        frames = max(2, math.floor(lasting * run.model.spec.fps + 1e-6))
        asked = replace(sampling or Sampling(), progress=_named(progress, path.name))
        most = max(1, FRAMES_AT_ONCE // frames)
        for start in range(0, samples, most):
            numbers = range(start, min(start + most, samples))
            raw: dict[str, list] = {slot: [audio] * len(numbers) for slot in heard}
            if style_slot is not None:
                raw[style_slot] = [style] * len(numbers)
            ids = [f"{path.name}|{style or ''}|{k}" for k in numbers]
            motion = run.model.generate(raw, [frames] * len(numbers), ids, seed=seed, sampling=asked)
            clips += _clips(run, at_rest(motion, audio), numbers, path, style, seed, samples)
        events = {name: times[times < lasting] for name, times in events_of(run, audio).items()}
        for k in range(len(clips) - samples, len(clips)):
            clips[k] = clips[k].with_(audio=path, events=events)
    return clips


def slots_of(run: Run, styled: bool) -> tuple[list[str], str | None]:
    """The slots that --music fills, all that read audio, and the one of --style. UsageError where there is none."""
    task, card = run.task, run.model.card
    found = []
    for option, kind in (("--music", "audio"), ("--style", "label")):
        of_task = [slot for slot, reads in task.reads.items() if reads == kind]
        of_model = [slot for slot in of_task if slot in card.slots]
        if (option == "--music" or styled) and not of_model:
            why = f"task {task.task} has no slot that reads {kind}"
            if of_task:
                why = f"model {card.name} was trained without the slot {of_task[0]!r} that it fills"
            raise UsageError(f"{option}: {why}")
        found.append(of_model)
    return found[0], found[1][0] if styled else None


def check_style(run: Run, slot: str | None, style: str | None) -> None:
    """UnknownName for a style that the slot's encoder has no vector for, before anything is heard or made."""
    known = getattr(run.model.conditioning.encoders[slot], "labels", None) if slot is not None else None
    if known is not None and style not in known:
        raise UnknownName("style", style, known, "--style")


def at_rest(motion: Motion, audio: Audio) -> Motion:
    """The motion with hands at rest where nothing sounds for longer than ``PAUSE``: the mean pose of the training data.

    For representations made of positions alone, where a share of two poses is a pose; others are left as they are.
    """
    if set(get_representation(motion.spec.representation).groups) != {"positions"} or audio.samples is None:
        return motion
    share = torch.from_numpy(sounding(audio, motion.x.shape[1], motion.spec.fps)).to(motion.x)[None, :, None]
    if bool((share == 1).all()):
        return motion
    rest = motion.spec.mean.to(motion.x)
    x = torch.where(motion.mask[..., None], rest + share * (motion.x - rest), 0.0)
    return Motion(x, motion.lengths, motion.spec)


def sounding(audio: Audio, frames: int, fps: float) -> np.ndarray:
    """(frames,) float32: 1 where something sounds, 0 in a pause, with smooth ways between them."""
    from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d

    assert audio.samples is not None
    each = audio.rate / fps
    edges = np.minimum(np.round(np.arange(frames + 1) * each).astype(int), len(audio.samples))
    levels = [np.abs(audio.samples[a:b]).max(initial=0.0) for a, b in pairwise(edges)]
    heard = (np.array(levels) > SILENT).astype(np.float32)
    half = max(1, round(PAUSE / 2 * fps))
    # A pause is closed at both ends by what sounds around it, so that hands move in time for the next note.
    held = minimum_filter1d(maximum_filter1d(heard, 2 * half + 1), 2 * half + 1)
    held = maximum_filter1d(held, 2 * max(1, round(SETTLE / 2 * fps)) + 1)
    width = max(1, round(SETTLE * fps))
    return uniform_filter1d(held, width, mode="nearest") if 0 < held.mean() < 1 else held


def events_of(run: Run, audio: Audio) -> dict[str, np.ndarray]:
    """{"beats", and "bars" where they are known}: what is heard in a recording, in seconds; none in silence.

    An encoder of the model that tracks beats is asked first, so that the marks are those that the conductor follows;
    else librosa's tracker, which knows no bars.
    """
    for encoder in run.model.conditioning.encoders.values():
        if hasattr(encoder, "track"):
            found = encoder.track(audio)
            return {"beats": found.times, "bars": found.bars}
    return {"beats": librosa_beats.track(librosa_beats.onset_strength(mel.mel_of(audio)))}


def _clips(
    run: Run, motion: Motion, numbers: range, path: Path, style: str | None, seed: int, samples: int
) -> list[Clip]:
    made = []
    for k, clip in zip(numbers, clips_of(motion), strict=True):
        info: dict = {"model": run.model.card.name, "seed": seed, "sample": k, "music": path.name}
        if style is not None:
            info["style"] = style
        seams = run.model.trainable.seams(len(clip))
        if seams:
            info["seams"] = seam_report(clip.joints, seams, clip.fps)
        name = path.stem if samples == 1 else f"{path.stem}_{k + 1:03d}"
        caption = path.stem.replace("_", " ") + (f" ({style})" if style else "")
        made.append(clip.with_(name=name, captions=(caption,), info=info))
    return made


def _named(progress: Callable[[str, int, int], None] | None, name: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(name, done, total)
