"""Tiny models with random weights, stored in the formats that the real ones come in."""

import json
import string

import pytest
import torch

TEXTS = ["a person walks", "she runs forward, turns left and waves with her right hand", "jump", "人が歩く", "идёт"]


@pytest.fixture
def texts():
    return list(TEXTS)


@pytest.fixture
def no_network(monkeypatch):
    """Any attempt to reach a network fails the test."""
    import socket

    def refuse(*arguments, **settings):
        raise AssertionError(f"a network request was made: {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def word_tokenizer():
    """A WordPiece tokenizer that spells words letter by letter, as BERT's would with a small vocabulary."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "walks", "person", "left", *string.ascii_lowercase, *",.!?"]
    pieces += [f"##{letter}" for letter in string.ascii_lowercase]
    backend = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=64, **names)


def byte_tokenizer(eos: str | None, **settings):
    """A byte-level tokenizer without merges; ``eos`` ends every text if given. It has no padding token."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: i for i, piece in enumerate([*pieces, *([eos] if eos else [])])}
    backend = Tokenizer(models.BPE(vocabulary, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if eos:
        backend.post_processor = processors.TemplateProcessing(
            single=f"$A {eos}", special_tokens=[(eos, vocabulary[eos])]
        )
        settings["eos_token"] = eos
    return PreTrainedTokenizerFast(tokenizer_object=backend, **settings)


def bert_config(**settings):
    from transformers import BertConfig

    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    return BertConfig(**{"vocab_size": 100, "max_position_embeddings": 64, **sizes, **settings})


def save(folder, network, tokenizer):
    network.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def randomised(network):
    """Every weight random and of a size that matters (fresh biases are 0 and fresh norms 1: they would hide errors)."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.2 + (weight.mean() > 0.5))
    return network


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory):
    from transformers import BertModel

    return save(tmp_path_factory.mktemp("bert"), randomised(BertModel(bert_config())), word_tokenizer())


@pytest.fixture(scope="session")
def distilbert_folder(tmp_path_factory):
    from transformers import DistilBertConfig, DistilBertModel

    config = DistilBertConfig(vocab_size=100, dim=32, hidden_dim=48, n_layers=2, n_heads=4, max_position_embeddings=64)
    return save(tmp_path_factory.mktemp("distilbert"), randomised(DistilBertModel(config)), word_tokenizer())


@pytest.fixture(scope="session")
def t5_folder(tmp_path_factory):
    """A whole T5, decoder and all, of which only the encoder is to be read."""
    from transformers import T5Config, T5Model

    config = T5Config(vocab_size=300, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, pad_token_id=299)
    return save(tmp_path_factory.mktemp("t5"), randomised(T5Model(config)), byte_tokenizer("</s>"))


@pytest.fixture(scope="session")
def gpt2_folder(tmp_path_factory):
    from transformers import GPT2Config, GPT2Model

    config = GPT2Config(vocab_size=300, n_embd=32, n_layer=2, n_head=4, n_positions=128)
    return save(tmp_path_factory.mktemp("gpt2"), randomised(GPT2Model(config)), byte_tokenizer(None))


def clip_tokenizer():
    """CLIP's own tokenizer over bytes and a few merges; as in OpenAI's, the end token has the highest id."""
    from tokenizers import pre_tokenizers
    from transformers import CLIPTokenizer

    pieces = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces += [f"{piece}</w>" for piece in pieces]
    merges = [("w", "a"), ("wa", "l"), ("wal", "k"), ("k", "s</w>"), ("r", "u")]
    pieces += ["".join(merge) for merge in merges] + ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={piece: i for i, piece in enumerate(pieces)}, merges=merges, model_max_length=77)


def clip_text_config(tokenizer):
    from transformers import CLIPTextConfig

    return CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        projection_dim=24, max_position_embeddings=77,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    """A text tower with its projection, as CLIPTextModelWithProjection stores it."""
    from transformers import CLIPTextModelWithProjection

    tokenizer = clip_tokenizer()
    network = CLIPTextModelWithProjection(clip_text_config(tokenizer))
    return save(tmp_path_factory.mktemp("clip"), randomised(network), tokenizer)


@pytest.fixture(scope="session")
def whole_clip_folder(tmp_path_factory):
    """Both towers in one file, as the published CLIP models come."""
    from transformers import CLIPConfig, CLIPModel, CLIPVisionConfig

    tokenizer = clip_tokenizer()
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=8, patch_size=4
    )
    text = clip_text_config(tokenizer)
    config = CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=24)
    return save(tmp_path_factory.mktemp("whole_clip"), randomised(CLIPModel(config)), tokenizer)


def sentence_folder(folder, network, pooling, *, normalize=True):
    """A model of transformers as a sentence-transformers folder in the layout of the published models."""
    save(folder, network, word_tokenizer())
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), *([("2_Normalize", "Normalize")] if normalize else [])]
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    modes = {f"pooling_mode_{mode}": mode == pooling for mode in ("cls_token", "mean_tokens", "max_tokens")}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 32, **modes}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 48, "do_lower_case": False}))
    return folder


@pytest.fixture(scope="session")
def sentence_mean_folder(tmp_path_factory):
    from transformers import BertModel

    return sentence_folder(tmp_path_factory.mktemp("mean"), randomised(BertModel(bert_config())), "mean_tokens")


@pytest.fixture(scope="session")
def sentence_cls_folder(tmp_path_factory):
    """A stack that only sentence-transformers itself can run: the first token's state, not normalised."""
    from transformers import BertModel

    network = randomised(BertModel(bert_config()))
    return sentence_folder(tmp_path_factory.mktemp("cls"), network, "cls_token", normalize=False)


@pytest.fixture
def glove_folder(tmp_path):
    """The three files of the official text-motion evaluator, with a few words."""
    import pickle

    import numpy as np

    words = "sos eos unk a the person man walk run turn left right forward jump she and wave with her hand arm raise"
    words = [*words.split(), "circle", "sit", "again", "идёт"]
    folder = tmp_path / "glove"
    folder.mkdir()
    np.save(folder / "our_vab_data.npy", np.random.default_rng(0).normal(size=(len(words), 300)))
    (folder / "our_vab_words.pkl").write_bytes(pickle.dumps(words, protocol=3))
    (folder / "our_vab_idx.pkl").write_bytes(pickle.dumps({word: i for i, word in enumerate(words)}, protocol=3))
    return folder


@pytest.fixture
def tags_folder(tmp_path):
    """A ``texts`` folder in the layout of HumanML3D."""
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "000000.txt").write_text("jump#jump/NOUN#0.0#0.0\n")
    return folder


@pytest.fixture
def recordings():
    """A second of tones with their sound, and half a second with a front end computed ahead."""
    import numpy as np

    from motion_platform.core.schema import Audio

    samples = np.sin(np.arange(22_050) * 0.1 * (1 + np.arange(22_050) // 5_000)).astype(np.float32)
    mel = np.random.default_rng(0).random((45, 128), np.float32)
    return [Audio(1.0, samples, 22_050), Audio(0.5, samples[-11_025:], 22_050, features={"mel": mel})]


@pytest.fixture(scope="session")
def whisper_folder(tmp_path_factory):
    """A Whisper of two tiny layers."""
    from transformers import WhisperConfig, WhisperModel

    torch.manual_seed(0)
    config = WhisperConfig(
        num_mel_bins=80, d_model=16, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=16, decoder_layers=1,
        decoder_attention_heads=1, decoder_ffn_dim=4, vocab_size=8, max_target_positions=8, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("whisper")
    WhisperModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def wavlm_folder(tmp_path_factory):
    """A WavLM of two tiny layers, with the strides of the real one."""
    from transformers import WavLMConfig, WavLMModel

    torch.manual_seed(0)
    config = WavLMConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, conv_dim=[8] * 7,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("wavlm")
    WavLMModel(config).save_pretrained(folder)
    return folder


def sync_checkpoint(folder, seed):
    """A small untrained music_motion_sync as a checkpoint folder."""
    from motion_platform.core.config import ModelFile
    from motion_platform.core.schema import MotionSpec
    from motion_platform.model import motion_model as model

    spec = MotionSpec("conductor", "coco_upper", 30.0, torch.zeros(26), torch.ones(26), "frame")
    card = ModelFile(
        format=model.FORMAT,
        name="sync",
        task="music_motion_sync",
        motion_platform="0",
        model={
            "kind": "spaces",
            "name": "music_motion_sync",
            "settings": {"layers": 1, "motion_width": 2, "dim": 5},
        },
        slots={"music": {"encoder": "music_mel", "settings": {"channels": [2, 3, 4], "dim": 5}, "dropout": 0.0}},
        spec=spec.to_dict(),
    )
    torch.manual_seed(seed)
    return model.build(card, spec).save_pretrained(folder)


@pytest.fixture
def sync_folder(tmp_path):
    return sync_checkpoint(tmp_path / "sync", 0)


@pytest.fixture
def other_sync_folder(tmp_path):
    return sync_checkpoint(tmp_path / "other", 1)


def beat_checkpoint(folder, seed):
    """A small untrained beat_tracker as a checkpoint folder."""
    from motion_platform.core.config import ModelFile
    from motion_platform.core.schema import MotionSpec
    from motion_platform.model import motion_model as model

    spec = MotionSpec("conductor", "coco_upper", 30.0, torch.zeros(26), torch.ones(26), "frame")
    card = ModelFile(
        format=model.FORMAT,
        name="beats",
        task="beat_tracking",
        motion_platform="0",
        model={"kind": "spaces", "name": "beat_tracker", "settings": {"channels": 2, "width": 6, "layers": 2}},
        slots={"music": {"encoder": "mel", "dropout": 0.0}},
        spec=spec.to_dict(),
    )
    torch.manual_seed(seed)
    return model.build(card, spec).save_pretrained(folder)


@pytest.fixture
def beat_folder(tmp_path):
    return beat_checkpoint(tmp_path / "beats", 0)


@pytest.fixture
def other_beat_folder(tmp_path):
    return beat_checkpoint(tmp_path / "other_beats", 1)


@pytest.fixture
def talks():
    """Two recordings of which only the words are known."""
    from motion_platform.core.schema import Audio, Word

    return [
        Audio(1.0, words=(Word("I", 0.0, 0.4), Word("think", 0.4, 1.0))),
        Audio(0.5, words=(Word("never", 0.1, 0.4),)),
    ]


@pytest.fixture
def vector_table(tmp_path):
    """Word vectors in fastText's text format."""
    path = tmp_path / "small.vec"
    path.write_text("3 4\nI 1 0 0 2\nthink 0 3 0 1\nnever 5 1 1 0\n")
    return path


@pytest.fixture
def other_vector_table(tmp_path):
    path = tmp_path / "other.vec"
    path.write_text("1 4\nI 1 0 0 1\n")
    return path
