"""What people read: a Markdown table, and one self-contained page with tables, plots, and the motions themselves."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import OutputError
from motion_platform.core.files import atomic_path
from motion_platform.core.schema import Audio
from motion_platform.evaluation import plots
from motion_platform.evaluation.benchmark import Cell
from motion_platform.evaluation.protocol import ResultRow, mean_and_interval
from motion_platform.motion.clip import Clip
from motion_platform.motion.render import html as player
from motion_platform.motion.skeleton import get_skeleton

FORMAT = 1
MOST_BODIES = 8
"""Motions beside one another; the page has more rows than a screen can show bodies."""
HEADLINE = 3
"""Values of one metric in the short table; all of them are in the page and in the JSON."""


@dataclass
class Line:
    """A row of the table, its seeds together: values by name, (mean, interval, n).

    The interval is the one over recordings, and that over the repeats where there is none.
    """

    name: str
    kind: str
    values: dict[str, tuple[float, float | None, int]]
    rows: list[ResultRow]

    @property
    def seconds(self) -> float | None:
        """Seconds a motion, mean over the seeds."""
        found = [row.facts["seconds_per_motion"] for row in self.rows if row.facts.get("seconds_per_motion")]
        return sum(found) / len(found) if found else None


def lines_of(rows: Sequence[ResultRow]) -> list[Line]:
    """Rows of one task, those of the same name and other seeds put together (their repeats are pooled)."""
    groups: dict[str, list[ResultRow]] = {}
    for row in rows:
        groups.setdefault(row.facts["name"], []).append(row)
    lines = []
    for name, members in groups.items():
        values = {}
        for value in dict.fromkeys(v for row in members for v in row.facts["metrics"]):
            found = [
                x for row in members if value in row.facts["metrics"] for x in row.facts["metrics"][value]["values"]
            ]
            mean, over_repeats = mean_and_interval(found)
            summaries = [row.facts["metrics"][value] for row in members if value in row.facts["metrics"]]
            over_recordings = [s["interval_over_recordings"] for s in summaries if s.get("interval_over_recordings")]
            values[value] = (mean, max(over_recordings, default=over_repeats), len(found))
        lines.append(Line(name, members[0].facts["kind"], values, members))
    order = {"truth": 0, "bound": 1}
    return sorted(lines, key=lambda line: order.get(line.kind, 2))


def about(lines: Sequence[Line]) -> dict[str, dict[str, Any]]:
    """value -> its unit, direction and metric, in the order in which they were measured."""
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        for row in line.rows:
            for name, summary in row.facts["metrics"].items():
                found.setdefault(name, summary)
    order = list(dict.fromkeys(summary["metric"] for summary in found.values()))
    return dict(sorted(found.items(), key=lambda item: order.index(item[1]["metric"])))


def headline(values: dict[str, dict[str, Any]]) -> list[str]:
    """The values of the short table: the first few of every metric, counts left out."""
    taken: dict[str, int] = {}
    names = []
    for name, summary in values.items():
        if summary["unit"] == "samples" or taken.get(summary["metric"], 0) >= HEADLINE:
            continue
        taken[summary["metric"]] = taken.get(summary["metric"], 0) + 1
        names.append(name)
    return names


def arrow(summary: dict[str, Any]) -> str:
    """Which way is better: up, down, or towards real motion."""
    return {True: "\u2191", False: "\u2193", None: "\u2192"}[summary["higher_is_better"]]


def number(mean: float, interval: float | None) -> str:
    """``0.512 \u00b1 0.003``, with as many digits as the interval gives sense to."""
    if not interval or interval < 5e-7:  # below it is what arithmetic leaves of zero
        return "0" if interval and abs(mean) < 5e-7 else f"{mean:.4g}"
    digits = max(0, min(6, 1 - int(f"{interval:e}".rpartition("e")[2])))
    return f"{mean:.{digits}f} \u00b1 {interval:.{digits}f}"


def markdown(cells: Sequence[Cell], title: str = "") -> str:
    """A table a task: rows as measured, real motion and bounds first."""
    parts = [f"# {title}\n"] if title else []
    for task in dict.fromkeys(cell.task for cell in cells):
        lines = lines_of([cell.row for cell in cells if cell.task == task])
        values = about(lines)
        names = headline(values)
        parts.append(f"## {task}\n\n{_measured_on(lines)}\n")
        parts.append("| | " + " | ".join(f"{name} {arrow(values[name])}" for name in names) + " | s / motion |")
        parts.append("|---|" + "---:|" * (len(names) + 1))
        for line in lines:
            found = [number(*line.values[name][:2]) if name in line.values else "\u2014" for name in names]
            found.append(f"{line.seconds:.3g}" if line.seconds else "\u2014")
            parts.append(f"| {line.name.replace('|', '/')} | " + " | ".join(found) + " |")
        parts += ["", *refusals(lines), ""]
    return "\n".join(parts).rstrip() + "\n"


def _measured_on(lines: Sequence[Line]) -> str:
    """Data, clips, repeats, and how to read the numbers."""
    facts = next((row.facts for line in lines for row in line.rows if "data" in row.facts), None)
    if facts is None:
        return "Nothing could be measured."
    return (
        f"Data {facts['data']['name']}, split {facts['split']}, {facts['samples']} clips, {facts['repeats']} repeats; "
        "mean \u00b1 95 % interval over recordings. \u2191 higher is better, \u2193 lower, \u2192 nearer to real."
    )


def refusals(lines: Sequence[Line]) -> list[str]:
    """Why a number is not there, one line a reason."""
    found: dict[str, list[str]] = {}
    for line in lines:
        for label, why in line.rows[0].facts["refused"].items():
            text = why if not label or why.startswith(f"{label}: ") else f"{label}: {why}"
            found.setdefault(text, []).append(line.name)
    return [f"- Not measured for {', '.join(names)}: {why}" for why, names in found.items()]


def text_table(rows: Sequence[ResultRow]) -> str:
    """For a terminal: values downwards, rows of the table across."""
    lines = lines_of(rows)
    values = about(lines)
    table = [["", *(line.name for line in lines)]]
    for name, summary in values.items():
        found = [number(*line.values[name][:2]) if name in line.values else "-" for line in lines]
        table.append([f"{name} {arrow(summary)}", *found])
    table.append(["seconds a motion", *(f"{line.seconds:.3g}" if line.seconds else "-" for line in lines)])
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    shown = []
    for row in table:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        shown.append("  ".join([row[0].ljust(widths[0]), *cells[1:]]))
    return "\n".join([*shown, *refusals(lines)])


def as_json(cells: Sequence[Cell], header: dict[str, Any]) -> str:
    """All numbers and where they come from."""
    rows = [{"task": cell.task, **cell.row.facts} for cell in cells]
    return json.dumps({"format": FORMAT, **header, "rows": rows}, indent=1, allow_nan=False) + "\n"


def page(cells: Sequence[Cell], title: str) -> str:
    """The whole report as one HTML page, which asks the network for nothing."""
    folder = resources.files("motion_platform.evaluation")
    sections, pages = [], []
    for task in dict.fromkeys(cell.task for cell in cells):
        lines = lines_of([cell.row for cell in cells if cell.task == task])
        players = play(lines)
        sections.append(_section(task, lines, players, len(pages)))
        pages += [text for _, text in players]
    fields = {
        "title": html.escape(title),
        "style": (folder / "report.css").read_text(encoding="utf-8"),
        "script": (folder / "report.js").read_text(encoding="utf-8"),
        "sections": "\n".join(sections),
        "pages": _script_safe(pages),
    }
    template = (folder / "report.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: fields[match[1]], template)


def write(cells: Sequence[Cell], out: Path, title: str, header: dict[str, Any]) -> list[Path]:
    """``benchmark.json``, ``table.md`` and ``report.html`` in ``out``. Errors: OutputError."""
    texts = {
        "benchmark.json": as_json(cells, {"title": title, **header}),
        "table.md": markdown(cells, title),
        "report.html": page(cells, title),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: could not be written: {error.strerror or error}") from error
    for name, text in texts.items():
        with atomic_path(out / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return [out / name for name in texts]


def play(lines: Sequence[Line]) -> list[tuple[str, str]]:
    """[(caption, a page that plays it)]: for every clip that is shown, real motion and the models side by side, on the
    body and at the rate of the data that they were measured on, with the sound where the data set holds it."""
    heard = next((line.rows[0] for line in lines if "sound" in line.rows[0].facts), None)
    rows = [line.rows[0] for line in lines if line.kind != "bound"][:MOST_BODIES]
    found = []
    for clip, caption in (rows[0].facts.get("shown", {}) if rows else {}).items():
        clips = []
        for row in rows:
            joints = row.arrays.get(f"shown/{clip}")
            body = row.facts.get("body", {"skeleton": "humanml3d", "fps": 20.0})  # cells kept before rows named theirs
            skeleton = get_skeleton(body["skeleton"])
            if joints is not None and joints.shape[1] == len(skeleton):
                name, said = row.facts["name"], row.facts.get("said", {}).get(clip)
                name = name if said is None else f"{name}: {said}"  # captions: everybody speaks of the same motion
                clips.append(Clip(joints, float(body["fps"]), skeleton, name=name, captions=(name,)))
        if clips and heard is not None and clip in heard.facts["sound"]:
            clips[0] = _sounding(clips[0], heard.arrays[f"sound/{clip}"], heard.facts["sound"][clip])
        if clips:
            found.append((caption or clip, player.page_text(clips, title=caption or clip)))
    return found


def _sounding(clip: Clip, samples: np.ndarray, about: dict[str, Any]) -> Clip:
    """The clip with its recording, and the beats and bars that the player marks in it."""
    audio = Audio(len(samples) / about["rate"], samples.astype(np.float32) / 32767, about["rate"])
    events = {name: np.array(times) for name, times in about.items() if name != "rate"}
    return clip.with_(audio=audio, events=events)


def _section(task: str, lines: Sequence[Line], players: Sequence[tuple[str, str]], first_page: int) -> str:
    values = about(lines)
    said = f"{_measured_on(lines)} Click a heading to sort."
    parts = [f"<section><h2>{html.escape(task)}</h2><p>{html.escape(said)}</p>", _table(lines, values)]
    parts += ["<ul>", *(f"<li>{html.escape(why[2:])}</li>" for why in refusals(lines)), "</ul>"]
    timed = [line for line in lines if line.seconds]
    if timed:
        parts.append("<h3>Quality against time</h3><div class='plots'>")
        real = next((line for line in lines if line.kind == "truth"), None)
        parts += [
            plots.scatter(
                f"{name} {arrow(values[name])}",
                [(line.name, line.seconds, *line.values[name][:2]) for line in timed if name in line.values],
                real.values[name][0] if real and name in real.values else None,
            )
            for name in headline(values)
            if any(name in line.values for line in timed)
        ]
        parts.append("</div>")
    parts.append("<h3>Intervals</h3><div class='plots'>")
    for name, summary in values.items():
        if summary["unit"] == "samples":
            continue
        points = [(line.name, line.kind, *line.values[name][:2]) for line in lines if name in line.values]
        parts.append(plots.intervals(f"{name} {arrow(summary)}", summary["unit"], points))
    parts.append("</div>")
    if players:
        options = "".join(
            f"<option value='{first_page + i}'>{html.escape(caption)}</option>"
            for i, (caption, _) in enumerate(players)
        )
        parts.append(
            f"<h3>The motions</h3><label>Caption <select class='caption'>{options}</select></label>"
            "<iframe class='player' title='Motions side by side' sandbox='allow-scripts'></iframe>"
        )
    parts.append(_sources(lines) + "</section>")
    return "\n".join(parts)


def _table(lines: Sequence[Line], values: dict[str, dict[str, Any]]) -> str:
    head = "".join(
        f"<th scope='col' role='columnheader' title='{html.escape(str(summary['unit']))}'>"
        f"<button type='button'>{html.escape(name)} {arrow(summary)}</button></th>"
        for name, summary in values.items()
    )
    body = []
    for line in lines:
        cells = []
        for name in values:
            if name in line.values:
                mean, interval, n = line.values[name]
                cells.append(_cell(name, arrow(values[name]), repr(mean), number(mean, interval), f"n = {n}"))
            else:
                cells.append(_cell(name, arrow(values[name])))
        timed = (repr(line.seconds), f"{line.seconds:.3g}") if line.seconds else ()
        cells.append(_cell("seconds a motion", "\u2193", *timed))
        body.append(
            f"<tr class='{html.escape(line.kind)}' role='row'>"
            f"<th scope='row' role='rowheader'>{html.escape(line.name)}</th>{''.join(cells)}</tr>"
        )
    return (
        "<div class='scroll' tabindex='0' role='region' aria-label='Numbers'><table role='table'>"
        f"<thead role='rowgroup'><tr role='row'><td></td>{head}<th scope='col' role='columnheader'>"
        "<button type='button'>seconds a motion \u2193</button></th></tr></thead>"
        f"<tbody role='rowgroup'>{''.join(body)}</tbody></table></div>"
    )


def _cell(label: str, way: str, value: str = "", shown: str = "\u2014", title: str = "") -> str:
    """One value; a narrow screen writes the label before it, for there the heading is gone."""
    about = f" title='{html.escape(title)}'" if title else ""
    return f"<td role='cell' data-value='{value}' data-label='{html.escape(label)} {way}'{about}>{shown}</td>"


def _sources(lines: Sequence[Line]) -> str:
    """Everything that is needed to repeat the numbers, folded away."""
    kept = ("source", "seeds", "weights", "card", "step", "task_card", "data", "spaces", "versions", "hardware")
    kept += ("processes", "wall_seconds", "peak_memory_mb", "motions_made")
    facts = {line.name: {k: row.facts[k] for k in kept if k in row.facts} for line in lines for row in line.rows[:1]}
    text = html.escape(json.dumps(facts, indent=1))
    return f"<details><summary>Where these numbers come from</summary><pre>{text}</pre></details>"


def _script_safe(values: Any) -> str:
    """JSON that cannot end its script element."""
    text = json.dumps(values, ensure_ascii=False, allow_nan=False)
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text
