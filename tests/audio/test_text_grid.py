"""TextGrids in both spellings; what is none, or is of another recording, is refused in a line."""

import pytest

from motion_platform.audio.text_grid import words_of
from motion_platform.core.errors import DataError
from motion_platform.core.schema import Word

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2.5
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "TextTier"
        name = "marks"
        xmin = 0
        xmax = 2.5
        points: size = 1
        points [1]:
            number = 0.4
            mark = "clap 3"
    item [2]:
        class = "IntervalTier"
        name = "speaker 1 - words"
        xmin = 0
        xmax = 2.5
        intervals: size = 4
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = ""
        intervals [2]:
            xmin = 0.5
            xmax = 1.0
            text = "hello"
        intervals [3]:
            xmin = 1.0
            xmax = 1.5
            text = "sp"
        intervals [4]:
            xmin = 1.5
            xmax = 2.5
            text = "the ""big"" 12 one"
"""
SHORT = """File type = "ooTextFile"
"TextGrid"

0
2.5
<exists>
1
"IntervalTier"
"phones"
0
2.5
2
0
0.5
""
0.5
2.5
"AH0"
"""


def written(tmp_path, text, encoding="utf-8"):
    place = tmp_path / "a.TextGrid"
    place.write_text(text, encoding=encoding)
    return place


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_words_are_read_and_silences_left_out(tmp_path, encoding):
    words = words_of(written(tmp_path, LONG, encoding), seconds=2.5)
    assert words == (Word("hello", 0.5, 1.0), Word('the "big" 12 one', 1.5, 2.5))


def test_the_short_spelling_and_a_tier_of_another_name(tmp_path):
    place = written(tmp_path, SHORT)
    assert words_of(place) == (Word("AH0", 0.5, 2.5),)  # the only tier
    assert words_of(place, tier="phones") == words_of(place)
    with pytest.raises(DataError, match="has no tier 'phone'; did you mean 'phones'"):
        words_of(place, tier="phone")


def test_a_file_of_another_recording_or_of_no_kind_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"last word ends at 2\.5 s, but the recording lasts 1\.0 s: it is of another"):
        words_of(written(tmp_path, LONG), seconds=1.0)
    with pytest.raises(DataError, match="is no TextGrid"):
        words_of(written(tmp_path, "hello"))
    with pytest.raises(DataError, match="is damaged: got the end of the file where a text should be"):
        words_of(written(tmp_path, LONG[: LONG.index('text = "hello')]))
    with pytest.raises(DataError, match="No such file"):
        words_of(tmp_path / "none.TextGrid")
