"""What several commands share: options, what is checked before any work, progress, and how clips are written."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motion_platform.core.errors import UsageError, suggest

if TYPE_CHECKING:
    from motion_platform.motion.clip import Clip
    from motion_platform.motion.rigs.deliver import Delivery

Output = Annotated[
    list[Path],
    typer.Option("--output", "-o", help="File to write; repeat for several: .html .bvh .glb .vrma .mp4 .png .npz .npy"),
]
SourceNames = Annotated[
    Path | None, typer.Option("--names", help="Joint names of the file that are not known: a YAML file.")
]
Names = Annotated[
    list[str],
    typer.Option(
        "--names",
        help="Joint names to write: smpl, mixamo, motionbuilder, unreal, unity, vrm; or a YAML file with those of the "
        "file that are not known; repeat for both.",
    ),
]
View = Annotated[
    str, typer.Option(help="A conductor in pictures: 2d (as made, in the image plane), 3d (lifted) or both.")
]
Units = Annotated[str | None, typer.Option(help="Unit of the file, where a guess is wrong: m, dm, cm, mm, inch, cmu.")]
Up = Annotated[str | None, typer.Option(help="The file's up axis, where a guess is wrong: y, z or -y (Y down).")]
Asf = Annotated[Path | None, typer.Option(help="The skeleton file of an .amc.")]
BodyFile = Annotated[Path | None, typer.Option("--body", help="Rest joints of an AMASS file's body (.npy or .npz).")]
Fps = Annotated[float | None, typer.Option(help="Frame rate of the file, where it does not say.")]
Rig = Annotated[
    Path | None,
    typer.Option(help="A character (.bvh .glb .vrm): the motion goes onto its skeleton, feet on its floor."),
]
OutFps = Annotated[float | None, typer.Option(help="Frames a second to write (default: as made).")]
InPlace = Annotated[bool, typer.Option("--in-place", help="The hips stay over one point of the floor.")]
Loop = Annotated[bool, typer.Option("--loop", help="Cut and lead the motion so that its end is its start.")]
RootBone = Annotated[bool, typer.Option("--root-bone", help="A bone on the floor carries place and facing.")]
OneBody = Annotated[
    bool, typer.Option("--one-body", help="Several motions in a .glb: named animations of one body, not side by side.")
]
Unit = Annotated[str | None, typer.Option(help="Unit of a .bvh to write: m, dm, cm, mm, inch, cmu (default: cm).")]
Layout = Annotated[
    str | None,
    typer.Option(
        help="What an .npz holds: clips (everything, the default) or amass (parameters of SMPL); what an .npy holds: "
        "HumanML3D's joints (the default) or features."
    ),
]

Device = Annotated[
    str, typer.Option(help="cpu, cuda, cuda:1, mps, or auto: the best one here (numbers differ a little between them).")
]

VIEWS = ("2d", "3d", "both")

PATIENCE = 2.0
"""Seconds that work may last before a bar says how far it is."""


class Progress:
    """How far long work is, as a bar on a terminal after ``PATIENCE`` seconds; nothing elsewhere.

    what: what is done while nobody says more; then the bar shows that time passes. Work that lasts a shorter time
    shows nothing, and imports nothing.
    """

    def __init__(self, what: str = "working") -> None:
        self.name, self.done = what, 0
        self.total: int | None = None
        self._bar: Any = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(PATIENCE, self._open)
        self._timer.daemon = True

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            self._timer.start()
        return self

    def show(self, name: str, done: int, total: int) -> None:
        """``done`` of ``total`` of the thing called ``name``."""
        with self._lock:
            self.name, self.done, self.total = name, done, total
            if self._bar is not None:
                self._bar.update(self._bar.task_ids[0], description=name, completed=done, total=total)

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        text = TextColumn("{task.description}", markup=False)  # a file's name may hold brackets
        columns = (text, BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        with self._lock:
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._bar.add_task(self.name, total=self.total, completed=self.done)
            self._bar.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._timer.is_alive():
            self._timer.join()
        if self._bar is not None:
            self._bar.stop()


def check_motion_outputs(paths: Sequence[Path], view: str = "both", count: int = 1) -> None:
    """Refuse a motion file that cannot be written, and an unknown view, before any work is done.

    count: motions that it is to hold, where that is known.
    """
    if view not in VIEWS:
        raise UsageError(f"--view: got {view!r}; {suggest(view, VIEWS)}")
    from motion_platform.core.files import check_folders, check_formats
    from motion_platform.motion import io

    check_formats(paths, io.writers(), any_case=True)
    check_folders(paths)
    for path in paths:
        io.check_motions(path, count)


def read_clips(path: Path, **how: Any) -> list[Clip]:
    """Every motion of a file, with its notes on standard error. how: fps, skeleton, units, up, asf, body."""
    from motion_platform.motion import io

    clips = io.load_all(path, **how)
    show_notes(clips)
    return clips


def reading_of(
    motion: Path | None,
    fps: float | None,
    units: str | None,
    up: str | None,
    asf: Path | None,
    body: Path | None,
) -> dict[str, Any]:
    """How ``--motion`` is read. UsageError for an option of reading without it."""
    how = {"fps": fps, "units": units, "up": up, "asf": asf, "body": body}
    option = next((name for name, value in how.items() if value is not None), None)
    if motion is None and option is not None:
        raise UsageError(f"--{option}: is for --motion")
    return how


def delivery_of(
    outputs: Sequence[Path],
    rig: Path | None,
    names: Sequence[str],
    out_fps: float | None,
    in_place: bool,
    loop: bool,
    root_bone: bool,
    one_body: bool,
    unit: str | None,
    layout: str | None,
) -> Delivery:
    """The options of handing over, checked before any work. UsageError."""
    from motion_platform.motion.rigs.deliver import Delivery, check
    from motion_platform.motion.rigs.naming import WRITTEN

    written = [each for each in names if each in WRITTEN]
    files = [each for each in names if each not in WRITTEN]
    for each in files:
        if Path(each).suffix.lower() not in (".yaml", ".yml") and not Path(each).is_file():
            raise UsageError(f"--names: got {each!r}; {suggest(each, WRITTEN)}, or a YAML file")
    if len(written) > 1 or len(files) > 1:
        raise UsageError(f"--names: got {', '.join(names)}; give at most one set of names to write and one file")
    delivery = Delivery(
        rig=rig,
        names=written[0] if written else None,
        fps=out_fps,
        in_place=in_place,
        loop=loop,
        root_bone=root_bone,
        one_body=one_body,
        unit=unit,
        layout=layout,
        source_names=Path(files[0]) if files else None,
    )
    check(delivery, outputs)
    return delivery


def save(clips: Sequence[Clip], outputs: Sequence[Path], view: str = "both", delivery: Delivery | None = None) -> None:
    """Write clips to every file, as the delivery says, and print what was written."""
    from motion_platform.motion import files

    more: dict[str, Any] = {}
    if delivery is not None:
        from motion_platform.motion.rigs.deliver import deliver

        clips, lines = deliver(clips, delivery)
        for line in lines:
            print(line)
        more = {"one_body": delivery.one_body, "unit": delivery.unit}
    from motion_platform.motion.io.layouts import layouts_of

    for path in outputs:
        if delivery is not None:
            more["layout"] = delivery.layout if delivery.layout in layouts_of(path) else None
        with Progress(f"writing {path.name}") as progress:
            written = files.write(clips, path, view=view, progress=progress.show, **more)
        for each in written:
            print(each)


def show_notes(clips: Iterable[Clip]) -> None:
    """What a reader took for granted or left out, a line a file on standard error."""
    for clip in clips:
        for note in clip.info.get("notes", []):
            print(f"note: {clip.info.get('source', clip.name)}: {note}", file=sys.stderr)


def note(line: str) -> None:
    """A line on standard error about what is made otherwise than a person might expect."""
    print(f"note: {line}", file=sys.stderr)


def given_slots(pairs: Sequence[str]) -> dict[str, list[str]]:
    """``SLOT=VALUE`` words -> slot -> its values in order. UsageError for a word without an equals sign."""
    found: dict[str, list[str]] = {}
    for pair in pairs:
        slot, equals, value = pair.partition("=")
        if not equals or not slot.strip():
            raise UsageError(f"--give: got {pair!r}; write SLOT=VALUE, a slot of the task's card and what it takes")
        found.setdefault(slot.strip(), []).append(value)
    return found


def slot_options(task: str, words: Sequence[str], known: Iterable[str]) -> dict[str, list[str]]:
    """``--speech talk.wav --emotion happy``: options that the task's card names, -> slot -> its values in order.

    known: the options that every task has. UsageError for another one, with the nearest of all.
    """
    from motion_platform.core import tasks

    if not words:
        return {}
    card = tasks.load(task)
    slots = {card.option(slot): slot for slot in card.reads}
    found: dict[str, list[str]] = {}
    rest = list(words)
    while rest:
        option, equals, value = rest.pop(0).partition("=")
        if option not in slots:
            what = "no such option" if option.startswith("-") else "an argument too many"
            raise UsageError(f"{option}: {what} for task {card.task}; {suggest(option, [*slots, *known])}")
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise UsageError(f"{option}: needs a value, what slot {slots[option]!r} of task {card.task} takes")
            value = rest.pop(0)
        found.setdefault(slots[option], []).append(value)
    return found


def recordings(task: str, given: Mapping[str, Sequence[str]]) -> list[Path]:
    """The files that slots of sound are filled with."""
    from motion_platform.core import tasks

    reads = tasks.load(task).reads if given else {}
    return [Path(value) for slot, values in given.items() if reads.get(slot) == "audio" for value in values]


def check_recording(path: Path) -> None:
    """Say what is wrong with a recording before any work is done."""
    from motion_platform.audio import reading

    next(reading.blocks(path))


def show_version(wanted: bool) -> None:
    """Print the version and stop, where it was asked for."""
    if wanted:
        from motion_platform import __version__

        print(f"motion-platform {__version__}")
        raise typer.Exit
