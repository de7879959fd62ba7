"""The base of a motion language model: any causal or sequence-to-sequence model of transformers, frozen under LoRA.

Under LoRA (Hu et al. 2021, through peft) the base's weights stand outside the module that trains: they are in no
checkpoint, average or gradient exchange, and are found again by name and compared by fingerprint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from motion_platform.core import weight_files
from motion_platform.core.errors import ConfigError, UsageError, WeightsError
from motion_platform.core.quiet import quiet_loading
from motion_platform.language_models.text import Bytes, TextTokenizer


class HFText:
    """A tokenizer of transformers as :class:`lm_vocabulary.TextTokenizer`."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.size = len(tokenizer)
        self.special = frozenset(tokenizer.all_special_ids)
        whole, bare = self._ids("a", special=True), self._ids("a", special=False)
        self.start = tuple(whole[: whole.index(bare[0])]) if bare and bare[0] in whole else ()

    def encode(self, text: str) -> list[int]:
        return self._ids(text, special=False)

    def _ids(self, text: str, *, special: bool) -> list[int]:
        return self._tokenizer(text, add_special_tokens=special, verbose=False)["input_ids"]

    def decode(self, ids: Sequence[int]) -> str:
        return self._tokenizer.decode(list(ids), clean_up_tokenization_spaces=False)


class Base:
    """A language model's body, its tables and its tokenizer; no module itself.

    body: maps embeddings to hidden states. table: (V, E) input embedding. head: (V, E) output rows, ``tied`` to the
    table or not. scale: what hidden states are multiplied by before the head. seq2seq: encoder and decoder. context:
    the longest sequence, None where there is no limit. fingerprint: of the base's files.
    """

    def __init__(self, model: nn.Module, text: TextTokenizer, fingerprint: str, name: str) -> None:
        config = model.config
        self.name, self.text, self.fingerprint = name, text, fingerprint
        self.seq2seq = bool(getattr(config, "is_encoder_decoder", False))
        self.table = model.get_input_embeddings()
        output = model.get_output_embeddings()
        if output is None or output.weight.shape[1] != self.table.weight.shape[1]:
            raise ConfigError(f"base: {name} ({config.model_type}) has no output table as wide as its input table")
        self.head = output
        self.tied = output.weight is self.table.weight
        self.body: nn.Module = model if self.seq2seq else model.base_model
        scaled = getattr(config, "scale_decoder_outputs", self.tied and config.model_type in ("t5", "mt5"))
        self.scale = config.d_model**-0.5 if self.seq2seq and scaled else 1.0
        self.width = self.table.weight.shape[1]
        self._compiled: Any = None
        self.context: int | None = None if self.seq2seq else getattr(config, "max_position_embeddings", None)

    def compiled_step(self) -> Any:
        """The body, compiled for calls of one shape each; compiled once, at the first call of a shape."""
        if self._compiled is None:
            mode = "reduce-overhead" if self.table.weight.is_cuda else None  # CUDA graphs
            self._compiled = torch.compile(self.body, dynamic=False, mode=mode)
        return self._compiled

    @property
    def modules(self) -> list[nn.Module]:
        """Everything that has weights; the head where it is not the table."""
        return [self.body, *([] if self.tied or self.seq2seq else [self.head])]


def load(
    base: str | Mapping[str, Any], *, layers: int | None, dtype: str, attention: str, quantise: str | None
) -> Base:
    """Read a base by name, folder or hub name, or build an untrained one from a configuration (a table).

    layers: keep only so many of a causal model, see :func:`_cut`. dtype: of its weights in memory. attention: "sdpa" or
    "eager". quantise: "4bit" (QLoRA, Dettmers et al. 2023; needs bitsandbytes and a GPU).

    Errors: WeightsError for a model that is not here or cannot be read; ConfigError for one of another kind.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    kind = {"float32": torch.float32, "bfloat16": torch.bfloat16}[dtype]
    if not isinstance(base, str):
        config = AutoConfig.for_model(**{"vocab_size": Bytes.size, **base})
        auto = AutoModelForSeq2SeqLM if getattr(config, "is_encoder_decoder", False) else AutoModelForCausalLM
        model, text, name = auto.from_config(config, attn_implementation=attention), Bytes(), str(config.model_type)
        fingerprint = ""
    else:
        folder, name = weight_files.find(base), base
        options: dict[str, Any] = {"dtype": kind, "attn_implementation": attention}
        if quantise:
            options["quantization_config"] = _four_bits(quantise)
        with quiet_loading():
            try:
                config = AutoConfig.from_pretrained(folder)
                auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
                model = auto.from_pretrained(folder, **options)
                text = HFText(AutoTokenizer.from_pretrained(folder))
            except Exception as error:  # transformers raises many classes for a folder that is no language model
                why = " ".join(str(error).split())[:200]
                raise WeightsError(f"base: {base}: is no language model that transformers can read: {why}") from error
        fingerprint = weight_files.fingerprint(folder)
    found = Base(model, text, fingerprint, name)
    if layers is not None:
        _cut(found, layers)
        found.fingerprint += f" layers={layers}"
    return found


def _four_bits(quantise: str) -> Any:
    import importlib.util

    from transformers import BitsAndBytesConfig

    if quantise != "4bit":
        raise ConfigError(f"quantise: got {quantise!r}; allowed: 4bit")
    if importlib.util.find_spec("bitsandbytes") is None or not torch.cuda.is_available():
        raise ConfigError("quantise: 4bit needs a CUDA GPU and: pip install bitsandbytes")
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16)


def _cut(base: Base, layers: int) -> None:
    """Keep ``layers`` layers of a causal model, half of them its first and half its last.

    The middle is dropped, not skipped: it costs nothing more. Of SmolLM2-135M's 30 layers, the first and last 6 leave a
    cross-entropy of 8.7 nats on four captions, the first 12 alone 20.3, all of them 5.7: the last layers are those that
    know the words.
    """
    config = base.body.config
    name, modules = stack_of(base)
    if not 1 <= layers <= len(modules):
        raise ConfigError(f"layers: got {layers}; allowed: 1 to {len(modules)}, the layers of {base.name}")
    kept = [*range(-(-layers // 2)), *range(len(modules) - layers // 2, len(modules))]
    stack = nn.ModuleList(modules[k] for k in kept)
    for place, layer in enumerate(stack):  # the cache finds a layer by its number
        for module in layer.modules():
            if hasattr(module, "layer_idx"):
                module.layer_idx = place
    setattr(base.body, name, stack)
    config.num_hidden_layers = layers
    if getattr(config, "layer_types", None):
        config.layer_types = [config.layer_types[k] for k in kept]


def stack_of(base: Base) -> tuple[str, nn.ModuleList]:
    """The name and the layers of a causal model. Errors: ConfigError for a model without a single stack."""
    whole = base.body.config.num_hidden_layers
    stacks = [(n, m) for n, m in base.body.named_children() if isinstance(m, nn.ModuleList) and len(m) == whole]
    if base.seq2seq or len(stacks) != 1:
        raise ConfigError(f"layers: {base.name} ({base.body.config.model_type}) has no single stack of layers")
    return stacks[0]


def shard(base: Base) -> None:
    """Spread the frozen layers over the processes of the run (FSDP, torch's own ``fully_shard``).

    Each process keeps its part of a layer and gathers the rest while it computes there. The adapter is not among it:
    it stays whole in every process, and data-parallel training averages its gradients as always.
    Errors: ConfigError where there is one process only.
    """
    from torch import distributed
    from torch.distributed.fsdp import fully_shard

    if not distributed.is_initialized() or distributed.get_world_size() < 2:
        raise ConfigError("shard: needs several processes: torchrun --nproc_per_node 8 cli.py train RECIPE")
    for layer in stack_of(base)[1]:
        fully_shard(layer, ignored_params={p for p in layer.parameters() if p.requires_grad})


def adapt(
    base: Base, rank: int, alpha: float, dropout: float, targets: Sequence[str] | None
) -> dict[str, nn.Parameter]:
    """Freeze the base and put LoRA on it: name -> trained parameter (float32), names without points.

    targets (the setting ``adapted``): ends of module names; None: the query and value projections, under the names
    that the usual families give them. Errors: UsageError for a target that the base does not have.
    """
    from peft import LoraConfig, inject_adapter_in_model

    linear = {n.rsplit(".", 1)[-1] for n, m in base.body.named_modules() if n and hasattr(m, "weight") and _matrix(m)}
    wanted = list(targets) if targets else [t for t in QUERY_VALUE if t in linear]
    for target in wanted:
        if target not in linear:
            raise UsageError(f"adapted: {base.name} has no layer {target!r}; it has: {', '.join(sorted(linear))}")
    if not wanted:
        raise UsageError(f"adapted: name the layers of {base.name} to adapt; it has: {', '.join(sorted(linear))}")
    for module in base.modules:
        module.requires_grad_(False)
    settings = LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=wanted, fan_in_fan_out="c_attn" in wanted
    )
    inject_adapter_in_model(settings, base.body)
    found = {n: p for n, p in base.body.named_parameters() if p.requires_grad}
    for parameter in found.values():
        parameter.data = parameter.data.float()
    return {n.replace(".default.", ".").replace(".", "/"): p for n, p in found.items()}


def _matrix(module: nn.Module) -> bool:
    return not isinstance(module, nn.Embedding) and isinstance(module.weight, Tensor) and module.weight.ndim == 2


QUERY_VALUE = ("q_proj", "v_proj", "c_attn", "query_key_value", "q", "v")
"""LLaMA, Mistral, Qwen, Gemma, SmolLM; GPT-2; GPT-NeoX, Falcon, BLOOM; T5. Where both are one matrix, all of it."""
