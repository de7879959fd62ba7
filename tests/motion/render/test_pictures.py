"""Film-strips and films: sizes, contents, and what happens when they cannot be made."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image
from stored_arrays import check_stored

from motion_platform.core.errors import OutputError, UsageError
from motion_platform.motion.clip import Clip
from motion_platform.motion.render import filmstrip, scene, video
from motion_platform.motion.render.lettering import font, wrap
from motion_platform.motion.skeleton import Skeleton, get_skeleton


def film(path: Path) -> tuple[str, np.ndarray]:
    """(ffmpeg's description, frames (T, H, W, 3)) of an mp4."""
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    about = subprocess.run([ffmpeg, "-i", str(path)], capture_output=True, text=True, check=False).stderr
    size = re.search(r", (\d+)x(\d+)", about)
    assert size is not None
    command = [ffmpeg, "-loglevel", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    return about, np.frombuffer(raw, np.uint8).reshape(-1, int(size[2]), int(size[1]), 3)


def test_a_film_has_every_frame_and_both_bodies(walking: Callable[..., Clip], tmp_path: Path) -> None:
    clips = [walking(12, captions=("one",)), walking(9, fps=10.0, captions=("two " * 200,))]
    video.write(clips, tmp_path / "a.mp4", size=129)
    about, pictures = film(tmp_path / "a.mp4")
    assert "h264" in about
    assert "yuv420p" in about
    assert "20 fps" in about
    assert len(pictures) == 17  # 0.8 s of the slower clip, first and last frame included
    assert pictures.shape[1] % 2 == 0
    assert pictures.shape[2] == 260
    for half in (pictures[:, :, :130], pictures[:, :, 130:]):
        change = half.astype(int)
        assert ((change[..., 2] - change[..., 0]) > 60).any()  # left: blue
        assert ((change[..., 0] - change[..., 2]) > 60).any()  # right: orange
    assert np.abs(np.diff(pictures.astype(int), axis=0)).max() > 20


def test_films_of_one_frame_and_in_the_image_plane(tmp_path: Path, walking: Callable[..., Clip]) -> None:
    video.write(walking(1), tmp_path / "a.mp4", size=64)
    assert len(film(tmp_path / "a.mp4")[1]) == 1
    joints = np.random.default_rng(0).normal(size=(3, 13, 3)).astype(np.float32)
    joints[..., 2] = 0
    flat = Clip(joints, 15, get_skeleton("coco_upper"))
    video.write(flat, tmp_path / "b.mp4", size=64)
    filmstrip.write(flat, tmp_path / "b.png", width=300, height=100)
    assert np.asarray(Image.open(tmp_path / "b.png").convert("L")).std() > 2


def test_a_film_strip_shows_every_key_frame(walking: Callable[..., Clip], tmp_path: Path) -> None:
    clip = walking(40, captions=("a $person$ walks",))
    filmstrip.write([clip, clip], tmp_path / "a.png", frames=5, width=900, height=220)
    picture = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    assert picture.shape[1] == 900
    blue = (picture[:220, :, 2] - picture[:220, :, 0] > 60).any(0)
    starts = np.flatnonzero(blue[1:] & ~blue[:-1])
    assert 5 <= len(starts) <= 15  # an arm and a leg for each of five bodies
    row, marks = filmstrip.strip(clip, 5, 900, 220)
    assert row.shape == (220, 900, 3)
    assert np.allclose([seconds for _, seconds, _ in marks], np.linspace(0, 1.95, 5))
    assert marks[0][2] == 0
    assert marks[-1][2] == pytest.approx(1.2 * 1.95, rel=0.3), "metres gone, smoothed at both ends"
    assert len(filmstrip.strip(walking(2), 8, 300, 100)[1]) == 2


def test_a_body_that_straightens_up_once_is_whole_in_a_strip(walking: Callable[..., Clip]) -> None:
    clip = walking(40)
    joints = clip.joints.copy()
    joints[:-1, :, 1] *= 0.4  # crouched, but for the last frame
    row, _ = filmstrip.strip(clip.with_(joints=joints), 4, 900, 220)
    body = np.abs(row.astype(int) - row[2, 2].astype(int)).max(-1) > 60
    assert body[100:].any()
    assert not body[:3].any(), "nothing of it touches the upper edge"


def test_samples_of_one_text_are_told_apart_and_a_film_has_720_lines(walking: Callable[..., Clip]) -> None:
    clips = [walking(2, captions=("walk", "more")), walking(2, captions=("sit",)), walking(2, captions=("walk",))]
    words = [clip.captions for clip in scene.told_apart(clips)]
    assert words == [("walk, sample 1", "more"), ("sit",), ("walk, sample 2",)]
    for count in (1, 2, 3, 4, 5, 9, 16):
        assert video._Stage([walking(1)] * count, video._default_size(count)).size[1] >= 720


def test_the_state_of_pyplot_is_not_touched(walking: Callable[..., Clip], tmp_path: Path) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    filmstrip.write(walking(3), tmp_path / "a.png", frames=1, width=200, height=100)
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("width", [400, 900])
def test_a_long_caption_is_wrapped_inside_its_strip(walking: Callable[..., Clip], width: int) -> None:
    said = " ".join(["a person walks forward and waves"] * 12)
    figure = filmstrip._figure([walking(3).with_(captions=(said,))], 2, width, 100)
    (caption,) = (text for text in figure.texts if text.get_text().startswith("a person"))
    place = caption.get_window_extent(figure.canvas.get_renderer())
    assert caption.get_text().count("\n") == 1
    assert 25 < place.x0 < 110  # 40 at least, as far as the width of letters is known
    assert width - 110 < place.x1 < width - 25


@pytest.mark.parametrize("write", [video.write, filmstrip.write])
def test_bad_requests_leave_nothing(write: Callable[..., Path], walking: Callable[..., Clip], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no motion"):
        write([], tmp_path / "a.mp4")
    with pytest.raises(UsageError, match="too many"):
        write([walking(1)] * 40, tmp_path / "a.mp4")
    with pytest.raises(OutputError, match="does not exist"):
        write(walking(2), tmp_path / "nowhere" / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_fails_leaves_nothing_and_says_why(
    walking: Callable[..., Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\nhead -c 100 > /dev/null\necho 'No space left on device' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(broken))
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputError, match=r"a\.mp4: could not be written: No space left on device"):
        video.write(walking(30), tmp_path / "out" / "a.mp4", size=200)
    assert list((tmp_path / "out").iterdir()) == []


def test_captions_are_broken_into_lines_that_fit() -> None:
    lines = wrap("a person walks forward and then turns around to the left " * 3, 200, 14, 3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert all(font(14).getlength(line) <= 200 for line in lines)
    assert all(font(14).getlength(line) <= 100 for line in wrap("x" * 500, 100, 14, 4))
    assert wrap("", 100, 14, 2) == [""]
    assert wrap("short", 100, 14, 2) == ["short"]


def test_pictures_look_as_they_did(walking: Callable[..., Clip]) -> None:
    """Light, shadow, floor, bodies and their distances: what no rule says is kept as a picture."""
    walk = walking(40)
    joints = np.random.default_rng(0).normal(size=(3, 13, 3)).astype(np.float32) * 0.3
    joints[..., 2] = 0
    flat = Clip(joints, 15, get_skeleton("coco_upper"))
    names = ("hips", "back", "head", "left_paw", "right_paw", "left_hock", "right_hock", "tail", "tip")
    dog = Skeleton("dog", names, (-1, 0, 1, 1, 1, 0, 0, 0, 7))
    place = [[0, 0.6, 0], [0, 0.65, 0.6], [0, 0.9, 0.8], [0.1, 0.05, 0.6], [-0.1, 0.05, 0.6], [0.1, 0.05, 0],
             [-0.1, 0.05, 0],
             [0, 0.75, -0.3], [0, 1.0, -0.45]]  # fmt: skip
    made = {
        "strip, no human": filmstrip.strip(Clip(np.array([place] * 3, np.float32), 20, dog), 2, 160, 80)[0],
        "strip": filmstrip.strip(walk, 4, 240, 100)[0],
        "strip, flat": filmstrip.strip(flat, 3, 150, 60)[0],
        "film": next(iter(video.frames([walk], 120)))[:120],  # without its lettering
        "film of two": list(video.frames([walk, walking(30, fps=10.0)], 80))[10][:80],
        "film, flat": next(iter(video.frames([flat], 60)))[:60],
    }
    check_stored("pictures", made, atol=3)
    marks = filmstrip.strip(walk, 4, 240, 100)[1]
    assert [round(seconds, 2) for _, seconds, _ in marks] == [0.0, 0.65, 1.3, 1.95]
    assert [round(way, 1) for _, _, way in marks] == [0.0, 0.8, 1.6, 2.3]
