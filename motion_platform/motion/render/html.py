"""One self-contained page with a 3-D player: opens from a file, asks the network for nothing.

The page's data is JSON in ``<script id="motion-data">``::

    version   1
    motions   a list of motions, shown side by side, each on its own clock, started together:
        name, caption, notes      text; notes are further captions
        fps, frames, joints       numbers
        every                     a frame here is this many of the motion's own
        flat                      true for image-plane skeletons: no floor, seen from the front
        root                      base64, float32 little-endian (frames, 3): first joint in metres
        local, scale              base64, int16 little-endian (frames, joints, 3): position relative to the root / scale
        floor, height             metres: lowest point of the body, and how tall to frame it
        centre                    metres: middle of the space that the motion takes
        traced                    [joint, tone] of the joints that leave a trace (the skeleton's part "traced")
        points                    a body point is a mixture of joints: [joint, weight, joint, weight, ...]
        parts                     a tapered capsule: [point, point, radius, radius, tone]
        bones                     [joint, joint, tone]: the skeleton, as lines
        marks                     what its time line shows (motion/marks.py)
        files                     to take home, in a page of its own: [label, file name, gzip and base64 of the file]
        provenance                model, seed, licence, where the motion knows them
    colours   light and dark: one colour for each tone
    audio     null, or the sound of all motions, which then starts at a click:
        src, offset               the recording as data:audio/mpeg;base64,...; where in it the motions start, in seconds
        seconds, peaks            base64, uint8 (100 a second): the waveform under the player
        beats, bars               seconds from the start; every bar is one of the beats
        words                     [text, start, end] of what is said, in seconds from the start
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import UsageError
from motion_platform.core.files import atomic_path, numbered
from motion_platform.motion import io
from motion_platform.motion.clip import Clip
from motion_platform.motion.marks import marks_of
from motion_platform.motion.render import sound
from motion_platform.motion.render.body import COLOURS, build_body, side_of
from motion_platform.motion.render.scene import extent, middle, stride, told_apart
from motion_platform.motion.render.traces import traced

MAX_NUMBERS = 30_000_000
"""Coordinates in one page (about 80 MB of text); a browser does not open much more."""

MAX_EMBEDDED = 600_000
"""Coordinates in one page up to which it carries its motions as files too (7 minutes of 22 joints at 20 fps)."""

MAX_SECONDS = 2 * 3600.0
"""Of sound in one page: 86 MB as mp3, 115 MB as text."""

SCRIPTS = (
    "player_motion.js",
    "player_sound.js",
    "player_webgl.js",
    "player_canvas.js",
    "player_figure.js",
    "player.js",
)
"""The player; ``player_start.js`` starts it in a page of its own."""


def write(clips: Sequence[Clip] | Clip, path: str | Path, *, title: str | None = None) -> list[Path]:
    """Write one HTML page that plays the clips side by side, with their sound; returns the files written.

    Each clip keeps its own frame rate; all start together, and one that has ended holds its last frame. Positions are
    stored relative to the root as 16-bit numbers (error below 0.1 mm for a person). Frame rates above 60 are divided.
    A page has one sound: clips of several recordings become ``walk_1.html``, ``walk_2.html``, ... Up to
    ``MAX_EMBEDDED`` the page carries the motions as .bvh and .npz too, as ``motion convert`` writes them.

    Errors: UsageError for no clips or more than a page can hold; DataError for sound that cannot be read; OutputError
    when the file cannot be written.
    """
    clips = [clips] if isinstance(clips, Clip) else list(clips)
    if not clips:
        raise UsageError(f"{path}: there is no motion to show; give at least one")
    check_size(clips, str(path), MAX_NUMBERS)
    groups = sound.by_recording(clips)
    paths = numbered(path, len(groups))
    for group, target in zip(groups, paths, strict=True):
        with atomic_path(target) as temporary:
            temporary.write_text(page_text(group, title, files=True), encoding="utf-8")
    return paths


def check_size(clips: Sequence[Clip], where: str, most: int) -> None:
    """UsageError for more coordinates than ``most``."""
    numbers = sum(clip.joints.size // stride(clip) for clip in clips)
    if numbers > most:
        raise UsageError(
            f"{where}: {sum(map(len, clips))} frames are too many for a page ({numbers:,} coordinates; "
            f"at most {most:,}); write fewer clips or a shorter one"
        )


def page_text(clips: Sequence[Clip], title: str | None = None, *, files: bool = False) -> str:
    """The page as text. Captions and titles are escaped: they are shown, never run. files: with the motions as files
    to take home (a page inside another one may download nothing)."""
    folder = resources.files("motion_platform.motion.render")
    shown = title or (clips[0].captions[0] if clips[0].captions else clips[0].name)
    data = page_data(told_apart(clips))
    if files and sum(clip.joints.size for clip in clips) <= MAX_EMBEDDED:
        for number, (motion, clip) in enumerate(zip(data["motions"], clips, strict=True), 1):
            motion["files"] = _files(clip, clip.name if len(clips) == 1 else f"{clip.name}_{number}")
    fields = {
        "title": html.escape(_tidy(shown)),
        "heading_class": "seen" if title else "unseen",
        "style": (folder / "player.css").read_text(encoding="utf-8"),
        "script": "\n".join((folder / name).read_text(encoding="utf-8") for name in (*SCRIPTS, "player_start.js")),
        "controls": (folder / "player_controls.html").read_text(encoding="utf-8"),
        "data": _script_safe(data),
    }
    template = (folder / "player.html").read_text(encoding="utf-8")
    # One pass: a caption that looks like a field is not filled in again.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: fields[match[1]], template)


def player_script() -> str:
    """The player's classes as one script; nothing in it starts by itself."""
    folder = resources.files("motion_platform.motion.render")
    return '"use strict";\n' + "\n".join((folder / name).read_text(encoding="utf-8") for name in SCRIPTS)


def page_data(clips: Sequence[Clip]) -> dict[str, Any]:
    """What the player reads; the format is in this module's docstring."""
    return {"version": 1, "motions": [_motion(clip) for clip in clips], "colours": COLOURS, "audio": _audio(clips)}


def _audio(clips: Sequence[Clip]) -> dict[str, Any] | None:
    """The sound of the first clip that has one, as long as the longest clip."""
    heard = sound.recording_of(clips)
    if heard is None or heard.audio is None:
        return None
    seconds = max(clip.seconds for clip in clips)
    if seconds > MAX_SECONDS:
        raise UsageError(f"motion {heard.name!r}: {seconds:.0f} s of sound; a page holds {MAX_SECONDS:.0f}; write .mp4")
    beats, bars = (
        [round(float(t), 3) for t in heard.events.get(name, ()) if 0 <= t < seconds] for name in ("beats", "bars")
    )
    return {
        "src": "data:audio/mpeg;base64," + base64.b64encode(sound.mp3(heard.audio, seconds)).decode("ascii"),
        "offset": 0.0,
        "seconds": round(seconds, 3),
        "peaks": base64.b64encode(sound.peaks(heard.audio, seconds).tobytes()).decode("ascii"),
        "beats": sorted({*beats, *bars}),
        "bars": bars,
        "words": [
            [_tidy(text), round(a, 3), round(b, 3)] for text, a, b in heard.words if a < seconds and text.strip()
        ],
    }


def _files(clip: Clip, name: str) -> list[list[str]]:
    """The motion as files, packed: [label, name, base64 of gzip]."""
    name = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip("._")[:60] or "motion"
    with tempfile.TemporaryDirectory() as folder:
        made = []
        for label, ending in (("BVH", "bvh"), ("npz", "npz")):
            path = Path(folder) / f"motion.{ending}"
            io.save(clip, path)
            packed = gzip.compress(path.read_bytes(), mtime=0)
            made.append([label, f"{name}.{ending}", base64.b64encode(packed).decode("ascii")])
    return made


def _motion(clip: Clip) -> dict[str, Any]:
    every = stride(clip)
    body = build_body(clip)
    joints = clip.joints[::every].astype(np.float64)
    root = joints[:, 0].astype("<f4")
    local = joints - root[:, None].astype(np.float64)
    scale = max(float(np.abs(local).max()) / 32767, 1e-9)
    floor, height = extent(clip)
    return {
        "name": _tidy(clip.name),
        "caption": _tidy(clip.captions[0]) if clip.captions else "",
        "notes": [_tidy(caption) for caption in clip.captions[1:4]],
        "provenance": {key: clip.info[key] for key in ("model", "seed", "licence") if key in clip.info},
        "marks": marks_of(clip).plain(),
        "fps": clip.fps / every,
        "every": every,
        "frames": len(joints),
        "joints": joints.shape[1],
        "flat": clip.skeleton.dims == 2,
        "root": base64.b64encode(root.tobytes()).decode("ascii"),
        "local": base64.b64encode(np.round(local / scale).astype("<i2").tobytes()).decode("ascii"),
        "scale": scale,
        "floor": round(floor, 5),
        "height": round(height, 5),
        "centre": [round(float(v), 5) for v in middle(clip)],
        "traced": [[j, side_of(clip.skeleton.joints[j])] for j in traced(clip)],
        "bones": [[int(a), int(b), side_of(clip.skeleton.joints[b])] for a, b in clip.skeleton.bones],
        "points": [
            [value for j in np.flatnonzero(row) for value in (int(j), round(float(row[j]), 5))] for row in body.weights
        ],
        "parts": [
            [int(a), int(b), round(float(ra), 5), round(float(rb), 5), int(tone)]
            for (a, b), (ra, rb), tone in zip(body.ends, body.radii, body.tones, strict=True)
        ],
    }


def _tidy(text: str) -> str:
    """Text that a page can show: no control characters, no lone surrogates."""
    text = str(text).encode("utf-8", "replace").decode("utf-8")
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", " ", text)


def _script_safe(data: dict[str, Any]) -> str:
    """JSON that cannot end its script element or start a comment or an entity."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text
