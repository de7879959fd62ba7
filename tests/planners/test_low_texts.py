"""Tables of captions with low-level text: what is read, and what is refused in one line."""

import pytest

from motion_platform.core.errors import DataError
from motion_platform.planners import low_texts
from motion_platform.planners.low_texts import Example


def test_the_table_that_ships_is_whole_and_names_where_it_comes_from():
    examples = low_texts.read()
    assert 1000 < len(examples) < 5000
    assert max(len(example.actions) for example in examples) <= 8
    assert {"walk", "bow", "wave right hand", "run"} <= set(low_texts.known_actions(examples))


def test_a_prepared_set_gives_every_caption_its_first_low_text(sample_folder, sample_dataset):
    examples = low_texts.read(str(sample_folder))
    row = next(row for row in sample_dataset.indices("train") if sample_dataset.captions(row)[1])
    high, low = sample_dataset.captions(row)
    assert {Example(caption, low[0]) for caption in high} <= set(examples)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("caption,low_text\na,b\n", "no column 'low'; needed: caption, low"),
        ("", "no column 'caption'.*got nothing"),
        ("caption,low\na person walks,\n", "row 2: low is empty"),
        ("caption,low\n,walk\n", "row 2: caption is empty"),
        ("caption,low\n", "holds no caption with a low-level text"),
    ],
)
def test_a_table_that_is_none_is_one_line(tmp_path, text, said):
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(DataError, match=said) as caught:
        low_texts.read(str(tmp_path / "table.csv"))
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="cannot be read as text"):
        low_texts.read(str(tmp_path / "nothing.csv"))
