"""Captions in pictures, drawn with the font that matplotlib carries."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np


@lru_cache(maxsize=16)
def font(points: int) -> Any:
    """DejaVu Sans at a size in pixels. Latin, Greek, Cyrillic, Arabic and Hebrew; boxes for other scripts."""
    import matplotlib
    from PIL import ImageFont

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), points)


def wrap(text: str, width: int, points: int, lines: int) -> list[str]:
    """Break a text into at most ``lines`` lines of ``width`` pixels; what does not fit ends in an ellipsis."""
    face = font(points)
    text = text.encode(errors="replace").decode()  # a file's name may hold bytes that are no character
    text = " ".join(text.split())[:2000]  # longer texts never fit, and measuring them takes time
    out = [""]
    for word in text.split(" "):
        while word:
            joined = f"{out[-1]} {word}" if out[-1] else word
            if face.getlength(joined) <= width:
                out[-1], word = joined, ""
            elif out[-1]:
                out.append("")
            else:  # one word wider than a line
                fits = next((n for n in range(len(word) - 1, 1, -1) if face.getlength(word[:n]) <= width), 1)
                out[-1], word = word[:fits], word[fits:]
                if word:
                    out.append("")
        if len(out) > lines:
            break
    if len(out) > lines:
        last = out[lines - 1]
        while last and face.getlength(last + "…") > width:
            last = last[:-1]
        out = [*out[: lines - 1], last.rstrip() + "…"]
    return out


def write_centred(image: np.ndarray, text: list[str], top: int, points: int, ink: str) -> None:
    """Draw lines of text in the middle of an (H, W, 3) uint8 image, from the row ``top`` downwards."""
    from PIL import Image, ImageDraw

    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    for i, line in enumerate(text):
        middle = (image.shape[1] / 2, top + round((i + 0.5) * 1.35 * points))
        draw.text(middle, line, fill=ink, font=font(points), anchor="mm")
    image[:] = np.asarray(picture)
