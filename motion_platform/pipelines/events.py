"""What is heard in a recording beside the motion: beats and bars."""

from __future__ import annotations

import numpy as np

from motion_platform.audio import mel
from motion_platform.core.schema import Audio
from motion_platform.encoders import librosa_beats
from motion_platform.model.run import Run


def events_of(run: Run, audio: Audio) -> dict[str, np.ndarray]:
    """{"beats", and "bars" where they are known}: what is heard in a recording, in seconds; none in silence.

    An encoder of the model that tracks beats is asked first, so that the marks are those that the conductor follows;
    else librosa's tracker, which knows no bars. Speech has no beats: where the task reads words, {"words": when each of
    them begins}, as far as they are known.
    """
    for encoder in run.model.conditioning.encoders.values():
        track = getattr(encoder, "track", None)
        if callable(track):
            found = track(audio)
            return {"beats": found.times, "bars": found.bars}
    if "words" in run.task.reads.values():
        return {"words": np.array([word.start for word in audio.words])} if audio.words else {}
    return {"beats": librosa_beats.track(librosa_beats.onset_strength(mel.mel_of(audio)))}
