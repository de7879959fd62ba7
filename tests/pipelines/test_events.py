"""Beats are marked where something sounds."""

import numpy as np

from motion_platform.core.schema import Audio, Word
from motion_platform.pipelines.events import audible, words_of

RATE = 16_000


def tones(*parts: tuple[float, float]) -> Audio:
    """A tone of (seconds, amplitude) after another."""
    sound = [a * np.sin(2 * np.pi * 440 * np.arange(round(s * RATE)) / RATE) for s, a in parts]
    samples = np.concatenate(sound).astype(np.float32)
    return Audio(len(samples) / RATE, samples, RATE)


def test_no_beat_is_marked_in_a_pause():
    audio = tones((4.0, 0.5), (6.0, 0.0), (4.0, 0.5))
    kept = audible(np.arange(0.5, 14, 0.5), audio)
    assert not ((kept > 5) & (kept < 9.5)).any()
    assert set(np.arange(0.5, 4, 0.5)) | set(np.arange(10.5, 14, 0.5)) <= set(kept)


def test_a_rest_shorter_than_a_pause_keeps_its_beats_and_silence_has_none():
    times = np.arange(0.5, 8, 0.5)
    assert np.array_equal(audible(times, tones((4.0, 0.5), (0.7, 0.0), (4.0, 0.5))), times)
    assert audible(times, tones((9.0, 0.0))).size == 0
    assert audible(np.empty(0), tones((2.0, 0.5))).size == 0
    assert np.array_equal(audible(times, Audio(9.0)), times)


def test_words_are_those_of_the_motion() -> None:
    audio = Audio(9.0, words=(Word("one", 0.5, 0.9), Word("long", 1.5, 9.0), Word("late", 2.0, 2.2)))
    assert words_of(audio, 2.0) == (("one", 0.5, 0.9), ("long", 1.5, 2.0))
    assert words_of(Audio(9.0), 2.0) == ()
