"""Drawings of numbers: every mark is where its value is, read back from the SVG."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest

from motion_platform.evaluation.plots import intervals, scatter, spread, tick

PLACES = ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy")


def marks(svg: str, kind: str) -> list[dict[str, float | str]]:
    """The elements of a kind with their numbers and the text that is in them."""
    found = []
    for element in ET.fromstring(svg).iter(kind):
        numbers = {k: float(v) for k, v in element.attrib.items() if k in PLACES}
        found.append({**numbers, "class": element.get("class", ""), "text": "".join(element.itertext())})
    return found


POINTS = [("real", "truth", 2.0, None), ("ours", "model", 4.0, 0.5), ("theirs <b>", "model", 7.0, 1.0)]


def test_values_lie_on_one_straight_scale_with_their_intervals() -> None:
    svg = intervals("FID", "lower is better", POINTS)
    circles = marks(svg, "circle")
    assert [mark["class"] for mark in circles] == ["truth", "model", "model"]
    x = [mark["cx"] for mark in circles]
    scale = (x[1] - x[0]) / (4.0 - 2.0)
    assert scale > 0
    assert x[2] - x[1] == pytest.approx(scale * 3.0, abs=0.2)
    bars = [line for line in marks(svg, "line") if line["class"] == "bar"]
    for bar, at, half in zip(bars, x[1:], (0.5, 1.0), strict=True):
        assert [bar["x1"], bar["x2"]] == pytest.approx([at - half * scale, at + half * scale], abs=0.2)
    (real,) = (line for line in marks(svg, "line") if line["class"] == "real")
    assert real["x1"] == real["x2"] == pytest.approx(x[0], abs=0.1)
    assert [mark["cy"] for mark in circles] == sorted(mark["cy"] for mark in circles)
    assert circles[1]["text"] == "ours: 4 \u00b1 0.5"
    ticks = [mark for mark in marks(svg, "text") if mark["class"] == "tick"]
    values = [float(mark["text"]) for mark in ticks]
    assert [mark["x"] for mark in ticks] == pytest.approx([x[0] + scale * (v - 2.0) for v in values], abs=1.0)
    assert min(values) < 2.0
    assert max(values) > 8.0


def test_names_are_text_and_long_ones_are_cut() -> None:
    svg = intervals("a & b", "m", [("x" * 40, "model", 1.0, None), ("theirs <b>", "model", 1.0, None)])
    names = [mark["text"] for mark in marks(svg, "text") if mark["class"] == "name"]
    assert names == ["x" * 25 + "\u2026", "theirs <b>"]
    assert marks(svg, "text")[0]["text"] == "a & b (m)"


def test_time_is_on_a_logarithmic_axis_and_values_grow_upward() -> None:
    svg = scatter("FID", [("a", 0.1, 1.0, 0.25), ("b", 1.0, 2.0, None), ("c", 10.0, 3.0, None)], real=1.5)
    circles = marks(svg, "circle")
    x, y = [mark["cx"] for mark in circles], [mark["cy"] for mark in circles]
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2)
    assert x[0] < x[1]
    assert y[0] - y[1] == pytest.approx(y[1] - y[2], abs=0.2)
    assert y[0] > y[1]
    (real,) = (line for line in marks(svg, "line") if line["class"] == "real")
    assert real["y1"] == real["y2"] == pytest.approx((y[0] + y[1]) / 2, abs=0.2)
    (bar,) = (line for line in marks(svg, "line") if line["class"] == "bar")
    assert bar["y1"] - bar["y2"] == pytest.approx((y[0] - y[1]) * 0.5, abs=0.3)
    assert "a: 1 \u00b1 0.25, 0.1 s" in [mark["text"] for mark in circles]


def test_one_point_is_drawn_too() -> None:
    for svg in (intervals("t", "m", [("a", "model", 0.0, None)]), scatter("t", [("a", 1.0, 5.0, None)], None)):
        (circle,) = marks(svg, "circle")
        assert math.isfinite(circle["cx"] + circle["cy"])


def test_labels_keep_a_distance_and_move_down_alone() -> None:
    moved = spread([30.0, 10.0, 12.0, 60.0], gap=11.0)
    assert moved == [32.0, 10.0, 21.0, 60.0]
    assert spread([]) == []


@pytest.mark.parametrize(
    ("value", "said"), [(0.123456, "0.123"), (12345.6, "12346"), (999.4, "999"), (-2500.0, "-2500"), (2e7, "2e+07")]
)
def test_ticks_have_three_digits(value: float, said: str) -> None:
    assert tick(value) == said
