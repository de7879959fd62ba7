"""Small models and conditions for the generator tests."""

from types import SimpleNamespace

import pytest
import torch

from motion_platform.core.schema import Batch, Condition, Motion, MotionSpec
from motion_platform.generators.diffusion.mdm import MDM

SLOTS = ("text_high", "text_low")
DIM, WIDTH = 67, 32


def make_spec(seed=3):
    generator = torch.Generator().manual_seed(seed)
    mean, std = torch.randn(DIM, generator=generator) * 0.1, torch.rand(DIM, generator=generator) * 0.2 + 0.1
    std[:3] = 0.02  # turns and steps of a frame are small
    return MotionSpec("humanml3d_essential", "humanml3d", 20.0, mean, std)


def make_model(slots=SLOTS, seed=0, **settings):
    torch.manual_seed(seed)
    settings = {"layers": 2, "width": WIDTH, "heads": 4, "feed_forward": 48, "max_frames": 48} | settings
    return MDM(make_spec(), slots, **settings)


def make_given(rows, slots=SLOTS, tokens=3, seed=1, width=WIDTH):
    """Null token first; rows have 1 .. tokens real tokens; what is switched off is garbage."""
    given = {}
    for number, slot in enumerate(slots):
        generator = torch.Generator().manual_seed(seed + number)
        values = torch.randn(rows, 1 + tokens, width, generator=generator)
        values[:, 0] = torch.randn(width, generator=generator)
        on = torch.arange(1 + tokens)[None] <= 1 + torch.arange(rows)[:, None] % tokens
        given[slot] = Condition(torch.where(on[..., None], values, 1e3), on)
    return given


def make_batch(lengths=(40, 33, 17, 8), seed=2):
    """Smooth motions, different for each row."""
    lengths = torch.tensor(lengths)
    generator = torch.Generator().manual_seed(seed)
    spec = make_spec()
    phase = torch.rand(len(lengths), 1, DIM, generator=generator) * 6.3
    x = torch.sin(torch.arange(int(lengths.max()))[None, :, None] * 0.3 + phase)
    return Batch([f"clip {i}" for i in range(len(lengths))], {}, lengths, Motion(spec.restore(x), lengths, spec))


def row_of(given, row):
    return {slot: Condition(c.tokens[row : row + 1], c.mask[row : row + 1]) for slot, c in given.items()}


@pytest.fixture
def make():
    return SimpleNamespace(
        spec=make_spec, model=make_model, given=make_given, batch=make_batch, row=row_of, slots=SLOTS, width=WIDTH
    )


TINY = {
    "llama": {
        "model_type": "llama",
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
    },
    "gpt2": {"model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 512},
    "t5": {"model_type": "t5", "d_model": 32, "d_kv": 16, "d_ff": 48, "num_layers": 2, "num_heads": 2},
}
TINY["untied"] = {**TINY["llama"], "tie_word_embeddings": False}
TOKENIZER = {"name": "vqvae", "settings": {"codes": 24, "code_width": 16, "width": 16, "depth": 1}}


@pytest.fixture(scope="session")
def tiny_bases(tmp_path_factory):
    """name -> folder of a random language model of a few thousand weights, with a tokenizer of bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, PreTrainedTokenizerFast

    folders = {}
    for seed, (name, settings) in enumerate([*TINY.items(), ("other", TINY["llama"])]):
        folder = tmp_path_factory.mktemp("bases") / name
        letters = sorted(pre_tokenizers.ByteLevel.alphabet())
        vocabulary = {letter: i for i, letter in enumerate(["</s>", *letters])}
        tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>").save_pretrained(folder)
        torch.manual_seed(seed)
        config = AutoConfig.for_model(**settings, vocab_size=len(vocabulary))
        auto = AutoModelForSeq2SeqLM if name == "t5" else AutoModelForCausalLM
        auto.from_config(config).save_pretrained(folder)
        folders[name] = folder
    return folders


@pytest.fixture(scope="session")
def tiny_lm(tiny_bases):
    """Make a small motion language model on one of the tiny bases, with an untrained motion tokenizer."""
    from motion_platform.generators.language.motion_lm import MotionLM

    def make(base="llama", seed=0, spec=None, slots=(), **settings):
        torch.manual_seed(seed)
        settings = {"tokenizer": TOKENIZER, "rank": 4, "max_frames": 48, "pack": 128} | settings
        model = MotionLM(spec or make_spec(), slots, base=str(tiny_bases[base]), **settings)
        model.tokenizer.encode(make_batch().motion)  # its codebook takes its first values from the first motions
        return model

    return make
