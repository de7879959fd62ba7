"""``motion sweep``: many runs of one recipe, in one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from motion_platform.core.errors import UsageError


def sweep(
    recipe: Annotated[str, typer.Argument(help="A recipe: a name from `motion list recipes`, or a file.")],
    overrides: Annotated[list[str], typer.Argument(metavar="[KEY=VALUE]...", help="The same in every run.")] = [],
    over: Annotated[list[str], typer.Option(help="KEY=A,B,C, or KEY=LOW..HIGH with --search optuna; repeat.")] = [],
    out: Annotated[Path, typer.Option(help="Folder of the runs and the table.")] = Path("runs/sweep"),
    metric: Annotated[str, typer.Option(help="What counts: loss, validation/NAME; its last value.")] = "loss",
    maximise: Annotated[bool, typer.Option("--maximise", help="More of it is better.")] = False,
    search: Annotated[Literal["grid", "optuna"], typer.Option(help="Every combination, or Optuna's choice.")] = "grid",
    trials: Annotated[int | None, typer.Option(help="Runs, with --search optuna.", min=1)] = None,
    device: Annotated[str, typer.Option(help="auto or cpu.")] = "auto",
):
    """Train a recipe with many values of some keys; stopped, the same command goes on."""
    if (search == "optuna") != (trials is not None):
        raise UsageError("--trials: how many runs, with --search optuna and only then")
    if device not in ("auto", "cpu"):
        raise UsageError(f"--device: got {device!r}; allowed: auto, cpu")
    from motion_platform.training import sweep as engine

    varied = [engine.read_over(text) for text in over]
    made = engine.run(
        recipe,
        overrides,
        varied,
        out,
        metric=metric,
        maximise=maximise,
        trials=trials,
        device=None if device == "auto" else device,
    )
    print(f"{engine.table(made, varied, metric)}\ntable: {out / engine.TABLE}")
