"""The command line: it parses, calls the pipelines, and prints. A command imports what is heavy itself.

Every error raised on purpose is one line on standard error; the exit status is 2 when the request was wrong, 1 when
something else was, 130 after Ctrl-C. ``--debug``, anywhere, shows the traceback instead.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from motion_platform.cli import examples
from motion_platform.cli.common import (
    Device,
    Names,
    Output,
    Progress,
    View,
    check_motion_outputs,
    check_recording,
    given_slots,
    note,
    recordings,
    save,
    show_version,
    slot_options,
)
from motion_platform.cli.data import data_app, weights_app
from motion_platform.cli.evaluate import benchmark, compare, evaluate, weights_of
from motion_platform.cli.files import convert, info, render
from motion_platform.cli.language import caption, length, without_text
from motion_platform.cli.plan import plan as plan_command
from motion_platform.cli.search import import_guo, import_m2s, search
from motion_platform.cli.studio import serve, studio
from motion_platform.cli.tokens import detokenize, tokenize, tokenizer_report
from motion_platform.core.errors import MotionPlatformError, UnknownName, UsageError

app = typer.Typer(
    help="Words into human motion. Start with: motion generate text_to_motion --text 'a person waves' -o out.html",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog="--debug, anywhere, shows the traceback of an error.",
)


@app.callback()
def main_options(
    version: Annotated[
        bool, typer.Option("--version", help="Say the version and stop.", is_eager=True, callback=show_version)
    ] = False,
) -> None:
    """Options before the command."""


app.add_typer(data_app, name="data")
app.add_typer(weights_app, name="weights")

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


@app.command("list")
def list_(kind: Annotated[str | None, typer.Argument(help="One kind only: tasks, models, encoders, ...")] = None):
    """Everything that has a name: tasks, recipes, models, encoders, generators, metrics, data sets."""
    from motion_platform.core import cards
    from motion_platform.pipelines import inventory as listing

    kinds = listing.kinds()
    if kind is not None and kind not in kinds:
        raise UnknownName("kind", kind, kinds)
    for each in [kind] if kind else kinds:
        if kind is None:
            print(f"{each}:")
        listing.show_rows(each, "" if kind else "  ")
    if kind is None:
        print(f"cards: {cards.folder('tasks').parent}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
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
    from motion_platform.model.run import find_device
    from motion_platform.motion.skeleton import get_skeleton
    from motion_platform.pipelines import generate as engine
    from motion_platform.pipelines import planning
    from motion_platform.pipelines import timeline as engine_timeline
    from motion_platform.pipelines.texts import read_texts

    texts, lows = list(text), list(low_text)
    if text_file is not None:
        if texts or lows:
            raise UsageError("--text-file: give either a file of texts or --text/--low-text, not both")
        texts, lows = read_texts(text_file)
    known = [option for parameter in context.command.params for option in parameter.opts]
    more, named = given_slots(give), slot_options(task, context.args, known)
    for slot, values in named.items():
        more.setdefault(slot, []).extend(values)
    planning.planner_named(plan)
    written = None
    if timeline is not None:
        if texts or lows or music or style or more or motion is not None or len(seconds) > 1:
            raise UsageError("--timeline: is all that is said of a motion; give it without texts, music and --motion")
        written, texts = engine_timeline.read_timeline(timeline), [None]
    if not texts and not music and not more:
        texts = without_text(task, motion)
    if amplitude is not None and not music:
        raise UsageError("--amplitude: is for --music")
    if len(seconds) > 1 and music:
        raise UsageError(f"--seconds: got {len(seconds)} values; music takes one, for all recordings")
    for path in [*music, *recordings(task, named)]:
        check_recording(path)
    run = engine.load(task, model, find_device(device))
    sampling = _sampling(guidance, steps, sampler, run, 1.0 if amplitude is None else amplitude)
    if motion is not None:
        if music or more:
            raise UsageError("--motion: a completed motion takes texts beside it, no music and no --give")
        check_motion_outputs(output, view, samples)
        with Progress(f"completing {motion.name}") as progress:
            clips = engine.complete(
                run,
                motion,
                texts=texts,
                low_texts=lows,
                seconds=seconds,
                samples=samples,
                seed=seed,
                sampling=sampling,
                progress=progress.show,
            )
    elif written is not None:
        check_motion_outputs(output, view, samples)
        with Progress("making the timeline") as progress:
            clips = engine_timeline.make(
                run,
                [written],
                seconds=seconds,
                samples=samples,
                seed=seed,
                sampling=sampling,
                progress=progress.show,
            )
    elif any(texts) and not music and not more and not style:
        check_motion_outputs(output, view, len(texts) * samples)
        with Progress("reading what was given") as progress:
            clips = planning.make(
                run,
                texts,
                lows,
                plan=plan,
                seconds=seconds,
                samples=samples,
                seed=seed,
                sampling=sampling,
                progress=progress.show,
                say=note,
            )
    else:
        given, count = engine.inputs_of(run, texts=texts, low_texts=lows, music=music, styles=style, give=more)
        shown_twice = view == "both" and get_skeleton(run.model.spec.skeleton).dims == 2
        check_motion_outputs(output, view, count * samples * (1 + shown_twice))
        with Progress("reading what was given") as progress:
            clips = engine.make(
                run,
                given,
                count=count,
                seconds=seconds,
                samples=samples,
                seed=seed,
                sampling=sampling,
                progress=progress.show,
            )
    for clip in clips:
        if "seams" in clip.info:
            print(f"{clip.name}: {engine.describe_seams(clip.info['seams'])}")
    save(clips, output, view)


@app.command()
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
    names: Names = None,
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
    from motion_platform.model.run import find_device
    from motion_platform.motion import io
    from motion_platform.pipelines import generate as engine

    try:
        numbers = [int(part) for part in frames.split(",") if part.strip()]
    except ValueError as error:
        raise UsageError(f"--frames: got {frames!r}; write whole numbers with commas: 0,20,60") from error
    clips = io.load_all(source)
    if not 1 <= number <= len(clips):
        raise UsageError(f"--number: got {number}; {source} holds {len(clips)} motion(s), counted from 1")
    run = engine.load(task, model, find_device(device))
    sampling = _sampling(guidance, steps, sampler, run)
    with Progress(f"editing {source.name}") as progress:
        clips = engine.edit(
            run,
            clips[number - 1],
            keep,
            text,
            low_text,
            seconds=seconds,
            keep_seconds=keep_seconds,
            frames=numbers,
            names=names,
            samples=samples,
            seed=seed,
            sampling=sampling,
            progress=progress.show,
        )
    save(clips, output)


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe: a name from `motion list recipes`, or a file.")],
    overrides: Annotated[list[str], typer.Argument(metavar="[KEY=VALUE]...", help="train.steps=100 output=x")] = [],
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run in the output folder stopped.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start anew in a folder that holds a run.")] = False,
    device: Annotated[str, typer.Option(help="auto or cpu.")] = "auto",
):
    """Train a recipe. Several processes: torchrun --nproc_per_node 2 cli.py train RECIPE."""
    if device not in ("auto", "cpu"):
        raise UsageError(f"--device: got {device!r}; allowed: auto, cpu (choose GPUs with CUDA_VISIBLE_DEVICES)")
    from motion_platform.core import cards
    from motion_platform.training import build
    from motion_platform.training import state as checkpoint
    from motion_platform.training import train as engine

    found, name = build.load_recipe(recipe, overrides)
    header = checkpoint.header_of(cards.find("configs", recipe))
    engine.run(
        found, name, header=header, resume=resume, overwrite=overwrite, device=None if device == "auto" else device
    )


app.command()(evaluate)
app.command()(benchmark)
app.command()(compare)
app.command()(search)
app.command()(caption)
app.command()(tokenize)
app.command()(detokenize)
app.command("tokenizer-report")(tokenizer_report)
app.command()(length)
app.command("plan")(plan_command)
weights_app.command("import-guo")(import_guo)
weights_app.command("import-m2s")(import_m2s)


app.command()(convert)
app.command()(render)
app.command()(info)
app.command()(studio)
app.command()(serve)


@app.command()
def doctor():
    """Say which versions are installed and where, and whether they work together."""
    from motion_platform.pipelines import inventory as listing

    for key, value in listing.doctor().items():
        print(f"{key:<22} {value}")


for _group, _commands in (("", app), ("data ", data_app), ("weights ", weights_app)):
    for _command in _commands.registered_commands:
        _name = _command.name or _command.callback.__name__.replace("_", "-")  # type: ignore[union-attr]
        _command.epilog = examples.of(_group + _name)


def _sampling(guidance: list[str], steps: int | None, sampler: str | None, run: Any, amplitude: float = 1.0) -> Any:
    from motion_platform.core.schema import Sampling

    weights = weights_of(guidance, list(run.model.card.slots)) or {}
    return Sampling(guidance=weights, steps=steps, sampler=sampler, amplitude=amplitude)


def main() -> None:
    """Run the command line and exit."""
    debug = "--debug" in sys.argv[1:]
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    # ClickException, of click or (in newer versions) of the copy of it inside typer
    click_error = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
    try:
        code = app(args=arguments, prog_name="motion", standalone_mode=False) or 0
        sys.stdout.flush()
    except MotionPlatformError as error:
        code = _fail(str(error), error.exit_code, debug)
    except click_error as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()
            code = 2
        else:
            where = error.ctx.command_path if getattr(error, "ctx", None) else "motion"
            code = _fail(f"{error.format_message()} (see: {where} --help)", 2, debug)
    except (KeyboardInterrupt, typer.Abort):
        code = _fail("stopped", 130, debug)
    except BrokenPipeError:  # the reader of our output went away (motion list | head)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        code = _fail(f"unexpected {type(error).__name__}: {error} (--debug shows where)", 1, debug)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    else:
        print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return code
