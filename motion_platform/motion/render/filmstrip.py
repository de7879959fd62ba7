"""A motion in one picture: key frames side by side on one floor, with the caption and the time of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motion_platform.core.errors import UsageError
from motion_platform.core.files import atomic_path
from motion_platform.motion.clip import Clip
from motion_platform.motion.io import check_motions
from motion_platform.motion.io.provenance import as_text
from motion_platform.motion.render.body import build_body
from motion_platform.motion.render.lettering import wrap
from motion_platform.motion.render.raster import Backdrop, Theme, cast_shadow, draw_body, tones
from motion_platform.motion.render.scene import PITCH, YAW, extent, look_at, pose_at, smooth_root, told_apart

DPI = 150
FAR = 0.5
"""Metres; a body that goes less far has no way written under it."""
SHARPER = 2
"""The picture is drawn this many times larger, then reduced."""


def write(
    clips: Sequence[Clip] | Clip, path: str | Path, *, frames: int = 8, width: int = 1800, height: int = 430
) -> Path:
    """Write a png: one row a clip, ``frames`` key frames evenly in time, all facing as they do in the motion.

    Bodies are set side by side whatever their path was. width, height: pixels of one row without its caption.
    Errors: UsageError for no clips, more than 12, or frames out of 1..24; OutputError when it cannot be written.
    """
    clips = [clips] if isinstance(clips, Clip) else list(clips)
    if not clips:
        raise UsageError(f"{path}: there is no motion to show; give at least one")
    check_motions(path, len(clips))
    if not 1 <= frames <= 24:
        raise UsageError(f"{path}: {frames} key frames; between 1 and 24 are allowed")
    with atomic_path(path) as temporary:
        about = {"Software": "motion-platform", "Comment": as_text(clips)}
        figure = _figure(clips, frames, width, height)
        figure.savefig(temporary, dpi=DPI, facecolor=figure.get_facecolor(), metadata=about)
    return Path(path)


def _figure(clips: list[Clip], frames: int, width: int, height: int) -> Any:
    """A matplotlib figure of its own: pyplot and its global state are not touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    theme = Theme()
    points = 9.5
    line = round(points * DPI / 72 * 1.4)
    clips = told_apart(clips)
    captions = [wrap(clip.captions[0] if clip.captions else clip.name, width - 80, line * 5 // 7, 2) for clip in clips]
    bands = [round((len(caption) + 0.9) * line) for caption in captions]
    total = sum(bands) + height * len(clips)
    figure = Figure(figsize=(width / DPI, total / DPI), dpi=DPI, facecolor=theme.back)
    FigureCanvasAgg(figure)
    top = total
    for clip, caption, band in zip(clips, captions, bands, strict=True):
        image, marks = strip(clip, frames, width, height, theme)
        top -= height
        axes = figure.add_axes((0, top / total, 1, height / total))
        axes.imshow(image, interpolation="nearest", aspect="auto")
        axes.set_axis_off()
        for x, seconds, way in marks:
            label = f"{seconds:.1f} s" + (f", {way:.1f} m" if marks[-1][2] >= FAR else "")
            axes.text(x, height - 9, label, ha="center", va="bottom", fontsize=7, color=theme.quiet, parse_math=False)
        top -= band
        figure.text(
            0.5, (top + band / 2) / total, "\n".join(caption), ha="center", va="center", fontsize=points,
            color=theme.ink, linespacing=1.3, parse_math=False,
        )  # fmt: skip
    return figure


def strip(
    clip: Clip, frames: int, width: int, height: int, theme: Theme | None = None
) -> tuple[np.ndarray, list[tuple[float, float, float]]]:
    """One row: (height, width, 3) uint8, and for each key frame its column, its time in seconds, and how many metres
    the body has gone until then. Every body is whole in the picture, also one that straightens up for a moment."""
    from PIL import Image

    theme = theme or Theme()
    body, colours = build_body(clip), tones("light")
    floor, size = extent(clip)
    flat = clip.skeleton.dims == 2
    yaw, pitch = (0.0, 0.0) if flat else (YAW, PITCH * 0.8)
    count = min(frames, len(clip))
    times = np.linspace(0, (len(clip) - 1) / clip.fps, count)
    poses = np.stack([pose_at(clip, t) for t in times]).astype(np.float64)
    right = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
    # Each body is centred on its own middle, then moved along the picture; arms held wide ask for more room.
    across = poses @ right
    middle = (across.max(1) + across.min(1)) / 2
    room = max(float((across.max(1) - across.min(1)).max()) + 0.16 * size, 0.45 * size)
    back = np.array([np.sin(yaw), 0.0, np.cos(yaw)])
    ahead = poses[:, 0] @ back
    places = (np.arange(count) - (count - 1) / 2) * room
    poses += ((places - middle)[:, None] * right - ahead[:, None] * back)[:, None]
    # A long lens, so that bodies at the sides are seen from nearly the same angle.
    base = floor if not flat else float(poses[..., 1].min())
    placed = [body.place(pose) for pose in poses]
    highest = max(float((points[body.ends, 1] + body.radii).max()) for points in placed)
    tall = max(1.22 * size, highest - base + 0.16 * size, (count * room + 0.1 * size) * height / width)
    target = np.array([0.0, base + 0.5 * tall - 0.13 * size, 0.0])
    view = look_at(target, tall, (width * SHARPER, height * SHARPER), yaw=yaw, pitch=pitch, field_of_view=0.2)
    backdrop = Backdrop(view, theme, None if flat else floor, size, reach=max(1.8 * size, 0.55 * count * room))
    image = backdrop.image(view.eye)
    depth = np.full(image.shape[:2], np.inf, np.float32)
    if not flat:
        for points in placed:
            cast_shadow(image, view, body, points, floor, size, theme.shadow)
    for points in placed:
        draw_body(image, depth, view, body, points, colours, size)
    picture = Image.fromarray((np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8))
    columns = view.project(poses[:, 0] * [1, 0, 1] + [0, base, 0])[0][:, 0] / SHARPER
    small = np.asarray(picture.resize((width, height), Image.Resampling.BOX))
    way = np.concatenate([[0.0], np.linalg.norm(np.diff(smooth_root(clip)[:, ::2], axis=0), axis=1).cumsum()])
    gone = np.interp(times * clip.fps, np.arange(len(clip)), way) if not flat else np.zeros(count)
    return small, [(float(x), float(t), float(w)) for x, t, w in zip(columns, times, gone, strict=True)]
