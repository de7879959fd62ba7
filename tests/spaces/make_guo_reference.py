"""Runs the published evaluator modules and writes guo_reference.npz, which test_guo.py compares with.

    python tests/spaces/make_guo_reference.py PATH/text-to-motion

The repository is EricGuo5513/text-to-motion. Its modules run as published, at a small size; weights and inputs are a
formula of their name and are set on both sides.
"""

from __future__ import annotations

import importlib.util
import sys
import zlib
from pathlib import Path

import numpy as np
import torch

DIM, MOVEMENT, MOTION_WIDTH, TEXT_WIDTH, EMBEDDING, WORDS, TAGS = 263, 8, 12, 10, 6, 7, 15
MAX_FRAMES = 196
LENGTHS = (196, 192, 64, 40)
WORD_COUNTS = (22, 15, 9, 3)


def values(name: str, shape: tuple[int, ...], scale: float = 0.3) -> torch.Tensor:
    """Numbers in (-scale, scale) without structure, from a name alone."""
    i = np.arange(int(np.prod(shape)), dtype=np.float64) + zlib.crc32(name.encode()) % 9973
    noise = np.sin(i * 12.9898) * 43758.5453
    return torch.from_numpy((2 * (noise - np.floor(noise)) - 1) * scale).float().reshape(shape)


def fill(part: str, module: torch.nn.Module) -> None:
    """Every weight from its part and name."""
    with torch.no_grad():
        for name, weight in module.named_parameters():
            weight.copy_(values(f"{part}.{name}", tuple(weight.shape)))


def inputs() -> dict[str, torch.Tensor]:
    """Motions normalised and padded with zeros, as the official loader makes them; words and one-hot tags."""
    x = values("motion", (len(LENGTHS), MAX_FRAMES, DIM), 1.5)
    x = x * (torch.arange(MAX_FRAMES)[None] < torch.tensor(LENGTHS)[:, None])[..., None]
    longest = max(WORD_COUNTS)
    words = values("words", (len(WORD_COUNTS), longest, WORDS), 1.0)
    tags = torch.eye(TAGS)[(torch.arange(len(WORD_COUNTS) * longest) * 7 % TAGS).view(-1, longest)]
    return {"motion": x, "words": words, "tags": tags}


def main(repository: Path) -> None:
    path = repository / "networks" / "modules.py"
    spec = importlib.util.spec_from_file_location("published_modules", path)
    published = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(published)
    movement = published.MovementConvEncoder(DIM - 4, MOVEMENT, MOVEMENT)
    motion = published.MotionEncoderBiGRUCo(MOVEMENT, MOTION_WIDTH, EMBEDDING, "cpu")
    text = published.TextEncoderBiGRUCo(WORDS, TAGS, TEXT_WIDTH, EMBEDDING, "cpu")
    for part, module in {"movement_encoder": movement, "motion_encoder": motion, "text_encoder": text}.items():
        fill(part, module.eval())
    given = inputs()
    with torch.no_grad():
        movements = movement(given["motion"][..., :-4])
        made = {
            "motion": motion(movements, torch.tensor(LENGTHS) // 4),
            "text": text(given["words"], given["tags"], torch.tensor(WORD_COUNTS)),
        }
    np.savez(Path(__file__).with_name("guo_reference.npz"), **{name: value.numpy() for name, value in made.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
