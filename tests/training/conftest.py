"""What several tests of training need: a small language model, and motion tokenizers."""

import pytest
import torch

from motion_platform.core import config
from motion_platform.training import build, train


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory):
    """Make the folder of a random LLaMA with a tokenizer of bytes, one a seed."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    root = tmp_path_factory.mktemp("bases")

    def make(seed=0):
        folder = root / f"llama{seed}"
        if not folder.exists():
            letters = sorted(pre_tokenizers.ByteLevel.alphabet())
            tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            tokenizer.decoder = decoders.ByteLevel()
            PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
            torch.manual_seed(seed)
            sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
            LlamaForCausalLM(LlamaConfig(**sizes, vocab_size=256, tie_word_embeddings=True)).save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def tokenizers(tmp_path_factory, toy_data):
    """Two trained motion tokenizers."""
    folders = []
    for seed in (0, 1):
        output = tmp_path_factory.mktemp("tokenizers") / f"vq{seed}"
        own = [f"data.folder={toy_data}", f"output={output}", f"seed={seed}", "train.steps=2"]
        recipe = config.load_recipe(build.cards.find("configs", "smoke/vqvae"), own)
        folders.append(train.run(recipe, "vq", device="cpu", quiet=True))
    return folders
