"""Search a prepared data set by a sentence or by a motion: what ``motion search`` does.

A space that embeds both puts every clip, and the first caption of every clip, at a point; the nearest ones are the
answer (model/points.py makes the points and keeps them beside the data).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from motion_platform.core.contracts import Space
from motion_platform.core.errors import UsageError
from motion_platform.core.schema import Motion
from motion_platform.data.prepared import PreparedDataset
from motion_platform.model.motion_model import MotionModel
from motion_platform.model.points import Progress, caption_points, clip_points, embed_texts, text_slot
from motion_platform.model.run import Run, load_run
from motion_platform.motion.bodies import features_of
from motion_platform.motion.clip import Clip
from motion_platform.motion.representations import get_representation
from motion_platform.motion.skeleton import get_skeleton
from motion_platform.pipelines import texts


@dataclass(frozen=True)
class Hit:
    """One answer: how far it is (Euclidean, in the space), the clip's id and row, and its first caption."""

    distance: float
    id: str
    row: int
    caption: str


def load(model: str | None, device: str = "cpu") -> Run:
    """The space of the task text_motion_retrieval, or ``model``. UsageError when it is no space."""
    from motion_platform.core import tasks

    name = model or tasks.load("text_motion_retrieval").default_model
    run = load_run(str(name), device=device)
    if not isinstance(run.model.trainable, Space):
        raise UsageError(f"model {name} is a {run.model.card.model.name}: it does not embed motion; name a space")
    return run


def by_text(
    model: MotionModel,
    dataset: PreparedDataset,
    text: str,
    *,
    top: int = 10,
    split: str | None = None,
    progress: Progress | None = None,
) -> list[Hit]:
    """The ``top`` clips nearest to a sentence, nearest first; mirrored copies count as clips of their own.

    Errors: UsageError for an empty text, a model without text, an empty split; those of the space.
    """
    texts.check_text(text, str(model.card.data.get("language", "")))
    slot = text_slot(model)
    point = embed_texts(model, [text], slot)
    return _nearest(point, clip_points(model, dataset, progress), dataset, _rows(dataset, split), top)


def by_motion(
    model: MotionModel,
    dataset: PreparedDataset,
    clip: Clip,
    *,
    top: int = 10,
    split: str | None = None,
    names: str | Path | None = None,
    progress: Progress | None = None,
) -> tuple[list[Hit], list[Hit]]:
    """(the captions nearest to a motion, the clips nearest to it), each nearest first and no caption twice.

    The clip is retargeted to the 22 joints first (``names``: joint names of its own). Errors: as :func:`by_text`;
    DataError for a clip that is too short.
    """
    slot, rows = text_slot(model), _rows(dataset, split)
    with torch.no_grad():
        point = model.space.embed(motion_of(model, clip, names)).cpu().numpy()
    captions = [row for row in rows if dataset.captions(row)[0]]
    said = _nearest(point, caption_points(model, dataset, slot, progress), dataset, captions, len(captions))
    different: dict[str, Hit] = {}
    for hit in said:
        different.setdefault(" ".join(hit.caption.lower().split()), hit)
    nearest = _nearest(point, clip_points(model, dataset, progress), dataset, rows, top)
    return list(different.values())[:top], nearest


def clip_of_hit(dataset: PreparedDataset, hit: Hit) -> Clip:
    """The clip of an answer, for showing it."""
    joints = get_representation(dataset.representation).decode(torch.tensor(dataset.features(hit.row))).numpy()
    skeleton = get_skeleton(get_representation(dataset.representation).skeleton.name)
    captions = tuple(dataset.captions(hit.row)[0][:1])
    info = {"source": dataset.source(hit.row), "distance": round(hit.distance, 4)}
    return Clip(joints, dataset.fps, skeleton, name=hit.id, captions=captions, info=info)


def motion_of(model: MotionModel, clip: Clip, names: str | Path | None = None) -> Motion:
    """A batch of one. Errors: UsageError for a space of another skeleton; DataError for a clip of one frame."""
    features = features_of(clip, model.spec, names)[None].to(model.device)
    return Motion(features, torch.tensor([features.shape[1]], device=model.device), model.spec)


def _rows(dataset: PreparedDataset, split: str | None) -> list[int]:
    rows = dataset.indices(split)
    if not rows:
        raise UsageError(f"{dataset.folder}: split {split!r} is empty")
    return rows


def _nearest(point: np.ndarray, points: np.ndarray, dataset: PreparedDataset, rows: list[int], top: int) -> list[Hit]:
    distances = np.linalg.norm(points[rows].astype(np.float64) - point, axis=1)
    order = np.argsort(distances, kind="stable")[:top]
    hits = []
    for i in order.tolist():
        row = rows[i]
        said = dataset.captions(row)[0]
        hits.append(Hit(float(distances[i]), dataset.id(row), row, said[0] if said else ""))
    return hits
