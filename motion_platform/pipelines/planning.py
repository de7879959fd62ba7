"""From sentences to motions by way of plans: which sentences are taken apart, and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from motion_platform.core.errors import UsageError
from motion_platform.core.plan import WHOLE_BODY, Plan, Planner, Segment
from motion_platform.core.schema import Sampling
from motion_platform.encoders.bert import Bert
from motion_platform.model.knowledge import Known
from motion_platform.model.run import Run
from motion_platform.motion.clip import Clip
from motion_platform.pipelines import generate, timeline
from motion_platform.pipelines import low_texts as low_texts_of
from motion_platform.pipelines.amounts import SEEN, seconds_of_amount, verb_of
from motion_platform.pipelines.familiarity import check_known, known_of_run, sentence_encoders, with_answers
from motion_platform.pipelines.measured import Amount, amount_of, nearest
from motion_platform.pipelines.planner_names import NONE, check_planner, planner_of
from motion_platform.pipelines.texts import Line, check_text, slots_of
from motion_platform.pipelines.wording import in_models_words, repeated, with_doubts
from motion_platform.planners.clauses import clause_of
from motion_platform.texts.inflection import inflect
from motion_platform.texts.spelling import corrected

DEFAULT = "rules"


def planner_named(said: str) -> Planner | None:
    """The planner of that name, with its settings behind a colon; None for "none". Errors: those of building it."""
    check_planner(said, "--plan", also=(NONE,))
    return None if said == NONE else planner_of(said, "--plan")


_ORDERED = re.compile(r"\b(?:then|after|afterwards|before|next|finally|first|later)\b|[,;.]\s*\w", re.IGNORECASE)
"""What says that one action comes after the other, where "and" alone does not."""
_SIDE = re.compile(r"\b(?:left|right)\b")


def plans_of(run: Run, texts: Sequence[str | None], planner: Planner | None) -> list[Plan | None]:
    """A plan for each text that is more than its words as they are; None for the others.

    Two actions at the same time are one segment again where the model cannot move a part of the body alone.
    """
    if planner is None or not run.task.texts() or run.task.texts()[0] not in run.model.card.slots:
        return [None] * len(texts)
    said = [text for text in texts if text]
    known = known_of_run(run)
    made = iter(planner.plan(said)) if all(text.strip() for text in said) else iter([None] * len(said))
    found: list[Plan | None] = []
    for text in texts:
        plan = next(made) if text else None
        found.append(None if plan is None else _useful(run, plan, known))
    return found


def _useful(run: Run, plan: Plan, known: Known | None) -> Plan | None:
    """The plan as the model can do it, None where that is the sentence itself."""
    if not moves_parts(run):
        plan = replace(plan, segments=tuple(_joined(plan.segments)))
    if plan.builder == DEFAULT:
        plan = with_doubts(plan)
    only = plan.segments[0]
    if plan.compound and not plan.notes and _one_action(known, plan):
        return None
    ours, alone = plan.builder == DEFAULT and timeline.composes(run), not moves_parts(run)
    if plan.compound or plan.notes or only.seconds is not None or only.amount is not None:
        return in_models_words(repeated(plan), alone=alone) if ours else plan
    if "while" in plan.sentence:
        return None
    plan = _to_be_seen(run, in_models_words(plan, alone=alone)) if ours else plan
    only = plan.segments[0]
    return None if only.seconds is None and only.text == plan.sentence.strip() else plan


def _one_action(known: Known | None, plan: Plan) -> bool:
    """Whether the model knows all of it as one action ("walk turn left"), and the sentence puts nothing in order."""
    if known is None or _ORDERED.search(plan.sentence):
        return False
    verbs = [clause_of(segment.text).verb for segment in plan.segments]
    words = {*verbs, *_SIDE.findall(plan.sentence.lower())}
    return all(verbs) and any(words <= set(action.split()) for action in known.actions)


def moves_parts(run: Run) -> bool:
    """Whether a model makes lanes of body parts."""
    from motion_platform.generators.diffusion.base import Diffusion

    return timeline.composes(run) and isinstance(run.model.trainable, Diffusion)


def _joined(segments: Sequence[Segment]) -> list[Segment]:
    """Segments in two lanes become one of the whole body: "a person walks while waving the right hand"."""
    out: list[Segment] = []
    for segment in segments:
        last = out[-1] if out else None
        if segment.lane != WHOLE_BODY and last is not None and last.lane not in (WHOLE_BODY, segment.lane):
            clause = clause_of(segment.text)
            rest = f"{inflect(clause.verb, 'ing')} {clause.rest}".strip() if clause.verb else segment.text
            out[-1] = replace(
                last,
                text=f"{last.text} while {rest}",
                action=f"{last.action} while {rest}",
                lane=WHOLE_BODY,
                seconds=last.seconds or segment.seconds,
            )
        else:
            out.append(segment)
    return [replace(segment, lane=WHOLE_BODY) for segment in out]


def make(
    run: Run,
    texts: Sequence[str | None],
    low_texts: Sequence[str | None] = (),
    *,
    plan: str = DEFAULT,
    seconds: Sequence[float] = (),
    samples: int = 1,
    seed: int = 0,
    sampling: Sampling | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    say: Callable[[str], None] | None = None,
    strict: bool = False,
) -> list[Clip]:
    """:func:`generate.run` for sentences that may hold several actions, numbers and negations, in the same order.

    plan: the planner, or "none": every sentence is given to the model as it is. A sentence with low-level text is one
    plan already, and one that is ``@`` and a planner's name is made of the sentence (``low_texts``). say: takes a line
    for each sentence that is not given to the model as it is, whose low-level text was made, or whose motion does not
    show its number (``measured``). strict: what
    the model does not know is an error, and not a line. Errors: UsageError.
    """
    if low_texts_of.asks_planner(low_texts):
        return low_texts_of.make(
            run,
            texts,
            low_texts,
            seconds=seconds,
            samples=samples,
            seed=seed,
            sampling=sampling,
            progress=progress,
            say=say,
        )
    planner = planner_named(plan)
    slots_of(run, texts, low_texts)  # a text that cannot be read is refused before anything is said of it
    meant = list(texts)
    if planner is not None and not any(low_texts):
        meant = [None if text is None else as_meant(run, text, say) for text in texts]
    plans: list[Plan | None] = [None] * len(texts) if any(low_texts) else plans_of(run, meant, planner)
    asked = [
        [segment.text for segment in found.segments] if found else [text] if text else []
        for found, text in zip(plans, meant, strict=True)
    ]
    strangers = check_known(run, [each for words in asked for each in words], strict=strict, say=say)
    unknown = [[strangers[each] for each in words if each in strangers] for words in asked]
    amounts = [_amount_of(planner, found, text) for found, text in zip(plans, meant, strict=True)]
    if any(plans) or any(amounts):
        lengths = generate.spread(list(seconds) or [None], len(texts), "--seconds")
        for length in lengths:
            if length is not None:
                generate.frames_of(length, run.model.spec.fps)  # refuses 0 before a plan takes it for no length
        clips = _Work(run, plans, meant, list(lengths), seed, sampling, progress).make(amounts, plan, samples, say)
    else:
        clips = generate.generate_texts(
            run, meant, low_texts, seconds=seconds, samples=samples, seed=seed, sampling=sampling, progress=progress
        )
    rows = [number // samples for number in range(len(clips))]
    return [with_answers(run, _as_typed(c, texts[k], meant[k]), unknown[k]) for k, c in zip(rows, clips, strict=True)]


def as_meant(run: Run, text: str, say: Callable[[str], None] | None = None) -> str:
    """A text without slips of the finger, which a line says, where the model's encoder has whole words
    (texts/spelling.py)."""
    words = next((each.network for each in sentence_encoders(run) if isinstance(each.network, Bert)), None)
    if words is None:
        return text
    meant, changed = corrected(text, words.knows)
    if changed:
        slips = ", ".join(f"{typed!r} as {read!r}" for typed, read in changed)
        _tell(say, f"{text!r}: read {slips} (--plan none keeps every letter)")
    return meant


def _as_typed(clip: Clip, typed: str | None, meant: str | None) -> Clip:
    """A clip of a text with slips carries what was typed, and how it was read."""
    return clip if typed is None or typed == meant else _asked_as(clip, typed, {"read_as": meant})


@dataclass
class _Work:
    """What is made of each text: a plan of several actions whole, any other text in its words and its length."""

    run: Run
    plans: list[Plan | None]
    words: list[str | None]
    lengths: list[float | None]
    seed: int
    sampling: Sampling | None
    progress: Callable[[str, int, int], None] | None
    whole: set[int] = field(default_factory=set)

    def make(
        self, amounts: Sequence[Amount | None], plan: str, samples: int, say: Callable[[str], None] | None
    ) -> list[Clip]:
        """All motions in order, those that do not show their amount drawn again."""
        plans = list(self.plans)
        for k, found in enumerate(plans):
            if found is not None:
                self.prepare(k, found, plan, say)
        made = self.all(samples)
        for k, amount in enumerate(amounts):
            if amount is not None:
                made[k] = nearest(made[k], amount, partial(self.draw, k), say)
        flat = [clip for clips in made for clip in clips]
        return [clip.with_(name=f"motion_{number:03d}") for number, clip in enumerate(flat, 1)]

    def prepare(self, k: int, found: Plan, planner: str, say: Callable[[str], None] | None) -> None:
        """Settle how the text of a plan is made, and say it."""
        if found.compound and not timeline.composes(self.run):
            if planner != DEFAULT:
                timeline.check_composes(self.run)
            _tell(say, f"{found.sentence!r} is kept whole: {self.run.model.card.name} makes one action at a time")
        elif found.compound:
            self.whole.add(k)
            self.plans[k] = with_times = timeline.timed(self.run, found, self.lengths[k])
            _tell(say, line_of(with_times))
        else:
            segment = found.segments[0]
            self.words[k] = segment.text
            if self.lengths[k] is None:
                self.lengths[k] = segment.seconds or _seconds_of(self.run, segment)
            _tell(say, line_of(replace(found, segments=(replace(segment, seconds=self.lengths[k]),))))

    def all(self, samples: int) -> list[list[Clip]]:
        """The motions of each text; those of a known length together, and those that last as they like."""
        made = {k: self.draw(k, samples) for k in sorted(self.whole)}
        for known in (False, True):
            rows = [k for k, length in enumerate(self.lengths) if k not in self.whole and (length is not None) == known]
            made |= dict(zip(rows, self._plain(rows, samples) if rows else [], strict=True))
        return [made[k] for k in range(len(self.plans))]

    def draw(self, k: int, count: int) -> list[Clip]:
        """``count`` motions of one text; the first of them whatever ``count`` is."""
        found = self.plans[k]
        if k not in self.whole or found is None:
            return self._plain([k], count)[0]
        return timeline.make(
            self.run, [found], samples=count, seed=self.seed, sampling=self.sampling, progress=self.progress
        )

    def _plain(self, rows: Sequence[int], count: int) -> list[list[Clip]]:
        clips = generate.generate_texts(
            self.run,
            [self.words[k] for k in rows],
            seconds=[length for k in rows if (length := self.lengths[k]) is not None],
            samples=count,
            seed=self.seed,
            sampling=self.sampling,
            progress=self.progress,
        )
        return [[_with_sentence(c, self.plans[k]) for c in clips[i * count :][:count]] for i, k in enumerate(rows)]


def readable(
    run: Run,
    lines: Sequence[Line],
    path: str | Path,
    plan: str = DEFAULT,
    seconds: Sequence[float] = (),
    *,
    strict: bool = False,
    say: Callable[[str], None] | None = None,
) -> tuple[list[str], list[str | None], list[float]]:
    """Texts, low-level texts and lengths of those lines of a file that a model can read; a line is said for each of the
    others. UsageError where none is left, and, when strict, for the first bad one."""
    planner, language = planner_named(plan), str(run.model.card.data.get("language", ""))
    kept: list[int] = []
    first: str | None = None
    for k, line in enumerate(lines):
        try:
            check_text(line.text, language)
            if planner is not None:
                planner.plan([line.text])
            kept.append(k)
        except UsageError as error:
            said = f"{path}: line {line.number}: {error}"
            if strict:
                raise UsageError(said) from error
            first = first or said
            _tell(say, f"{said}; the others are made")
    if not kept:
        raise UsageError(f"{first}; no other line is left")
    lengths = [seconds[k] for k in kept] if len(seconds) == len(lines) else list(seconds)
    lows = [lines[k].low for k in kept]
    return [lines[k].text for k in kept], lows if any(lows) else [], lengths


def _seconds_of(run: Run, segment: Segment) -> float | None:
    if segment.amount is None:
        return None
    natural = _natural_seconds(run, segment.text)
    return seconds_of_amount(segment, timeline.UNKNOWN_SECONDS if natural is None else natural)


def _natural_seconds(run: Run, text: str) -> float | None:
    found = run.model.natural_lengths({run.task.texts()[0]: [text]})
    return None if found is None else found[0] / run.model.spec.fps


def _to_be_seen(run: Run, plan: Plan) -> Plan:
    """The plan of one action with a length, where in the model's own it is not seen."""
    only = plan.segments[0]
    if verb_of(only) not in SEEN or (natural := _natural_seconds(run, only.text)) is None:
        return plan
    least, most = SEEN[verb_of(only)]
    if least <= natural <= most:
        return plan
    return replace(plan, segments=(replace(only, seconds=min(max(natural, least), most)),))


def _amount_of(planner: Planner | None, plan: Plan | None, text: str | None) -> Amount | None:
    """What can be measured of a sentence, by the rules: in a plan of theirs "bows twice" may be two bows already."""
    if text is None or planner is None or planner.name != DEFAULT or (plan is not None and plan.builder != DEFAULT):
        return None
    return amount_of(planner.plan([text])[0])


def _with_sentence(clip: Clip, plan: Plan | None) -> Clip:
    """A clip of a changed sentence carries what was asked for, and the plan."""
    return clip if plan is None else _asked_as(clip, plan.sentence, {"plan": timeline.described(plan)})


def _asked_as(clip: Clip, text: str, info: Mapping[str, Any]) -> Clip:
    return clip.with_(captions=(text, *clip.captions[1:]), info={**clip.info, "text": text, **info})


def _tell(say: Callable[[str], None] | None, line: str) -> None:
    if say is not None:
        say(line)


def line_of(plan: Plan) -> str:
    """A plan in one line: "walk in 4.0 s, bow 3.1 s, wave 6.4 s (rules; left out: not left)"."""
    parts = []
    for segment in plan.segments:
        lane = "" if segment.lane == WHOLE_BODY else f" ({segment.lane.replace('_', ' ')})"
        length = "" if segment.seconds is None else f" {segment.seconds:.1f} s"
        parts.append(f"{segment.action}{lane}{length}")
    notes = "; ".join((plan.builder, *plan.notes))
    return f"{plan.sentence!r} is made as: {', '.join(parts)} ({notes}; --plan none keeps the sentence whole)"
