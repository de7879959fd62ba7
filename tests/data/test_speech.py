"""What data sets of speech and gesture do alike, on takes of a made-up layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from speech_folders import grid, talking, tone

from motion_platform.core.errors import DataError
from motion_platform.core.schema import Word
from motion_platform.data.source import Item, Report, Words
from motion_platform.data.speech import RATE, SpeechSource, check_lengths, finite
from motion_platform.motion import io
from motion_platform.motion.representations import get_representation
from motion_platform.motion.skeleton import get_skeleton


class Takes(SpeechSource):
    """x.bvh, x.wav, x.TextGrid in one folder."""

    name, licence, representation = "takes", "none", "zeggs"

    def items(self, source: Path, report: Report) -> list[Item]:
        return []

    def recording(self, motion: Path) -> Path:
        return motion.with_suffix(".wav")

    def transcript(self, motion: Path) -> Path | None:
        place = motion.with_suffix(".TextGrid")
        return place if place.is_file() else None


def take(folder: Path, motion: float = 2.0, sound: float | None = 2.0, rate: int = RATE) -> Item:
    """A take of so many seconds of motion and of sound."""
    path = folder / "a.bvh"
    io.save([talking(get_skeleton("zeggs"), round(motion * 60), 60)], path)
    if sound is not None:
        tone(path.with_suffix(".wav"), sound, rate)
    return Item("a", str(path), "train", "a test", Words(labels={"emotion": "sad"}))


@pytest.mark.parametrize(("motion", "sound", "lasts"), [(2.0, 2.5, 2.0), (2.5, 2.0, 2.0)])
def test_a_row_is_as_long_as_the_shorter_of_the_two(tmp_path: Path, motion: float, sound: float, lasts: float) -> None:
    result = Takes().convert(take(tmp_path, motion, sound), mirror=True)
    (row,) = result.rows
    assert (result.error, row.id, row.split, row.words.labels) == (None, "a", "train", {"emotion": "sad"})
    assert len(row.features) == lasts * 20
    assert row.streams["samples"].shape == (lasts * RATE, 1)
    joints = get_representation("zeggs").to_joints(row.features)
    clip = io.load(tmp_path / "a.bvh")
    at = [clip.skeleton.index(joint) for joint in get_skeleton("zeggs").joints]
    assert np.abs(joints - clip.joints[::3][: len(joints), at]).max() < 1e-3


def test_sound_of_another_rate_is_heard_at_16_khz(tmp_path: Path) -> None:
    (row,) = Takes().convert(take(tmp_path, rate=44_100), mirror=False).rows
    heard = np.abs(np.fft.rfft(row.streams["samples"][:, 0]))
    assert row.streams["samples"].shape == (2 * RATE, 1)
    assert np.argmax(heard) / 2.0 == pytest.approx(220, abs=3)  # the tone, at the pitch that it has


def test_words_that_begin_after_the_end_are_left_out_and_the_last_is_cut(tmp_path: Path) -> None:
    item = take(tmp_path, motion=2.0, sound=2.5)
    grid(tmp_path / "a.TextGrid", 2.5)
    (row,) = Takes().convert(item, mirror=False).rows
    assert row.spoken == (Word("me", 0.4, 0.9), Word("too", 0.9, 2.0))
    item = take(tmp_path, motion=0.8, sound=2.5)
    (row,) = Takes().convert(item, mirror=False).rows
    assert row.spoken == (Word("me", 0.4, 0.8),)


def test_a_take_without_words_has_none(tmp_path: Path) -> None:
    (row,) = Takes().convert(take(tmp_path), mirror=False).rows
    assert row.spoken == ()


def test_a_bad_take_is_an_error_of_its_own_and_no_row(tmp_path: Path) -> None:
    result = Takes().convert(take(tmp_path, sound=None), mirror=False)
    assert (result.rows, result.error) == ([], "a.bvh: has no recording a.wav beside it")
    result = Takes().convert(take(tmp_path, motion=2.0, sound=4.5), mirror=False)
    assert "the motion lasts 2.0 s and its recording 4.5 s: they are not of one take" in (result.error or "")
    result = Takes().convert(take(tmp_path, motion=0.3, sound=0.3), mirror=False)
    assert result.too_short
    assert result.rows == []
    assert "shorter than" in (result.dropped or "")


@pytest.mark.parametrize(
    ("motion", "sound", "together"),
    [
        (5.0, 6.9, True),
        (5.0, 7.0, True),
        (5.0, 7.1, False),
        (7.1, 5.0, False),
        (100.0, 110.5, True),
        (100.0, 112.0, False),
    ],
)
def test_lengths_of_one_take(motion: float, sound: float, together: bool) -> None:
    """Apart by 2 s at most, or by a tenth of the longer one."""
    if together:
        check_lengths(Path("a.bvh"), motion, sound)
        return
    with pytest.raises(DataError, match="not of one take"):
        check_lengths(Path("a.bvh"), motion, sound)


def test_a_folder_without_any_sound_is_refused(tmp_path: Path) -> None:
    take(tmp_path, sound=None)
    motions = [tmp_path / "a.bvh", tmp_path / "b.bvh"]
    with pytest.raises(DataError, match=r"2 motion files in .*, but none has its recording .for a\.bvh"):
        Takes().check_recordings(tmp_path, motions)
    tone(tmp_path / "b.wav", 1.0)
    Takes().check_recordings(tmp_path, motions)
    Takes().check_recordings(tmp_path, [])


def test_the_first_frame_that_is_no_number_is_named() -> None:
    values = np.zeros((5, 2, 3))
    assert finite(values, "a") is values
    values[3, 1, 2], values[4, 0, 0] = np.inf, np.nan
    with pytest.raises(DataError, match=r"a\.npz: frame 3 has a NaN or infinite value"):
        finite(values, "a.npz")


@pytest.mark.parametrize(("frames", "kept"), [(9, False), (10, True)])
def test_a_take_has_ten_frames_at_least(tmp_path: Path, frames: int, kept: bool) -> None:
    result = Takes().convert(take(tmp_path, motion=frames / 20, sound=1.0), mirror=False)
    assert (len(result.rows), result.too_short, result.long, result.error) == (kept, not kept, kept, None)
    assert result.dropped == (None if kept else "shorter than 10 frames at 20 fps")
    assert [len(row.features) for row in result.rows] == [10] * kept


def test_a_word_that_begins_where_the_motion_ends_is_left_out(tmp_path: Path) -> None:
    item = take(tmp_path, motion=0.9, sound=2.0)
    grid(tmp_path / "a.TextGrid", 2.0)
    (row,) = Takes().convert(item, mirror=False).rows
    assert row.spoken == (Word("me", 0.4, 0.9),)


def test_what_goes_wrong_in_a_take_is_said_and_nothing_of_it_is_kept(tmp_path: Path, monkeypatch) -> None:
    item = take(tmp_path)
    for error, said in ((DataError("a NaN"), "a NaN"), (DataError("x"), "x"), (ValueError("y"), "ValueError: y")):

        def fails(self, path, seconds, until, error=error):
            raise error

        monkeypatch.setattr(Takes, "_words", fails)
        result = Takes().convert(item, mirror=False)
        assert (result.rows, result.error, result.nan) == ([], said, "NaN" in said)
