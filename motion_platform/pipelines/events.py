"""What is heard in a recording beside the motion: beats and bars, or words."""

from __future__ import annotations

import numpy as np

from motion_platform.audio import mel
from motion_platform.audio.listening import sounding
from motion_platform.core.schema import Audio
from motion_platform.encoders import librosa_beats
from motion_platform.model.run import Run

RATE = 20.0
"""Times a second at which it is asked whether a recording sounds."""


def events_of(run: Run, audio: Audio) -> dict[str, np.ndarray]:
    """{"beats", and "bars" where they are known}: what is heard in a recording, in seconds; none in silence.

    An encoder of the model that tracks beats is asked first, so that the marks are those that the conductor follows;
    else librosa's tracker, which knows no bars. Speech has no beats: {} where the task reads words (:func:`words_of`).
    """
    for encoder in run.model.conditioning.encoders.values():
        track = getattr(encoder, "track", None)
        if callable(track):
            found = track(audio)
            return {"beats": audible(found.times, audio), "bars": audible(found.bars, audio)}
    if "words" in run.task.reads.values():
        return {}
    return {"beats": audible(librosa_beats.track(librosa_beats.onset_strength(mel.mel_of(audio))), audio)}


def words_of(audio: Audio, seconds: float) -> tuple[tuple[str, float, float], ...]:
    """(text, start, end) of the words that are said within ``seconds``, as far as they are known."""
    said = [(word.text, float(word.start), float(min(word.end, seconds))) for word in audio.words]
    return tuple(word for word in said if 0 <= word[1] < seconds)


def audible(times: np.ndarray, audio: Audio) -> np.ndarray:
    """The times (n,) in seconds at which the recording sounds: a tracker counts on through a pause, where hands rest.

    All of them, of a recording whose samples are not kept.
    """
    if audio.samples is None or not len(times):
        return times
    frames = max(1, round(audio.seconds * RATE))
    sounds = sounding(audio, frames, RATE)
    return times[sounds[np.clip((times * RATE).astype(int), 0, frames - 1)] > 0.5]
