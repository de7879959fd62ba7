"""Against transformers' own output."""

import shutil

import pytest
import torch

from motion_platform.core.errors import WeightsError
from motion_platform.encoders.hf_text import HFTextEncoder


@pytest.mark.parametrize("which", ["bert_folder", "distilbert_folder", "t5_folder", "gpt2_folder"])
def test_parity_with_transformers(which, request, texts):
    from transformers import AutoModel, AutoTokenizer, T5EncoderModel

    folder = request.getfixturevalue(which)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = (T5EncoderModel if which == "t5_folder" else AutoModel).from_pretrained(folder).eval()
    states = HFTextEncoder(str(folder), pooling="tokens")(texts)
    means = HFTextEncoder(str(folder), pooling="mean")(texts)
    for i, text in enumerate(texts):  # one at a time: the reference has no padding
        with torch.no_grad():
            expected = network(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        assert states.mask[i].sum() == len(expected)
        assert (states.tokens[i][states.mask[i]] - expected).abs().max() <= 1e-5
        assert (means.tokens[i, 0] - expected.mean(0)).abs().max() <= 1e-5


def test_t5_is_read_without_its_decoder(t5_folder):
    names = [name for name, _ in HFTextEncoder(str(t5_folder)).named_parameters()]
    assert names
    assert not any("decoder" in name for name in names)


def test_cls_is_the_first_state(bert_folder, texts):
    states = HFTextEncoder(str(bert_folder), pooling="tokens")(texts)
    first = HFTextEncoder(str(bert_folder), pooling="cls")(texts)
    assert torch.equal(first.tokens[:, 0], states.tokens[:, 0])


def test_a_causal_model_has_no_cls(gpt2_folder):
    with pytest.raises(ValueError, match="no \\[CLS\\]"):
        HFTextEncoder(str(gpt2_folder), pooling="cls")


def test_limits(bert_folder, t5_folder, gpt2_folder):
    assert HFTextEncoder(str(bert_folder)).limit == 64
    assert HFTextEncoder(str(gpt2_folder)).limit == 128
    assert HFTextEncoder(str(t5_folder)).limit == 512
    assert HFTextEncoder(str(t5_folder), max_tokens=20).limit == 20


def test_cut_text_keeps_its_special_tokens(bert_folder):
    encoder = HFTextEncoder(str(bert_folder), pooling="tokens", max_tokens=6)
    same = encoder(["walks person left a b c", "walks person left a zzzz"])
    assert torch.equal(same.tokens[0], same.tokens[1]), "[CLS], four words, [SEP]"


def test_half_precision_files_are_computed_in_float32(bert_folder, tmp_path, texts):
    from transformers import AutoModel

    folder = shutil.copytree(bert_folder, tmp_path / "half")
    AutoModel.from_pretrained(bert_folder).half().save_pretrained(folder)
    encoder = HFTextEncoder(str(folder))
    assert {weight.dtype for weight in encoder.parameters()} == {torch.float32}
    assert (encoder(texts).tokens - HFTextEncoder(str(bert_folder))(texts).tokens).abs().max() < 0.02


def test_the_last_state_and_a_middle_layer_of_a_causal_model(gpt2_folder, texts):
    from transformers import AutoModel, AutoTokenizer

    tokenizer, network = AutoTokenizer.from_pretrained(gpt2_folder), AutoModel.from_pretrained(gpt2_folder).eval()
    last = HFTextEncoder(str(gpt2_folder), pooling="last")(texts)
    first_layer = HFTextEncoder(str(gpt2_folder), pooling="last", layer=1)(texts)
    same = HFTextEncoder(str(gpt2_folder), pooling="last", layer=network.config.num_hidden_layers)(texts)
    for i, text in enumerate(texts):
        with torch.no_grad():
            made = network(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
        assert (last.tokens[i, 0] - made.last_hidden_state[0, -1]).abs().max() <= 1e-5
        assert (first_layer.tokens[i, 0] - made.hidden_states[1][0, -1]).abs().max() <= 1e-5
    assert (same.tokens - last.tokens).abs().max() <= 1e-5


def test_norms_before_and_after_pooling(gpt2_folder, texts):
    states = HFTextEncoder(str(gpt2_folder), pooling="tokens")(texts)
    unit = HFTextEncoder(str(gpt2_folder), norm="unit")(texts)
    layer = HFTextEncoder(str(gpt2_folder), norm="layer")(texts)
    for i in range(len(texts)):
        real = states.tokens[i][states.mask[i]]
        expected = (real / real.norm(dim=-1, keepdim=True)).mean(0)
        assert (unit.tokens[i, 0] - expected / expected.norm()).abs().max() <= 1e-5
    assert layer.tokens.mean(-1).abs().max() <= 1e-5
    assert (layer.tokens.var(-1, unbiased=False) - 1).abs().max() <= 1e-3


def test_settings_of_a_language_model_change_the_fingerprint_and_the_defaults_keep_it(gpt2_folder):
    plain = HFTextEncoder(str(gpt2_folder))
    assert plain._identity.endswith(" mean None"), "features cached before these settings existed stay good"
    others = [{"layer": 1}, {"norm": "unit"}, {"dtype": "bfloat16"}, {"pooling": "last"}]
    prints = [HFTextEncoder(str(gpt2_folder), **settings).fingerprint() for settings in others]
    assert len({plain.fingerprint(), *prints}) == 5
    half = HFTextEncoder(str(gpt2_folder), dtype="bfloat16")
    assert {weight.dtype for weight in half.parameters()} == {torch.bfloat16}
    assert half(["walks"]).tokens.dtype == torch.float32
    for wrong, said in ({"layer": 9}, "layer: got 9"), ({"norm": "x"}, "norm: got"), ({"dtype": "int8"}, "dtype: got"):
        with pytest.raises(ValueError, match=said):
            HFTextEncoder(str(gpt2_folder), **wrong)


def test_broken_folders(bert_folder, tmp_path):
    folder = shutil.copytree(bert_folder, tmp_path / "copy")
    (folder / "config.json").write_text('{"model_type": "no_such_model"}')
    with pytest.raises(WeightsError, match="not a text model"):
        HFTextEncoder(str(folder))
    with pytest.raises(WeightsError, match="no such folder"):
        HFTextEncoder("./no/such/folder")
