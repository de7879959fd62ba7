"""From what a person gives to clips: what ``motion generate`` does."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from motion_platform.core.contracts import Generator
from motion_platform.core.errors import UsageError
from motion_platform.core.schema import Sampling
from motion_platform.generators.diffusion.windows import seam_report
from motion_platform.model.run import Run, load_run, why_not
from motion_platform.motion.bodies import clips_of
from motion_platform.motion.clip import Clip
from motion_platform.pipelines.events import events_of, words_of
from motion_platform.pipelines.inputs import InputRow, check_values, read_row
from motion_platform.pipelines.provenance import provenance
from motion_platform.pipelines.texts import slots_of, sound_slots

LONGEST_SECONDS = 600.0
UNKNOWN_SECONDS = 6.0
AT_ONCE = 32
"""Samples made together; the result does not depend on it."""
FRAMES_AT_ONCE = 30_000
"""Frames made together (a thousand seconds at 30 fps); the result does not depend on it."""
Report = Callable[[str, int, int], None]
"""Called now and then with a name, how much is done, and of how much."""


def load(task: str, model: str | None, device: str = "cpu", *, generates: bool = True) -> Run:
    """The model of a task: the named one, or the task's default; ``Run.task`` is the task that was asked for.

    A model that was trained for another task may do this one too (``why_not``). generates: it must be a generator,
    unless the task writes captions.
    UsageError for one that cannot.
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
        run = run or load_run(str(name), device=device)
    if run.task.task != wanted:
        if (why := why_not(run.model, card)) is not None:
            raise UsageError(f"--model: {why}")
        run = replace(run, task=card)
    if generates and run.task.writes != "captions" and not isinstance(run.model.trainable, Generator):
        raise UsageError(f"model {model} is a {run.model.card.model.name}: it does not generate motion")
    return run


def make(
    run: Run,
    given: Mapping[str, Sequence[Any]],
    *,
    count: int | None = None,
    seconds: Sequence[float] = (),
    samples: int = 1,
    seed: int = 0,
    sampling: Sampling | None = None,
    progress: Report | None = None,
) -> list[Clip]:
    """One clip for each row of inputs and sample, in the order row 1 sample 1, row 1 sample 2, ...

    given: slot -> values, one for all rows or one a row, of the kind that the task's card says (pipelines/inputs.py).
    count: rows (default: as many as the longest list). seconds: one for all, one a row, or none: then a motion lasts as
    its recording does, or as long as the model has learned that such a motion does (6 s from a model that has not). A
    clip depends on its inputs, length, sample number and seed alone, not on what else is made in the same call.
    progress(name, done, total) is called now and then. Errors: UsageError, DataError.
    """
    if samples < 1:
        raise UsageError(f"--samples: got {samples}; at least 1 is needed")
    wanted = count or max((len(values) for values in given.values()), default=1)
    each = spread(list(seconds) or [None], wanted, "--seconds")
    check_values(run, given, wanted)
    # Recordings are long: they are heard, and their clips made, one after the other.
    heard = any(run.task.reads[slot] == "audio" for slot in given)
    groups = [[r] for r in range(wanted)] if heard else [list(range(wanted))]
    clips: list[Clip] = []
    for group in groups:
        rows = [read_row(run, given, r, each[r]) for r in group]
        frames = _frames(run, rows, [each[r] for r in group])
        made: list[Clip] = []
        parts = _parts(frames, samples, heard)
        for number_of_part, part in enumerate(parts):
            raw = {slot: [rows[r].of[slot].value for r, _ in part] for slot in given}
            ids = [_id(rows[r], k) for r, k in part]
            shown = named(progress, _name(rows[0], wanted), number_of_part, len(parts))
            asked = replace(sampling or Sampling(), progress=shown)
            motion = run.model.generate(raw, [frames[r] for r, _ in part], ids, seed=seed, sampling=asked)
            for (r, k), clip in zip(part, clips_of(motion), strict=True):
                number = group[r] * samples + k + 1
                made.append(_dressed(run, rows[r], clip, number=number, sample=k, samples=samples, seed=seed))
        clips += _with_events(run, rows, made, samples)
    return clips


def _frames(run: Run, rows: Sequence[InputRow], seconds: Sequence[float | None]) -> list[int]:
    """How many frames each row lasts: as its recording, as asked, as learned, or ``UNKNOWN_SECONDS``."""
    fps = run.model.spec.fps
    lasting = [next((read.seconds for read in row.of.values() if read.seconds is not None), None) for row in rows]
    frames = [
        max(2, math.floor(known * fps + 1e-6))
        if known is not None
        else frames_of(UNKNOWN_SECONDS if asked is None else asked, fps)
        for known, asked in zip(lasting, seconds, strict=True)
    ]
    if any(known is None for known in lasting) and not any(asked is not None for asked in seconds):
        slots = rows[0].of
        natural = run.model.natural_lengths({slot: [row.of[slot].value for row in rows] for slot in slots})
        if natural is not None:
            frames = [f if known is not None else n for f, n, known in zip(frames, natural, lasting, strict=True)]
    return frames


def _parts(frames: Sequence[int], samples: int, heard: bool) -> list[list[tuple[int, int]]]:
    """[(row, sample)] that are made together: at most ``AT_ONCE``, of a recording at most ``FRAMES_AT_ONCE`` frames."""
    jobs = [(r, k) for r in range(len(frames)) for k in range(samples)]
    most = max(1, FRAMES_AT_ONCE // frames[0]) if heard else AT_ONCE
    return [jobs[start : start + most] for start in range(0, len(jobs), most)]


def _id(row: InputRow, sample: int) -> str:
    """What a sample's noise depends on, beside the seed: its words, then its recording and labels, then its number."""
    texts, heard = row.said("text"), row.said("audio")
    words = [] if heard and not any(texts) else [*texts, "", ""][: max(2, len(texts))]
    labels = row.said("label")
    sound = [heard[0], labels[0] if labels else "", *labels[1:]] if heard else labels
    return "|".join([*words, *sound, str(sample)])


def _name(row: InputRow, count: int) -> str:
    heard = row.first("audio")
    return heard[1].said if heard else f"{count} motions" if count > 1 else "motion"


def _dressed(run: Run, row: InputRow, clip: Clip, *, number: int, sample: int, samples: int, seed: int) -> Clip:
    """The clip with its name, captions and provenance, and the recording that sounds with it."""
    info: dict[str, Any] = provenance(run, seed) | {"sample": sample}
    texts, heard = [text for text in row.said("text") if text], row.first("audio")
    if not heard or texts:
        info["text"] = next(iter(row.said("text")), None) or None
    if heard:
        info[heard[0]] = heard[1].said
    info |= {slot: read.said for slot, read in row.of.items() if row.kinds[slot] == "label" and read.said}
    if seams := run.model.generator.seams(len(clip)):
        info["seams"] = seam_report(clip.joints, seams, clip.fps)
        info["seam_times"] = [round(seam / clip.fps, 3) for seam in seams]
    if not heard or heard[1].file is None:
        return clip.with_(name=f"motion_{number:03d}", captions=tuple(texts), info=info)
    path = heard[1].file
    labels = [label for label in row.said("label") if label]
    caption = path.stem.replace("_", " ") + (f" ({', '.join(labels)})" if labels else "")
    name = path.stem if samples == 1 else f"{path.stem}_{sample + 1:03d}"
    return clip.with_(name=name, captions=(*texts, caption), info=info, audio=path)


def _with_events(run: Run, rows: Sequence[InputRow], clips: list[Clip], samples: int) -> list[Clip]:
    """The clips of recordings with the beats and bars that are heard in them, or the words that are said."""
    kept: dict[int, Mapping[str, Any]] = {}
    made = []
    for number, clip in enumerate(clips):
        heard = rows[number // samples].first("audio")
        if heard is not None:
            audio = heard[1].value
            seconds = audio.seconds if heard[1].seconds is None else heard[1].seconds
            if id(audio) not in kept:
                kept[id(audio)] = events_of(run, audio)
            events = {name: times[times < seconds] for name, times in kept[id(audio)].items()}
            clip = clip.with_(events=events, words=words_of(audio, seconds))
        made.append(clip)
    return made


def named(progress: Report | None, name: str, part: int = 0, parts: int = 1) -> Callable[[int, int], None] | None:
    """What a generator calls with (done, total) of one part, as a report of all parts under a name."""
    return None if progress is None else lambda done, total: progress(name, part * total + done, parts * total)


def inputs_of(
    run: Run,
    *,
    texts: Sequence[str | None] = (),
    low_texts: Sequence[str | None] = (),
    music: Sequence[str | Path] = (),
    styles: Sequence[str] = (),
    give: Mapping[str, Sequence[Any]] = {},
) -> tuple[dict[str, Sequence[Any]], int]:
    """(slot -> values, how many motions) from the short names of the usual slots, and any slot by its own name.

    texts, low_texts: the first and second slot that read text. music: all slots that read audio. styles: the first that
    reads a label. give: slot -> values. Errors: UsageError for two names for one slot, a name without a slot,
    or numbers that do not fit.
    """
    given: dict[str, Sequence[Any]] = {}
    counts = {"--text": len(texts), "--music": len(music)}
    count = max([*counts.values(), *(len(values) for values in give.values()), 1])
    if texts:
        lows = spread(list(low_texts) or [None], len(texts), "--low-text")
        given |= slots_of(run, list(texts), lows)
    elif low_texts:
        given |= slots_of(run, [None] * len(low_texts), list(low_texts))
    if music or styles:
        listening, style_slot = sound_slots(run, bool(music), bool(styles))
        given |= {slot: list(map(Path, music)) for slot in listening}
        if style_slot is not None:
            if len(styles) not in (1, count):
                what = "recordings" if music else "motions"
                raise UsageError(f"--style: got {len(styles)} values for {count} {what}; give one, or one for each")
            given[style_slot] = list(styles)
    for slot, values in give.items():
        if slot in given:
            raise UsageError(f"--give: slot {slot!r} is filled by another option already; give it once")
        given[slot] = list(values)
    ears = [slot for slot, kind in run.task.reads.items() if kind == "audio" and slot in run.model.card.slots]
    heard = next((slot for slot in ears if slot in given), None)
    if heard is not None:  # what one of them hears, the others hear
        given = {slot: given[heard] for slot in ears if slot not in given} | given
    return given, count


def generate_texts(
    run: Run,
    texts: Sequence[str | None],
    low_texts: Sequence[str | None] = (),
    *,
    seconds: Sequence[float] = (),
    samples: int = 1,
    seed: int = 0,
    sampling: Sampling | None = None,
    progress: Report | None = None,
) -> list[Clip]:
    """:func:`make` for texts: the first text slot takes ``texts`` ([None]: without), the second ``low_texts`` (none,
    one for all, or one a text). Errors: UsageError."""
    given, count = inputs_of(run, texts=list(texts), low_texts=low_texts)
    return make(
        run, given, count=count, seconds=seconds, samples=samples, seed=seed, sampling=sampling, progress=progress
    )


def natural_seconds(run: Run, texts: Sequence[str]) -> list[float]:
    """How long motions of these sentences last. UsageError for a model that has not learned it."""
    found = run.model.natural_lengths(slots_of(run, texts, [None]))
    if found is None:
        raise UsageError(f"--model: {run.model.card.name} has not learned how long a motion lasts")
    return [frames / run.model.spec.fps for frames in found]


def describe_seams(report: Mapping[str, float]) -> str:
    """One line: how the motion runs where its windows meet, compared with everywhere else."""
    return (
        f"{report['seams']:.0f} seams; the velocity changes there {report['ratio']:.2f} times as much as elsewhere "
        f"(largest jump: {report['worst_ratio']:.2f} of the 99th percentile elsewhere)"
    )


def frames_of(seconds: float, fps: float) -> int:
    """Seconds to frames; UsageError for what is no possible length."""
    if not math.isfinite(seconds) or not 2 / fps <= seconds <= LONGEST_SECONDS:
        raise UsageError(f"--seconds: got {seconds:g}; allowed: {2 / fps:g} to {LONGEST_SECONDS:g}")
    return round(seconds * fps)


def spread(values: list, count: int, option: str) -> list:
    """One value for all, or one for each."""
    if len(values) == 1:
        return values * count
    if len(values) != count:
        raise UsageError(f"{option}: got {len(values)} values for {count} texts; give one, or one for each")
    return values
