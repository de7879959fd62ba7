"""Commands that measure: ``motion evaluate``, ``motion benchmark``, ``motion compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from motion_platform.cli.common import Device, Progress
from motion_platform.core.errors import UsageError

Processes = Annotated[
    int | None, typer.Option(help="How many work at once (default: one a core). No number depends on it.", min=1)
]
Repeats = Annotated[int | None, typer.Option(help="Default: the task's (20 in papers).", min=1, max=1000)]
Samples = Annotated[int | None, typer.Option(help="At most that many clips, spread over the split.", min=1)]
Split = Annotated[str | None, typer.Option(help="Default: the task's.")]
Metrics = Annotated[
    list[str],
    typer.Option("--metrics", "--metric", help="NAME or NAME=SPACE; commas or repeated. Default: the task's."),
]
DataFolder = Annotated[str | None, typer.Option("--data", help="Prepared data folder (default: data/<name>).")]
Precision = Annotated[str, typer.Option(help="fp32, or bf16: three times faster, errors of about 0.01 (motion only).")]
Cache = Annotated[
    Path | None, typer.Option(help="Folder that keeps generated motions: another metric then generates nothing.")
]
NoBounds = Annotated[bool, typer.Option("--no-bounds", help="Only real motion beside the model.")]


def evaluate(
    model: Annotated[str, typer.Argument(help="A model's name, a checkpoint folder, or a folder of motions.")],
    task: Annotated[
        str | None,
        typer.Option(help="Another task that it can do too (default: its own; of a folder: text_to_motion)."),
    ] = None,
    split: Split = None,
    repeats: Repeats = None,
    metrics: Metrics = [],
    samples: Samples = None,
    space: Annotated[str | None, typer.Option(help="Measure in this space instead of the card's text_motion.")] = None,
    processes: Processes = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    guidance: Annotated[list[str], typer.Option(help="2.5, or SLOT=2.5 for one condition; repeatable.")] = [],
    steps: Annotated[int | None, typer.Option(help="Denoising steps (default: the model's).", min=1)] = None,
    sampler: Annotated[str | None, typer.Option(help="Name of the sampler (default: the model's).")] = None,
    slot: Annotated[list[str], typer.Option(help="Give only these conditions (default: all); repeatable.")] = [],
    shuffled: Annotated[
        list[str], typer.Option(help="One more row: the same model, given another clip's value there; repeatable.")
    ] = [],
    precision: Precision = "fp32",
    lengths: Annotated[
        str | None, typer.Option(help="Of what the model makes: natural (its own), or true (the clip's).")
    ] = None,
    captions: Annotated[
        str | None,
        typer.Option(help="Of a clip's: first, or random, another one in every repeat as in HumanML3D's protocol."),
    ] = None,
    data: DataFolder = None,
    cache: Cache = None,
    no_bounds: NoBounds = False,
    output: Annotated[
        list[Path], typer.Option("--output", "-o", help=".json (for motion compare), .md or .html; repeatable.")
    ] = [],
    device: Device = "auto",
):
    """Measure a model, or motions from elsewhere, by the whole protocol; real motion and bounds stand beside it."""
    check_outputs(output)
    check_precision(precision)
    from motion_platform.core import tasks
    from motion_platform.core.files import atomic_path
    from motion_platform.evaluation import benchmark as engine
    from motion_platform.evaluation import report
    from motion_platform.evaluation.outside import is_results
    from motion_platform.evaluation.results import save
    from motion_platform.model.run import find_device, load_run, why_not

    folder = Path(model).expanduser()
    if lengths not in (None, "natural", "true"):
        raise UsageError(f"--lengths: got {lengths!r}; allowed: natural, true")
    if captions not in (None, "first", "random"):
        raise UsageError(f"--captions: got {captions!r}; allowed: first, random")
    settings: dict[str, Any] = {"sampler": sampler, "steps": steps, "slots": slot or None, "precision": precision}
    name: str | None
    if is_results(folder):
        entry = engine.Entry(folder=model, name=folder.resolve().name, **settings)
        card, name = tasks.load(task or "text_to_motion"), None
    else:
        run = load_run(model)
        card, name = run.task, run.data.name if run.data else None
        if task is not None and tasks.load(task).task != card.task:
            card = tasks.load(task)
            if (why := why_not(run.model, card)) is not None:
                raise UsageError(f"--task: {why}")
        data = data or (run.data.folder if run.data else None)
        weights = weights_of(guidance, run.model.guided)
        settings["lengths"] = lengths
        entry = engine.Entry(model=model, name=run.model.card.name, guidance=weights, **settings)
    others = [
        entry.model_copy(update={"name": f"{entry.called}, another clip's {each}", "shuffled": [each]})
        for each in shuffled
    ]
    recipes = recipes_of(metrics, card) or list(card.metrics)
    if space is not None:
        recipes = [m.model_copy(update={"space": space}) if in_text_space(m.name) else m for m in recipes]
    described = engine.Benchmark(
        tasks=[task or card.task],
        entries=[entry, *others],
        seeds=[seed],
        data=name,
        folder=data,
        split=split,
        samples=samples,
        captions=captions,
        repeats=repeats,
        several_repeats=None if repeats is None else min(repeats, card.protocol.several_repeats),
        metrics=recipes,
        bounds=[] if no_bounds else None,
    )
    own = {card.task: card} if task is None else {}
    chosen = find_device(device)
    job = engine.Job(described, None, chosen, cache, cards=own)
    with Progress(f"measuring {entry.called}"):
        cells = engine.run(job, process_count(processes, chosen))
    print(report.text_table([cell.row for cell in cells]))
    for path in output:
        if path.suffix == ".json":
            save(path, [cell.row for cell in cells], {"task": card.task})
        else:
            title = f"{entry.called}: {card.task}"
            text = report.markdown(cells) if path.suffix == ".md" else report.page(cells, title)
            with atomic_path(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
        print(path)


def benchmark(
    config: Annotated[
        str | None, typer.Argument(help="A benchmark: a name from `motion list benchmarks`, or a file.")
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(help="Many tasks and models in one table: a name from `motion list suites`, or a file."),
    ] = None,
    models: Annotated[str | None, typer.Option(help="Instead of a file: names or folders, with commas.")] = None,
    tasks: Annotated[str, typer.Option(help="With --models: task cards, with commas.")] = "text_to_motion",
    seeds: Annotated[str | None, typer.Option(help="Whole numbers with commas (default: the file's, else 0).")] = None,
    repeats: Repeats = None,
    metrics: Metrics = [],
    samples: Samples = None,
    split: Split = None,
    processes: Processes = None,
    data: DataFolder = None,
    precision: Annotated[str | None, typer.Option(help="fp32 or bf16, for all entries.")] = None,
    cache: Cache = None,
    no_bounds: NoBounds = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder (default: runs/benchmarks/NAME).")
    ] = None,
    device: Device = "auto",
):
    """Measure many models, tasks and seeds; started again, it goes on where it stopped."""
    if suite is not None:
        if config is not None:
            raise UsageError("motion benchmark: give either a benchmark or --suite")
        changed = {"samples": samples, "repeats": repeats, "split": split, "folder": data}
        changed |= {"bounds": [] if no_bounds else None}
        return measure_suite(suite, models, seeds, changed, output, processes, device, cache)
    if (config is None) == (models is None):
        raise UsageError("motion benchmark: give either a benchmark or --models")
    if precision is not None:
        check_precision(precision)
    from motion_platform.evaluation import benchmark as engine
    from motion_platform.evaluation import report
    from motion_platform.evaluation.outside import is_results
    from motion_platform.model.run import find_device

    if config is not None:
        described, called = engine.read(config), Path(config).stem
    else:
        names = split_list(models)
        entries = [engine.Entry(folder=n) if is_results(Path(n).expanduser()) else engine.Entry(model=n) for n in names]
        described, called = engine.Benchmark(tasks=split_list(tasks), entries=entries), "benchmark"
    changes: dict[str, Any] = {
        "seeds": numbers(seeds) if seeds is not None else None,
        "repeats": repeats,
        "several_repeats": None if repeats is None else min(repeats, 5),
        "metrics": recipes_of(metrics) or None,
        "samples": samples,
        "split": split,
        "folder": data,
        "bounds": [] if no_bounds else None,
    }
    described = described.model_copy(update={k: v for k, v in changes.items() if v is not None})
    if precision is not None:
        entries = [entry.model_copy(update={"precision": precision}) for entry in described.entries]
        described = described.model_copy(update={"entries": entries})
    out = output or Path("runs") / "benchmarks" / called
    chosen = find_device(device)
    job = engine.Job(described, out, chosen, cache)
    with Progress(f"measuring {called}"):
        cells = engine.run(job, process_count(processes, chosen))
    title = described.title or called
    header = {"benchmark": described.model_dump()}
    written = report.write(cells, out, title, header)
    print(report.markdown(cells, title))
    for path in written:
        print(path)


def measure_suite(
    name: str,
    models: str | None,
    seeds: str | None,
    changes: dict[str, Any],
    output: Path | None,
    processes: int | None,
    device: str,
    cache: Path | None,
) -> None:
    """``motion benchmark --suite``. changes: of every task of it, where they are not None."""
    from motion_platform.evaluation import suite as engine
    from motion_platform.evaluation.processes import started_together
    from motion_platform.model.run import find_device

    if started_together() is not None:
        raise UsageError("--suite: runs on one machine; on several, measure its tasks one by one")
    described = engine.read(name)
    changes = {key: value for key, value in changes.items() if value is not None}
    update: dict[str, Any] = {"tasks": [task.model_copy(update=changes) for task in described.tasks]}
    if models is not None:
        kept = [task.model_copy(update={"models": None}) for task in update["tasks"]]
        update |= {"models": split_list(models), "tasks": kept}
    if seeds is not None:
        update["seeds"] = numbers(seeds)
    described = described.model_copy(update=update)
    out, chosen = output or Path("runs") / "suites" / Path(name).stem, find_device(device)
    with Progress(f"measuring {Path(name).stem}"):
        columns = engine.run(
            described, out, count=process_count(processes, chosen), device=chosen, cache=cache, say=say
        )
    print(engine.markdown(described, columns))
    for path in engine.write(described, columns, out):
        print(path)


def say(line: str) -> None:
    """A line for whoever waits."""
    import sys

    print(line, file=sys.stderr, flush=True)


def compare(
    a: Annotated[str, typer.Argument(help="A result file (.json); FILE.json:ROW for another row than the model's.")],
    b: Annotated[str | None, typer.Argument(help="The other one, measured on the same clips.")] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Beside what papers print of this task and data, instead of another.")
    ] = False,
    resamples: Annotated[int, typer.Option(help="Draws for metrics that are means over clips.", min=20)] = 1000,
    set_resamples: Annotated[int, typer.Option(help="Draws for metrics of embeddings, which cost more.", min=20)] = 200,
    seed: Annotated[int, typer.Option(min=0)] = 0,
):
    """Say in words which differences between two results are significant (paired bootstrap)."""
    from motion_platform.evaluation import compare as engine

    if (b is None) != published:
        raise UsageError("motion compare: give a second result, or --published")
    if b is None:
        from motion_platform.evaluation import published_rows

        print(published_rows.beside(engine.load_row(a)), end="")
        return
    first, second = engine.load_row(a), engine.load_row(b)
    names = [row.facts["name"] for row in (first, second)]
    if names[0] == names[1]:
        names = [f"A ({names[0]})", f"B ({names[1]})"]
    found = engine.compare(first, second, resamples=resamples, set_resamples=set_resamples, seed=seed)
    for line in engine.in_words(found, *names, real=engine.real_motion(a)):
        print(line)


def check_outputs(paths: list[Path]) -> None:
    """Refuse a wrong output before any work is done, and make its folder."""
    from motion_platform.core.files import check_formats

    check_formats(paths, (".json", ".md", ".html"))
    for path in paths:
        if path.is_dir():
            raise UsageError(f"{path}: is a folder; give a file name")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{path}: the folder cannot be made: {error.strerror or error}") from error


def check_precision(precision: str) -> None:
    if precision not in ("fp32", "bf16"):
        raise UsageError(f"--precision: got {precision!r}; allowed: bf16, fp32")


def recipes_of(metrics: list[str], card: Any = None) -> list[Any]:
    """``frechet=text_motion,foot_skating`` as recipes; a name alone takes the space and settings that the task's card
    gives it, else those of the text_to_motion card."""
    from motion_platform.core import registry
    from motion_platform.core import tasks as cards
    from motion_platform.core.config import MetricRecipe
    from motion_platform.core.errors import UnknownName

    known = {metric.name: metric for metric in cards.load("text_to_motion").metrics}
    known |= {metric.name: metric for metric in (card.metrics if card is not None else ())}
    recipes = []
    for each in [part for value in metrics for part in split_list(value)]:
        name, equals, space = each.partition("=")
        if name not in registry.table("metrics"):
            raise UnknownName("metric", name, registry.table("metrics"), "--metrics")
        recipes.append(MetricRecipe(name=name, space=space) if equals else known.get(name, MetricRecipe(name=name)))
    return recipes


def in_text_space(metric: str) -> bool:
    """Does a metric measure in a space of embeddings (not with a recogniser)?"""
    from motion_platform.core import registry

    return registry.get("metrics", metric).needs in ("space", "truth", "text")


def weights_of(guidance: list[str], slots: list[str]) -> dict[str, float] | None:
    """--guidance 2.5 is for every condition, --guidance text_low=4 for one."""
    from motion_platform.core.errors import suggest

    weights: dict[str, float] = {}
    for each in guidance:
        slot, equals, value = each.rpartition("=")
        if equals and slot not in slots:
            raise UsageError(f"--guidance: no condition {slot!r}; {suggest(slot, slots)}")
        try:
            weights |= dict.fromkeys([slot] if equals else slots, float(value))
        except ValueError as error:
            raise UsageError(f"--guidance: got {each!r}; write a number, or SLOT=NUMBER") from error
    return weights or None


def process_count(processes: int | None, device: str) -> int:
    """One a core on a CPU, one on an accelerator, unless told otherwise."""
    from motion_platform.evaluation.processes import cores

    if processes is not None:
        return processes
    return cores() if device == "cpu" else 1


def split_list(text: str | None) -> list[str]:
    """``"a, b"`` -> ``["a", "b"]``."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def numbers(text: str) -> list[int]:
    """``"0,1"`` -> ``[0, 1]``. UsageError for anything else."""
    try:
        found = [int(part) for part in split_list(text)]
    except ValueError as error:
        raise UsageError(f"--seeds: got {text!r}; write whole numbers with commas: 0,1,2") from error
    if not found or min(found) < 0 or len(set(found)) < len(found):
        raise UsageError(f"--seeds: got {text!r}; different whole numbers from 0 on, with commas")
    return found
