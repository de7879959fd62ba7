"""Where the clips and captions of a data set, and sentences, stand in a space that embeds both.

The points of a data set are kept beside it, under a name made of the hashes of the space and of the data, so that
another model or data prepared anew never meets an old index.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from motion_platform.core.errors import DataError, OutputError, UsageError
from motion_platform.core.files import atomic_path
from motion_platform.core.schema import Motion
from motion_platform.data.loader import Collate
from motion_platform.data.prepared import PreparedDataset
from motion_platform.model.motion_model import MotionModel
from motion_platform.motion.io.arrays import load_array

log = logging.getLogger("motion_platform")
FOLDER = "search"
AT_ONCE, FRAMES_AT_ONCE = 64, 64 * 200
Progress = Callable[[int, int], None]
"""Called with (how many are done, how many there are)."""


def text_slot(model: MotionModel) -> str:
    """The slot that reads a sentence. UsageError when the space embeds motion only."""
    texts = [slot for slot, encoder in model.conditioning.encoders.items() if encoder.reads == "text"]
    if not texts:
        raise UsageError(f"model {model.card.name} embeds motion, not text; search with a text-motion space")
    return texts[0]


@torch.no_grad()
def embed_texts(model: MotionModel, texts: Sequence[str], slot: str) -> np.ndarray:
    """(n, E) float32."""
    return model.space.embed_condition(model.conditioning({slot: list(texts)})).float().cpu().numpy()


def clip_points(model: MotionModel, dataset: PreparedDataset, progress: Progress | None = None) -> np.ndarray:
    """(number of clips, E) float32: all clips of the data set in the order of their rows, from the index if there is
    one."""

    @torch.no_grad()
    def make() -> np.ndarray:
        collate = Collate(dataset, dataset.spec(), (), max_frames=None)
        longest = getattr(model.trainable, "max_frames", None)
        order = np.argsort(dataset.frames, kind="stable").tolist()  # clips of one length together: little padding
        points: np.ndarray | None = None
        start = 0
        while start < len(order):  # few long clips at once: memory must not grow with the longest of them
            ends = range(start + 1, min(start + AT_ONCE, len(order)))
            fits = [end for end in ends if (end + 1 - start) * dataset.frames[order[end]] <= FRAMES_AT_ONCE]
            rows = order[start : max(fits, default=start) + 1]
            motion = collate(rows).motion
            assert motion is not None  # prepared rows hold one
            motion = motion.to(model.device)
            if longest is not None:
                motion = Motion(motion.x[:, :longest], motion.lengths.clamp(max=longest), motion.spec)
            made = model.space.embed(motion).float().cpu().numpy()
            points = np.empty((len(order), made.shape[1]), np.float32) if points is None else points
            points[rows] = made
            start += len(rows)
            if progress is not None:
                progress(start, len(order))
        return np.empty((0, 0), np.float32) if points is None else points

    return _kept(model, dataset, "motion", make)


def caption_points(
    model: MotionModel, dataset: PreparedDataset, slot: str, progress: Progress | None = None
) -> np.ndarray:
    """(number of clips, E) float32 of each clip's first caption; NaN where a clip has none."""

    def make() -> np.ndarray:
        first = [dataset.captions(row)[0][:1] for row in range(len(dataset))]
        texts = sorted({said[0] for said in first if said}, key=lambda text: (len(text), text))
        found: dict[str, np.ndarray] = {}
        for start in range(0, len(texts), 4 * AT_ONCE):
            part = texts[start : start + 4 * AT_ONCE]
            found |= zip(part, embed_texts(model, part, slot), strict=True)
            if progress is not None:
                progress(start + len(part), len(texts))
        nothing = np.full_like(next(iter(found.values()), np.zeros(1, np.float32)), np.nan)
        return np.stack([found[said[0]] if said else nothing for said in first])

    return _kept(model, dataset, "text", make)


def index_path(model: MotionModel, dataset: PreparedDataset, kind: str) -> Path:
    """Where the points are kept: another file for other weights, another encoder, or other data."""
    parts = [kind, str(model.card.weights.get("sha256")), *sorted(model.card.fingerprints.values())]
    parts.append(hashlib.sha256((dataset.folder / "meta.json").read_bytes()).hexdigest())
    parts += [f"{id}:{frames}" for id, frames in zip(dataset.ids(), dataset.frames.tolist(), strict=True)]
    return dataset.folder / FOLDER / f"{kind}-{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:16]}.npy"


def _kept(model: MotionModel, dataset: PreparedDataset, kind: str, make: Callable[[], np.ndarray]) -> np.ndarray:
    path = index_path(model, dataset, kind)
    if path.is_file():
        try:
            points = load_array(path)
        except DataError as error:
            raise DataError(f"{error}; delete the file, the index is made again") from error
        if points.ndim == 2 and len(points) == len(dataset):
            return points
        raise DataError(f"{path}: the index has shape {points.shape}; delete the file, it is made again")
    points = make()
    try:
        path.parent.mkdir(exist_ok=True)
        with atomic_path(path) as temporary:
            np.save(temporary, points)
    except (OSError, OutputError) as error:  # data on a medium that is read only can be searched all the same
        log.warning("the search index is not kept, the next search makes it again: %s", error)
    return points
