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
    check_stored("pictures", made, atol=1.01)
    marks = filmstrip.strip(walk, 4, 240, 100)[1]
    assert [round(seconds, 2) for _, seconds, _ in marks] == [0.0, 0.65, 1.3, 1.95]
    assert [round(way, 1) for _, _, way in marks] == [0.0, 0.8, 1.6, 2.3]


@pytest.mark.parametrize("frames", [0, 25, -1])
def test_a_strip_has_up_to_24_key_frames(walking: Callable[..., Clip], tmp_path: Path, frames: int) -> None:
    with pytest.raises(UsageError, match=f"{frames} key frames; between 1 and 24 are allowed"):
        filmstrip.write(walking(2), tmp_path / "a.png", frames=frames)
    filmstrip.write(walking(30), tmp_path / "a.png", frames=max(1, min(frames, 24)), width=200, height=40)


@pytest.mark.parametrize("size", [63, 4097])
def test_a_film_is_64_to_4096_pixels_wide(walking: Callable[..., Clip], tmp_path: Path, size: int) -> None:
    with pytest.raises(UsageError, match=f"size is {size}; it must be between 64 and 4096 pixels"):
        video.write(walking(1), tmp_path / "a.mp4", size=size)


def test_a_film_of_too_many_frames_is_refused(
    walking: Callable[..., Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "MAX_VIDEO_FRAMES", 12)
    video.write(walking(12), tmp_path / "a.mp4", size=64)
    assert len(film(tmp_path / "a.mp4")[1]) == 12
    with pytest.raises(UsageError, match="13 frames are too many for a film; at most 12"):
        video.write(walking(13), tmp_path / "b.mp4", size=64)


def test_progress_is_told_every_tenth_frame_and_at_the_end(walking: Callable[..., Clip], tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    video.write(walking(23), tmp_path / "a.mp4", size=64, progress=lambda *what: told.append(what))
    assert told == [("a.mp4", 1, 23), ("a.mp4", 11, 23), ("a.mp4", 21, 23), ("a.mp4", 23, 23)]


def test_what_is_broken_off_leaves_no_encoder_behind(
    walking: Callable[..., Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen] = []

    class Noted(subprocess.Popen):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[call-overload]
            started.append(self)

    monkeypatch.setattr(video.subprocess, "Popen", Noted)

    def stop(name: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        video.write(walking(20), tmp_path / "a.mp4", size=64, progress=stop)
    assert started[-1].returncode == -9  # before it, which version it is may have been asked
    assert list(tmp_path.iterdir()) == []


def test_the_rate_of_a_film_is_the_highest_and_above_sixty_divided(walking: Callable[..., Clip]) -> None:
    for rates, wanted in (
        ([20.0], 20.0),
        ([20.0, 30.0], 30.0),
        ([60.0], 60.0),
        ([120.0], 60.0),
        ([100.0], 50.0),
        ([240.0, 50.0], 60.0),
    ):
        assert video._rate([walking(5, fps=rate) for rate in rates]) == pytest.approx(wanted)
    assert video._count([walking(21, fps=20.0), walking(16, fps=30.0)], 30.0) == 31  # one second, both ends


@pytest.mark.parametrize(
    ("count", "size", "grid"),
    [(1, 720, (1, 1)), (3, 720, (3, 1)), (4, 480, (2, 2)), (5, 360, (3, 2)), (10, 360, (4, 3))],
)
def test_pictures_of_several_stand_in_a_grid(
    walking: Callable[..., Clip], count: int, size: int, grid: tuple[int, int]
) -> None:
    assert video._default_size(count) == size
    stage = video._Stage([walking(1)] * count, 65)
    assert stage.size[0] == grid[0] * 66
    assert stage.size[1] % (2 * grid[1]) == 0
    starts = [(place[0].start, place[1].start) for place in stage.places]
    row = stage.size[1] // grid[1]
    assert starts == [(row * (i // grid[0]), 66 * (i % grid[0])) for i in range(count)]


def test_the_camera_follows_who_walks_and_stays_with_who_does_not(walking: Callable[..., Clip]) -> None:
    height = scene.extent(walking(20))[1]
    for way, follows in ((0.55, False), (0.65, True)):  # of the body's height
        clip = walking(41)
        joints = clip.joints.copy()
        joints[..., 2] += (np.linspace(0, way * height, 41) - 1.2 * np.arange(41) / 20)[:, None].astype(np.float32)
        panel = video._Panel(clip.with_(joints=joints), 64, video.Theme())
        path = scene.smooth_root(clip.with_(joints=joints))
        gone = float(np.linalg.norm(np.ptp(path, axis=0)[::2])) / height
        assert (gone >= 0.6) == follows
        moved = float(np.abs(panel._view(2.0).eye - panel._view(0.0).eye).max())
        assert (moved > 0.1) == follows
        if follows:  # half a frame on, half of the way
            a, b, c = (panel._view(t).eye for t in (1.0, 1.025, 1.05))
            np.testing.assert_allclose(b, (a + c) / 2, atol=1e-9)
            np.testing.assert_allclose(panel._view(99.0).eye, panel._view(2.0).eye)
            np.testing.assert_allclose(panel._view(-1.0).eye, panel._view(0.0).eye)
            np.testing.assert_allclose((c - a)[2], path[21, 2] - path[20, 2], atol=1e-6)


def test_a_word_that_just_fits_stays_on_its_line() -> None:
    width = int(np.ceil(font(14).getlength("one two")))
    assert wrap("one two three", width, 14, 3) == ["one two", "three"]
    assert wrap("one two", width - 2, 14, 3) == ["one", "two"]
    assert wrap("  one \n two ", 500, 14, 1) == ["one two"]
    assert wrap("one two three", width, 14, 1)[0].endswith("…")
    assert wrap("one two three", width, 14, 2) == ["one two", "three"]
    broken = wrap("x" * 40 + " y", 100, 14, 9)
    assert "".join(broken[:-1]) + broken[-1].split(" ")[0] in ("x" * 40, "x" * 40 + "y")
    assert all(font(14).getlength(line + "x") > 100 for line in broken[:-2])
    assert wrap("four " * 500, 100_000, 14, 1) == [("four " * 400).rstrip()]  # no more than 2,000 letters are looked at
    assert wrap("ab", 1, 14, 5) == ["a", "b"]  # a letter that is wider than the line has one of its own
