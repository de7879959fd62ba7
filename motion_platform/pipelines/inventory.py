"""What ``motion list`` and ``motion info`` say; starts without torch."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from motion_platform.core import cards, descriptions, registry, weight_files
from motion_platform.core.catalog import CATALOG
from motion_platform.core.errors import DataError, MotionPlatformError, UsageError
from motion_platform.core.files import settle, settle_folder
from motion_platform.core.licences import ancestors, licence_of


def kinds() -> list[str]:
    """All kinds of things that have names."""
    return ["tasks", "recipes", "benchmarks", "suites", "models", "tokenizers", *CATALOG]


def rows(kind: str) -> list[tuple[str, str, str]]:
    """[(name, what it reads, what it is)] of one kind. Nothing is imported: see core/descriptions.py."""
    if kind == "models":
        return models()
    if kind in ("tasks", "recipes", "benchmarks", "suites", "tokenizers"):
        folder = "configs" if kind == "recipes" else kind
        paths = {name: cards.find(folder, name) for name in cards.names(folder)}
        return [(name, cards.inputs(path), cards.summary(path)) for name, path in paths.items()]
    found = []
    for name, (target, owner) in sorted(registry.table(kind).items()):
        about = descriptions.summary(target)
        if owner != "motion_platform":
            about = f"{about} (from {owner})".strip()
        if kind == "data":
            place = Path(os.environ.get("MOTION_DATA", "data")) / name
            about = f"{about} (prepared in {place})" if (place / "meta.json").is_file() else about
        found.append((name, _inputs(kind, target), about))
    return found


def _inputs(kind: str, target: str) -> str:
    """What a named class reads, in a word or two; empty for a kind whose names all read the same."""
    if kind == "encoders":
        return descriptions.attribute(target, "reads") or ""
    if kind == "metrics":
        judged = descriptions.attribute(target, "judges") or "motion"
        needs = descriptions.attribute(target, "needs")
        return judged if needs is None else f"{judged}, {needs}"
    return ""


def show_rows(kind: str, indent: str = "") -> None:
    """Print the rows of a kind, a line each; on a terminal a line is no longer than the window."""
    found = rows(kind)
    if not found:
        print(f"{indent}(none)")
    names, inputs = (max((len(row[column]) for row in found), default=0) for column in (0, 1))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for name, reads, about in found:
        line = f"{indent}{name:<{names}}  " + (f"{reads:<{inputs}}  " if inputs else "") + about
        print(line.rstrip() if width is None or len(line) <= width else f"{line[: width - 3].rstrip()}...")


def show(found: Mapping[str, Any]) -> None:
    """Print what :func:`describe` says."""
    for key, value in found.items():
        print(f"{key:<12} {value}")


def models() -> list[tuple[str, str, str]]:
    """Shipped models, and those in ``runs/``: (name, what its task reads, its task and size)."""
    found = {name: weight_files.SHIPPED / name for name in weight_files.shipped()}
    found |= {str(path.parent): path.parent for path in sorted(Path("runs").glob("*/model.yaml"))}
    lines = []
    for name, folder in found.items():
        size = sum(f.stat().st_size for f in folder.glob("model.safetensors"))
        reads, task = _task_of(folder)
        lines.append((name, reads, f"{task}  {size / 1e6:.1f} MB"))
    return lines


def describe(
    path: str,
    *,
    fps: float | None = None,
    skeleton: str | None = None,
    units: str | None = None,
    up: str | None = None,
    asf: Path | None = None,
    body: Path | None = None,
) -> dict[str, Any]:
    """Facts about a motion file, a checkpoint folder (or shipped name), or a prepared data set (or its address).

    fps, skeleton, units, up, asf, body: of a motion file that does not say. Errors: DataError, UsageError, those of the
    file's reader.
    """
    if "://" in path:
        return _data_set(path)
    place = Path(path)
    settle_folder(place)
    settle(place / "model.yaml")
    if (place / "meta.json").is_file():
        return _data_set(place)
    if path in weight_files.shipped() or (place / "model.yaml").is_file():
        return _checkpoint(weight_files.find_checkpoint(path))
    if place.is_dir():
        raise UsageError(f"{path}: is neither a prepared data set (meta.json) nor a checkpoint (model.yaml)")
    if not place.exists():
        models = ", ".join(weight_files.shipped()) or "none"
        raise DataError(f"{path}: no such file or folder, and no model that came with the package ({models})")
    from motion_platform.motion import io
    from motion_platform.motion.io import provenance

    if place.suffix.lower() in provenance.PICTURES:
        return _picture(place, provenance.of_picture(place))
    clips = io.load_all(place, fps=fps, skeleton=skeleton, units=units, up=up, asf=asf, body=body)
    facts = _clip(clips[0])
    return facts if len(clips) == 1 else {"motions": f"{len(clips)}; the first:"} | facts


def _picture(path: Path, motions: list[dict[str, Any]] | None) -> dict[str, Any]:
    """What a page, film or picture says of the motions that it shows."""
    if motions is None:
        raise DataError(f"{path}: says nothing of a motion; it was not written here, or something wrote it anew")
    first = {key: " | ".join(v) if isinstance(v, list) else v for key, v in (motions[0] if motions else {}).items()}
    return {"shows": f"{len(motions)} motion(s){'; the first:' if len(motions) > 1 else ''}"} | first


def _clip(clip: Any) -> dict[str, Any]:
    size = clip.joints.max(axis=(0, 1)) - clip.joints.min(axis=(0, 1))
    facts = {
        "motion": clip.name,
        "frames": f"{len(clip)} at {clip.fps:g} fps ({clip.seconds:.2f} s)",
        "skeleton": f"{clip.skeleton.name}, {len(clip.skeleton)} joints",
        "rotations": "yes" if clip.rotations is not None else "no, positions only",
        "extent": " x ".join(f"{side:.2f}" for side in size) + " m (x, y, z)",
    }
    for number, note in enumerate(clip.info.get("notes", []), 1):
        facts["note" if number == 1 else f"note {number}"] = note
    if clip.captions:
        facts["captions"] = " | ".join(clip.captions)
    return facts | {key: value for key, value in clip.info.items() if isinstance(value, (str, int, float, bool))}


def doctor() -> dict[str, str]:
    """Versions and places of what the platform stands on. Errors: UsageError for a folder that hides a package."""
    import importlib
    import platform

    import torch

    facts = {"python": f"{platform.python_version()}  {platform.platform()}"}
    for name in ("motion_platform", "torch", "transformers", "tokenizers", "accelerate", "datasets", "diffusers"):
        module: Any = importlib.import_module(name)
        if getattr(module, "__file__", None) is None:
            place = next(iter(module.__path__), "?")
            raise UsageError(f"{place}: this folder hides the package {name}; start elsewhere or rename it")
        facts[name] = f"{module.__version__}  {Path(module.__file__).parent}"
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    facts["devices"] = ", ".join([f"cpu ({torch.get_num_threads()} threads)", *gpus])
    facts["cards"] = str(cards.folder("tasks").parent)
    facts["models"] = ", ".join(weight_files.shipped()) or "none shipped"
    return facts


def _data_set(folder: str | Path) -> dict[str, Any]:
    from motion_platform.data.prepared import SPLITS, PreparedDataset

    dataset = PreparedDataset.open(folder)
    meta = dataset.meta
    facts: dict[str, Any] = {
        "data set": meta.get("name", Path(folder).name),
        "format": f"{dataset.dim} x {dataset.representation}",
    }
    for split in SPLITS:
        chosen = dataset.indices(split)
        frames = int(sum(dataset.frames[i] for i in chosen))
        mirrored = sum(dataset.mirrored(i) for i in chosen)
        facts[split] = f"{len(chosen)} clips ({mirrored} mirrored), {frames / dataset.fps / 3600:.2f} h"
    if "shards" in meta:
        facts["shards"] = f"{len(meta['shards'])} Parquet files"
    facts["licence"] = meta.get("licence", "")
    report = meta.get("report")
    return facts | ({"report": json.dumps(report, ensure_ascii=False)} if report else {})


def _checkpoint(folder: Path) -> dict[str, Any]:
    from motion_platform.core.checkpoint_files import read_card

    card = read_card(folder)
    weights = card.weights
    line = ancestors(card.data)
    parameters = weights.get("parameters")
    size = f"{parameters / 1e6:.2f} M" if isinstance(parameters, int) else "unknown size"
    return {
        "model": card.name,
        "folder": folder,
        "task": card.task,
        "class": f"{card.model.kind} {card.model.name} {card.model.settings}",
        "conditions": ", ".join(f"{slot}: {recipe.encoder}" for slot, recipe in card.slots.items()) or "none",
        "motion": f"{card.spec['representation']}, {card.spec['dim']} features at {card.spec['fps']:g} fps",
        "weights": f"{size}, {weights.get('dtype')}, sha256 {weights.get('sha256')}",
        "steps": card.step,
        "data": card.data.get("name", "unknown"),
        "licence": licence_of(card.data),
        **({"trained from": " <- ".join(each["model"] for each in line)} if line else {}),
    }


def _task_of(folder: Path) -> tuple[str, str]:
    """(what the slots of a model's task read, the task's name)."""
    from motion_platform.core import tasks
    from motion_platform.core.checkpoint_files import read_card

    try:
        card = read_card(folder)
        return cards.kinds_in_words(tasks.of_model(card, folder).reads), card.task
    except MotionPlatformError:  # one broken folder in ./runs must not hide the others; `motion info` says what it is
        return "", "(cannot be read)"
