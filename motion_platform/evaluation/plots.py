"""Two kinds of drawings as inline SVG: values with their intervals, and values against time."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

WIDTH, LEFT, RIGHT, LINE, TOP = 460, 170, 24, 20, 40


def intervals(title: str, unit: str, points: Sequence[tuple[str, str, float, float | None]]) -> str:
    """A line for each (name, kind, mean, interval); the value of real motion goes through all of them."""
    low, high = _range([m - (i or 0) for _, _, m, i in points], [m + (i or 0) for _, _, m, i in points])
    height = TOP + LINE * len(points) + 30

    def x(value: float) -> float:
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    parts = []
    for name, kind, mean, _ in points:
        if kind == "truth":
            parts.append(
                f"<line class='real' x1='{x(mean):.1f}' x2='{x(mean):.1f}' y1='{TOP - 6}' y2='{height - 28}'>"
                f"<title>{html.escape(name)}: {mean:.4g}</title></line>"
            )
    for i, (name, kind, mean, interval) in enumerate(points):
        y = TOP + LINE * i + LINE / 2
        said = f"{name}: {mean:.5g}" + (f" \u00b1 {interval:.2g}" if interval else "")
        parts.append(f"<text class='name' x='{LEFT - 8}' y='{y + 4:.1f}'>{html.escape(_short(name))}</text>")
        if interval:
            parts.append(
                f"<line class='bar' x1='{x(mean - interval):.1f}' x2='{x(mean + interval):.1f}' y1='{y}' y2='{y}'/>"
            )
        parts.append(
            f"<circle class='{html.escape(kind)}' cx='{x(mean):.1f}' cy='{y}' r='4'>"
            f"<title>{html.escape(said)}</title></circle>"
        )
    for value in (low, (low + high) / 2, high):
        parts.append(f"<text class='tick' x='{x(value):.1f}' y='{height - 10}'>{tick(value)}</text>")
    return _svg(f"{title} ({unit})", height, parts)


def scatter(title: str, points: Sequence[tuple[str, float, float, float | None]], real: float | None) -> str:
    """(name, seconds, mean, interval) with time on a logarithmic axis; ``real``: a line at the value of real motion."""
    height, bottom = 300, 44
    lows = [m - (i or 0) for _, _, m, i in points] + ([real] if real is not None else [])
    highs = [m + (i or 0) for _, _, m, i in points] + ([real] if real is not None else [])
    low, high = _range(lows, highs)
    first, last = _range([math.log10(s) for _, s, _, _ in points], [math.log10(s) for _, s, _, _ in points])

    def x(seconds: float) -> float:
        return 60 + (math.log10(seconds) - first) / (last - first) * (WIDTH - 60 - RIGHT - 40)

    def y(value: float) -> float:
        return height - bottom - (value - low) / (high - low) * (height - bottom - TOP)

    parts = []
    if real is not None:
        parts.append(
            f"<line class='real' x1='56' x2='{WIDTH - RIGHT}' y1='{y(real):.1f}' y2='{y(real):.1f}'>"
            f"<title>real motion: {real:.4g}</title></line>"
        )
    heights = spread([y(mean) - 5 for _, _, mean, _ in points])
    for (name, seconds, mean, interval), label in zip(points, heights, strict=True):
        said = f"{name}: {mean:.5g}" + (f" \u00b1 {interval:.2g}" if interval else "") + f", {seconds:.3g} s"
        side, shift = ("point", 6) if x(seconds) < WIDTH / 2 else ("point end", -6)  # names stay in the picture
        if interval:
            parts.append(
                f"<line class='bar' x1='{x(seconds):.1f}' x2='{x(seconds):.1f}' y1='{y(mean - interval):.1f}' "
                f"y2='{y(mean + interval):.1f}'/>"
            )
        parts.append(
            f"<circle class='model' cx='{x(seconds):.1f}' cy='{y(mean):.1f}' r='4'>"
            f"<title>{html.escape(said)}</title></circle>"
            f"<text class='{side}' x='{x(seconds) + shift:.1f}' y='{label:.1f}'>"
            f"{html.escape(_short(name))}</text>"
        )
    for value in (low, (low + high) / 2, high):
        parts.append(f"<text class='name' x='52' y='{y(value) + 4:.1f}'>{tick(value)}</text>")
    for exponent in (first, (first + last) / 2, last):
        parts.append(f"<text class='tick' x='{x(10**exponent):.1f}' y='{height - 22}'>{tick(10**exponent)}</text>")
    parts.append(f"<text class='tick' x='{WIDTH / 2}' y='{height - 6}'>seconds a motion</text>")
    return _svg(title, height, parts)


def spread(heights: Sequence[float], gap: float = 11.0) -> list[float]:
    """The same heights, moved down where two would be nearer than ``gap``."""
    moved, last = list(heights), -math.inf
    for i in sorted(range(len(heights)), key=heights.__getitem__):
        moved[i] = last = max(heights[i], last + gap)
    return moved


def tick(value: float) -> str:
    """Three digits, without powers of ten where a plain number is as short."""
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def _range(lows: Sequence[float], highs: Sequence[float]) -> tuple[float, float]:
    """From the lowest to the highest with a margin, never empty."""
    low, high = min(lows), max(highs)
    margin = 0.06 * (high - low) or max(abs(high), 1.0) * 0.1
    return low - margin, high + margin


def _short(name: str) -> str:
    return name if len(name) <= 26 else name[:25] + "\u2026"


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    said = html.escape(title)
    return (
        f"<svg viewBox='0 0 {WIDTH} {height}' role='img' aria-label='{said}'>"
        f"<text class='title' x='8' y='20'>{said}</text>{''.join(parts)}</svg>"
    )
