"""One motion of several texts with lengths: a timeline as a person writes it, or a plan as a planner makes it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from motion_platform.core.contracts import Generator
from motion_platform.core.errors import UsageError, suggest
from motion_platform.core.opening import read_json, read_yaml
from motion_platform.core.plan import LANES, WHOLE_BODY, Plan, Segment
from motion_platform.core.schedule import starts_of
from motion_platform.core.schema import Sampling, Spans
from motion_platform.model.run import Run
from motion_platform.motion.bodies import clips_of
from motion_platform.motion.clip import Clip
from motion_platform.pipelines.amounts import seconds_of_amount, usual_seconds
from motion_platform.pipelines.familiarity import check_known, with_answers
from motion_platform.pipelines.provenance import provenance
from motion_platform.pipelines.texts import check_text

KEYS = ("text", "seconds", "lane", "start")
BUILDER = "person"
UNKNOWN_SECONDS = 4.0
LONGEST_SECONDS = 600.0
_ENTRY = re.compile(r"^(?P<text>.*?)(?:@(?P<lane>\w+))?\s*(?::\s*(?P<seconds>[^\s:]+)\s*)?$", re.DOTALL)


def read_timeline(given: str | Path | Sequence[Any] | Mapping[str, Any]) -> Plan:
    """A timeline as a plan: "walk forward:3, bow:2, wave@right_arm:2", a YAML or JSON file of the same, or a list of
    (text, seconds), text, or {text, seconds, lane, start}.

    In a string a comma, or a semicolon where there is one, parts the entries. Errors: UsageError.
    """
    if isinstance(given, Path) or (isinstance(given, str) and Path(given).suffix.lower() in (".yaml", ".yml", ".json")):
        return read_timeline(_file(Path(given)))
    if isinstance(given, str):
        parts = [part for part in given.split(";" if ";" in given else ",") if part.strip()]
        entries: list[Any] = [_entry(part.strip()) for part in parts]
    elif isinstance(given, Mapping):
        if set(given) != {"timeline"} or not isinstance(given["timeline"], Sequence):
            raise UsageError(f"timeline: got keys {sorted(map(str, given))}; write one, timeline: a list of segments")
        entries = list(given["timeline"])
    else:
        entries = list(given)
    if not entries:
        raise UsageError('timeline: is empty; write texts with seconds: "walk forward:3, bow:2"')
    return Plan(tuple(_segment(entry) for entry in entries), BUILDER)


def _file(path: Path) -> Any:
    found = (read_json if path.suffix.lower() == ".json" else read_yaml)(path, UsageError, what="a timeline")
    if not isinstance(found, (list, dict)):
        raise UsageError(f"{path}: holds no timeline; write a list of segments: - {{text: walk forward, seconds: 3}}")
    return found


def _entry(part: str) -> dict[str, Any]:
    match = _ENTRY.match(part)
    assert match is not None  # everything matches: text takes what is left
    entry: dict[str, Any] = {"text": match["text"].strip()}
    if match["lane"]:
        entry["lane"] = match["lane"]
    if match["seconds"] is not None:
        entry["seconds"] = match["seconds"]
    return entry


def _segment(entry: Any) -> Segment:
    """One entry of any of the three forms. A text without a subject ("walk forward") becomes a sentence."""
    from motion_platform.planners.clauses import clause_of

    if isinstance(entry, str):
        entry = {"text": entry}
    elif isinstance(entry, Sequence):
        if len(entry) != 2:
            raise UsageError(f"timeline: got {entry!r}; a segment is a text, or (text, seconds)")
        entry = {"text": entry[0], "seconds": entry[1]}
    if not isinstance(entry, Mapping):
        raise UsageError(f"timeline: got {entry!r}; a segment is a text, or a mapping of {', '.join(KEYS)}")
    for key in entry:
        if key not in KEYS:
            raise UsageError(f"timeline: segment {entry.get('text', '')!r} has no {key!r}; {suggest(key, KEYS)}")
    text = entry.get("text")
    if not isinstance(text, str) or not text.strip():
        raise UsageError("timeline: a segment has no text; say what the body does")
    lane = str(entry.get("lane", WHOLE_BODY))
    if lane not in LANES:
        raise UsageError(f"timeline: {text!r}: unknown lane {lane!r}; {suggest(lane, LANES)}")
    given = [key for key in ("seconds", "start") if entry.get(key) is not None]
    numbers: dict[str, Any] = {key: _number(text, key, entry[key]) for key in given}
    clause = clause_of(text.strip())
    sentence = clause.text() if clause.verb and not clause.subject else text.strip()
    return Segment(action=clause.action(), text=sentence, lane=lane, **numbers)


def _number(text: str, key: str, value: Any) -> float:
    try:
        number = float(str(value).removesuffix("s"))
    except ValueError as error:
        raise UsageError(f"timeline: {text!r}: got {key} {value!r}; write a number of seconds") from error
    if not math.isfinite(number):
        raise UsageError(f"timeline: {text!r}: got {key} {value!r}; write a number of seconds")
    return number


def check_composes(run: Run) -> None:
    """UsageError for a model that makes one action at a time."""
    trainable = run.model.trainable
    if not isinstance(trainable, Generator) or type(trainable).compose is Generator.compose:
        raise UsageError(
            f"timeline: {run.model.card.name} ({run.model.card.model.name}) makes one action at a time; "
            "text_to_motion_masked and text_to_motion_small put several together"
        )
    if not run.task.texts():
        raise UsageError(f"timeline: task {run.task.task} reads no text; use text_to_motion")


def composes(run: Run) -> bool:
    """Whether a model puts several actions together."""
    model = run.model.trainable
    composed = isinstance(model, Generator) and type(model).compose is not Generator.compose
    return composed and bool(run.task.texts())


def timed(run: Run, plan: Plan, seconds: float | None = None) -> Plan:
    """The plan with a length and a start for every segment: as written, as its amount takes, or as such a motion lasts.

    seconds: of the whole; what the plan leaves open is stretched or shortened to fill it. Errors: UsageError.
    """
    slot = run.task.texts()[0]
    natural = run.model.natural_lengths({slot: [segment.text for segment in plan.segments]})
    fps = run.model.spec.fps
    lasting = [UNKNOWN_SECONDS] * len(plan.segments) if natural is None else [frames / fps for frames in natural]
    if plan.builder != BUILDER:
        lasting = [usual_seconds(segment, each) for segment, each in zip(plan.segments, lasting, strict=True)]
    lengths = [
        segment.seconds or seconds_of_amount(segment, usual) or usual
        for segment, usual in zip(plan.segments, lasting, strict=True)
    ]
    lengths = _together(plan.segments, lengths)
    starts = starts_of(plan.segments, lengths)
    if seconds is not None:
        total = max(start + length for start, length in zip(starts, lengths, strict=True))
        fixed = sum(segment.seconds for segment in plan.segments if segment.seconds and segment.lane == WHOLE_BODY)
        open_ = [k for k, segment in enumerate(plan.segments) if not segment.seconds]
        if open_ and seconds > fixed and total > fixed:
            for k in open_:
                lengths[k] *= (seconds - fixed) / (total - fixed)
            starts = starts_of(plan.segments, lengths)
    if max(start + length for start, length in zip(starts, lengths, strict=True)) > LONGEST_SECONDS:
        raise UsageError(f"timeline: is longer than {LONGEST_SECONDS:g} s")
    segments = zip(plan.segments, starts, lengths, strict=True)
    return replace(plan, segments=tuple(replace(s, start=start, seconds=length) for s, start, length in segments))


def _together(segments: Sequence[Segment], lengths: list[float]) -> list[float]:
    """Lanes that run side by side last as long as the longest, where nobody says how long they do."""
    lengths, k = list(lengths), 0
    while k < len(segments):
        end = k + 1
        while end < len(segments) and WHOLE_BODY not in (segments[k].lane, segments[end].lane):
            if segments[end].lane in {segment.lane for segment in segments[k:end]}:
                break
            end += 1
        group = range(k, end)
        said = [known for i in group if (known := segments[i].seconds)]
        longest = max(said or [lengths[i] for i in group])
        for i in group:
            if not segments[i].seconds and end - k > 1:
                lengths[i] = longest
        k = end
    return lengths


def make(
    run: Run,
    plans: Sequence[Plan],
    *,
    seconds: Sequence[float | None] = (),
    samples: int = 1,
    seed: int = 0,
    sampling: Sampling | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    say: Callable[[str], None] | None = None,
    strict: bool = False,
) -> list[Clip]:
    """One clip for each plan and sample, in that order. seconds: of each whole motion, None: as the plan says.

    A timeline that a person wrote is checked against what the model knows (``say``, ``strict``: as in
    :func:`planning.make`, which has checked its own). A clip depends on its plan, sample and seed alone. Errors:
    UsageError.
    """
    check_composes(run)
    language = str(run.model.card.data.get("language", ""))
    clips: list[Clip] = []
    for number, plan in enumerate(plans):
        for segment in plan.segments:
            check_text(segment.text, language, "--timeline" if plan.builder == BUILDER else "--text")
        own = [segment.text for segment in plan.segments] if plan.builder == BUILDER else []
        strangers = check_known(run, own, strict=strict, say=say)
        whole = timed(run, plan, seconds[number] if seconds else None)
        asked = sampling or Sampling()
        if progress is not None:
            asked = replace(asked, progress=_of_motion(progress, number + 1))
        composed = _composed(run, whole, number * samples, samples, seed, asked)
        clips += [with_answers(run, clip, list(strangers.values())) for clip in composed]
    return clips


def _of_motion(progress: Callable[[str, int, int], None], number: int) -> Callable[[int, int], None]:
    return lambda done, total: progress(f"motion {number}", done, total)


def _composed(run: Run, plan: Plan, made_before: int, samples: int, seed: int, sampling: Sampling) -> list[Clip]:
    fps, slot = run.model.spec.fps, run.task.texts()[0]
    starts = [round((segment.start or 0.0) * fps) for segment in plan.segments]
    ends = [round(((segment.start or 0.0) + (segment.seconds or 0.0)) * fps) for segment in plan.segments]
    count = len(plan.segments)
    rows = torch.arange(samples).repeat_interleave(count)
    lengths = torch.tensor([end - start for start, end in zip(starts, ends, strict=True)])
    lanes = tuple(segment.lane for segment in plan.segments)
    spans = Spans(rows, torch.tensor(starts).repeat(samples), lengths.repeat(samples), lanes * samples)
    words = "|".join(f"{s.text} {s.lane} {n}" for s, n in zip(plan.segments, starts, strict=True))
    ids = [f"timeline|{words}|{k}" for k in range(samples)]
    raw = {slot: [segment.text for segment in plan.segments] * samples}
    motion = run.model.compose(raw, spans, ids, seed=seed, sampling=sampling)
    info: dict[str, Any] = provenance(run, seed) | {"plan": described(plan)}
    if plan.sentence:
        info["text"] = plan.sentence
    captions = (plan.sentence,) if plan.sentence else tuple(segment.text for segment in plan.segments)
    return [
        clip.with_(name=f"motion_{made_before + k + 1:03d}", captions=captions, info={**info, "sample": k})
        for k, clip in enumerate(clips_of(motion))
    ]


def described(plan: Plan) -> dict[str, Any]:
    """A plan as plain values, for a file that holds the motion."""
    rows = [
        {"action": s.action, "text": s.text, "start": s.start, "seconds": s.seconds, "lane": s.lane}
        | ({"style": s.style} if s.style else {})
        | ({"amount": s.amount, "unit": s.unit} if s.amount is not None else {})
        for s in plan.segments
    ]
    return {"builder": plan.builder, "segments": rows} | ({"notes": list(plan.notes)} if plan.notes else {})
