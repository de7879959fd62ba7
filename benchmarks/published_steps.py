"""What a step of the recipes `published/...` costs: floating-point operations, memory, and how long a run would take.

    python -m benchmarks.published_steps [--only NAME ...] [--rate 20] --out results/published_steps.json

Each recipe's model is built at its published size with random weights, and the losses of ``--rows`` sequences of full
length are computed and differentiated once. torch counts the operations of that step and the bytes that it keeps for
its backward pass; both are scaled to the recipe's batch. Text encoders are frozen and their features are kept, so
they are left out; the bases of the LLaMA recipes are not built: a token costs 4 operations a weight (2 forwards, 2
backwards through frozen weights). Hours are those operations at ``--rate`` tera-operations a second sustained, which is
an estimate: the number counted says nothing of a machine. Memory: 16 bytes a trained weight (weights, gradients,
AdamW's two averages), 2 a frozen one, and what a step keeps.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.common import environment, table, write_json
from motion_platform.core import cards, config, registry
from motion_platform.core.config import ModelFile, Recipe
from motion_platform.core.contracts import Encoder, Trainable
from motion_platform.core.schema import Audio, Batch, Condition, Motion, MotionSpec
from motion_platform.generators.language import motion_lm
from motion_platform.language_models import base as bases
from motion_platform.language_models.text import Bytes
from motion_platform.model.conditioning import Conditioning
from motion_platform.model.motion_model import FORMAT, MotionModel
from motion_platform.motion.representations import get_representation

CLIPS = {"humanml3d": 23384, "kit_ml": 4888, "conductor_motion100": 5268}
"""Training clips of the official releases."""
SIZES: dict[str, dict[str, Any]] = {
    "google/flan-t5-base": {
        "model_type": "t5", "d_model": 768, "d_kv": 64, "d_ff": 2048, "num_layers": 12, "num_heads": 12,
        "vocab_size": 32128, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False,
    },
    "huggyllama/llama-7b": {
        "model_type": "llama", "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
        "num_attention_heads": 32, "vocab_size": 32000, "tie_word_embeddings": False,
    },
    "huggyllama/llama-13b": {
        "model_type": "llama", "hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40,
        "num_attention_heads": 40, "vocab_size": 32000, "tie_word_embeddings": False,
    },
}  # fmt: skip
"""What the configurations of the named bases say."""
WIDTHS = {
    "clip_text": 512, "distilbert-base-uncased": 768, "jgammack/distilbert-base-mean-pooling": 768,
    "sentence-transformers/sentence-t5-base": 768, "all-MiniLM-L6-v2": 384, "sentence": 384, "glove_tags": 315,
}  # fmt: skip
WORDS, SUBWORDS = 14, 512
"""Tokens of a caption, and of a whole exercise of a LLaMA recipe."""


class StandIn(Encoder):
    """A frozen text encoder of the right width without weights: ``count`` random tokens."""

    reads, frozen = "text", True

    def __init__(self, dim: int, count: int, name: str) -> None:
        super().__init__()
        self.dim, self.count, self.name = dim, count, name

    def forward(self, raw: list[str]) -> Condition:
        tokens = torch.randn(len(raw), self.count, self.dim)
        return Condition(tokens, torch.ones(len(raw), self.count, dtype=torch.bool))

    def fingerprint(self) -> str:
        return self.name


def build(recipe: Recipe, device: str = "cpu") -> MotionModel:
    """The model of a recipe at its size, untrained, without data and without the weights that it would look up; on the
    device "meta" without memory.

    The motion tokenizer under a language model is a small one, part of the model under ``own_tokenizer``.
    """
    representation = get_representation(recipe.representation)
    zeros, names = torch.zeros(representation.dim), (recipe.representation, representation.skeleton.name)
    spec = MotionSpec(*names, representation.fps, zeros, zeros + 1)
    with torch.device(device):
        made, conditioning = _parts(recipe, spec)
    card = ModelFile(
        format=FORMAT,
        name="published",
        task=recipe.task,
        motion_platform="",
        model=recipe.model,
        slots=recipe.slots,
        spec=spec.to_dict(),
    )
    return MotionModel(conditioning, made, card)


def _parts(recipe: Recipe, spec: MotionSpec) -> tuple[Trainable, Conditioning]:
    settings = dict(recipe.model.settings)
    if isinstance(settings.get("tokenizer"), str):
        settings["tokenizer"] = {"name": "vqvae", "settings": {"width": 8, "code_width": 8, "depth": 1}}
    if "sync_loss" in settings:
        settings["sync_loss"] = 0.0
    found, motion_lm.lm_lora.load = motion_lm.lm_lora.load, load_base
    try:
        given = {"spec": spec, "slots": tuple(recipe.slots)}
        made = registry.build(recipe.model.kind, recipe.model.name, settings, given=given)
    finally:
        motion_lm.lm_lora.load = found
    encoders: dict[str, Encoder] = {}
    for slot, each in recipe.slots.items():
        if each.encoder in ("plain_text", "music_mel"):
            encoders[slot] = registry.build("encoders", each.encoder)
            continue
        many = each.settings.get("pooling") == "tokens" or each.encoder == "glove_tags"
        dim = WIDTHS[each.settings.get("model", each.encoder)]
        encoders[slot] = StandIn(dim, WORDS if many else 1, slot)
    dropout = {slot: each.dropout for slot, each in recipe.slots.items()}
    return made, Conditioning(encoders, made.width, dropout)


def load_base(base: str, **how: object) -> bases.Base:
    """A base of the named size with random weights, which reads bytes."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    auto = AutoModelForSeq2SeqLM if "t5" in base else AutoModelForCausalLM
    return bases.Base(auto.from_config(AutoConfig.for_model(**SIZES[base])), Bytes(), "", base)


def trained(model: MotionModel) -> int:
    """Weights that training changes: of the model, of the conditioning's projections where they are read, and the
    vectors of a tokenizer's codes. Encoders that start from random numbers are left out."""
    made = model.trainable
    own = sum(p.numel() for name, p in made.named_parameters() if not name.startswith("own_tokenizer."))
    read = [*model.conditioning.projections.parameters(), *model.conditioning.null.values()]
    buffers = [(name, b) for name, b in made.named_buffers() if name.startswith("quantiser.")]
    return own + sum(p.numel() for p in read) + sum(b.numel() for name, b in buffers if name.endswith(".embed"))


def batch_of(recipe: Recipe, model: MotionModel, rows: int) -> Batch:
    """Sequences of full length: a random walk, captions of nine words, music of noise."""
    frames = recipe.data.max_frames
    spec = model.spec
    x = torch.randn(rows, frames, spec.dim).cumsum(1) * 0.02
    lengths = torch.full((rows,), frames)
    raw: dict[str, list[Any]] = {}
    for slot, each in recipe.slots.items():
        raw[slot] = [f"a person walks forward {row} and turns to the left" for row in range(rows)]
        if each.encoder == "music_mel":
            mels = torch.rand(rows, frames * 3, 128).numpy()
            raw[slot] = [Audio(frames / 30, features={"mel": mel}) for mel in mels]
    captions = [[f"a person walks {row}"] for row in range(rows)]
    return Batch([f"clip {row}" for row in range(rows)], raw, lengths, Motion(x, lengths, spec), captions=captions)


class Kept:
    """Bytes that a step keeps for its backward pass; tensors that share memory count once."""

    def __init__(self, model: nn.Module) -> None:
        self.own = {p.untyped_storage().data_ptr() for p in model.parameters()}
        self.sizes: dict[int, int] = {}

    def pack(self, tensor: torch.Tensor) -> torch.Tensor:
        place = tensor.untyped_storage()
        if place.data_ptr() not in self.own:
            self.sizes[place.data_ptr()] = place.nbytes()
        return tensor


class Whole:
    """In the place of the counter's account by modules, which cannot follow a gradient of a gradient."""

    parents = {"Global"}

    def __enter__(self) -> Whole:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def measure(recipe: Recipe, rows: int, seed: int = 0) -> dict[str, float]:
    """{"weights", "operations", "kept"}: of the model, and of a step over ``rows`` sequences."""
    torch.manual_seed(seed)
    base = recipe.model.settings.get("base")
    if isinstance(base, str) and "llama" in base:
        model = build(recipe, "meta")
        whole = sum(p.numel() for module in model.trainable.base.modules for p in module.parameters())
        layers, width = SIZES[base]["num_hidden_layers"], SIZES[base]["hidden_size"]
        kept = rows * SUBWORDS * width * layers * 34  # Korthikanti et al. 2022 (arXiv:2205.05198), without attention
        return {
            "weights": trained(model),
            "frozen": whole,
            "operations": 4.0 * whole * SUBWORDS * rows,
            "kept": float(kept),
            "run": 0.0,
        }
    model = build(recipe).train()
    batch = batch_of(recipe, model, rows)
    kept = Kept(model)
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = Whole()
    with counter, torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda t: t):
        model(batch)["loss"].backward()
    return {
        "weights": trained(model),
        "frozen": 0.0,
        "operations": float(counter.get_total_flops()),
        "kept": float(sum(kept.sizes.values())),
        "run": 1.0,
    }


def row_of(name: str, rows: int, rate: float) -> dict[str, Any]:
    """Everything of a recipe that the table shows. rate: tera-operations a second."""
    recipe = config.load_recipe(cards.find("configs", name))
    found = measure(recipe, rows)
    steps = recipe.train.in_steps(CLIPS[recipe.data.name]).steps
    operations = found["operations"] / rows * recipe.train.batch_size
    at_once = recipe.train.batch_size // recipe.train.gradient_accumulation
    memory = 16 * found["weights"] + 2 * found["frozen"] + found["kept"] / rows * at_once
    return {
        "recipe": name,
        **found,
        "rows": rows,
        "steps": steps,
        "operations_a_step": operations,
        "hours": operations * steps / (rate * 1e12) / 3600,
        "gigabytes": memory / 1e9,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], help="recipes (default: every one that is measured)")
    parser.add_argument("--rows", type=int, default=2, help="sequences of the measured step")
    parser.add_argument("--rate", type=float, default=20.0, help="tera-operations a second that are sustained")
    parser.add_argument("--out")
    arguments = parser.parse_args()
    names = [name for name in cards.names("configs") if name.startswith("published/")]
    names = [f"published/{name.removeprefix('published/')}" for name in arguments.only] or [
        name for name in names if config.load_recipe(cards.find("configs", name)).data.name in CLIPS
    ]
    rows = []
    for name in names:
        rows.append(row_of(name, arguments.rows, arguments.rate))
        print(f"{name}: {rows[-1]['operations_a_step'] / 1e12:.3g} tera-operations a step", flush=True)
    shown = [
        [
            row["recipe"].removeprefix("published/"),
            f"{row['weights'] / 1e6:.1f}",
            f"{row['steps']:,}",
            f"{row['operations_a_step'] / 1e12:.2g}",
            f"{row['gigabytes']:.2g}",
            f"{row['hours']:.2g}",
        ]
        for row in rows
    ]
    header = ["recipe", "M weights trained", "steps", "tera-operations a step", "GB", "hours"]
    print(table(shown, header))
    write_json(arguments.out, {"environment": environment(), "rate": arguments.rate, "rows": rows})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
