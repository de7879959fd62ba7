"""``model.yaml`` of a checkpoint folder: read without torch, so that listings are quick."""

from __future__ import annotations

from pathlib import Path

import yaml

from motion_platform import __version__, config
from motion_platform.config import ModelFile
from motion_platform.errors import WeightsError

FORMAT = 1
CARD, WEIGHTS = "model.yaml", "model.safetensors"


def read_card(folder: Path) -> ModelFile:
    """``model.yaml`` of a checkpoint folder. Errors: WeightsError when it is missing, malformed or of another version,
    or the weights are missing; ConfigError for a key that is wrong."""
    path = folder / CARD
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise WeightsError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        got = values.get("format") if isinstance(values, dict) else type(values).__name__
        raise WeightsError(
            f"{path}: is of checkpoint format {got}; this version of motion-platform ({__version__}) reads {FORMAT}"
        )
    if not (folder / WEIGHTS).is_file():
        raise WeightsError(f"{folder / WEIGHTS}: is missing")
    return config.check(ModelFile, values, path)
