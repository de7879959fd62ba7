"""``motion plan``: what a sentence is taken apart into, without making motion."""

from __future__ import annotations

from typing import Annotated

import typer

from motion_platform.core.errors import UsageError


def plan(
    sentence: Annotated[list[str], typer.Argument(metavar="SENTENCE...", help="What the body does.")],
    planner: Annotated[
        str, typer.Option("--plan", help="Who takes it apart (`motion list planners`), with settings: llm:k=5.")
    ] = "rules",
    sample: Annotated[int, typer.Option(help="Another answer of a planner that draws.", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="The same seed and sentence give the same plan.", min=0)] = 0,
    json_: Annotated[bool, typer.Option("--json", help="As JSON, a plan a line.")] = False,
):
    """Say which actions a sentence holds, in which order, how long, how, and which builder says so."""
    import json
    from dataclasses import asdict

    from motion_platform.pipelines.planner_names import planner_of

    if any(not each.strip() for each in sentence):
        raise UsageError("plan: the sentence is empty; say what the body does")
    found = planner_of(planner, "--plan").plan(sentence, sample=sample, seed=seed)
    for number, each in enumerate(found):
        if json_:
            print(json.dumps(asdict(each), ensure_ascii=False))
            continue
        if len(found) > 1:
            print(f"{'' if number == 0 else chr(10)}{each.sentence}")
        rows = [("action", "seconds", "amount", "style", "body", "text")]
        for segment in each.segments:
            amount = "-" if segment.amount is None else f"{segment.amount:g} {segment.unit}"
            seconds = "-" if segment.seconds is None else f"{segment.seconds:g}"
            lane = "whole" if segment.lane == "body" else segment.lane.replace("_", " ")
            rows.append((segment.action, seconds, amount, segment.style or "-", lane, segment.text))
        widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
        for k, row in enumerate(rows):
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            print(f"{'  ' if k == 0 else str(k).rjust(2)}  {line}".rstrip())
        for note in each.notes:
            print(f"note: {note}")
        print(f"builder: {each.builder}")


def show_actions(model: str | None) -> None:
    """Print the actions of a model's training set with their clips, and sentences that stand for its captions."""
    from motion_platform.core import tasks
    from motion_platform.pipelines.familiarity import known_by_name

    name = model or str(tasks.load("text_to_motion").default_model)
    known = known_by_name(name)
    width = max((len(action) for action in known.actions), default=0)
    for action, clips in sorted(known.actions.items(), key=lambda item: (-item[1], item[0])):
        print(f"{action:<{width}}  {clips} clip{'' if clips == 1 else 's'}")
    print(f"{len(known.actions)} actions of {name}; sentences that it knows, for example:")
    for sentence in known.sentences[:12]:
        print(f"  {sentence}")
