"""Where things are in a film-strip: bodies, captions, times; as a matplotlib figure says it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from motion_platform.motion.clip import Clip
from motion_platform.motion.render import filmstrip, scene
from motion_platform.motion.skeleton import get_skeleton


def test_rows_captions_and_times_have_their_places(walking: Callable[..., Clip]) -> None:
    """A line is 28 pixels; a caption has one more, less a tenth; texts are 9.5 and 7 points."""
    clips = [walking(20, captions=("one",)), walking(31, name="two " * 60)]
    figure = filmstrip._figure(clips, 3, 600, 100)
    bands = [round(1.9 * 28), round(2.9 * 28)]
    total = sum(bands) + 200
    np.testing.assert_allclose(figure.get_size_inches() * 150, [600, total])
    tops = [total - bands[0], total - bands[0] - 100 - bands[1]]
    wanted = [(0.0, (total - 100) / total, 1.0, 100 / total), (0.0, (total - 200 - bands[0]) / total, 1.0, 100 / total)]
    for axes, place in zip(figure.axes, wanted, strict=True):
        np.testing.assert_allclose(axes.get_position().bounds, place)
        assert not axes.axison
        assert axes.images[0].get_array().shape == (100, 600, 3)
        assert axes.images[0].get_interpolation() == "nearest"
    for text, band, top in zip(figure.texts, bands, tops, strict=True):
        assert text.get_position()[0] == 0.5
        assert text.get_position()[1] == pytest.approx((top - 100 + band / 2) / total)
        assert (text.get_fontsize(), text.get_ha(), text.get_va(), text.get_color()) == (
            9.5,
            "center",
            "center",
            "#1d232b",
        )
        assert not text.get_parse_math()
    assert figure.texts[0].get_text() == "one"
    assert figure.texts[1].get_text().count("\n") == 1
    _, marks = filmstrip.strip(clips[0], 3, 600, 100)
    for text, (x, seconds, way) in zip(figure.axes[0].texts, marks, strict=True):
        assert text.get_position() == (x, 91)
        assert text.get_text() == f"{seconds:.1f} s, {way:.1f} m"
        assert (text.get_fontsize(), text.get_ha(), text.get_va(), text.get_color()) == (
            7,
            "center",
            "bottom",
            "#5b6673",
        )
        assert not text.get_parse_math()


@pytest.mark.parametrize(("way", "told"), [(0.49, False), (0.51, True)])
def test_a_way_of_half_a_metre_is_written_under_the_bodies(
    way: float, told: bool, walking: Callable[..., Clip]
) -> None:
    clip = walking(21)
    joints = clip.joints.copy()
    joints[..., 2] += ((way - 1.2) * np.arange(21, dtype=np.float32) / 20)[:, None]
    figure = filmstrip._figure([clip.with_(joints=joints)], 2, 300, 80)
    assert figure.axes[0].texts[-1].get_text() == ("1.0 s, 0.5 m" if told else "1.0 s")


def test_bodies_stand_side_by_side_wherever_they_were(walking: Callable[..., Clip]) -> None:
    """The room of one is the widest body and an eighth and a quarter of the size, or at least 0.45 of it."""
    clip = walking(41)
    joints = clip.joints.copy()
    joints[..., 0] += np.linspace(0, 5, 41, dtype=np.float32)[:, None]
    first, second = (filmstrip.strip(c, 5, 500, 90) for c in (clip, clip.with_(joints=joints)))
    columns = [[x for x, *_ in marks] for _, marks in (first, second)]
    np.testing.assert_allclose(columns[0], columns[1], atol=0.3)
    np.testing.assert_allclose(np.diff(columns[0]), np.diff(columns[0]).mean(), atol=1.2)
    way = [gone for *_, gone in second[1]]
    assert way[0] == 0.0
    assert way[-1] == pytest.approx(np.hypot(5.0, 1.2 * 2.0), abs=0.02)
    np.testing.assert_allclose(way[2], way[-1] / 2, atol=0.02)


@pytest.mark.parametrize("wide", [0.0, 1.5])
def test_columns_are_where_the_camera_puts_them(wide: float, walking: Callable[..., Clip]) -> None:
    """Recomputed: a lens of 0.2 radians that sees all bodies, a turn of 0.62 and four fifths of the usual pitch."""
    clip = walking(3)
    clip.joints[1, 20, 0] += wide
    _, size = scene.extent(clip)
    right = np.array([np.cos(scene.YAW), 0.0, -np.sin(scene.YAW)])
    back = np.array([np.sin(scene.YAW), 0.0, np.cos(scene.YAW)])
    poses = clip.joints.astype(float)
    across = poses @ right
    room = max(np.ptp(across, axis=1).max() + 0.16 * size, 0.45 * size)
    middle = (across.max(1) + across.min(1)) / 2
    tall = max(1.22 * size, (3 * room + 0.1 * size) * 80 / 160)
    view = scene.look_at(np.array([0, 0.5 * tall - 0.13 * size, 0.0]), tall, (320, 160), pitch=0.16, field_of_view=0.2)
    roots = poses[:, 0] + (
        (np.array([-1, 0, 1]) * room - middle)[:, None] * right - (poses[:, 0] @ back)[:, None] * back
    )
    wanted = view.project(roots * [1, 0, 1])[0][:, 0] / 2
    np.testing.assert_allclose([x for x, *_ in filmstrip.strip(clip, 3, 160, 80)[1]], wanted, atol=1e-6)


def test_a_flat_figure_goes_nowhere_and_stands_on_its_own_lowest_point() -> None:
    joints = np.random.default_rng(0).normal(size=(30, 13, 3)).astype(np.float32) * 0.2
    joints[..., 2] = 0
    joints[..., 0] += np.linspace(0, 4, 30, dtype=np.float32)[:, None]
    row, marks = filmstrip.strip(Clip(joints, 15, get_skeleton("coco_upper")), 3, 200, 60)
    assert [gone for *_, gone in marks] == [0.0] * 3
    assert row.dtype == np.uint8


def test_a_file_says_what_made_it_and_is_as_large_as_asked(walking: Callable[..., Clip], tmp_path: Path) -> None:
    assert filmstrip.write(walking(9), tmp_path / "a.png", frames=2, width=300, height=70) == tmp_path / "a.png"
    picture = Image.open(tmp_path / "a.png")
    assert picture.size == (300, 70 + round(1.9 * 28))
    assert picture.text["Software"] == "motion-platform"  # type: ignore[attr-defined]
    usual = {name: given.default for name, given in inspect.signature(filmstrip.write).parameters.items()}
    assert (usual["frames"], usual["width"], usual["height"]) == (8, 1800, 430)
