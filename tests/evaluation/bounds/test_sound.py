"""The nearest neighbour by ear finds a piece that was cut out, wherever it was; what sounds the same is a tie."""

from pathlib import Path

import numpy as np
import pytest

from motion_platform.core.errors import DataError
from motion_platform.core.schema import Audio
from motion_platform.core.tasks import load
from motion_platform.data.prepared import PreparedDataset
from motion_platform.evaluation.bounds import motion as bounds
from motion_platform.evaluation.bounds.sound import STEP, heard, nearest_pieces
from motion_platform.evaluation.testset import TestSet


@pytest.fixture
def pieces():
    random = np.random.default_rng(0)
    return [random.normal(size=(n, 4)) * [1, 10, 0.1, 1] for n in (60, 90, 40)]


def test_a_piece_that_was_cut_out_is_found_where_it_was(pieces):
    cut = pieces[1][6 * STEP : 6 * STEP + 30]
    noise = np.random.default_rng(1).normal(size=cut.shape) * [0.2, 2, 0.02, 0.2]
    assert nearest_pieces([cut + noise], pieces) == [[(1, 6 * STEP / 10)]]


def test_columns_count_alike_whatever_their_unit(pieces):
    first = nearest_pieces([pieces[0][:20]], pieces)
    assert nearest_pieces([pieces[0][:20] * [1e4, 1, 1, 1]], [x * [1e4, 1, 1, 1] for x in pieces]) == first


def test_what_sounds_the_same_is_a_tie_and_too_long_a_wish_gets_the_longest(pieces):
    assert nearest_pieces([pieces[2]], [*pieces, pieces[2].copy()]) == [[(2, 0.0), (3, 0.0)]]
    assert nearest_pieces([np.zeros((200, 4))], pieces) == [[(1, 0.0)]]


def test_stored_numbers_are_averaged_and_a_recording_without_any_is_refused():
    stored = np.repeat(np.arange(10.0), 2)[:, None]  # 20 a second, each value twice
    assert np.array_equal(heard(Audio(1.0, features={"prosody": stored}))[:, 0], np.arange(10.0))
    with pytest.raises(DataError, match="neither samples"):
        heard(Audio(1.0))


def test_the_bound_cuts_training_motion_to_the_length_asked_for(conductor_folder: Path):
    test = TestSet(PreparedDataset.open(conductor_folder), "train", max_frames=40)
    bound = bounds.NearestSound()
    assert bound.suits(load("music_to_conductor"))
    assert not bound.suits(load("text_to_motion"))
    bound.prepare(test, 0, 1)
    (items, *_) = test.batches
    made = bound.predict(test.batch(items, ()), items, seed=0)
    for b, (row, _) in enumerate(items):  # a training clip is its own neighbour, and so are those that sound the same
        near = [(test.dataset.audio(bound.train[which]), start) for which, start in bound.nearest[row]]
        own = heard(test.dataset.audio(row, 0, test.frames(row)))
        assert all(np.allclose(heard(a)[round(s * 10) :][: len(own)], own, atol=1e-2) for a, s in near)
        assert int(made.lengths[b]) == test.frames(row)
