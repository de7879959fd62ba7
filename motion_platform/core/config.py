"""Recipes: read with OmegaConf, checked with pydantic, refused in one line.

A recipe is plain data. It holds names, never code: nothing in it is imported, resolved from the environment or
called. The line of an error says which file, which key, what was got, what is allowed, and the nearest name.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from motion_platform.core import registry
from motion_platform.core.errors import ConfigError, UnknownName, suggest
from motion_platform.core.opening import MOST_YAML, check_plain, check_yaml, read_text, short


class Strict(BaseModel):
    """Unknown keys and wrong types are errors; nothing is converted except int -> float."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Component(Strict):
    """A name of the registry and the settings of its constructor."""

    name: str
    settings: dict[str, Any] = Field(default_factory=dict)


class ModelRecipe(Component):
    """What is trained."""

    kind: Literal["generators", "motion_tokens", "spaces"] = "generators"


class SlotRecipe(Strict):
    """One condition: its encoder, how often training drops it (the price of guidance at sampling time), and how much
    noise training adds to its features, as a share of their size (the price of understanding unseen wordings)."""

    encoder: str
    settings: dict[str, Any] = Field(default_factory=dict)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    noise: float = Field(default=0.0, ge=0)


class DataRecipe(Strict):
    """The prepared data set. ``folder``: where it is; by default ``$MOTION_DATA/<name>``, else ``data/<name>``.

    balance: 0 draws every clip alike, up to 2 rare kinds of motion ever more often (see data/loader.py).
    by_length: a clip is drawn as often as pieces of ``max_frames`` fit into it, for sets of long takes.
    captions_per_clip: training uses the first so many captions and action sequences of a clip (None: all).
    written_beats: training is told the beats of the score where the set has them, instead of those that an encoder
    hears: else a model learns that the hand does something else than the clock. Nothing but training is told.
    wordings: the share of training texts that say a clip's labels in other people's words (texts/wordings.py).
    sentences: the share of training rows that are told a sentence of somebody's and its labels, whatever they show; for
    what is learned of words alone (``labels_only`` of masked_tokens).
    buffer: of a sharded set (``motion data shard``), whose ``folder`` may also be an address such as
    ``hf://datasets/OWNER/NAME`` or ``s3://BUCKET/SET``: how many clips are shuffled together.
    """

    name: str
    folder: str | None = None
    split: str = "train"
    min_frames: int = Field(default=8, ge=1)
    max_frames: int = Field(default=196, ge=1)
    mirror: bool = True
    balance: float = Field(default=0.0, ge=0, le=2)
    by_length: bool = False
    captions_per_clip: int | None = Field(default=None, ge=1)
    written_beats: bool = False
    wordings: float = Field(default=0.0, ge=0, le=1)
    sentences: float = Field(default=0.0, ge=0, le=1)
    buffer: int = Field(default=4096, ge=1)


Tracker = Literal["aim", "clearml", "comet_ml", "dvclive", "mlflow", "swanlab", "tensorboard", "trackio", "wandb"]


class TrainRecipe(Strict):
    """The optimiser and the loop. ``batch_size``: sequences an optimiser step, over all processes together.

    gradient_accumulation: into how many micro-batches that is cut (rounded up to a multiple of the number of
    processes, which share them out). ema_decay 0 switches averaging off. log_with: experiment trackers, as
    Accelerate names them (None: TensorBoard where it is installed). Lengths of time are counted in steps; the whole run
    in ``steps`` or in ``epochs``, one of the two: an epoch is as many sequences as the split has clips.
    """

    steps: int | None = Field(default=None, ge=1)
    epochs: float | None = Field(default=None, gt=0)
    batch_size: int = Field(default=64, ge=1)
    gradient_accumulation: int = Field(default=1, ge=1)
    learning_rate: float = Field(default=1e-4, gt=0)
    warmup_steps: int = Field(default=0, ge=0)
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    weight_decay: float = Field(default=0.01, ge=0)
    betas: list[float] = Field(default=[0.9, 0.999], min_length=2, max_length=2)
    gradient_clip: float = Field(default=1.0, ge=0)
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    precision: Literal["no", "bf16", "fp16"] = "no"
    log_every: int = Field(default=50, ge=1)
    log_with: list[Tracker] | None = None
    save_every: int = Field(default=1000, ge=1)
    prefetch: int = Field(default=4, ge=0)
    weights_dtype: Literal["float32", "float16"] = "float32"

    @field_validator("precision", mode="before")
    @classmethod
    def _no_is_a_word(cls, value: Any) -> Any:
        return "no" if value is False else value  # YAML reads a bare ``no`` as False

    @model_validator(mode="after")
    def _one_length(self) -> TrainRecipe:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("steps or epochs: write one of the two")
        return self

    def in_steps(self, clips: int) -> TrainRecipe:
        """The same with ``steps``, rounded up, in the place of ``epochs`` of a split of so many clips."""
        if self.epochs is None:
            return self
        steps = max(1, math.ceil(self.epochs * clips / self.batch_size))
        return self.model_copy(update={"steps": steps, "epochs": None})


class MetricRecipe(Component):
    """A metric and the checkpoint (name or folder) of the space that it measures in."""

    space: str | None = None


class ValidationRecipe(Strict):
    """Evaluation during training, on a subset and under the averaged weights. ``every`` 0: none."""

    every: int = Field(default=0, ge=0)
    samples: int = Field(default=64, ge=1)
    split: str = "val"
    metrics: list[MetricRecipe] = Field(default_factory=list)


class Recipe(Strict):
    """One training run, complete: see docs and ``configs/``.

    initial: a shipped model or a checkpoint folder; training starts from its weights where names and shapes agree.
    """

    task: str
    representation: str
    data: DataRecipe
    slots: dict[str, SlotRecipe] = Field(default_factory=dict)
    model: ModelRecipe
    train: TrainRecipe
    validation: ValidationRecipe = Field(default_factory=ValidationRecipe)
    seed: int = Field(default=0, ge=0)
    initial: str | None = None
    output: str | None = None


class ModelFile(Strict):
    """``model.yaml`` of a checkpoint folder: everything, besides the numbers, that is needed to rebuild the model.

    task_card: what the task card says, where it is not one of those that can be found by name.
    """

    format: int
    name: str
    task: str
    task_card: dict[str, Any] | None = None
    motion_platform: str
    model: ModelRecipe
    slots: dict[str, SlotRecipe]
    fingerprints: dict[str, str] = Field(default_factory=dict)
    spec: dict[str, Any]
    data: dict[str, Any] = Field(default_factory=dict)
    weights: dict[str, Any] = Field(default_factory=dict)
    step: int = Field(default=0, ge=0)

    @field_validator("spec")
    @classmethod
    def _complete(cls, spec: dict[str, Any]) -> dict[str, Any]:
        kinds: dict[str, Any] = {"representation": str, "skeleton": str, "fps": (int, float), "units": str, "dim": int}
        for key, kind in kinds.items():
            if not isinstance(spec.get(key), kind):
                raise ValueError(f"{key} is missing or of the wrong kind")
        if not 0 < spec["fps"] <= 240 or not 1 <= spec["dim"] <= 100_000:
            raise ValueError(f"fps {spec['fps']:.6g}, dim {spec['dim']}; allowed: 0 to 240, 1 to 100000")
        return spec


Checked = TypeVar("Checked", bound=Strict)
INSTEAD = {"train.steps": "train.epochs", "train.epochs": "train.steps"}
"""Keys of which a recipe has one: an override of the first deletes the second."""


def read_yaml(path: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """A YAML file with overrides as plain values. ConfigError with the file's name.

    ``key=value`` (dotted keys) sets, a table as value (``model.settings={}``) replaces the table, ``~key`` deletes.
    Another encoder in a slot, or another model, starts without the settings of the one before, and a line says so.
    The length of a run in steps takes the place of one in epochs, and the other way round.
    """
    from omegaconf import OmegaConf

    _check_overrides(overrides)
    text = read_text(path, ConfigError, most=MOST_YAML, wide=False)
    check_yaml(text, str(path), ConfigError)
    try:
        loaded = OmegaConf.create(text)
        for override in overrides:
            loaded = _overridden(loaded, override, path)
        plain = OmegaConf.to_container(loaded, resolve=False)
    except ConfigError:
        raise
    except Exception as error:  # OmegaConf raises a dozen classes, AssertionError among them
        raise ConfigError(f"{path}: is not a readable recipe or card: {short(error)}") from error
    if not isinstance(plain, dict):
        raise ConfigError(f"{path}: got {type(plain).__name__}; a recipe or card is a table of key: value")
    _refuse_interpolation(plain, path, "")
    check_plain(plain, str(path), ConfigError)
    return {str(key): value for key, value in plain.items()}


def _overridden(loaded: Any, override: str, path: Path) -> Any:
    """The values with one override. ConfigError for a key to delete that is not there."""
    from omegaconf import OmegaConf

    if override.startswith("~"):
        return _deleted(loaded, override[1:].strip(), path)
    key = override.partition("=")[0].strip()
    made = OmegaConf.from_dotlist([override])
    if OmegaConf.is_dict(value := OmegaConf.select(made, key)):
        OmegaConf.update(loaded, key, value, merge=False)
        return loaded
    owner, _, last = key.rpartition(".")
    chosen = re.fullmatch(r"slots\.[^.]+", owner) if last == "encoder" else owner == "model" and last == "name"
    if chosen and OmegaConf.select(loaded, f"{owner}.settings") and OmegaConf.select(loaded, key) not in (None, value):
        print(f"note: {override}: the settings of {OmegaConf.select(loaded, key)} are dropped", file=sys.stderr)
        loaded = _deleted(loaded, f"{owner}.settings", path)
    if key in INSTEAD and OmegaConf.select(loaded, INSTEAD[key]) is not None:
        loaded = _deleted(loaded, INSTEAD[key], path)
    return OmegaConf.merge(loaded, made)


def _deleted(loaded: Any, key: str, path: Path) -> Any:
    from omegaconf import OmegaConf

    owner, _, last = key.rpartition(".")
    table = OmegaConf.select(loaded, owner) if owner else loaded
    if not OmegaConf.is_dict(table) or last not in table:
        there = [str(name) for name in table] if OmegaConf.is_dict(table) else []
        raise ConfigError(f"{path}: ~{key}: there is no such key to delete; {suggest(last, there)}")
    del table[last]
    return loaded


def settings_from(overrides: Sequence[str]) -> dict[str, Any]:
    """``["fps=30", "names.x=y"]`` as plain values. ConfigError."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    _check_overrides(overrides)
    try:
        plain = OmegaConf.to_container(OmegaConf.from_dotlist(list(overrides)), resolve=False)
    except (yaml.YAMLError, OmegaConfBaseException, ValueError, RecursionError) as error:
        raise ConfigError(f"settings {' '.join(overrides)!r:.200}: {short(error)}") from error
    return {str(key): value for key, value in plain.items()} if isinstance(plain, dict) else {}


def check(model: type[Checked], values: Mapping[str, Any], where: str | Path) -> Checked:
    """Check plain values against a schema. ConfigError: where, dotted key, what was got, what is allowed."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(_explain(model, first, where)) from error


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read and check a recipe, names included. Errors: ConfigError, UnknownName."""
    recipe = check(Recipe, read_yaml(path, overrides), path)
    check_names(recipe, path)
    return recipe


def check_names(recipe: Recipe, where: str | Path) -> None:
    """Every name of a recipe is registered. (Settings are checked when the component is built.)"""
    _known("representations", recipe.representation, f"{where}: representation")
    _known("data", recipe.data.name, f"{where}: data.name")
    _known(recipe.model.kind, recipe.model.name, f"{where}: model.name")
    for name, slot in recipe.slots.items():
        _known("encoders", slot.encoder, f"{where}: slots.{name}.encoder")
    for i, metric in enumerate(recipe.validation.metrics):
        _known("metrics", metric.name, f"{where}: validation.metrics.{i}.name")


def to_yaml(values: Mapping[str, Any] | BaseModel) -> str:
    """Plain YAML in the order of the fields."""
    plain = values.model_dump() if isinstance(values, BaseModel) else dict(values)
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110)


def _check_overrides(overrides: Sequence[str]) -> None:
    for override in overrides:
        key, equals, _ = override.partition("=")
        if override.startswith("~") and override[1:].strip() and not equals:
            continue
        if not equals or not key.strip() or override.startswith("~"):
            raise ConfigError(
                f"override {override!r}: write it as key=value, for example train.steps=100, or ~key to delete"
            )


def _known(kind: str, name: str, where: str) -> None:
    entries = registry.table(kind)
    if name not in entries:
        raise UnknownName("data set" if kind == "data" else kind.rstrip("s"), name, entries, where)


def _refuse_interpolation(value: Any, path: Path, key: str) -> None:
    """``${...}`` could read the environment or call a resolver: recipes from strangers must not."""
    if isinstance(value, str) and "${" in value:
        raise ConfigError(f"{path}: {key}: got {value!r}; interpolation (${{...}}) is not allowed, write the value")
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        _refuse_interpolation(name, path, key)
        _refuse_interpolation(inner, path, f"{key}.{name}" if key else str(name))


def _explain(model: type[BaseModel], problem: Mapping[str, Any], where: str | Path) -> str:
    location = [str(part) for part in problem["loc"]]
    key, got = ".".join(location), _shorten(problem.get("input"))
    if problem["type"] == "extra_forbidden":
        parent = _schema_at(model, location[:-1])
        return f"{where}: {key}: unknown key {location[-1]!r}; {suggest(location[-1], parent.model_fields)}"
    if problem["type"] == "missing":
        return f"{where}: {key}: is missing; the recipe or card must say it"
    if problem["type"] == "literal_error":
        allowed = [str(v) for v in get_args(_schema_at(model, location))]  # of a field, or in a table or list
        return f"{where}: {key}: got {got}; {suggest(problem.get('input'), allowed)}"
    if problem["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return f"{where}: {key}: got {got}; a table of key: value is needed here"
    if problem["type"] == "value_error" and isinstance(problem.get("input"), dict):  # of a table as a whole
        return f"{where}: {key + ': ' if key else ''}{problem['msg'].removeprefix('Value error, ')}"
    return f"{where}: {key}: got {got}; {problem['msg'][:1].lower()}{problem['msg'][1:]}"


def _schema_at(model: type[BaseModel], location: Sequence[str]) -> type[BaseModel]:
    """The schema behind a path of keys, through optional fields, tables and lists."""
    current: Any = model
    for part in location:
        if isinstance(current, type) and issubclass(current, BaseModel):
            current = current.model_fields[part].annotation
        else:  # dict[str, X] or list[X]: ``part`` is a key or an index
            current = get_args(current)[-1]
        inner = [argument for argument in get_args(current) if argument is not type(None)]
        if type(None) in get_args(current) and len(inner) == 1:
            current = inner[0]
    return current


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
