"""A language model as it is, against transformers' own generation."""

import torch

from motion_platform.core.seeding import NoiseSource
from motion_platform.language_models import base, decoding
from motion_platform.language_models.lists import FreeLine
from motion_platform.language_models.plain import PlainWriter, words_of

SIZES = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}


def test_the_most_likely_line_is_that_of_transformers(tmp_path):
    from transformers import ByT5Tokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=384, tie_word_embeddings=False, **SIZES)).eval()
    model.save_pretrained(tmp_path)
    ByT5Tokenizer().save_pretrained(tmp_path)
    writer = PlainWriter(base.load(str(tmp_path), layers=None, dtype="float32", attention="eager", quantise=None))
    ids, words = writer.encode("a person"), words_of(writer.base)
    grammar = FreeLine(words, longest=12)
    with torch.no_grad():
        decoding.write(writer, [ids], [grammar], noise=NoiseSource(["x"], 0), temperature=0.0, top_p=1.0)
        expected = list(ids)
        for step in range(12):
            logits = model(torch.tensor([expected])).logits[0, -1][words]
            if step == 0:
                logits[-1] = -torch.inf
            expected.append(int(words[logits.argmax()]))
            if expected[-1] == words[-1]:
                break
    whole = [*ids, *grammar.ids]
    assert whole == expected[: len(whole)]
    assert len(grammar.ids) >= 5 or expected[-1] == words[-1]
