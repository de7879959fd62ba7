"""The official evaluator's words: its files, its tags, and no code run from a pickle."""

import pickle

import numpy as np
import pytest
import torch

from motion_platform.core.errors import DataError, WeightsError
from motion_platform.encoders import word_tags
from motion_platform.encoders.glove_tags import GloveTags, read_vectors


@pytest.fixture
def encoder(glove_folder):
    return GloveTags(str(glove_folder))


def test_a_caption_is_start_words_and_end_with_its_length(encoder, glove_folder):
    """cap_len is the position of eos plus one (motion-diffusion-model issue 182), whatever the batch is padded to."""
    made = encoder(["a/DET person/NOUN walk/VERB", "jump/VERB", ""])
    assert made.mask.sum(1).tolist() == [5, 3, 0]
    vectors = read_vectors(glove_folder)
    assert torch.equal(made.tokens[1, 0, :300], torch.from_numpy(vectors["sos"]))
    assert torch.equal(made.tokens[1, 2, :300], torch.from_numpy(vectors["eos"]))
    assert (made.tokens[1, 3:] == 0).all()
    kinds = made.tokens[0, :5, 300:].argmax(1).tolist()
    assert [word_tags.TAGS[kind] for kind in kinds] == ["OTHER", "DET", "NOUN", "Act_VIP", "OTHER"]
    assert (made.tokens[0, :5, 300:].sum(1) == 1).all()


def test_a_word_without_a_vector_is_unk_and_other(encoder, glove_folder):
    token = encoder.vector("flibbertigibbet/VERB")
    assert np.array_equal(token[:300], read_vectors(glove_folder)["unk"])
    assert word_tags.TAGS[token[300:].argmax()] == "OTHER"
    assert word_tags.TAGS[encoder.vector("jump/PROPN")[300:].argmax()] == "Act_VIP"
    assert word_tags.TAGS[encoder.vector("person/PROPN")[300:].argmax()] == "OTHER"


def test_more_than_twenty_words_are_cut_and_eos_stays(encoder):
    made = encoder([" ".join(["walk/VERB"] * 30)])
    assert made.mask.sum() == 22
    assert torch.equal(made.tokens[0, -1], torch.from_numpy(encoder.vector("eos/OTHER")))


def test_published_tags_come_before_the_rules(glove_folder, tmp_path):
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "000000.txt").write_text("A man walks left.#a/DET man/NOUN walk/NOUN left/VERB#0.0#0.0\n")
    encoder = GloveTags(str(glove_folder), tags=str(texts))
    assert encoder.tokens("A man walks left.")[1:-1] == ["a/DET", "man/NOUN", "walk/NOUN", "left/VERB"]
    assert encoder.fingerprint() != GloveTags(str(glove_folder)).fingerprint()
    (texts / "000001.txt").write_text("no tokens here\n")
    with pytest.raises(DataError, match=r"000001.txt: line 1 is not caption#word/TAG"):
        GloveTags(str(glove_folder), tags=str(texts))


@pytest.mark.parametrize(
    ("sentence", "tokens"),
    [
        ("A person walks, then turns left.", "a/DET person/NOUN walk/VERB then/ADV turn/VERB left/ADJ"),
        ("the man is running in a circle", "the/DET man/NOUN is/AUX run/VERB in/ADP a/DET circle/VERB"),
        ("he sat and slowly raised both arms", "he/PRON sit/VERB and/CCONJ slowly/ADV raise/VERB both/DET arm/NOUN"),
        ("counter-clockwise", "counterclockwise/ADV"),
    ],
)  # fmt: skip
def test_the_rules_give_base_forms_and_tags(sentence, tokens, glove_folder):
    assert " ".join(word_tags.tag(sentence, read_vectors(glove_folder))) == tokens


class Evil:
    def __reduce__(self):
        return (print, ("it ran",))


def test_a_pickle_that_wants_more_than_words_is_refused(glove_folder, capsys):
    (glove_folder / "our_vab_idx.pkl").write_bytes(pickle.dumps({"sos": Evil()}))
    with pytest.raises(WeightsError, match=r"wants to import builtins\.print"):
        GloveTags(str(glove_folder))
    assert "it ran" not in capsys.readouterr().out


def test_numbers_of_numpy_in_a_pickle_are_read(glove_folder):
    words = pickle.loads((glove_folder / "our_vab_words.pkl").read_bytes())
    (glove_folder / "our_vab_idx.pkl").write_bytes(pickle.dumps({word: np.int64(i) for i, word in enumerate(words)}))
    assert set(read_vectors(glove_folder)) == set(words)


def test_files_that_do_not_belong_together_are_refused(glove_folder):
    (glove_folder / "our_vab_idx.pkl").write_bytes(pickle.dumps({"sos": 0}))
    with pytest.raises(WeightsError, match="do not belong together"):
        GloveTags(str(glove_folder))
    (glove_folder / "our_vab_idx.pkl").write_bytes(b"\x80\x03]q\x00(X")
    with pytest.raises(WeightsError, match="is not a plain table of words"):
        GloveTags(str(glove_folder))
    (glove_folder / "our_vab_idx.pkl").unlink()
    with pytest.raises(WeightsError, match=r"our_vab_idx\.pkl: is missing"):
        GloveTags(str(glove_folder))
