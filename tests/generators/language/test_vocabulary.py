import pytest
import torch

from motion_platform.core.errors import DataError
from motion_platform.generators.language.vocabulary import Vocabulary
from motion_platform.language_models.text import Bytes


@pytest.mark.parametrize("writing", ["tokens", "decimal"])
@pytest.mark.parametrize("codebooks", [1, 3])
def test_what_is_written_is_read_back(writing, codebooks):
    vocabulary = Vocabulary(Bytes(), 256, 512, codebooks, writing)
    codes = torch.randint(512, (7, codebooks))
    ids = vocabulary.write(codes)
    assert torch.equal(vocabulary.parse(ids), codes)
    assert set(ids) <= set(vocabulary.motion_out.tolist())
    if writing == "decimal":
        assert Bytes().decode(ids) == ",".join(str(c) for c in codes.flatten().tolist())


def test_codes_of_different_codebooks_are_different_ids_behind_the_text():
    vocabulary = Vocabulary(Bytes(), 300, 16, 2)
    assert vocabulary.write(torch.tensor([[3, 3], [0, 15]])) == [303, 319, 300, 331]
    assert vocabulary.own == 36
    marks = {vocabulary.motion_start, vocabulary.motion_end, vocabulary.text_start, vocabulary.text_end}
    assert marks == {332, 333, 334, 335}


def test_the_end_mark_stands_last_and_a_text_holds_no_motion():
    vocabulary = Vocabulary(Bytes(), 256, 16, 1)
    assert vocabulary.motion_out[-1] == vocabulary.motion_end
    assert vocabulary.text_out[-1] == vocabulary.text_end
    assert not set(vocabulary.text_out.tolist()) & set(vocabulary.motion_out.tolist())


@pytest.mark.parametrize("writing", ["tokens", "decimal"])
def test_what_is_no_code_is_refused(writing):
    vocabulary = Vocabulary(Bytes(), 256, 16, 2, writing)
    with pytest.raises(DataError, match="motion code 16; allowed: 0 to 15"):
        vocabulary.write(torch.tensor([[1, 16]]))
    with pytest.raises(DataError, match="are no motion"):
        vocabulary.parse(vocabulary.write(torch.tensor([[1, 2]]))[:1])
    with pytest.raises(DataError, match="are no motion"):
        vocabulary.parse([65, 66])
