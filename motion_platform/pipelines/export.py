"""A motion language model for other programs: its adapter as a folder of peft, or all of it as a model of transformers.

**Adapter** (``adapter``): what ``peft.PeftModel.from_pretrained`` puts on the base, nothing of ours needed. peft has no
place for new words, so the rows of the motion codes lie beside it, ``motion_rows.safetensors``.

**Merged** (``merged``): base with the adapter added into its weights, and its table lengthened by the rows of the codes
and marks, which its tokenizer reads and writes as ``<motion_17>``, ``<motion_start>``: a folder that
``AutoModelForCausalLM`` (or its like for T5) loads, and that llama.cpp turns into GGUF. Its logits are those
of :class:`~motion_platform.generators.language.motion_lm.MotionLM`.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from motion_platform.core import weight_files
from motion_platform.core.errors import OutputError, UsageError
from motion_platform.generators.language.motion_lm import MotionLM
from motion_platform.generators.language.vocabulary import MARKS
from motion_platform.model.run import load_run

ROWS = "motion_rows.safetensors"
ABOUT = "motion_platform.json"


def adapter(name: str, out: Path) -> Path:
    """Write the adapter of a motion language model as a folder of peft. Returns the folder.

    Errors: UsageError for a model without an adapter, or whose base was cut to fewer layers, which no other program
    would find again; OutputError for a folder that holds something.
    """
    model = _language_model(name)
    if model.tuning != "lora":
        raise UsageError(f"export: {name} was trained whole and has no adapter; use --merged")
    whole = _fresh_base(model)
    layers: Any = model.base.body.config
    if whole.config.num_hidden_layers != layers.num_hidden_layers:
        raise UsageError(
            f"export: {name} stands on {layers.num_hidden_layers} of the "
            f"{whole.config.num_hidden_layers} layers of {model.base.name}; an adapter for them fits no whole base: "
            "use --merged"
        )
    from peft import LoraConfig
    from peft.tuners.lora import LoraLayer

    place = "" if model.base.seq2seq else f"{whole.base_model_prefix}."
    found = {n: p for n, p in model.base.body.named_parameters() if ".lora_" in n}
    tensors: dict[str, Tensor] = {f"base_model.model.{place}{n.replace('.default.', '.')}": p for n, p in found.items()}
    own = next(m for m in model.base.body.modules() if isinstance(m, LoraLayer))
    targets = sorted({n.split(".lora_")[0].rsplit(".", 1)[-1] for n in found})
    settings = LoraConfig(
        r=own.r["default"],
        lora_alpha=own.lora_alpha["default"],
        target_modules=targets,
        task_type="SEQ_2_SEQ_LM" if model.base.seq2seq else "CAUSAL_LM",
        base_model_name_or_path=str(_folder(model)),
        inference_mode=True,
        fan_in_fan_out="c_attn" in targets,
    )
    with _folder_written_whole(out) as folder:
        _write(folder, {"adapter_model.safetensors": tensors, ROWS: _rows(model)}, model)
        settings.save_pretrained(str(folder))
    return out


def merged(name: str, out: Path) -> Path:
    """Write base, adapter and motion codes as one model of transformers with its tokenizer. Returns the folder.

    Errors: UsageError for a quantised base or one that reads bytes (it has no tokenizer to write); OutputError.
    """
    from transformers import AutoTokenizer

    model = _language_model(name)
    whole = _fresh_base(model)
    first, rows = model.vocabulary.text_size, _rows(model)
    _put(whole, model)
    whole.resize_token_embeddings(first + model.vocabulary.own, mean_resizing=False)
    with torch.no_grad():
        whole.get_input_embeddings().weight[first:] = rows["rows"].to(whole.dtype)
        if "head_rows" in rows:
            whole.get_output_embeddings().weight[first:] = rows["head_rows"].to(whole.dtype)
    tokenizer = AutoTokenizer.from_pretrained(_folder(model))
    tokenizer.add_tokens([f"<unused_{k}>" for k in range(len(tokenizer), first)])  # the base's table has spare rows
    tokenizer.add_tokens(words(model))
    with _folder_written_whole(out) as folder:
        whole.save_pretrained(str(folder))
        tokenizer.save_pretrained(str(folder))
        _write(folder, {}, model)
    return out


def words(model: MotionLM) -> list[str]:
    """What the ids of our own are called, in their order."""
    vocabulary = model.vocabulary
    codes = vocabulary.own - len(MARKS)
    several = vocabulary.codebooks > 1
    numbers = [f"{k // vocabulary.codes}_{k % vocabulary.codes}" if several else f"{k}" for k in range(codes)]
    return [*(f"<motion_{number}>" for number in numbers), *(f"<{mark}>" for mark in MARKS)]


def _language_model(name: str) -> MotionLM:
    trainable = load_run(name).model.trainable
    if not isinstance(trainable, MotionLM):
        raise UsageError(f"export: {name} is a {type(trainable).__name__}; a motion_lm is exported")
    return trainable


def _folder(model: MotionLM) -> Path:
    return weight_files.find(model.base.name)


def _fresh_base(model: MotionLM) -> Any:
    """The base anew, whole, as transformers gives it: ours is without its frame."""
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    if not model.base.fingerprint:
        raise UsageError("export: the base is a configuration that reads bytes, no model that other programs have")
    if getattr(model.base.body.config, "quantization_config", None) is not None:
        raise UsageError(f"export: {model.base.name} is quantised; train and export it with quantise: null")
    auto = AutoModelForSeq2SeqLM if model.base.seq2seq else AutoModelForCausalLM
    return auto.from_pretrained(_folder(model), dtype=torch.float32)


def _put(whole: Any, model: MotionLM) -> None:
    """The weights of our base, its adapter added into them, into the whole model; fewer layers stay fewer."""
    from peft.tuners.lora import LoraLayer

    body = model.base.body
    for path, module in list(body.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge()
            parent, _, last = path.rpartition(".")
            setattr(body.get_submodule(parent) if parent else body, last, module.get_base_layer())
    if not model.base.seq2seq:
        theirs = whole.base_model
        for name, child in body.named_children():
            if isinstance(child, nn.ModuleList) and len(child) < len(getattr(theirs, name)):
                setattr(theirs, name, getattr(theirs, name)[: len(child)])
                whole.config.num_hidden_layers = len(child)
                own: Any = body.config
                if getattr(whole.config, "layer_types", None):
                    whole.config.layer_types = list(own.layer_types)
        theirs.load_state_dict({name: value.float() for name, value in body.state_dict().items()})
    else:
        whole.load_state_dict({name: value.float() for name, value in body.state_dict().items()})


def _rows(model: MotionLM) -> dict[str, Tensor]:
    """The rows of the codes and marks in the input table, and in the output table where it is another."""
    rows: dict[str, Tensor] = {"rows": model.rows}
    return rows if model.head_rows is None else rows | {"head_rows": model.head_rows}


@contextmanager
def _folder_written_whole(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that becomes it when the block ends well. OutputError for one that holds something."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out}: is there already; give a folder that is new or empty")
    if not out.absolute().parent.is_dir():
        raise OutputError(f"{out}: the folder {out.absolute().parent} does not exist; create it first")
    made = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.absolute().parent))
    try:
        made.chmod(0o755)
        yield made
        if out.exists():
            out.rmdir()
        made.replace(out)
    except OSError as error:
        raise OutputError(f"{out}: could not be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _write(folder: Path, files: dict[str, dict[str, Tensor]], model: MotionLM) -> None:
    from safetensors.torch import save_file

    for file, tensors in files.items():
        own = {name: tensor.detach().float().cpu().clone() for name, tensor in tensors.items()}
        save_file(own, str(folder / file), metadata={"format": "pt"})
    about = {"base": model.base.name, "first_id": model.vocabulary.text_size, "words": words(model)}
    about |= {"codes": model.vocabulary.codes, "codebooks": model.vocabulary.codebooks}
    text = json.dumps({**about, "fingerprints": model.fingerprints()}, indent=1)
    (folder / ABOUT).write_text(text + "\n", encoding="utf-8")
