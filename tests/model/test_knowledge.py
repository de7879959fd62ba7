from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from motion_platform.core.errors import DataError, UsageError
from motion_platform.encoders.sentence import SentenceEncoder
from motion_platform.model.knowledge import FILE, Known, known_of, read_known, representative, vectors_of, write_known

CLIPS = [["a person walks forward", "someone walks"], ["a person walks"], ["walking ahead"], ["a man bows"]]


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder().eval()


@pytest.fixture(scope="module")
def known(encoder: SentenceEncoder) -> Known:
    return known_of(CLIPS, {"walk": 3, "bow": 1}, [caption for clip in CLIPS for caption in clip], encoder, 3)


def test_what_is_near_is_known_and_what_is_not_is_announced(known: Known, encoder: SentenceEncoder) -> None:
    near, far, foreign = known.answers(
        ["a person walks forward", "inflation is rising in europe", "eine Frau geht nach vorne"], encoder
    )
    assert near.known
    assert near.nearest[0] in ("a person walks forward", "someone walks", "a person walks")
    assert not far.known
    assert far.familiarity < near.familiarity
    line = far.line("toy")
    assert "unlike what toy knows" in line
    assert far.nearest[0] in line
    assert "\n" not in line
    assert foreign.language == "German"
    assert not foreign.known
    assert "seems to be German" in foreign.line("toy")


def test_words_and_actions_are_counted_by_clips(known: Known) -> None:
    assert known.words["walk"] == 3
    assert known.words["bow"] == 1
    assert known.actions == {"walk": 3, "bow": 1}
    assert len(known.sentences) == 3


def test_new_words_make_a_sentence_less_familiar(known: Known, encoder: SentenceEncoder) -> None:
    sentence = "a person walks forward"
    (heard,) = known.answers([sentence], encoder)
    (unheard,) = replace(known, words={}).answers([sentence], encoder)
    assert unheard.familiarity < heard.familiarity - 0.1


def test_it_is_written_and_read_back(known: Known, encoder: SentenceEncoder, tmp_path) -> None:
    write_known(tmp_path, known)
    again = read_known(tmp_path)
    assert (again.sentences, again.words, again.actions) == (known.sentences, known.words, known.actions)
    assert np.abs(again.vectors - known.vectors).max() < 0.02
    (first,), (second,) = (each.answers(["a person bows"], encoder) for each in (known, again))
    assert first.familiarity == pytest.approx(second.familiarity, abs=0.01)
    assert read_known(tmp_path / "nowhere") is None
    (tmp_path / FILE).write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="holds no known sentences"):
        read_known(tmp_path)
    with pytest.raises(UsageError, match="another sentence encoder"):
        replace(known, encoder="other").answers(["walk"], encoder)


def test_representatives_are_chosen_by_what_they_add() -> None:
    corners = np.eye(3, 8, dtype=np.float32)
    rows = np.concatenate([np.repeat(corners[:1], 5, 0), np.repeat(corners[1:2], 3, 0), corners[2:]])
    chosen = representative(rows, 3)
    assert [int(rows[k].argmax()) for k in chosen] == [0, 1, 2]


def test_representatives_are_those_of_the_plain_search() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    best, wanted = np.full(60, 0.3), []
    for _ in range(12):
        wanted.append(int(np.maximum(rows @ rows.T - best, 0).sum(1).argmax()))
        best = np.maximum(best, rows @ rows[wanted[-1]])
    assert representative(rows, 12) == wanted
    assert sorted(representative(rows[:5], 12)) == [0, 1, 2, 3, 4]  # each once, however many are asked for


def test_vectors_of_many_sentences_are_those_of_each(encoder: SentenceEncoder) -> None:
    texts = ["a person walks forward and then sits down on a chair", "x", "a person waves with the left hand"]
    alone = np.concatenate([vectors_of([text], encoder) for text in texts])
    assert np.abs(vectors_of(texts, encoder) - alone).max() < 1e-5


def test_vectors_have_length_one(encoder: SentenceEncoder) -> None:
    assert np.linalg.norm(vectors_of(["a person walks", "x"], encoder), axis=1) == pytest.approx([1, 1], abs=1e-5)
