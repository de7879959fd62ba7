"""The command line: it parses, calls the pipelines, and prints. A command imports what is heavy itself.

Every error raised on purpose is one line on standard error; the exit status is 2 when the request was wrong, 1 when
something else was, 130 after Ctrl-C. ``--debug``, anywhere, shows the traceback instead.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer

from motion_platform.cli import examples, imports
from motion_platform.cli.common import show_version
from motion_platform.cli.data import data_app, weights_app
from motion_platform.cli.evaluate import benchmark, compare, evaluate
from motion_platform.cli.files import convert, info, render
from motion_platform.cli.generate import edit, generate
from motion_platform.cli.language import caption, export, length, push
from motion_platform.cli.plan import plan as plan_command
from motion_platform.cli.plan import show_actions
from motion_platform.cli.search import search
from motion_platform.cli.studio import serve, studio
from motion_platform.cli.sweep import sweep
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


@app.command("list")
def list_(
    kind: Annotated[str | None, typer.Argument(help="One kind only: tasks, models, actions, encoders, ...")] = None,
    model: Annotated[str | None, typer.Option(help="With actions: whose (default: that of text_to_motion).")] = None,
):
    """Everything that has a name: tasks, recipes, models, encoders, generators, metrics, data sets, actions."""
    from motion_platform.core import cards
    from motion_platform.pipelines import inventory as listing

    if kind == "actions":
        return show_actions(model)
    if model is not None:
        raise UsageError("--model: is for motion list actions")
    kinds = listing.kinds()
    if kind is not None and kind not in kinds:
        raise UnknownName("kind", kind, kinds)
    for each in [kind] if kind else kinds:
        if kind is None:
            print(f"{each}:")
        listing.show_rows(each, "" if kind else "  ")
    if kind is None:
        print(f"cards: {cards.folder('tasks').parent}")


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


app.command()(sweep)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(generate)
app.command()(edit)
app.command()(evaluate)
app.command()(benchmark)
app.command()(compare)
app.command()(search)
app.command()(caption)
app.command()(tokenize)
app.command()(detokenize)
app.command("tokenizer-report")(tokenizer_report)
app.command()(length)
app.command()(export)
app.command()(push)
app.command("plan")(plan_command)
weights_app.command("import-guo")(imports.import_guo)
weights_app.command("import-m2s")(imports.import_m2s)
weights_app.command("import-mdm")(imports.import_mdm)
weights_app.command("import-diffusion-conductor")(imports.import_diffusion_conductor)
weights_app.command("import-m2s-gan")(imports.import_m2s_gan)


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
        code = _fail(f"unexpected {type(error).__name__}: {str(error)[:300]} (--debug shows where)", 1, debug)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    else:
        print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return code
