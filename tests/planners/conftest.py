"""A small table of captions with low-level text, and a language model with random weights that reads bytes."""

import pytest
import torch

ROWS = [
    ("a person walks forward", "walk"),
    ("somebody strolls ahead", "walk"),
    ("a man strides on", "walk forward"),
    ("a person bows politely", "stand, bow"),
    ("a woman waves her right hand", "wave right hand"),
    ("someone waves goodbye with the right hand", "raise right hand, wave right hand"),
    ("a person sits down on a chair", "sit down"),
]


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "table.csv"
    path.write_text("caption,low\n" + "".join(f'{high},"{low}"\n' for high, low in ROWS))
    return path


@pytest.fixture(scope="session")
def tiny_language_model(tmp_path_factory):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    pieces = ["<s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    backend = Tokenizer(models.BPE({piece: i for i, piece in enumerate(pieces)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    from tokenizers import decoders

    backend.decoder = decoders.ByteLevel()
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=len(pieces), max_position_embeddings=900, **sizes)
    folder = tmp_path_factory.mktemp("tiny_language_model")
    LlamaForCausalLM(config).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>").save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MOTION_CACHE", str(tmp_path_factory.getbasetemp() / "motion_cache"))
