"""Words of a recording: with times from a TextGrid, spread over what sounds from a text; wrong ones are refused."""

import numpy as np
import pytest
from speech_folders import grid

from motion_platform.audio.transcripts import with_words
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Audio, Word

RATE = 16_000


def recording(seconds=4.0, quiet=1.0):
    """A second of silence, then noise, then a second of silence."""
    samples = np.random.default_rng(0).uniform(0.1, 0.5, round(seconds * RATE)).astype(np.float32)
    samples[: round(quiet * RATE)] = samples[len(samples) - round(quiet * RATE) :] = 0
    return Audio(seconds, samples, RATE)


def test_words_of_a_text_lie_where_it_sounds_each_as_long_as_its_letters(tmp_path):
    words = with_words(recording(), "a bcde").words
    assert [w.text for w in words] == ["a", "bcde"]
    assert [round(t, 3) for w in words for t in w[1:]] == [1.0, 1.571, 1.571, 3.0]  # 2 and 5 parts of two seconds
    (tmp_path / "talk.txt").write_text("a bcde\n")
    assert with_words(recording(), tmp_path / "talk.txt").words == words
    assert with_words(recording(), words).words == words


def test_words_of_a_text_grid_keep_their_times(tmp_path):
    grid(tmp_path / "talk.TextGrid", 4.0)
    assert with_words(recording(), str(tmp_path / "talk.TextGrid")).words[0] == Word("me", 0.4, 0.9)


def test_a_wrong_transcript_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"transcript: 40 words for 2\.0 s of sound are more than anybody says"):
        with_words(recording(), "la " * 40)
    with pytest.raises(DataError, match="transcript: holds no word"):
        with_words(recording(), "  ")
    with pytest.raises(DataError, match=r"none\.txt: cannot be read as text: No such file"):
        with_words(recording(), tmp_path / "none.txt")
    grid(tmp_path / "other.TextGrid", 60)
    with pytest.raises(DataError, match="it is of another recording"):
        with_words(recording(), tmp_path / "other.TextGrid")
