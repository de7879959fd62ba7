"""Against sentence-transformers itself."""

import json
import shutil
import subprocess
import sys

import pytest
import torch

from motion_platform.core import weight_files
from motion_platform.core.errors import ConfigError, WeightsError
from motion_platform.core.registry import build
from motion_platform.encoders.bert import Bert, is_plain_bert
from motion_platform.encoders.sentence import SentenceEncoder, Stack


def reference(folder, texts):
    """Sentence vectors and token states by sentence-transformers."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    vectors = model.encode(texts, convert_to_tensor=True, show_progress_bar=False)
    return vectors, model.encode(texts, output_value="token_embeddings", show_progress_bar=False)


@pytest.mark.parametrize("which", ["default", "sentence_mean_folder", "sentence_cls_folder"])
def test_parity_with_sentence_transformers(which, request, texts):
    folder = weight_files.find("all-MiniLM-L6-v2") if which == "default" else request.getfixturevalue(which)
    texts = [*texts, "walk and turn " * 200]
    vectors, states = reference(folder, texts)
    encoder = SentenceEncoder(str(folder))
    assert isinstance(encoder.network, Stack if which == "sentence_cls_folder" else Bert)
    made = encoder(texts)
    assert made.tokens.shape[1] == 1
    assert (made.tokens[:, 0] - vectors).abs().max() <= 1e-5
    tokens = SentenceEncoder(str(folder), output="tokens")(texts)
    for row, mask, expected in zip(tokens.tokens, tokens.mask, states, strict=True):
        assert mask.sum() == len(expected)
        assert (row[mask] - expected).abs().max() <= 1e-5


def test_bag_of_words(tmp_path, texts):
    """A model without a transformer: no maximum, no token states."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import StaticEmbedding
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(weight_files.find("all-MiniLM-L6-v2") / "tokenizer.json"))
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu").save(str(tmp_path))
    vectors = SentenceTransformer(str(tmp_path), device="cpu").encode(texts, convert_to_tensor=True)
    assert (SentenceEncoder(str(tmp_path))(texts).tokens[:, 0] - vectors).abs().max() <= 1e-6
    with pytest.raises(WeightsError, match="no token states"):
        SentenceEncoder(str(tmp_path), output="tokens")(texts)
    with pytest.raises(ValueError, match="any length"):
        SentenceEncoder(str(tmp_path), max_tokens=20)


def test_default_prompt_is_put_before_each_text(sentence_mean_folder, tmp_path, texts):
    folder = shutil.copytree(sentence_mean_folder, tmp_path / "copy")
    settings = {"prompts": {"motion": "walks: "}, "default_prompt_name": "motion"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    vectors, _ = reference(folder, texts)
    made = SentenceEncoder(str(folder))(texts).tokens[:, 0]
    assert (made - vectors).abs().max() <= 1e-5
    assert (made - SentenceEncoder(str(sentence_mean_folder))(texts).tokens[:, 0]).abs().max() > 1e-3


def test_parity_with_stored_numbers():
    """The default model's similarities, as its model card tells them to be: paraphrases near, others far."""
    tokens = SentenceEncoder()(["a person walks", "somebody strolls along", "the stock market fell"]).tokens[:, 0]
    similarity = tokens @ tokens.T
    assert torch.allclose(similarity.diagonal(), torch.ones(3), atol=1e-5)
    assert similarity[0, 1] > 0.5 > 0.2 > similarity[0, 2]


def test_max_tokens_cuts_as_the_model_would(sentence_mean_folder):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(sentence_mean_folder), device="cpu")
    model.max_seq_length = 8
    text = "she walks and turns"
    made = SentenceEncoder(str(sentence_mean_folder), max_tokens=8)([text]).tokens[0, 0]
    assert (made - model.encode(text, convert_to_tensor=True)).abs().max() <= 1e-5


def test_saved_layouts_are_recognised(sentence_mean_folder, sentence_cls_folder, tmp_path):
    """The old layout (published models) and the one that sentence-transformers writes today."""
    from sentence_transformers import SentenceTransformer

    SentenceTransformer(str(sentence_mean_folder), device="cpu").save(str(tmp_path / "new"))
    assert is_plain_bert(sentence_mean_folder)
    assert is_plain_bert(tmp_path / "new")
    assert not is_plain_bert(sentence_cls_folder)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("config.json", {"model_type": "mpnet"}),
        ("config.json", {"hidden_act": "relu"}),
        ("config.json", {"position_embedding_type": "relative_key"}),
        ("sentence_bert_config.json", {"do_lower_case": True}),
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}),
        ("config_sentence_transformers.json", {"default_prompt_name": "query"}),
    ],
)
def test_what_is_no_plain_bert_is_left_to_sentence_transformers(sentence_mean_folder, tmp_path, file, change):
    folder = shutil.copytree(sentence_mean_folder, tmp_path / "copy")
    path = folder / file
    path.write_text(json.dumps({**(json.loads(path.read_text()) if path.is_file() else {}), **change}))
    assert not is_plain_bert(folder)


def test_cold_start_imports_no_heavy_library():
    """`motion generate` must not pay seconds for libraries that the default encoder does not need."""
    program = (
        "import sys; from motion_platform.encoders.sentence import SentenceEncoder as E; E()(['walk']);"
        "print([m for m in ('transformers', 'sentence_transformers', 'torch._dynamo', 'sklearn') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_building_draws_no_random_numbers():
    """A checkpoint of the random state must not depend on whether an encoder was built."""
    torch.manual_seed(3)
    before = torch.get_rng_state()
    SentenceEncoder()
    assert torch.equal(before, torch.get_rng_state())


def test_local_weights_need_no_network(
    no_network, sentence_mean_folder, sentence_cls_folder, bert_folder, clip_folder, t5_folder
):
    from motion_platform.encoders.clip_text import ClipTextEncoder
    from motion_platform.encoders.hf_text import HFTextEncoder

    SentenceEncoder()(["walk"])
    SentenceEncoder(str(sentence_mean_folder))(["walk"])
    SentenceEncoder(str(sentence_cls_folder))(["walk"])
    HFTextEncoder(str(bert_folder))(["walk"])
    HFTextEncoder(str(t5_folder))(["walk"])
    ClipTextEncoder(str(clip_folder))(["walk"])


def test_trained_encoder_learns_and_uses_dropout(sentence_mean_folder, texts):
    encoder = SentenceEncoder(str(sentence_mean_folder), frozen=False)
    assert not torch.equal(encoder(texts).tokens, encoder(texts).tokens)
    encoder(texts).tokens.square().sum().backward()
    assert encoder.network.words.weight.grad.abs().sum() > 0
    encoder.eval()
    assert torch.equal(encoder(texts).tokens, encoder(texts).tokens)


def test_tampered_weights_are_refused(sentence_mean_folder, tmp_path):
    folder = shutil.copytree(sentence_mean_folder, tmp_path / "copy")
    before = SentenceEncoder(str(folder)).fingerprint()
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-5] ^= 1
    weights.write_bytes(data)
    assert SentenceEncoder(str(folder)).fingerprint() != before, "other weights, other fingerprint"
    weights.write_bytes(data[: len(data) // 2])
    with pytest.raises(WeightsError, match="cannot read the weights"):
        SentenceEncoder(str(folder))


def test_weights_of_another_size_are_refused(sentence_mean_folder, tmp_path):
    folder = shutil.copytree(sentence_mean_folder, tmp_path / "copy")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(WeightsError, match=r"not the weights of its config\.json"):
        SentenceEncoder(str(folder))


def test_states_of_several_layers_are_those_of_transformers(texts):
    """Side by side in the order that was asked for, 0 being what enters the first layer."""
    from transformers import AutoTokenizer, BertModel

    folder = str(weight_files.find("all-MiniLM-L6-v2"))
    tokenizer, theirs = AutoTokenizer.from_pretrained(folder), BertModel.from_pretrained(folder).eval()
    encoder = SentenceEncoder(folder, output="tokens", layers=[6, 4, 0])
    assert encoder.dim == 3 * 384
    made = encoder(texts)
    for row, mask, text in zip(made.tokens, made.mask, texts, strict=True):
        with torch.no_grad():
            ids = tokenizer(text, truncation=True, max_length=encoder.limit, return_tensors="pt")
            states = theirs(**ids, output_hidden_states=True).hidden_states
        expected = torch.cat([states[6][0], states[4][0], states[0][0]], -1)
        assert mask.sum() == len(expected)
        assert (row[mask] - expected).abs().max() <= 2e-5
    last = SentenceEncoder(folder, output="tokens")
    assert (made.tokens[..., :384] - last(texts).tokens)[made.mask].abs().max() <= 2e-5
    assert len({last.fingerprint, encoder.fingerprint, SentenceEncoder(folder, "tokens", layers=[6]).fingerprint}) == 3


@pytest.mark.parametrize(("layers", "output", "said"), [
    ([7], "tokens", r"layers: got \[7\]; allowed: different ones of 0 to 6"), ([], "tokens", r"got \[\]"),
    ([-1], "tokens", r"got \[-1\]"), ([4, 4], "tokens", r"got \[4, 4\]"), ([4], "mean", "only of a BERT"),
])  # fmt: skip
def test_layers_that_are_not_there_are_refused(layers, output, said):
    with pytest.raises(ConfigError, match=said):
        build("encoders", "sentence", {"layers": layers, "output": output})


@pytest.mark.parametrize("settings", [{"output": "cls"}, {"max_tokens": 2}])
def test_wrong_settings(settings):
    with pytest.raises(ConfigError, match="sentence"):
        build("encoders", "sentence", settings)
