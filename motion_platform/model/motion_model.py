"""Everything that has weights, and its file format: a folder with ``model.yaml`` and ``model.safetensors``.

``model.yaml`` holds the names and settings that rebuild the model, ``model.safetensors`` the numbers: the weights
(frozen encoders excluded, they are found again by name and compared by fingerprint) and the statistics of the data.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from motion_platform.core import config, registry, weight_files
from motion_platform.core.checkpoint_files import CARD, FORMAT, WEIGHTS, read_card, read_weights
from motion_platform.core.config import ModelFile, SlotRecipe
from motion_platform.core.contracts import Encoder, Generator, Space, Trainable
from motion_platform.core.errors import OutputError, UsageError, WeightsError, suggest
from motion_platform.core.files import atomic_files
from motion_platform.core.opening import short
from motion_platform.core.schema import Batch, Condition, Edit, Mixture, Motion, MotionSpec, Sampling, Spans
from motion_platform.core.seeding import NoiseSource
from motion_platform.core.settings import arranged
from motion_platform.model import hub_page
from motion_platform.model.conditioning import Conditioning
from motion_platform.motion.representations import get_representation


class MotionModel(nn.Module):
    """Conditioning plus one Trainable. ``card`` says how it was built, in the words of ``model.yaml``."""

    def __init__(self, conditioning: Conditioning, trainable: Trainable, card: ModelFile) -> None:
        super().__init__()
        self.conditioning, self.trainable, self.card = conditioning, trainable, card

    @property
    def spec(self) -> MotionSpec:
        return self.trainable.spec

    @property
    def generator(self) -> Generator:
        """The trainable, which must be a generator. UsageError for one that is none."""
        if not isinstance(self.trainable, Generator):
            raise UsageError(f"{self.card.name} is a {self.card.model.name}: it does not generate motion")
        return self.trainable

    @property
    def space(self) -> Space:
        """The trainable, which must be a space. UsageError for one that is none."""
        if not isinstance(self.trainable, Space):
            raise UsageError(f"{self.card.name} is a {self.card.model.name}: it does not embed motion")
        return self.trainable

    @property
    def guided(self) -> list[str]:
        """What guidance weighs: what a generator makes of its conditions, and the conditions of the card."""
        links = self.trainable.links if isinstance(self.trainable, Generator) else ()
        return [*links, *self.card.slots]

    @property
    def device(self) -> torch.device:
        return next(self.trainable.parameters()).device

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """{"loss": scalar, ...parts}. The only way through in training: DDP synchronises gradients in forward."""
        return self.trainable.loss(batch, self._encode(batch.raw))

    @torch.no_grad()
    def generate(
        self,
        raw: Mapping[str, Sequence[Any]],
        lengths: Sequence[int] | Tensor,
        ids: Sequence[str],
        *,
        seed: int = 0,
        sampling: Sampling | None = None,
        edit: Edit | None = None,
    ) -> Motion:
        """Motions of ``lengths`` (B,) frames in raw units, from raw inputs a slot (None or "": not conditioned).

        The result of a sample depends on its id, the seed and its inputs, not on the rest of the batch.
        Errors: UsageError when the model does not generate, or for a slot it does not have.
        """
        generator = self.generator
        for slot in raw:
            if slot not in self.card.slots:
                raise UsageError(f"{self.card.name} has no condition {slot!r}; {suggest(slot, self.card.slots)}")
        if not self.trainable.mixes and any(isinstance(v, Mixture) for values in raw.values() for v in values):
            raise UsageError(f"{self.card.name} is a {self.card.model.name}: it takes one value a slot, no mixture")
        full = {slot: list(raw.get(slot, [None] * len(ids))) for slot in self.card.slots}
        lengths = torch.as_tensor(lengths, dtype=torch.int64, device=self.device)
        noise = NoiseSource(ids, seed)
        made = generator.generate(self._encode(full), lengths, noise=noise, sampling=sampling or Sampling(), edit=edit)
        return generator.finished(made, full)

    @torch.no_grad()
    def compose(
        self,
        raw: Mapping[str, Sequence[Any]],
        spans: Spans,
        ids: Sequence[str],
        *,
        seed: int = 0,
        sampling: Sampling | None = None,
    ) -> Motion:
        """B motions (``ids``) in raw units, put together from S spans; ``raw``: slot -> S raw inputs.

        Errors: UsageError when the model does not generate, or cannot put spans together.
        """
        if not isinstance(self.trainable, Generator):
            raise UsageError(f"{self.card.name} is a {self.card.model.name}: it does not generate motion")
        full = {slot: list(raw.get(slot, [None] * len(spans.lanes))) for slot in self.card.slots}
        return self.trainable.compose(
            self._encode(full), spans, noise=NoiseSource(ids, seed), sampling=sampling or Sampling()
        )

    @torch.no_grad()
    def natural_lengths(self, raw: Mapping[str, Sequence[Any]]) -> list[int] | None:
        """Frames that motions of these raw inputs usually last, a row each; None when the model does not know, or no
        slot is given, which says nothing of a length."""
        if not raw or not isinstance(self.trainable, Generator):
            return None
        lengths = self.trainable.natural_lengths(self._encode(raw))
        return None if lengths is None else lengths.tolist()

    def _encode(self, raw: Mapping[str, Sequence[Any]]) -> dict[str, Condition]:
        return self.conditioning(raw) if self.card.slots else {}

    def own_state(self) -> dict[str, Tensor]:
        """The tensors a checkpoint holds, live: frozen encoders are not among them."""
        return self.state_dict(keep_vars=True)

    def save_pretrained(self, folder: str | Path, *, dtype: str = "float32", step: int | None = None) -> Path:
        """Write ``model.yaml`` and ``model.safetensors``; ``dtype`` "float16" halves the file. Returns the folder.

        The two are one thing: whatever happens, the folder holds both, or what was there. Errors: OutputError,
        WeightsError (a weight that is NaN or does not fit the type).
        """
        folder = Path(folder)
        with atomic_files(folder / CARD) as partial:
            self.write_into(partial, dtype=dtype, step=step)
        return folder

    def write_into(
        self,
        folder: Path,
        *,
        dtype: str = "float32",
        step: int | None = None,
        tensors: Mapping[str, Tensor] | None = None,
    ) -> None:
        """The files of :meth:`save_pretrained` in a new folder that somebody else moves into place. tensors: what to
        write in the place of :meth:`own_state`. Errors: its own."""
        from safetensors.torch import save

        kind = {"float32": torch.float32, "float16": torch.float16}[dtype]
        written = {}
        for name, value in (self.own_state() if tensors is None else tensors).items():
            value = value.detach().to("cpu", kind if value.is_floating_point() else value.dtype).contiguous()
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise WeightsError(f"{folder}: weight {name} is not finite in {dtype}; nothing was saved")
            written[name] = value.clone()  # its own memory: safetensors refuses shared tensors
        written["spec.mean"], written["spec.std"] = self.spec.mean.cpu().clone(), self.spec.std.cpu().clone()
        data = save(written, metadata={"format": "pt"})
        self.card = self.card.model_copy(
            update={
                "weights": {
                    "file": WEIGHTS,
                    "sha256": hashlib.sha256(data).hexdigest(),
                    "dtype": dtype,
                    "parameters": sum(t.numel() for t in self.own_state().values()),
                },
                "step": self.card.step if step is None else step,
                "fingerprints": {**self.conditioning.fingerprints, **self.trainable.fingerprints()},
            }
        )
        (folder / WEIGHTS).write_bytes(data)
        (folder / CARD).write_bytes(config.to_yaml(self.card).encode())

    @classmethod
    def from_pretrained(cls, name: str | Path, *, device: torch.device | str = "cpu") -> MotionModel:
        """Load a shipped model by name, a folder, or a model hub's ``owner/name``; in eval mode.

        Errors: UnknownName; WeightsError for another format version, a changed weight file, missing or foreign
        tensors, or an encoder whose weights are not those it was trained with.
        """
        folder = weight_files.find_checkpoint(name)
        card = read_card(folder)
        tensors = read_weights(folder, card)
        check_sizes(card, tensors, folder)
        mean, std = tensors.pop("spec.mean"), tensors.pop("spec.std")
        words = {k: card.spec[k] for k in ("representation", "skeleton", "fps", "units")}
        spec = MotionSpec(**words, mean=mean.float(), std=std.float())
        try:
            model = build(card, spec, where=str(folder / CARD))
        except (RuntimeError, ArithmeticError, LookupError, TypeError, AttributeError, AssertionError) as error:
            raise WeightsError(f"{folder / CARD}: no model can be built of this: {short(error)}") from error
        model._load(tensors, folder)  # noqa: SLF001 - of this class
        return model.to(device).eval()

    def _load(self, tensors: dict[str, Tensor], folder: Path) -> None:
        own = self.own_state()
        if not self.conditioning.width:  # a checkpoint of the time when slots that nobody reads were projected as well
            tensors = {name: value for name, value in tensors.items() if not name.startswith(UNREAD)}
        missing, foreign = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
        wrong = [n for n in own.keys() & tensors.keys() if own[n].shape != tensors[n].shape]
        if missing or foreign or wrong:
            what = (
                f"lacks {missing[0]}"
                if missing
                else f"has the foreign tensor {foreign[0]}"
                if foreign
                else f"has {wrong[0]} in another shape"
            )
            raise WeightsError(f"{folder / WEIGHTS}: {what}; it is not of the model that {CARD} describes")
        for name, value in tensors.items():
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise WeightsError(f"{folder / WEIGHTS}: {name} has a NaN or infinite number; it is damaged")
        with torch.no_grad():
            for name, value in own.items():
                value.copy_(tensors[name])
        self.conditioning.check_fingerprints(self.card.fingerprints, str(folder))
        for what, fingerprint in self.trainable.fingerprints().items():
            saved = self.card.fingerprints.get(what, fingerprint)
            if saved != fingerprint:
                raise WeightsError(
                    f"{folder}: was trained with the {what} {saved[:16]}..., this one is {fingerprint[:16]}...; "
                    f"give the one it was trained with"
                )

    def push_to_hub(self, repository: str, *, private: bool = False) -> str:
        """Upload to a model hub (only ever when asked), with the credentials of ``hf auth login``, and a page about it.

        Returns the URL. Errors: UsageError for a name that is none; OutputError where the hub refuses.
        """
        import tempfile

        from huggingface_hub import HfApi

        if re.fullmatch(r"[\w.-]+/[\w.-]+", repository) is None:
            raise UsageError(f"{repository!r} is no name on a hub; write OWNER/NAME")
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder, dtype=self.card.weights.get("dtype", "float32"))
            (Path(folder) / "README.md").write_text(hub_page.page(self.card, repository), encoding="utf-8")
            api = HfApi()
            try:
                api.create_repo(repository, private=private, exist_ok=True)
                return str(api.upload_folder(repo_id=repository, folder_path=folder))
            except Exception as error:  # the hub's, its HTTP library's, the system's
                raise OutputError(f"{repository}: was not uploaded: {short(error)}") from error


UNREAD = ("conditioning.projections.", "conditioning.null.")
SIZES = ("layers", "width", "embedding", "heads", "codes", "codebooks")
"""Settings that say how large a model is."""


def check_sizes(card: ModelFile, tensors: Mapping[str, Tensor], folder: Path) -> None:
    """WeightsError where the card and the weights cannot belong together, before a model is built by the card: another
    frame rate, skeleton or other statistics than the representation has, or a setting larger than anything in the
    weight file."""
    known = get_representation(str(card.spec["representation"]))
    dim = known.dim
    for key, value in (("fps", known.fps), ("skeleton", known.skeleton.name)):
        if card.spec[key] != value:
            raise WeightsError(f"{folder / CARD}: spec.{key}: got {card.spec[key]!r}; {known.name} has {value!r}")
    shapes = {tuple(tensors[name].shape) for name in ("spec.mean", "spec.std")}
    if card.spec["dim"] != dim or shapes != {(dim,)}:
        raise WeightsError(
            f"{folder / CARD}: spec: dim {card.spec['dim']} and statistics {sorted(shapes)}; "
            f"{card.spec['representation']} has {dim} numbers"
        )
    for name in ("spec.mean", "spec.std"):
        if not torch.isfinite(tensors[name]).all() or (name == "spec.std" and (tensors[name] < 0).any()):
            raise WeightsError(f"{folder / WEIGHTS}: {name} has a NaN, infinite or negative number; it is damaged")
    largest = max(len(tensors), *(size for value in tensors.values() for size in value.shape), 64)
    for key, value in card.model.settings.items():
        if key in SIZES and isinstance(value, int) and value > largest:
            raise WeightsError(f"{folder / CARD}: model.settings.{key}: got {value}; its weights are not that large")


def build(card: ModelFile, spec: MotionSpec, *, where: str = "") -> MotionModel:
    """Build an untrained model from its card. Errors: those of the registry, with ``where`` in front."""
    given = {"spec": spec, "slots": tuple(card.slots)}
    place = f"{where}: model" if where else "model"
    card = _of_today(card, place, given)
    trainable = registry.build(card.model.kind, card.model.name, card.model.settings, where=place, given=given)
    encoders = build_encoders(card.slots, where=where)
    dropout = {slot: recipe.dropout for slot, recipe in card.slots.items()}
    noise = {slot: recipe.noise for slot, recipe in card.slots.items()}
    return MotionModel(Conditioning(encoders, trainable.width, dropout, noise=noise), trainable, card)


def _of_today(card: ModelFile, where: str, given: Mapping[str, Any]) -> ModelFile:
    """The card as it is written from now on: of the newest format, settings under their names and in their blocks."""
    kind, name = card.model.kind, card.model.name
    settings = arranged(registry.get(kind, name, where=where), card.model.settings, f"{where}: {name}", given)
    model = card.model.model_copy(update={"settings": settings})
    return card.model_copy(update={"format": FORMAT, "model": model})


def build_encoders(slots: Mapping[str, SlotRecipe], *, where: str = "") -> dict[str, Encoder]:
    """One encoder a slot; slots with the same frozen encoder and settings share one instance."""
    shared: dict[str, Encoder] = {}
    encoders: dict[str, Encoder] = {}
    for slot, recipe in slots.items():
        key = json.dumps([recipe.encoder, recipe.settings], sort_keys=True, default=str)
        if key in shared:
            encoders[slot] = shared[key]
            continue
        place = f"{where}: slots.{slot}" if where else f"slots.{slot}"
        encoders[slot] = registry.build("encoders", recipe.encoder, recipe.settings, where=place)
        if encoders[slot].frozen:
            shared[key] = encoders[slot]
    return encoders
