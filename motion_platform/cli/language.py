"""Commands of motion as a language: ``motion caption``, ``motion length``; models for others: ``motion export``,
``motion push``; which tasks do without a text."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from motion_platform.cli.common import Asf, BodyFile, Device, Fps, Progress, SourceNames, Units, Up, read_clips
from motion_platform.core.errors import UsageError

if TYPE_CHECKING:
    from motion_platform.pipelines.caption import Caption

CAPTION_FORMATS = (".txt", ".json")


def caption(
    source: Annotated[list[Path], typer.Argument(metavar="IN...", help="Motion files, of any format that is read.")],
    model: Annotated[str | None, typer.Option(help="A shipped model's name or a checkpoint folder.")] = None,
    number: Annotated[int | None, typer.Option(help="Only this motion of each file, from 1.", min=1)] = None,
    names: SourceNames = None,
    fps: Fps = None,
    units: Units = None,
    up: Up = None,
    asf: Asf = None,
    body: BodyFile = None,
    samples: Annotated[int, typer.Option(help="Captions for each motion.", min=1)] = 1,
    seed: Annotated[int, typer.Option(help="The same seed and motion give the same caption.", min=0)] = 0,
    output: Annotated[
        list[Path], typer.Option("--output", "-o", help=".txt or .json, beside the screen; repeatable.")
    ] = [],
    device: Device = "auto",
):
    """Say in words what motions show; a motion longer than the model reads is captioned part by part."""
    from motion_platform.core.files import check_folders, check_formats

    check_formats(output, CAPTION_FORMATS)
    check_folders(output)
    from motion_platform.model.run import find_device
    from motion_platform.pipelines import caption as engine
    from motion_platform.pipelines import generate

    clips = []
    for path in source:
        found = read_clips(path, fps=fps, units=units, up=up, asf=asf, body=body)
        if number is not None and number > len(found):
            raise UsageError(f"--number: got {number}; {path} holds {len(found)} motion(s), counted from 1")
        clips += found if number is None else [found[number - 1]]
    run = generate.load("motion_to_text", model, find_device(device))
    with Progress("reading motions") as progress:
        said = engine.caption_clips(run, clips, samples=samples, seed=seed, names=names, progress=progress.show)
    lines = describe(said, several=len(clips) > 1)
    print("\n".join(lines))
    print(who(said), file=sys.stderr)
    for path in output:
        write(path, said, lines)
        print(path)


def describe(said: list[Caption], several: bool) -> list[str]:
    """One line a caption, with the clip in front where there are several, and the time where a clip has parts."""
    last: dict[str, float] = {}
    for each in said:
        last[each.clip] = max(last.get(each.clip, 0.0), each.end)
    lines = []
    for each in said:
        whole = each.start == 0 and each.end == last[each.clip]
        clip = f"{each.clip}: " if several else ""
        lines.append(f"{clip}{'' if whole else f'{each.start:.1f} to {each.end:.1f} s: '}{each.text}")
    return lines


def who(said: list[Caption]) -> str:
    """One line: who says how many of the sentences."""
    counts = Counter(each.by for each in said)
    parts = [f"{count} by {by}" for by, count in counts.most_common()]
    unsure = " (what was measured; the model knows no such action)" if counts["measurements"] else ""
    return f"captions: {', '.join(parts)}{unsure}"


def write(path: Path, said: list[Caption], lines: list[str]) -> None:
    """The lines as text, or the captions with their times as JSON."""
    import json
    from dataclasses import asdict

    from motion_platform.core.files import atomic_path

    text = "\n".join(lines) if path.suffix == ".txt" else json.dumps([asdict(each) for each in said], indent=1)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def length(
    text: Annotated[list[str], typer.Option("--text", "-t", help="What the body does; repeat for several.")],
    model: Annotated[str | None, typer.Option(help="A shipped model's name or a checkpoint folder.")] = None,
    device: Device = "auto",
):
    """Say how many seconds a motion lasts that a sentence describes."""
    from motion_platform.model.run import find_device
    from motion_platform.pipelines import generate

    run = generate.load("length_from_text", model, find_device(device))
    for seconds in generate.natural_seconds(run, text):
        print(f"{seconds:.1f}")


def without_text(task: str, motion: Path | None) -> list[str | None]:
    """The texts of ``motion generate`` when none are given: none, where the task can do without. UsageError."""
    from motion_platform.core import tasks

    card = tasks.load(task)
    if card.writes != "motion":
        how = {"captions": "motion caption", "lengths": "motion length"}.get(card.writes, "motion evaluate")
        raise UsageError(f"task {card.task} writes {card.writes}, not motion; use {how}")
    for slot in card.required():
        if card.reads[slot] == "audio":
            option = card.options.get(slot, "--music")
            raise UsageError(f"{option}: is missing; task {card.task} makes motion from a recording: {option} FILE")
    if motion is None and card.keep is not None:
        raise UsageError(f"--motion: is missing; task {card.task} completes a motion: --motion FILE")
    if any(card.reads[slot] == "text" for slot in card.required()):
        raise UsageError("--text: is missing; say what the body does: --text 'a person waves'; or give --music FILE")
    return [None]


def export(
    model: Annotated[str, typer.Argument(help="A motion language model: a shipped name or a checkpoint folder.")],
    out: Annotated[Path, typer.Argument(help="A new folder, or with --gguf a file.")],
    merged: Annotated[
        bool, typer.Option("--merged", help="Base, adapter and motion codes as one model of transformers.")
    ] = False,
    gguf: Annotated[bool, typer.Option("--gguf", help="The same as one file for llama.cpp; bases of LLaMA.")] = False,
):
    """Write a motion language model for other programs: its LoRA adapter for peft, or all of it for transformers or
    llama.cpp."""
    if merged and gguf:
        raise UsageError("--merged, --gguf: one of the two")
    from motion_platform.pipelines import export as engine
    from motion_platform.pipelines import export_gguf

    print((export_gguf.gguf if gguf else engine.merged if merged else engine.adapter)(model, out))


def push(
    model: Annotated[str, typer.Argument(help="A shipped model's name or a checkpoint folder.")],
    repository: Annotated[str, typer.Argument(help="OWNER/NAME on the model hub.")],
    private: Annotated[bool, typer.Option("--private", help="Only for those who may see it.")] = False,
):
    """Upload a model to the model hub, with a page that names its licence; log in first: hf auth login."""
    from motion_platform.model.motion_model import MotionModel

    print(MotionModel.from_pretrained(model).push_to_hub(repository, private=private))
