"""Where a number comes from: hashes of what was measured, versions of what measured it, and the machine."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import torch

from motion_platform import __version__
from motion_platform.core.tasks import Task
from motion_platform.evaluation.judges import ITSELF, Judges
from motion_platform.evaluation.processes import cores, gather
from motion_platform.model.motion_model import CARD, MotionModel

PACKAGES = ("torch", "numpy", "transformers", "sentence-transformers", "diffusers", "datasets", "safetensors")


def versions() -> dict[str, str]:
    """The version of everything that touches a number."""
    found = {"motion-platform": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def hardware(device: str) -> dict[str, Any]:
    """The processor, its cores and memory, and the accelerator if one was used."""
    found: dict[str, Any] = {"processor": _processor(), "cores": cores(), "system": platform.platform()}
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found["memory_mb"] = round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e6)
    if device.startswith("cuda"):
        found["accelerator"] = torch.cuda.get_device_name(device)
    return found


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def peak_memory(world: int) -> float | None:
    """Largest resident memory so far, in MB, summed over the processes; None where the system does not say."""
    if sys.platform == "win32":
        return None
    import resource

    unit = 1e6 if sys.platform == "darwin" else 1e3  # bytes there, kilobytes elsewhere
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return round(sum(gather(lambda: own, world)), 1)


def model_hashes(model: MotionModel, folder: Path) -> dict[str, Any]:
    """The weight file's and the card's sha256, and the fingerprints of the frozen encoders."""
    return {
        "weights": model.card.weights.get("sha256"),
        "card": hashlib.sha256((folder / CARD).read_bytes()).hexdigest(),
        "encoders": dict(model.card.fingerprints),
        "step": model.card.step,
    }


def spaces(judges: Judges) -> dict[str, Any]:
    """space -> what it is, and the hashes of its weights."""
    return {
        name or "itself": {
            "model": model.card.model.name,
            "weights": model.card.weights.get("sha256"),
            "encoders": dict(model.card.fingerprints),
        }
        for name, model in judges.spaces.items()
        if name != ITSELF or model is not None
    }


def task_hash(task: Task) -> str:
    """The sha256 of what a task's card says, wherever the card lies."""
    return hashlib.sha256(task.model_dump_json().encode()).hexdigest()


def digest(values: Any) -> str:
    """The sha256 of plain values, whatever the order of their keys."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
