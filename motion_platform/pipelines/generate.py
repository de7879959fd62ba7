"""From words to clips, and from a clip to an edited one: what ``motion generate`` and ``motion edit`` do."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from motion_platform.core.contracts import Generator
from motion_platform.core.errors import DataError, UsageError, suggest
from motion_platform.core.schema import Edit, Motion, MotionSpec, Sampling
from motion_platform.generators.diffusion.windows import seam_report
from motion_platform.model import editing
from motion_platform.model.keeping import edit_for
from motion_platform.model.run import Run, load_run, why_not
from motion_platform.motion.clip import Clip
from motion_platform.motion.representations import get_representation
from motion_platform.motion.retarget import to_humanml3d
from motion_platform.motion.skeleton import get_skeleton

LONGEST_TEXT = 2000
"""Characters; longer texts are refused, because every text encoder would silently cut them."""
LONGEST_SECONDS = 600.0
UNKNOWN_SECONDS = 6.0
AT_ONCE = 32
"""Samples made together; the result does not depend on it."""
EMPTY = "--text: is empty; say what the body does"
KEEP = ("prefix", "in_between", "upper_body", "lower_body", "keyframes")


def load(task: str, model: str | None, device: str = "cpu") -> Run:
    """The model of a task: the named one, or the task's default; ``Run.task`` is the task that was asked for.

    A model that was trained for another task may do this one too (``why_not``). UsageError for one that cannot.
    """
    from motion_platform.core import tasks

    run = None if model is None else load_run(model, device=device)
    wanted = task
    if run is None or run.task.task != task:  # else the model carries its card, wherever the file is
        card = tasks.load(task)
        wanted, name = card.task, card.default_model
        if run is None and name is None:
            raise UsageError(f"task {task} has no default model; train one and give --model FOLDER")
        model = model or name
        run = run or load_run(name, device=device)
    if run.task.task != wanted:
        if (why := why_not(run.model, card)) is not None:
            raise UsageError(f"--model: {why}")
        run = replace(run, task=card)
    if not isinstance(run.model.trainable, Generator):
        raise UsageError(f"model {model} is a {run.model.card.model.name}: it does not generate motion")
    return run


def slots_of(run: Run, texts: Sequence[str | None], low_texts: Sequence[str | None]) -> dict[str, list[str | None]]:
    """Which slot each text fills: --text the first that reads text, --low-text the second (``Task.texts``).

    A slot without any text is left out. Errors: UsageError for a text that cannot be read or that the model has no
    slot for, and for a slot that must be filled and that no text reaches.
    """
    card, given = run.model.card, {}
    readers = run.task.texts()
    if any(text is not None and not text.strip() for text in texts):
        raise UsageError(EMPTY)
    for k, (option, values) in enumerate((("--text", list(texts)), ("--low-text", list(low_texts)))):
        if not any(values):
            continue
        for value in values:
            if value:
                check_text(value, str(card.data.get("language", "")), option)
        if k >= len(readers):
            raise UsageError(
                f"{option}: task {run.task.task} has {len(readers) or 'no'} slot(s) that read text, no "
                f"{'second' if k else 'first'} one"
            )
        if readers[k] not in card.slots:
            raise UsageError(f"{option}: model {card.name} was trained without the slot {readers[k]!r} that it fills")
        given[readers[k]] = values
    return given


def check_filled(run: Run, given: Container[str]) -> None:
    """UsageError for a slot that the task demands and that no option fills."""
    for slot in run.task.required():
        if slot not in given:
            fills = dict(zip(run.task.texts(), ("--text", "--low-text"), strict=False)).get(slot)
            options = {"audio": "--music FILE", "label": "--style NAME", "motion": "--motion FILE"}
            fills = fills or options.get(run.task.reads[slot])
            how = f"give {fills}" if fills else "the command line has no option for it; use MotionModel.generate"
            raise UsageError(f"task {run.task.task} needs slot {slot!r} ({run.task.reads[slot]}): {how}")


def run(
    run: Run,
    texts: Sequence[str | None],
    low_texts: Sequence[str | None] = (),
    *,
    seconds: Sequence[float] = (),
    samples: int = 1,
    seed: int = 0,
    sampling: Sampling | None = None,
) -> list[Clip]:
    """One clip for each text and sample, in the order text 1 sample 1, text 1 sample 2, ...; [None]: without a text.

    low_texts: none, one for all, or one a text. seconds: one for all, one a text, or none: then each motion lasts as
    long as the model has learned that such a motion does (6 s from a model that has not). A clip depends on its texts,
    length, sample number and seed alone, not on what else is made in the same call. Errors: UsageError.
    """
    spec = run.model.spec
    texts, low_texts = list(texts), _spread(list(low_texts) or [None], len(texts), "--low-text")
    asked = [frames_of(s, spec.fps) for s in _spread(list(seconds) or [UNKNOWN_SECONDS], len(texts), "--seconds")]
    if samples < 1:
        raise UsageError(f"--samples: got {samples}; at least 1 is needed")
    by_slot = slots_of(run, texts, low_texts)
    check_filled(run, by_slot)
    frames = asked if seconds else run.model.natural_lengths(by_slot) or asked
    jobs = [(t, k) for t in range(len(texts)) for k in range(samples)]
    clips: list[Clip] = []
    for start in range(0, len(jobs), AT_ONCE):
        part = jobs[start : start + AT_ONCE]
        raw = {slot: [values[t] for t, _ in part] for slot, values in by_slot.items()}
        ids = [f"{texts[t] or ''}|{low_texts[t] or ''}|{k}" for t, k in part]
        motion = run.model.generate(raw, [frames[t] for t, _ in part], ids, seed=seed, sampling=sampling)
        for (t, k), clip in zip(part, clips_of(motion), strict=True):
            captions = tuple(said for said in (texts[t], low_texts[t]) if said)
            number = t * samples + k + 1
            info = {"model": run.model.card.name, "seed": seed, "sample": k, "text": texts[t]}
            seams = run.model.trainable.seams(len(clip))
            if seams:
                info["seams"] = seam_report(clip.joints, seams, clip.fps)
            clips.append(clip.with_(name=f"motion_{number:03d}", captions=captions, info=info))
    return clips


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
        kept, keep = edit_for(run.task.keep, whole, [clip.name]), run.task.task
    else:
        kept = edit_of(whole, keep, total, keep_seconds, frames)
    ids = [f"{text or ''}|{low_text or ''}|{k}" for k in range(samples)]
    spread = Edit(kept.x.expand(samples, -1, -1), kept.keep.expand(samples, -1, -1))
    motion = run.model.generate(raw, [total] * samples, ids, seed=seed, sampling=sampling, edit=spread)
    info = {"model": run.model.card.name, "seed": seed, "keep": keep, "source": clip.name}
    captions = tuple(t for t in (text, low_text) if t)
    return [
        made.with_(name=f"{clip.name}_{keep}_{k + 1:03d}", captions=captions, info={**info, "sample": k})
        for k, made in enumerate(clips_of(motion))
    ]


def features_of(clip: Clip, spec: MotionSpec, names: str | Path | None = None) -> torch.Tensor:
    """(T, D) features of any clip, retargeted. UsageError for a model of another skeleton; DataError for one frame."""
    if spec.skeleton != "humanml3d":
        raise UsageError(f"the model's skeleton is {spec.skeleton}; reading a motion file for it needs humanml3d")
    found = to_humanml3d(clip, fps=spec.fps, names=names)
    if len(found) < 2:
        raise DataError(f"motion {clip.name!r}: has {len(found)} frame at {spec.fps:g} fps; at least 2 are needed")
    return torch.from_numpy(get_representation(spec.representation).encode(found.joints))


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


def describe_seams(report: Mapping[str, float]) -> str:
    """One line: how the motion runs where its windows meet, compared with everywhere else."""
    return (
        f"{report['seams']:.0f} seams; the velocity changes there {report['ratio']:.2f} times as much as elsewhere "
        f"(largest jump: {report['worst_ratio']:.2f} of the 99th percentile elsewhere)"
    )


def clips_of(motion: Motion) -> list[Clip]:
    """Decode a padded batch of raw features to clips in metres, without padding."""
    found = get_representation(motion.spec.representation)
    skeleton = get_skeleton(motion.spec.skeleton)
    rows = zip(motion.x.detach().cpu(), motion.lengths.tolist(), strict=True)
    return [Clip(found.decode(x[:n]).float().numpy(), motion.spec.fps, skeleton) for x, n in rows]


def frames_of(seconds: float, fps: float) -> int:
    """Seconds to frames; UsageError for what is no possible length."""
    if not math.isfinite(seconds) or not 2 / fps <= seconds <= LONGEST_SECONDS:
        raise UsageError(f"--seconds: got {seconds:g}; allowed: {2 / fps:g} to {LONGEST_SECONDS:g}")
    return round(seconds * fps)


def check_text(text: str, language: str, option: str = "--text") -> None:
    """UsageError for a text that is empty, far too long, or in a script that the model cannot read."""
    shown = repr(text if len(text) <= 60 else text[:57] + "...")
    if not text.strip():
        raise UsageError(EMPTY.replace("--text", option))
    if len(text) > LONGEST_TEXT:
        raise UsageError(f"{option}: {shown} has {len(text)} characters; allowed: at most {LONGEST_TEXT}")
    letters = [c for c in text if c.isalpha()]
    if language == "en" and not letters:
        raise UsageError(f"{option}: {shown} holds no word; say what the body does")
    if language == "en" and sum(c.isascii() for c in letters) < 0.5 * len(letters):
        raise UsageError(f"{option}: {shown} is not in Latin script; this model reads English")


def read_texts(path: Path) -> tuple[list[str], list[str | None]]:
    """A file of texts: one a line, a low-level text after a tab; empty lines are skipped. Errors: UsageError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as text: {' '.join(str(error).split())}") from error
    pairs = [line.partition("\t") for line in lines if line.strip()]
    if not pairs:
        raise UsageError(f"{path}: holds no text")
    return [high.strip() for high, _, _ in pairs], [low.strip() or None for _, _, low in pairs]


def _spread(values: list, count: int, option: str) -> list:
    """One value for all, or one for each."""
    if len(values) == 1:
        return values * count
    if len(values) != count:
        raise UsageError(f"{option}: got {len(values)} values for {count} texts; give one, or one for each")
    return values
