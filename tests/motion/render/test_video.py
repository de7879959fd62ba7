"""Pictures of a film, their lettering, and what ffmpeg is told."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from motion_platform.motion.clip import Clip
from motion_platform.motion.render import scene, video
from motion_platform.motion.render.lettering import font, wrap, write_centred
from motion_platform.motion.render.raster import Theme


@pytest.mark.parametrize(("size", "points"), [(90, 11), (359, 12), (720, 24)])
def test_a_caption_stands_under_each_picture(size: int, points: int, walking: Callable[..., Clip]) -> None:
    """A line is 1.35 times its points high, up to three fit, and there is half a line above them."""
    said = ("turns " * 40, "walks")
    stage = video._Stage([walking(1, captions=(said[0],)), walking(1, name=said[1])], size)
    side = size + size % 2
    texts = [wrap(words, side - 2 * points, points, 3) for words in said]
    high = round((3 * 1.35 + 1.1) * points)
    high += high % 2
    assert stage.size == (2 * side, side + high)
    back = (np.array(Theme().back) * 255 + 0.5).astype(np.uint8)
    for i, text in enumerate(texts):
        wanted = np.empty((high, side, 3), np.uint8)
        wanted[:] = back
        write_centred(wanted, text, round(0.5 * points), points, Theme().ink)
        np.testing.assert_array_equal(stage.picture[side:, i * side : (i + 1) * side], wanted)
    assert (stage.picture[:side] == back).all()


@pytest.mark.parametrize("lines", [["one"], ["one", "two"], ["a", "b", "c"]])
def test_lines_of_text_are_in_the_middle_one_below_the_other(lines: list[str]) -> None:
    image = np.full((120, 200, 3), 255, np.uint8)
    write_centred(image, lines, 10, 20, "#000000")
    ink = (image < 128).any(-1)
    rows = np.flatnonzero(ink.any(1))
    assert 10 <= rows[0] < 10 + 27
    assert (rows[-1] - 10) // 27 == len(lines) - 1
    columns = np.flatnonzero(ink.any(0))
    assert abs((columns[0] + columns[-1]) / 2 - 99.5) < 3


def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clip: Clip) -> list[str]:
    """What the encoder is called with."""
    seen: list[list[str]] = []
    start = subprocess.Popen

    def noted(command: list[str], **options: object) -> subprocess.Popen:
        seen.append(command)
        return start(command, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(video.subprocess, "Popen", noted)
    video.write(clip, tmp_path / "a.mp4", size=64)
    return seen[-1]  # before it, which version it is is asked


def test_the_encoder_is_told_size_rate_and_quality(
    walking: Callable[..., Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = told(monkeypatch, tmp_path, walking(2, fps=12.5, name="walk"))
    size = re.escape(f"{video._Stage([walking(1)], 64).size[0]}x{video._Stage([walking(1)], 64).size[1]}")
    words = " ".join(command[1:])
    assert re.match(
        rf"-y -loglevel error -f rawvideo -pix_fmt rgb24 -s {size} -r 12\.500000 -i - -an -c:v libx264 ", words
    )
    assert "-pix_fmt yuv420p -crf 20 -preset veryfast -movflags +faststart -metadata comment=" in words
    about = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(tmp_path / "a.mp4")], capture_output=True, text=True, check=False
    ).stderr
    assert "12.50 fps" in about


def test_a_camera_of_a_film_sees_a_fifth_more_than_the_body(walking: Callable[..., Clip]) -> None:
    clip = walking(41)
    panel = video._Panel(clip, 100, Theme())
    floor, height = scene.extent(clip)
    for seconds in (0.0, 0.73, 2.0):
        view = panel._view(seconds)
        at = [np.interp(seconds * 20, np.arange(41), scene.smooth_root(clip)[:, axis]) for axis in range(3)]
        middle = np.array([at[0], floor + 0.5 * height, at[2]])
        wanted = scene.look_at(middle, 1.2 * height, (100, 100))
        np.testing.assert_allclose(view.eye, wanted.eye)
        assert view.focal == wanted.focal


def test_a_film_shows_each_frame_at_its_time(walking: Callable[..., Clip]) -> None:
    clips = [walking(5, fps=10.0), walking(3, fps=20.0)]
    stage = video._Stage(clips, 64)
    for i, picture in enumerate(video.frames(clips, 64)):
        np.testing.assert_array_equal(picture, stage.frame(i / 20.0))
    assert i == 8
    rounded = video._Panel(clips[0], 64, Theme())
    assert rounded.draw(0.0).dtype == np.uint8
    assert np.array_equal(rounded.draw(0.4), rounded.draw(7.0))  # one that has ended holds its last frame


def test_a_part_of_a_word_that_just_fits_stays_on_its_line() -> None:
    width = font(14).getlength("xx")
    assert wrap("x" * 5, width, 14, 9) == ["xx", "xx", "x"]
