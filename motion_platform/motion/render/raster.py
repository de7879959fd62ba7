"""A small software renderer for bodies made of tapered capsules, on numpy alone: shaded, anti-aliased, with shadows.

Perspective is applied to the ends of a capsule; within one capsule the projection is parallel, for which the nearest
point has a closed form. Colours are sRGB in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from motion_platform.motion.render.body import COLOURS, Body
from motion_platform.motion.render.scene import View

SUN = np.array([0.42, 0.95, 0.38]) / np.linalg.norm([0.42, 0.95, 0.38])
"""Direction towards the light, in the world."""


@dataclass(frozen=True)
class Theme:
    """Colours of everything but the body."""

    back: tuple[float, float, float] = (0.933, 0.945, 0.961)
    floor: tuple[float, float, float] = (0.898, 0.914, 0.937)
    line: tuple[float, float, float] = (0.760, 0.792, 0.836)
    ink: str = "#1d232b"
    quiet: str = "#5b6673"
    shadow: float = 0.42


def tones(theme: str = "light") -> np.ndarray:
    """(4, 3) colours of CENTRE, LEFT, RIGHT, HEAD."""
    return np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in COLOURS[theme]], np.float32)


class Backdrop:
    """A floor with a grid that fades into the distance, for a camera that may move but not turn.

    Lines are drawn every half metre and every metre (for a body of 1.9 m; in proportion for others). All that does not
    depend on where the camera is gets computed once.
    """

    def __init__(self, view: View, theme: Theme, floor: float | None, size: float, reach: float | None = None) -> None:
        """view: the camera at its first place. floor: its level in metres, None for no floor. size: metres.

        reach: metres at which the grid has faded to a quarter.
        """
        width, height = view.size
        self.plain = np.empty((height, width, 3), np.float32)
        self.plain[:] = theme.back
        self.first = height
        self.grids: list[tuple[int, float, np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = []
        if floor is None or view.eye[1] <= floor:
            return
        # A pixel's ray is back, right and up in proportion; the floor is where its Y has fallen by the eye's height.
        column = ((np.arange(width) + 0.5 - width / 2) / view.focal).astype(np.float32)
        row = (height / 2 - np.arange(height) - 0.5) / view.focal
        fall = -(row * view.up[1] - view.back[1])
        if not (fall > 1e-3).any():
            return
        self.first = int(np.argmax(fall > 1e-3))
        row = row[self.first :]
        t = (view.eye[1] - floor) / fall[self.first :]
        middle = view.back * -(view.eye[1] - floor) / max(view.back[1], 0.15)  # in front of the camera, on the floor
        far = np.zeros((len(row), width), np.float32)
        for axis in (0, 2):
            start = t * (row * view.up[axis] - view.back[axis])
            slope = t * view.right[axis]
            place = start[:, None].astype(np.float32) + slope[:, None].astype(np.float32) * column
            change = [
                np.gradient(v)[:, None].astype(np.float32) if len(v) > 1 else 0 * v[:, None] for v in (start, slope)
            ]
            pixel = np.abs(change[0] + change[1] * column) + np.abs(slope / view.focal)[:, None].astype(np.float32)
            far += np.square(place - np.float32(middle[axis] * 0.8))
            for spacing, strength, half in ((size / 3.8, 0.35, 0.45), (size / 1.9, 1.0, 0.75)):
                cells = pixel / np.float32(spacing)
                seen = np.float32(strength) * np.clip(1.3 - 2.5 * cells, 0, 1)
                sharp = 1 / np.maximum(cells, 1e-6)
                # A line's strength is seen * min(1, half + 0.5 - distance in pixels), with the factors folded in.
                offset = np.float32(half + 0.5) * seen
                self.grids.append((axis, spacing, place / np.float32(spacing), sharp * seen, offset, seen))
        shown = 1 / (1 + far / np.float32((reach or 1.8 * size) ** 2)) ** 2
        base, line, back = (np.array(c, np.float32) for c in (theme.floor, theme.line, theme.back))
        self.plain[self.first :] = back + shown[..., None] * (base - back)
        self.ink = shown[..., None] * (line - base)

    def image(self, eye: np.ndarray) -> np.ndarray:
        """(H, W, 3) float32, a new array, as seen from an eye (3,) in metres."""
        image = self.plain.copy()
        if self.first == len(image):
            return image
        lines = np.zeros(image[self.first :].shape[:2], np.float32)
        work, whole = np.empty_like(lines), np.empty_like(lines)
        for axis, spacing, place, slope, offset, seen in self.grids:
            np.add(place, np.float32((eye[axis] / spacing) % 1.0), out=work)
            np.rint(work, out=whole)
            np.subtract(work, whole, out=work)
            np.abs(work, out=work)
            np.multiply(work, slope, out=work)
            np.subtract(offset, work, out=work)
            np.minimum(work, seen, out=work)
            np.maximum(lines, work, out=lines)
        image[self.first :] += lines[..., None] * self.ink
        return image


def cast_shadow(
    image: np.ndarray, view: View, body: Body, points: np.ndarray, floor: float, size: float, strength: float
) -> None:
    """Darken the floor under a body: shadows away from the sun, and closer ones where it touches the ground."""
    width, height = view.size
    dark = np.zeros((height, width), np.float32)
    squash = max(0.08, (view.eye[1] - floor) / np.linalg.norm(view.eye - points.mean(0)))
    rise = np.maximum(points[:, 1] - floor, 0.0)
    fallen = points - rise[:, None] * (SUN / SUN[1])
    fallen[:, 1] = floor
    straight = points.copy()
    straight[:, 1] = floor
    corners = [width, height, 0, 0]
    for below, touch in ((fallen, False), (straight, True)):
        spots, scale = view.project(below)
        for (a, b), radii in zip(body.ends, body.radii, strict=True):
            gap = float(max(0.0, min(rise[a] - radii[0], rise[b] - radii[1]))) / size
            depth = np.exp(-gap * 20) * 0.9 if touch else 0.62
            if depth < 0.06:
                continue
            ra, rb = radii * scale[[a, b]] * (1.25 if touch else 0.95)
            soft = max(ra, rb) * (1.3 if touch else 0.35 + 0.5 * (rise[a] + rise[b]) / size)
            box = _box(spots[a], spots[b], ra + soft, rb + soft, view.size, squash)
            if box is None:
                continue
            x0, x1, y0, y1 = box
            x = (np.arange(x0, x1, dtype=np.float32) + 0.5 - np.float32(spots[a, 0]))[None]
            y = ((np.arange(y0, y1, dtype=np.float32) + 0.5 - np.float32(spots[a, 1])) / np.float32(squash))[:, None]
            bx, by = np.float32(spots[b, 0] - spots[a, 0]), np.float32((spots[b, 1] - spots[a, 1]) / squash)
            along = np.clip((x * bx + y * by) / np.float32(max(float(bx * bx + by * by), 1e-6)), 0, 1)
            away = np.sqrt((x - along * bx) ** 2 + (y - along * by) ** 2)
            reach = np.clip((np.float32(ra + soft / 2) - away + along * np.float32(rb - ra)) / np.float32(soft), 0, 1)
            part = dark[y0:y1, x0:x1]
            np.maximum(part, np.float32(depth) * reach * reach * (3 - 2 * reach), out=part)
            corners = [min(corners[0], x0), min(corners[1], y0), max(corners[2], x1), max(corners[3], y1)]
    x0, y0, x1, y1 = corners
    if x0 < x1 and y0 < y1:
        image[y0:y1, x0:x1] *= (1 - np.float32(strength) * dark[y0:y1, x0:x1])[..., None]


def draw_body(
    image: np.ndarray, depth: np.ndarray, view: View, body: Body, points: np.ndarray, colours: np.ndarray, size: float
) -> None:
    """Draw a placed body (points (K, 3)) into image (H, W, 3) float32 with a depth buffer (H, W) in metres.

    colours (4, 3): one for each tone. size: height of the body in metres.
    """
    spots, scale = view.project(points)
    order = np.argsort(-spots[body.ends, 2].min(1))
    sun = np.array([SUN @ view.right, -(SUN @ view.up), -(SUN @ view.back)], np.float32)  # x right, y down, z away
    sky = np.array([view.right[1], -view.up[1], -view.back[1]], np.float32)
    for n in order:
        a, b = body.ends[n]
        ra, rb = body.radii[n] * scale[[a, b]]
        box = _box(spots[a], spots[b], ra + 1, rb + 1, view.size, 1.0)
        if box is not None:
            metre = np.float32((scale[a] + scale[b]) / 2)
            ends = [*(spots[b, :2] - spots[a, :2]), (spots[b, 2] - spots[a, 2]) * metre]
            _capsule(image, depth, box, spots[a], ends, ra, rb, metre, colours[body.tones[n]], sun, sky, size)


def _capsule(
    image: np.ndarray,
    depth: np.ndarray,
    box: tuple[int, int, int, int],
    start: np.ndarray,
    axis: list[float],
    ra: float,
    rb: float,
    metre: np.float32,
    colour: np.ndarray,
    sun: np.ndarray,
    sky: np.ndarray,
    size: float,
) -> None:
    """One tapered capsule, in pixels: spheres at s * axis of radius ra - s (ra - rb), 0 <= s <= 1.

    A ray at q = (x, y) meets sphere s at z(s) = s bz - sqrt(D(s)) with D = A s^2 - 2 B s + C, A = rr^2 - bx^2 - by^2,
    B = rr ra - q.b, C = ra^2 - q.q, rr = ra - rb. z is convex where D >= 0; its minimum solves
    A s - B = bz sqrt((B^2 - A C) / (|axis|^2 - rr^2)), and clipping s to 0..1 gives the nearest point of the capsule.
    """
    x0, x1, y0, y1 = box
    nx: Any
    ny: Any
    radius: Any
    z: Any
    bx, by, bz = (np.float32(v) for v in axis)
    ra, rr = np.float32(ra), np.float32(ra - rb)  # type: ignore[assignment]
    x = (np.arange(x0, x1, dtype=np.float32) + np.float32(0.5 - start[0]))[None]
    y = (np.arange(y0, y1, dtype=np.float32) + np.float32(0.5 - start[1]))[:, None]
    a = rr * rr - bx * bx - by * by
    if a < -1e-3:
        b = rr * ra - (x * bx + y * by)
        root = np.maximum(b * b - a * (ra * ra - (x * x + y * y)), 0)
        s = np.clip((b + bz * np.sqrt(root / max(bz * bz - a, np.float32(1e-6)))) / a, 0, 1)
        nx, ny, radius = x - s * bx, y - s * by, ra - s * rr
        z = s * bz
    else:  # seen along its axis: one end covers the other
        nearer = bz - (ra - rr) < -ra
        nx, ny, radius = (x - bx, y - by, ra - rr) if nearer else (x + 0 * y, y + 0 * x, ra)
        nx, ny = np.broadcast_arrays(nx, ny)
        z = bz if nearer else np.float32(0)
    flat = nx * nx + ny * ny
    cover = np.clip(radius - np.sqrt(flat) + np.float32(0.5), 0, 1)
    if not cover.any():
        return
    radius = np.maximum(radius, np.float32(1e-3))
    nz = np.sqrt(np.maximum(radius * radius - flat, 0))
    near = (z - nz) / metre + np.float32(start[2])
    held = depth[y0:y1, x0:x1]
    # Surfaces that are almost equally near melt into each other.
    alpha = cover * np.clip((held - near) / np.float32(0.012 * size) + np.float32(0.5), 0, 1)
    nx, ny, nz = nx / radius, ny / radius, nz / radius
    direct = np.maximum(nx * sun[0] + ny * sun[1] - nz * sun[2] + np.float32(0.18), 0)
    above = nx * sky[0] + ny * sky[1] - nz * sky[2]
    light = np.float32(0.62) + np.float32(0.13) * above + np.float32(0.36) * direct
    light *= np.minimum(np.float32(0.80) + np.float32(0.32) * nz, 1)  # darker towards the outline
    shine = np.float32(0.05) * direct * direct * direct
    part = image[y0:y1, x0:x1]
    part += alpha[..., None] * (np.minimum(light[..., None] * colour + shine[..., None], 1) - part)
    np.copyto(held, near, where=(alpha > 0.5) & (near < held))


def _box(
    p: np.ndarray, q: np.ndarray, rp: float, rq: float, size: tuple[int, int], squash: float
) -> tuple[int, int, int, int] | None:
    """x0, x1, y0, y1 of the pixels that two discs cover, cut to the picture; None when there are none."""
    x0, x1 = int(max(min(p[0] - rp, q[0] - rq), 0)), int(min(max(p[0] + rp, q[0] + rq) + 1, size[0]))
    y0, y1 = (
        int(max(min(p[1] - rp * squash, q[1] - rq * squash), 0)),
        int(min(max(p[1] + rp * squash, q[1] + rq * squash) + 1, size[1])),
    )
    return (x0, x1, y0, y1) if x0 < x1 and y0 < y1 else None
