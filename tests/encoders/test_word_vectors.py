"""Words of a recording as vectors of a table, at their moments; a table that is none is refused."""

import numpy as np
import pytest
import torch

from motion_platform.core.errors import DataError, WeightsError
from motion_platform.core.schema import Audio, Word
from motion_platform.encoders.word_vectors import WordVectors

TABLE = {"me": [1, 0, 2], "You": [0, 1, 0], "you": [0, 5, 0], "let": [3, 3, 3], "us": [4, 4, 4], "ü": [7, 7, 7]}


def table(path, lines=None):
    lines = [f"{w} {' '.join(map(str, v))}" for w, v in TABLE.items()] if lines is None else lines
    path.write_text(f"{len(lines)} 3\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def said(*words, seconds=2.0):
    return Audio(seconds, words=tuple(Word(*word) for word in words))


def test_a_word_stands_where_it_is_said(tmp_path):
    encoder = WordVectors(table(tmp_path / "a.vec"))
    told = encoder([said(("Me,", 0.5, 0.75), ("You", 1.0, 1.01)), None, said()])
    assert told.tokens.shape == (3, 40, 3)
    assert told.mask.sum(1).tolist() == [40, 0, 0]
    wanted = torch.zeros(40, 3)
    wanted[10:15] = torch.tensor([1.0, 0, 2])  # in lower case, for "Me" is not in the table
    wanted[20] = torch.tensor([0.0, 1, 0])  # as written, where that is there; a frame at least
    torch.testing.assert_close(told.tokens[0], wanted)
    assert (encoder.dim, encoder.rate_hz) == (3, 20.0)


def test_several_words_in_one_share_its_time_and_unknown_ones_are_silence(tmp_path):
    encoder = WordVectors(table(tmp_path / "a.vec"))
    row = encoder([said(("let us", 0.0, 1.0), ("qwxz", 1.0, 1.5), ("ü", 1.5, 2.0))]).tokens[0].numpy()
    assert [row[t, 0] for t in (0, 9, 10, 19, 20, 29, 30, 39)] == [3, 3, 4, 4, 0, 0, 7, 7]


def test_two_tables_have_two_fingerprints(tmp_path):
    a, b = WordVectors(table(tmp_path / "a.vec")), WordVectors(table(tmp_path / "b.vec", ["me 1 1 1"]))
    assert a.fingerprint() != b.fingerprint()
    assert a.fingerprint() == WordVectors(table(tmp_path / "c.vec")).fingerprint()


def test_what_is_no_table_is_refused(tmp_path):
    (tmp_path / "bad.vec").write_text("hello world\n")
    with pytest.raises(WeightsError, match="first line must be: words dimensions"):
        WordVectors(str(tmp_path / "bad.vec"))
    with pytest.raises(WeightsError, match=r"none\.vec: cannot be read: No such file"):
        WordVectors(str(tmp_path / "none.vec"))
    with pytest.raises(WeightsError, match="the line of 'me' has not 3 finite numbers"):
        WordVectors(table(tmp_path / "short.vec", ["me 1 2"])).vector("me")
    with pytest.raises(WeightsError, match="the line of 'me' holds what is no number"):
        WordVectors(table(tmp_path / "words.vec", ["me 1 2 x"])).vector("me")
    with pytest.raises(DataError, match=r"words\[0\]: got str, expected Audio"):
        WordVectors(table(tmp_path / "a.vec"))(["me"])
    assert np.isfinite(WordVectors(table(tmp_path / "a.vec")).vector("us")).all()
