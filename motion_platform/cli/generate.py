"""Commands that make motion: generate, edit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motion_platform.cli.common import (
    Asf,
    BodyFile,
    Device,
    Fps,
    InPlace,
    Layout,
    Loop,
    Names,
    OneBody,
    OutFps,
    Output,
    Progress,
    Rig,
    RootBone,
    Unit,
    Units,
    Up,
    View,
    check_motion_outputs,
    check_recording,
    delivery_of,
    given_slots,
    note,
    read_clips,
    reading_of,
    recordings,
    save,
    slot_options,
)
from motion_platform.cli.evaluate import weights_of
from motion_platform.cli.language import without_text
from motion_platform.core.errors import UsageError

if TYPE_CHECKING:
    from motion_platform.pipelines.texts import Line

Text = Annotated[list[str], typer.Option("--text", "-t", help="What the body does; repeat for several motions.")]
LowText = Annotated[list[str], typer.Option(help="The actions in order, one for all texts or one each; or @PLANNER.")]
Seed = Annotated[int, typer.Option(help="The same seed and text give the same motion.", min=0)]
Samples = Annotated[int, typer.Option(help="Motions for each text.", min=1)]
Guidance = Annotated[
    list[str], typer.Option(help="How strongly the text counts: 2.5, or SLOT=2.5 for one condition; repeatable.")
]
Steps = Annotated[int | None, typer.Option(help="Denoising steps (default: the model's).", min=1)]
Sampler = Annotated[str | None, typer.Option(help="Name of the sampler (default: the model's).")]
Model = Annotated[str | None, typer.Option(help="A shipped model's name or a checkpoint folder.")]
Planner = Annotated[
    str, typer.Option("--plan", help="Who takes a sentence of several actions apart (`motion list planners`), or none.")
]
Timeline = Annotated[
    str | None,
    typer.Option(help='Texts with seconds, one motion: "walk forward:3, bow:2, wave:4"; or a YAML or JSON file.'),
]


def generate(
    context: typer.Context,
    task: Annotated[str, typer.Argument(help="A task card, for example text_to_motion.")],
    output: Output,
    text: Text = [],
    text_file: Annotated[Path | None, typer.Option(help="One text a line, low-level text after a tab.")] = None,
    low_text: LowText = [],
    motion: Annotated[
        Path | None, typer.Option(help="A motion file that the task completes, for example motion_prediction.")
    ] = None,
    fps: Fps = None,
    units: Units = None,
    up: Up = None,
    asf: Asf = None,
    body: BodyFile = None,
    music: Annotated[
        list[Path], typer.Option(help="A recording to move to (wav, ogg, flac, mp3, ...); repeat for several.")
    ] = [],
    style: Annotated[list[str], typer.Option(help="A style that the model knows: one for all, or one each.")] = [],
    give: Annotated[
        list[str], typer.Option(metavar="SLOT=VALUE", help="What any slot of the task's card takes; repeatable.")
    ] = [],
    amplitude: Annotated[
        float | None, typer.Option(help="How large gestures are (1: as the model makes them).")
    ] = None,
    seconds: Annotated[
        list[float],
        typer.Option(help="Length: one for all, or one each (default: as such a motion, or the recording, lasts)."),
    ] = [],
    plan: Planner = "rules",
    timeline: Timeline = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse what the model does not know, and a file with a bad line.")
    ] = False,
    rig: Rig = None,
    names: Names = [],
    out_fps: OutFps = None,
    in_place: InPlace = False,
    loop: Loop = False,
    root_bone: RootBone = False,
    one_body: OneBody = False,
    unit: Unit = None,
    layout: Layout = None,
    view: View = "both",
    samples: Samples = 1,
    seed: Seed = 0,
    guidance: Guidance = [],
    steps: Steps = None,
    sampler: Sampler = None,
    model: Model = None,
    device: Device = "auto",
):
    """Make motion from text, music, speech or a part of a motion and write it to one or more files.

    Every slot of the task's card is an option too, for example --speech talk.wav --emotion happy.
    """
    check_motion_outputs(output, view)
    how = delivery_of(output, rig, names, out_fps, in_place, loop, root_bone, one_body, unit, layout)
    reading = reading_of(motion, fps, units, up, asf, body)
    from motion_platform.model.run import find_device
    from motion_platform.motion.skeleton import get_skeleton
    from motion_platform.pipelines import edits, planning
    from motion_platform.pipelines import generate as engine
    from motion_platform.pipelines import timeline as engine_timeline

    texts, lows, lines = _texts(text, low_text, text_file)
    known = [option for parameter in context.command.params for option in parameter.opts]
    more, named = given_slots(give), slot_options(task, context.args, known)
    for slot, values in named.items():
        more.setdefault(slot, []).extend(values)
    planning.check_planner(plan, "--plan", also=(planning.NONE,))
    written = None
    if timeline is not None:
        if texts or lows or music or style or more or motion is not None or len(seconds) > 1:
            raise UsageError("--timeline: is all that is said of a motion; give it without texts, music and --motion")
        written, texts = engine_timeline.read_timeline(timeline), [None]
    if not texts and not music and not more:
        texts = without_text(task, motion)
    heard = [*music, *recordings(task, named)]
    if amplitude is not None and not heard:
        raise UsageError("--amplitude: is for --music and --speech, what moves to a recording")
    if len(seconds) > 1 and music:
        raise UsageError(f"--seconds: got {len(seconds)} values; music takes one, for all recordings")
    for path in heard:
        check_recording(path)
    run = engine.load(task, model, find_device(device))
    if lines is not None:
        texts, lows, seconds = planning.readable(run, lines, text_file, plan, seconds, strict=strict, say=note)
    sampling = _sampling(guidance, steps, sampler, run, 1.0 if amplitude is None else amplitude)
    asked: dict[str, Any] = {"seconds": seconds, "samples": samples, "seed": seed, "sampling": sampling}
    if motion is not None:
        if music or more:
            raise UsageError("--motion: a completed motion takes texts beside it, no music and no --give")
        check_motion_outputs(output, view, samples)
        edits.check_completion(run, texts, lows, seconds)
        parts = read_clips(motion, **reading)
        with Progress(f"completing {motion.name}") as progress:
            clips = edits.complete(run, parts, texts=texts, low_texts=lows, progress=progress.show, **asked)
    elif written is not None:
        check_motion_outputs(output, view, samples)
        with Progress("making the timeline") as progress:
            clips = engine_timeline.make(run, [written], progress=progress.show, say=note, strict=strict, **asked)
    elif any(texts) and not music and not more and not style:
        check_motion_outputs(output, view, len(texts) * samples)
        with Progress("reading what was given") as progress:
            clips = planning.make(run, texts, lows, plan=plan, progress=progress.show, say=note, strict=strict, **asked)
    else:
        given, count = engine.inputs_of(run, texts=texts, low_texts=lows, music=music, styles=style, give=more)
        shown_twice = view == "both" and get_skeleton(run.model.spec.skeleton).dims == 2
        check_motion_outputs(output, view, count * samples * (1 + shown_twice))
        with Progress("reading what was given") as progress:
            clips = engine.make(run, given, count=count, progress=progress.show, **asked)
    for clip in clips:
        if "seams" in clip.info:
            print(f"{clip.name}: {engine.describe_seams(clip.info['seams'])}")
    save(clips, output, view, how)


def edit(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Any motion file.")],
    output: Output,
    keep: Annotated[
        str | None,
        typer.Option(help="prefix, in_between, upper_body, lower_body or keyframes (default: what the --task says)."),
    ] = None,
    text: Annotated[str | None, typer.Option("--text", "-t", help="What the new part does.")] = None,
    low_text: Annotated[str | None, typer.Option(help="Its actions one after the other.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Length in all, with --keep prefix.")] = None,
    fps: Fps = None,
    units: Units = None,
    up: Up = None,
    asf: Asf = None,
    body: BodyFile = None,
    rig: Rig = None,
    out_fps: OutFps = None,
    in_place: InPlace = False,
    loop: Loop = False,
    root_bone: RootBone = False,
    one_body: OneBody = False,
    unit: Unit = None,
    layout: Layout = None,
    names: Names = [],
    keep_seconds: Annotated[float, typer.Option(help="How much prefix and in_between keep.")] = 1.0,
    frames: Annotated[str, typer.Option(help="Key frames at the model's rate: 0,20,60.")] = "",
    number: Annotated[int, typer.Option(help="Which motion of a file of several, from 1.")] = 1,
    task: Annotated[str, typer.Option(help="Whose model edits, and what is kept.")] = "motion_editing",
    samples: Samples = 1,
    seed: Seed = 0,
    guidance: Guidance = [],
    steps: Steps = None,
    sampler: Sampler = None,
    model: Model = None,
    device: Device = "auto",
):
    """Keep a part of a motion and make the rest anew."""
    check_motion_outputs(output, count=samples)
    how = delivery_of(output, rig, names, out_fps, in_place, loop, root_bone, one_body, unit, layout)
    from motion_platform.model.run import find_device
    from motion_platform.pipelines import edits
    from motion_platform.pipelines import generate as engine

    try:
        numbers = [int(part) for part in frames.split(",") if part.strip()]
    except ValueError as error:
        raise UsageError(f"--frames: got {frames!r}; write whole numbers with commas: 0,20,60") from error
    clips = read_clips(source, fps=fps, units=units, up=up, asf=asf, body=body)
    if not 1 <= number <= len(clips):
        raise UsageError(f"--number: got {number}; {source} holds {len(clips)} motion(s), counted from 1")
    run = engine.load(task, model, find_device(device))
    sampling = _sampling(guidance, steps, sampler, run)
    with Progress(f"editing {source.name}") as progress:
        clips = edits.edit(
            run,
            clips[number - 1],
            keep,
            text,
            low_text,
            seconds=seconds,
            keep_seconds=keep_seconds,
            frames=numbers,
            names=how.source_names,
            samples=samples,
            seed=seed,
            sampling=sampling,
            progress=progress.show,
        )
    save(clips, output, delivery=replace(how, source_names=None))


def _texts(texts: list[str], lows: list[str], file: Path | None) -> tuple[list[Any], list[Any], list[Line] | None]:
    """The texts and low-level texts of the options, or of a file of them, and its lines. UsageError for both."""
    from motion_platform.pipelines.texts import read_lines

    if file is None:
        return list(texts), list(lows), None
    if texts or lows:
        raise UsageError("--text-file: give either a file of texts or --text/--low-text, not both")
    lines = read_lines(file)
    return [line.text for line in lines], [line.low for line in lines], lines


def _sampling(guidance: list[str], steps: int | None, sampler: str | None, run: Any, amplitude: float = 1.0) -> Any:
    from motion_platform.core.schema import Sampling

    weights = weights_of(guidance, run.model.guided) or {}
    return Sampling(guidance=weights, steps=steps, sampler=sampler, amplitude=amplitude)
