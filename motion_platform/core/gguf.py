"""A language model in one GGUF file, as a folder of plain weights that transformers reads in seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from motion_platform.core.errors import WeightsError
from motion_platform.core.files import atomic_folder
from motion_platform.core.quiet import quiet_loading

ORIGIN = "origin.json"
"""Written last into such a folder: the sha256 of the file that it was made from."""


def store(file: Path, sha256: str, folder: Path) -> None:
    """Dequantise a GGUF file into ``folder``: complete before it is moved into place.

    float16 halves the folder; Q4 weights lose nothing that matters by it (relative error 2^-11, theirs is 2^-5).
    Errors: WeightsError for a file that transformers cannot read; OutputError.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with atomic_folder(folder) as partial:
        with quiet_loading():
            try:
                model: Any = AutoModelForCausalLM.from_pretrained(
                    file.parent, gguf_file=file.name, quantization_config=GgufConfig(dequantize=True)
                )
                tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
            except Exception as error:  # transformers and gguf raise many classes for a file they cannot read
                why = " ".join(str(error).split())[:160] or type(error).__name__
                raise WeightsError(f"{file}: cannot be read as GGUF: {why}") from error
            model.to(dtype=torch.float16).save_pretrained(partial)
            tokenizer.save_pretrained(partial)
        write_origin(partial, file, sha256)


def write_origin(folder: Path, file: Path, sha256: str) -> None:
    """Say in a folder which file it was made from; see :func:`origin`."""
    (folder / ORIGIN).write_text(json.dumps({"file": file.name, "sha256": sha256}), encoding="utf-8")


def origin(folder: Path) -> str | None:
    """The sha256 of the file that a folder was made from; None for a folder made otherwise."""
    try:
        return json.loads((folder / ORIGIN).read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
