import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motion_platform.generators.language.packing import inside, lay_out, pack
from motion_platform.generators.language.vocabulary import Vocabulary
from motion_platform.language_models.text import Bytes


@settings(max_examples=100, deadline=None)
@given(lengths=st.lists(st.integers(1, 50), min_size=1, max_size=40), width=st.integers(1, 80))
def test_every_sequence_lies_in_one_row_and_no_row_is_too_wide(lengths, width):
    rows = pack(lengths, width)
    assert sorted(i for row in rows for i in row) == list(range(len(lengths)))
    assert all(len(row) == 1 or sum(lengths[i] for i in row) <= width for row in rows)


def test_a_sequence_sees_itself_alone_and_learns_its_answer():
    vocabulary = Vocabulary(Bytes(), 256, 8, 1)
    motion = [vocabulary.motion_start, 257, 258, vocabulary.motion_end]
    packed = lay_out([([1, 2, motion[0]], motion[1:]), ([5, vocabulary.text_start], [6])], 16, vocabulary, whole=False)
    assert packed.ids.tolist() == [[1, 2, motion[0], 257, 258, 5, vocabulary.text_start]]
    assert packed.positions.tolist() == [[0, 1, 2, 3, 4, 0, 1]]
    assert packed.wanted.tolist() == [[-1, -1, 257, 258, vocabulary.motion_end, -1, 6]]
    assert packed.in_motion.tolist() == [[False, False, True, True, True, False, False]]
    expected = torch.block_diag(torch.ones(5, 5), torch.ones(2, 2)).tril().bool()
    assert torch.equal(packed.mask[0, 0], expected)
    whole = lay_out([([1, 2], [3])], 16, vocabulary, whole=True)
    assert whole.wanted.tolist() == [[2, 3]]


def test_inside_a_motion():
    vocabulary = Vocabulary(Bytes(), 256, 8, 1)
    a, z = vocabulary.motion_start, vocabulary.motion_end
    ids = torch.tensor([9, a, 256, 257, z, 9, a, z, 9])
    assert inside(ids, vocabulary).tolist() == [False, False, True, True, True, False, False, True, False]
