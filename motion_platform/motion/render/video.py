"""Motions as an mp4 film, with their sound: H.264 and AAC, drawn in software: no screen or graphics card is needed."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from motion_platform.core.errors import OutputError, UsageError
from motion_platform.core.files import atomic_path, numbered
from motion_platform.motion.clip import Clip
from motion_platform.motion.io import check_motions
from motion_platform.motion.io.provenance import as_text
from motion_platform.motion.render import sound
from motion_platform.motion.render.body import build_body
from motion_platform.motion.render.lettering import wrap, write_centred
from motion_platform.motion.render.raster import Backdrop, Theme, cast_shadow, draw_body, tones
from motion_platform.motion.render.scene import (
    PITCH,
    YAW,
    View,
    extent,
    look_at,
    middle,
    pose_at,
    smooth_root,
    stride,
    told_apart,
)
from motion_platform.motion.render.traces import draw_traces, traced

MAX_VIDEO_FRAMES = 200_000
REPORT_EVERY = 10


Report = Callable[[str, int, int], None]


def write(
    clips: Sequence[Clip] | Clip, path: str | Path, *, size: int | None = None, progress: Report | None = None
) -> list[Path]:
    """Write an mp4 (H.264, yuv420p) of the clips side by side, each with its caption; returns the files written.

    The film has the highest frame rate of the clips (above 60: divided); others are interpolated, all start together,
    and one that has ended holds its last frame. Clips with a recording sound (AAC, stereo); a film has one sound, so
    clips of several recordings become ``walk_1.mp4``, ``walk_2.mp4``, ... A skeleton's part "traced" (the hands of a
    conductor) leaves traces of a second. ``size``: side of one picture in pixels (default: 720 in one
    row, less in several, so that a film has at least 720 lines).
    ``progress(film, done, total)``: called now and then.
    Errors: UsageError for no clips, too many, or a size out of 64..4096; DataError for sound that cannot be read;
    OutputError when it cannot be written.
    """
    clips = [clips] if isinstance(clips, Clip) else list(clips)
    if not clips:
        raise UsageError(f"{path}: there is no motion to show; give at least one")
    check_motions(path, len(clips))
    if size is not None and not 64 <= size <= 4096:
        raise UsageError(f"{path}: size is {size}; it must be between 64 and 4096 pixels")
    groups = sound.by_recording(clips)
    for group in groups:
        count = _count(group, _rate(group))
        if count > MAX_VIDEO_FRAMES:
            raise UsageError(f"{path}: {count} frames are too many for a film; at most {MAX_VIDEO_FRAMES}")
    paths = numbered(path, len(groups))
    for group, target in zip(groups, paths, strict=True):
        _write(group, target, size or _default_size(len(group)), progress)
    return paths


def _write(clips: list[Clip], path: Path, size: int, progress: Report | None = None) -> None:
    """One film."""
    fps, heard = _rate(clips), sound.recording_of(clips)
    count = _count(clips, fps)
    with atomic_path(path) as temporary:
        stage = _Stage(clips, size)
        pictures = _pictures(stage, count, fps, path.name, progress)
        if heard is None or heard.audio is None:
            _encode(temporary, str(path), pictures, stage.size, fps, as_text(clips))
        else:
            with sound.as_file(heard.audio) as recording:
                _encode(temporary, str(path), pictures, stage.size, fps, as_text(clips), recording, count / fps)


def _pictures(stage: _Stage, count: int, fps: float, name: str, progress: Report | None) -> Iterator[np.ndarray]:
    for i in range(count):
        yield stage.frame(i / fps)
        if progress is not None and (i % REPORT_EVERY == 0 or i + 1 == count):
            progress(name, i + 1, count)


def _rate(clips: Sequence[Clip]) -> float:
    return max(clip.fps / stride(clip) for clip in clips)


def frames(clips: Sequence[Clip], size: int = 640) -> Iterator[np.ndarray]:
    """The pictures of a film, (H, W, 3) uint8 with even sides."""
    fps = _rate(clips)
    stage = _Stage(list(clips), size)
    return (stage.frame(i / fps) for i in range(_count(clips, fps)))


def _count(clips: Sequence[Clip], fps: float) -> int:
    return int(max((len(clip) - 1) / clip.fps for clip in clips) * fps + 1e-6) + 1


def _default_size(count: int) -> int:
    return 720 if count <= 3 else 480 if count == 4 else 360


class _Stage:
    """Panels in a grid, each with a camera, a floor and a caption that are made once."""

    def __init__(self, clips: list[Clip], size: int, theme: Theme | None = None) -> None:
        theme = theme or Theme()
        size += size % 2
        columns = len(clips) if len(clips) <= 3 else math.ceil(math.sqrt(len(clips)))
        rows = math.ceil(len(clips) / columns)
        points = max(11, size // 30)
        clips = told_apart(clips)
        self.panels = [_Panel(clip, size, theme) for clip in clips]
        texts = [wrap(clip.captions[0] if clip.captions else clip.name, size - 2 * points, points, 3) for clip in clips]
        caption = round((max(len(t) for t in texts) * 1.35 + 1.1) * points)
        caption += caption % 2
        self.size = (columns * size, rows * (size + caption))
        blank = np.array(theme.back) * 255 + 0.5
        self.picture = np.empty((self.size[1], self.size[0], 3), np.uint8)
        self.picture[:] = blank.astype(np.uint8)
        self.places = []
        for i, text in enumerate(texts):
            x, y = (i % columns) * size, (i // columns) * (size + caption)
            strip = self.picture[y + size : y + size + caption, x : x + size]
            write_centred(strip, text, round(0.5 * points), points, theme.ink)
            self.places.append((slice(y, y + size), slice(x, x + size)))

    def frame(self, seconds: float) -> np.ndarray:
        for panel, place in zip(self.panels, self.places, strict=True):
            self.picture[place] = panel.draw(seconds)
        return self.picture


class _Panel:
    def __init__(self, clip: Clip, size: int, theme: Theme) -> None:
        self.clip, self.side, self.theme = clip, size, theme
        self.body = build_body(clip)
        self.colours = tones("light")
        self.floor, self.height = extent(clip)
        self.flat = clip.skeleton.dims == 2
        self.path = smooth_root(clip)
        low, high = self.path.min(0), self.path.max(0)
        if self.flat:
            self.path = middle(clip)[None]
        elif np.linalg.norm((high - low)[::2]) < 0.6 * self.height:  # stays in place: so does the camera
            self.path = np.broadcast_to((low + high) / 2, self.path.shape)
        self.view = self._view(0.0)
        self.backdrop = Backdrop(self.view, theme, None if self.flat else self.floor, self.height)
        self.traced = traced(clip)

    def _view(self, seconds: float) -> View:
        at = min(max(seconds * self.clip.fps, 0.0), len(self.path) - 1.0)
        i, j = int(at), min(int(at) + 1, len(self.path) - 1)
        target = (1 - (at - i)) * self.path[i] + (at - i) * self.path[j]
        if not self.flat:
            target = np.array([target[0], self.floor + 0.5 * self.height, target[2]])
        yaw, pitch = (0.0, 0.0) if self.flat else (YAW, PITCH)
        return look_at(target, 1.2 * self.height, (self.side, self.side), yaw=yaw, pitch=pitch)

    def draw(self, seconds: float) -> np.ndarray:
        """(size, size, 3) uint8."""
        view = self._view(seconds)
        points = self.body.place(pose_at(self.clip, seconds).astype(np.float64))
        image = self.backdrop.image(view.eye)
        depth = np.full(image.shape[:2], np.inf, np.float32)
        if not self.flat:
            cast_shadow(image, view, self.body, points, self.floor, self.height, self.theme.shadow)
        draw_body(image, depth, view, self.body, points, self.colours, self.height)
        draw_traces(image, view, self.clip, self.traced, seconds)
        image *= np.float32(255)
        image += np.float32(0.5)
        return image.astype(np.uint8)


def _encode(
    target: Path,
    shown: str,
    pictures: Iterator[np.ndarray],
    size: tuple[int, int],
    fps: float,
    about: str,
    recording: Path | None = None,
    seconds: float = 0.0,
) -> None:
    """Pipe raw pictures into ffmpeg, with what is said about them and ``seconds`` of a recording. OutputError with its
    last words on failure."""
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    command += ["-s", f"{size[0]}x{size[1]}", "-r", f"{fps:.6f}", "-i", "-"]
    if recording is None:
        command += ["-an"]
    else:
        command += [*sound.source(recording), "-map", "0:v", "-map", "1:a:0", "-t", f"{seconds:.6f}"]
        command += ["-c:a", "aac", "-b:a", "192k", "-ac", "2", "-ar", "48000"]
    command += ["-c:v", "libx264"]
    command += ["-pix_fmt", "yuv420p", "-crf", "20", "-preset", "veryfast", "-movflags", "+faststart"]
    command += ["-metadata", f"comment={about}", f"file:{target}"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stderr is not None
    try:
        for picture in pictures:
            process.stdin.write(picture.tobytes())
        process.stdin.close()
    except BrokenPipeError:  # ffmpeg has given up: its message says why
        pass
    except BaseException:
        process.kill()
        process.wait()
        raise
    words = process.stderr.read().decode("utf-8", "replace").strip().splitlines()
    process.stderr.close()
    if process.wait() != 0:
        said = words[-1] if words else f"ffmpeg ended with status {process.returncode}"
        said = said.replace(f"file:{target}", shown).replace(str(target), shown)
        raise OutputError(f"{shown}: could not be written: {said}")
